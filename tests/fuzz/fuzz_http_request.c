/* Requests of a connection. The first byte picks how the bytes are cut, the rest is the stream.
 *
 * Whatever the cuts, the same requests come out with the same end. */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>

#include <sessionstream/error.h>

#include "core/bytes.h"
#include "http/request.h"

#define BODY_BYTES_MAX 512u

static void note(struct ss_bytes *log, const char *what, struct ss_str bytes)
{
    ss__bytes_text(log, what);
    ss__bytes_u64(log, bytes.len);
    ss__bytes_byte(log, ':');
    ss__bytes_str(log, bytes);
    ss__bytes_byte(log, '\n');
}

static void note_number(struct ss_bytes *log, const char *what, uint64_t number)
{
    ss__bytes_text(log, what);
    ss__bytes_u64(log, number);
    ss__bytes_byte(log, '\n');
}

/* All a caller may ask of a request. */
static void note_request(struct ss_bytes *log, const struct ss_http_request *request)
{
    ss_check(request->field_count <= SS_HTTP_FIELDS_MAX);
    ss_check(request->segment_count <= SS_HTTP_SEGMENTS_MAX);
    ss_check(request->body.len == request->content_length && request->body.len <= BODY_BYTES_MAX);
    ss_check(request->version_minor <= 1 && request->path.len <= SS_HTTP_TARGET_BYTES_MAX);
    note_number(log, "method ", (uint64_t)request->method);
    note_number(log, "version ", request->version_minor);
    note(log, "name ", request->method_name);
    note(log, "path ", request->path);
    note(log, "query ", request->query);
    for (size_t i = 0; i < request->segment_count; i++) {
        note(log, "segment ", request->segments[i]);
    }
    for (size_t i = 0; i < request->field_count; i++) {
        note(log, "field ", request->fields[i].name);
        note(log, "value ", request->fields[i].value);
    }
    note(log, "body ", request->body);
    note_number(log, "keep alive ", request->keep_alive);
    note_number(log, "upgrade ", request->upgrade);
    note_number(log, "continue ", request->expect_continue);

    uint8_t value[64];
    struct ss_str found;
    int err = ss__http_query_value(request->query, "a", value, sizeof value, &found);
    ss_check(err == 0 || err == SS_E_NOTFOUND || err == SS_E_INVAL || err == SS_E_TOOBIG);
    note(log, "a=", err == 0 ? found : ss_str(""));
    size_t at = 0;
    while (ss__http_field_next(request, "Accept", &at, &found)) {
        struct ss_str element;
        while (ss__http_list_next(&found, &element)) {
            note(log, "accept ", element);
        }
    }
    note_number(log, "close ", ss__http_field_has_token(request, "Connection", "close"));
}

/* Feeds @stream in steps of @step bytes (0: all at once) and logs what comes out of it. */
static void parse(struct ss_str stream, size_t step, struct ss_bytes *log)
{
    struct ss_http_parser parser;
    size_t from = 0;
    int progress = 0;
    ss__http_parser_init(&parser, BODY_BYTES_MAX);
    while (from < stream.len && progress >= 0) {
        size_t len = step == 0 || step > stream.len - from ? stream.len - from : step;
        uint8_t *exact = malloc(len);
        size_t used = len + 1;
        ss_check(exact != NULL);
        memcpy(exact, stream.data + from, len);
        progress = ss__http_parser_feed(&parser, exact, len, &used);
        free(exact);
        if (progress == SS_HTTP_DONE) {
            ss_check(used <= len);
            from += used;
            note_request(log, ss__http_parser_request(&parser));
            ss__http_parser_reset(&parser);
            ss_check(ss__http_parser_idle(&parser));
        } else if (progress == SS_HTTP_NEED_MORE) {
            ss_check(used == len);
            from += len;
        }
    }
    if (progress < 0) {
        ss_check(progress == SS_E_PROTO || progress == SS_E_TOOBIG);
        ss_check(parser.status >= 400 && parser.status <= 505 && parser.error != NULL);
        note_number(log, "status ", parser.status);
        note(log, "error ", ss_str(parser.error));
    } else {
        note_number(log, "idle ", ss__http_parser_idle(&parser));
    }
    ss__http_parser_deinit(&parser);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (len == 0) {
        return 0;
    }
    struct ss_str stream = ss_str_of(data + 1, len - 1);
    struct ss_bytes whole;
    struct ss_bytes cut;
    ss__bytes_init(&whole, 0);
    ss__bytes_init(&cut, 0);
    parse(stream, 0, &whole);
    parse(stream, 1 + data[0] % 32u, &cut);
    ss_check_msg(ss_str_equal(ss__bytes_view(&whole), ss__bytes_view(&cut)), "%.*s----\n%.*s",
                 (int)whole.len, (const char *)whole.data, (int)cut.len, (const char *)cut.data);
    ss__bytes_deinit(&cut);
    ss__bytes_deinit(&whole);
    return 0;
}
