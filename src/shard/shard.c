#include "shard/shard.h"

#include <sched.h>
#include <stdlib.h>

#include <sessionstream/limits.h>

#include "core/contract.h"
#include "core/log.h"
#include "shard/batch.h"
#include "shard/close.h"
#include "shard/cut.h"
#include "shard/dispatch.h"
#include "shard/events.h"
#include "shard/flusher.h"
#include "shard/fold.h"
#include "shard/import.h"
#include "shard/listing.h"
#include "shard/load.h"
#include "shard/metadata.h"
#include "shard/paging.h"
#include "shard/rebuild.h"
#include "shard/recovered.h"
#include "shard/retention.h"
#include "shard/retry.h"
#include "shard/shard_state.h"
#include "shard/snapshot_job.h"
#include "shard/task.h"
#include "shard/work.h"
#include "store/error_ring.h"

#define ARENA_CHUNK_BYTES (256u << 10)
#define DRAIN_LOOK_MS 1

static bool channel_matches(const void *value, struct ss_str key)
{
    return ss_str_equal(((const struct ss_channel *)value)->id, key);
}

static void collect_types(const struct ss_registry *registry, enum ss_name_space space,
                          enum ss_type_space type_space, struct ss_type_entry *entries)
{
    size_t at = 0;
    for (const struct ss_name *name; (name = ss__registry_next(registry, space, &at)) != NULL;) {
        entries[name->index] = (struct ss_type_entry){
            .space = type_space,
            .name = name->name,
            .full_name = ss__type_name(name->type),
            .fingerprint = ss__type_fingerprint(name->type),
        };
    }
}

/* From the numbers of events to the names of today, also from numbers that an older or newer schema
 * of the same name was given. */
static int find_names_by_type(struct ss_shard *shard)
{
    uint32_t count = 1;
    struct ss_type_entry type;
    while (ss__store_type(shard->store, count, &type) == 0) {
        count++;
    }
    shard->names_by_type = calloc(count, sizeof *shard->names_by_type);
    if (shard->names_by_type == NULL) {
        return SS_E_NOMEM;
    }
    shard->names_by_type_count = count;
    for (uint32_t id = 1; id < count && ss__store_type(shard->store, id, &type) == 0; id++) {
        if (type.space == SS_TYPE_EVENT) {
            shard->names_by_type[id] =
                ss__registry_find(shard->options.registry, SS_SPACE_EVENT, type.name);
        }
    }
    return 0;
}

/* Numbers for the names of this application, and the way back for replay. */
static int intern_names(struct ss_shard *shard)
{
    const struct ss_registry *registry = shard->options.registry;
    size_t events = registry->names_count[SS_SPACE_EVENT];
    size_t entities = registry->names_count[SS_SPACE_ENTITY];
    struct ss_type_entry *entries = calloc(events + entities + 1, sizeof *entries);
    shard->event_type_ids = calloc(events + 1, sizeof *shard->event_type_ids);
    shard->entity_type_ids = calloc(entities + 1, sizeof *shard->entity_type_ids);
    int err = entries == NULL || shard->event_type_ids == NULL || shard->entity_type_ids == NULL
                  ? SS_E_NOMEM
                  : 0;
    if (err == 0) {
        collect_types(registry, SS_SPACE_EVENT, SS_TYPE_EVENT, entries);
        collect_types(registry, SS_SPACE_ENTITY, SS_TYPE_ENTITY, entries + events);
        err = ss__store_intern_types(shard->store, entries, events + entities);
    }
    for (size_t i = 0; err == 0 && i < events + entities; i++) {
        uint32_t id = entries[i].ret_type_id;
        if (i < events) {
            shard->event_type_ids[i] = id;
        } else {
            shard->entity_type_ids[i - events] = id;
        }
    }
    free(entries);
    return err != 0 ? err : find_names_by_type(shard);
}

/* Numbers for the projections: a record that names one is understood whatever is registered. */
static int intern_projections(struct ss_shard *shard)
{
    const struct ss_registry *registry = shard->options.registry;
    uint32_t timelines = registry->timelines_count;
    struct ss_timeline_code codes[SS_PROJECTIONS_MAX];
    struct ss_type_entry entries[2 * SS_PROJECTIONS_MAX];
    uint32_t count = 0;
    for (uint32_t i = 0; i < timelines; i++) {
        entries[count++] = (struct ss_type_entry){ .space = SS_TYPE_PROJECTION,
                                                   .name = ss_str(registry->timelines[i].name),
                                                   .full_name = ss_str(SS_PROJECTION_TIMELINE) };
    }
    for (uint32_t i = 0; i < registry->uis_count; i++) {
        entries[count++] = (struct ss_type_entry){ .space = SS_TYPE_PROJECTION,
                                                   .name = ss_str(registry->uis[i].name),
                                                   .full_name = ss_str(SS_PROJECTION_UI) };
    }
    int err = ss__store_intern_types(shard->store, entries, count);
    if (err != 0) {
        return err;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (i < timelines) {
            shard->timeline_ids[i] = entries[i].ret_type_id;
            codes[i] = (struct ss_timeline_code){ entries[i].ret_type_id,
                                                  registry->timelines[i].version };
        } else {
            shard->ui_ids[i - timelines] = entries[i].ret_type_id;
        }
    }
    ss__store_set_timelines(shard->store, codes, timelines);
    return 0;
}

static void queue_recover(struct ss_str session_id, void *context)
{
    ss__recovered_later(context, session_id);
}

static void init_fields(struct ss_shard *shard, const struct ss_shard_options *options)
{
    shard->options = *options;
    ss__map_init(&shard->channels, channel_matches);
    ss__map_init(&shard->metadata, ss__metadata_matches);
    ss__list_init(&shard->recent);
    ss__list_init(&shard->empty);
    ss__list_init(&shard->unwritten);
    ss__list_init(&shard->ready);
    ss__rings_init(&shard->rings, SS_RINGS_BYTES_MAX);
    ss__list_init(&shard->background);
    ss__list_init(&shard->frozen);
    ss__list_init(&shard->snapshot_jobs);
    ss__list_init(&shard->idle);
    ss__list_init(&shard->works);
    ss__list_init(&shard->folds);
    ss__list_init(&shard->rebuilt);
    ss__list_init(&shard->rebuilds_shown);
    ss__list_init(&shard->rebuilds_over);
    ss__list_init(&shard->touched);
    ss__list_init(&shard->due);
    ss__list_init(&shard->flushing);
    ss__list_init(&shard->retries);
    ss__list_init(&shard->closes);
    ss__arena_init(&shard->flush_arena, ARENA_CHUNK_BYTES);
    ss__arena_init(&shard->arena, ARENA_CHUNK_BYTES);
    ss__bytes_init(&shard->scratch, 0);
    ss__effects_init(&shard->effects);
    shard->now_ns = ss__clock_monotonic_ns(options->clock);
    shard->active_ns = shard->now_ns;
    ss__timers_init(&shard->timers, shard->now_ns / 1000000);
    shard->batch = 1;
    shard->observed = options->registry->observes_pipeline || options->trace != NULL;
}

int ss__shard_new(const struct ss_shard_options *options, struct ss_shard **ret_shard,
                  struct ss_failure *failure)
{
    struct ss_shard *shard = calloc(1, sizeof *shard);
    if (shard == NULL) {
        return ss__fail(failure, SS_E_NOMEM, "out of memory");
    }
    init_fields(shard, options);
    int err = ss__inbox_new(SS_INBOX_MESSAGES_MAX, SS_INBOX_BYTES_MAX, &shard->inbox);
    if (err == 0) {
        shard->outboxes = calloc(options->gateways_count + 1, sizeof *shard->outboxes);
        shard->stop = ss__msg_new(SS_MSG_STOP, sizeof *shard->stop);
        err = shard->outboxes == NULL || shard->stop == NULL ? SS_E_NOMEM : 0;
    }
    if (err != 0) {
        (void)ss__fail(failure, err, "shard %u: %s", options->index, ss_error_text(err));
        ss__shard_free(shard);
        return err;
    }
    for (uint32_t i = 0; i < options->gateways_count; i++) {
        ss__outbox_init(&shard->outboxes[i], options->gateways[i]);
    }
    err = ss__store_open(&options->store, &shard->store, &shard->report, failure);
    if (err == 0) {
        err = intern_names(shard);
        err = err != 0 ? err : intern_projections(shard);
        if (err != 0) {
            (void)ss__fail(failure, err, "shard %u: the names of the application cannot be "
                           "recorded: %s", options->index, ss_error_text(err));
        }
    }
    /* What recovery has found is new. */
    shard->errors_shown = err == 0 ? ss__store_errors_stored(shard->store) : 0;
    if (err == 0 && ss__retention_wanted(&options->retention)) {
        err = ss__retention_new(shard, &shard->retention);
    }
    if (err == 0 && options->registry->has_hooks) {
        err = ss__store_each_was_running(shard->store, queue_recover, shard);
    }
    if (err != 0) {
        ss__shard_free(shard);
        return err;
    }
    *ret_shard = shard;
    return 0;
}

const struct ss_store_report *ss__shard_report(const struct ss_shard *shard)
{
    return &shard->report;
}

struct ss_inbox *ss__shard_inbox(struct ss_shard *shard)
{
    return shard->inbox;
}

/* ---- with a thread ---- */

static int enter(void *context)
{
    (void)context;
    return 0;
}

static bool drained(const struct ss_shard *shard)
{
    return shard->jobs == 0 && ss__inbox_depth(shard->inbox) == 0;
}

static bool work(void *context)
{
    struct ss_shard *shard = context;
    bool more = ss__batch_run(shard);
    if (shard->phase == SS_SHARD_DRAINING && !more && drained(shard)) {
        ss__shard_close(shard);
        ss__loop_stop(&shard->loop);
        return false;
    }
    if (!more) {
        /* Whoever is refused counts for a moment as waiting, and does not wake anybody. */
        ss__loop_wake_in(&shard->loop, shard->phase == SS_SHARD_DRAINING
                                           ? DRAIN_LOOK_MS
                                           : ss__batch_wait_ms(shard));
    }
    return more;
}

static void on_timer(void *context)
{
    struct ss_shard *shard = context;
    uint64_t now_ns = ss__clock_monotonic_ns(shard->options.clock);
    if (!shard->rested && now_ns - shard->active_ns >= SS_REST_AFTER_NS) {
        shard->rested = !ss__batch_rest(shard);
    }
    /* The loop runs work next, which expires tasks and sets the next wake-up. */
}

static void leave(void *context)
{
    (void)context;
}

static const struct ss_loop_ops loop_ops = { enter, work, on_timer, leave };

int ss__shard_start(struct ss_shard *shard)
{
    int err = ss__loop_init(&shard->loop, shard->inbox, &loop_ops, shard, SS_ROLE_SHARD,
                            shard->options.index);
    if (err != 0) {
        return err;
    }
    shard->threaded = true;
    err = ss__loop_start(&shard->loop);
    if (err != 0) {
        ss__loop_deinit(&shard->loop);
        shard->threaded = false;
    }
    return err;
}

void ss__shard_stop(struct ss_shard *shard)
{
    ss__inbox_refuse(shard->inbox);
    struct ss_msg_stop *stop = shard->stop;
    shard->stop = NULL;
    if (stop != NULL) {
        SS_INSIST(ss__inbox_post(shard->inbox, &stop->base.node, SS_POST_INSIDE) == 0);
    }
}

void ss__shard_join(struct ss_shard *shard)
{
    if (shard->threaded) {
        ss__loop_join(&shard->loop);
    }
}

/* ---- without a thread ---- */

bool ss__shard_step(struct ss_shard *shard)
{
    SS_REQUIRE(!shard->threaded);
    return ss__batch_run(shard);
}

/* What the pool does for the shard ends before the shard does; other messages come too late. */
static void await_jobs(struct ss_shard *shard)
{
    while (shard->jobs > 0) {
        struct ss_inbox_node *node = ss__inbox_take(shard->inbox);
        struct ss_msg *msg = node == NULL ? NULL : ss__msg_of(node);
        if (msg == NULL) {
            (void)sched_yield();
        } else if (msg->kind == SS_MSG_LOADED) {
            ss__load_drop(shard, msg);
        } else if (msg->kind == SS_MSG_SNAPSHOT_MADE) {
            ss__snapshot_job_drop(shard, msg);
        } else if (msg->kind == SS_MSG_LISTED) {
            ss__listing_drop(shard, msg);
        } else if (msg->kind == SS_MSG_FLUSHED || msg->kind == SS_MSG_SPARE) {
            (void)ss__dispatch(shard, msg);
        } else if (msg->kind == SS_MSG_IMPORT_READ) {
            ss__import_drop(shard, msg);
        } else if (msg->kind == SS_MSG_FOLDED) {
            ss__fold_done(shard, msg);
        } else if (msg->kind == SS_MSG_EVENTS_READ) {
            ss__events_drop(shard, msg);
        } else if (msg->kind == SS_MSG_SCANNED) {
            ss__retention_drop(shard, msg);
        } else if (msg->kind == SS_MSG_WORKED) {
            ss__work_drop(shard, msg);
        } else if (msg->kind == SS_MSG_METADATA) {
            ss__metadata_drop(shard, msg);
        } else {
            ss__msg_free(msg);
        }
    }
    ss__flusher_settle(shard);
}

void ss__shard_close(struct ss_shard *shard)
{
    if (shard->phase == SS_SHARD_ENDED) {
        return;
    }
    shard->phase = SS_SHARD_ENDED;
    uint64_t end_ns = ss__clock_monotonic_ns(shard->options.clock) +
                      (uint64_t)shard->options.stop_timeout_ms * 500000;    /* half of it */
    ss__tasks_cancel_all(shard, SS_E_STOPPING);
    ss__works_cancel_all(shard, SS_E_STOPPING);
    atomic_store(&shard->stopping, SS_E_STOPPING);
    ss__folds_cancel(shard);
    ss__rebuilds_cancel(shard);
    (void)ss__batch_commit(shard);    /* an error has reached everyone concerned */
    await_jobs(shard);
    while (ss__clock_monotonic_ns(shard->options.clock) < end_ns && ss__batch_rest(shard)) {
    }
    ss__retries_end(shard);
    ss__closes_end(shard);
    ss__cut_end(shard);
    ss__rebuilds_end(shard);
    ss__rebuilds_clear(shard);
    for (uint32_t i = 0; i < shard->options.gateways_count; i++) {
        ss__outbox_flush_all(&shard->outboxes[i]);
    }
    ss__inbox_close(shard->inbox);
}

static void free_requests(struct ss_list *list)
{
    while (!ss__list_empty(list)) {
        struct ss_request *request = ss__container_of(list->next, struct ss_request, link);
        ss__list_remove(&request->link);
        ss__msg_free(&request->base);
    }
}

static void free_channels(struct ss_shard *shard)
{
    size_t at = 0;
    for (struct ss_channel *channel; (channel = ss__map_next(&shard->channels, &at)) != NULL;) {
        free_requests(&channel->parked);
        ss__tasks_cancel_session(shard, channel, SS_E_STOPPING);
        if (channel->state != NULL) {
            ss__state_free(shard, channel->state);
        }
        ss__metadata_free(shard, channel);
        ss__retry_give_up(shard, channel);
        ss__list_remove(&channel->idle);    /* which the next one may join */
        ss__ring_free(channel->ring);
        ss__list_remove(&channel->idle);    /* the next one may be listed behind it */
        free(channel->interests);
        free(channel);
    }
    ss__map_deinit(&shard->channels);
    ss__map_deinit(&shard->metadata);
}

static void free_inbox(struct ss_shard *shard)
{
    if (shard->inbox == NULL) {
        return;
    }
    ss__inbox_close(shard->inbox);
    for (struct ss_inbox_node *node; (node = ss__inbox_take(shard->inbox)) != NULL;) {
        ss__msg_free(ss__msg_of(node));
    }
    ss__inbox_unref(shard->inbox);
}

void ss__shard_free(struct ss_shard *shard)
{
    if (shard == NULL) {
        return;
    }
    if (shard->store != NULL) {
        ss__store_abort(shard->store);
        ss__works_cancel_all(shard, SS_E_STOPPING);
        atomic_store(&shard->stopping, SS_E_STOPPING);
        ss__folds_cancel(shard);
        await_jobs(shard);
        ss__rebuilds_cancel(shard);
        ss__rebuilds_end(shard);
        ss__rebuilds_clear(shard);
    }
    ss__snapshot_jobs_drop(shard);
    free_channels(shard);
    ss__paging_drop(shard);
    free_requests(&shard->background);
    free_requests(&shard->retries);
    free_requests(&shard->closes);
    if (shard->threaded) {
        ss__loop_deinit(&shard->loop);
    }
    ss__store_close(shard->store);
    for (uint32_t i = 0; shard->outboxes != NULL && i < shard->options.gateways_count; i++) {
        ss__outbox_deinit(&shard->outboxes[i]);
    }
    free(shard->outboxes);
    ss__retention_free(shard->retention);
    ss__msg_free(shard->stop == NULL ? NULL : &shard->stop->base);
    free_inbox(shard);
    ss__arena_deinit(&shard->arena);
    ss__arena_deinit(&shard->flush_arena);
    ss__bytes_deinit(&shard->scratch);
    free(shard->event_type_ids);
    free(shard->entity_type_ids);
    free(shard->names_by_type);
    free(shard->recovered);
    free(shard);
}
