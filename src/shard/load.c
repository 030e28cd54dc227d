#include "shard/load.h"

#include <stdlib.h>
#include <string.h>

#include "core/contract.h"
#include "core/fault.h"
#include "shard/context.h"
#include "shard/dispatch.h"
#include "shard/errors.h"
#include "shard/job.h"
#include "shard/parked.h"
#include "shard/recovered.h"
#include "shard/replay.h"
#include "shard/retry.h"
#include "shard/shard_state.h"
#include "shard/timeline_cursor.h"

/* Events that are replayed on the shard thread while others wait: some 100 microseconds. */
#define REPLAY_INLINE_MAX 128

struct load_job {
    struct ss_job base;          /* comes back as SS_MSG_LOADED */
    struct ss_store *store;
    struct ss_image_request *request;
    struct ss_channel *channel;  /* pinned by channel->loading */
    uint32_t state;              /* channel->states at the start: the read is for that one */
    bool replayed;               /* it had its events then */
    struct ss_image image;
    struct ss_buf **payloads;    /* of its entities, copied where nobody waits; NULL: no memory */
    int err;
};

static int open_state(struct ss_shard *shard, struct ss_channel *channel)
{
    struct ss_store_session *stored = NULL;
    int err = ss__store_get_session(shard->store, channel->id, &stored);
    if (err == 0) {
        ss__store_use_timelines(shard->store, stored);
    }
    if (err != 0 && err != SS_E_NOTFOUND) {
        return err;
    }
    struct ss_state *state = ss__state_new(shard, channel);
    if (state == NULL) {
        if (stored != NULL) {
            ss__store_put_session(shard->store, stored);
        }
        return SS_E_NOMEM;
    }
    state->stored = stored;
    if (stored == NULL) {
        state->whole = state->replayed = true;
        return 0;
    }
    const struct ss_session_row *row = ss__store_row(stored);
    state->epoch = row->epoch;
    state->whole = !ss__store_checkpointing(stored);
    for (uint32_t i = 0; i < state->timelines_count; i++) {
        state->whole &= ss__store_timeline_ordinal(stored, shard->timeline_ids[i]) == 0;
    }
    ss__count(&ss__stats(shard)->sessions_loaded, 1);
    return 0;
}

/* Every projection begins where its checkpoint is: @ret_newest is the newest of these, @ret_anew
 * says that one begins with the first event. */
static int begin_timelines(struct ss_shard *shard, struct ss_channel *channel,
                           const struct ss_image *image, uint64_t *ret_newest, bool *ret_anew)
{
    struct ss_state *state = channel->state;
    uint64_t newest = 0;
    bool anew = state->timelines_count == 0;
    int err = 0;
    for (uint32_t i = 0; i < state->timelines_count && err == 0; i++) {
        const struct ss_timeline_row *row = &image->timelines[i];
        /* For other code failed events may be fine, or a retry had them in what does not count. */
        bool retrying = (channel->retrying >> i & 1) != 0 ||
                        ss__store_timeline_is_void(state->stored, shard->timeline_ids[i]);
        err = ss__timeline_begin(&state->timelines[i], row, retrying);
        newest = row->ordinal > newest ? row->ordinal : newest;
        anew |= row->ordinal == 0 || (image->based >> i & 1) != 0;
    }
    *ret_newest = newest;
    *ret_anew = anew;
    return err;
}

static bool is_based(const struct ss_shard *shard, const struct ss_image *image,
                     const struct ss_entity_row *row)
{
    bool based = false;
    for (uint32_t i = 0; image->based != 0 && i < image->timelines_count; i++) {
        based |= (image->based >> i & 1) != 0 && shard->timeline_ids[i] == row->projection;
    }
    return based;
}

/* What it begins with is nowhere else: its next checkpoint writes all of it. */
static void keep_base(struct ss_shard *shard, struct ss_state *state, const struct ss_image *image)
{
    size_t at = 0;
    for (struct ss_entity_slot *slot; (slot = ss__map_next(&state->entities, &at)) != NULL;) {
        bool based = (image->based >> slot->kind->timeline & 1) != 0;
        if (based && ss__list_empty(&slot->dirty)) {
            ss__state_dirty(shard, state, slot);
        }
    }
}

/* Adds what the state lacks. A replay is only ever done on a state that shows no event yet.
 * @payloads: copies of the entities', or NULL. */
static int install(struct ss_shard *shard, struct ss_channel *channel,
                   const struct ss_image *image, struct ss_buf *const *payloads, bool entities)
{
    struct ss_state *state = channel->state;
    int err = 0;
    for (size_t i = 0; i < image->entities_count && err == 0; i++) {
        bool based = is_based(shard, image, &image->entities[i]);
        /* A replay has made of these what they are now. */
        if (based ? !state->replayed : entities) {
            err = ss__state_add_stored(shard, state, &image->entities[i],
                                       payloads == NULL ? NULL : payloads[i]);
        }
    }
    state->whole |= entities && err == 0;
    if (err != 0 || state->replayed) {
        return err;
    }
    keep_base(shard, state, image);
    bool anew;
    err = begin_timelines(shard, channel, image, &state->tombstones_after, &anew);
    state->timeline_ordinal = state->tombstones_after;
    state->ordinal = image->row.ordinal - image->records_count;
    for (size_t i = 0; i < image->records_count && err == 0; i++) {
        err = ss__replay(shard, channel, &image->records[i]);
    }
    state->replayed = err == 0;
    if (anew) {
        state->tombstones_after = state->ordinal;    /* perhaps made anew by other code */
    }
    if (state->timelines_count == 0) {
        state->timeline_ordinal = state->ordinal;
    }
    return err;
}

static void run_load_hook(struct ss_shard *shard, struct ss_channel *channel)
{
    const struct ss_registry *registry = shard->options.registry;
    bool announced = channel->state->announced;
    channel->state->announced = registry->hooks.load != NULL || registry->hooks.unload != NULL;
    if (announced || registry->hooks.load == NULL) {
        return;
    }
    struct ss_context context;
    ss__context_init(&context, shard, channel);
    uint64_t begin = ss__clock_monotonic_ns(shard->options.clock);
    registry->hooks.load(&context, registry->hooks_ctx);
    ss__context_end(&context);
    ss__handler_took(shard, channel, "load", begin);
}

/* True while the recover hook of a session of an earlier process has not run. */
static bool must_recover(struct ss_shard *shard, const struct ss_state *state)
{
    if (!shard->options.registry->has_hooks ||
        shard->options.registry->hooks.recover == NULL || state->stored == NULL) {
        return false;
    }
    const struct ss_session_row *row = ss__store_row(state->stored);
    return row->ordinal > 0 && !ss__recovered(shard, row->sid);
}

/* Running when the last process ended, or when a failed commit cut it off in this one. */
static bool was_cut_off(const struct ss_state *state)
{
    const struct ss_session_row *row = ss__store_row(state->stored);
    return row->was_running || row->running;
}

static int run_hooks(struct ss_shard *shard, struct ss_channel *channel)
{
    run_load_hook(shard, channel);
    if (!must_recover(shard, channel->state)) {
        return 0;
    }
    int err = ss__recovered_mark(shard, ss__store_row(channel->state->stored)->sid);
    if (err != 0) {
        return err;
    }
    struct ss_context context;
    ss__context_init(&context, shard, channel);
    uint64_t begin = ss__clock_monotonic_ns(shard->options.clock);
    shard->options.registry->hooks.recover(&context, was_cut_off(channel->state),
                                           shard->options.registry->hooks_ctx);
    ss__context_end(&context);
    ss__handler_took(shard, channel, "recover", begin);
    return 0;
}

/* Reads on this thread what the state lacks; the entities only if asked for. */
static int read_inline(struct ss_shard *shard, struct ss_channel *channel, bool entities)
{
    struct ss_state *state = channel->state;
    if (state->stored == NULL) {
        return 0;
    }
    struct ss_image_request *request;
    int err = ss__store_image_request(shard->store, state->stored, entities, &request);
    if (err != 0) {
        return err;
    }
    ss__store_image_go_on(request, channel->retrying);
    struct ss_image image;
    err = ss__store_read_image_here(shard->store, request, &image);
    ss__store_image_request_free(request);
    if (err == 0) {
        err = install(shard, channel, &image, NULL, entities);
        ss__image_deinit(&image);
    }
    return err;
}

/* A large session is copied here, so that the shard only has to put it in its place. */
static void copy_payloads(struct load_job *job)
{
    const struct ss_image *image = &job->image;
    job->payloads = calloc(image->entities_count + 1, sizeof *job->payloads);
    for (size_t i = 0; job->payloads != NULL && i < image->entities_count; i++) {
        const struct ss_str *payload = &image->entities[i].payload;
        job->payloads[i] = ss__buf_copy(payload->data, payload->len);
    }
}

static void run(struct ss_job *base)
{
    struct load_job *job = ss__container_of(base, struct load_job, base);
    job->err = ss__store_read_image(job->store, job->request, &job->image);
    ss__store_image_request_free(job->request);
    if (job->err == 0) {
        copy_payloads(job);
    }
}

static void release_image(struct load_job *job)
{
    if (job->err != 0) {
        return;
    }
    for (size_t i = 0; job->payloads != NULL && i < job->image.entities_count; i++) {
        ss__buf_unref(job->payloads[i]);
    }
    free(job->payloads);
    ss__image_deinit(&job->image);
}

static int start_job(struct ss_shard *shard, struct ss_channel *channel)
{
    struct load_job *job = ss__job_new(SS_MSG_LOADED, sizeof *job, run);
    if (job == NULL) {
        return SS_E_NOMEM;
    }
    int err =
        ss__store_image_request(shard->store, channel->state->stored, true, &job->request);
    if (err == 0) {
        ss__store_image_go_on(job->request, channel->retrying);
        job->store = shard->store;
        job->channel = channel;
        job->state = channel->states;
        job->replayed = channel->state->replayed;
        err = ss__job_post(shard, shard->options.pool, &job->base);
        if (err != 0) {
            ss__store_image_request_free(job->request);
        }
    }
    if (err != 0) {
        free(job);
        return err;
    }
    channel->loading = true;
    return 0;
}

static enum ss_load_result wait(struct ss_shard *shard, struct ss_channel *channel,
                                struct ss_request *request, int *ret_err)
{
    if (channel->parked_count >= SS_LOAD_WAITING_MAX) {
        *ret_err = SS_E_BUSY;
        return SS_LOAD_FAILED;
    }
    ss__park(shard, channel, request);
    return SS_LOAD_WAIT;
}

/* What is missing: the replay, all entities, or nothing. */
static int load_missing(struct ss_shard *shard, struct ss_channel *channel, bool whole,
                        bool *ret_started)
{
    struct ss_state *state = channel->state;
    bool entities = whole && !state->whole;
    uint64_t replay = state->replayed ? 0 : ss__store_replay_count(shard->store, state->stored);
    *ret_started = false;
    if (state->replayed && !entities) {
        return 0;
    }
    if (shard->options.pool != NULL && state->stored != NULL && !state->touched &&
        (entities || replay > REPLAY_INLINE_MAX)) {
        *ret_started = true;
        return start_job(shard, channel);
    }
    return read_inline(shard, channel, entities);
}

/* Drops a state that could not be loaded, perhaps half-way. */
static void give_up(struct ss_shard *shard, struct ss_channel *channel, int err)
{
    if (err != SS_E_PROJECTION) {    /* noted by the replay, which knows more */
        ss__errors_store(shard, channel, err, "the session cannot be loaded");
    }
    ss__retry_give_up(shard, channel);
    if (channel->state != NULL && !channel->state->touched) {
        ss__state_free(shard, channel->state);
    }
    ss__channel_release_later(shard, channel);
}

enum ss_load_result ss__load(struct ss_shard *shard, struct ss_channel *channel, bool whole,
                             struct ss_request *request, int *ret_err)
{
    if (channel->loading) {
        return wait(shard, channel, request, ret_err);
    }
    bool fresh = channel->state == NULL;
    int err = fresh ? open_state(shard, channel) : 0;
    if (err == 0) {
        bool started;
        whole |= fresh && must_recover(shard, channel->state) &&
                 was_cut_off(channel->state);
        err = load_missing(shard, channel, whole, &started);
        if (err == 0 && started) {
            ss__park_first(shard, channel, request);
            return SS_LOAD_WAIT;
        }
    }
    if (err == 0 && fresh) {
        err = run_hooks(shard, channel);
    }
    if (err != 0) {
        if (fresh) {
            give_up(shard, channel, err);
        }
        *ret_err = err;
        return SS_LOAD_FAILED;
    }
    return SS_LOAD_READY;
}

int ss__load_now(struct ss_shard *shard, struct ss_channel *channel)
{
    int err = channel->state == NULL ? open_state(shard, channel) : 0;
    /* The pool may be reading it: what it brings is only added to a state that has its events. */
    if (err == 0 && !channel->state->replayed) {
        err = read_inline(shard, channel, false);
    }
    if (err != 0) {
        give_up(shard, channel, err);
    } else {
        run_load_hook(shard, channel);
    }
    return err;
}

/* Needs no state, and what is behind it is of the next session of this name. */
static bool is_delete_next(const struct ss_channel *channel)
{
    return channel->parked_count > 0 &&
           ss__container_of(channel->parked.next, struct ss_request, link)->request ==
               SS_REQUEST_DELETE;
}

static void release_waiting(struct ss_shard *shard, struct ss_channel *channel, int err)
{
    for (struct ss_request *request;
         err != 0 && !is_delete_next(channel) &&
         (request = ss__unpark(shard, channel)) != NULL;) {
        ss__request_fail(request, err, ss_error_text(err));
        ss__effect_answer(shard, request);
    }
    ss__parked_settle(shard, channel);
}

void ss__load_done(struct ss_shard *shard, struct ss_msg *msg)
{
    struct load_job *done = ss__container_of(ss__job_back(shard, msg), struct load_job, base);
    struct ss_channel *channel = done->channel;
    /* A failed commit may have dropped the state: those who wait load it again. */
    bool wanted = channel->state != NULL && channel->states == done->state;
    int err = wanted ? done->err : 0;
    err = err != 0 ? err : SS_FAULT("shard.load");
    channel->loading = false;
    if (err == 0 && wanted && channel->state->replayed && !done->replayed) {
        /* A task could not wait for this read: what it has read may be of a later moment. */
        err = read_inline(shard, channel, true);
    } else if (err == 0 && wanted) {
        err = install(shard, channel, &done->image, done->payloads, true);
    }
    if (err == 0 && wanted) {
        err = run_hooks(shard, channel);
    }
    release_image(done);
    if (err != 0) {
        give_up(shard, channel, err);
    }
    release_waiting(shard, channel, err);
    ss__channel_release_later(shard, channel);
    free(done);
}

void ss__load_drop(struct ss_shard *shard, struct ss_msg *msg)
{
    struct load_job *done = ss__container_of(ss__job_back(shard, msg), struct load_job, base);
    done->channel->loading = false;
    release_image(done);
    free(done);
}
