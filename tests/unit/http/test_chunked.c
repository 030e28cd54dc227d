#include "http/chunked.h"

#include <stdio.h>
#include <string.h>

#include <sessionstream/error.h>

#include "ss_test.h"

#define BODY_MAX 64u

struct outcome {
    int err;
    bool done;
    size_t consumed;
    size_t len;
    char body[BODY_MAX];
};

/* Feeds @text in pieces that end at @first, at @second and at its end; stops like a caller does. */
static struct outcome feed_split(struct ss_str text, size_t first, size_t second)
{
    size_t ends[] = { first, second, text.len };
    struct ss_http_chunked chunked;
    struct ss_bytes body;
    struct outcome outcome = { 0 };
    ss__http_chunked_init(&chunked);
    ss__bytes_init(&body, BODY_MAX);
    for (size_t i = 0; i < 3 && outcome.err == 0 && !chunked.done; i++) {
        size_t used = 0;
        size_t len = ends[i] - outcome.consumed;
        outcome.err = ss__http_chunked_feed(&chunked, (const uint8_t *)text.data +
                                            outcome.consumed, len, &body, &used);
        ss_check(used <= len && (used == len || chunked.done || outcome.err != 0));
        outcome.consumed += used;
    }
    outcome.done = chunked.done;
    outcome.len = body.len;
    if (body.len > 0) {
        memcpy(outcome.body, body.data, body.len);
    }
    ss__bytes_deinit(&body);
    return outcome;
}

static struct outcome feed(struct ss_str text)
{
    return feed_split(text, text.len, text.len);
}

/* The same outcome however the bytes arrive. */
static struct outcome feed_all_splits(struct ss_str text)
{
    struct outcome whole = feed(text);
    for (size_t first = 0; first <= text.len; first++) {
        for (size_t second = first; second <= text.len; second++) {
            struct outcome parts = feed_split(text, first, second);
            ss_check_msg(parts.err == whole.err && parts.done == whole.done &&
                         parts.consumed == whole.consumed && parts.len == whole.len &&
                         memcmp(parts.body, whole.body, whole.len) == 0,
                         "%.*s cut at %zu and %zu", (int)text.len, text.data, first, second);
        }
    }
    return whole;
}

static void check_body(const char *text, const char *body, const char *rest)
{
    struct outcome outcome = feed_all_splits(ss_str(text));
    ss_check_msg(outcome.err == 0 && outcome.done, "%s", text);
    ss_check_msg(ss_str_equal(ss_str_of(outcome.body, outcome.len), ss_str(body)), "%s", text);
    ss_check_msg(ss_str_equal(ss_str(text + outcome.consumed), ss_str(rest)), "%s", text);
}

/* Refused at the last byte of @text, not before. */
static void check_refused(const char *text, size_t len)
{
    struct outcome before = feed_all_splits(ss_str_of(text, len - 1));
    struct outcome after = feed_all_splits(ss_str_of(text, len));
    ss_check_msg(before.err == 0 && !before.done, "%.*s is refused too early", (int)len, text);
    ss_check_msg(after.err == SS_E_PROTO && !after.done, "%.*s", (int)len, text);
}

#define CHECK_REFUSED(text) check_refused(text, sizeof(text) - 1)

SS_TEST(chunked, joins_the_chunks)
{
    check_body("0\r\n\r\n", "", "");
    check_body("3\r\nabc\r\n0\r\n\r\n", "abc", "");
    check_body("1\r\na\r\n2\r\nbc\r\n3\r\ndef\r\n0\r\n\r\n", "abcdef", "");
    check_body("4\r\n\r\n0\r\r\n0\r\n\r\n", "\r\n0\r", "");
}

SS_TEST(chunked, leaves_what_follows_the_end)
{
    check_body("1\r\na\r\n0\r\n\r\nGET /", "a", "GET /");
    check_body("0\r\n\r\n\r\n", "", "\r\n");
}

SS_TEST(chunked, takes_no_byte_after_the_end)
{
    struct ss_http_chunked chunked;
    struct ss_bytes body;
    size_t used = 9;
    ss__http_chunked_init(&chunked);
    ss__bytes_init(&body, BODY_MAX);
    ss_check(ss__http_chunked_feed(&chunked, (const uint8_t *)"0\r\n\r\n", 5, &body, &used) == 0);
    ss_check(chunked.done && used == 5);
    ss_check(ss__http_chunked_feed(&chunked, (const uint8_t *)"x", 1, &body, &used) == 0);
    ss_check(chunked.done && used == 0 && body.len == 0);
    ss__bytes_deinit(&body);
}

SS_TEST(chunked, reads_hex_sizes_of_either_case_with_leading_zeros)
{
    check_body("a\r\n0123456789\r\n0\r\n\r\n", "0123456789", "");
    check_body("A\r\n0123456789\r\n0\r\n\r\n", "0123456789", "");
    check_body("f\r\n0123456789abcde\r\n0\r\n\r\n", "0123456789abcde", "");
    check_body("F\r\n0123456789abcde\r\n0\r\n\r\n", "0123456789abcde", "");
    check_body("10\r\n0123456789abcdef\r\n0\r\n\r\n", "0123456789abcdef", "");
    check_body("00000001\r\na\r\n00000000\r\n\r\n", "a", "");
}

SS_TEST(chunked, skips_extensions)
{
    check_body("1;n\r\na\r\n0\r\n\r\n", "a", "");
    check_body("1;name=value\r\na\r\n0;last\r\n\r\n", "a", "");
    check_body("1;n=\"a;b\t\xC3\xA9 0\"\r\na\r\n0\r\n\r\n", "a", "");
    check_body("1;a;b=c;d=\"\\\"\\\\\";e=\"\"\r\na\r\n0;f=1\r\n\r\n", "a", "");
}

/* A reader that takes a string as going on behind the line would see other chunks. */
SS_TEST(chunked, refuses_malformed_extensions)
{
    CHECK_REFUSED("1;\r");
    CHECK_REFUSED("1;;");
    CHECK_REFUSED("1; ");
    CHECK_REFUSED("1;a ");
    CHECK_REFUSED("1;=");
    CHECK_REFUSED("1;a=\r");
    CHECK_REFUSED("1;a=;");
    CHECK_REFUSED("1;a=b=");
    CHECK_REFUSED("1;a\"");
    CHECK_REFUSED("1;a=b\"");
    CHECK_REFUSED("1;a=\"b\r");
    CHECK_REFUSED("1;a=\"b\\\r");
    CHECK_REFUSED("1;a=\"b\"c");
    CHECK_REFUSED("1;a/");
    CHECK_REFUSED("1;\xC3");
}

SS_TEST(chunked, is_unfinished_at_every_shorter_length)
{
    static const char text[] = "2;x\r\nab\r\n0\r\n\r\n";
    for (size_t len = 0; len < sizeof text - 1; len++) {
        struct outcome outcome = feed(ss_str_of(text, len));
        ss_check(outcome.err == 0 && !outcome.done && outcome.consumed == len);
    }
    ss_check(feed(ss_str(text)).done);
}

SS_TEST(chunked, refuses_a_malformed_size)
{
    CHECK_REFUSED("\r");
    CHECK_REFUSED("\n");
    CHECK_REFUSED(" ");
    CHECK_REFUSED(";");
    CHECK_REFUSED("g");
    CHECK_REFUSED("-");
    CHECK_REFUSED("+");
    CHECK_REFUSED("0x");
    CHECK_REFUSED("1 ");
    CHECK_REFUSED("1\t");
    CHECK_REFUSED("1,");
    CHECK_REFUSED("1\0");
    CHECK_REFUSED("1\xFF");
    CHECK_REFUSED("1\r\na\r\n\r");
}

SS_TEST(chunked, refuses_a_line_that_does_not_end_in_cr_lf)
{
    CHECK_REFUSED("1\n");
    CHECK_REFUSED("1\ra");
    CHECK_REFUSED("1\r\r");
    CHECK_REFUSED("1;x\n");
    CHECK_REFUSED("1;x\r;");
    CHECK_REFUSED("0\n");
    CHECK_REFUSED("0\r\n\n");
    CHECK_REFUSED("0\r\n\r\r");
    CHECK_REFUSED("0\r\n\rx");
}

SS_TEST(chunked, refuses_data_longer_or_shorter_than_its_size)
{
    CHECK_REFUSED("1\r\nab");
    CHECK_REFUSED("1\r\na\n");
    CHECK_REFUSED("1\r\na\r0");
    CHECK_REFUSED("3\r\na\r\n0");
    CHECK_REFUSED("0\r\na");
}

SS_TEST(chunked, refuses_trailers)
{
    CHECK_REFUSED("0\r\nX");
    CHECK_REFUSED("1\r\na\r\n0\r\nC");
    CHECK_REFUSED("0\r\n ");
}

SS_TEST(chunked, refuses_control_bytes_in_an_extension)
{
    for (unsigned byte = 0; byte < 0x100; byte++) {
        char text[] = { '1', ';', 'a', '=', '"', (char)byte, '"' };
        bool control = (byte < 0x20 && byte != '\t') || byte == 0x7F;
        ss_check_msg(feed(ss_str_of(text, 6)).err == (control ? SS_E_PROTO : 0), "%02x", byte);
        bool cut = byte == '"';    /* the string has ended before */
        ss_check_msg(feed(ss_str_of(text, 7)).err == (control || cut ? SS_E_PROTO : 0), "%02x",
                     byte);
    }
}

/* Nine digits would be a size over 32 bits: nothing can wrap. */
SS_TEST(chunked, refuses_a_size_of_nine_digits)
{
    CHECK_REFUSED("000000001");
    CHECK_REFUSED("100000000");
    CHECK_REFUSED("FFFFFFFFF");
    CHECK_REFUSED("1\r\na\r\n000000000");
}

SS_TEST(chunked, refuses_a_body_over_its_limit_before_taking_the_data)
{
    static const char *const sizes[] = { "41", "7FFFFFFF", "80000000", "FFFFFFFF", "41;x" };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        char text[32];
        int head = snprintf(text, sizeof text, "%s\r\n", sizes[i]);
        ss_check(head > 0 && feed(ss_str(text)).err == 0);
        text[head] = 'a';
        text[head + 1] = '\0';
        struct outcome outcome = feed_all_splits(ss_str(text));
        ss_check_msg(outcome.err == SS_E_TOOBIG && outcome.len == 0, "%s", sizes[i]);
    }
}

SS_TEST(chunked, counts_the_limit_over_all_chunks)
{
    static const char data[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    char text[128];
    int len = snprintf(text, sizeof text, "3f\r\n%.63s\r\n1\r\nX\r\n0\r\n\r\n", data);
    struct outcome exact = feed_all_splits(ss_str_of(text, (size_t)len));
    ss_check(exact.err == 0 && exact.done && exact.len == BODY_MAX && exact.body[63] == 'X');
    len = snprintf(text, sizeof text, "40\r\n%s\r\n1\r\nX\r\n0\r\n\r\n", data);
    struct outcome over = feed_all_splits(ss_str_of(text, (size_t)len));
    ss_check(over.err == SS_E_TOOBIG && !over.done && over.len == BODY_MAX);
    len = snprintf(text, sizeof text, "3c\r\n%.60s\r\n5\r\n01234", data);
    over = feed_all_splits(ss_str_of(text, (size_t)len));
    ss_check(over.err == SS_E_TOOBIG && !over.done && over.len == 60);
}

/* The bytes of every extension count alone: a chunk between starts anew. */
SS_TEST(chunked, bounds_the_extension_of_one_chunk)
{
    for (size_t over = 0; over < 2; over++) {
        struct ss_bytes text;
        ss__bytes_init(&text, 0);
        for (size_t chunk = 0; chunk < 2; chunk++) {
            size_t more = chunk == 1 ? over : 0;
            ss__bytes_text(&text, "1;");
            for (size_t i = 0; i < SS_HTTP_CHUNK_EXTENSION_BYTES_MAX + more; i++) {
                ss__bytes_byte(&text, 'x');
            }
            ss__bytes_text(&text, "\r\na\r\n");
        }
        ss__bytes_text(&text, "0\r\n\r\n");
        ss_check(text.err == 0);
        struct outcome outcome = feed(ss__bytes_view(&text));
        ss_check(outcome.err == (over == 0 ? 0 : SS_E_PROTO));
        ss_check(outcome.done == (over == 0) && outcome.len == (over == 0 ? 2 : 1));
        ss__bytes_deinit(&text);
    }
}
