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

static size_t count_elements(const char *json, struct ss_str *ret_last)
{
    size_t count = 0;
    for (size_t at = 0; ss__json_element(ss_str(json), &at, ret_last);) {
        count++;
    }
    return count;
}

SS_TEST(json_members, the_elements_of_an_array_come_one_after_the_other)
{
    struct ss_str last = { NULL, 0 };
    ss_check(count_elements(" [ {\"a\":[1,2]} ,\n\"],\" , 3]", &last) == 3);
    ss_check(ss_str_equal(last, ss_str("3")));
    ss_check(count_elements("[{\"a\":1}]", &last) == 1 && ss_str_equal(last, ss_str("{\"a\":1}")));
    ss_check(count_elements("[]", &last) == 0 && count_elements("{\"a\":1}", &last) == 0);
    ss_check(count_elements("[1,", &last) == 1 && count_elements("[\"", &last) == 0);
}
