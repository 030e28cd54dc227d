#include "core/cursor.h"

#include <string.h>

#include <sessionstream/error.h>

#include "ss_test.h"

static void check_text(struct ss_cursor cursor, const char *text)
{
    char out[SS_CURSOR_BYTES_MAX];
    size_t len = ss__cursor_write(&cursor, out);
    ss_check_msg(ss_str_equal(ss_str_of(out, len), ss_str(text)), "%.*s", (int)len, out);
    struct ss_cursor back = { 7, 7, 7, 7 };
    ss_check(ss__cursor_parse(ss_str(text), &back, NULL) == 0);
    ss_check(back.epoch == cursor.epoch && back.ordinal == cursor.ordinal &&
             back.live == cursor.live && back.run == cursor.run);
}

SS_TEST(cursor, is_read_as_it_is_written)
{
    check_text((struct ss_cursor){ 0, 0, 0, 0 }, "0:0");
    check_text((struct ss_cursor){ 10, 200, 0, 0 }, "10:200");
    check_text((struct ss_cursor){ 1, 2, 3, 4 }, "1:2.3~4");
    check_text((struct ss_cursor){ 1, 2, 0, 4 }, "1:2.0~4");
    check_text((struct ss_cursor){ 1, 2, 3, 0 }, "1:2.3");
    check_text((struct ss_cursor){ UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX },
               "18446744073709551615:18446744073709551615.18446744073709551615~"
               "18446744073709551615");
}

SS_TEST(cursor, nothing_else_is_one)
{
    static const char *const bad[] = {
        "", "1", ":", "1:", ":1", "1:2.", "1:2.3~", "1:2~3", "1:2.3~4 ", " 1:2", "1:2:3", "+1:2",
        "-1:2", "01:2", "1:00", "1:2.03", "0x1:2", "18446744073709551616:1",
        "1:99999999999999999999", "1:2.3.4", "1;2", "a:b", "1:2.3~4~5",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct ss_cursor cursor = { 7, 7, 7, 7 };
        struct ss_failure failure = { .text = "" };
        ss_check_msg(ss__cursor_parse(ss_str(bad[i]), &cursor, &failure) == SS_E_INVAL, "%s",
                     bad[i]);
        ss_check(cursor.epoch == 7 && strstr(failure.text, "is no cursor") != NULL);
    }
    struct ss_cursor cursor;
    ss_check(ss__cursor_parse(ss_str_of("1:2\0", 4), &cursor, NULL) == SS_E_INVAL);
    ss_check(ss__cursor_parse(ss_str_of(NULL, 0), &cursor, NULL) == SS_E_INVAL);
}

SS_TEST(cursor, every_cut_of_one_is_refused_or_means_less)
{
    const char *text = "12:34.56~78";
    for (size_t len = 0; len < strlen(text); len++) {
        struct ss_cursor cursor = { 0 };
        int err = ss__cursor_parse(ss_str_of(text, len), &cursor, NULL);
        ss_check(err == SS_E_INVAL || cursor.epoch == 12);
    }
}
