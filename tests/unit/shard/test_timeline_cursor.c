/* The watermark, and what a checkpoint may say. */
#include "notes_app.h"

#include "shard/timeline_cursor.h"

SS_TEST(timeline_cursor, the_watermark_is_before_the_first_event_that_is_missing)
{
    struct ss_state state = { .ordinal = 9 };
    struct ss_failed_set none = { 0 };
    ss_check(ss__timeline_begin(&state, &none) == 0 && state.failed == NULL);
    ss_check(ss__timeline_watermark(&state) == 9 && !ss__timeline_has_failed(&state));
    state.halted_at = 7;
    ss_check(ss__timeline_watermark(&state) == 6 && ss__timeline_shown(&state) == 6);
    ss_check(ss__timeline_reserve(&state) == 0);
    ss_check(ss__timeline_watermark(&state) == 6);
    ss__timeline_failed(&state, 3);
    ss__timeline_failed(&state, 5);
    ss_check(ss__timeline_watermark(&state) == 2 && ss__timeline_shown(&state) == 6);
    state.halted_at = 0;
    ss_check(ss__timeline_watermark(&state) == 2 && ss__timeline_shown(&state) == 9);
    ss_check(ss__timeline_has_failed(&state));
    ss_check(ss__timeline_begin(&state, &none) == 0);
    ss_check(!ss__timeline_has_failed(&state) && ss__timeline_watermark(&state) == 9);
}

SS_TEST(timeline_cursor, a_load_begins_with_what_the_checkpoint_knows)
{
    struct ss_state state = { .ordinal = 9, .halted_at = 4 };
    struct ss_failed_set set = { 0 };
    ss__failed_add(&set, 2);
    ss_check(ss__timeline_begin(&state, &set) == 0);
    ss_check(state.failed != NULL && state.failed->total == 1 && state.halted_at == 0);
    ss_check(ss__timeline_watermark(&state) == 1);
    free(state.failed);
}
