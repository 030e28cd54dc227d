#include "ss_test.h"

#include <stdbool.h>
#include <string.h>

#include "server/json_members.h"

static bool string_is(const char *json, const char *name, const char *expected)
{
    struct ss_bytes out;
    ss__bytes_init(&out, 0);
    bool found = ss__json_string_member(ss_str(json), name, &out);
    bool same = expected == NULL ? !found && out.len == 0
                                 : found && ss_str_equal(ss__bytes_view(&out), ss_str(expected));
    ss__bytes_deinit(&out);
    return same;
}

static bool member_is(const char *json, const char *name, const char *expected)
{
    struct ss_str value;
    bool found = ss__json_member(ss_str(json), name, &value);
    return expected == NULL ? !found : found && ss_str_equal(value, ss_str(expected));
}

SS_TEST(json_members, strings_are_unescaped)
{
    ss_check(string_is("{\"a\":1,\"code\":\"x\\n\\u00e4\"}", "code", "x\n\xc3\xa4"));
    ss_check(string_is("{\"code\":\"\"}", "code", ""));
}

SS_TEST(json_members, only_the_top_level_counts)
{
    ss_check(string_is("{\"a\":{\"code\":\"in\"},\"code\":\"out\"}", "code", "out"));
    ss_check(string_is("{\"a\":{\"code\":\"in\"}}", "code", NULL));
    ss_check(string_is("{\"a\":[\"code\",\"in\"]}", "code", NULL));
}

SS_TEST(json_members, other_texts_have_no_members)
{
    static const char *const texts[] = { "", "null", "[]", "\"code\"", "<html>", "{", "{\"a\"",
                                         "{\"a\":", "{\"code\"", "{\"code\":", "{\"code\":\"x",
                                         "{\"code\":1}", "{\"code\":null}", "{\"a\":tru}" };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        ss_check_msg(string_is(texts[i], "code", NULL), "%s", texts[i]);
    }
}

SS_TEST(json_members, a_member_is_given_as_written)
{
    ss_check(member_is("{\"a\": {\"b\": [1, 2]} , \"c\":3}", "a", "{\"b\": [1, 2]}"));
    ss_check(member_is("{\"a\":1,\"c\":\"x\\\"y\"}", "c", "\"x\\\"y\""));
    ss_check(member_is("{\"c\":3}", "c", "3"));
    ss_check(member_is("{\"a\":1}", "b", NULL));
    ss_check(member_is("{\"a\":{\"b\":", "a", NULL));
}

SS_TEST(json_members, a_line_has_no_line_ends)
{
    struct ss_bytes out;
    ss__bytes_init(&out, 0);
    ss__json_line(&out, ss_str("{\r\n \"a\":\n1}"));
    ss_check(ss_str_equal(ss__bytes_view(&out), ss_str("{   \"a\": 1}")));
    ss__bytes_deinit(&out);
}
