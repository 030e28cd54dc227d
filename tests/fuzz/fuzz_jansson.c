/* Our JSON reader and decoder against jansson. The input is a JSON text; if it begins with '#', one
 * is made from the bytes behind it.
 *
 * Both take the same texts and read the same values from them, but for what is intended:
 *   - nesting: ours ends at SS_NESTING_MAX (a Value nests deeper than its text), jansson at 2048;
 *   - numbers over the range of a double: the reader hands them out as text, jansson and the
 *     decoder refuse them;
 *   - U+0000 in a key: jansson refuses it, here the validator does later;
 *   - a NUL byte outside a string: jansson takes it for the end of the text;
 *   - a key twice in an object: the reader gives both, the decoder refuses, jansson as it is told. */
#include "fuzz.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>

#include "core/bytes.h"
#include "schema/json.h"
#include "schema/json_reader.h"
#include "schema/type.h"

#define JANSSON_FLAGS (JSON_DECODE_ANY | JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL)
#define MADE_BYTES_MAX 6000u

static struct ss_schema *schema;
static const struct ss_type *value_type;

static void load(void)
{
    if (schema == NULL) {
        ss_check(ss__schema_new(&schema) == 0);
        value_type = ss__schema_find(schema, ss_str("google.protobuf.Value"));
        ss_check(value_type != NULL);
    }
}

/* NULL, or why the reader refuses. */
static const char *read_text(struct ss_str text)
{
    struct ss_json_reader reader;
    struct ss_json_token token;
    unsigned depth = 0;
    ss__json_reader_init(&reader, text);
    for (size_t tokens = 0;; tokens++) {
        enum ss_json_kind kind = ss__json_next(&reader, &token);
        ss_check(kind == token.kind && tokens <= text.len);
        if (kind == SS_JSON_ERROR) {
            ss_check(reader.error != NULL && reader.error_at <= text.len);
            ss_check(ss__json_next(&reader, &token) == SS_JSON_ERROR);
            return reader.error;
        }
        if (kind == SS_JSON_END) {
            ss_check(depth == 0);
            return NULL;
        }
        depth += kind == SS_JSON_OBJECT || kind == SS_JSON_ARRAY;
        depth -= kind == SS_JSON_OBJECT_END || kind == SS_JSON_ARRAY_END;
        ss_check(depth <= SS_NESTING_MAX && token.at < text.len);
    }
}

static bool is_intended(const json_error_t *error)
{
    enum json_error_code code = json_error_code(error);
    return code == json_error_numeric_overflow || code == json_error_null_byte_in_key ||
           code == json_error_stack_overflow;
}

static bool has_nul(struct ss_str text)
{
    return memchr(text.data, '\0', text.len) != NULL;
}

static void compare_reader(struct ss_str text)
{
    json_error_t error;
    const char *refused = read_text(text);
    json_t *theirs = json_loadb(text.data, text.len, JANSSON_FLAGS, &error);
    if (refused == NULL && theirs == NULL) {
        ss_check_msg(is_intended(&error), "they refuse %.*s: %s\n", (int)text.len, text.data,
                     error.text);
    } else if (refused != NULL && theirs != NULL) {
        ss_check_msg(strstr(refused, "nested") != NULL || has_nul(text), "we refuse %.*s: %s\n", (int)text.len,
                     text.data, refused);
    }
    json_decref(theirs);
}

static void compare_decoder(struct ss_str text)
{
    json_error_t error;
    struct ss_failure failure = { 0 };
    struct ss_bytes packed;
    struct ss_bytes written;
    ss__bytes_init(&packed, 0);
    ss__bytes_init(&written, 0);
    json_t *theirs = json_loadb(text.data, text.len, JANSSON_FLAGS | JSON_REJECT_DUPLICATES,
                                &error);
    int err = ss__json_decode(schema, value_type, text, &packed, &failure);
    if (err == 0 && theirs == NULL) {
        ss_check_msg(is_intended(&error) && json_error_code(&error) != json_error_numeric_overflow,
                     "they refuse %.*s: %s\n", (int)text.len, text.data, error.text);
    } else if (err != 0 && theirs != NULL) {
        ss_check_msg(strstr(failure.text, "nested") != NULL || has_nul(text), "we refuse %.*s: %s\n",
                     (int)text.len, text.data, failure.text);
    } else if (err == 0) {
        ss_check(ss__json_encode(schema, value_type, ss__bytes_view(&packed), &written, NULL) ==
                 0);
        json_t *again = json_loadb((const char *)written.data, written.len, JANSSON_FLAGS, &error);
        ss_check_msg(again != NULL && json_equal(theirs, again) == 1, "%.*s\nis written as\n%.*s\n",
                     (int)text.len, text.data, (int)written.len, (const char *)written.data);
        json_decref(again);
    }
    json_decref(theirs);
    ss__bytes_deinit(&written);
    ss__bytes_deinit(&packed);
}

/* ---- texts that are made ---- */

struct source {
    const uint8_t *at;
    size_t left;
};

static unsigned take(struct source *source)
{
    if (source->left == 0) {
        return 0;
    }
    source->left--;
    return *source->at++;
}

static void make_number(struct source *source, struct ss_bytes *out)
{
    static const char *const numbers[] = { "0", "-0", "1", "-1.5", "0.1", "1e21", "1E-7", "5e-324",
                                           "1.7976931348623157e308", "1.7976931348623159e308",
                                           "9007199254740993", "18446744073709551616", "1e400",
                                           "-1e-400", "2.2250738585072011e-308", "4.35e+2" };
    char text[64];
    unsigned choice = take(source);
    if (choice < 128) {
        ss__bytes_text(out, numbers[choice % (sizeof numbers / sizeof numbers[0])]);
        return;
    }
    uint64_t bits = 0;
    for (unsigned i = 0; i < 8; i++) {
        bits = bits << 8 | take(source);
    }
    double number;
    memcpy(&number, &bits, sizeof number);
    if (number - number == 0) {    /* finite */
        (void)snprintf(text, sizeof text, "%.*g", 1 + (int)(choice % 20), number);    /* fits */
        ss__bytes_text(out, text);
    } else {
        ss__bytes_u64(out, bits);
    }
}

static void make_string(struct source *source, struct ss_bytes *out)
{
    static const char *const parts[] = {
        "a", "\\n", "\\\"", "\\\\", "\\/", "\\u0041", "\\ud83d\\ude00", "\xC3\xA4", "\xE2\x82\xAC",
        "\xF0\x9F\x98\x80", "\\u00e9", "\\u0000", " ", "\x7F", "\xEF\xBF\xBF", "\\ud800",
    };
    ss__bytes_byte(out, '"');
    for (unsigned i = take(source) % 6; i > 0; i--) {
        ss__bytes_text(out, parts[take(source) % (sizeof parts / sizeof parts[0])]);
    }
    ss__bytes_byte(out, '"');
}

static void make_space(struct source *source, struct ss_bytes *out)
{
    static const char *const spaces[] = { "", "", "", "", " ", "\n", "\t", "\r\n" };
    ss__bytes_text(out, spaces[take(source) % 8]);
}

/* Not by recursion: a stack of what is open. */
static void make_text(struct source source, struct ss_bytes *out)
{
    char open[80];
    unsigned depth = 0;
    bool first = true;
    do {
        unsigned choice = take(&source);
        bool end = source.left == 0 || choice % 8 == 0 || out->len > MADE_BYTES_MAX;
        make_space(&source, out);
        if (depth > 0 && end) {
            ss__bytes_byte(out, (uint8_t)open[--depth]);
            first = false;
            continue;
        }
        if (depth > 0 && !first) {
            ss__bytes_byte(out, ',');
        }
        if (depth > 0 && open[depth - 1] == '}') {
            make_string(&source, out);
            make_space(&source, out);
            ss__bytes_byte(out, ':');
        }
        first = false;
        switch (choice % 8) {
        case 1:
        case 2:
            if (depth < sizeof open) {
                open[depth++] = choice % 8 == 1 ? '}' : ']';
                ss__bytes_byte(out, choice % 8 == 1 ? '{' : '[');
                first = true;
                break;
            }
            /* fall through */
        case 3:
            ss__bytes_text(out, "null");
            break;
        case 4:
            ss__bytes_text(out, choice < 128 ? "true" : "false");
            break;
        case 5:
        case 6:
            make_string(&source, out);
            break;
        default:
            make_number(&source, out);
            break;
        }
    } while (depth > 0);
    make_space(&source, out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct ss_bytes made;
    struct ss_str text = ss_str_of(data, len);
    load();
    ss__bytes_init(&made, 0);
    if (len > 0 && data[0] == '#') {
        make_text((struct source){ data + 1, len - 1 }, &made);
        text = ss__bytes_view(&made);
    }
    if (text.len > 0) {    /* jansson takes no text of no bytes for a mistake of the caller */
        compare_reader(text);
        compare_decoder(text);
    }
    ss__bytes_deinit(&made);
    return 0;
}
