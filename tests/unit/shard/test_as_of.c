/* Snapshots of earlier events: what they show, what they are made from, who waits for them. */
#include "as_of_notes.h"
#include "notes_app.h"

#include "store/history.h"

static void put(struct fixture *f, const char *id, const char *text)
{
    post_put(f, "s", id, text);
    step_all(f);
    ss_check(f->done_err == 0);
}

static void check_shows(struct fixture *f, uint64_t at, uint64_t label, const char *text)
{
    struct shown shown;
    ss_check(as_of(f, "s", at, &shown) == 0);
    ss_check_msg(shown.ordinal == label && strcmp(shown.text, text) == 0,
                 "at %d: label %d, %s", (int)at, (int)shown.ordinal, shown.text);
}

SS_TEST(as_of, each_event_is_applied_once_and_the_label_is_what_was_asked_for)
{
    struct fixture f;
    fixture_init(&f);
    put(&f, "x", "a");
    put(&f, "x", "b");
    put(&f, "y", "c");
    put(&f, "x", "d");
    check_shows(&f, 1, 1, "x:1:1:a\n");
    check_shows(&f, 2, 2, "x:1:2:a+b\n");
    check_shows(&f, 3, 3, "x:1:2:a+b\ny:3:3:c\n");
    check_shows(&f, 4, 4, "x:1:4:a+b+d\ny:3:3:c\n");
    fixture_deinit(&f);
}

SS_TEST(as_of, nothing_and_the_newest_and_what_is_beyond_are_the_present_with_its_label)
{
    struct fixture f;
    fixture_init(&f);
    put(&f, "x", "a");
    put(&f, "x", "b");
    check_shows(&f, 0, 2, "x:1:2:a+b\n");
    check_shows(&f, 2, 2, "x:1:2:a+b\n");
    check_shows(&f, 3, 2, "x:1:2:a+b\n");
    check_shows(&f, UINT64_MAX, 2, "x:1:2:a+b\n");
    ss_check(fold_events(&f) == 0);
    struct shown shown;
    ss_check(as_of(&f, "unknown", 7, &shown) == 0 && shown.ordinal == 0 && shown.count == 0);
    fixture_deinit(&f);
}

SS_TEST(as_of, an_entity_that_was_removed_is_gone_until_it_is_made_again)
{
    struct fixture f;
    fixture_init(&f);
    put(&f, "x", "a");
    put(&f, "x", "delete");
    put(&f, "y", "b");
    put(&f, "x", "c");
    put(&f, "y", "d");
    check_shows(&f, 1, 1, "x:1:1:a\n");
    check_shows(&f, 2, 2, "");
    check_shows(&f, 3, 3, "y:3:3:b\n");
    check_shows(&f, 4, 4, "y:3:3:b\nx:4:4:c\n");
    fixture_deinit(&f);
}

SS_TEST(as_of, a_gateway_gets_the_document)
{
    struct fixture f;
    fixture_init(&f);
    put(&f, "x", "a");
    put(&f, "x", "b");
    struct ss_str none = { NULL, 0 };
    struct ss_request *request = ss__request_new(SS_REQUEST_SNAPSHOT, ss_str("s"), none, none);
    request->connection = (struct ss_connection_id){ 0, 1, 1 };
    request->at = 1;
    ss_check(ss__inbox_post(ss__shard_inbox(f.shard), &request->base.node, SS_POST_OUTSIDE) == 0);
    step_all(&f);
    struct ss_msg *msg = next_message(&f);
    ss_check(msg != NULL && msg->kind == SS_MSG_REPLY);
    request = (struct ss_request *)(void *)msg;
    ss_check(request->err == 0 && request->ordinal == 1);
    char text[1024];
    snprintf(text, sizeof text, "%.*s", (int)request->snapshot->len,
             (const char *)request->snapshot->data);
    ss_check_msg(strstr(text, "\"snapshotOrdinal\":\"1\"") != NULL &&
                     strstr(text, "\"text\":\"a\"") != NULL, "%s", text);
    ss__msg_free(msg);
    fixture_deinit(&f);
}

#define HISTORY 160

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 16;
}

/* Publishes an event like no other, which may fail or remove something. */
static void publish_random(struct fixture *f, uint32_t *seed)
{
    char id[8];
    char text[16];
    uint32_t what = next_random(seed) % 10;
    snprintf(id, sizeof id, "n%d", (int)(next_random(seed) % 5));
    snprintf(text, sizeof text, "%d", (int)(next_random(seed) % 100));
    if (what == 0) {
        post_fail(f, "s", next_random(seed) % 2 == 0, next_random(seed) % 2 == 0);
    } else {
        post_put(f, "s", id, what < 3 ? "delete" : text);
    }
    step_all(f);
}

static void check_history(struct fixture *f, const struct shown *seen, uint64_t position)
{
    struct shown *shown = malloc(sizeof *shown);
    ss_check(shown != NULL);
    for (uint64_t at = 1; at <= HISTORY; at++) {
        ss_check(as_of(f, "s", at, shown) == 0);
        ss_check_msg(shown->ordinal == (at < position ? at : position) &&
                         strcmp(shown->text, seen[at].text) == 0,
                     "at %d: label %d, %s instead of %s", (int)at, (int)shown->ordinal,
                     shown->text, seen[at].text);
    }
    free(shown);
}

static void random_history(enum ss_projection_policy policy, uint32_t seed)
{
    struct fixture f;
    struct ss_pool *pool;
    struct shown *seen = calloc(HISTORY + 1, sizeof *seen);
    ss_check(seen != NULL && ss__pool_new(2, &pool) == 0);
    fixture_init(&f);
    ss__shard_close(f.shard);
    f.ui_policy = f.timeline_policy = policy;
    fixture_restart(&f);
    for (uint64_t ordinal = 1; ordinal <= HISTORY; ordinal++) {
        publish_random(&f, &seed);
        if (ordinal == HISTORY / 2) {
            ss__checkpoint_want(f.shard, ss__channel_get(f.shard, ss_str("s"),
                                                         ss__map_hash(ss_str("s")), false)->state);
            ss_check(fixture_flush(&f) > 0);
        }
        ss_check(as_of(&f, "s", 0, &seen[ordinal]) == 0);
    }
    uint64_t position = seen[HISTORY].ordinal;
    check_history(&f, seen, position);    /* half in segments, with a base, half in the log */
    fixture_restart(&f);
    check_history(&f, seen, position);
    flush_everything(&f);
    check_history(&f, seen, position);
    with_pool(&f, pool);
    check_history(&f, seen, position);
    fixture_deinit(&f);
    ss__pool_free(pool);
    free(seen);
}

SS_TEST(as_of, every_event_of_a_random_history_is_shown_as_it_was_then)
{
    random_history(SS_POLICY_FAIL, 1);
    random_history(SS_POLICY_ADVANCE, 2);
}

SS_TEST(as_of, a_halted_timeline_ends_where_it_halted)
{
    struct fixture f;
    fixture_init(&f);
    ss__shard_close(f.shard);
    f.timeline_policy = SS_POLICY_HALT;
    fixture_restart(&f);
    put(&f, "x", "a");
    put(&f, "x", "b");
    post_fail(&f, "s", false, true);
    step_all(&f);
    put(&f, "x", "c");
    check_shows(&f, 1, 1, "x:1:1:a\n");
    check_shows(&f, 2, 2, "x:1:2:a+b\n");
    check_shows(&f, 3, 2, "x:1:2:a+b\n");
    check_shows(&f, 4, 2, "x:1:2:a+b\n");
    fixture_deinit(&f);
}

static int fail_raw(struct ss_timeline *timeline, const struct ss_event *event,
                    const struct ss_view *view, struct fixture *f)
{
    (void)timeline;
    (void)event;
    (void)view;
    (void)f;
    return SS_E_HANDLER;
}

static int put_raw(struct ss_timeline *timeline, const struct ss_event *event,
                   const struct ss_view *view, struct fixture *f)
{
    (void)view;
    (void)f;
    return ss_put_entity_packed(timeline, "Note", ss_str("raw"), event->packed);
}

static void retry(struct fixture *f)
{
    struct ss_str none = { NULL, 0 };
    struct ss_request *request = ss__request_new(SS_REQUEST_RETRY, ss_str("s"), none, none);
    unsigned before = f->dones;
    request->done = on_done;
    request->ctx = f;
    ss_check(ss__inbox_post(ss__shard_inbox(f->shard), &request->base.node, SS_POST_OUTSIDE) == 0);
    step_jobs(f);
    ss_check(f->dones == before + 1 && f->done_err == 0);
}

SS_TEST(as_of, an_event_that_a_retry_had_in_is_in_from_then_on)
{
    struct fixture f;
    fixture_init(&f);
    f.raw_timeline = fail_raw;
    put(&f, "x", "a");
    post_note(&f, SS_REQUEST_PUBLISH, "Raw", "s", "raw", "r");
    step_all(&f);
    ss_check(f.done_err == SS_E_PROJECTION);
    put(&f, "x", "b");
    put(&f, "x", "c");
    check_shows(&f, 3, 3, "x:1:3:a+b\n");
    f.raw_timeline = put_raw;
    check_shows(&f, 3, 3, "x:1:3:a+b\n");    /* not before the retry */
    retry(&f);
    check_shows(&f, 1, 1, "x:1:1:a\n");
    check_shows(&f, 3, 3, "x:1:3:a+b\nraw:2:2:r\n");
    fixture_deinit(&f);
}

SS_TEST(as_of, an_event_that_fails_now_is_named)
{
    struct fixture f;
    struct shown shown;
    fixture_init(&f);
    f.raw_timeline = put_raw;
    put(&f, "x", "a");
    post_note(&f, SS_REQUEST_PUBLISH, "Raw", "s", "raw", "r");
    step_all(&f);
    put(&f, "x", "b");
    put(&f, "x", "c");
    f.raw_timeline = fail_raw;
    ss_check(as_of(&f, "s", 3, &shown) == SS_E_PROJECTION);
    ss_check_msg(strstr(shown.message, "event 2 ") != NULL, "%s", shown.message);
    ss_check(as_of(&f, "s", 1, &shown) == 0);
    fixture_deinit(&f);
}

SS_TEST(as_of, a_session_that_leaves_memory_in_the_same_batch_is_shown_all_the_same)
{
    struct fixture f;
    struct shown shown;
    fixture_init(&f);
    put(&f, "x", "a");
    flush_everything(&f);
    struct ss_state *state =
        ss__channel_get(f.shard, ss_str("s"), ss__map_hash(ss_str("s")), false)->state;
    ss__checkpoint_want(f.shard, state);
    ss_check(fixture_flush(&f) > 0);
    struct ss_str none = { NULL, 0 };
    struct ss_request *request = ss__request_new(SS_REQUEST_CLOSE, ss_str("s"), none, none);
    request->done = on_done;
    request->ctx = &f;
    post_snapshot(&f, "s", 0, &shown);
    ss_check(ss__inbox_post(ss__shard_inbox(f.shard), &request->base.node, SS_POST_OUTSIDE) == 0);
    step_all(&f);
    ss_check(f.done_err == 0 && f.shard->states_count == 0);
    ss_check(shown.calls == 1 && strcmp(shown.text, "x:1:1:a\n") == 0);
    fixture_deinit(&f);
}
