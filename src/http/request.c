#include "http/request.h"

#include <stdlib.h>
#include <string.h>

#include <http_parser.h>

#include <sessionstream/error.h>

#include "core/bytes.h"
#include "core/contract.h"
#include "http/chunked.h"

#define BODY_TOO_BIG "the body is larger than a client's message may be (--client-frame)"

enum phase { HEAD, BODY, CHUNKS, DONE, FAILED };

/* The head is complete before http_parser sees it, so its callbacks give whole slices. */
struct ss_http_state {
    enum phase phase;
    struct ss_bytes head;
    struct ss_bytes body;
    struct ss_bytes decoded;          /* path segments */
    struct ss_http_chunked chunked;
    struct ss_http_request request;
    size_t line_begin;                /* of the head line being read */
    unsigned lines;
    bool continue_due;
    int err;
    size_t held_bytes;                /* of the body, on the account of parser->bodies */
};

void ss__http_parser_init(struct ss_http_parser *parser, size_t body_bytes_max)
{
    *parser = (struct ss_http_parser){ .body_bytes_max = body_bytes_max };
}

void ss__http_parser_reset(struct ss_http_parser *parser)
{
    struct ss_http_state *state = parser->state;
    struct ss_http_bodies *bodies = parser->bodies;
    if (state != NULL) {
        if (bodies != NULL) {
            bodies->held_bytes -= state->held_bytes;
        }
        ss__bytes_deinit(&state->head);
        ss__bytes_deinit(&state->body);
        ss__bytes_deinit(&state->decoded);
        free(state);
    }
    ss__http_parser_init(parser, parser->body_bytes_max);
    parser->bodies = bodies;
}

void ss__http_parser_share(struct ss_http_parser *parser, struct ss_http_bodies *bodies)
{
    SS_REQUIRE(parser->state == NULL);
    parser->bodies = bodies;
}

void ss__http_parser_deinit(struct ss_http_parser *parser)
{
    ss__http_parser_reset(parser);
}

static int fail(struct ss_http_parser *parser, int err, unsigned status, const char *error)
{
    parser->status = status;
    parser->error = error;
    if (parser->state != NULL) {
        parser->state->phase = FAILED;
        parser->state->err = err;
    }
    return err;
}

/* ---- the head, byte by byte ---- */

static bool is_folded_or_bare(const struct ss_http_state *state, uint8_t byte)
{
    const struct ss_bytes *head = &state->head;
    bool after_cr = head->len > 0 && head->data[head->len - 1] == '\r';
    bool at_line_start = head->len == state->line_begin;
    if ((byte == '\n') != after_cr) {
        return true;    /* bare LF, or CR without LF */
    }
    return state->lines > 0 && at_line_start && (byte == ' ' || byte == '\t');
}

/* 1 when the empty line is complete, 0 when more is needed. */
static int take_head_byte(struct ss_http_parser *parser, uint8_t byte)
{
    struct ss_http_state *state = parser->state;
    if (state->head.len == 0 && (byte == '\r' || byte == '\n')) {
        return fail(parser, SS_E_PROTO, 400, "the request begins with an empty line");
    }
    bool control = (byte < 0x20 && byte != '\r' && byte != '\n' && byte != '\t') || byte == 0x7F;
    if (control || is_folded_or_bare(state, byte)) {
        return fail(parser, SS_E_PROTO, 400,
                    "control byte, bare CR or LF, or a folded line in the request head");
    }
    if (state->head.len >= SS_HTTP_HEADER_BYTES_MAX) {
        return fail(parser, SS_E_TOOBIG, state->lines == 0 ? 414 : 431,
                    "the request head is over 16384 bytes");
    }
    ss__bytes_byte(&state->head, byte);
    if (state->head.err != 0) {
        return fail(parser, SS_E_NOMEM, 503, "out of memory");
    }
    if (byte != '\n') {
        bool long_line = state->lines == 0 &&
                         state->head.len > SS_HTTP_TARGET_BYTES_MAX + 32;
        return long_line ? fail(parser, SS_E_TOOBIG, 414, "the request target is too long") : 0;
    }
    bool empty = state->head.len - state->line_begin == 2;
    state->line_begin = state->head.len;
    state->lines++;
    return empty;
}

/* ---- the head as a whole ---- */

static struct ss_http_state *state_of(http_parser *parser)
{
    return parser->data;
}

/* RFC 9112 section 3.2.2: a server takes the absolute form, too, whatever host it names. */
static struct ss_str skip_origin(struct ss_str target)
{
    static const char *const schemes[] = { "http://", "https://" };
    for (size_t i = 0; i < 2; i++) {
        size_t len = strlen(schemes[i]);
        if (target.len <= len ||
            !ss__http_equal_nocase(ss_str_of(target.data, len), ss_str(schemes[i]))) {
            continue;
        }
        while (len < target.len && target.data[len] != '/' && target.data[len] != '?') {
            len++;
        }
        return ss_str_of(target.data + len, target.len - len);
    }
    return target;
}

static int on_url(http_parser *parser, const char *at, size_t len)
{
    struct ss_http_request *request = &state_of(parser)->request;
    struct ss_str target = skip_origin(ss_str_of(at, len));
    bool absolute = target.len < len;
    if (absolute && target.data[-1] == '/') {
        return 1;    /* RFC 9110 section 4.2.1: an origin without a host */
    }
    const char *mark = memchr(target.data, '?', target.len);
    size_t path = mark == NULL ? target.len : (size_t)(mark - target.data);
    request->path = absolute && path == 0 ? ss_str("/") : ss_str_of(target.data, path);
    request->query = mark == NULL ? ss_str_of(at + len, 0)
                                  : ss_str_of(mark + 1, target.len - path - 1);
    return 0;
}

static int on_field(http_parser *parser, const char *at, size_t len)
{
    struct ss_http_request *request = &state_of(parser)->request;
    /* http_parser lets blanks into names, so "Content-Length : 5" would be an unknown field. */
    if (request->field_count == SS_HTTP_FIELDS_MAX || memchr(at, ' ', len) != NULL) {
        return 1;
    }
    request->fields[request->field_count] = (struct ss_http_field){ ss_str_of(at, len),
                                                                    ss_str_of(at + len, 0) };
    request->field_count++;
    return 0;
}

static int on_value(http_parser *parser, const char *at, size_t len)
{
    struct ss_http_request *request = &state_of(parser)->request;
    while (len > 0 && (at[len - 1] == ' ' || at[len - 1] == '\t')) {
        len--;
    }
    request->fields[request->field_count - 1].value = ss_str_of(at, len);
    return 0;
}

/* We read bodies ourselves: http_parser stops behind the head. */
static int on_headers_complete(http_parser *parser)
{
    http_parser_pause(parser, 1);
    return 1;
}

/* http_parser takes several blanks, tabs in targets, HTTP/0.9 and ICE/1.0. */
static int judge_request_line(struct ss_http_parser *parser)
{
    static const char version[] = "HTTP/";
    const char *line = (const char *)parser->state->head.data;
    const char *end = memchr(line, '\r', parser->state->head.len);
    const char *first = memchr(line, ' ', (size_t)(end - line));
    const char *last = memrchr(line, ' ', (size_t)(end - line));
    if (first == NULL || first == last || end - last != 9 ||
        memcmp(last + 1, version, sizeof version - 1) != 0 || last[6] < '0' || last[6] > '9' ||
        last[7] != '.' || last[8] < '0' || last[8] > '9') {
        return fail(parser, SS_E_PROTO, 400, "the request line is not METHOD TARGET HTTP/1.1");
    }
    if (last[6] != '1') {
        return fail(parser, SS_E_PROTO, 505, "the only version here is HTTP/1.1");
    }
    if (last - first - 1 > SS_HTTP_TARGET_BYTES_MAX) {
        return fail(parser, SS_E_TOOBIG, 414, "the request target is over 8192 bytes");
    }
    for (const char *at = first + 1; at < last; at++) {
        if (*at == ' ' || *at == '\t' || *at == '#') {
            return fail(parser, SS_E_PROTO, 400, "the request target has a blank or a fragment");
        }
    }
    return 0;
}

static enum ss_http_method method_of(unsigned method)
{
    return method == HTTP_GET    ? SS_HTTP_GET
           : method == HTTP_POST ? SS_HTTP_POST
           : method == HTTP_HEAD ? SS_HTTP_HEAD
                                 : SS_HTTP_OTHER;
}

static int split_segments(struct ss_http_parser *parser)
{
    struct ss_http_state *state = parser->state;
    struct ss_http_request *request = &state->request;
    struct ss_str rest = request->path;
    if (rest.len == 0 || rest.data[0] != '/') {
        bool whole_server = ss_str_equal(rest, ss_str("*")) && request->query.len == 0 &&
                            ss_str_equal(request->method_name, ss_str("OPTIONS"));
        return whole_server ? 0
                            : fail(parser, SS_E_PROTO, 400, "the request target must be a path");
    }
    uint8_t *out = ss__bytes_extend(&state->decoded, rest.len);
    if (out == NULL) {
        return fail(parser, SS_E_NOMEM, 503, "out of memory");
    }
    rest = ss_str_of(rest.data + 1, rest.len - 1);
    bool more = rest.len > 0;
    while (more) {
        const char *slash = memchr(rest.data, '/', rest.len);
        size_t len = slash == NULL ? rest.len : (size_t)(slash - rest.data);
        ptrdiff_t decoded = ss__http_percent_decode(ss_str_of(rest.data, len), out);
        if (decoded < 0 || request->segment_count == SS_HTTP_SEGMENTS_MAX) {
            return fail(parser, SS_E_PROTO, 400, "the path has a bad escape or too many parts");
        }
        request->segments[request->segment_count++] = ss_str_of(out, (size_t)decoded);
        out += decoded;
        more = slash != NULL;
        rest = more ? ss_str_of(slash + 1, rest.len - len - 1) : rest;
    }
    return 0;
}

/* Length of the body or what is wrong with its announcement. */
static int judge_body(struct ss_http_parser *parser)
{
    struct ss_http_request *request = &parser->state->request;
    struct ss_str length;
    struct ss_str coding;
    size_t at = 0;
    bool has_length = ss__http_field_next(request, "content-length", &at, &length);
    struct ss_str again;
    if (has_length && ss__http_field_next(request, "content-length", &at, &again)) {
        return fail(parser, SS_E_PROTO, 400, "Content-Length stands twice");
    }
    at = 0;
    if (ss__http_field_next(request, "transfer-encoding", &at, &coding)) {
        if (has_length || request->version_minor == 0) {
            return fail(parser, SS_E_PROTO, 400,
                        "Transfer-Encoding beside Content-Length or in HTTP/1.0");
        }
        if (!ss__http_equal_nocase(coding, ss_str("chunked")) ||
            ss__http_field_next(request, "transfer-encoding", &at, &again)) {
            return fail(parser, SS_E_PROTO, 501, "the only transfer coding here is chunked");
        }
        parser->state->phase = CHUNKS;
        return 0;
    }
    uint64_t bytes = 0;
    for (size_t i = 0; has_length && i < length.len; i++) {
        if (length.data[i] < '0' || length.data[i] > '9' || i > 17) {
            return fail(parser, SS_E_PROTO, 400, "Content-Length is not a number");
        }
        bytes = bytes * 10 + (unsigned)(length.data[i] - '0');
    }
    if (has_length && length.len == 0) {
        return fail(parser, SS_E_PROTO, 400, "Content-Length is empty");
    }
    if (bytes > parser->body_bytes_max) {
        return fail(parser, SS_E_TOOBIG, 413, BODY_TOO_BIG);
    }
    request->content_length = bytes;
    parser->state->phase = bytes == 0 ? DONE : BODY;
    return 0;
}

/* Somebody before us may have cut another name out of anything else. */
bool ss__http_is_host(struct ss_str value)
{
    for (size_t i = 0; i < value.len; i++) {
        uint8_t byte = (uint8_t)value.data[i];
        if (byte <= ' ' || byte > '~' || strchr("\"#/<>?@\\^`{|}", byte) != NULL) {
            return false;
        }
    }
    return true;
}

static int judge_fields(struct ss_http_parser *parser)
{
    struct ss_http_request *request = &parser->state->request;
    struct ss_str host;
    struct ss_str expect;
    size_t at = 0;
    bool has_host = ss__http_field_next(request, "host", &at, &host);
    if ((!has_host && request->version_minor == 1) ||
        (has_host && ss__http_field_next(request, "host", &at, &host))) {
        return fail(parser, SS_E_PROTO, 400, "a request needs exactly one Host");
    }
    if (has_host && !ss__http_is_host(host)) {
        return fail(parser, SS_E_PROTO, 400, "the value of Host is no host");
    }
    if (ss__http_field(request, "expect", &expect)) {
        if (!ss__http_equal_nocase(expect, ss_str("100-continue"))) {
            return fail(parser, SS_E_PROTO, 417, "the only expectation here is 100-continue");
        }
        request->expect_continue = request->version_minor == 1;
    }
    return judge_body(parser);
}

static int refuse_head(struct ss_http_parser *parser, enum http_errno code)
{
    if (code == HPE_CB_header_field &&
        parser->state->request.field_count == SS_HTTP_FIELDS_MAX) {
        return fail(parser, SS_E_TOOBIG, 431, "more than 64 header fields");
    }
    if (code == HPE_INVALID_METHOD) {
        return fail(parser, SS_E_PROTO, 501, "the method is not known here");
    }
    return fail(parser, SS_E_PROTO, 400,
                code == HPE_UNEXPECTED_CONTENT_LENGTH
                    ? "Content-Length stands twice or beside Transfer-Encoding"
                : code == HPE_INVALID_CONTENT_LENGTH ? "Content-Length is not a number"
                                                     : "malformed HTTP request");
}

static int parse_head(struct ss_http_parser *parser)
{
    static const http_parser_settings settings = {
        .on_url = on_url,
        .on_header_field = on_field,
        .on_header_value = on_value,
        .on_headers_complete = on_headers_complete,
    };
    struct ss_http_state *state = parser->state;
    struct ss_http_request *request = &state->request;
    int err = judge_request_line(parser);
    if (err != 0) {
        return err;
    }
    http_parser splitter;
    http_parser_init(&splitter, HTTP_REQUEST);
    splitter.data = state;
    (void)http_parser_execute(&splitter, &settings, (const char *)state->head.data,
                              state->head.len);
    enum http_errno code = HTTP_PARSER_ERRNO(&splitter);
    if (code != HPE_OK && code != HPE_PAUSED) {
        return refuse_head(parser, code);
    }
    const char *space = memchr(state->head.data, ' ', state->head.len);
    request->method = method_of(splitter.method);
    request->method_name =
        ss_str_of(state->head.data, space == NULL ? 0 : (size_t)((const uint8_t *)space -
                                                                 state->head.data));
    request->version_minor = splitter.http_minor > 0;
    request->upgrade = ss__http_field_has_token(request, "connection", "upgrade");
    bool close = ss__http_field_has_token(request, "connection", "close");
    /* A client of HTTP/1.0 takes the end of the connection for the end of the answer. */
    request->keep_alive = !close && request->version_minor == 1;
    err = judge_fields(parser);
    err = err != 0 ? err : split_segments(parser);
    state->continue_due = err == 0 && request->expect_continue && state->phase != DONE;
    return err;
}

/* ---- the body ---- */

static int take_body(struct ss_http_parser *parser, const uint8_t *data, size_t len,
                     size_t *ret_used)
{
    struct ss_http_state *state = parser->state;
    struct ss_http_request *request = &state->request;
    if (state->phase == CHUNKS) {
        int err = ss__http_chunked_feed(&state->chunked, data, len, &state->body, ret_used);
        if (err == SS_E_TOOBIG) {
            return fail(parser, err, 413, BODY_TOO_BIG);
        }
        if (err != 0) {
            return fail(parser, err, err == SS_E_NOMEM ? 503 : 400, "malformed chunked body");
        }
        if (state->body.len > parser->body_bytes_max) {
            return fail(parser, SS_E_TOOBIG, 413, BODY_TOO_BIG);
        }
        if (state->chunked.done) {
            request->content_length = state->body.len;
            state->phase = DONE;
        }
        return 0;
    }
    size_t missing = (size_t)request->content_length - state->body.len;
    *ret_used = len < missing ? len : missing;
    ss__bytes_append(&state->body, data, *ret_used);
    if (state->body.err != 0) {
        return fail(parser, SS_E_NOMEM, 503, "out of memory");
    }
    if (state->body.len == request->content_length) {
        state->phase = DONE;
    }
    return 0;
}

/* What is complete may be over the limit, for it is handled at once; so may one body alone. */
static int account_body(struct ss_http_parser *parser)
{
    struct ss_http_state *state = parser->state;
    struct ss_http_bodies *bodies = parser->bodies;
    if (bodies == NULL || state->body.cap == state->held_bytes) {
        return 0;
    }
    bodies->held_bytes += state->body.cap - state->held_bytes;
    state->held_bytes = state->body.cap;
    if (state->phase == DONE || bodies->held_bytes == state->held_bytes ||
        bodies->held_bytes <= bodies->held_bytes_max) {
        return 0;
    }
    return fail(parser, SS_E_BUSY, 503, "too many request bodies are unfinished, try again later");
}

static int begin(struct ss_http_parser *parser)
{
    struct ss_http_state *state = calloc(1, sizeof *state);
    if (state == NULL) {
        return fail(parser, SS_E_NOMEM, 503, "out of memory");
    }
    ss__bytes_init(&state->head, 0);
    ss__bytes_init(&state->body, parser->body_bytes_max == 0 ? 1 : parser->body_bytes_max);
    ss__bytes_init(&state->decoded, 0);
    ss__http_chunked_init(&state->chunked);
    parser->state = state;
    return 0;
}

int ss__http_parser_feed(struct ss_http_parser *parser, const uint8_t *data, size_t len,
                         size_t *ret_consumed)
{
    size_t at = 0;
    *ret_consumed = 0;
    if (parser->state == NULL && len > 0) {
        int err = begin(parser);
        if (err != 0) {
            return err;
        }
    }
    struct ss_http_state *state = parser->state;
    int err = state != NULL && state->phase == FAILED ? state->err : 0;
    while (err == 0 && at < len && state->phase != DONE) {
        if (state->phase == HEAD) {
            int complete = take_head_byte(parser, data[at]);
            at += complete >= 0;
            err = complete < 0 ? complete : complete > 0 ? parse_head(parser) : 0;
        } else {
            size_t used = 0;
            err = take_body(parser, data + at, len - at, &used);
            at += used;
            err = err != 0 ? err : account_body(parser);
        }
    }
    *ret_consumed = at;
    if (err != 0) {
        return err;
    }
    if (state == NULL || state->phase != DONE) {
        return SS_HTTP_NEED_MORE;
    }
    state->request.body = ss__bytes_view(&state->body);
    return SS_HTTP_DONE;
}

const struct ss_http_request *ss__http_parser_request(const struct ss_http_parser *parser)
{
    SS_REQUIRE(parser->state != NULL && parser->state->phase == DONE);
    return &parser->state->request;
}

bool ss__http_parser_idle(const struct ss_http_parser *parser)
{
    return parser->state == NULL;
}

bool ss__http_parser_take_continue(struct ss_http_parser *parser)
{
    struct ss_http_state *state = parser->state;
    if (state == NULL || !state->continue_due || state->phase == DONE) {
        return false;
    }
    state->continue_due = false;
    return true;
}
