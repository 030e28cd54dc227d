#include "http/request.h"

#include <string.h>

#include <sessionstream/error.h>

#include "ss_test.h"

static struct ss_http_field field_of(const char *name, const char *value)
{
    return (struct ss_http_field){ ss_str(name), ss_str(value) };
}

static int decodes(const char *text, const char *want, size_t want_len)
{
    uint8_t out[64];
    ptrdiff_t len = ss__http_percent_decode(ss_str(text), out);
    return len == (ptrdiff_t)want_len && memcmp(out, want, want_len) == 0;
}

SS_TEST(field, compares_ascii_letters_without_case)
{
    ss_check(ss__http_equal_nocase(ss_str("Content-LENGTH"), ss_str("content-length")));
    ss_check(ss__http_equal_nocase(ss_str(""), ss_str(NULL)));
    ss_check(!ss__http_equal_nocase(ss_str("host"), ss_str("hosts")));
    ss_check(!ss__http_equal_nocase(ss_str("a"), ss_str("b")));
}

/* These pairs differ only by the bit of the case and are no ASCII letters. */
SS_TEST(field, compares_other_bytes_as_they_are)
{
    ss_check(!ss__http_equal_nocase(ss_str("@"), ss_str("`")));
    ss_check(!ss__http_equal_nocase(ss_str("["), ss_str("{")));
    ss_check(!ss__http_equal_nocase(ss_str("\xC3\x84"), ss_str("\xC3\xA4")));
    ss_check(ss__http_equal_nocase(ss_str("\xC3\x84"), ss_str("\xC3\x84")));
}

SS_TEST(field, finds_every_field_of_a_name_in_order)
{
    struct ss_http_request request = { .field_count = 4 };
    request.fields[0] = field_of("Accept", "one");
    request.fields[1] = field_of("Host", "here");
    request.fields[2] = field_of("ACCEPT", "two");
    request.fields[3] = field_of("Accept-Encoding", "no");
    request.fields[4] = field_of("Accept", "behind the end");
    struct ss_str value = ss_str("untouched");
    ss_check(!ss__http_field(&request, "cookie", &value));
    ss_check(ss_str_equal(value, ss_str("untouched")));
    ss_check(ss__http_field(&request, "accept", &value));
    ss_check(ss_str_equal(value, ss_str("one")));
    size_t at = 0;
    ss_check(ss__http_field_next(&request, "accept", &at, &value));
    ss_check(ss_str_equal(value, ss_str("one")));
    ss_check(ss__http_field_next(&request, "accept", &at, &value));
    ss_check(ss_str_equal(value, ss_str("two")));
    ss_check(!ss__http_field_next(&request, "accept", &at, &value));
    ss_check(ss_str_equal(value, ss_str("two")));
}

SS_TEST(field, cuts_a_list_at_commas_without_blanks_and_empty_elements)
{
    struct ss_str list = ss_str(" ,,\ta b\t , c,,d ,  ");
    struct ss_str element = ss_str("untouched");
    ss_check(ss__http_list_next(&list, &element) && ss_str_equal(element, ss_str("a b")));
    ss_check(ss__http_list_next(&list, &element) && ss_str_equal(element, ss_str("c")));
    ss_check(ss__http_list_next(&list, &element) && ss_str_equal(element, ss_str("d")));
    ss_check(!ss__http_list_next(&list, &element));
    ss_check(list.len == 0 && ss_str_equal(element, ss_str("d")));
}

SS_TEST(field, an_empty_list_has_no_element)
{
    static const char *const lists[] = { NULL, "", ",", " , \t ,", " " };
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        struct ss_str list = ss_str(lists[i]);
        struct ss_str element = ss_str("untouched");
        ss_check(!ss__http_list_next(&list, &element));
        ss_check(ss_str_equal(element, ss_str("untouched")));
    }
}

SS_TEST(field, finds_a_token_in_any_field_of_a_name)
{
    struct ss_http_request request = { .field_count = 3 };
    request.fields[0] = field_of("Connection", "keep-alive");
    request.fields[1] = field_of("Upgrade", "websocket");
    request.fields[2] = field_of("connection", "x , UPGRADE\t");
    ss_check(ss__http_field_has_token(&request, "connection", "upgrade"));
    ss_check(ss__http_field_has_token(&request, "Connection", "Keep-Alive"));
    ss_check(ss__http_field_has_token(&request, "connection", "X"));
    ss_check(!ss__http_field_has_token(&request, "connection", "keep"));
    ss_check(!ss__http_field_has_token(&request, "connection", "upgrades"));
    ss_check(!ss__http_field_has_token(&request, "connection", "websocket"));
    ss_check(!ss__http_field_has_token(&request, "te", "trailers"));
}

SS_TEST(field, decodes_percent_escapes)
{
    ss_check(decodes("", "", 0));
    ss_check(decodes("plain+text", "plain+text", 10));
    ss_check(decodes("%41%62%5a%5A%2F", "AbZZ/", 5));
    ss_check(decodes("%00%ff%25", "\0\xFF%", 3));
    ss_check(decodes("%2541", "%41", 3));
    ss_check(decodes("\xC3\xA9", "\xC3\xA9", 2));
}

SS_TEST(field, decodes_in_place)
{
    char text[] = "a%20b%2Fc";
    ptrdiff_t len = ss__http_percent_decode(ss_str(text), (uint8_t *)text);
    ss_check(len == 5 && memcmp(text, "a b/c", 5) == 0);
}

SS_TEST(field, refuses_an_escape_without_two_hex_digits)
{
    static const char *const bad[] = { "%", "%4", "abc%", "abc%4", "%4g", "%g4", "%%41", "% 1",
                                       "%-1", "%0x", "%@0", "%`0", "%:0", "%/0", "%G0" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        uint8_t out[16];
        ss_check_msg(ss__http_percent_decode(ss_str(bad[i]), out) == -1, "%s", bad[i]);
    }
    /* The digits lie behind the end of the text. */
    uint8_t out[16];
    ss_check(ss__http_percent_decode(ss_str_of("%41", 2), out) == -1);
}

SS_TEST(field, finds_the_first_value_of_a_query_parameter)
{
    uint8_t out[32];
    struct ss_str value;
    struct ss_str query = ss_str("&aa=0&a=1%202+3%2B&b&c=&a=9&d=x=y&E=u");
    ss_check(ss__http_query_value(query, "a", out, sizeof out, &value) == 0);
    ss_check(ss_str_equal(value, ss_str("1 2 3+")));
    ss_check(ss__http_query_value(query, "b", out, sizeof out, &value) == 0 && value.len == 0);
    ss_check(ss__http_query_value(query, "c", out, sizeof out, &value) == 0 && value.len == 0);
    ss_check(ss__http_query_value(query, "d", out, sizeof out, &value) == 0);
    ss_check(ss_str_equal(value, ss_str("x=y")));
    ss_check(ss__http_query_value(query, "E", out, sizeof out, &value) == 0);
    ss_check(ss_str_equal(value, ss_str("u")));
}

SS_TEST(field, tells_what_is_wrong_with_a_query_parameter)
{
    uint8_t out[4];
    struct ss_str value = ss_str("untouched");
    ss_check(ss__http_query_value(ss_str(""), "a", out, 4, &value) == SS_E_NOTFOUND);
    ss_check(ss__http_query_value(ss_str("b=1&c=a"), "a", out, 4, &value) == SS_E_NOTFOUND);
    ss_check(ss__http_query_value(ss_str("A=1"), "a", out, 4, &value) == SS_E_NOTFOUND);
    ss_check(ss__http_query_value(ss_str("a=12345"), "a", out, 4, &value) == SS_E_TOOBIG);
    ss_check(ss__http_query_value(ss_str("a=%4"), "a", out, 4, &value) == SS_E_INVAL);
    ss_check(ss__http_query_value(ss_str("a=%4&41"), "a", out, 4, &value) == SS_E_INVAL);
    ss_check(ss_str_equal(value, ss_str("untouched")));
    ss_check(ss__http_query_value(ss_str("a=1234&"), "a", out, 4, &value) == 0);
    ss_check(ss_str_equal(value, ss_str("1234")));
}

SS_TEST(field, reads_a_number_of_a_query)
{
    uint64_t number = 7;
    struct ss_str query = ss_str("a=18446744073709551615&b=%30042&c=18446744073709551616&d=&e=1x"
                                 "&f=:&g=/&h=12345&i=%4");
    ss_check(ss__http_query_number(query, "z", 20, &number) == SS_E_NOTFOUND);
    static const char *const wrong[] = { "c", "d", "e", "f", "g", "h", "i" };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        size_t digits = wrong[i][0] == 'h' ? 4 : 20;
        ss_check_msg(ss__http_query_number(query, wrong[i], digits, &number) == SS_E_INVAL, "%s",
                     wrong[i]);
    }
    ss_check(number == 7);
    ss_check(ss__http_query_number(query, "a", 20, &number) == 0 && number == UINT64_MAX);
    ss_check(ss__http_query_number(query, "b", 20, &number) == 0 && number == 42);
    ss_check(ss__http_query_number(query, "h", 5, &number) == 0 && number == 12345);
}
