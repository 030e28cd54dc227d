/* Who comes back with a cursor gets exactly what was missed, or a snapshot and the reason. */
#include <errno.h>

#include "notes_app.h"
#include "resume_notes.h"

#include <sessionstream/limits.h>

#include "shard/shard_state.h"

static struct ss_channel *channel_of(struct fixture *f, const char *session)
{
    return ss__channel_get(f->shard, ss_str(session), ss__map_hash(ss_str(session)), false);
}

/* A cursor of the session's epoch. */
static const char *cursor_at(const struct answer *any, uint64_t ordinal)
{
    static char text[SS_CURSOR_BYTES_MAX + 1];
    snprintf(text, sizeof text, "%llu:%llu",
             (unsigned long long)strtoull(any->cursor, NULL, 10), (unsigned long long)ordinal);
    return text;
}

SS_TEST(resume, what_was_missed_comes_once_and_in_order_without_a_snapshot)
{
    struct fixture f;
    fixture_init(&f);
    put(&f, "s", "a", "1");
    struct answer first = resume_from(&f, "s", 7, NULL);
    ss_check(!first.recovered && first.reason == SS_RESUME_NONE && first.frames == 0);
    put(&f, "s", "a", "2");
    leave(&f, "s", 7);
    put(&f, "s", "a", "3");
    put(&f, "s", "a", "4");
    put(&f, "s", "a", "5");
    struct answer back = resume_from(&f, "s", 8, cursor_at(&first, 2));
    ss_check(back.recovered && back.reason == SS_RESUME_NONE);
    ss_check(back.frames == 3 && back.first == 3 && back.last == 5);
    ss_check(strcmp(back.cursor, cursor_at(&first, 5)) == 0);
    put(&f, "s", "a", "6");
    ss_check(take_frame(&f) == 6 && next_message(&f) == NULL);
    ss_check(total_of(f.stats->snapshots) == 1);
    fixture_deinit(&f);
}

SS_TEST(resume, five_reconnects_in_a_row_see_every_event_once)
{
    struct fixture f;
    char cursor[SS_CURSOR_BYTES_MAX + 1];
    fixture_init(&f);
    struct answer answer = resume_from(&f, "s", 1, NULL);
    strcpy(cursor, answer.cursor);
    uint64_t seen = 0;
    for (uint32_t round = 2; round <= 6; round++) {
        leave(&f, "s", round - 1);
        for (uint32_t i = 0; i < round; i++) {
            put(&f, "s", "a", "x");
        }
        answer = resume_from(&f, "s", round, cursor);
        ss_check(answer.recovered && answer.frames == round && answer.first == seen + 1);
        seen += round;
        ss_check(answer.last == seen);
        strcpy(cursor, answer.cursor);
    }
    ss_check(seen == 20 && total_of(f.stats->snapshots) == 1);
    fixture_deinit(&f);
}

SS_TEST(resume, at_the_present_place_the_session_is_not_even_loaded)
{
    struct fixture f;
    fixture_init(&f);
    put(&f, "s", "a", "1");
    struct answer first = resume_from(&f, "s", 7, NULL);
    fixture_restart(&f);
    drop_messages(&f);
    uint64_t loaded = atomic_load(&f.stats->sessions_loaded);
    struct answer back = resume_from(&f, "s", 8, first.cursor);
    ss_check(back.recovered && back.frames == 0);
    ss_check(strcmp(back.cursor, first.cursor) == 0);
    ss_check(channel_of(&f, "s")->state == NULL);
    ss_check(atomic_load(&f.stats->sessions_loaded) == loaded);
    put(&f, "s", "a", "2");
    ss_check(take_frame(&f) == 2);
    fixture_deinit(&f);
}

SS_TEST(resume, before_the_first_event)
{
    struct fixture f;
    fixture_init(&f);
    struct answer first = resume_from(&f, "s", 1, NULL);
    ss_check(strcmp(first.cursor, "0:0") == 0);
    leave(&f, "s", 1);
    struct answer again = resume_from(&f, "s", 2, "0:0");
    ss_check(again.recovered && again.frames == 0 && strcmp(again.cursor, "0:0") == 0);
    put(&f, "s", "a", "1");
    drop_messages(&f);
    leave(&f, "s", 2);
    put(&f, "s", "a", "2");
    struct answer late = resume_from(&f, "s", 3, "0:0");
    ss_check(late.recovered && late.frames == 2 && late.first == 1 && late.last == 2);
    leave(&f, "s", 3);
    f.now_ns += SS_RING_LINGER_NS;
    put(&f, "other", "a", "1");
    struct answer too_late = resume_from(&f, "s", 4, "0:0");
    ss_check(!too_late.recovered && too_late.reason == SS_RESUME_TOO_OLD);
    struct answer never = resume_from(&f, "never", 5, "77:3");
    ss_check(!never.recovered && never.reason == SS_RESUME_STALE_EPOCH);
    ss_check(strstr(never.snapshot, "\"cursor\":\"0:0\"") != NULL);
    fixture_deinit(&f);
}

SS_TEST(resume, a_snapshot_comes_with_the_reason)
{
    struct fixture f;
    char stale[64];
    fixture_init(&f);
    put(&f, "s", "a", "1");
    put(&f, "s", "a", "2");
    struct answer first = resume_from(&f, "s", 7, NULL);
    snprintf(stale, sizeof stale, "%llu:2",
             (unsigned long long)strtoull(first.cursor, NULL, 10) + 1);
    const struct {
        const char *cursor;
        enum ss_resume_reason reason;
    } cases[] = {
        { stale, SS_RESUME_STALE_EPOCH },
        { cursor_at(&first, 3), SS_RESUME_AHEAD },
    };
    for (size_t i = 0; i < 2; i++) {
        struct answer answer = resume_from(&f, "s", 7, cases[i].cursor);
        ss_check(!answer.recovered && answer.reason == cases[i].reason);
        ss_check(strstr(answer.snapshot, "\"snapshotOrdinal\":\"2\"") != NULL);
        ss_check(strcmp(answer.cursor, first.cursor) == 0);
    }
    struct answer old = resume_from(&f, "s", 7, cursor_at(&first, 1));
    ss_check(!old.recovered && old.reason == SS_RESUME_TOO_OLD);
    fixture_deinit(&f);
}

SS_TEST(resume, a_cursor_that_left_the_ring_is_too_old)
{
    struct fixture f;
    fixture_init(&f);
    struct answer first = resume_from(&f, "s", 7, NULL);
    put(&f, "s", "a", "1");
    first = resume_from(&f, "s", 7, NULL);
    for (unsigned i = 0; i < SS_RING_FRAMES_MAX + 1; i++) {
        put(&f, "s", "b", "delete");
        drop_messages(&f);
    }
    struct answer old = resume_from(&f, "s", 7, cursor_at(&first, 1));
    ss_check(!old.recovered && old.reason == SS_RESUME_TOO_OLD);
    struct answer young = resume_from(&f, "s", 7, cursor_at(&first, 2));
    ss_check(young.recovered && young.frames == SS_RING_FRAMES_MAX);
    fixture_deinit(&f);
}

SS_TEST(resume, a_burst_in_its_own_batch_that_pushes_its_frames_out_ends_in_a_snapshot)
{
    struct fixture f;
    fixture_init(&f);
    put(&f, "s", "a", "1");
    struct answer first = resume_from(&f, "s", 7, NULL);
    for (unsigned i = 0; i < 300; i++) {
        post_put(&f, "s", "b", "delete");
        if (i % 100 == 99 && i < 299) {
            step_all(&f);
        }
    }
    drop_messages(&f);
    /* Until the batch is released the ring has the 200 frames of the batches before. */
    ss_check(SS_RING_FRAMES_MAX > 200 && SS_RING_FRAMES_MAX < 300);
    post_resume(&f, "s", 7, cursor_at(&first, 1));
    step_all(&f);
    struct answer answer = read_answer(&f);
    ss_check(!answer.recovered && answer.reason == SS_RESUME_TOO_OLD && answer.frames == 0);
    fixture_deinit(&f);
}

SS_TEST(resume, a_burst_in_its_own_batch_that_fills_the_ring_ends_in_a_snapshot)
{
    struct fixture f;
    fixture_init(&f);
    put(&f, "s", "a", "1");
    struct answer first = resume_from(&f, "s", 7, NULL);
    put(&f, "s", "a", "2");
    drop_messages(&f);
    for (unsigned i = 0; i < 100; i++) {
        post_put(&f, "s", "b", "delete");
    }
    post_resume(&f, "s", 7, cursor_at(&first, 1));
    step_all(&f);
    struct answer inside = read_answer(&f);
    ss_check(inside.recovered && inside.frames == 101 && inside.first == 2 && inside.last == 102);
    for (unsigned i = 0; i < 10; i++) {
        post_put(&f, "s", "b", "delete");
    }
    step_all(&f);
    drop_messages(&f);
    channel_of(&f, "s")->ring->complete_after.ordinal = 50;    /* as if the others had left it */
    post_resume(&f, "s", 7, cursor_at(&first, 20));
    step_all(&f);
    struct answer outside = read_answer(&f);
    ss_check(!outside.recovered && outside.reason == SS_RESUME_TOO_OLD);
    fixture_deinit(&f);
}

SS_TEST(resume, events_without_frames_are_no_gap)
{
    struct fixture f;
    fixture_init(&f);
    struct answer first = resume_from(&f, "s", 7, NULL);
    put(&f, "s", "a", "1");
    first = resume_from(&f, "s", 7, NULL);
    post_note(&f, SS_REQUEST_PUBLISH, "Raw", "s", "x", "y");    /* no projection knows it */
    step_all(&f);
    struct answer back = resume_from(&f, "s", 7, first.cursor);
    ss_check(back.recovered && back.frames == 0);
    ss_check(strcmp(back.cursor, cursor_at(&first, 2)) == 0);
    fixture_deinit(&f);
}

SS_TEST(resume, frames_of_another_encoding_do_not_count)
{
    struct fixture f;
    fixture_init(&f);
    struct answer first = resume_from(&f, "s", 7, NULL);
    put(&f, "s", "a", "1");
    put(&f, "s", "a", "2");
    first = resume_from(&f, "s", 7, NULL);
    post_resume_as(&f, "s", 7, SS_ENCODING_V2_PROTOBUF, cursor_at(&first, 1));
    step_all(&f);
    struct ss_request *answer = take_answer(&f);
    ss_check(!answer->recovered && answer->reason == SS_RESUME_TOO_OLD);
    ss__msg_free(&answer->base);
    fixture_deinit(&f);
}

SS_TEST(resume, a_session_that_is_set_aside_gives_its_error)
{
    struct fixture f;
    fixture_init(&f);
    put(&f, "s", "a", "1");
    struct answer first = resume_from(&f, "s", 7, NULL);
    fixture_restart(&f);
    drop_messages(&f);
    struct ss_store_session *stored;
    ss_check(ss__store_get_session(f.shard->store, ss_str("s"), &stored) == 0);
    struct ss_session_row *row = (struct ss_session_row *)(uintptr_t)ss__store_row(stored);
    row->ordinal = 1;
    bool before = row->quarantined;
    row->quarantined = true;
    post_resume(&f, "s", 7, first.cursor);
    step_all(&f);
    struct ss_msg *msg = next_message(&f);
    ss_check(msg != NULL && msg->kind == SS_MSG_REPLY);
    ss_check(((struct ss_request *)(void *)msg)->err == SS_E_CORRUPT);
    ss__msg_free(msg);
    row->quarantined = before;
    ss__store_put_session(f.shard->store, stored);
    fixture_deinit(&f);
}

static struct answer delta_from(struct fixture *f, const char *cursor)
{
    struct ss_request *request = make_resume("s", 9, SS_ENCODING_V2_JSON, cursor);
    request->delta = true;
    ss_check(ss__inbox_post(ss__shard_inbox(f->shard), &request->base.node, SS_POST_OUTSIDE) == 0);
    step_all(f);
    return read_answer(f);
}

SS_TEST(resume, a_delta_has_the_changes_since_and_the_removals)
{
    struct fixture f;
    fixture_init(&f);
    put(&f, "s", "old", "1");
    put(&f, "s", "gone", "2");
    put(&f, "s", "changed", "3");
    struct answer first = resume_from(&f, "s", 7, NULL);
    leave(&f, "s", 7);
    f.now_ns += SS_RING_LINGER_NS;
    put(&f, "other", "a", "1");
    put(&f, "s", "gone", "delete");
    put(&f, "s", "changed", "4");
    put(&f, "s", "new", "5");
    struct answer delta = delta_from(&f, first.cursor);
    ss_check(!delta.recovered && delta.reason == SS_RESUME_TOO_OLD);
    ss_check(strstr(delta.snapshot, "\"delta\":true") != NULL);
    ss_check(strstr(delta.snapshot, "\"snapshotOrdinal\":\"6\"") != NULL);
    ss_check(strstr(delta.snapshot, "\"id\":\"old\"") == NULL);
    ss_check(strstr(delta.snapshot, "\"id\":\"changed\",\"createdOrdinal\":\"3\"") != NULL);
    ss_check(strstr(delta.snapshot, "\"id\":\"new\"") != NULL);
    ss_check(strstr(delta.snapshot, "\"id\":\"gone\",\"createdOrdinal\":\"2\","
                                    "\"lastEventOrdinal\":\"4\",\"tombstone\":true}") != NULL);
    ss_check(strcmp(delta.cursor, cursor_at(&first, 6)) == 0);
    struct answer whole = resume_from(&f, "s", 9, NULL);
    ss_check(strstr(whole.snapshot, "\"delta\"") == NULL && strstr(whole.snapshot, "old") != NULL);
    ss_check(strstr(whole.snapshot, "gone") == NULL);
    fixture_deinit(&f);
}

SS_TEST(resume, no_delta_hides_a_removal)
{
    struct fixture f;
    char stale[64];
    fixture_init(&f);
    put(&f, "s", "gone", "1");
    put(&f, "s", "a", "2");
    struct answer first = resume_from(&f, "s", 7, NULL);
    leave(&f, "s", 7);
    f.now_ns += SS_RING_LINGER_NS;
    put(&f, "other", "a", "1");
    put(&f, "s", "gone", "delete");
    put(&f, "s", "a", "3");
    snprintf(stale, sizeof stale, "%llu:2",
             (unsigned long long)strtoull(first.cursor, NULL, 10) + 1);
    struct answer answer = delta_from(&f, stale);
    ss_check(answer.reason == SS_RESUME_STALE_EPOCH && strstr(answer.snapshot, "delta\"") == NULL);
    struct ss_state *state = channel_of(&f, "s")->state;
    uint64_t before = state->tombstones_after;
    ss_check(before == 0);
    state->tombstones_after = 3;    /* as when a checkpoint has been written */
    answer = delta_from(&f, first.cursor);
    ss_check(answer.reason == SS_RESUME_TOO_OLD && strstr(answer.snapshot, "\"delta\"") == NULL);
    answer = delta_from(&f, cursor_at(&first, 3));
    ss_check(strstr(answer.snapshot, "\"delta\":true") != NULL);
    fixture_deinit(&f);
}

SS_TEST(resume, a_delta_after_a_load_reaches_back_to_the_entities_on_disk)
{
    struct fixture f;
    fixture_init(&f);
    put(&f, "s", "gone", "1");
    struct answer first = resume_from(&f, "s", 7, NULL);
    put(&f, "s", "gone", "delete");
    put(&f, "s", "a", "2");
    while (ss__shard_step(f.shard)) {
    }
    ss__shard_close(f.shard);    /* writes every checkpoint */
    ss__shard_free(f.shard);
    fixture_open(&f);
    drop_messages(&f);
    struct answer answer = delta_from(&f, first.cursor);
    ss_check(answer.reason == SS_RESUME_TOO_OLD);
    const struct ss_state *state = channel_of(&f, "s")->state;
    ss_check((strstr(answer.snapshot, "\"delta\"") != NULL) == (state->tombstones_after <= 1));
    ss_check(strstr(answer.snapshot, "\"delta\"") == NULL ||
             strstr(answer.snapshot, "\"tombstone\":true") != NULL);
    fixture_deinit(&f);
}

#ifdef SS_FAULTS
SS_TEST(resume, a_failed_commit_handles_it_again)
{
    struct fixture f;
    fixture_init(&f);
    put(&f, "s", "a", "1");
    struct answer first = resume_from(&f, "s", 7, NULL);
    put(&f, "s", "a", "2");
    drop_messages(&f);
    post_put(&f, "s", "a", "3");
    post_resume(&f, "s", 7, cursor_at(&first, 1));
    ss__fault_arm("log.write", 1, 2, EIO);    /* the try and its repetition */
    step_all(&f);
    ss__fault_reset();
    struct answer back = read_answer(&f);
    ss_check(f.done_err == SS_E_COMMIT);
    ss_check(back.recovered && back.frames == 1 && back.first == 2);
    ss_check(strcmp(back.cursor, cursor_at(&first, 2)) == 0);
    fixture_deinit(&f);
}
#endif
