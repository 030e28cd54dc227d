/* Entities that were made anew without an event: whoever has the old ones is never told that
 * nothing was missed. */
#include "notes_app.h"
#include "page_damage.h"
#include "rebuild_notes.h"
#include "resume_notes.h"

struct remade {
    struct fixture f;
    struct code code;
    struct shown shown;
    struct answer before;    /* of a client that saw the old entities and left */
};

static struct answer come_back(struct remade *r, const char *cursor)
{
    r->f.now_ns += SS_RING_LINGER_NS;
    struct answer back = resume_from(&r->f, "s", 8, cursor);
    leave(&r->f, "s", 8);
    return back;
}

static uint64_t epoch_in(const struct answer *answer)
{
    return strtoull(answer->cursor, NULL, 10);
}

static bool has(const struct answer *answer, const char *text)
{
    return strstr(answer->snapshot, text) != NULL;
}

/* Two events, and somebody who knows both. */
static void begin(struct remade *r)
{
    init(&r->f, &r->code);
    put(&r->f, "x", "a");
    put(&r->f, "y", "b");
    r->before = resume_from(&r->f, "s", 7, NULL);
    leave(&r->f, "s", 7);
    r->f.now_ns += SS_RING_LINGER_NS;
    ss_check(come_back(r, r->before.cursor).recovered);
}

static void remake(struct remade *r, const char *mark)
{
    r->code.mark = mark;
    ss_check(rebuild(&r->f, 0, &r->shown) == 0);
    drop_messages(&r->f);
}

/* It is shown, and the flush that would write it fails. */
static void remake_in_memory(struct remade *r, const char *mark)
{
    ss__checkpoint_want(r->f.shard, channel_of(&r->f, "s")->state);
    (void)fixture_flush(&r->f);
    ss__fault_arm("store.flush.write", 1, 2, SS_E_STOREIO);
    r->code.mark = mark;
    post_rebuild(&r->f, 0, &r->shown);
    step_all(&r->f);
    ss_check(r->shown.calls == 0 && channel_of(&r->f, "s")->state->remade != 0);
    drop_messages(&r->f);
}

/* The third event, which changes x, is one that the projection fails on. */
static void fail_third(struct remade *r)
{
    r->code.fails_at = 3;
    ss_check(publish(&r->f, "x", "c") == SS_E_PROJECTION);
}

static void retry(struct remade *r, int expected)
{
    post_of_session(&r->f, SS_REQUEST_RETRY, 0, &r->shown);
    step_jobs(&r->f);
    ss_check_msg(r->shown.calls == 1 && r->shown.err == expected, "%u calls, %s", r->shown.calls,
                 ss_error_name(r->shown.err));
}

/* Somebody follows who has seen what is in memory only. */
static struct answer follow(struct remade *r)
{
    struct answer seen = resume_from(&r->f, "s", 7, NULL);
    ss_check(has(&seen, "\"-a\""));
    return seen;
}

/* The one who follows is told to come again, and gets the entities as they were. */
static void expect_resync(struct remade *r, const struct answer *seen)
{
    struct ss_msg *msg = next_message(&r->f);
    ss_check(msg != NULL && msg->kind == SS_MSG_RESYNC);
    ss__msg_free(msg);
    struct answer back = resume_from(&r->f, "s", 7, seen->cursor);
    ss_check(!back.recovered && has(&back, "\"a\"") && epoch_in(&back) == epoch_in(&r->before));
}

static void end_process(struct remade *r)
{
    ss__fault_reset();
    r->f.now_ns += 1000;    /* no two processes begin at once */
    fixture_restart(&r->f);
    drop_messages(&r->f);
}

SS_TEST(remade, an_older_cursor_is_stale_before_and_after_a_restart)
{
    struct remade r;
    begin(&r);
    remake(&r, "-");
    for (int i = 0; i < 3; i++) {
        struct answer back = come_back(&r, r.before.cursor);
        ss_check_msg(!back.recovered && back.reason == SS_RESUME_STALE_EPOCH, "%d", back.reason);
        ss_check(has(&back, "\"-a\"") && has(&back, "\"-b\""));
        end_process(&r);
    }
    struct answer now = come_back(&r, NULL);
    end_process(&r);
    /* It is another one once, not at each start. */
    ss_check(come_back(&r, now.cursor).recovered);
    ss_check(channel_of(&r.f, "s") == NULL || channel_of(&r.f, "s")->state == NULL);
    fixture_deinit(&r.f);
}

SS_TEST(remade, no_delta_leaves_out_what_was_made_anew)
{
    struct remade r;
    begin(&r);
    remake(&r, "-");
    put(&r.f, "z", "c");
    struct ss_request *request = make_resume("s", 9, SS_ENCODING_V2_JSON, r.before.cursor);
    request->delta = true;
    ss_check(ss__inbox_post(ss__shard_inbox(r.f.shard), &request->base.node, SS_POST_OUTSIDE) ==
             0);
    step_all(&r.f);
    struct answer back = read_answer(&r.f);
    ss_check(!back.recovered && back.reason == SS_RESUME_STALE_EPOCH);
    ss_check_msg(has(&back, "\"-a\"") && has(&back, "\"-b\"") && has(&back, "\"-c\"") &&
                     !has(&back, "\"delta\""), "%s", back.snapshot);
    fixture_deinit(&r.f);
}

SS_TEST(remade, what_changes_nothing_keeps_the_epoch)
{
    struct remade r;
    begin(&r);
    for (int i = 0; i < 2; i++) {
        remake(&r, "");
        ss_check(come_back(&r, r.before.cursor).recovered);
        end_process(&r);    /* the next one is of a session that is not in memory */
    }
    fail_third(&r);
    r.before = come_back(&r, NULL);
    retry(&r, SS_E_PROJECTION);    /* it fails again */
    for (int i = 0; i < 2; i++) {
        ss_check(come_back(&r, r.before.cursor).recovered);
        end_process(&r);
    }
    fixture_deinit(&r.f);
}

SS_TEST(remade, by_a_retry_is_as_by_a_rebuild)
{
    struct remade r;
    begin(&r);
    fail_third(&r);
    r.before = come_back(&r, NULL);
    ss_check(has(&r.before, "\"a\"") && !has(&r.before, "\"ac\""));
    r.code.fails_at = 0;
    retry(&r, 0);
    drop_messages(&r.f);
    for (int i = 0; i < 2; i++) {
        struct answer back = come_back(&r, r.before.cursor);
        ss_check(!back.recovered && back.reason == SS_RESUME_STALE_EPOCH && has(&back, "\"ac\""));
        end_process(&r);
    }
    fixture_deinit(&r.f);
}

SS_TEST(remade, what_a_crash_takes_back_is_known_to_nobody_who_saw_it)
{
    struct remade r;
    begin(&r);
    remake_in_memory(&r, "-");
    put(&r.f, "z", "c");
    struct answer seen = come_back(&r, NULL);    /* at event 3, behind which nothing is live-only */
    ss_check(has(&seen, "\"-a\"") && strchr(seen.cursor, '~') == NULL);
    ss_check(epoch_in(&seen) != epoch_in(&r.before));
    end_process(&r);
    struct answer back = come_back(&r, seen.cursor);
    ss_check(!back.recovered && back.reason == SS_RESUME_STALE_EPOCH && has(&back, "\"a\""));
    ss_check(epoch_in(&back) == epoch_in(&r.before));    /* what it stood for is there again */
    remake(&r, "+");    /* not with the epoch that the first one had */
    struct answer again = come_back(&r, seen.cursor);
    ss_check(!again.recovered && again.reason == SS_RESUME_STALE_EPOCH && has(&again, "\"+a\""));
    fixture_deinit(&r.f);
}

SS_TEST(remade, a_flush_of_events_alone_does_not_write_the_epoch_of_what_is_in_memory)
{
    struct remade r;
    begin(&r);
    remake_in_memory(&r, "-");
    put(&r.f, "z", "c");
    struct answer seen = come_back(&r, NULL);
    ss__fault_reset();
    r.f.now_ns += UINT64_C(200000000);
    flush_everything(&r.f);    /* no checkpoint is staged */
    end_process(&r);
    ss_check(!come_back(&r, seen.cursor).recovered);
    struct answer back = come_back(&r, NULL);
    ss_check(has(&back, "\"a\"") && epoch_in(&back) == epoch_in(&r.before));
    fixture_deinit(&r.f);
}

SS_TEST(remade, followers_are_told_when_a_failed_commit_takes_it_back)
{
    struct remade r;
    begin(&r);
    remake_in_memory(&r, "-");
    struct answer seen = follow(&r);
    ss__fault_arm("store.commit.before", 1, 2, SS_E_STOREIO);
    (void)publish(&r.f, "x", "lost");
    ss__fault_reset();
    ss_check(r.f.done_err == SS_E_COMMIT);
    expect_resync(&r, &seen);
    fixture_deinit(&r.f);
}

SS_TEST(remade, followers_are_told_when_an_undone_deletion_takes_it_back)
{
    struct remade r;
    struct shown deleted;
    begin(&r);
    remake_in_memory(&r, "-");
    struct answer seen = follow(&r);
    ss__fault_arm("store.commit.before", 1, 2, SS_E_STOREIO);
    post_of_session(&r.f, SS_REQUEST_DELETE, 0, &deleted);
    step_all(&r.f);
    ss__fault_reset();
    ss_check(deleted.calls == 1 && deleted.err == SS_E_COMMIT);
    expect_resync(&r, &seen);
    fixture_deinit(&r.f);
}

/* The page with the entities is damaged on the disk; memory has them all. The events are in the
 * log. */
static void damage_entities(struct remade *r)
{
    char path[128];
    put(&r->f, "marked", "m");
    ss__checkpoint_want(r->f.shard, channel_of(&r->f, "s")->state);
    ss_check(fixture_flush(&r->f) >= 0);
    snprintf(path, sizeof path, "%s/data.mdb", r->f.dir);
    ss_check(damage_pages(path, "marked") > 0);
}

SS_TEST(remade, a_rebuild_that_a_damaged_page_keeps_from_the_disk_is_not_acknowledged)
{
    struct remade r;
    begin(&r);
    damage_entities(&r);
    r.code.mark = "-";
    post_rebuild(&r.f, 0, &r.shown);
    step_jobs(&r.f);
    ss_check_msg(r.shown.calls == 1 && r.shown.err == SS_E_CORRUPT, "%u calls, %s", r.shown.calls,
                 ss_error_name(r.shown.err));
    ss_check(!channel_of(&r.f, "s")->rebuilding);
    drop_messages(&r.f);
    fixture_deinit(&r.f);
}

SS_TEST(remade, a_retry_that_a_damaged_page_keeps_from_the_disk_is_answered)
{
    struct remade r;
    begin(&r);
    fail_third(&r);
    damage_entities(&r);
    r.code.fails_at = 0;
    retry(&r, SS_E_CORRUPT);
    ss_check(channel_of(&r.f, "s") == NULL || channel_of(&r.f, "s")->retrying == 0);
    drop_messages(&r.f);
    fixture_deinit(&r.f);
}
