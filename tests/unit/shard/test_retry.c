/* Failed events: what each policy makes of them, how they are remembered, and trying them again. */
#include "notes_app.h"

#include <sched.h>

#include "runtime/pool.h"
#include "shard/snapshot.h"

struct policies {
    enum ss_projection_policy ui;
    enum ss_projection_policy timeline;
};

static void init(struct fixture *f, struct policies policies)
{
    fixture_init(f);
    ss__shard_close(f->shard);
    f->ui_policy = policies.ui;
    f->timeline_policy = policies.timeline;
    fixture_restart(f);
}

struct seen {
    int err;
    unsigned calls;
    struct ss_cursors cursors;
};

static void on_cursors(int err, const struct ss_cursors *cursors, void *ctx)
{
    struct seen *seen = ctx;
    seen->calls++;
    seen->err = err;
    if (cursors != NULL) {
        seen->cursors = *cursors;
    }
}

static void post_bare(struct fixture *f, enum ss_request_kind kind, const char *session,
                      struct seen *seen)
{
    struct ss_str none = { NULL, 0 };
    struct ss_request *request = ss__request_new(kind, ss_str(session), none, none);
    ss_check(request != NULL);
    if (kind == SS_REQUEST_CURSORS) {
        request->cursors_done = on_cursors;
        request->ctx = seen;
    } else {
        request->done = on_done;
        request->ctx = f;
    }
    ss_check(ss__inbox_post(ss__shard_inbox(f->shard), &request->base.node, SS_POST_OUTSIDE) == 0);
    step_all(f);
}

static struct ss_cursors cursors_of(struct fixture *f, const char *session)
{
    struct seen seen = { .calls = 0 };
    post_bare(f, SS_REQUEST_CURSORS, session, &seen);
    ss_check(seen.calls == 1 && seen.err == 0);
    return seen.cursors;
}

static int retry(struct fixture *f, const char *session)
{
    unsigned before = f->dones;
    post_bare(f, SS_REQUEST_RETRY, session, NULL);
    ss_check(f->dones == before + 1);
    return f->done_err;
}

static void check_cursors(struct fixture *f, uint64_t ordinal, uint64_t timeline,
                          uint64_t failed_total, uint64_t first_failed)
{
    struct ss_cursors cursors = cursors_of(f, "s");
    ss_check_msg(cursors.ordinal == ordinal && cursors.timeline == timeline &&
                     cursors.failed_total == failed_total && cursors.failed[0] == first_failed,
                 "ordinal %d timeline %d failed %d first %d", (int)cursors.ordinal,
                 (int)cursors.timeline, (int)cursors.failed_total, (int)cursors.failed[0]);
}

static void put(struct fixture *f, const char *id, const char *text)
{
    post_put(f, "s", id, text);
    step_all(f);
    ss_check(f->done_err == 0);
}

/* Of "s": the snapshot as JSON. */
static void snapshot(struct fixture *f, char *out, size_t cap)
{
    f->now_ns += SS_SNAPSHOT_REUSE_NS;    /* not one of before, with frames */
    post_subscribe(f, "s", 99, 1);
    for (step_all(f); f->shard->jobs > 0; step_all(f)) {
        sched_yield();
    }
    ss__msg_free(&take_snapshot(f, out, cap)->base);
    struct ss_msg_uninterested *msg = ss__uninterested_new(
        sizeof *msg, 0, (struct ss_session_handle){ 99, 1 }, ss_str("s"));
    ss_check(msg != NULL);
    ss_check(ss__inbox_post(ss__shard_inbox(f->shard), &msg->base.node, SS_POST_INSIDE) == 0);
    step_all(f);
}

static bool shows(struct fixture *f, const char *part)
{
    char text[8192];
    snapshot(f, text, sizeof text);
    return strstr(text, part) != NULL;
}

static void evict(struct fixture *f)
{
    struct ss_channel *channel =
        ss__channel_get(f->shard, ss_str("s"), ss__map_hash(ss_str("s")), false);
    if (channel != NULL && channel->state != NULL) {
        ss__state_free(f->shard, channel->state);
    }
}

/* Makes Raw fail or change an entity, as the test says. */
static int raw_timeline(struct ss_timeline *timeline, const struct ss_event *event,
                        const struct ss_view *view, struct fixture *f)
{
    (void)view;
    const bool *works = f->given;
    const Sessionstream__Test__Notes__Note *note = (const void *)ss_event_payload(event);
    return *works ? ss_put_entity(timeline, "Note", ss_str(note->id), &note->base) : SS_E_HANDLER;
}

static int raw_ui(struct ss_ui *ui, const struct ss_event *event, struct fixture *f)
{
    (void)f;
    return ss_emit_ui(ui, "Shown", ss_event_payload(event));
}

static void raw(struct fixture *f, const char *id)
{
    post_note(f, SS_REQUEST_PUBLISH, "Raw", "s", id, "raw");
    step_all(f);
}

static int ui_fails(struct ss_ui *ui, const struct ss_event *event, struct fixture *f)
{
    (void)ui;
    (void)event;
    (void)f;
    return SS_E_HANDLER;
}

struct row {
    struct policies policies;
    bool ui_fails;
    bool timeline_fails;
    int err;
    const char *who;         /* whose error the publisher gets */
    bool applied;
    bool moved;              /* the position of a snapshot */
    bool sent;
    uint64_t timeline;       /* cursor, of an event with ordinal 2 */
};

/* Contract 1.5, every row. */
static const struct row rows[] = {
    { { SS_POLICY_FAIL, SS_POLICY_FAIL }, false, false, 0, "", true, true, true, 2 },
    { { SS_POLICY_FAIL, SS_POLICY_FAIL }, true, false, SS_E_PROJECTION, "UI", false, false, false,
      1 },
    { { SS_POLICY_ADVANCE, SS_POLICY_FAIL }, true, false, 0, "", true, true, false, 2 },
    { { SS_POLICY_FAIL, SS_POLICY_FAIL }, false, true, SS_E_PROJECTION, "timeline", false, false,
      false, 1 },
    { { SS_POLICY_FAIL, SS_POLICY_ADVANCE }, false, true, 0, "", false, true, true, 1 },
    { { SS_POLICY_FAIL, SS_POLICY_ADVANCE }, true, true, SS_E_PROJECTION, "UI", false, false,
      false, 1 },
    { { SS_POLICY_ADVANCE, SS_POLICY_FAIL }, true, true, SS_E_PROJECTION, "timeline", false, false,
      false, 1 },
    { { SS_POLICY_ADVANCE, SS_POLICY_ADVANCE }, true, true, 0, "", false, true, false, 1 },
};

static void check_row(const struct row *row, bool reload)
{
    struct fixture f;
    bool works = !row->timeline_fails;
    char text[8192];
    init(&f, row->policies);
    f.given = &works;
    f.raw_timeline = raw_timeline;
    f.raw_ui = row->ui_fails ? ui_fails : raw_ui;
    put(&f, "a", "1");
    post_subscribe(&f, "s", 7, 1);
    step_all(&f);
    ss__msg_free(&take_snapshot(&f, text, sizeof text)->base);
    raw(&f, "b");
    ss_check(f.done_err == row->err && f.done_ordinal == 2);    /* stored in any case */
    struct ss_msg *msg = next_message(&f);
    ss_check((msg != NULL) == row->sent && (msg == NULL || msg->kind == SS_MSG_FRAME));
    ss__msg_free(msg);
    if (reload) {
        fixture_restart(&f);
    }
    check_cursors(&f, 2, row->timeline, row->timeline == 1, row->timeline == 1 ? 2 : 0);
    snapshot(&f, text, sizeof text);
    ss_check_msg((strstr(text, "\"id\":\"b\"") != NULL) == row->applied, "row %td: %s",
                 row - rows, text);
    ss_check(strstr(text, row->moved ? "\"snapshotOrdinal\":\"2\"" : "\"snapshotOrdinal\":\"1\"") !=
             NULL);
    fixture_deinit(&f);
}

SS_TEST(retry, what_each_policy_advances_is_the_table_of_the_contract)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        check_row(&rows[i], false);
        check_row(&rows[i], true);
    }
}

/* W-14: 1 good, 2 fails, 3 good. */
SS_TEST(retry, a_later_success_never_hides_a_failure)
{
    struct fixture f;
    bool works = false;
    init(&f, (struct policies){ SS_POLICY_FAIL, SS_POLICY_FAIL });
    f.given = &works;
    f.raw_timeline = raw_timeline;
    put(&f, "a", "1");
    raw(&f, "b");
    ss_check(f.done_err == SS_E_PROJECTION);
    put(&f, "a", "3");
    check_cursors(&f, 3, 1, 1, 2);
    evict(&f);
    check_cursors(&f, 3, 1, 1, 2);
    /* A checkpoint behind it, and a process that begins with that. */
    ss__shard_close(f.shard);
    fixture_restart(&f);
    check_cursors(&f, 3, 1, 1, 2);
    ss_check(retry(&f, "s") == SS_E_PROJECTION && f.done_ordinal == 1);
    check_cursors(&f, 3, 1, 1, 2);
    works = true;
    ss_check(retry(&f, "s") == 0 && f.done_ordinal == 3);
    check_cursors(&f, 3, 3, 0, 0);
    ss_check(shows(&f, "\"id\":\"b\"") && shows(&f, "\"text\":\"1+3\""));
    works = false;    /* what was answered is on disk, and needs no projection */
    fixture_restart(&f);
    check_cursors(&f, 3, 3, 0, 0);
    ss_check(shows(&f, "\"id\":\"b\"") && shows(&f, "\"text\":\"1+3\""));
    ss_check(retry(&f, "s") == 0 && f.done_ordinal == 3);    /* nothing to do */
    fixture_deinit(&f);
}

SS_TEST(retry, the_oldest_failures_are_named_and_the_others_counted)
{
    struct fixture f;
    bool works = false;
    init(&f, (struct policies){ SS_POLICY_FAIL, SS_POLICY_ADVANCE });
    f.given = &works;
    f.raw_timeline = raw_timeline;
    for (unsigned i = 0; i < SS_FAILED_ORDINALS_MAX + 5; i++) {
        raw(&f, "b");
    }
    put(&f, "a", "1");
    for (int round = 0; round < 2; round++) {
        struct ss_cursors cursors = cursors_of(&f, "s");
        ss_check(cursors.timeline == 0 && cursors.ordinal == SS_FAILED_ORDINALS_MAX + 6);
        ss_check(cursors.failed_total == SS_FAILED_ORDINALS_MAX + 5);
        ss_check(cursors.failed_count == SS_FAILED_ORDINALS_MAX);
        for (unsigned i = 0; i < SS_FAILED_ORDINALS_MAX; i++) {
            ss_check(cursors.failed[i] == i + 1);
        }
        ss__shard_close(f.shard);
        fixture_restart(&f);
    }
    works = true;
    ss_check(retry(&f, "s") == 0);
    check_cursors(&f, SS_FAILED_ORDINALS_MAX + 6, SS_FAILED_ORDINALS_MAX + 6, 0, 0);
    fixture_deinit(&f);
}

static void check_halted(struct fixture *f, uint64_t ordinal, uint64_t halted_at)
{
    struct ss_cursors cursors = cursors_of(f, "s");
    ss_check_msg(cursors.ordinal == ordinal && cursors.halted_at == halted_at &&
                     cursors.failed_total == 0 &&
                     cursors.timeline == (halted_at == 0 ? ordinal : halted_at - 1),
                 "ordinal %d halted %d timeline %d", (int)cursors.ordinal, (int)cursors.halted_at,
                 (int)cursors.timeline);
}

SS_TEST(retry, a_halted_timeline_stays_until_a_retry_replays_from_there_in_order)
{
    struct fixture f;
    bool works = false;
    char text[8192];
    init(&f, (struct policies){ SS_POLICY_FAIL, SS_POLICY_HALT });
    f.given = &works;
    f.raw_timeline = raw_timeline;
    f.raw_ui = raw_ui;
    put(&f, "a", "1");
    post_subscribe(&f, "s", 7, 1);
    step_all(&f);
    ss__msg_free(&take_snapshot(&f, text, sizeof text)->base);
    raw(&f, "b");
    ss_check(f.done_err == SS_E_PROJECTION && f.done_ordinal == 2);
    struct ss_msg *msg = next_message(&f);
    ss_check(msg != NULL && msg->kind == SS_MSG_FRAME);
    struct ss_str told =
        ss__ws_payload(((const struct ss_msg_frame *)(const void *)msg)->bufs[0]);
    ss_check(memmem(told.data, told.len, "timeline_halted", 15) != NULL);
    ss__msg_free(msg);
    put(&f, "b", "2");    /* publishers go on, and followers */
    put(&f, "a", "3");
    ss_check(take_frame(&f) == 3 && take_frame(&f) == 4);
    check_halted(&f, 4, 2);
    ss_check(!shows(&f, "\"id\":\"b\"") && !shows(&f, "1+3"));
    for (int round = 0; round < 2; round++) {
        if (round == 0) {
            evict(&f);
        } else {
            ss__shard_close(f.shard);
            fixture_restart(&f);
        }
        check_halted(&f, 4, 2);
        ss_check(!shows(&f, "\"id\":\"b\"") && shows(&f, "\"snapshotOrdinal\":\"1\""));
    }
    ss_check(retry(&f, "s") == SS_E_PROJECTION && f.done_ordinal == 1);
    check_halted(&f, 4, 2);
    works = true;
    ss_check(retry(&f, "s") == 0 && f.done_ordinal == 4);
    works = false;
    for (int round = 0; round < 2; round++) {
        check_halted(&f, 4, 0);
        ss_check(shows(&f, "\"text\":\"raw+2\"") && shows(&f, "\"text\":\"1+3\""));
        fixture_restart(&f);
    }
    fixture_deinit(&f);
}

SS_TEST(retry, followers_are_resynced_and_older_cursors_are_not_recovered)
{
    struct fixture f;
    bool works = false;
    char text[8192];
    init(&f, (struct policies){ SS_POLICY_FAIL, SS_POLICY_FAIL });
    f.given = &works;
    f.raw_timeline = raw_timeline;
    raw(&f, "b");
    put(&f, "a", "1");
    post_subscribe_v2(&f, "s", 7, 1);
    step_all(&f);
    struct ss_request *subscribed = take_snapshot(&f, text, sizeof text);
    struct ss_cursor cursor = subscribed->place;
    ss__msg_free(&subscribed->base);
    ss_check(strstr(text, "\"id\":\"b\"") == NULL);
    works = true;
    ss_check(retry(&f, "s") == 0);
    struct ss_msg *msg = next_message(&f);
    ss_check(msg != NULL && msg->kind == SS_MSG_RESYNC);
    ss__msg_free(msg);
    struct ss_str none = { NULL, 0 };
    struct ss_request *request = ss__request_new(SS_REQUEST_SUBSCRIBE, ss_str("s"), none, none);
    request->connection = (struct ss_connection_id){ 0, 1, 1 };
    request->handle = (struct ss_session_handle){ 7, 1 };
    request->encoding = SS_ENCODING_V2_JSON;
    request->resuming = true;
    request->resume = cursor;
    ss_check(ss__inbox_post(ss__shard_inbox(f.shard), &request->base.node, SS_POST_OUTSIDE) == 0);
    step_all(&f);
    subscribed = take_snapshot(&f, text, sizeof text);
    ss_check(!subscribed->recovered && subscribed->reason == SS_RESUME_STALE_EPOCH);
    ss_check(strstr(text, "\"id\":\"b\"") != NULL);
    ss__msg_free(&subscribed->base);
    fixture_deinit(&f);
}

static int fails_after_all(struct ss_timeline *timeline, const struct ss_event *event,
                           const struct ss_view *view, struct fixture *f)
{
    bool works = event->ordinal == 2;
    f->given = &works;
    return raw_timeline(timeline, event, view, f);
}

/* An event that is in the timeline cannot be made again: the retry fails, and nothing has changed. */
SS_TEST(retry, one_that_cannot_be_done_leaves_the_session_as_it_was)
{
    struct fixture f;
    bool works = true;
    init(&f, (struct policies){ SS_POLICY_FAIL, SS_POLICY_FAIL });
    f.given = &works;
    f.raw_timeline = raw_timeline;
    raw(&f, "a");
    works = false;
    raw(&f, "b");
    put(&f, "c", "1");
    ss__shard_close(f.shard);
    fixture_restart(&f);
    f.raw_timeline = fails_after_all;
    ss_check(retry(&f, "s") == SS_E_PROJECTION);
    check_cursors(&f, 3, 1, 1, 2);
    ss_check(shows(&f, "\"id\":\"a\"") && !shows(&f, "\"id\":\"b\"") && shows(&f, "\"id\":\"c\""));
    fixture_deinit(&f);
}

SS_TEST(retry, a_session_without_failures_or_events_has_nothing_to_try)
{
    struct fixture f;
    init(&f, (struct policies){ SS_POLICY_FAIL, SS_POLICY_HALT });
    ss_check(retry(&f, "s") == 0 && f.done_ordinal == 0);
    check_cursors(&f, 0, 0, 0, 0);
    fixture_deinit(&f);
}

/* Long enough to be read by the pool; what comes meanwhile waits. */
SS_TEST(retry, a_long_session_is_read_by_the_pool_while_requests_wait)
{
    struct fixture f;
    bool works = false;
    struct seen seen = { .calls = 0 };
    fixture_init(&f);
    ss_check(ss__pool_new(1, &f.pool) == 0);
    ss__shard_close(f.shard);
    fixture_restart(&f);
    f.given = &works;
    f.raw_timeline = raw_timeline;
    raw(&f, "b");
    for (unsigned i = 0; i < 300; i++) {
        put(&f, "a", "x");
    }
    works = true;
    unsigned before = f.dones;
    struct ss_str none = { NULL, 0 };
    struct ss_request *request = ss__request_new(SS_REQUEST_RETRY, ss_str("s"), none, none);
    request->done = on_done;
    request->ctx = &f;
    ss_check(ss__inbox_post(ss__shard_inbox(f.shard), &request->base.node, SS_POST_OUTSIDE) == 0);
    post_put(&f, "s", "c", "after");
    request = ss__request_new(SS_REQUEST_CURSORS, ss_str("s"), none, none);
    request->cursors_done = on_cursors;
    request->ctx = &seen;
    ss_check(ss__inbox_post(ss__shard_inbox(f.shard), &request->base.node, SS_POST_OUTSIDE) == 0);
    while (f.dones < before + 2 || seen.calls == 0 || f.shard->jobs > 0) {
        step_all(&f);
        sched_yield();
    }
    ss_check(seen.err == 0 && seen.cursors.ordinal == 302 && seen.cursors.timeline == 302);
    ss__shard_close(f.shard);
    fixture_restart(&f);
    check_cursors(&f, 302, 302, 0, 0);
    ss_check(shows(&f, "\"id\":\"b\""));
    ss__shard_close(f.shard);
    ss__shard_free(f.shard);
    f.shard = NULL;
    ss__pool_free(f.pool);
    fixture_deinit(&f);
}

/* Whoever ends before the result is on disk says so, and a retry does it again. */
SS_TEST(retry, that_is_not_written_at_the_end_is_answered_and_not_lost)
{
    struct fixture f;
    bool works = false;
    fixture_init(&f);
    f.given = &works;
    f.raw_timeline = raw_timeline;
    raw(&f, "b");
    put(&f, "a", "1");
    works = true;
    ss__fault_arm("store.flush.begin", 1, 1000, SS_E_STOREIO);
    unsigned before = f.dones;
    post_bare(&f, SS_REQUEST_RETRY, "s", NULL);
    ss_check(f.dones == before);
    ss__shard_close(f.shard);
    ss_check(f.dones == before + 1 && f.done_err == SS_E_STOPPING);
    ss__fault_reset();
    fixture_restart(&f);
    works = false;
    check_cursors(&f, 2, 0, 1, 1);
    works = true;
    ss_check(retry(&f, "s") == 0);
    check_cursors(&f, 2, 2, 0, 0);
    fixture_deinit(&f);
}
