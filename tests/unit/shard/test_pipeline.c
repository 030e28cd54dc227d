/* From an event to its frames and entities, and what happens when a projection goes wrong. */
#include "notes_app.h"

#include <sessionstream/limits.h>

#include "shard/shard_state.h"

static int publish_raw(struct ss_context *context, struct fixture *fixture)
{
    Sessionstream__Test__Notes__Note note = make_note("a", "raw");
    (void)fixture;
    return ss_publish(context, "Raw", &note.base);
}

static int emit_three(struct ss_ui *ui, const struct ss_event *event, struct fixture *fixture)
{
    (void)fixture;
    for (int i = 0; i < 3; i++) {
        int err = ss_emit_ui(ui, "Shown", i == 1 ? NULL : ss_event_payload(event));
        if (err != 0) {
            return err;
        }
    }
    return 0;
}

static struct ss_str frame_text(struct ss_msg *msg)
{
    ss_check(msg != NULL && msg->kind == SS_MSG_FRAME);
    const struct ss_msg_frame *frame = (const struct ss_msg_frame *)(const void *)msg;
    return ss__ws_payload(frame->bufs[SS_ENCODING_V2_JSON]);
}

SS_TEST(pipeline, frames_of_one_event_are_numbered_and_the_last_is_marked)
{
    struct fixture f;
    char text[4096];
    fixture_init(&f);
    f.raw_ui = emit_three;
    post_subscribe_v2(&f, "s", 7, 1);
    step_all(&f);
    ss__msg_free(&take_snapshot(&f, text, sizeof text)->base);
    call_in(&f, "s", publish_raw);
    static const char *const want[] = { NULL, "\"index\":1", "\"index\":2" };
    for (int i = 0; i < 3; i++) {
        struct ss_msg *msg = next_message(&f);
        struct ss_str json = frame_text(msg);
        ss_check(memmem(json.data, json.len, "\"eventOrdinal\":\"1\"", 18) != NULL);
        ss_check(want[i] == NULL ||
                 memmem(json.data, json.len, want[i], strlen(want[i])) != NULL);
        ss_check((memmem(json.data, json.len, "\"last\":true", 11) != NULL) == (i == 2));
        ss_check((memmem(json.data, json.len, "\"payload\"", 9) != NULL) == (i != 1));
        ss__msg_free(msg);
    }
    ss_check(next_message(&f) == NULL);
    fixture_deinit(&f);
}

SS_TEST(pipeline, i10_a_frame_is_encoded_once_for_each_encoding_that_someone_wants)
{
    struct fixture f;
    char text[4096];
    fixture_init(&f);
    post_put(&f, "s", "a", "1");
    step_all(&f);
    ss_check(total_of(f.stats->frames_encoded) == 0);    /* nobody follows */
    post_subscribe(&f, "s", 7, 1);
    post_subscribe(&f, "s", 7, 2);
    step_all(&f);
    ss__msg_free(&take_snapshot(&f, text, sizeof text)->base);
    ss__msg_free(&take_snapshot(&f, text, sizeof text)->base);
    post_put(&f, "s", "a", "2");
    step_all(&f);
    ss_check(take_frame(&f) == 2 && total_of(f.stats->frames_encoded) == 1);
    post_subscribe_v2(&f, "s", 7, 3);
    step_all(&f);
    ss__msg_free(&take_snapshot(&f, text, sizeof text)->base);
    post_put(&f, "s", "a", "3");
    step_all(&f);
    ss_check(take_frame(&f) == 3 && total_of(f.stats->frames_encoded) == 3);
    ss_check(atomic_load(&f.stats->frames_encoded[SS_ENCODING_V1_JSON]) == 2);
    ss_check(atomic_load(&f.stats->frames_encoded[SS_ENCODING_V2_JSON]) == 1);
    ss_check(atomic_load(&f.stats->snapshots[SS_ENCODING_V1_JSON]) == 1);
    ss_check(atomic_load(&f.stats->snapshots[SS_ENCODING_V2_JSON]) == 1);
    fixture_deinit(&f);
}

static int emit_unknown(struct ss_ui *ui, const struct ss_event *event, struct fixture *fixture)
{
    (void)fixture;
    return ss_emit_ui(ui, "Nothing", ss_event_payload(event));
}

static int change_wrongly(struct ss_timeline *timeline, const struct ss_event *event,
                          const struct ss_view *view, struct fixture *fixture)
{
    Sessionstream__Test__Notes__Fail fail = SESSIONSTREAM__TEST__NOTES__FAIL__INIT;
    char long_id[SS_ENTITY_ID_BYTES_MAX + 2];
    memset(long_id, 'x', sizeof long_id - 1);
    long_id[sizeof long_id - 1] = '\0';
    (void)view;
    (void)fixture;
    const ProtobufCMessage *note = ss_event_payload(event);
    ss_check(ss_put_entity(timeline, "Nothing", ss_str("a"), note) == SS_E_UNKNOWN_KIND);
    ss_check(ss_put_entity(timeline, "Note", ss_str(""), note) == SS_E_INVAL);
    ss_check(ss_put_entity(timeline, "Note", ss_str("\xff"), note) == SS_E_INVAL);
    ss_check(ss_put_entity(timeline, "Note", ss_str(long_id), note) == SS_E_INVAL);
    ss_check(ss_put_entity(timeline, "Note", ss_str("a"), NULL) == SS_E_PAYLOAD);
    ss_check(ss_put_entity(timeline, "Note", ss_str("a"), &fail.base) == SS_E_TYPE);
    ss_check(ss_tombstone(timeline, "Nothing", ss_str("a")) == SS_E_UNKNOWN_KIND);
    return ss_tombstone(timeline, "Note", ss_str("never there"));
}

SS_TEST(pipeline, i7_what_a_projection_emits_is_checked)
{
    struct fixture f;
    char text[4096];
    fixture_init(&f);
    f.raw_timeline = change_wrongly;
    call_in(&f, "s", publish_raw);
    ss_check(f.done_err == 0 && f.done_ordinal == 1);
    f.raw_ui = emit_unknown;
    call_in(&f, "s", publish_raw);
    ss_check(f.done_err == SS_E_PROJECTION && f.done_ordinal == 2);
    post_subscribe(&f, "s", 7, 1);
    step_all(&f);
    ss__msg_free(&take_snapshot(&f, text, sizeof text)->base);
    ss_check(strstr(text, "entities") == NULL);
    fixture_deinit(&f);
}

static int emit_wrongly(struct ss_ui *ui, const struct ss_event *event, struct fixture *fixture)
{
    static char big[SS_PAYLOAD_BYTES_MAX + 1];
    Sessionstream__Test__Notes__Fail fail = SESSIONSTREAM__TEST__NOTES__FAIL__INIT;
    Sessionstream__Test__Notes__Note broken = make_note("a", "\xff");
    (void)event;
    (void)fixture;
    memset(big, 'x', sizeof big - 1);
    Sessionstream__Test__Notes__Note huge = make_note("a", big);
    ss_check(ss_emit_ui(ui, NULL, NULL) == SS_E_UNKNOWN_UI);
    ss_check(ss_emit_ui(ui, "Shown", &fail.base) == SS_E_TYPE);
    ss_check(ss_emit_ui(ui, "Shown", &broken.base) == SS_E_PAYLOAD);
    ss_check(ss_emit_ui(ui, "Shown", &huge.base) == SS_E_TOOBIG);
    return 0;
}

static int put_wrongly(struct ss_timeline *timeline, const struct ss_event *event,
                       const struct ss_view *view, struct fixture *fixture)
{
    static char big[SS_PAYLOAD_BYTES_MAX + 1];
    Sessionstream__Test__Notes__Note broken = make_note("a", "\xff");
    (void)event;
    (void)view;
    (void)fixture;
    memset(big, 'x', sizeof big - 1);
    Sessionstream__Test__Notes__Note huge = make_note("a", big);
    ss_check(ss_put_entity(timeline, NULL, ss_str("a"), &broken.base) == SS_E_UNKNOWN_KIND);
    ss_check(ss_tombstone(timeline, NULL, ss_str("a")) == SS_E_UNKNOWN_KIND);
    ss_check(ss_put_entity(timeline, "Note", ss_str("a"), &broken.base) == SS_E_PAYLOAD);
    ss_check(ss_put_entity(timeline, "Note", ss_str("a"), &huge.base) == SS_E_TOOBIG);
    ss_check(ss_put_entity_packed(timeline, "Note", ss_str("a"), ss_str_of(big, sizeof big)) ==
             SS_E_TOOBIG);
    return 0;
}

/* What was refused is not there, even if the projection goes on as if nothing had happened. */
SS_TEST(pipeline, i7_types_of_what_a_projection_emits_are_checked)
{
    struct fixture f;
    char text[4096];
    fixture_init(&f);
    f.raw_ui = emit_wrongly;
    f.raw_timeline = put_wrongly;
    post_subscribe_v2(&f, "s", 7, 1);
    step_all(&f);
    ss__msg_free(&take_snapshot(&f, text, sizeof text)->base);
    call_in(&f, "s", publish_raw);
    ss_check(f.done_err == 0 && f.done_ordinal == 1 && next_message(&f) == NULL);
    post_subscribe(&f, "s", 8, 1);
    step_all(&f);
    ss__msg_free(&take_snapshot(&f, text, sizeof text)->base);
    ss_check(strstr(text, "entities") == NULL);
    fixture_deinit(&f);
}

static int emit_packed(struct ss_ui *ui, const struct ss_event *event, struct fixture *fixture)
{
    static char big[SS_PAYLOAD_BYTES_MAX + 1];
    (void)fixture;
    ss_check(ss_emit_ui_packed(ui, "Nothing", event->packed) == SS_E_UNKNOWN_UI);
    ss_check(ss_emit_ui_packed(ui, "Shown", ss_str("\x0a\xff")) == SS_E_PAYLOAD);
    ss_check(ss_emit_ui_packed(ui, "Shown", ss_str_of(big, sizeof big)) == SS_E_TOOBIG);
    return ss_emit_ui_packed(ui, "Shown", event->packed);
}

static int put_packed(struct ss_timeline *timeline, const struct ss_event *event,
                      const struct ss_view *view, struct fixture *fixture)
{
    (void)view;
    (void)fixture;
    struct ss_str packed = event->packed;
    struct ss_str broken = ss_str("\x0a\x01\xff");
    ss_check(ss_put_entity_packed(timeline, "Nothing", ss_str("a"), packed) == SS_E_UNKNOWN_KIND);
    ss_check(ss_put_entity_packed(timeline, "Note", ss_str(""), packed) == SS_E_INVAL);
    ss_check(ss_put_entity_packed(timeline, "Note", ss_str("a"), broken) == SS_E_PAYLOAD);
    return ss_put_entity_packed(timeline, "Note", ss_str("a"), packed);
}

SS_TEST(pipeline, i7_packed_payloads_go_through_unchanged_and_are_checked)
{
    struct fixture f;
    char text[4096];
    fixture_init(&f);
    f.raw_ui = emit_packed;
    f.raw_timeline = put_packed;
    post_subscribe_v2(&f, "s", 7, 1);
    step_all(&f);
    ss__msg_free(&take_snapshot(&f, text, sizeof text)->base);
    call_in(&f, "s", publish_raw);
    ss_check(f.done_err == 0 && f.done_ordinal == 1);
    struct ss_msg *msg = next_message(&f);
    struct ss_str json = frame_text(msg);
    ss_check(memmem(json.data, json.len, "\"text\":\"raw\"", 12) != NULL);
    ss__msg_free(msg);
    post_subscribe(&f, "s", 8, 1);
    step_all(&f);
    ss__msg_free(&take_snapshot(&f, text, sizeof text)->base);
    ss_check(strstr(text, "\"text\":\"raw\"") != NULL);
    fixture_deinit(&f);
}

#define BIG_TEXT (1000u << 10)

/* One big entity per event, under an id of its own. */
static int put_big(struct ss_timeline *timeline, const struct ss_event *event,
                   const struct ss_view *view, struct fixture *fixture)
{
    char id[32];
    char *text = malloc(BIG_TEXT + 1);
    (void)view;
    (void)fixture;
    ss_check(text != NULL);
    memset(text, 'x', BIG_TEXT);
    text[BIG_TEXT] = '\0';
    snprintf(id, sizeof id, "%d", (int)event->ordinal);
    Sessionstream__Test__Notes__Note note = make_note(id, text);
    int err = ss_put_entity(timeline, "Note", ss_str(id), &note.base);
    free(text);
    return err;
}

static uint64_t snapshot_ordinal(struct fixture *f)
{
    char text[64];
    post_subscribe(f, "s", 7, 1);
    step_all(f);
    ss__msg_free(&take_snapshot(f, text, sizeof text)->base);
    const char *number = strstr(text, "\"snapshotOrdinal\":\"");
    return number == NULL ? 0 : strtoull(number + 19, NULL, 10);
}

/* An event whose entities do not fit is kept with a failed timeline, so that the session can be
 * loaded again. */
SS_TEST(pipeline, i7_a_full_session_refuses_more_and_stays_readable)
{
    struct fixture f;
    unsigned fitted = 0;
    fixture_init(&f);
    f.map_bytes = UINT64_C(512) << 20;
    f.snapshot_frame_bytes = 128u << 20;
    ss__shard_close(f.shard);
    fixture_restart(&f);
    f.raw_timeline = put_big;
    for (f.done_err = 0; f.done_err == 0 && fitted < 100; fitted += f.done_err == 0) {
        call_in(&f, "s", publish_raw);
    }
    ss_check(f.done_err == SS_E_PROJECTION);
    ss_check(fitted == SS_SESSION_STATE_BYTES_MAX / BIG_TEXT);
    ss_check(f.done_ordinal == fitted + 1 && snapshot_ordinal(&f) == fitted);
    fixture_restart(&f);
    ss_check(snapshot_ordinal(&f) == fitted);
    f.raw_timeline = NULL;
    call_in(&f, "s", publish_raw);
    ss_check(f.done_err == 0 && f.done_ordinal == fitted + 2);
    fixture_deinit(&f);
}

#ifdef SS_FAULTS
static void snapshot_text(struct fixture *f, char *out, size_t cap)
{
    post_subscribe(f, "s", 9, 1);
    step_all(f);
    ss__msg_free(&take_snapshot(f, out, cap)->base);
}

/* "Could not be read" must not look like "there is none". */
SS_TEST(pipeline, an_entity_that_cannot_be_read_refuses_the_event)
{
    struct fixture f;
    char text[4096];
    fixture_init(&f);
    post_put(&f, "s", "a", "1");
    step_all(&f);
    ss__shard_close(f.shard);    /* everything is in the checkpoint */
    fixture_restart(&f);
    ss__fault_arm("shard.read", 1, 1, SS_E_STOREIO);
    post_put(&f, "s", "a", "lost");
    step_all(&f);
    ss_check(f.done_err == SS_E_STOREIO && f.done_ordinal == 0);
    post_put(&f, "s", "a", "2");
    step_all(&f);
    ss_check(f.done_err == 0 && f.done_ordinal == 2);
    for (int round = 0; round < 2; round++) {
        snapshot_text(&f, text, sizeof text);
        ss_check_msg(strstr(text, "\"text\":\"1+2\"") != NULL, "%s", text);
        fixture_restart(&f);
    }
    fixture_deinit(&f);
}

static int put_two(struct ss_timeline *timeline, const struct ss_event *event,
                   const struct ss_view *view, struct fixture *fixture)
{
    (void)event;
    (void)view;
    (void)fixture;
    Sessionstream__Test__Notes__Note first = make_note("b", "new");
    Sessionstream__Test__Notes__Note second = make_note("a", "new");
    int err = ss_put_entity(timeline, "Note", ss_str("b"), &first.base);
    return err != 0 ? err : ss_put_entity(timeline, "Note", ss_str("a"), &second.base);
}

SS_TEST(pipeline, an_event_changes_all_of_its_entities_or_none)
{
    struct fixture f;
    char text[4096];
    fixture_init(&f);
    f.raw_timeline = put_two;
    post_put(&f, "s", "a", "old");
    step_all(&f);
    size_t bytes = f.shard->state_bytes;
    ss__fault_arm("shard.change", 2, 1, SS_E_NOMEM);
    call_in(&f, "s", publish_raw);
    ss_check(f.done_err == SS_E_NOMEM && f.done_ordinal == 0);
    ss_check(f.shard->state_bytes == bytes);
    snapshot_text(&f, text, sizeof text);
    ss_check(strstr(text, "old") != NULL && strstr(text, "new") == NULL);
    call_in(&f, "s", publish_raw);
    ss_check(f.done_err == 0 && f.done_ordinal == 2);
    for (struct ss_msg *msg; (msg = next_message(&f)) != NULL;) {
        ss__msg_free(msg);
    }
    snapshot_text(&f, text, sizeof text);
    ss_check(strstr(text, "old") == NULL && strstr(text, "\"b\"") != NULL);
    fixture_deinit(&f);
}

static bool short_of_memory;

static int put_if_there_is_memory(struct ss_timeline *timeline, const struct ss_event *event,
                                  const struct ss_view *view, struct fixture *fixture)
{
    return short_of_memory ? SS_E_NOMEM : put_two(timeline, event, view, fixture);
}

static int show_if_there_is_memory(struct ss_ui *ui, const struct ss_event *event,
                                   struct fixture *fixture)
{
    (void)ui;
    (void)event;
    (void)fixture;
    return short_of_memory ? SS_E_NOMEM : 0;
}

/* It would be missing from the entities for ever. */
SS_TEST(pipeline, lack_of_memory_in_a_projection_refuses_the_event)
{
    for (int ui = 0; ui < 2; ui++) {
        struct fixture f;
        char text[4096];
        fixture_init(&f);
        f.raw_timeline = ui ? put_two : put_if_there_is_memory;
        f.raw_ui = ui ? show_if_there_is_memory : NULL;
        short_of_memory = true;
        call_in(&f, "s", publish_raw);
        ss_check_msg(f.done_err == SS_E_NOMEM && f.done_ordinal == 0, "%s",
                     ss_error_name(f.done_err));
        short_of_memory = false;
        call_in(&f, "s", publish_raw);
        ss_check(f.done_err == 0 && f.done_ordinal == 1);
        short_of_memory = !ui;
        fixture_restart(&f);    /* nor may a replay give up the event */
        post_put(&f, "s", "a", "more");
        step_all(&f);
        ss_check(ui ? f.done_err == 0 : f.done_err == SS_E_NOMEM);
        short_of_memory = false;
        snapshot_text(&f, text, sizeof text);
        ss_check_msg(strstr(text, ui ? "new+more" : "\"text\":\"new\"") != NULL, "%s", text);
        fixture_deinit(&f);
    }
}
#endif
