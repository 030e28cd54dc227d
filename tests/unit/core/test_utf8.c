#include "core/utf8.h"

#include <string.h>

#include "ss_test.h"

static bool valid(const char *text)
{
    return ss__utf8_valid(text, strlen(text));
}

SS_TEST(utf8, accepts_well_formed_and_refuses_the_rest)
{
    ss_check(valid("plain ascii, longer than one machine word"));
    ss_check(valid("\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\xF4\x8F\xBF\xBF"));
    ss_check(ss__utf8_valid("a\0b", 3));
    static const char *const bad[] = {
        "\x80", "\xC0\x80", "\xC1\xBF", "\xC3", "\xE0\x80\x80", "\xE0\x9F\xBF", "\xED\xA0\x80",
        "\xE2\x82", "\xF0\x8F\xBF\xBF", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFF",
        "12345678\xC3", "1234567\x80"
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ss_check(!valid(bad[i]));
    }
}

SS_TEST(utf8, floor_never_splits_a_character)
{
    const char *text = "a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80z";
    static const size_t want[] = { 0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 11 };
    for (size_t cut = 0; cut < sizeof want / sizeof *want; cut++) {
        ss_check(ss__utf8_floor(text, cut) == want[cut]);
    }
}

SS_TEST(utf8, encode_is_read_back)
{
    static const uint32_t points[] = { 0x24, 0x7FF, 0x800, 0xFFFF, 0x10000, 0x10FFFF };
    for (size_t i = 0; i < sizeof points / sizeof *points; i++) {
        uint8_t out[4];
        size_t len = ss__utf8_encode(points[i], out);
        ss_check(ss__utf8_char_len(out, len) == len);
    }
}

SS_TEST(utf8, mended_text_is_well_formed_and_as_long)
{
    static const char *const bad[][2] = { { "a\xC3", "a?" }, { "\xE2\x82z", "??z" },
                                          { "\xC3\xA9\xFF\xC3\xA9", "\xC3\xA9?\xC3\xA9" },
                                          { "\xED\xA0\x80", "???" }, { "whole", "whole" } };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char text[16];
        size_t len = strlen(bad[i][0]);
        memcpy(text, bad[i][0], len + 1);
        ss__utf8_mend(text, len);
        ss_check_msg(strcmp(text, bad[i][1]) == 0, "%zu: %s", i, text);
    }
}
