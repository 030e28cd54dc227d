/* request_outcome.h - what the parser of requests makes of a text, however it is cut. */
#ifndef SS_TESTS_HTTP_REQUEST_OUTCOME_H
#define SS_TESTS_HTTP_REQUEST_OUTCOME_H

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <sessionstream/error.h>

#include "core/bytes.h"
#include "http/request.h"
#include "ss_test.h"

#define BODY_MAX 100u
#define HOST "Host: here\r\n"
#define HEAD "POST /a HTTP/1.1\r\n" HOST

/* What a feed came to, with all of the request written out, so that two can be compared. */
struct outcome {
    int result;
    unsigned status;
    const char *error;
    size_t consumed;
    char text[768];
};

static inline void add(struct outcome *outcome, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static inline void add(struct outcome *outcome, const char *format, ...)
{
    size_t len = strlen(outcome->text);
    va_list args;
    va_start(args, format);
    int more = vsnprintf(outcome->text + len, sizeof outcome->text - len, format, args);
    va_end(args);
    ss_check(more >= 0 && (size_t)more < sizeof outcome->text - len);
}

#define STR(text) (int)(text).len, (text).data

static inline void describe(struct outcome *outcome, const struct ss_http_request *request)
{
    static const char *const methods[] = { "GET", "POST", "HEAD", "other" };
    add(outcome, "%s %.*s 1.%u path=%.*s", methods[request->method], STR(request->method_name),
        request->version_minor, STR(request->path));
    if (request->query.len > 0) {
        add(outcome, " query=%.*s", STR(request->query));
    }
    for (size_t i = 0; i < request->segment_count; i++) {
        add(outcome, " [%.*s]", STR(request->segments[i]));
    }
    for (size_t i = 0; i < request->field_count; i++) {
        add(outcome, " <%.*s|%.*s>", STR(request->fields[i].name),
            STR(request->fields[i].value));
    }
    add(outcome, "%s%s%s body=%zu:%.*s", request->keep_alive ? " keep" : "",
        request->upgrade ? " upgrade" : "", request->expect_continue ? " expect" : "",
        (size_t)request->content_length, STR(request->body));
}

/* Feeds @text in pieces of @step bytes, the first one of @first bytes. */
static inline struct outcome feed_pieces(struct ss_str text, size_t first, size_t step)
{
    struct ss_http_parser parser;
    struct outcome outcome = { 0 };
    size_t piece = first;
    ss__http_parser_init(&parser, BODY_MAX);
    while (outcome.result == SS_HTTP_NEED_MORE && outcome.consumed < text.len) {
        size_t used = 0;
        size_t left = text.len - outcome.consumed;
        size_t len = piece < left ? piece : left;
        outcome.result = ss__http_parser_feed(&parser, (const uint8_t *)text.data +
                                              outcome.consumed, len, &used);
        ss_check(used <= len && (used == len || outcome.result != SS_HTTP_NEED_MORE));
        outcome.consumed += used;
        piece = step;
    }
    outcome.status = parser.status;
    outcome.error = parser.error;
    if (outcome.result == SS_HTTP_DONE) {
        describe(&outcome, ss__http_parser_request(&parser));
    }
    ss__http_parser_deinit(&parser);
    return outcome;
}

static inline struct outcome feed(struct ss_str text)
{
    return feed_pieces(text, text.len, text.len);
}

static inline void check_same(const struct outcome *a, const struct outcome *b, const char *text,
                       size_t cut)
{
    ss_check_msg(a->result == b->result && a->status == b->status && a->error == b->error &&
                 a->consumed == b->consumed && strcmp(a->text, b->text) == 0,
                 "%s\ncut at %zu:\n%s\n%s", text, cut, a->text, b->text);
}

/* The outcome of @text, which is the same however it is cut. */
static inline struct outcome feed_all_splits(const char *text, size_t len)
{
    struct outcome whole = feed(ss_str_of(text, len));
    for (size_t first = 1; first < len; first++) {
        struct outcome two = feed_pieces(ss_str_of(text, len), first, len);
        check_same(&whole, &two, text, first);
        struct outcome many = feed_pieces(ss_str_of(text, len), first, 1);
        check_same(&whole, &many, text, first);
    }
    return whole;
}

static inline void check_request(const char *text, const char *want, const char *rest)
{
    struct outcome outcome = feed_all_splits(text, strlen(text));
    ss_check_msg(outcome.result == SS_HTTP_DONE && outcome.status == 0 && outcome.error == NULL,
                 "%s: %u %s", text, outcome.status, outcome.error);
    ss_check_msg(strcmp(outcome.text, want) == 0, "%s", outcome.text);
    ss_check_msg(strcmp(text + outcome.consumed, rest) == 0, "%s", text + outcome.consumed);
}

static inline void check_refused(const char *text, size_t len, int err, unsigned status,
                          const char *error)
{
    struct outcome outcome = feed_all_splits(text, len);
    ss_check_msg(outcome.result == err && outcome.status == status,
                 "%s: %d with %u", text, outcome.result, outcome.status);
    ss_check_msg(strstr(outcome.error, error) != NULL, "%s: %s", text, outcome.error);
}

#define REFUSED(text, status, error) \
    check_refused(text, sizeof(text) - 1, SS_E_PROTO, status, error)

#endif
