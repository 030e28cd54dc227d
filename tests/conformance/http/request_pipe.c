/* request_pipe: the HTTP parser as a filter, for run.mjs.
 *
 * Each line of input is a stream of bytes in hexadecimal, read whole and byte by byte; each line of
 * output is "METHOD TARGET VERSION BODY NAME=VALUE ...; ... END", where END is "more", "idle" or the
 * status of a refusal and what is sent is in hexadecimal. "differ" if the two readings do. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/bytes.h"
#include "http/request.h"

#define LINE_BYTES (1u << 20)
#define BODY_BYTES_MAX 65536u

static void put_hex(struct ss_bytes *out, struct ss_str text)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < text.len; i++) {
        ss__bytes_byte(out, (uint8_t)digits[(uint8_t)text.data[i] >> 4]);
        ss__bytes_byte(out, (uint8_t)digits[(uint8_t)text.data[i] & 15]);
    }
}

static void put_request(struct ss_bytes *out, const struct ss_http_request *request)
{
    put_hex(out, request->method_name);
    ss__bytes_byte(out, ' ');
    put_hex(out, request->path);
    if (request->query.len > 0) {
        ss__bytes_text(out, "3f");
        put_hex(out, request->query);
    }
    ss__bytes_text(out, request->version_minor == 1 ? " 1 " : " 0 ");
    put_hex(out, request->body);
    for (size_t i = 0; i < request->field_count; i++) {
        ss__bytes_byte(out, ' ');
        put_hex(out, request->fields[i].name);
        ss__bytes_byte(out, '=');
        put_hex(out, request->fields[i].value);
    }
    ss__bytes_text(out, ";");
}

static void read_stream(struct ss_str stream, size_t step, struct ss_bytes *out)
{
    struct ss_http_parser parser;
    size_t at = 0;
    int progress = 0;
    ss__http_parser_init(&parser, BODY_BYTES_MAX);
    while (at < stream.len && progress >= 0) {
        size_t used = 0;
        size_t len = step == 0 ? stream.len - at : step;
        progress = ss__http_parser_feed(&parser, (const uint8_t *)stream.data + at, len, &used);
        at += used;
        if (progress == SS_HTTP_DONE) {
            put_request(out, ss__http_parser_request(&parser));
            ss__http_parser_reset(&parser);
        }
    }
    if (progress < 0) {
        ss__bytes_u64(out, parser.status);
    } else {
        ss__bytes_text(out, ss__http_parser_idle(&parser) ? "idle" : "more");
    }
    ss__http_parser_deinit(&parser);
}

static size_t unhex(char *text)
{
    size_t len = 0;
    for (char *at = text; at[0] != '\0' && at[0] != '\n'; at += 2) {
        char digits[3] = { at[0], at[1], '\0' };
        text[len++] = (char)strtoul(digits, NULL, 16);
    }
    return len;
}

int main(void)
{
    char *line = malloc(LINE_BYTES);
    struct ss_bytes whole;
    struct ss_bytes cut;
    ss__bytes_init(&whole, 0);
    ss__bytes_init(&cut, 0);
    while (line != NULL && fgets(line, LINE_BYTES, stdin) != NULL) {
        struct ss_str stream = ss_str_of(line, unhex(line));
        ss__bytes_clear(&whole);
        ss__bytes_clear(&cut);
        read_stream(stream, 0, &whole);
        read_stream(stream, 1, &cut);
        bool same = ss_str_equal(ss__bytes_view(&whole), ss__bytes_view(&cut));
        printf("%s%.*s\n", same ? "" : "differ ", (int)whole.len, (const char *)whole.data);
        fflush(stdout);
    }
    free(line);
    ss__bytes_deinit(&whole);
    ss__bytes_deinit(&cut);
    return 0;
}
