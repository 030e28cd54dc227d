#include "schema/json_reader.h"

#include <stdlib.h>

#include "ss_test.h"

/* A reader over an exact copy, so that the sanitizer sees a byte read too many. */
struct fixture {
    char *json;
    struct ss_json_reader reader;
};

static struct fixture open_fixture(const void *json, size_t len)
{
    struct fixture fixture = { .json = malloc(len > 0 ? len : 1) };
    ss_check(fixture.json != NULL);
    if (len > 0) {
        memcpy(fixture.json, json, len);
    }
    ss__json_reader_init(&fixture.reader, ss_str_of(fixture.json, len));
    return fixture;
}

/* Reads to the end or the first error; the last kind. */
static enum ss_json_kind read_all(struct ss_json_reader *reader)
{
    struct ss_json_token token;
    do {
        (void)ss__json_next(reader, &token);    /* the token holds the kind too */
    } while (token.kind != SS_JSON_END && token.kind != SS_JSON_ERROR);
    return token.kind;
}

static bool accepts(const char *json)
{
    struct fixture fixture = open_fixture(json, strlen(json));
    bool good = read_all(&fixture.reader) == SS_JSON_END;
    free(fixture.json);
    return good;
}

SS_TEST(json_reader, tokens_come_in_order_with_their_place)
{
    static const char json[] =
        " {\"a\": [1, \"b\\n\", true],\n\"\": {}, \"c\":null ,\"d\":false}\t";
    static const struct {
        enum ss_json_kind kind;
        size_t at;
        const char *text;
    } expected[] = {
        { SS_JSON_OBJECT, 1, "" },      { SS_JSON_KEY, 2, "a" },       { SS_JSON_ARRAY, 7, "" },
        { SS_JSON_NUMBER, 8, "1" },     { SS_JSON_STRING, 11, "b\\n" }, { SS_JSON_TRUE, 18, "" },
        { SS_JSON_ARRAY_END, 22, "" },  { SS_JSON_KEY, 25, "" },       { SS_JSON_OBJECT, 29, "" },
        { SS_JSON_OBJECT_END, 30, "" }, { SS_JSON_KEY, 33, "c" },      { SS_JSON_NULL, 37, "" },
        { SS_JSON_KEY, 43, "d" },       { SS_JSON_FALSE, 47, "" },
        { SS_JSON_OBJECT_END, 52, "" }, { SS_JSON_END, 54, "" },       { SS_JSON_END, 54, "" },
    };
    struct fixture fixture = open_fixture(json, sizeof json - 1);
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        struct ss_json_token token;
        ss_check_msg(ss__json_next(&fixture.reader, &token) == expected[i].kind, "token %zu", i);
        ss_check_msg(token.kind == expected[i].kind && token.at == expected[i].at,
                     "token %zu at %zu", i, token.at);
        ss_check_msg(ss_str_equal(token.text, ss_str(expected[i].text)), "token %zu", i);
        ss_check(token.escaped == (expected[i].kind == SS_JSON_STRING));
    }
    free(fixture.json);
}

SS_TEST(json_reader, what_the_grammar_forbids_is_refused_at_its_place)
{
    static const struct {
        const char *json;
        size_t at;
        const char *text;
    } cases[] = {
        { "", 0, "ends too early" },
        { " \t\r\n", 4, "ends too early" },
        { "not json", 0, "a value must begin" },
        { "nul", 0, "a value must begin" },
        { "True", 0, "a value must begin" },
        { "NaN", 0, "a value must begin" },
        { "Infinity", 0, "a value must begin" },
        { "\xEF\xBB\xBF{}", 0, "a value must begin" },    /* byte order mark */
        { "\f1", 0, "a value must begin" },
        { "+1", 0, "a value must begin" },
        { ".5", 0, "a value must begin" },
        { "-", 0, "needs a digit" },
        { "-a", 0, "needs a digit" },
        { "-Infinity", 0, "needs a digit" },
        { "007", 0, "malformed number" },
        { "-01", 0, "malformed number" },
        { "1.", 0, "malformed number" },
        { "1.e5", 0, "malformed number" },
        { "1e", 0, "malformed number" },
        { "1e+", 0, "malformed number" },
        { "1.5.2", 0, "malformed number" },
        { "1-2", 0, "malformed number" },
        { "0x10", 1, "nothing may follow" },
        { "1 2", 2, "nothing may follow" },
        { "{}{}", 2, "nothing may follow" },
        { "{} // no", 3, "nothing may follow" },
        { "null,", 4, "nothing may follow" },
        { "'a'", 0, "a value must begin" },
        { "{'a':1}", 1, "a key in double quotes" },
        { "{a:1}", 1, "a key in double quotes" },
        { "{1:1}", 1, "a key in double quotes" },
        { "{,}", 1, "a key in double quotes" },
        { "{\"a\":1,}", 7, "a key in double quotes" },
        { "{\"a\" 1}", 5, "':' must follow" },
        { "{\"a\"}", 4, "':' must follow" },
        { "{\"a\"", 4, "':' must follow" },
        { "{\"a\":}", 5, "a value must begin" },
        { "{\"a\":1 \"b\":2}", 7, "',' or '}' must follow" },
        { "{\"a\":1]", 6, "',' or '}' must follow" },
        { "[1 2]", 3, "',' or ']' must follow" },
        { "[1}", 2, "',' or ']' must follow" },
        { "[1,]", 3, "a value must begin" },
        { "[,1]", 1, "a value must begin" },
        { "[1,", 3, "ends too early" },
        { "[", 1, "ends too early" },
        { "{\"a\":1", 6, "ends too early" },
        { "]", 0, "a value must begin" },
        { "}", 0, "a value must begin" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct fixture fixture = open_fixture(cases[i].json, strlen(cases[i].json));
        ss_check_msg(read_all(&fixture.reader) == SS_JSON_ERROR, "%s", cases[i].json);
        ss_check_msg(strstr(fixture.reader.error, cases[i].text) != NULL, "%s: %s", cases[i].json,
                     fixture.reader.error);
        ss_check_msg(fixture.reader.error_at == cases[i].at, "%s: at %zu", cases[i].json,
                     fixture.reader.error_at);
        free(fixture.json);
    }
}

SS_TEST(json_reader, a_nul_byte_is_no_white_space_and_ends_nothing)
{
    static const char *const cases[] = { "\0001", "1\000", "[1\000]", "\"a\000\"", "\"\\\000\"" };
    static const size_t lens[] = { 2, 2, 4, 4, 4 };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct fixture fixture = open_fixture(cases[i], lens[i]);
        ss_check_msg(read_all(&fixture.reader) == SS_JSON_ERROR, "case %zu", i);
        free(fixture.json);
    }
}

SS_TEST(json_reader, an_error_stays)
{
    struct fixture fixture = open_fixture("[x]", 3);
    struct ss_json_token token;
    ss_check(ss__json_next(&fixture.reader, &token) == SS_JSON_ARRAY);
    for (int i = 0; i < 3; i++) {
        ss_check(ss__json_next(&fixture.reader, &token) == SS_JSON_ERROR);
        ss_check(fixture.reader.error_at == 1);
    }
    free(fixture.json);
}

SS_TEST(json_reader, every_cut_of_a_document_is_incomplete)
{
    static const char json[] =
        "{\"k\\u00e9\":[-1.5e-3,{\"\xC3\xA9\":\"\\ud83d\\ude00\\\\\"},[],true,null],\"z\":\"long "
        "enough for words of eight bytes\"}";
    for (size_t len = 0; len < sizeof json - 1; len++) {
        struct fixture fixture = open_fixture(json, len);
        ss_check_msg(read_all(&fixture.reader) == SS_JSON_ERROR, "%zu bytes", len);
        ss_check(fixture.reader.error_at <= len);
        free(fixture.json);
    }
    ss_check(accepts(json));
}

SS_TEST(json_reader, numbers_follow_the_grammar)
{
    static const char *const good[] = {
        "0", "-0", "1", "-1", "10", "0.5", "-0.0", "1e2", "1E2", "1e+2", "1e-2", "0e0", "1.5e10",
        "123456789012345678901234567890", "1e999999999999",
    };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        ss_check_msg(accepts(good[i]), "%s", good[i]);
        ss_check_msg(ss__json_number_len(ss_str(good[i])) == strlen(good[i]), "%s", good[i]);
    }
    static const struct {
        const char *text;
        size_t len;
    } starts[] = {
        { "", 0 },    { "-", 0 },    { "+1", 0 },   { "e5", 0 },   { ".1", 0 },  { "-x", 0 },
        { "00", 1 },  { "1.", 1 },   { "1.x", 1 },  { "1e", 1 },   { "1e+", 1 }, { "1e-x", 1 },
        { "1.5e", 3 }, { "12,3", 2 }, { "1 ", 1 },
    };
    for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++) {
        ss_check_msg(ss__json_number_len(ss_str(starts[i].text)) == starts[i].len, "%s",
                     starts[i].text);
    }
}

/* What the string literal @json stands for; the error text when it is refused. */
static const char *unescaped(const char *json, size_t len, struct ss_bytes *out)
{
    struct fixture fixture = open_fixture(json, len);
    struct ss_json_token token;
    ss__bytes_clear(out);
    if (ss__json_next(&fixture.reader, &token) == SS_JSON_STRING) {
        ss__json_unescape(out, &token);
        ss_check(out->err == 0);
    }
    const char *error = fixture.reader.error;
    free(fixture.json);
    return error;
}

SS_TEST(json_reader, escapes_stand_for_their_characters)
{
    static const struct {
        const char *json;
        const char *text;
        size_t len;
    } cases[] = {
        { "\"\"", "", 0 },
        { "\"plain \xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80\"",
          "plain \xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80", 17 },
        { "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t", 8 },
        { "\"\\u0041\\u00e9\\u20AC\"", "A\xC3\xA9\xE2\x82\xAC", 6 },
        { "\"a\\u0000b\"", "a\0b", 3 },
        { "\"\\u007f\\u0080\\u07ff\\u0800\\uffff\"", "\x7F\xC2\x80\xDF\xBF\xE0\xA0\x80\xEF\xBF\xBF",
          11 },
        { "\"\\ud800\\udc00\"", "\xF0\x90\x80\x80", 4 },
        { "\"\\uDBFF\\uDFFF\"", "\xF4\x8F\xBF\xBF", 4 },
        { "\"x\\ud83d\\ude00y\"", "x\xF0\x9F\x98\x80y", 6 },
        { "\"\\ud7ff\\ue000\"", "\xED\x9F\xBF\xEE\x80\x80", 6 },
        { "\"\x7F\"", "\x7F", 1 },
    };
    struct ss_bytes out;
    ss__bytes_init(&out, 0);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *error = unescaped(cases[i].json, strlen(cases[i].json), &out);
        ss_check_msg(error == NULL, "%s: %s", cases[i].json, error);
        ss_check_msg(ss_str_equal(ss__bytes_view(&out), ss_str_of(cases[i].text, cases[i].len)),
                     "%s", cases[i].json);
    }
    ss__bytes_deinit(&out);
}

SS_TEST(json_reader, malformed_strings_are_refused)
{
    static const struct {
        const char *json;
        const char *text;
    } cases[] = {
        { "\"", "inside a string" },
        { "\"a\\", "inside a string" },
        { "\"\\x41\"", "unknown escape" },
        { "\"\\U0041\"", "unknown escape" },
        { "\"\\'\"", "unknown escape" },
        { "\"\\u\"", "four hexadecimal" },
        { "\"\\u12\"", "four hexadecimal" },
        { "\"\\u12g4\"", "four hexadecimal" },
        { "\"\\u+123\"", "four hexadecimal" },
        { "\"\\ud800\"", "lone surrogate" },
        { "\"\\udc00\"", "lone surrogate" },
        { "\"\\ud800x\"", "lone surrogate" },
        { "\"\\ud800\\n\"", "lone surrogate" },
        { "\"\\ud800\\u0041\"", "lone surrogate" },
        { "\"\\ud800\\ud800\"", "lone surrogate" },
        { "\"\\udc00\\ud800\"", "lone surrogate" },
        { "\"\\ud800\\udc0\"", "lone surrogate" },
        { "\"a\tb\"", "control character" },
        { "\"a\nb\"", "control character" },
        { "\"12345678\x1F\"", "control character" },
        { "\"\x80\"", "invalid UTF-8" },
        { "\"\xC3\"", "invalid UTF-8" },
        { "\"\xC0\xAF\"", "invalid UTF-8" },
        { "\"\xE0\x80\x80\"", "invalid UTF-8" },
        { "\"\xED\xA0\x80\"", "invalid UTF-8" },              /* a surrogate, encoded */
        { "\"\xF4\x90\x80\x80\"", "invalid UTF-8" },
        { "\"\xFF\"", "invalid UTF-8" },
        { "\"1234567\xFF\"", "invalid UTF-8" },
    };
    struct ss_bytes out;
    ss__bytes_init(&out, 0);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *error = unescaped(cases[i].json, strlen(cases[i].json), &out);
        ss_check_msg(error != NULL && strstr(error, cases[i].text) != NULL, "case %zu: %s", i,
                     error == NULL ? "accepted" : error);
    }
    ss__bytes_deinit(&out);
}

/* The reader looks at eight bytes at a time: each special byte at each place of a word. */
SS_TEST(json_reader, special_bytes_are_seen_at_every_offset)
{
    static const struct {
        const char *piece;
        bool good;
    } pieces[] = {
        { "\"", true },     { "\\n", true }, { "\xC3\xA9", true }, { "\x01", false },
        { "\x1F", false },  { "\x80", false }, { " ", true },      { "\x7F", true },
    };
    for (size_t before = 0; before < 20; before++) {
        for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
            char json[64];
            json[0] = '"';
            memset(json + 1, '!', before);
            strcpy(json + 1 + before, pieces[i].piece);
            if (i != 0) {
                strcat(json, "!!!!!!!!!!!!!\"");
            }
            ss_check_msg(accepts(json) == pieces[i].good, "%zu bytes before piece %zu", before, i);
        }
    }
}

SS_TEST(json_reader, nesting_ends_at_the_limit)
{
    static const char *const opens[] = { "[", "{\"a\":" };
    for (unsigned mix = 0; mix < 3; mix++) {
        for (size_t depth = SS_NESTING_MAX - 1; depth <= SS_NESTING_MAX + 1; depth++) {
            char json[1024] = "";
            for (size_t i = 0; i < depth; i++) {
                strcat(json, opens[mix == 2 ? i % 2 : mix]);
            }
            strcat(json, "1");
            for (size_t i = depth; i-- > 0;) {
                strcat(json, (mix == 2 ? i % 2 : mix) == 0 ? "]" : "}");
            }
            ss_check_msg(accepts(json) == (depth <= SS_NESTING_MAX), "depth %zu", depth);
        }
    }
    char deep[10000];
    memset(deep, '[', sizeof deep);
    struct fixture fixture = open_fixture(deep, sizeof deep);
    ss_check(read_all(&fixture.reader) == SS_JSON_ERROR);
    ss_check(fixture.reader.error_at == SS_NESTING_MAX);
    ss_check(strstr(fixture.reader.error, "nested too deeply") != NULL);
    free(fixture.json);
}

SS_TEST(json_reader, a_value_is_skipped_whole)
{
    static const char json[] = "[{\"a\":[1,{}],\"b\":\"]\"},[[],[]],\"s\",7]";
    struct fixture fixture = open_fixture(json, sizeof json - 1);
    struct ss_json_token token;
    ss_check(ss__json_next(&fixture.reader, &token) == SS_JSON_ARRAY);
    static const enum ss_json_kind kinds[] = { SS_JSON_OBJECT, SS_JSON_ARRAY, SS_JSON_STRING,
                                               SS_JSON_NUMBER };
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        ss_check(ss__json_next(&fixture.reader, &token) == kinds[i]);
        ss_check(ss__json_skip(&fixture.reader, &token));
    }
    ss_check(ss__json_next(&fixture.reader, &token) == SS_JSON_ARRAY_END);
    ss_check(ss__json_next(&fixture.reader, &token) == SS_JSON_END);
    free(fixture.json);

    fixture = open_fixture("[[1,x]]", 7);
    ss_check(ss__json_next(&fixture.reader, &token) == SS_JSON_ARRAY);
    ss_check(!ss__json_skip(&fixture.reader, &token));
    ss_check(fixture.reader.error_at == 4);
    ss_check(ss__json_next(&fixture.reader, &token) == SS_JSON_ERROR);
    ss_check(!ss__json_skip(&fixture.reader, &token));
    free(fixture.json);
}

SS_TEST(json_reader, a_copy_is_a_bookmark)
{
    struct fixture fixture = open_fixture("[1,2]", 5);
    struct ss_json_token token;
    ss_check(ss__json_next(&fixture.reader, &token) == SS_JSON_ARRAY);
    struct ss_json_reader bookmark = fixture.reader;
    ss_check(read_all(&fixture.reader) == SS_JSON_END);
    ss_check(ss__json_next(&bookmark, &token) == SS_JSON_NUMBER);
    ss_check(ss_str_equal(token.text, ss_str("1")));
    free(fixture.json);
}

SS_TEST(json_reader, positions_count_lines_and_characters)
{
    static const char json[] = "{\n \"\xC3\xA9\xE2\x82\xAC\": x}";
    struct fixture fixture = open_fixture(json, sizeof json - 1);
    static const struct {
        size_t at;
        size_t line;
        size_t column;
    } places[] = { { 0, 1, 1 }, { 1, 1, 2 }, { 2, 2, 1 }, { 3, 2, 2 }, { 6, 2, 4 }, { 12, 2, 8 } };
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        struct ss_json_position position = ss__json_position(&fixture.reader, places[i].at);
        ss_check_msg(position.line == places[i].line && position.column == places[i].column,
                     "offset %zu: %zu:%zu", places[i].at, position.line, position.column);
    }
    free(fixture.json);
}
