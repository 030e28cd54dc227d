/* Chunked bodies. The first byte picks how the bytes are cut and what they are: below 128 the
 * coding itself, else content of which a coding is made.
 *
 * Whatever the cuts, the same body comes out with the same end; what is whole means the same to a
 * second reader that knows only the grammar; what was coded is decoded. */
#include "fuzz.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include <sessionstream/error.h>

#include "http/chunked.h"

#define BODY_BYTES_MAX 1024u

struct result {
    int err;
    bool done;
    size_t used;
    struct ss_bytes body;
};

static void feed(struct ss_str stream, size_t step, struct result *result)
{
    struct ss_http_chunked chunked;
    ss__http_chunked_init(&chunked);
    *result = (struct result){ 0 };
    ss__bytes_init(&result->body, BODY_BYTES_MAX);
    while (result->used < stream.len && result->err == 0 && !chunked.done) {
        size_t left = stream.len - result->used;
        size_t len = step == 0 || step > left ? left : step;
        uint8_t *exact = malloc(len);
        size_t used = len + 1;
        ss_check(exact != NULL);
        memcpy(exact, stream.data + result->used, len);
        result->err = ss__http_chunked_feed(&chunked, exact, len, &result->body, &used);
        free(exact);
        ss_check(used <= len);
        ss_check(result->err != 0 || chunked.done || used == len);
        result->used += used;
    }
    ss_check(result->err == 0 || result->err == SS_E_PROTO || result->err == SS_E_TOOBIG);
    result->done = chunked.done;
}

/* ---- the second reader ---- */

static size_t token_len(struct ss_str text)
{
    size_t len = 0;
    while (len < text.len && text.data[len] != '\0' &&
           strchr("!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
                  text.data[len]) != NULL) {
        len++;
    }
    return len;
}

/* With its quotes; 0 if it is none. */
static size_t quoted_len(struct ss_str text)
{
    if (text.len == 0 || text.data[0] != '"') {
        return 0;
    }
    for (size_t i = 1; i < text.len; i++) {
        unsigned char byte = (unsigned char)text.data[i];
        if (byte == '"') {
            return i + 1;
        }
        i += byte == '\\';
        byte = i < text.len ? (unsigned char)text.data[i] : 0;
        if ((byte < 0x20 && byte != '\t') || byte == 0x7F) {
            return 0;
        }
    }
    return 0;
}

static struct ss_str behind(struct ss_str text, size_t len)
{
    return ss_str_of(text.data + len, text.len - len);
}

/* *( ";" name [ "=" ( token / string ) ] ) */
static bool is_extensions(struct ss_str text)
{
    while (text.len > 0) {
        size_t name = text.data[0] == ';' ? token_len(behind(text, 1)) : 0;
        if (name == 0) {
            return false;
        }
        text = behind(text, 1 + name);
        if (text.len > 0 && text.data[0] == '=') {
            text = behind(text, 1);
            size_t value = token_len(text) > 0 ? token_len(text) : quoted_len(text);
            if (value == 0) {
                return false;
            }
            text = behind(text, value);
        }
    }
    return true;
}

/* The size at the start of a line that ends with CRLF; false if it is none. */
static bool read_size(struct ss_str line, size_t *ret_size)
{
    char digits[9] = "";
    size_t count = 0;
    while (count < line.len && strchr("0123456789abcdefABCDEF", line.data[count]) != NULL &&
           line.data[count] != '\0') {
        count++;
    }
    if (count == 0 || count > 8 || (count < line.len && line.data[count] != ';')) {
        return false;
    }
    memcpy(digits, line.data, count);
    *ret_size = strtoul(digits, NULL, 16);
    return line.len - count <= SS_HTTP_CHUNK_EXTENSION_BYTES_MAX + 1 &&
           is_extensions(behind(line, count));
}

/* True if a whole body begins at @stream: then its end and its bytes. */
static bool read_whole(struct ss_str stream, size_t *ret_used, struct ss_bytes *body)
{
    size_t at = 0;
    for (;;) {
        size_t size;
        const char *end = at == stream.len ? NULL
                                           : memmem(stream.data + at, stream.len - at, "\r\n", 2);
        if (end == NULL ||
            !read_size(ss_str_of(stream.data + at, (size_t)(end - stream.data) - at), &size)) {
            return false;
        }
        at = (size_t)(end - stream.data) + 2;
        if (stream.len - at < 2 || size > stream.len - at - 2 ||
            memcmp(stream.data + at + size, "\r\n", 2) != 0) {
            return false;
        }
        ss__bytes_append(body, stream.data + at, size);
        at += size + 2;
        if (size == 0) {
            *ret_used = at;
            return body->len <= BODY_BYTES_MAX;
        }
    }
}

static void compare(struct ss_str stream, const struct result *result)
{
    struct ss_bytes body;
    size_t used = 0;
    ss__bytes_init(&body, 0);
    bool whole = read_whole(stream, &used, &body);
    ss_check_msg(whole == result->done, "%d, but %d\n", whole, result->done);
    if (whole) {
        ss_check(used == result->used);
        ss_check(ss_str_equal(ss__bytes_view(&body), ss__bytes_view(&result->body)));
    }
    ss__bytes_deinit(&body);
}

/* ---- coding ---- */

/* Cuts @content into chunks by its own bytes. */
static void code(struct ss_str content, struct ss_bytes *out)
{
    static const char *const extensions[] = { "", "", ";a", ";a=b;c=\"d\"", ";x=\" \\\"\"" };
    size_t at = 0;
    while (at < content.len) {
        uint8_t byte = (uint8_t)content.data[at];
        size_t len = 1 + byte % 40u;
        char head[32];
        len = len > content.len - at ? content.len - at : len;
        (void)snprintf(head, sizeof head, byte % 2 == 0 ? "%zx%s\r\n" : "00%zX%s\r\n", len,
                       extensions[byte % 5]);    /* it fits */
        ss__bytes_text(out, head);
        ss__bytes_append(out, content.data + at, len);
        ss__bytes_text(out, "\r\n");
        at += len;
    }
    ss__bytes_text(out, "0\r\n\r\n");
}

static void check_coded(struct ss_str content, size_t step)
{
    struct ss_bytes coded;
    struct result result;
    content.len = content.len > BODY_BYTES_MAX ? BODY_BYTES_MAX : content.len;
    ss__bytes_init(&coded, 0);
    code(content, &coded);
    ss__bytes_text(&coded, "GET / next");
    feed(ss__bytes_view(&coded), step, &result);
    ss_check(result.err == 0 && result.done && result.used == coded.len - 10);
    ss_check(ss_str_equal(ss__bytes_view(&result.body), content));
    ss__bytes_deinit(&result.body);
    ss__bytes_deinit(&coded);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (len == 0) {
        return 0;
    }
    struct ss_str stream = ss_str_of(data + 1, len - 1);
    size_t step = 1 + data[0] % 32u;
    if (data[0] >= 128) {
        check_coded(stream, step);
        return 0;
    }
    struct result whole;
    struct result cut;
    feed(stream, 0, &whole);
    feed(stream, step, &cut);
    ss_check(whole.err == cut.err && whole.done == cut.done && whole.used == cut.used);
    ss_check(ss_str_equal(ss__bytes_view(&whole.body), ss__bytes_view(&cut.body)));
    compare(stream, &whole);
    ss__bytes_deinit(&cut.body);
    ss__bytes_deinit(&whole.body);
    return 0;
}
