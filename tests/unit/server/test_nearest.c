#include "server/nearest.h"

#include "ss_test.h"

static unsigned distance(const char *a, const char *b)
{
    return ss__nearest_distance(ss_str(a), ss_str(b));
}

SS_TEST(nearest, counts_edits)
{
    ss_check(distance("load", "load") == 0);
    ss_check(distance("laod", "load") == 2);
    ss_check(distance("loa", "load") == 1 && distance("loads", "load") == 1);
    ss_check(distance("", "load") == 4 && distance("load", "") == 4);
    ss_check(distance("kitten", "sitting") == 3);
}

SS_TEST(nearest, takes_underscore_for_hyphen)
{
    ss_check(distance("log_level", "log-level") == 0);
}

SS_TEST(nearest, compares_a_bounded_part_of_long_names)
{
    char longer[4 * SS_NEAREST_BYTES_MAX + 1];
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    ss_check(distance("x", longer) == SS_NEAREST_BYTES_MAX - 1);
    ss_check(distance(longer, "x") == 4 * SS_NEAREST_BYTES_MAX - 1);
}
