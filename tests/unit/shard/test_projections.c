/* Several projections: each timeline projection has entities, failures and a checkpoint of its own,
 * whatever is registered with it or was at another time. */
#include "notes_app.h"

#include "shard/snapshot.h"

#define NOTE "sessionstream.test.notes.Note"

/* A timeline projection that appends each text to the note of its kind, and fails for some. */
struct code {
    const char *name;
    const char *kind;
    const char *foreign;        /* the kind of another, which it tries to see */
    const char *fails_for;      /* NULL: nothing */
    uint32_t version;
    unsigned calls;
};

struct world {
    struct fixture f;
    struct code a;
    struct code b;
    bool ui_fails;
    bool put_foreign;
    char error[256];            /* of the last publish */
};

static int put_note(struct ss_timeline *timeline, const char *kind, const char *id,
                    const char *text)
{
    Sessionstream__Test__Notes__Note note = make_note(id, text);
    return ss_put_entity(timeline, kind, ss_str(id), &note.base);
}

static int project(struct ss_timeline *timeline, const struct ss_event *event,
                   const struct ss_view *view, void *ctx)
{
    struct code *code = ctx;
    const Sessionstream__Test__Notes__Note *note = (const void *)ss_event_payload(event);
    const struct ss_entity *old = ss_view_get(view, code->kind, ss_str(note->id));
    char text[256] = "";
    code->calls++;
    ss_check(ss_view_get(view, code->foreign, ss_str(note->id)) == NULL);
    if (old != NULL) {
        const Sessionstream__Test__Notes__Note *before = (const void *)ss_entity_payload(view, old);
        snprintf(text, sizeof text, "%.200s", before->text);
    }
    strncat(text, note->text, sizeof text - strlen(text) - 1);
    int err = put_note(timeline, code->kind, note->id, text);
    return err == 0 && code->fails_for != NULL && strcmp(note->text, code->fails_for) == 0
               ? SS_E_HANDLER
               : err;
}

static int project_foreign(struct ss_timeline *timeline, const struct ss_event *event,
                           const struct ss_view *view, void *ctx)
{
    struct world *w = ctx;
    (void)event;
    (void)view;
    return w->put_foreign ? put_note(timeline, "A", "stolen", "x") : 0;
}

static int show_first(struct ss_ui *ui, const struct ss_event *event, const struct ss_view *view,
                      void *ctx)
{
    (void)view;
    (void)ctx;
    int err = ss_emit_ui(ui, "Shown", ss_event_payload(event));
    return err != 0 ? err : ss_emit_ui(ui, "Shown", ss_event_payload(event));
}

static int show_second(struct ss_ui *ui, const struct ss_event *event, const struct ss_view *view,
                       void *ctx)
{
    struct world *w = ctx;
    int err = ss_emit_ui(ui, "Also", ss_event_payload(event));
    (void)view;
    return w->ui_fails ? SS_E_HANDLER : err;
}

static int add(struct ss_registry *registry, struct code *code)
{
    int err = ss_register_entity(registry, code->kind, NOTE, code->name);
    return err != 0 ? err
                    : ss_register_timeline_projection(registry, code->name, code->version, project,
                                                      code);
}

/* Gives the shard an application with these projections; NULL: none in that place. */
static void restart_with(struct world *w, struct code *first, struct code *second)
{
    struct ss_registry *registry = ss_registry_new();
    ss_check(registry != NULL);
    ss_check(ss_registry_load_descriptors(registry, notes_descriptor_set,
                                          notes_descriptor_set_len) == 0);
    ss_check(ss_registry_attach(registry, &sessionstream__test__notes__note__descriptor) == 0);
    ss_check(ss_register_event(registry, "Put", NOTE) == 0);
    ss_check(ss_register_ui_event(registry, "Shown", NOTE) == 0);
    ss_check(ss_register_ui_event(registry, "Also", NOTE) == 0);
    ss_check(ss_register_ui_projection(registry, "first", show_first, w) == 0);
    ss_check(ss_register_ui_projection(registry, "second", show_second, w) == 0);
    ss_check(first == NULL || add(registry, first) == 0);
    ss_check(second == NULL || add(registry, second) == 0);
    ss_check(ss_register_timeline_projection(registry, "foreign", 1, project_foreign, w) == 0);
    ss_check(ss__transport_load(registry->schema, NULL) == 0);
    ss_check(ss__registry_freeze(registry) == 0);
    ss__shard_free(w->f.shard);
    ss_registry_free(w->f.registry);
    w->f.registry = registry;
    ss_check(ss__transport_init(&w->f.transport, registry->schema, NULL) == 0);
    w->a.calls = w->b.calls = 0;
    fixture_open(&w->f);
}

static void init(struct world *w, enum ss_projection_policy ui, enum ss_projection_policy timeline)
{
    fixture_init(&w->f);
    w->f.ui_policy = ui;
    w->f.timeline_policy = timeline;
    w->a = (struct code){ .name = "a", .kind = "A", .foreign = "B", .version = 1 };
    w->b = (struct code){ .name = "b", .kind = "B", .foreign = "A", .version = 1 };
    w->ui_fails = w->put_foreign = false;
    ss__shard_close(w->f.shard);
    restart_with(w, &w->a, &w->b);
}

static void on_published(const struct ss_result *result, void *ctx)
{
    struct world *w = ctx;
    w->f.done_err = result->err;
    snprintf(w->error, sizeof w->error, "%s", result->message);
}

static int publish(struct world *w, const char *id, const char *text)
{
    Sessionstream__Test__Notes__Note note = make_note(id, text);
    uint8_t packed[128];
    struct ss_str none = { NULL, 0 };
    struct ss_str payload = ss_str_of(packed, protobuf_c_message_pack(&note.base, packed));
    struct ss_request *request =
        ss__request_new(SS_REQUEST_PUBLISH, ss_str("s"), none, payload);
    ss_check(request != NULL);
    request->name = ss__registry_find(w->f.registry, SS_SPACE_EVENT, ss_str("Put"));
    request->done = on_published;
    request->ctx = w;
    ss_check(ss__inbox_post(ss__shard_inbox(w->f.shard), &request->base.node, SS_POST_OUTSIDE) ==
             0);
    step_all(&w->f);
    return w->f.done_err;
}

/* Events 1 to 5 of one note: "1" to "5". */
static void publish_five(struct world *w)
{
    for (int i = 1; i <= 5; i++) {
        char text[2] = { (char)('0' + i), '\0' };
        (void)publish(w, "n", text);    /* tests that want some to fail look later */
    }
}

static void on_cursors(int err, const struct ss_cursors *cursors, void *ctx)
{
    ss_check(err == 0);
    *(struct ss_cursors *)ctx = *cursors;
}

static struct ss_cursors cursors_of(struct world *w)
{
    struct ss_cursors cursors = { 0 };
    struct ss_str none = { NULL, 0 };
    struct ss_request *request = ss__request_new(SS_REQUEST_CURSORS, ss_str("s"), none, none);
    ss_check(request != NULL);
    request->cursors_done = on_cursors;
    request->ctx = &cursors;
    ss_check(ss__inbox_post(ss__shard_inbox(w->f.shard), &request->base.node, SS_POST_OUTSIDE) ==
             0);
    step_all(&w->f);
    return cursors;
}

/* Watermark, halt and first failed event of one projection; and how many failed. */
static void check_cursor(struct world *w, const char *name, uint64_t timeline, uint64_t halted_at,
                         uint64_t first_failed, uint64_t failed_total)
{
    struct ss_cursors cursors = cursors_of(w);
    const struct ss_projection_cursor *found = NULL;
    for (uint32_t i = 0; i < cursors.projections_count; i++) {
        if (strcmp(cursors.projections[i].projection, name) == 0) {
            found = &cursors.projections[i];
        }
    }
    ss_check(found != NULL);
    ss_check_msg(found->timeline == timeline && found->halted_at == halted_at &&
                     found->failed[0] == first_failed && found->failed_total == failed_total,
                 "%s: timeline %d halted %d failed %d of %d", name, (int)found->timeline,
                 (int)found->halted_at, (int)found->failed[0], (int)found->failed_total);
}

static int retry(struct world *w, uint32_t timelines)
{
    struct ss_str none = { NULL, 0 };
    struct ss_request *request = ss__request_new(SS_REQUEST_RETRY, ss_str("s"), none, none);
    ss_check(request != NULL);
    request->timelines = timelines;
    request->done = on_published;
    request->ctx = w;
    ss_check(ss__inbox_post(ss__shard_inbox(w->f.shard), &request->base.node, SS_POST_OUTSIDE) ==
             0);
    step_all(&w->f);
    return w->f.done_err;
}

static void drain(struct world *w)
{
    for (struct ss_msg *msg; (msg = next_message(&w->f)) != NULL;) {
        ss__msg_free(msg);
    }
}

static void unsubscribe(struct world *w)
{
    struct ss_msg_uninterested *msg = ss__uninterested_new(
        sizeof *msg, 0, (struct ss_session_handle){ 9, 1 }, ss_str("s"));
    ss_check(msg != NULL);
    ss_check(ss__inbox_post(ss__shard_inbox(w->f.shard), &msg->base.node, SS_POST_INSIDE) == 0);
    step_all(&w->f);
    drain(w);
}

/* The notes of the two kinds, and where the snapshot says it is; "" : there is none of the kind. */
static void check_snapshot(struct world *w, uint64_t ordinal, const char *a, const char *b)
{
    char text[8192];
    char want[64];
    w->f.now_ns += SS_SNAPSHOT_REUSE_NS;
    post_subscribe(&w->f, "s", 9, 1);
    step_all(&w->f);
    ss__msg_free(&take_snapshot(&w->f, text, sizeof text)->base);
    unsubscribe(w);
    snprintf(want, sizeof want, "\"snapshotOrdinal\":\"%d\"", (int)ordinal);
    ss_check_msg(strstr(text, want) != NULL, "%s not in %s", want, text);
    const char *kinds[] = { "A", "B" };
    const char *texts[] = { a, b };
    for (int i = 0; i < 2; i++) {
        snprintf(want, sizeof want, "\"kind\":\"%s\"", kinds[i]);
        const char *at = strstr(text, want);
        ss_check_msg((at != NULL) == (texts[i][0] != '\0'), "%s in %s", want, text);
        snprintf(want, sizeof want, "\"text\":\"%s\"", texts[i]);
        ss_check_msg(at == NULL || strstr(at, want) != NULL, "%s not in %s", want, text);
    }
}

static void deinit(struct world *w)
{
    drain(w);
    fixture_deinit(&w->f);
}

SS_TEST(projections, each_puts_its_own_kinds_alone)
{
    struct world w;
    init(&w, SS_POLICY_FAIL, SS_POLICY_FAIL);
    ss_check(publish(&w, "n", "1") == 0);
    w.put_foreign = true;
    ss_check(publish(&w, "n", "2") == SS_E_PROJECTION);
    ss_check_msg(strstr(w.error, "entity kind \"A\" belongs to timeline projection \"a\", not to "
                                 "\"foreign\"") != NULL, "%s", w.error);
    check_cursor(&w, "foreign", 1, 0, 2, 1);
    check_cursor(&w, "a", 2, 0, 0, 0);
    check_snapshot(&w, 2, "12", "12");
    deinit(&w);
}

/* W-14: what comes later never hides that one failed. */
SS_TEST(projections, a_failure_is_remembered_for_the_one_that_failed)
{
    struct world w;
    init(&w, SS_POLICY_FAIL, SS_POLICY_FAIL);
    w.b.fails_for = "3";
    publish_five(&w);
    ss_check(w.f.done_err == 0);
    ss_check(publish(&w, "n", "3") == SS_E_PROJECTION);
    ss_check_msg(strstr(w.error, "timeline projection \"b\" failed") != NULL, "%s", w.error);
    for (int round = 0; round < 4; round++) {
        check_cursor(&w, "a", 6, 0, 0, 0);
        check_cursor(&w, "b", 2, 0, 3, 2);
        check_snapshot(&w, 6, "123453", "1245");
        if (round == 1) {
            ss__shard_close(w.f.shard);    /* from now on with a checkpoint */
        }
        restart_with(&w, round == 2 ? &w.b : &w.a, round == 2 ? &w.a : &w.b);
    }
    struct ss_cursors cursors = cursors_of(&w);    /* for those who know one: of the one behind */
    ss_check(cursors.ordinal == 6 && cursors.timeline == 2 && cursors.failed_total == 2);
    deinit(&w);
}

SS_TEST(projections, another_version_of_one_is_made_again_alone)
{
    struct world w;
    init(&w, SS_POLICY_FAIL, SS_POLICY_FAIL);
    w.a.fails_for = "2";
    publish_five(&w);
    ss__shard_close(w.f.shard);
    w.b.version = 2;
    restart_with(&w, &w.a, &w.b);
    check_snapshot(&w, 5, "1345", "12345");
    ss_check_msg(w.a.calls == 0 && w.b.calls == 5, "%u and %u calls", w.a.calls, w.b.calls);
    check_cursor(&w, "a", 1, 0, 2, 1);
    ss__shard_close(w.f.shard);
    restart_with(&w, &w.a, &w.b);
    check_snapshot(&w, 5, "1345", "12345");
    ss_check(w.a.calls == 0 && w.b.calls == 0);
    deinit(&w);
}

static uint64_t epoch_of(struct world *w)
{
    struct ss_store_session *stored;
    ss_check(ss__store_get_session(w->f.shard->store, ss_str("s"), &stored) == 0);
    uint64_t epoch = ss__store_row(stored)->epoch;
    ss__store_put_session(w->f.shard->store, stored);
    return epoch;
}

SS_TEST(projections, i3_no_cursor_from_before_another_version_is_resumed)
{
    struct world w;
    init(&w, SS_POLICY_FAIL, SS_POLICY_FAIL);
    publish_five(&w);
    uint64_t before = epoch_of(&w);
    ss__shard_close(w.f.shard);
    restart_with(&w, &w.a, &w.b);
    ss_check(epoch_of(&w) == before);
    ss__shard_close(w.f.shard);
    w.b.version = 2;
    restart_with(&w, &w.a, &w.b);
    ss_check(epoch_of(&w) != before);    /* clients have entities of the old code */
    deinit(&w);
}

SS_TEST(projections, one_that_is_gone_keeps_its_entities_for_when_it_comes_back)
{
    struct world w;
    init(&w, SS_POLICY_FAIL, SS_POLICY_FAIL);
    w.b.fails_for = "3";
    publish_five(&w);
    ss__shard_close(w.f.shard);
    restart_with(&w, NULL, &w.a);
    check_snapshot(&w, 5, "12345", "");
    ss_check(publish(&w, "n", "6") == 0 && publish(&w, "n", "7") == 0);
    ss__shard_close(w.f.shard);
    restart_with(&w, &w.b, &w.a);
    check_snapshot(&w, 7, "1234567", "124567");
    ss_check_msg(w.a.calls == 0 && w.b.calls == 2, "%u and %u calls", w.a.calls, w.b.calls);
    check_cursor(&w, "b", 2, 0, 3, 1);
    deinit(&w);
}

/* The events of before were none of its business, so a failure is a failure like any. */
SS_TEST(projections, a_new_one_begins_with_the_first_event)
{
    struct world w;
    init(&w, SS_POLICY_FAIL, SS_POLICY_FAIL);
    restart_with(&w, &w.a, NULL);
    publish_five(&w);
    ss__shard_close(w.f.shard);
    w.b.fails_for = "3";
    restart_with(&w, &w.a, &w.b);
    for (int round = 0; round < 2; round++) {
        check_snapshot(&w, 5, "12345", "1245");
        ss_check(w.a.calls == 0 && w.b.calls == (round == 0 ? 5 : 0));
        check_cursor(&w, "b", 2, 0, 3, 1);
        ss__shard_close(w.f.shard);
        restart_with(&w, &w.a, &w.b);
    }
    w.b.fails_for = NULL;
    check_snapshot(&w, 5, "12345", "1245");
    ss_check(retry(&w, 0) == 0 && w.b.calls == 5 && w.a.calls == 0);
    check_snapshot(&w, 5, "12345", "12345");
    deinit(&w);
}

SS_TEST(projections, a_new_one_may_halt_at_an_event_of_before)
{
    struct world w;
    init(&w, SS_POLICY_FAIL, SS_POLICY_HALT);
    restart_with(&w, &w.a, NULL);
    publish_five(&w);
    ss__shard_close(w.f.shard);
    w.b.fails_for = "3";
    restart_with(&w, &w.a, &w.b);
    for (int round = 0; round < 3; round++) {
        check_cursor(&w, "b", 2, 3, 0, 0);
        check_snapshot(&w, 5, "12345", "12");
        ss__shard_close(w.f.shard);
        restart_with(&w, &w.a, &w.b);
    }
    w.b.fails_for = NULL;
    check_snapshot(&w, 5, "12345", "12");
    ss_check(retry(&w, 2) == 0 && w.b.calls == 3);
    check_snapshot(&w, 5, "12345", "12345");
    deinit(&w);
}

SS_TEST(projections, a_halt_stops_one_and_a_retry_lets_it_go_on)
{
    struct world w;
    init(&w, SS_POLICY_FAIL, SS_POLICY_HALT);
    w.b.fails_for = "3";
    publish_five(&w);
    ss_check(w.f.done_err == 0 && w.b.calls == 3);
    for (int round = 0; round < 3; round++) {
        check_cursor(&w, "a", 5, 0, 0, 0);
        check_cursor(&w, "b", 2, 3, 0, 0);
        check_snapshot(&w, 5, "12345", "12");
        if (round == 1) {
            ss__shard_close(w.f.shard);
        }
        restart_with(&w, &w.a, &w.b);
    }
    ss_check(retry(&w, 2) == SS_E_PROJECTION);
    ss_check_msg(strstr(w.error, "event 3 still fails in the timeline projection \"b\"") != NULL,
                 "%s", w.error);
    w.b.fails_for = NULL;
    w.a.calls = w.b.calls = 0;
    ss_check(retry(&w, 2) == 0);
    ss_check_msg(w.a.calls == 0 && w.b.calls == 3, "%u and %u calls", w.a.calls, w.b.calls);
    check_cursor(&w, "b", 5, 0, 0, 0);
    check_snapshot(&w, 5, "12345", "12345");
    deinit(&w);
}

SS_TEST(projections, a_retry_of_one_leaves_the_failures_of_others)
{
    struct world w;
    init(&w, SS_POLICY_FAIL, SS_POLICY_ADVANCE);
    w.a.fails_for = "2";
    w.b.fails_for = "3";
    publish_five(&w);
    ss_check(w.f.done_err == 0);
    ss__shard_close(w.f.shard);
    restart_with(&w, &w.a, &w.b);
    w.a.fails_for = w.b.fails_for = NULL;
    ss_check(retry(&w, 2) == 0 && w.a.calls == 0 && w.b.calls == 5);
    check_cursor(&w, "a", 1, 0, 2, 1);
    check_cursor(&w, "b", 5, 0, 0, 0);
    check_snapshot(&w, 5, "1345", "12345");
    ss_check(retry(&w, 0) == 0);
    check_snapshot(&w, 5, "12345", "12345");
    deinit(&w);
}

static void check_frame(struct world *w, const char *name, int index, bool last)
{
    char want[64];
    struct ss_msg *msg = next_message(&w->f);
    ss_check(msg != NULL && msg->kind == SS_MSG_FRAME);
    struct ss_str text = ss__ws_payload(((struct ss_msg_frame *)(void *)msg)
                                            ->bufs[SS_ENCODING_V2_JSON]);
    snprintf(want, sizeof want, "\"name\":\"%s\"", name);
    ss_check_msg(memmem(text.data, text.len, want, strlen(want)) != NULL, "%.*s", (int)text.len,
                 text.data);
    snprintf(want, sizeof want, "\"index\":%d", index);
    bool has_index = memmem(text.data, text.len, want, strlen(want)) != NULL;
    ss_check_msg(has_index == (index > 0), "%.*s", (int)text.len, text.data);
    ss_check((memmem(text.data, text.len, "\"last\":true", 11) != NULL) == last);
    ss__msg_free(msg);
}

SS_TEST(projections, frames_of_all_ui_projections_follow_in_order)
{
    struct world w;
    init(&w, SS_POLICY_ADVANCE, SS_POLICY_FAIL);
    char text[4096];
    post_subscribe_v2(&w.f, "s", 9, 1);
    step_all(&w.f);
    ss__msg_free(&take_snapshot(&w.f, text, sizeof text)->base);
    ss_check(publish(&w, "n", "1") == 0);
    check_frame(&w, "Shown", 0, false);
    check_frame(&w, "Shown", 1, false);
    check_frame(&w, "Also", 2, true);
    w.ui_fails = true;    /* the second: nothing it emitted counts */
    ss_check(publish(&w, "n", "2") == 0);
    check_frame(&w, "Shown", 0, false);
    check_frame(&w, "Shown", 1, true);
    ss_check(next_message(&w.f) == NULL);
    unsubscribe(&w);
    check_snapshot(&w, 2, "12", "12");
    deinit(&w);
}

SS_TEST(projections, a_ui_failure_may_keep_all_entities_as_they_were)
{
    struct world w;
    init(&w, SS_POLICY_FAIL, SS_POLICY_FAIL);
    ss_check(publish(&w, "n", "1") == 0);
    w.ui_fails = true;
    ss_check(publish(&w, "n", "2") == SS_E_PROJECTION);
    ss_check_msg(strstr(w.error, "UI projection \"second\" failed") != NULL, "%s", w.error);
    w.ui_fails = false;
    ss_check(publish(&w, "n", "3") == 0);
    for (int round = 0; round < 2; round++) {
        check_cursor(&w, "a", 1, 0, 2, 1);
        check_cursor(&w, "b", 1, 0, 2, 1);
        check_snapshot(&w, 3, "13", "13");
        restart_with(&w, &w.a, &w.b);
    }
    ss_check(retry(&w, 0) == 0);
    check_snapshot(&w, 3, "123", "123");
    deinit(&w);
}

static int rebuild(struct world *w, uint32_t timelines)
{
    struct ss_str none = { NULL, 0 };
    struct ss_request *request = ss__request_new(SS_REQUEST_REBUILD, ss_str("s"), none, none);
    ss_check(request != NULL);
    request->timelines = timelines;
    request->done = on_published;
    request->ctx = w;
    ss_check(ss__inbox_post(ss__shard_inbox(w->f.shard), &request->base.node, SS_POST_OUTSIDE) ==
             0);
    step_all(&w->f);
    return w->f.done_err;
}

SS_TEST(projections, a_rebuild_of_one_leaves_the_others_alone)
{
    struct world w;
    init(&w, SS_POLICY_ADVANCE, SS_POLICY_ADVANCE);
    w.a.fails_for = "2";
    w.b.fails_for = "3";
    publish_five(&w);
    check_snapshot(&w, 5, "1345", "1245");
    w.a.fails_for = w.b.fails_for = NULL;
    w.b.calls = 0;
    ss_check(rebuild(&w, 1) == 0);
    check_snapshot(&w, 5, "12345", "1245");
    check_cursor(&w, "a", 5, 0, 0, 0);
    check_cursor(&w, "b", 2, 0, 3, 1);
    ss_check(w.b.calls == 0);
    restart_with(&w, &w.a, &w.b);
    check_snapshot(&w, 5, "12345", "1245");
    check_cursor(&w, "b", 2, 0, 3, 1);
    w.b.fails_for = "4";
    ss_check(rebuild(&w, 0) == SS_E_PROJECTION);    /* of all of them, or of none */
    check_snapshot(&w, 5, "12345", "1245");
    w.b.fails_for = NULL;
    ss_check(rebuild(&w, 2) == 0);
    check_snapshot(&w, 5, "12345", "12345");
    (void)publish(&w, "n", "6");
    restart_with(&w, &w.b, &w.a);    /* in another order */
    check_snapshot(&w, 6, "123456", "123456");
    deinit(&w);
}
