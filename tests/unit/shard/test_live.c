/* Live-only events: in order, never before what precedes them, never stored. */
#include "notes_app.h"
#include "resume_notes.h"

#include "shard/context.h"
#include "shard/shard_state.h"

static int live(struct ss_context *context, const char *text)
{
    Sessionstream__Test__Notes__Note note = make_note("live", text);
    return ss_publish_live(context, "Shown", &note.base);
}

static int durable(struct ss_context *context, const char *text)
{
    Sessionstream__Test__Notes__Note note = make_note("a", text);
    return ss_publish(context, "Put", &note.base);
}

static int three_between(struct ss_context *context, struct fixture *fixture)
{
    (void)fixture;
    ss_check(durable(context, "started") == 0);
    ss_check(live(context, "1") == 0 && live(context, "2") == 0 && live(context, "3") == 0);
    return durable(context, "ended");
}

static int one_live(struct ss_context *context, struct fixture *fixture)
{
    (void)fixture;
    return live(context, "one");
}

/* Takes a frame and returns its JSON. */
static void take_text(struct fixture *f, char *out, size_t cap, bool is_live)
{
    struct ss_msg *msg = next_message(f);
    ss_check(msg != NULL && msg->kind == SS_MSG_FRAME);
    struct ss_msg_frame *frame = (struct ss_msg_frame *)(void *)msg;
    ss_check(frame->live == is_live && frame->bufs[SS_ENCODING_V2_JSON] != NULL);
    struct ss_str body = ss__ws_payload(frame->bufs[SS_ENCODING_V2_JSON]);
    snprintf(out, cap, "%.*s", (int)body.len, body.data);
    ss__msg_free(msg);
}

static void cursor_in(const char *text, char *out)
{
    const char *at = strstr(text, "\"cursor\":\"");
    ss_check(at != NULL);
    at += strlen("\"cursor\":\"");
    size_t len = strcspn(at, "\"");
    memcpy(out, at, len);
    out[len] = '\0';
}

SS_TEST(live, events_are_counted_behind_the_durable_one)
{
    struct fixture f;
    char text[4096];
    fixture_init(&f);
    ss__msg_free(&(post_resume(&f, "s", 7, NULL), step_all(&f), take_answer(&f))->base);
    call_in(&f, "s", three_between);
    ss_check(f.done_err == 0 && f.done_ordinal == 2);
    take_text(&f, text, sizeof text, false);
    ss_check(strstr(text, "\"eventOrdinal\":\"1\"") != NULL && strstr(text, "\"live\"") == NULL);
    static const char *const numbers[] = { "\"live\":\"1\"", "\"live\":\"2\"", "\"live\":\"3\"" };
    for (int i = 0; i < 3; i++) {
        take_text(&f, text, sizeof text, true);
        ss_check(strstr(text, "\"eventOrdinal\":\"1\"") != NULL);
        ss_check(strstr(text, numbers[i]) != NULL && strstr(text, "\"cursor\":\"") != NULL);
    }
    take_text(&f, text, sizeof text, false);
    ss_check(strstr(text, "\"eventOrdinal\":\"2\"") != NULL);
    call_in(&f, "s", one_live);
    take_text(&f, text, sizeof text, true);
    ss_check(strstr(text, "\"live\":\"1\"") != NULL && strstr(text, "\"eventOrdinal\":\"2\"") != NULL);
    ss_check(next_message(&f) == NULL);
    fixture_deinit(&f);
}

SS_TEST(live, events_are_not_stored)
{
    struct fixture f;
    fixture_init(&f);
    call_in(&f, "s", three_between);
    call_in(&f, "s", one_live);
    fixture_restart(&f);
    struct answer answer = resume_from(&f, "s", 7, NULL);
    ss_check(strstr(answer.snapshot, "\"snapshotOrdinal\":\"2\"") != NULL);
    ss_check(strstr(answer.snapshot, "\"live") == NULL && strchr(answer.cursor, '.') == NULL);
    fixture_deinit(&f);
}

SS_TEST(live, a_session_may_have_nothing_else)
{
    struct fixture f;
    fixture_init(&f);
    struct answer first = resume_from(&f, "s", 7, NULL);
    call_in(&f, "s", one_live);
    call_in(&f, "s", one_live);
    drop_messages(&f);
    leave(&f, "s", 7);
    struct answer back = resume_from(&f, "s", 8, first.cursor);
    ss_check(back.recovered && back.frames == 2 && strncmp(back.cursor, "0:0.2~", 6) == 0);
    fixture_deinit(&f);
}

SS_TEST(live, resume_is_exact_to_the_live_only_event)
{
    struct fixture f;
    char text[4096];
    char cursor[SS_CURSOR_BYTES_MAX + 1];
    fixture_init(&f);
    (void)resume_from(&f, "s", 7, NULL);
    call_in(&f, "s", three_between);
    for (int i = 0; i < 3; i++) {
        take_text(&f, text, sizeof text, i > 0);
    }
    cursor_in(text, cursor);    /* 1.2 */
    drop_messages(&f);
    leave(&f, "s", 7);
    call_in(&f, "s", one_live);
    struct answer back = resume_from(&f, "s", 8, cursor);
    ss_check(back.recovered && back.frames == 3 && back.first == 1 && back.last == 2);
    struct answer again = resume_from(&f, "s", 8, back.cursor);
    ss_check(again.recovered && again.frames == 0);
    fixture_deinit(&f);
}

SS_TEST(live, a_cursor_of_a_run_that_is_over_is_unknown)
{
    struct fixture f;
    char by_hand[SS_CURSOR_BYTES_MAX + 1];
    fixture_init(&f);
    put(&f, "s", "a", "1");
    (void)resume_from(&f, "s", 7, NULL);
    call_in(&f, "s", one_live);
    call_in(&f, "s", one_live);
    drop_messages(&f);
    struct answer before = resume_from(&f, "s", 7, NULL);
    ss_check(strstr(before.cursor, ":1.2~") != NULL);
    strcpy(by_hand, before.cursor);
    *strchr(by_hand, '~') = '\0';
    struct answer answer = resume_from(&f, "s", 7, by_hand);
    ss_check(!answer.recovered && answer.reason == SS_RESUME_LIVE_UNKNOWN);
    fixture_restart(&f);
    drop_messages(&f);
    f.now_ns += 1000000;
    answer = resume_from(&f, "s", 7, before.cursor);
    ss_check(!answer.recovered && answer.reason == SS_RESUME_LIVE_UNKNOWN);
    call_in(&f, "s", one_live);
    call_in(&f, "s", one_live);
    drop_messages(&f);
    answer = resume_from(&f, "s", 7, before.cursor);    /* the same numbers mean something else */
    ss_check(!answer.recovered && answer.reason == SS_RESUME_LIVE_UNKNOWN);
    fixture_deinit(&f);
}

SS_TEST(live, missed_ones_that_nobody_followed_are_unknown)
{
    struct fixture f;
    char cursor[SS_CURSOR_BYTES_MAX + 1];
    fixture_init(&f);
    put(&f, "s", "a", "1");
    struct answer first = resume_from(&f, "s", 7, NULL);
    strcpy(cursor, first.cursor);
    leave(&f, "s", 7);
    f.now_ns += SS_RING_LINGER_NS;
    put(&f, "other", "a", "1");
    call_in(&f, "s", one_live);
    struct answer answer = resume_from(&f, "s", 8, cursor);
    ss_check(!answer.recovered && answer.reason == SS_RESUME_LIVE_UNKNOWN);
    struct answer ahead = resume_from(&f, "s", 8, answer.cursor);
    ss_check(ahead.recovered && ahead.frames == 0);
    char *number = strchr(answer.cursor, '.') + 1;
    *number = '9';
    ahead = resume_from(&f, "s", 8, answer.cursor);
    ss_check(!ahead.recovered && ahead.reason == SS_RESUME_AHEAD);
    fixture_deinit(&f);
}

SS_TEST(live, a_state_that_goes_takes_its_run_along)
{
    struct fixture f;
    fixture_init(&f);
    put(&f, "s", "a", "1");
    struct answer first = resume_from(&f, "s", 7, NULL);
    call_in(&f, "s", one_live);
    drop_messages(&f);
    struct answer after = resume_from(&f, "s", 7, NULL);
    struct ss_channel *channel =
        ss__channel_get(f.shard, ss_str("s"), ss__map_hash(ss_str("s")), false);
    ss__state_free(f.shard, channel->state);
    struct answer answer = resume_from(&f, "s", 7, after.cursor);
    ss_check(!answer.recovered && answer.reason == SS_RESUME_LIVE_UNKNOWN);
    answer = resume_from(&f, "s", 7, first.cursor);    /* what is left of the session */
    ss_check(answer.recovered && answer.frames == 0);
    put(&f, "s", "a", "2");
    ss_check(take_frame(&f) == 2);
    answer = resume_from(&f, "s", 7, first.cursor);
    ss_check(answer.recovered && answer.frames == 1);
    fixture_deinit(&f);
}

static int refused(struct ss_context *context, struct fixture *fixture)
{
    Sessionstream__Test__Notes__Note note = make_note("live", "\xff");
    (void)fixture;
    ss_check(ss_publish_live(context, "None", &note.base) == SS_E_UNKNOWN_UI);
    ss_check(ss_publish_live(context, NULL, &note.base) == SS_E_UNKNOWN_UI);
    ss_check(ss_publish_live(context, "Shown", &note.base) < 0);
    ss_check(ss_publish_live_packed(context, "Shown", ss_str("\xff")) == SS_E_PAYLOAD);
    ss_check(ss_publish_live_packed(context, "None", ss_str("")) == SS_E_UNKNOWN_UI);
    ss_check(ss_publish_live(context, "Shown", NULL) == 0);
    ss_check(ss_publish_live_packed(context, "Shown", ss_str("\x12\x01x")) == 0);
    int err = 0;
    for (int i = 0; i < 2000 && err == 0; i++) {
        err = live(context, "x");
    }
    return err;
}

SS_TEST(live, i7_what_does_not_fit_is_refused)
{
    struct fixture f;
    fixture_init(&f);
    struct answer first = resume_from(&f, "s", 7, NULL);
    ss_check(!first.recovered);
    call_in(&f, "s", refused);
    ss_check(f.done_err == SS_E_LIMIT);
    char text[4096];
    take_text(&f, text, sizeof text, true);
    ss_check(strstr(text, "\"payload\"") == NULL && strstr(text, "\"live\":\"1\"") != NULL);
    fixture_deinit(&f);
}

SS_TEST(live, nothing_is_encoded_for_nobody)
{
    struct fixture f;
    fixture_init(&f);
    call_in(&f, "s", one_live);
    ss_check(total_of(f.stats->frames_encoded) == 0 && atomic_load(&f.stats->commits) == 0);
    fixture_deinit(&f);
}

static int run_and_say(struct ss_context *context, struct fixture *fixture)
{
    (void)fixture;
    ss_set_running(context, true);
    ss_set_running(context, true);
    int err = live(context, "working");
    ss_set_running(context, false);
    return err;
}

SS_TEST(live, activity_is_told_in_order_and_shown_in_snapshots)
{
    struct fixture f;
    char text[4096];
    fixture_init(&f);
    (void)resume_from(&f, "s", 7, NULL);
    post_subscribe(&f, "s", 9, 1);
    step_all(&f);
    drop_messages(&f);
    (void)resume_from(&f, "s", 7, NULL);
    call_in(&f, "s", run_and_say);
    take_text(&f, text, sizeof text, true);
    ss_check_msg(strcmp(text, "{\"activity\":{\"sessionId\":\"s\",\"running\":true}}") == 0, "%s", text);
    take_text(&f, text, sizeof text, true);
    ss_check(strstr(text, "\"live\":\"1\"") != NULL);
    take_text(&f, text, sizeof text, true);
    ss_check(strcmp(text, "{\"activity\":{\"sessionId\":\"s\"}}") == 0);
    put(&f, "s", "a", "run");
    drop_messages(&f);
    struct answer answer = resume_from(&f, "s", 7, NULL);
    ss_check(strstr(answer.snapshot, "\"running\":true") != NULL);
    post_resume(&f, "s", 7, answer.cursor);
    step_all(&f);
    struct ss_request *request = take_answer(&f);
    ss_check(request->recovered && request->running);
    ss__msg_free(&request->base);
    put(&f, "s", "a", "stop");
    drop_messages(&f);
    answer = resume_from(&f, "s", 7, NULL);
    ss_check(strstr(answer.snapshot, "\"running\"") == NULL);
    fixture_deinit(&f);
}
