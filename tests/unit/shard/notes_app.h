/* notes_app.h - a small application and a stepped shard for the tests of src/shard.
 *
 * Commands: Put publishes Put; Timed publishes Put and, a millisecond later, once more through a
 * task; Broken publishes and then fails; Call calls what a test gives it. The entity of a note
 * holds all texts put so far, so that a projection applied twice or not at all shows. The event
 * Raw is projected by functions that a test gives. */
#ifndef SS_NOTES_APP_H
#define SS_NOTES_APP_H

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/contract.h"
#include "core/fault.h"
#include "notes.descriptor.h"
#include "notes.pb-c.h"
#include "schema/json.h"
#include "shard/checkpoint.h"
#include "shard/shard.h"
#include "shard/shard_state.h"
#include "ss_test.h"
#include "wire/encoding.h"
#include "wire/server_frame.h"

struct fixture {
    /* Given by a test: what Call runs, and what projects Raw (NULL: nothing comes of it). */
    int (*call)(struct ss_context *context, struct fixture *fixture);
    const struct ss_view *ui_view;    /* of the UI projection, during its call */
    int (*raw_ui)(struct ss_ui *ui, const struct ss_event *event, struct fixture *fixture);
    int (*raw_timeline)(struct ss_timeline *timeline, const struct ss_event *event,
                        const struct ss_view *view, struct fixture *fixture);
    void (*load)(struct ss_context *context, struct fixture *fixture);
    void *given;
    char dir[64];
    struct ss_registry *registry;
    struct ss_transport transport;
    struct ss_shard_stats *stats;
    struct ss_inbox *gateway;
    struct ss_shard *shard;
    struct ss_clock clock;
    uint64_t now_ns;
    enum ss_durability durability;
    uint64_t log_window_bytes;
    uint64_t map_bytes;
    uint64_t log_file_bytes;          /* 0: 64 MiB */
    uint64_t cache_bytes;        /* 0: 1 GiB */
    uint32_t snapshot_frame_bytes;    /* 0: 16 MiB */
    uint32_t snapshot_inline_bytes;   /* 0: SS_SNAPSHOT_INLINE_BYTES */
    enum ss_projection_policy ui_policy;
    enum ss_projection_policy timeline_policy;
    struct ss_retention_policy retention;    /* all 0: everything is kept */
    struct ss_pool *pool;        /* NULL: sessions are read on this thread */
    struct ss_pool *work_pool;   /* NULL: works run on this thread */
    /* What happened. */
    unsigned recovered;
    unsigned loads;
    unsigned unloads;
    void *unloaded;              /* data of the newest unload */
    size_t unloaded_id_bytes;
    bool was_running;
    unsigned task_runs;
    int task_canceled;
    unsigned dones;
    int done_err;
    uint64_t done_ordinal;
};

static inline uint64_t fake_monotonic(struct ss_clock *clock)
{
    return ss__container_of(clock, struct fixture, clock)->now_ns;
}

static inline uint64_t fake_wall(struct ss_clock *clock)
{
    return 1700000000000000u + ss__container_of(clock, struct fixture, clock)->now_ns / 1000;
}

static inline int project_note_ui(struct ss_ui *ui, const struct ss_event *event,
                           const struct ss_view *view, void *ctx)
{
    struct fixture *fixture = ctx;
    fixture->ui_view = view;
    if (ss_event_is(event, "Raw")) {
        return fixture->raw_ui == NULL ? 0 : fixture->raw_ui(ui, event, fixture);
    }
    if (ss_event_is(event, "Fail")) {
        const Sessionstream__Test__Notes__Fail *fail = (const void *)ss_event_payload(event);
        return fail->ui ? SS_E_HANDLER : 0;
    }
    return ss_emit_ui(ui, "Shown", ss_event_payload(event));
}

static inline int project_note(struct ss_timeline *timeline, const struct ss_event *event,
                        const struct ss_view *view, void *ctx)
{
    struct fixture *fixture = ctx;
    if (ss_event_is(event, "Raw")) {
        return fixture->raw_timeline == NULL
                   ? 0
                   : fixture->raw_timeline(timeline, event, view, fixture);
    }
    if (ss_event_is(event, "Fail")) {
        const Sessionstream__Test__Notes__Fail *fail = (const void *)ss_event_payload(event);
        return fail->timeline ? SS_E_HANDLER : 0;
    }
    const Sessionstream__Test__Notes__Note *note = (const void *)ss_event_payload(event);
    const struct ss_entity *old = ss_view_get(view, "Note", ss_str(note->id));
    if (strcmp(note->text, "delete") == 0) {
        return ss_tombstone(timeline, "Note", ss_str(note->id));
    }
    char text[4096] = "";
    if (old != NULL) {
        const Sessionstream__Test__Notes__Note *before = (const void *)ss_entity_payload(view, old);
        snprintf(text, sizeof text, "%.2000s+", before->text);
    }
    strncat(text, note->text, sizeof text - strlen(text) - 1);
    Sessionstream__Test__Notes__Note entity = SESSIONSTREAM__TEST__NOTES__NOTE__INIT;
    entity.id = note->id;
    entity.text = text;
    return ss_put_entity(timeline, "Note", ss_str(note->id), &entity.base);
}

static inline int on_put(struct ss_context *context, const struct ss_command *command, void *ctx)
{
    (void)ctx;
    const Sessionstream__Test__Notes__Note *note = (const void *)command->payload;
    ss_set_running(context, strcmp(note->text, "run") == 0);
    return ss_publish(context, "Put", command->payload);
}

static inline int on_broken(struct ss_context *context, const struct ss_command *command, void *ctx)
{
    (void)ctx;
    int err = ss_publish(context, "Put", command->payload);
    return err != 0 ? err : ss_fail(context, SS_E_HANDLER, "broken on purpose");
}

static inline int on_call(struct ss_context *context, const struct ss_command *command, void *ctx)
{
    (void)command;
    struct fixture *fixture = ctx;
    return fixture->call(context, fixture);
}

static inline int run_timed(struct ss_context *context, void *arg)
{
    struct fixture *fixture = arg;
    Sessionstream__Test__Notes__Note note = SESSIONSTREAM__TEST__NOTES__NOTE__INIT;
    char id[] = "timed";
    char text[] = "later";
    note.id = id;
    note.text = text;
    fixture->task_runs++;
    return ss_publish(context, "Put", &note.base);
}

static inline void cancel_timed(void *arg, int reason)
{
    ((struct fixture *)arg)->task_canceled = reason;
}

static const struct ss_task_ops timed_ops = { run_timed, cancel_timed };

static inline int on_timed(struct ss_context *context, const struct ss_command *command, void *ctx)
{
    int err = ss_publish(context, "Put", command->payload);
    return err != 0 ? err : ss_after(context, 1, &timed_ops, ctx, NULL);
}

static inline void on_recover(struct ss_context *context, bool was_running, void *ctx)
{
    (void)context;
    struct fixture *fixture = ctx;
    fixture->recovered++;
    fixture->was_running |= was_running;
}

static inline void on_load(struct ss_context *context, void *ctx)
{
    struct fixture *fixture = ctx;
    fixture->loads++;
    if (fixture->load != NULL) {
        fixture->load(context, fixture);
    }
}

static inline void on_unload(struct ss_str session_id, void *data, void *ctx)
{
    struct fixture *fixture = ctx;
    fixture->unloads++;
    fixture->unloaded = data;
    fixture->unloaded_id_bytes = session_id.len;
}

static inline void make_registry(struct fixture *fixture)
{
    static const struct ss_session_hooks hooks = { .recover = on_recover,
                                                   .load = on_load,
                                                   .unload = on_unload };
    struct ss_registry *registry = ss_registry_new();
    const char *note = "sessionstream.test.notes.Note";
    fixture->registry = registry;
    ss_check(registry != NULL);
    ss_check(ss_registry_load_descriptors(registry, notes_descriptor_set,
                                          notes_descriptor_set_len) == 0);
    ss_check(ss_registry_attach(registry, &sessionstream__test__notes__note__descriptor) == 0);
    ss_check(ss_registry_attach(registry, &sessionstream__test__notes__fail__descriptor) == 0);
    ss_check(ss_register_command(registry, "Put", note, on_put, NULL) == 0);
    ss_check(ss_register_command(registry, "Broken", note, on_broken, NULL) == 0);
    ss_check(ss_register_command(registry, "Timed", note, on_timed, fixture) == 0);
    ss_check(ss_register_command(registry, "Call", note, on_call, fixture) == 0);
    ss_check(ss_register_event(registry, "Put", note) == 0);
    ss_check(ss_register_event(registry, "Raw", note) == 0);
    ss_check(ss_register_event(registry, "Fail", "sessionstream.test.notes.Fail") == 0);
    ss_check(ss_register_ui_event(registry, "Shown", note) == 0);
    ss_check(ss_register_ui_projection(registry, "ui", project_note_ui, fixture) == 0);
    ss_check(ss_register_timeline_projection(registry, "timeline", 1, project_note, fixture) == 0);
    ss_check(ss_register_entity(registry, "Note", note, "timeline") == 0);
    ss_check(ss_register_session_hooks(registry, &hooks, fixture) == 0);
    ss_check(ss__transport_load(registry->schema, NULL) == 0);
    ss_check(ss__registry_freeze(registry) == 0);
    ss_check(ss__transport_init(&fixture->transport, registry->schema, NULL) == 0);
}

static inline void fixture_open(struct fixture *fixture)
{
    struct ss_shard_options options = { .registry = fixture->registry,
                                        .transport = &fixture->transport,
                                        .stats = fixture->stats,
                                        .gateways = &fixture->gateway,
                                        .gateways_count = 1,
                                        .clock = &fixture->clock,
                                        .pool = fixture->pool,
                                        .work_pool = fixture->work_pool,
                                        .durability_interval_ms = 50,
                                        .session_cache_bytes = fixture->cache_bytes != 0
                                                                   ? fixture->cache_bytes
                                                                   : UINT64_C(1) << 30,
                                        .snapshot_frame_bytes =
                                            fixture->snapshot_frame_bytes != 0
                                                ? fixture->snapshot_frame_bytes
                                                : SS_SNAPSHOT_FRAME_BYTES_MAX,
                                        .snapshot_inline_bytes =
                                            fixture->snapshot_inline_bytes != 0
                                                ? fixture->snapshot_inline_bytes
                                                : SS_SNAPSHOT_INLINE_BYTES,
                                        .ui_policy = fixture->ui_policy,
                                        .timeline_policy = fixture->timeline_policy,
                                        .retention = fixture->retention,
                                        .retention_sweep_ms = 1000,
                                        .stop_timeout_ms = 1000 };
    ss__store_options_init(&options.store);
    options.store.dir = fixture->dir;
    options.store.map_bytes = fixture->map_bytes != 0 ? fixture->map_bytes : UINT64_C(64) << 20;
    options.store.min_free_bytes = 0;
    options.store.log_file_bytes = fixture->log_file_bytes != 0 ? fixture->log_file_bytes
                                                                : options.store.log_file_bytes;
    options.store.durability = fixture->durability;
    options.store.clock = &fixture->clock;
    struct ss_failure failure = { 0 };
    ss_check_msg(ss__shard_new(&options, &fixture->shard, &failure) == 0, "%s", failure.text);
}

/* A note with borrowed strings, for publishing. */
static inline Sessionstream__Test__Notes__Note make_note(const char *id, const char *text)
{
    Sessionstream__Test__Notes__Note note = SESSIONSTREAM__TEST__NOTES__NOTE__INIT;
    note.id = (char *)(uintptr_t)id;    /* packing only reads them */
    note.text = (char *)(uintptr_t)text;
    return note;
}

static inline void fixture_init(struct fixture *fixture)
{
    *fixture = (struct fixture){ .clock = { fake_monotonic, fake_wall },
                                 .now_ns = UINT64_C(1000000000) };
    snprintf(fixture->dir, sizeof fixture->dir, "/tmp/ss-shard-XXXXXX");
    ss_check(mkdtemp(fixture->dir) != NULL);
    make_registry(fixture);
    fixture->stats = calloc(1, sizeof *fixture->stats);
    ss_check(fixture->stats != NULL);
    ss_check(ss__inbox_new(65536, UINT64_C(64) << 20, &fixture->gateway) == 0);
    fixture_open(fixture);
}

/* Writes the checkpoints that are wanted and what else is due; not through the pool. */
static inline int fixture_flush(struct fixture *fixture)
{
    ss__checkpoint_stage(fixture->shard);
    int result = ss__store_flush(fixture->shard->store, 0);
    ss__checkpoint_settle(fixture->shard, result >= 0);
    return result;
}

/* Ends the shard without flushing anything, so that all must come back from the log. */
static inline void fixture_restart(struct fixture *fixture)
{
    ss__shard_free(fixture->shard);
    fixture_open(fixture);
}

static int remove_one(const char *path, const struct stat *info, int flag, struct FTW *ftw)
{
    (void)info;
    (void)flag;
    (void)ftw;
    return remove(path);
}

static inline void fixture_deinit(struct fixture *fixture)
{
#ifdef SS_FAULTS
    ss__fault_reset();
#endif
    if (fixture->shard != NULL) {
        ss__shard_close(fixture->shard);
        ss__shard_free(fixture->shard);
    }
    for (struct ss_inbox_node *node; (node = ss__inbox_take(fixture->gateway)) != NULL;) {
        ss__msg_free(ss__msg_of(node));
    }
    ss__inbox_unref(fixture->gateway);
    ss_registry_free(fixture->registry);
    free(fixture->stats);
    ss_check(nftw(fixture->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS) == 0);
}

static inline void on_done(const struct ss_result *result, void *ctx)
{
    struct fixture *fixture = ctx;
    fixture->dones++;
    fixture->done_err = result->err;
    fixture->done_ordinal = result->ordinal;
}

static inline void post_note(struct fixture *fixture, enum ss_request_kind kind, const char *name,
                      const char *session, const char *id, const char *text)
{
    Sessionstream__Test__Notes__Note note = SESSIONSTREAM__TEST__NOTES__NOTE__INIT;
    uint8_t packed[4096];
    char id_copy[256];
    char text_copy[2048];
    snprintf(id_copy, sizeof id_copy, "%s", id);
    snprintf(text_copy, sizeof text_copy, "%s", text);
    note.id = id_copy;
    note.text = text_copy;
    struct ss_str payload = ss_str_of(packed, protobuf_c_message_pack(&note.base, packed));
    struct ss_request *request =
        ss__request_new(kind, ss_str(session), (struct ss_str){ NULL, 0 }, payload);
    ss_check(request != NULL);
    enum ss_name_space space = kind == SS_REQUEST_SUBMIT ? SS_SPACE_COMMAND : SS_SPACE_EVENT;
    request->name = ss__registry_find(fixture->registry, space, ss_str(name));
    ss_check(request->name != NULL);
    request->done = on_done;
    request->ctx = fixture;
    ss_check(ss__inbox_post(ss__shard_inbox(fixture->shard), &request->base.node,
                            SS_POST_OUTSIDE) == 0);
}

/* Runs @call in a handler of the session, and the batch with it. */
static inline void call_in(struct fixture *fixture, const char *session,
                           int (*call)(struct ss_context *context, struct fixture *fixture))
{
    fixture->call = call;
    post_note(fixture, SS_REQUEST_SUBMIT, "Call", session, "", "");
    while (ss__shard_step(fixture->shard)) {
    }
}

static inline void post_put(struct fixture *fixture, const char *session, const char *id,
                     const char *text)
{
    post_note(fixture, SS_REQUEST_SUBMIT, "Put", session, id, text);
}

static inline void post_fail(struct fixture *fixture, const char *session, bool ui, bool timeline)
{
    Sessionstream__Test__Notes__Fail fail = SESSIONSTREAM__TEST__NOTES__FAIL__INIT;
    uint8_t packed[16];
    fail.ui = ui;
    fail.timeline = timeline;
    struct ss_str payload = ss_str_of(packed, protobuf_c_message_pack(&fail.base, packed));
    struct ss_request *request = ss__request_new(SS_REQUEST_PUBLISH, ss_str(session),
                                                 (struct ss_str){ NULL, 0 }, payload);
    ss_check(request != NULL);
    request->name = ss__registry_find(fixture->registry, SS_SPACE_EVENT, ss_str("Fail"));
    request->done = on_done;
    request->ctx = fixture;
    ss_check(ss__inbox_post(ss__shard_inbox(fixture->shard), &request->base.node,
                            SS_POST_OUTSIDE) == 0);
}

static inline void post_subscribe_as(struct fixture *fixture, const char *session, uint32_t handle,
                                     uint64_t number, uint8_t encoding)
{
    struct ss_str none = { NULL, 0 };
    struct ss_request *request =
        ss__request_new(SS_REQUEST_SUBSCRIBE, ss_str(session), none, none);
    ss_check(request != NULL);
    request->connection = (struct ss_connection_id){ 0, 1, 1 };
    request->handle = (struct ss_session_handle){ handle, 1 };
    request->number = number;
    request->encoding = encoding;
    ss_check(ss__inbox_post(ss__shard_inbox(fixture->shard), &request->base.node,
                            SS_POST_OUTSIDE) == 0);
}

static inline void post_subscribe(struct fixture *fixture, const char *session, uint32_t handle,
                                  uint64_t number)
{
    post_subscribe_as(fixture, session, handle, number, SS_ENCODING_V1_JSON);
}

static inline void post_subscribe_v2(struct fixture *fixture, const char *session,
                                     uint32_t handle, uint64_t number)
{
    post_subscribe_as(fixture, session, handle, number, SS_ENCODING_V2_JSON);
}

static inline void step_all(struct fixture *fixture)
{
    while (ss__shard_step(fixture->shard)) {
    }
}

/* The next message to the gateway, or NULL. */
static inline struct ss_msg *next_message(struct fixture *fixture)
{
    struct ss_inbox_node *node = ss__inbox_take(fixture->gateway);
    return node == NULL ? NULL : ss__msg_of(node);
}

/* Takes the answer of a subscribe; the snapshot's text is copied to @out. */
static inline struct ss_request *take_snapshot(struct fixture *fixture, char *out, size_t cap)
{
    struct ss_msg *msg = next_message(fixture);
    ss_check(msg != NULL && msg->kind == SS_MSG_REPLY);
    struct ss_request *request = (struct ss_request *)(void *)msg;
    ss_check(request->request == SS_REQUEST_SUBSCRIBE && request->err == 0);
    struct ss_str body = ss__ws_payload(request->snapshot);
    snprintf(out, cap, "%.*s", (int)body.len, body.data);
    return request;
}

/* Takes one frame and returns its ordinal. */
static inline uint64_t take_frame(struct fixture *fixture)
{
    struct ss_msg *msg = next_message(fixture);
    ss_check(msg != NULL && msg->kind == SS_MSG_FRAME);
    uint64_t ordinal = ((struct ss_msg_frame *)(void *)msg)->ordinal;
    ss__msg_free(msg);
    return ordinal;
}

/* Of counters by encoding. */
static inline uint64_t total_of(const atomic_uint_fast64_t *counters)
{
    uint64_t total = 0;
    for (int i = 0; i < SS_STATS_ENCODINGS; i++) {
        total += atomic_load(&counters[i]);
    }
    return total;
}

#endif
