/* ws_cases.h - reads tests/conformance/websocket/frames.txt, which says what it means. */
#ifndef SS_WS_CASES_H
#define SS_WS_CASES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/bytes.h"
#include "ss_test.h"
#include "wire/ws_header.h"

#define WS_CASE_NO_MARK SIZE_MAX

struct ws_case {
    char name[64];
    char section[8];
    struct ss_bytes in;        /* what the client sends */
    struct ss_bytes headers;   /* size_t: offset of each frame in it */
    struct ss_bytes want;      /* in the words of ws_peer.h, but for the close */
    size_t mark;               /* bytes of it behind which it is refused; WS_CASE_NO_MARK */
    int status;                /* that the server sends; SS_WS_STATUS_NONE: none; 0: it is open */
};

static inline int ws_case_hex(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* A payload without its mark, which goes to *ret_mark if there is one. */
static inline void ws_case_payload(const char *text, struct ss_bytes *out, size_t *ret_mark)
{
    static const char ping[] = "{\"ping\":{\"nonce\":\"n\"}}";
    while (*text != '\0') {
        size_t begin = out->len;
        size_t taken = 1;
        if (*text == '^') {
            *ret_mark = out->len;
        } else if (*text == '%') {
            ss_check(ws_case_hex(text[1]) >= 0 && ws_case_hex(text[2]) >= 0);
            ss__bytes_byte(out, (uint8_t)(ws_case_hex(text[1]) << 4 | ws_case_hex(text[2])));
            taken = 3;
        } else if (*text == '*' || *text == '~') {
            char *end;
            size_t len = strtoul(text + 1, &end, 10);
            uint8_t *bytes = ss__bytes_extend(out, len);
            taken = (size_t)(end - text);
            ss_check(bytes != NULL && (*text == '*' || len >= sizeof ping - 1));
            memset(bytes, *text == '*' ? 'a' : ' ', len);
            if (*text == '~') {
                memcpy(out->data + begin, ping, sizeof ping - 1);
            }
        } else {
            ss__bytes_byte(out, (uint8_t)*text);
        }
        text += taken;
    }
}

/* Length as it is written: @form is 'm', 'l' or 0 for the shortest. */
static inline void ws_case_length(struct ss_bytes *out, uint64_t len, char form, bool masked)
{
    uint8_t mask_bit = masked ? 0x80 : 0;
    unsigned bytes = form == 'm' ? 2 : form == 'l' ? 8 : len < 126 ? 0 : len < 65536 ? 2 : 8;
    ss__bytes_byte(out, (uint8_t)(mask_bit | (bytes == 0 ? len : bytes == 2 ? 126 : 127)));
    for (unsigned i = bytes; i > 0; i--) {
        ss__bytes_byte(out, (uint8_t)(len >> (8 * (i - 1))));
    }
}

static inline void ws_case_note_header(struct ws_case *c)
{
    size_t at = c->in.len;
    ss__bytes_append(&c->headers, &at, sizeof at);
}

/* HH[uzml]:PAYLOAD or HH[uzml]=N */
static inline void ws_case_frame(struct ws_case *c, const char *token)
{
    uint8_t mask[SS_WS_MASK_BYTES] = { 0x37, 0xFA, 0x21, 0x3D };
    struct ss_bytes payload;
    size_t mark = WS_CASE_NO_MARK;
    bool masked = true;
    char form = 0;
    ss_check(ws_case_hex(token[0]) >= 0 && ws_case_hex(token[1]) >= 0);
    ws_case_note_header(c);
    ss__bytes_byte(&c->in, (uint8_t)(ws_case_hex(token[0]) << 4 | ws_case_hex(token[1])));
    for (token += 2; *token != ':' && *token != '='; token++) {
        ss_check(*token != '\0' && strchr("uzml", *token) != NULL);
        masked = masked && *token != 'u';
        form = *token == 'm' || *token == 'l' ? *token : form;
        if (*token == 'z') {
            memset(mask, 0, sizeof mask);
        }
    }
    ss__bytes_init(&payload, 0);
    uint64_t announced = 0;
    if (*token == '=') {
        char *end;
        announced = strtoull(token + 1, &end, 10);
        mark = *end == '^' ? 0 : mark;
    } else {
        ws_case_payload(token + 1, &payload, &mark);
        announced = payload.len;
    }
    ws_case_length(&c->in, announced, form, masked);
    if (masked) {
        ss__bytes_append(&c->in, mask, sizeof mask);
    }
    if (mark != WS_CASE_NO_MARK) {
        ss_check_msg(c->mark == WS_CASE_NO_MARK, "%s: two marks\n", c->name);
        c->mark = c->in.len + mark;
    }
    for (size_t i = 0; i < payload.len; i++) {
        ss__bytes_byte(&c->in, payload.data[i] ^ (masked ? mask[i % 4] : 0));
    }
    ss__bytes_deinit(&payload);
}

static inline void ws_case_sent(struct ws_case *c, char *text)
{
    char *rest = NULL;
    for (char *token = strtok_r(text, " ", &rest); token != NULL;
         token = strtok_r(NULL, " ", &rest)) {
        char *x;
        unsigned long times = strtoul(token, &x, 10);
        if (x == token || *x != 'x') {
            times = 1;
            x = token - 1;
        }
        for (unsigned long i = 0; i < times; i++) {
            ws_case_frame(c, x + 1);
        }
    }
}

static inline void ws_case_wanted(struct ws_case *c, char *text)
{
    static const char *const words[][2] = { { "text:", "message 1 " }, { "binary:", "message 2 " },
                                            { "pong:", "reply 10 " },  { "took:", "pong " } };
    char *rest = NULL;
    c->status = -1;
    for (char *token = strtok_r(text, " ", &rest); token != NULL;
         token = strtok_r(NULL, " ", &rest)) {
        bool known = false;
        ss_check_msg(c->status == -1, "%s: something behind the end\n", c->name);
        for (size_t i = 0; i < sizeof words / sizeof words[0] && !known; i++) {
            size_t len = strlen(words[i][0]);
            known = strncmp(token, words[i][0], len) == 0;
            if (known) {
                size_t mark = 0;
                ss__bytes_text(&c->want, words[i][1]);
                ws_case_payload(token + len, &c->want, &mark);
                ss__bytes_byte(&c->want, '\n');
            }
        }
        if (!known && strncmp(token, "close:", 6) == 0) {
            c->status = strcmp(token + 6, "none") == 0 ? SS_WS_STATUS_NONE : atoi(token + 6);
        } else if (!known) {
            ss_check_msg(strcmp(token, "open") == 0, "%s: \"%s\"\n", c->name, token);
            c->status = 0;
        }
    }
    ss_check_msg(c->status >= 0, "%s: neither close nor open\n", c->name);
}

/* Cuts the next of the fields between " | " off. */
static inline char *ws_case_field(char **line)
{
    char *field = *line;
    char *bar = strstr(field, " | ");
    *line = bar == NULL ? NULL : bar + 3;
    if (bar != NULL) {
        *bar = '\0';
    }
    return field;
}

/* A field that is kept, cut to its room. */
static inline void ws_case_keep(char *out, size_t out_bytes, const char *field)
{
    size_t len = strnlen(field, out_bytes - 1);
    memcpy(out, field, len);
    out[len] = '\0';
}

static inline void ws_case_deinit(struct ws_case *c)
{
    ss__bytes_deinit(&c->in);
    ss__bytes_deinit(&c->headers);
    ss__bytes_deinit(&c->want);
}

/* The next case of @file; false at its end. */
static inline bool ws_case_next(FILE *file, struct ws_case *ret_case)
{
    char text[1024];
    do {
        if (fgets(text, sizeof text, file) == NULL) {
            return false;
        }
    } while (text[0] == '#' || text[0] == '\n');
    char *line = text;
    text[strcspn(text, "\n")] = '\0';
    struct ws_case c = { .mark = WS_CASE_NO_MARK };
    ss__bytes_init(&c.in, 0);
    ss__bytes_init(&c.headers, 0);
    ss__bytes_init(&c.want, 0);
    ws_case_keep(c.name, sizeof c.name, ws_case_field(&line));
    ss_check_msg(line != NULL, "%s: no section\n", c.name);
    ws_case_keep(c.section, sizeof c.section, ws_case_field(&line));
    ss_check_msg(line != NULL, "%s: nothing is sent\n", c.name);
    ws_case_sent(&c, ws_case_field(&line));
    ss_check_msg(line != NULL, "%s: nothing comes back\n", c.name);
    ws_case_wanted(&c, line);
    ss_check(c.in.err == 0 && c.want.err == 0 && c.headers.err == 0);
    ss_check_msg(c.mark == WS_CASE_NO_MARK || c.status > 0, "%s: no refusal\n", c.name);
    *ret_case = c;
    return true;
}

#endif
