#include "server/columns.h"

#include <stdbool.h>

#include "ss_test.h"

static bool cell_is(const char *text, size_t width, const char *want)
{
    struct ss_bytes out;
    ss__bytes_init(&out, 0);
    ss__columns_cell(&out, ss_str(text), width);
    bool same = ss_str_equal(ss__bytes_view(&out), ss_str(want));
    ss__bytes_deinit(&out);
    return same;
}

SS_TEST(columns, cells_are_as_wide_as_their_column)
{
    ss_check(ss__columns_width(ss_str("\xc3\xa4z")) == 2);
    ss_check(cell_is("ab", 4, "ab    "));
    ss_check(cell_is("\xc3\xa4z", 2, "\xc3\xa4z  "));
    ss_check(cell_is("", 1, "   "));
    ss_check(cell_is("longer", 4, "longer  "));
    ss_check(cell_is("last", 0, "last"));
}

SS_TEST(columns, nothing_in_them_steers_the_terminal)
{
    ss_check(cell_is("a\x1b[2J\n\x7f", 0, "a?[2J??"));
    ss_check(cell_is("\xc2\x9b" "1m\xc2\xa0", 0, "?1m\xc2\xa0"));
}
