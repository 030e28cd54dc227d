/* The watermark, and what a checkpoint may say. */
#include "notes_app.h"

#include "shard/timeline_cursor.h"

static const struct ss_timeline_row nothing = { .projection = 1 };

SS_TEST(timeline_cursor, the_watermark_is_before_the_first_event_that_is_missing)
{
    struct ss_state state = { .ordinal = 9 };
    struct ss_timeline_state timeline = { 0 };
    ss_check(ss__timeline_begin(&timeline, &nothing, false) == 0 && timeline.failed == NULL);
    ss_check(ss__timeline_watermark(&state, &timeline) == 9);
    ss_check(!ss__timeline_has_failed(&timeline));
    timeline.halted_at = 7;
    ss_check(ss__timeline_watermark(&state, &timeline) == 6);
    ss_check(ss__timeline_shown(&state, &timeline) == 6);
    ss_check(ss__timeline_reserve(&timeline) == 0);
    ss_check(ss__timeline_watermark(&state, &timeline) == 6);
    ss__timeline_failed(&timeline, 3);
    ss__timeline_failed(&timeline, 5);
    ss_check(ss__timeline_watermark(&state, &timeline) == 2);
    ss_check(ss__timeline_shown(&state, &timeline) == 6);
    timeline.halted_at = 0;
    ss_check(ss__timeline_watermark(&state, &timeline) == 2);
    ss_check(ss__timeline_shown(&state, &timeline) == 9);
    ss_check(ss__timeline_has_failed(&timeline));
    ss_check(ss__timeline_begin(&timeline, &nothing, false) == 0);
    ss_check(!ss__timeline_has_failed(&timeline));
    ss_check(ss__timeline_watermark(&state, &timeline) == 9);
}

SS_TEST(timeline_cursor, a_load_begins_with_what_the_checkpoint_knows)
{
    struct ss_state state = { .ordinal = 9 };
    struct ss_timeline_state timeline = { .halted_at = 4 };
    struct ss_failed_set set = { 0 };
    ss__failed_add(&set, 2);
    struct ss_timeline_row row = { .projection = 1, .ordinal = 5, .failed = &set };
    ss_check(ss__timeline_begin(&timeline, &row, true) == 0);
    ss_check(timeline.failed != NULL && timeline.failed->total == 1 && timeline.halted_at == 0);
    ss_check(timeline.loaded == 5 && timeline.ordinal == 5 && timeline.retrying);
    ss_check(ss__timeline_watermark(&state, &timeline) == 1);
    free(timeline.failed);
}

SS_TEST(timeline_cursor, a_halt_is_over_for_a_retry_alone)
{
    struct ss_timeline_state timeline = { 0 };
    struct ss_timeline_row row = { .projection = 1, .ordinal = 5, .halted = true };
    ss_check(ss__timeline_begin(&timeline, &row, false) == 0 && timeline.halted_at == 6);
    ss_check(ss__timeline_begin(&timeline, &row, true) == 0 && timeline.halted_at == 0);
}
