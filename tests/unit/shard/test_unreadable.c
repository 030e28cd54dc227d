/* A store that another version of the application has written: what it can read is shown, what it
 * cannot is missing alone (W-23). */
#include "shard/unreadable.h"

#include <sessionstream/history.h>

#include "notes_app.h"

#include "schema/pb.h"

/* ---- an application in several versions ---- */

enum shape {
    PLAIN,      /* Kept { string id = 1; string text = 2; } */
    WIDER,      /* the same and string extra = 3 */
    NESTED,     /* its text is a message: what was stored does not fit */
};

struct version {
    enum shape shape;
    bool no_gone;              /* the event Gone is not registered */
    bool no_mark;              /* the kind Mark is not registered */
    bool no_projection;
    bool touch_fails;
};

static void put_field(struct ss_bytes *message, const char *name, uint32_t number,
                      const char *type_name)
{
    struct ss_bytes field;
    ss__bytes_init(&field, 256);
    ss__pb_bytes(&field, 1, ss_str(name));
    ss__pb_u64(&field, 3, number);
    ss__pb_u64(&field, 4, 1);                             /* LABEL_OPTIONAL */
    ss__pb_u64(&field, 5, type_name == NULL ? 9 : 11);    /* TYPE_STRING, TYPE_MESSAGE */
    if (type_name != NULL) {
        ss__pb_bytes(&field, 6, ss_str(type_name));
    }
    ss__pb_bytes(message, 2, ss__bytes_view(&field));
    ss__bytes_deinit(&field);
}

static void put_message(struct ss_bytes *file, const char *name, enum shape shape)
{
    struct ss_bytes message;
    ss__bytes_init(&message, 1024);
    ss__pb_bytes(&message, 1, ss_str(name));
    put_field(&message, "id", 1, NULL);
    put_field(&message, "text", 2, shape == NESTED ? ".t.Mark" : NULL);
    if (shape == WIDER) {
        put_field(&message, "extra", 3, NULL);
    }
    ss__pb_bytes(file, 4, ss__bytes_view(&message));
    ss__bytes_deinit(&message);
}

static void load_types(struct ss_registry *registry, enum shape shape)
{
    struct ss_bytes file;
    struct ss_bytes set;
    ss__bytes_init(&file, 4096);
    ss__bytes_init(&set, 4096);
    ss__pb_bytes(&file, 1, ss_str("t.proto"));
    ss__pb_bytes(&file, 2, ss_str("t"));
    put_message(&file, "Kept", shape);
    put_message(&file, "Mark", PLAIN);
    ss__pb_bytes(&file, 12, ss_str("proto3"));
    ss__pb_bytes(&set, 1, ss__bytes_view(&file));
    ss_check_msg(ss_registry_load_descriptors(registry, set.data, set.len) == 0, "%s",
                 ss_registry_error(registry));
    ss__bytes_deinit(&file);
    ss__bytes_deinit(&set);
}

static int project(struct ss_timeline *timeline, const struct ss_event *event,
                   const struct ss_view *view, void *ctx)
{
    const struct version *version = ((struct fixture *)ctx)->given;
    if (ss_event_is(event, "Touch") && version->touch_fails) {
        return SS_E_HANDLER;
    }
    if (ss_event_is(event, "Touch")) {    /* changes an entity without knowing its fields */
        const struct ss_entity *old = ss_view_get(view, "Kept", ss_str("n"));
        const ProtobufCMessage *payload = old == NULL ? NULL : ss_entity_payload(view, old);
        return payload == NULL ? 0 : ss_put_entity(timeline, "Kept", ss_str("n"), payload);
    }
    if (ss_event_is(event, "Mark")) {
        return version->no_mark ? 0 : ss_put_entity_packed(timeline, "Mark", ss_str("m"),
                                                           event->packed);
    }
    const char *id = ss_event_is(event, "Gone") ? "gone" : "n";
    return ss_put_entity_packed(timeline, "Kept", ss_str(id), event->packed);
}

static void make_version(struct fixture *f, const struct version *version)
{
    struct ss_registry *registry = ss_registry_new();
    ss_check(registry != NULL);
    f->registry = registry;
    f->given = (void *)(uintptr_t)version;
    load_types(registry, version->shape);
    ss_check(ss_register_event(registry, "Kept", "t.Kept") == 0);
    ss_check(ss_register_event(registry, "Mark", "t.Mark") == 0);
    ss_check(ss_register_event(registry, "Touch", "t.Mark") == 0);
    ss_check(version->no_gone || ss_register_event(registry, "Gone", "t.Kept") == 0);
    if (!version->no_projection) {
        ss_check(ss_register_timeline_projection(registry, "timeline", 1, project, f) == 0);
        ss_check(ss_register_entity(registry, "Kept", "t.Kept", "timeline") == 0);
        ss_check(version->no_mark ||
                 ss_register_entity(registry, "Mark", "t.Mark", "timeline") == 0);
    }
    ss_check(ss__transport_load(registry->schema, NULL) == 0);
    ss_check(ss__registry_freeze(registry) == 0);
    ss_check(ss__transport_init(&f->transport, registry->schema, NULL) == 0);
}

static const struct version plain = { .shape = PLAIN };
static const struct version wider = { .shape = WIDER };
static const struct version nested = { .shape = NESTED };
static const struct version without_gone = { .no_gone = true };
static const struct version without_mark = { .no_mark = true };

/* The next process, with that version; @crashed: everything must come from the log. */
static void become(struct fixture *f, const struct version *version, bool crashed)
{
    if (!crashed) {
        ss__shard_close(f->shard);
    }
    ss__shard_free(f->shard);
    ss_registry_free(f->registry);
    make_version(f, version);
    fixture_open(f);
}

static void begin(struct fixture *f, const struct version *version)
{
    fixture_init(f);
    become(f, version, false);
}

/* Publishes { id, text, extra } to "s". */
static void publish(struct fixture *f, const char *event, const char *text, const char *extra)
{
    struct ss_bytes packed;
    ss__bytes_init(&packed, 4096);
    ss__pb_bytes(&packed, 1, ss_str("n"));
    ss__pb_bytes(&packed, 2, ss_str(text));
    if (extra != NULL) {
        ss__pb_bytes(&packed, 3, ss_str(extra));
    }
    struct ss_str none = { NULL, 0 };
    struct ss_request *request =
        ss__request_new(SS_REQUEST_PUBLISH, ss_str("s"), none, ss__bytes_view(&packed));
    ss__bytes_deinit(&packed);
    ss_check(request != NULL);
    request->name = ss__registry_find(f->registry, SS_SPACE_EVENT, ss_str(event));
    ss_check(request->name != NULL);
    request->done = on_done;
    request->ctx = f;
    ss_check(ss__inbox_post(ss__shard_inbox(f->shard), &request->base.node, SS_POST_OUTSIDE) == 0);
    step_all(f);
}

static const char *snapshot(struct fixture *f)
{
    static char text[8192];
    f->now_ns += 1000000000;    /* a new one */
    post_subscribe(f, "s", 9, 1);
    step_all(f);
    ss__msg_free(&take_snapshot(f, text, sizeof text)->base);
    struct ss_msg_uninterested *msg = ss__uninterested_new(
        sizeof *msg, 0, (struct ss_session_handle){ 9, 1 }, ss_str("s"));
    ss_check(msg != NULL);
    ss_check(ss__inbox_post(ss__shard_inbox(f->shard), &msg->base.node, SS_POST_INSIDE) == 0);
    step_all(f);
    return text;
}

static void check_shown(struct fixture *f, const char *part, bool shown)
{
    const char *text = snapshot(f);
    ss_check_msg((strstr(text, part) != NULL) == shown, "%s: %s", part, text);
}

static void keep_cursors(int err, const struct ss_cursors *cursors, void *ctx)
{
    ss_check(err == 0);
    *(struct ss_cursors *)ctx = *cursors;
}

static void check_failed(struct fixture *f, uint64_t total, uint64_t first)
{
    struct ss_cursors cursors = { .ordinal = 0 };
    struct ss_str none = { NULL, 0 };
    struct ss_request *request = ss__request_new(SS_REQUEST_CURSORS, ss_str("s"), none, none);
    ss_check(request != NULL);
    request->cursors_done = keep_cursors;
    request->ctx = &cursors;
    ss_check(ss__inbox_post(ss__shard_inbox(f->shard), &request->base.node, SS_POST_OUTSIDE) == 0);
    step_all(f);
    ss_check_msg(cursors.failed_total == total && cursors.failed[0] == first &&
                     cursors.timeline == (total == 0 ? cursors.ordinal : first - 1),
                 "failed %d first %d timeline %d", (int)cursors.failed_total,
                 (int)cursors.failed[0], (int)cursors.timeline);
}

static int retry(struct fixture *f)
{
    unsigned before = f->dones;
    struct ss_str none = { NULL, 0 };
    struct ss_request *request = ss__request_new(SS_REQUEST_RETRY, ss_str("s"), none, none);
    ss_check(request != NULL);
    request->done = on_done;
    request->ctx = f;
    ss_check(ss__inbox_post(ss__shard_inbox(f->shard), &request->base.node, SS_POST_OUTSIDE) == 0);
    step_all(f);
    ss_check(f->dones == before + 1);
    return f->done_err;
}

static uint64_t unreadable(const struct fixture *f)
{
    return atomic_load(&f->stats->unreadable_payloads);
}

/* "name readable;" of each stored event. */
static void note_events(const struct ss_result *result, const struct ss_event_page *page,
                        void *ctx)
{
    char *text = ctx;
    ss_check(result->err == 0);
    for (size_t i = 0; i < page->count; i++) {
        const struct ss_stored_event *event = &page->events[i];
        size_t len = strlen(text);
        (void)snprintf(text + len, 200 - len, "%.*s %s %d;", (int)event->name.len,
                       event->name.data, event->type.data, event->readable);
    }
}

static struct ss_request *post_events(struct fixture *f)
{
    struct ss_str none = { NULL, 0 };
    struct ss_request *request = ss__request_new(SS_REQUEST_EVENTS, ss_str("s"), none, none);
    ss_check(request != NULL);
    request->limit = 10;
    ss_check(ss__inbox_post(ss__shard_inbox(f->shard), &request->base.node, SS_POST_OUTSIDE) == 0);
    return request;
}

/* ---- tests ---- */

SS_TEST(unreadable, stored_events_are_told_as_they_are)
{
    struct fixture f;
    char text[200] = "";
    begin(&f, &plain);
    publish(&f, "Gone", "a", NULL);
    publish(&f, "Kept", "b", NULL);
    become(&f, &without_gone, true);
    struct ss_request *request = post_events(&f);
    request->events_done = note_events;
    request->ctx = text;
    step_all(&f);
    ss_check_msg(strcmp(text, "Gone t.Kept 0;Kept t.Kept 1;") == 0, "%s", text);
    post_events(&f)->connection = (struct ss_connection_id){ 0, 1, 1 };
    step_all(&f);
    struct ss_msg *msg = next_message(&f);
    ss_check(msg != NULL && msg->kind == SS_MSG_REPLY);
    const struct ss_buf *body = ((struct ss_request *)(void *)msg)->snapshot;
    char document[1024];
    snprintf(document, sizeof document, "%.*s", (int)body->len, (const char *)body->data);
    ss_check_msg(strstr(document, "\"event\":\"Gone\",\"type\":\"t.Kept\",\"raw\":\"CgFuEgFh\"}") !=
                     NULL && strstr(document, "\"event\":\"Kept\",\"payload\":{") != NULL,
                 "%s", document);
    ss__msg_free(msg);
    fixture_deinit(&f);
}


SS_TEST(unreadable, events_and_entities_of_an_older_schema_are_read)
{
    for (int crashed = 0; crashed < 2; crashed++) {
        struct fixture f;
        begin(&f, &plain);
        publish(&f, "Kept", "old", NULL);
        become(&f, &wider, crashed);
        check_shown(&f, "\"text\":\"old\"", true);
        check_failed(&f, 0, 0);
        publish(&f, "Kept", "new", "more");
        ss_check(f.done_err == 0 && f.done_ordinal == 2);
        check_shown(&f, "\"extra\":\"more\"", true);
        become(&f, &plain, crashed);    /* and a newer one */
        check_shown(&f, "\"text\":\"new\"", true);
        check_shown(&f, "extra", false);
        check_failed(&f, 0, 0);
        ss_check(unreadable(&f) == 0);
        fixture_deinit(&f);
    }
}

SS_TEST(unreadable, fields_this_schema_does_not_know_survive_a_change)
{
    struct fixture f;
    begin(&f, &wider);
    publish(&f, "Kept", "old", "kept");
    become(&f, &plain, false);
    publish(&f, "Touch", "", NULL);
    ss_check(f.done_err == 0 && f.done_ordinal == 2);
    check_shown(&f, "\"lastEventOrdinal\":\"2\"", true);
    become(&f, &wider, false);
    check_shown(&f, "\"extra\":\"kept\"", true);
    fixture_deinit(&f);
}

SS_TEST(unreadable, events_whose_name_is_gone_fail_alone)
{
    struct fixture f;
    begin(&f, &plain);
    publish(&f, "Kept", "1", NULL);
    publish(&f, "Gone", "2", NULL);
    publish(&f, "Kept", "3", NULL);
    publish(&f, "Gone", "4", NULL);
    become(&f, &without_gone, true);
    check_shown(&f, "\"snapshotOrdinal\":\"4\"", true);    /* never back behind what was shown */
    check_shown(&f, "\"text\":\"3\"", true);
    check_shown(&f, "gone", false);
    check_failed(&f, 2, 2);
    ss_check(unreadable(&f) == 2);
    publish(&f, "Kept", "5", NULL);
    ss_check(f.done_err == 0 && f.done_ordinal == 5);
    ss_check(retry(&f) == SS_E_PROJECTION);
    check_shown(&f, "\"text\":\"5\"", true);
    become(&f, &without_gone, false);
    check_failed(&f, 2, 2);
    become(&f, &plain, false);
    check_failed(&f, 2, 2);    /* what the checkpoint says */
    ss_check(retry(&f) == 0);
    check_failed(&f, 0, 0);
    check_shown(&f, "\"id\":\"gone\"", true);
    check_shown(&f, "\"text\":\"5\"", true);
    fixture_deinit(&f);
}

/* What is in the entities already must not go because something else is tried again. */
SS_TEST(unreadable, a_retry_that_would_cost_readable_entities_is_refused)
{
    static const struct version fails = { .touch_fails = true };
    struct fixture f;
    begin(&f, &fails);
    publish(&f, "Gone", "1", NULL);
    publish(&f, "Kept", "2", NULL);
    publish(&f, "Touch", "", NULL);
    ss_check(f.done_err == SS_E_PROJECTION);
    become(&f, &without_gone, false);
    check_shown(&f, "\"id\":\"gone\"", true);
    check_failed(&f, 1, 3);
    ss_check(retry(&f) == SS_E_PROJECTION);
    check_shown(&f, "\"id\":\"gone\"", true);
    check_failed(&f, 1, 3);
    become(&f, &plain, false);
    ss_check(retry(&f) == 0);
    check_shown(&f, "\"id\":\"gone\"", true);
    check_shown(&f, "\"id\":\"n\",\"createdOrdinal\":\"2\",\"lastEventOrdinal\":\"3\"", true);
    check_failed(&f, 0, 0);
    fixture_deinit(&f);
}

SS_TEST(unreadable, an_entity_whose_kind_is_gone_is_left_out_and_told)
{
    struct fixture f;
    begin(&f, &plain);
    publish(&f, "Kept", "shown", NULL);
    publish(&f, "Mark", "hidden", NULL);
    become(&f, &without_mark, false);
    check_shown(&f, "\"text\":\"shown\"", true);
    check_shown(&f, "hidden", false);
    ss_check(unreadable(&f) > 0);
    publish(&f, "Kept", "later", NULL);
    ss_check(f.done_err == 0 && f.done_ordinal == 3);
    become(&f, &plain, false);
    check_shown(&f, "\"text\":\"later\"", true);
    check_shown(&f, "\"text\":\"hidden\"", true);    /* it was kept */
    fixture_deinit(&f);
}

SS_TEST(unreadable, payloads_that_no_longer_fit_concern_themselves_alone)
{
    struct fixture f;
    begin(&f, &plain);
    publish(&f, "Kept", "zzz", NULL);
    publish(&f, "Mark", "mark", NULL);
    become(&f, &nested, false);
    check_shown(&f, "\"text\":\"mark\"", true);
    check_shown(&f, "\"kind\":\"Kept\"", true);
    check_shown(&f, "t.Kept", false);    /* without its payload */
    ss_check(unreadable(&f) > 0);
    publish(&f, "Touch", "", NULL);    /* must not be built on it */
    ss_check(f.done_err == SS_E_TYPE && f.done_ordinal == 0);
    publish(&f, "Mark", "goes on", NULL);
    ss_check(f.done_err == 0 && f.done_ordinal == 3);
    publish(&f, "Kept", "\x0A\x03new", NULL);
    ss_check(f.done_err == 0 && f.done_ordinal == 4);
    check_shown(&f, "\"text\":{\"id\":\"new\"}", true);
    fixture_deinit(&f);
}

SS_TEST(unreadable, events_that_no_longer_fit_or_need_what_does_not_fail_alone)
{
    struct fixture f;
    begin(&f, &plain);
    publish(&f, "Kept", "zzz", NULL);
    become(&f, &plain, false);
    publish(&f, "Mark", "mark", NULL);
    publish(&f, "Touch", "", NULL);
    become(&f, &nested, true);    /* Touch, when replayed, needs the entity of the checkpoint */
    check_shown(&f, "\"text\":\"mark\"", true);
    check_shown(&f, "\"snapshotOrdinal\":\"3\"", true);
    check_failed(&f, 1, 3);
    become(&f, &plain, true);
    check_shown(&f, "\"text\":\"zzz\"", true);
    check_failed(&f, 0, 0);
    publish(&f, "Kept", "zzzz", NULL);
    become(&f, &nested, true);
    check_shown(&f, "\"snapshotOrdinal\":\"4\"", true);
    check_failed(&f, 2, 3);
    fixture_deinit(&f);
}

SS_TEST(unreadable, without_projections_events_are_kept_and_the_position_moves)
{
    static const struct version none = { .no_projection = true };
    struct fixture f;
    begin(&f, &none);
    publish(&f, "Kept", "1", NULL);
    publish(&f, "Kept", "2", NULL);
    ss_check(f.done_err == 0 && f.done_ordinal == 2);
    for (int crashed = 0; crashed < 2; crashed++) {
        check_shown(&f, "{\"snapshot\":{\"sessionId\":\"s\",\"snapshotOrdinal\":\"2\"}}", true);
        check_failed(&f, 0, 0);
        become(&f, &none, crashed);
    }
    check_shown(&f, "\"snapshotOrdinal\":\"2\"", true);
    fixture_deinit(&f);
}
