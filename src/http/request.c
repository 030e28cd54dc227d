#include "http/request.h"

#include <stdlib.h>

#include <sessionstream/error.h>

#include "core/bytes.h"
#include "core/contract.h"
#include "http/chunked.h"
#include "http/head.h"

/* Bytes of a request line around its target. */
#define REQUEST_LINE_REST 64
/* Memory that a kept-alive connection holds on to between two requests. */
#define KEPT_BYTES 16384

enum phase { HEAD, LENGTH_BODY, CHUNKED_BODY, DONE };

struct ss_http_state {
    enum phase phase;
    bool continue_wanted;
    bool behind_cr;              /* the byte before was CR */
    size_t lines;                /* complete lines of the head */
    size_t line_bytes;           /* of the present line, without CR LF */
    struct ss_bytes head;
    struct ss_bytes body;
    struct ss_http_chunked chunked;
    struct ss_http_request request;
};

void ss__http_parser_init(struct ss_http_parser *parser, size_t body_bytes_max)
{
    *parser = (struct ss_http_parser){ .body_bytes_max = body_bytes_max };
}

void ss__http_parser_deinit(struct ss_http_parser *parser)
{
    if (parser->state != NULL) {
        ss__bytes_deinit(&parser->state->head);
        ss__bytes_deinit(&parser->state->body);
        free(parser->state);
        parser->state = NULL;
    }
}

void ss__http_parser_reset(struct ss_http_parser *parser)
{
    struct ss_http_state *state = parser->state;
    parser->status = 0;
    parser->error = NULL;
    if (state == NULL) {
        return;
    }
    struct ss_bytes head = state->head;
    struct ss_bytes body = state->body;
    if (head.cap > KEPT_BYTES) {
        ss__bytes_deinit(&head);
    }
    if (body.cap > KEPT_BYTES) {
        ss__bytes_deinit(&body);
    }
    ss__bytes_clear(&head);
    ss__bytes_clear(&body);
    *state = (struct ss_http_state){ .head = head, .body = body };
}

static int fail(struct ss_http_parser *parser, int err, unsigned status, const char *text)
{
    parser->status = status;
    parser->error = text;
    return err;
}

static bool make_state(struct ss_http_parser *parser)
{
    struct ss_http_state *state = calloc(1, sizeof *state);
    if (state == NULL) {
        return false;
    }
    ss__bytes_init(&state->head, 0);
    ss__bytes_init(&state->body, 0);
    state->body.max = parser->body_bytes_max;
    parser->state = state;
    return true;
}

static int end_head(struct ss_http_parser *parser)
{
    struct ss_http_state *state = parser->state;
    struct ss_http_request *request = &state->request;
    struct ss_http_head head = { .request = request };
    int err = ss__http_head_parse(&head, &state->head);
    if (err != 0) {
        return fail(parser, err, head.status, head.error);
    }
    if (request->content_length > parser->body_bytes_max) {
        return fail(parser, SS_E_TOOBIG, 413, "the body is too large");
    }
    if (head.chunked) {
        state->phase = CHUNKED_BODY;
        ss__http_chunked_init(&state->chunked);
    } else {
        state->phase = request->content_length > 0 ? LENGTH_BODY : DONE;
    }
    state->continue_wanted = request->expect_continue && state->phase != DONE;
    return 0;
}

/* Ends a line of the head; empty lines before the request line do not count (RFC 9112 2.2). */
static int end_line(struct ss_http_parser *parser)
{
    struct ss_http_state *state = parser->state;
    bool empty = state->line_bytes == 0;
    state->line_bytes = 0;
    state->behind_cr = false;
    if (!empty) {
        state->lines++;
        return 0;
    }
    if (state->lines > 0) {
        return end_head(parser);
    }
    ss__bytes_clear(&state->head);
    return 0;
}

/* The checks that http_parser leaves out, so that no two parsers on the way see two requests. */
static int check_head_byte(struct ss_http_parser *parser, uint8_t byte)
{
    struct ss_http_state *state = parser->state;
    if (state->behind_cr != (byte == '\n')) {
        return fail(parser, SS_E_PROTO, 400, "a line does not end with CR LF");
    }
    if (byte == '\n' || byte == '\r') {
        return 0;
    }
    if (state->line_bytes == 0 && state->lines > 0 && (byte == ' ' || byte == '\t')) {
        return fail(parser, SS_E_PROTO, 400, "header fields may not be folded");
    }
    if ((byte < 0x20 && byte != '\t') || byte == 0x7F) {
        return fail(parser, SS_E_PROTO, 400, "the header holds a control byte");
    }
    if (state->lines == 0 &&
        state->line_bytes >= SS_HTTP_TARGET_BYTES_MAX + REQUEST_LINE_REST) {
        return fail(parser, SS_E_TOOBIG, 414, "the request line is too long");
    }
    if (state->head.len >= SS_HTTP_HEADER_BYTES_MAX) {
        return fail(parser, SS_E_TOOBIG, 431, "the header is too large");
    }
    return 0;
}

static int feed_head(struct ss_http_parser *parser, const uint8_t *data, size_t len,
                     size_t *ret_consumed)
{
    struct ss_http_state *state = parser->state;
    size_t at = 0;
    while (at < len && state->phase == HEAD) {
        uint8_t byte = data[at];
        int err = check_head_byte(parser, byte);
        if (err != 0) {
            return err;
        }
        at++;
        ss__bytes_byte(&state->head, byte);
        if (state->head.err != 0) {
            return fail(parser, SS_E_NOMEM, 503, "out of memory");
        }
        if (byte == '\n') {
            err = end_line(parser);
            if (err != 0) {
                return err;
            }
        } else if (byte == '\r') {
            state->behind_cr = true;
        } else {
            state->line_bytes++;
        }
    }
    *ret_consumed = at;
    return 0;
}

static int feed_body(struct ss_http_parser *parser, const uint8_t *data, size_t len,
                     size_t *ret_consumed)
{
    struct ss_http_state *state = parser->state;
    if (state->phase == CHUNKED_BODY) {
        int err = ss__http_chunked_feed(&state->chunked, data, len, &state->body, ret_consumed);
        if (err == SS_E_PROTO) {
            return fail(parser, err, 400, "the chunked body is malformed");
        }
        if (err != 0) {
            return err == SS_E_TOOBIG ? fail(parser, err, 413, "the body is too large")
                                      : fail(parser, err, 503, "out of memory");
        }
        state->phase = state->chunked.done ? DONE : CHUNKED_BODY;
        return 0;
    }
    size_t missing = (size_t)state->request.content_length - state->body.len;
    size_t part = len < missing ? len : missing;
    ss__bytes_append(&state->body, data, part);
    if (state->body.err != 0) {
        return fail(parser, SS_E_NOMEM, 503, "out of memory");
    }
    state->phase = part == missing ? DONE : LENGTH_BODY;
    *ret_consumed = part;
    return 0;
}

int ss__http_parser_feed(struct ss_http_parser *parser, const uint8_t *data, size_t len,
                         size_t *ret_consumed)
{
    SS_REQUIRE(parser->status == 0);
    *ret_consumed = 0;
    if (parser->state == NULL) {
        if (len == 0) {
            return SS_HTTP_NEED_MORE;
        }
        if (!make_state(parser)) {
            return fail(parser, SS_E_NOMEM, 503, "out of memory");
        }
    }
    struct ss_http_state *state = parser->state;
    while (state->phase != DONE && *ret_consumed < len) {
        size_t part = 0;
        const uint8_t *at = data + *ret_consumed;
        size_t left = len - *ret_consumed;
        int err = state->phase == HEAD ? feed_head(parser, at, left, &part)
                                       : feed_body(parser, at, left, &part);
        if (err != 0) {
            return err;
        }
        *ret_consumed += part;
    }
    if (state->phase != DONE) {
        return SS_HTTP_NEED_MORE;
    }
    state->request.body = ss__bytes_view(&state->body);
    state->request.content_length = state->body.len;
    return SS_HTTP_DONE;
}

const struct ss_http_request *ss__http_parser_request(const struct ss_http_parser *parser)
{
    SS_REQUIRE(parser->state != NULL && parser->state->phase == DONE);
    return &parser->state->request;
}

bool ss__http_parser_idle(const struct ss_http_parser *parser)
{
    const struct ss_http_state *state = parser->state;
    return state == NULL || (state->phase == HEAD && state->head.len == 0);
}

bool ss__http_parser_take_continue(struct ss_http_parser *parser)
{
    struct ss_http_state *state = parser->state;
    if (state == NULL || !state->continue_wanted || state->phase == DONE || state->body.len > 0) {
        return false;
    }
    state->continue_wanted = false;
    return true;
}
