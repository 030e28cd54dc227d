/* What ssctl is given and what it receives. The first byte says what: 'u' the address of a server,
 * 's' a path segment, 'q' a query, 'm' JSON whose members are looked up, anything else an answer.
 *
 * An address that is taken makes one clean Host field. A segment that was written is read back as
 * it was by the server. A query value is one of the parameters. An answer is complete at one byte,
 * not before, and means the same whatever follows. What is looked up lies in the text. */
#include "fuzz.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include <sessionstream/error.h>

#include "http/request.h"
#include "schema/json_reader.h"
#include "server/http_exchange.h"
#include "server/json_members.h"
#include "server/url.h"

static bool is_inside(struct ss_str part, struct ss_str whole)
{
    return part.len == 0 ||
           (part.data >= whole.data && part.data + part.len <= whole.data + whole.len);
}

/* A request with these parts, as the server's parser sees it. */
static void parse_own(const struct ss_bytes *bytes, struct ss_http_parser *parser)
{
    size_t used = 0;
    ss__http_parser_init(parser, 1 << 16);
    int progress = ss__http_parser_feed(parser, bytes->data, bytes->len, &used);
    ss_check_msg(progress == SS_HTTP_DONE && used == bytes->len, "%s\n%.*s\n",
                 parser->error == NULL ? "" : parser->error, (int)bytes->len,
                 (const char *)bytes->data);
}

static void check_url(struct ss_str in)
{
    struct ss_url url;
    struct ss_failure failure = { 0 };
    char *text = strndup(in.len == 0 ? "" : in.data, in.len);
    ss_check(text != NULL);
    int err = ss__url_parse(text, &url, &failure);
    ss_check(err == failure.code && (err == 0 || (err == SS_E_CONFIG && failure.text[0] != '\0')));
    if (err == 0) {
        struct ss_http_parser parser;
        struct ss_bytes request;
        struct ss_str host;
        ss__bytes_init(&request, 0);
        ss__http_request_write(&request, "GET", ss_str("/"), &url, NULL, ss_str(NULL));
        parse_own(&request, &parser);
        ss_check(url.host[0] != '\0' && strtoul(url.port, NULL, 10) - 1 < 65535);
        ss_check(ss__http_field(ss__http_parser_request(&parser), "Host", &host));
        ss_check(ss_str_equal(host, ss_str(url.authority)));
        ss_check(memmem(host.data, host.len, url.host, strlen(url.host)) != NULL);
        ss__http_parser_deinit(&parser);
        ss__bytes_deinit(&request);
    }
    free(text);
}

static void check_segment(struct ss_str in)
{
    static const struct ss_url url = { "h", "80", "h:80" };
    struct ss_http_parser parser;
    struct ss_bytes path;
    struct ss_bytes request;
    in.len = in.len > 600 ? 600 : in.len;
    ss__bytes_init(&path, 0);
    ss__bytes_init(&request, 0);
    ss__bytes_text(&path, "/v1/sessions/");
    ss__url_segment(&path, in);
    ss__bytes_text(&path, "/end");
    ss__http_request_write(&request, "POST", ss__bytes_view(&path), &url, "key", in);
    parse_own(&request, &parser);
    const struct ss_http_request *parsed = ss__http_parser_request(&parser);
    ss_check(parsed->segment_count == 4 && ss_str_equal(parsed->segments[2], in));
    ss_check(ss_str_equal(parsed->segments[3], ss_str("end")) && parsed->query.len == 0);
    ss_check(ss_str_equal(parsed->body, in));
    ss__http_parser_deinit(&parser);
    ss__bytes_deinit(&request);
    ss__bytes_deinit(&path);
}

static void check_query(struct ss_str query)
{
    uint8_t value[64];
    uint8_t small[4];
    struct ss_str found = { "untouched", 9 };
    struct ss_str again;
    int err = ss__http_query_value(query, "after", value, sizeof value, &found);
    ss_check(err == 0 || err == SS_E_NOTFOUND || err == SS_E_INVAL || err == SS_E_TOOBIG);
    if (err != 0) {
        ss_check(ss_str_equal(found, ss_str("untouched")));
    } else {
        ss_check(found.len <= sizeof value && memmem(query.data, query.len, "after", 5) != NULL);
        int less = ss__http_query_value(query, "after", small, sizeof small, &again);
        ss_check(less == SS_E_TOOBIG || (less == 0 && ss_str_equal(found, again)));
    }
    ss_check((err == SS_E_NOTFOUND) ==
             (ss__http_query_value(query, "after", small, 0, &again) == SS_E_NOTFOUND));
}

static void check_members(struct ss_str json)
{
    struct ss_str value;
    struct ss_str element;
    struct ss_bytes text;
    size_t at = 0;
    unsigned count = 0;
    ss__bytes_init(&text, 0);
    bool has = ss__json_member(json, "name", &value);
    bool has_text = ss__json_string_member(json, "name", &text);
    ss_check(has ? is_inside(value, json) && value.len > 0 : !has_text);
    ss_check(has_text || text.len == 0);
    while (ss__json_element(json, &at, &element)) {
        ss_check(is_inside(element, json) && element.len > 0 && at <= json.len);
        count++;
    }
    ss_check(count <= json.len);
    ss__bytes_clear(&text);
    ss__json_line(&text, json);
    ss_check(text.len <= json.len && (text.len == 0 || memchr(text.data, '\n', text.len) == NULL));
    ss__bytes_deinit(&text);
}

static void check_answer(struct ss_str in)
{
    struct ss_http_answer answer;
    struct ss_http_answer again;
    struct ss_failure failure = { 0 };
    int got = ss__http_answer_read(in, false, &answer, &failure);
    ss_check(got == 1 || got == 0 || (got == SS_E_PROTO && failure.text[0] != '\0'));
    if (got == 1) {
        ss_check(answer.status >= 200 && answer.status <= 599);
        ss_check(is_inside(answer.body, in) && is_inside(answer.content_type, in));
        size_t end = answer.body.len == 0 ? 0 : (size_t)(answer.body.data + answer.body.len -
                                                         in.data);
        for (size_t len = 0; len <= in.len && end > 0; len += len + 1 == end ? 1 : 1 + len / 16) {
            int part = ss__http_answer_read(ss_str_of(in.data, len), false, &again, NULL);
            ss_check(part == (len >= end ? 1 : 0));
        }
    }
    int at_end = ss__http_answer_read(in, true, &again, NULL);
    ss_check(at_end == 1 || at_end == SS_E_PROTO);
    ss_check(got == 0 || at_end == got);
    ss_check(got != 1 || (again.status == answer.status && ss_str_equal(again.body, answer.body)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (len == 0) {
        return 0;
    }
    struct ss_str in = ss_str_of(data + 1, len - 1);
    switch (data[0]) {
    case 'u':
        check_url(in);
        break;
    case 's':
        check_segment(in);
        break;
    case 'q':
        check_query(in);
        break;
    case 'm':
        check_members(in);
        break;
    default:
        check_answer(in);
        break;
    }
    return 0;
}
