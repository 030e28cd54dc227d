/* Which projections a record names. */
#include "ss_test.h"
#include "store/outcome.h"
#include "store/record.h"

SS_TEST(outcome, a_record_says_it_of_those_it_names_alone)
{
    struct ss_outcome_item item = { .len = 0 };
    struct ss_record record = { .flags = SS_RECORD_TIMELINE_FAILED };
    ss_check(ss__outcome_header(&item).len == 0);
    ss__outcome_add(&item, 7, SS_OUTCOME_FAILED);
    ss__outcome_add(&item, 70000, SS_OUTCOME_HALTED);
    ss__outcome_add(&item, 8, SS_OUTCOME_ADVANCED);
    record.header = ss__outcome_header(&item);
    ss_check(ss__header_check(record.header) == 0 && record.header.len == 2 + 3 * 5);
    ss_check(ss__outcome_of(&record, 7) == SS_OUTCOME_FAILED);
    ss_check(ss__outcome_of(&record, 70000) == SS_OUTCOME_HALTED);
    ss_check(ss__outcome_of(&record, 8) == SS_OUTCOME_ADVANCED);
    ss_check(ss__outcome_of(&record, 9) == SS_OUTCOME_NONE);
    record.flags = 0;    /* nothing is looked at where nothing failed */
    ss_check(ss__outcome_of(&record, 7) == SS_OUTCOME_NONE);
}

SS_TEST(outcome, all_projections_of_a_process_have_room)
{
    struct ss_outcome_item item = { .len = 0 };
    struct ss_record record = { .flags = SS_RECORD_HALTED };
    for (uint32_t i = 0; i < 2 * SS_PROJECTIONS_MAX; i++) {
        ss__outcome_add(&item, 100 + i, SS_OUTCOME_HALTED);
    }
    record.header = ss__outcome_header(&item);
    ss_check(ss__header_check(record.header) == 0);
    for (uint32_t i = 0; i < 2 * SS_PROJECTIONS_MAX; i++) {
        ss_check(ss__outcome_of(&record, 100 + i) == SS_OUTCOME_HALTED);
    }
}

SS_TEST(outcome, flags_that_name_nobody_are_said_of_all)
{
    struct ss_record record = { .flags = SS_RECORD_TIMELINE_FAILED };
    ss_check(ss__outcome_of(&record, 7) == SS_OUTCOME_FAILED);
    record.flags |= SS_RECORD_ADVANCED;
    ss_check(ss__outcome_of(&record, 7) == SS_OUTCOME_ADVANCED);
    record.flags |= SS_RECORD_HALTED;
    ss_check(ss__outcome_of(&record, 7) == SS_OUTCOME_HALTED);
    record.header = ss_str_of("\x0b\x02\x07\x00", 4);    /* cut off */
    ss_check(ss__outcome_of(&record, 7) == SS_OUTCOME_NONE);
}
