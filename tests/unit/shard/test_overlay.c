/* Appended bytes: seen by followers and in snapshots, gone with the next durable change. */
#include "shard/overlay.h"

#include <sessionstream/limits.h>

#include "notes_app.h"
#include "resume_notes.h"

#include "shard/context.h"
#include "shard/live.h"
#include "shard/shard_state.h"

static const char *piece = "+piece";
static const char *id = "a";

static int append_piece(struct ss_context *context, struct fixture *fixture)
{
    (void)fixture;
    return ss_append(context, "Note", ss_str(id), "text", ss_str(piece));
}

static void append_text(struct fixture *f, const char *to, const char *text)
{
    id = to;
    piece = text;
    call_in(f, "s", append_piece);
}

static void take_text(struct fixture *f, char *out, size_t cap)
{
    struct ss_msg *msg = next_message(f);
    ss_check(msg != NULL && msg->kind == SS_MSG_FRAME);
    struct ss_msg_frame *frame = (struct ss_msg_frame *)(void *)msg;
    ss_check(frame->bufs[SS_ENCODING_V2_JSON] != NULL);
    struct ss_str body = ss__ws_payload(frame->bufs[SS_ENCODING_V2_JSON]);
    snprintf(out, cap, "%.*s", (int)body.len, body.data);
    ss__msg_free(msg);
}

static struct ss_state *state_of(struct fixture *f)
{
    return ss__channel_get(f->shard, ss_str("s"), ss__map_hash(ss_str("s")), false)->state;
}

SS_TEST(overlay, followers_get_the_offset_and_late_ones_the_whole)
{
    struct fixture f;
    char text[4096];
    fixture_init(&f);
    put(&f, "s", "a", "one");
    (void)resume_from(&f, "s", 7, NULL);
    append_text(&f, "a", " two");
    ss_check(f.done_err == 0);
    append_text(&f, "a", " \xC3\xA9");
    take_text(&f, text, sizeof text);
    ss_check_msg(strstr(text, "{\"append\":{\"sessionId\":\"s\",\"eventOrdinal\":\"1\",\"kind\":\"Note\","
                              "\"id\":\"a\",\"field\":\"text\",\"offset\":\"3\",\"text\":\" two\",")
                 != NULL, "%s", text);
    ss_check(strstr(text, "\"live\":\"1\"") != NULL && strstr(text, "\"cursor\":\"") != NULL);
    take_text(&f, text, sizeof text);
    ss_check(strstr(text, "\"offset\":\"7\",\"text\":\" \xC3\xA9\"") != NULL);
    f.now_ns += 200000000;    /* no cached snapshot */
    struct answer late = resume_from(&f, "s", 7, NULL);
    ss_check_msg(strstr(late.snapshot, "\"text\":\"one two \xC3\xA9\"},\"appendedField\":\"text\","
                                       "\"appendedBytes\":\"7\"}") != NULL, "%s", late.snapshot);
    post_resume_as(&f, "s", 7, SS_ENCODING_V1_JSON, NULL);
    step_all(&f);
    char v1[4096];
    ss__msg_free(&take_snapshot(&f, v1, sizeof v1)->base);
    ss_check(strstr(v1, "\"text\":\"one two \xC3\xA9\"}}") != NULL && strstr(v1, "appended") == NULL);
    fixture_deinit(&f);
}

SS_TEST(overlay, the_next_durable_change_takes_its_place)
{
    struct fixture f;
    fixture_init(&f);
    put(&f, "s", "a", "one");
    put(&f, "s", "b", "other");
    append_text(&f, "a", " two");
    append_text(&f, "b", " three");
    size_t bytes = state_of(&f)->bytes;
    put(&f, "s", "a", "final");
    struct answer answer = resume_from(&f, "s", 7, NULL);
    ss_check(strstr(answer.snapshot, "\"text\":\"one+final\"}}") != NULL);
    ss_check(strstr(answer.snapshot, "\"text\":\"other three\"},\"appendedField\"") != NULL);
    ss_check(strstr(answer.cursor, ":3.0~") != NULL);    /* it depends on what is in memory */
    put(&f, "s", "b", "delete");
    ss_check(state_of(&f)->live->overlays_count == 0 && state_of(&f)->live->overlay_bytes == 0);
    ss_check(state_of(&f)->bytes < bytes);
    answer = resume_from(&f, "s", 7, NULL);
    ss_check(strchr(answer.cursor, '.') == NULL);
    fixture_deinit(&f);
}

SS_TEST(overlay, is_no_business_of_replay_and_a_lost_one_is_noticed)
{
    struct fixture f;
    fixture_init(&f);
    put(&f, "s", "a", "one");
    append_text(&f, "a", " two");
    struct answer before = resume_from(&f, "s", 7, NULL);
    ss_check(strstr(before.snapshot, "one two") != NULL);
    fixture_restart(&f);
    drop_messages(&f);
    f.now_ns += 1000000;
    struct answer after = resume_from(&f, "s", 7, before.cursor);
    ss_check(!after.recovered && after.reason == SS_RESUME_LIVE_UNKNOWN);
    ss_check(strstr(after.snapshot, "\"text\":\"one\"}}") != NULL);
    append_text(&f, "a", " two");
    drop_messages(&f);
    ss__state_free(f.shard, state_of(&f));    /* as an eviction does */
    put(&f, "other", "a", "1");
    struct ss_msg *msg = next_message(&f);
    ss_check(msg != NULL && msg->kind == SS_MSG_RESYNC);
    ss__msg_free(msg);
    fixture_deinit(&f);
}

SS_TEST(overlay, resume_is_exact_to_the_piece)
{
    struct fixture f;
    fixture_init(&f);
    put(&f, "s", "a", "one");
    (void)resume_from(&f, "s", 7, NULL);
    append_text(&f, "a", "1");
    drop_messages(&f);
    struct answer middle = resume_from(&f, "s", 7, NULL);
    leave(&f, "s", 7);
    append_text(&f, "a", "2");
    append_text(&f, "a", "3");
    struct answer back = resume_from(&f, "s", 8, middle.cursor);
    ss_check(back.recovered && back.frames == 2);
    fixture_deinit(&f);
}

static int refused(struct ss_context *context, struct fixture *fixture)
{
    struct ss_str a = ss_str("a");
    (void)fixture;
    ss_check(ss_append(context, "None", a, "text", ss_str("x")) == SS_E_UNKNOWN_KIND);
    ss_check(ss_append(context, NULL, a, "text", ss_str("x")) == SS_E_UNKNOWN_KIND);
    ss_check(ss_append(context, "Note", ss_str("b"), "text", ss_str("x")) == SS_E_NOTFOUND);
    ss_check(ss_append(context, "Note", ss_str(""), "text", ss_str("x")) == SS_E_NOTFOUND);
    ss_check(ss_append(context, "Note", a, "none", ss_str("x")) == SS_E_TYPE);
    ss_check(ss_append(context, "Note", a, NULL, ss_str("x")) == SS_E_TYPE);
    ss_check(ss_append(context, "Note", a, "text", ss_str("\xC3")) == SS_E_PAYLOAD);
    ss_check(ss_append(context, "Note", a, "text", ss_str_of("\0", 1)) == SS_E_PAYLOAD);
    ss_check(ss_append(context, "Note", a, "text", ss_str("")) == 0);
    ss_check(ss_append(context, "Note", a, "text", ss_str("x")) == 0);
    ss_check(ss_append(context, "Note", a, "id", ss_str("x")) == SS_E_LIMIT);
    return 0;
}

SS_TEST(overlay, i7_what_does_not_fit_is_refused)
{
    struct fixture f;
    fixture_init(&f);
    put(&f, "s", "a", "one");
    call_in(&f, "s", refused);
    ss_check(f.done_err == 0 && state_of(&f)->live->overlays_count == 1);
    fixture_deinit(&f);
}

SS_TEST(overlay, i6_entities_and_bytes_are_bounded)
{
    struct fixture f;
    char name[16];
    static char big[SS_APPENDED_BYTES_MAX + 1];
    fixture_init(&f);
    for (int i = 0; i <= SS_APPENDED_ENTITIES_MAX; i++) {
        snprintf(name, sizeof name, "n%d", i);
        put(&f, "s", name, "x");
        append_text(&f, name, "y");
        ss_check(f.done_err == (i < SS_APPENDED_ENTITIES_MAX ? 0 : SS_E_LIMIT));
    }
    memset(big, 'b', sizeof big - 1);
    append_text(&f, "n0", big);
    ss_check(f.done_err == SS_E_LIMIT);
    ss_check(state_of(&f)->live->overlays_count == SS_APPENDED_ENTITIES_MAX);
    fixture_deinit(&f);
}
