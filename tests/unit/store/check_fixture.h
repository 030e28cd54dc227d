/* check_fixture.h - what the check of a closed store has to say. */
#ifndef SS_TESTS_CHECK_FIXTURE_H
#define SS_TESTS_CHECK_FIXTURE_H

#include "store_fixture.h"

/* A finding with these words; the store is taken away. */
static inline void found(struct fixture *f, const char *part)
{
    struct ss_check_summary summary = fixture_check(f);
    ss_check_msg(summary.findings > 0, "nothing found, wanted: %s", part);
    ss_check_msg(strstr(f->finding, part) != NULL, "found \"%s\", wanted: %s", f->finding, part);
    fixture_end(f);
}

#endif
