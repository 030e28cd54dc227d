#include "schema/json_text.h"

#include <stdlib.h>

#include "schema/json.h"
#include "schema/json_reader.h"
#include "ss_test.h"

SS_TEST(json_text, strings_escape_what_must_be_and_nothing_else)
{
    static const struct {
        const char *text;
        size_t len;
        const char *json;
    } cases[] = {
        { "", 0, "\"\"" },
        { "plain", 5, "\"plain\"" },
        { "\"\\/", 3, "\"\\\"\\\\/\"" },
        { "\b\f\n\r\t", 5, "\"\\b\\f\\n\\r\\t\"" },
        { "\0\x01\x0B\x1F\x7F", 5, "\"\\u0000\\u0001\\u000b\\u001f\x7F\"" },
        { "<a href='&'>", 12, "\"<a href='&'>\"" },
        { "\xC3\xA9\xE2\x80\xA8\xF0\x9F\x98\x80", 9, "\"\xC3\xA9\xE2\x80\xA8\xF0\x9F\x98\x80\"" },
    };
    struct ss_bytes out;
    ss__bytes_init(&out, 0);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ss__bytes_clear(&out);
        ss__json_string(&out, ss_str_of(cases[i].text, cases[i].len));
        ss_check_msg(ss_str_equal(ss__bytes_view(&out), ss_str(cases[i].json)), "%s",
                     cases[i].json);
    }
    ss__bytes_deinit(&out);
}

/* The writer looks at eight bytes at a time: each ASCII byte at each place, read back. */
SS_TEST(json_text, every_byte_at_every_offset_reads_back)
{
    struct ss_bytes out;
    struct ss_bytes back;
    ss__bytes_init(&out, 0);
    ss__bytes_init(&back, 0);
    for (unsigned byte = 0; byte < 0x80; byte++) {
        for (size_t at = 0; at < 18; at++) {
            char text[18];
            memset(text, 'x', sizeof text);
            text[at] = (char)byte;
            ss__bytes_clear(&out);
            ss__bytes_clear(&back);
            ss__json_string(&out, ss_str_of(text, sizeof text));
            struct ss_json_reader reader;
            struct ss_json_token token;
            ss__json_reader_init(&reader, ss__bytes_view(&out));
            ss_check_msg(ss__json_next(&reader, &token) == SS_JSON_STRING, "%u at %zu", byte, at);
            ss__json_unescape(&back, &token);
            ss_check_msg(ss_str_equal(ss__bytes_view(&back), ss_str_of(text, sizeof text)),
                         "%u at %zu", byte, at);
            ss_check(ss__json_next(&reader, &token) == SS_JSON_END);
        }
    }
    ss__bytes_deinit(&back);
    ss__bytes_deinit(&out);
}

SS_TEST(json_text, a_long_number_is_a_string)
{
    struct ss_bytes out;
    ss__bytes_init(&out, 64);
    ss__json_long(&out, "{\"a\":", UINT64_MAX);
    ss__json_long(&out, ",\"b\":", 0);
    ss_check(ss_str_equal(ss__bytes_view(&out),
                          ss_str("{\"a\":\"18446744073709551615\",\"b\":\"0\"")));
    ss__bytes_deinit(&out);
}

SS_TEST(json_text, a_full_buffer_keeps_its_error)
{
    struct ss_bytes out;
    ss__bytes_init(&out, 4);
    ss__json_string(&out, ss_str("too long"));
    ss_check(out.err == SS_E_TOOBIG);
    ss__bytes_clear(&out);
    ss__json_string(&out, ss_str("\n\n\n"));
    ss_check(out.err == SS_E_TOOBIG);
    ss__bytes_deinit(&out);
}

SS_TEST(json_text, base64_goes_both_ways)
{
    static const struct {
        const char *data;
        const char *json;
    } cases[] = {    /* RFC 4648 section 10 */
        { "", "\"\"" },
        { "f", "\"Zg==\"" },
        { "fo", "\"Zm8=\"" },
        { "foo", "\"Zm9v\"" },
        { "foob", "\"Zm9vYg==\"" },
        { "fooba", "\"Zm9vYmE=\"" },
        { "foobar", "\"Zm9vYmFy\"" },
        { "\xFB\xEF\xBE\xFF\xFF\xFF", "\"++++////\"" },
    };
    struct ss_bytes out;
    struct ss_bytes back;
    ss__bytes_init(&out, 0);
    ss__bytes_init(&back, 0);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ss__bytes_clear(&out);
        ss__bytes_clear(&back);
        ss__json_base64(&out, ss_str(cases[i].data));
        ss_check_msg(ss_str_equal(ss__bytes_view(&out), ss_str(cases[i].json)), "%s",
                     cases[i].json);
        ss_check(ss__json_unbase64(&back, ss_str_of(out.data + 1, out.len - 2)));
        ss_check_msg(ss_str_equal(ss__bytes_view(&back), ss_str(cases[i].data)), "%s",
                     cases[i].json);
    }
    ss__bytes_deinit(&back);
    ss__bytes_deinit(&out);
}

SS_TEST(json_text, base64_of_every_byte_and_length_reads_back)
{
    uint8_t data[256];
    for (size_t i = 0; i < sizeof data; i++) {
        data[i] = (uint8_t)(i * 167 + 13);
    }
    struct ss_bytes out;
    struct ss_bytes back;
    ss__bytes_init(&out, 0);
    ss__bytes_init(&back, 0);
    for (size_t len = 0; len <= sizeof data; len++) {
        ss__bytes_clear(&out);
        ss__bytes_clear(&back);
        ss__json_base64(&out, ss_str_of(data, len));
        ss_check(out.err == 0 && out.len == (len + 2) / 3 * 4 + 2);
        ss_check(ss__json_unbase64(&back, ss_str_of(out.data + 1, out.len - 2)));
        ss_check(ss_str_equal(ss__bytes_view(&back), ss_str_of(data, len)));
    }
    ss__bytes_deinit(&back);
    ss__bytes_deinit(&out);
}

SS_TEST(json_text, variants_of_base64)
{
    static const struct {
        const char *text;
        const char *data;    /* NULL: refused */
    } cases[] = {
        { "Zg", "f" },
        { "Zm8", "fo" },
        { "Zg==", "f" },
        { "-_-_", "\xFB\xFF\xBF" },
        { "+/+/", "\xFB\xFF\xBF" },
        { "__8=", "\xFF\xFF" },
        { "__8", "\xFF\xFF" },
        { "Zh", "f" },              /* bits behind the last byte are ignored */
        { "+_+_", NULL },           /* both alphabets */
        { "Z", NULL },
        { "Zm9vY", NULL },
        { "=", NULL },
        { "==", NULL },
        { "====", NULL },
        { "Z===", NULL },
        { "Zg=", NULL },
        { "Zm8==", NULL },
        { "Zg==Zg==", NULL },
        { "Zm9v=", NULL },
        { "Z=g=", NULL },
        { "Zm9 v", NULL },
        { " Zm9v", NULL },
        { "Zm9v\n", NULL },
        { "Zm9*", NULL },
        { "Zm9\xC3\xA9", NULL },
    };
    struct ss_bytes out;
    ss__bytes_init(&out, 0);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ss__bytes_clear(&out);
        bool good = ss__json_unbase64(&out, ss_str(cases[i].text));
        ss_check_msg(good == (cases[i].data != NULL), "%s", cases[i].text);
        ss_check_msg(!good || ss_str_equal(ss__bytes_view(&out), ss_str(cases[i].data)), "%s",
                     cases[i].text);
    }
    ss__bytes_deinit(&out);
}
