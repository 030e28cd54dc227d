#include <sessionstream/error_records.h>

#include "ss_test.h"

SS_TEST(error_kind, every_kind_has_the_word_it_is_found_by)
{
    for (int kind = 0; kind < SS_ERROR_KINDS; kind++) {
        ss_check(ss_error_kind_word(kind)[0] != '\0');
        ss_check(ss_error_kind_of(ss_str(ss_error_kind_word(kind))) == kind);
    }
    ss_check(ss_str_equal(ss_str(ss_error_kind_word(SS_ERROR_KIND_TIMELINE_PROJECTION)),
                          ss_str("timeline-projection")));
}

SS_TEST(error_kind, others_are_not_found)
{
    ss_check(ss_error_kind_word(-1)[0] == '\0');
    ss_check(ss_error_kind_word(SS_ERROR_KINDS)[0] == '\0');
    ss_check(ss_error_kind_of(ss_str("ui")) == SS_E_NOTFOUND);
    ss_check(ss_error_kind_of(ss_str("")) == SS_E_NOTFOUND);
}
