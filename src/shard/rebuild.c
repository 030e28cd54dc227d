#include "shard/rebuild.h"

#include <stdio.h>
#include <stdlib.h>

#include <sessionstream/limits.h>

#include "core/contract.h"
#include "core/fault.h"
#include "core/kill_point.h"
#include "shard/checkpoint.h"
#include "shard/effect.h"
#include "shard/fold.h"
#include "shard/load.h"
#include "shard/parked.h"
#include "shard/retry.h"
#include "shard/shard_state.h"
#include "shard/state_slots.h"
#include "shard/timeline_cursor.h"

/* Events that are folded while others wait: so many, or more if they keep coming. */
#define INLINE_MAX 256u
#define INLINE_LAST_MAX 4096u
#define ROUNDS 8u
#define ROUNDS_MAX 64u

struct rebuild {
    struct ss_fold fold;
    struct ss_list link;         /* in shard->rebuilt, ->rebuilds_shown, ->rebuilds_over */
    struct ss_request *request;
    uint64_t sid;                /* of the session: which of its lives */
    uint32_t states;             /* channel->states: which state it is shown by */
    unsigned rounds;
    struct ss_list old;          /* what it has replaced */
};

static struct rebuild *rebuild_of(struct ss_fold *fold)
{
    return ss__container_of(fold, struct rebuild, fold);
}

static bool is_in(uint32_t set, uint32_t index)
{
    return (set >> index & 1) != 0;
}

/* Up to here all events are in the entities of all that were rebuilt. */
static uint64_t watermark_of(const struct ss_state *state, uint32_t timelines)
{
    uint64_t lowest = state->ordinal;
    for (uint32_t i = 0; i < state->timelines_count; i++) {
        uint64_t at = ss__timeline_watermark(state, &state->timelines[i]);
        lowest = is_in(timelines, i) && at < lowest ? at : lowest;
    }
    return lowest;
}

static struct ss_channel *channel_of(struct ss_shard *shard, const struct rebuild *rebuild)
{
    const struct ss_request *request = rebuild->request;
    return ss__channel_get(shard, request->session_id, request->session_hash, false);
}

/* Nothing of it is left but what the batch may still look at; the request is somebody else's. */
static void end(struct ss_shard *shard, struct rebuild *rebuild)
{
    struct ss_channel *channel = channel_of(shard, rebuild);
    rebuild->request = NULL;
    if (channel != NULL) {
        channel->rebuilding = false;
        ss__channel_release_later(shard, channel);
    }
    if (rebuild->fold.history != NULL) {
        ss__fold_deinit(shard, &rebuild->fold);
    }
    ss__list_remove(&rebuild->link);
    ss__list_push_back(&shard->rebuilds_over, &rebuild->link);
}

static void fail(struct ss_shard *shard, struct rebuild *rebuild, int err, const char *text)
{
    struct ss_request *request = rebuild->request;
    end(shard, rebuild);
    ss__request_fail(request, err, text);
    ss__answer_now(shard, request);
}

static void fail_fold(struct ss_shard *shard, struct rebuild *rebuild)
{
    int err = rebuild->fold.err;
    bool told = rebuild->fold.failure.code == err;
    if (err == SS_E_GONE) {
        ss__request_gone(rebuild->request, ss__history_first(rebuild->fold.history));
    }
    fail(shard, rebuild, err, told ? rebuild->fold.failure.text : ss_error_text(err));
}

void ss__rebuilds_clear(struct ss_shard *shard)
{
    for (struct ss_list *link = shard->rebuilds_shown.next; link != &shard->rebuilds_shown;
         link = link->next) {
        ss__slots_free(&ss__container_of(link, struct rebuild, link)->old);
    }
    while (!ss__list_empty(&shard->rebuilds_over)) {
        struct rebuild *rebuild =
            ss__container_of(shard->rebuilds_over.next, struct rebuild, link);
        ss__list_remove(&rebuild->link);
        ss__slots_free(&rebuild->old);
        free(rebuild);
    }
}

/* Those of one session; NULL: of all. */
static void end_all(struct ss_shard *shard, struct ss_list *list, const struct ss_channel *of,
                    int err)
{
    for (struct ss_list *link = list->next; link != list;) {
        struct rebuild *rebuild = ss__container_of(link, struct rebuild, link);
        link = link->next;
        if (of == NULL || channel_of(shard, rebuild) == of) {
            fail(shard, rebuild, err, NULL);
        }
    }
}

void ss__rebuilds_cancel(struct ss_shard *shard)
{
    end_all(shard, &shard->rebuilt, NULL, SS_E_STOPPING);
}

void ss__rebuilds_end(struct ss_shard *shard)
{
    end_all(shard, &shard->rebuilds_shown, NULL, SS_E_STOPPING);
}

void ss__rebuilds_forget(struct ss_shard *shard, struct ss_channel *channel, int err)
{
    end_all(shard, &shard->rebuilt, channel, err);
    end_all(shard, &shard->rebuilds_shown, channel, err);
}

/* ---- beginning ---- */

/* What retention has left of the events it removed is the beginning. */
static int check_first(const struct ss_state *state, struct ss_request *request)
{
    uint64_t first = ss__store_row(state->stored)->first_retained;
    if (request->at == 0) {
        request->at = first - 1;
    } else if (request->at + 1 < first) {
        ss__request_gone(request, first);
        return SS_E_GONE;
    }
    return 0;
}

static int check(const struct ss_shard *shard, const struct ss_channel *channel,
                 struct ss_request *request, struct ss_failure *failure)
{
    const struct ss_state *state = channel->state;
    if (request->timelines == 0) {
        request->timelines = ss__fold_all(shard);
    }
    if (request->timelines == 0) {
        return ss__fail(failure, SS_E_NOTFOUND, "no timeline projection is registered");
    }
    if (state->stored == NULL || state->ordinal == 0) {
        return ss__fail(failure, SS_E_NOTFOUND, "the session has no events");
    }
    if (channel->rebuilding || channel->retrying != 0) {
        return ss__fail(failure, SS_E_BUSY, channel->rebuilding ? "the session is being rebuilt"
                                                                : "a retry is under way");
    }
    if (request->at > state->ordinal) {
        return ss__fail(failure, SS_E_INVAL, "the newest event of the session is %llu",
                        (unsigned long long)state->ordinal);
    }
    for (uint32_t i = 0; i < state->timelines_count; i++) {
        uint64_t halted_at = state->timelines[i].halted_at;
        if (is_in(request->timelines, i) && halted_at != 0 && request->at >= halted_at) {
            return ss__fail(failure, SS_E_INVAL,
                            "the timeline stopped at event %llu: begin before it",
                            (unsigned long long)halted_at);
        }
    }
    return check_first(state, request);
}

static void folded(struct ss_fold *fold)
{
    (void)fold;    /* the rest is for the shard */
}

static void done(struct ss_shard *shard, struct ss_fold *fold)
{
    struct rebuild *rebuild = rebuild_of(fold);
    if (fold->err != 0) {
        fail_fold(shard, rebuild);
    } else if (shard->phase != SS_SHARD_RUNNING) {
        fail(shard, rebuild, SS_E_STOPPING, NULL);
    } else {
        ss__list_push_back(&shard->rebuilt, &rebuild->link);
    }
}

static const struct ss_fold_ops ops = { folded, done };

static int begin(struct ss_shard *shard, struct ss_channel *channel, struct ss_request *request)
{
    struct ss_fold_query query = { .at = channel->state->ordinal,
                                   .base_max = request->at,
                                   .timelines = request->timelines };
    struct rebuild *rebuild = calloc(1, sizeof *rebuild);
    int err = rebuild == NULL ? SS_E_NOMEM
                              : ss__fold_init(shard, channel, &query, &ops, &rebuild->fold);
    if (err != 0) {
        free(rebuild);
        return err;
    }
    rebuild->fold.try_after = request->at;
    rebuild->fold.try_to = query.at;
    rebuild->request = request;
    rebuild->sid = ss__store_row(channel->state->stored)->sid;
    ss__list_init(&rebuild->link);
    ss__list_init(&rebuild->old);
    channel->rebuilding = true;
    ss__fold_start(shard, &rebuild->fold);
    return 0;
}

void ss__rebuild(struct ss_shard *shard, struct ss_channel *channel, struct ss_request *request)
{
    struct ss_failure failure = { .text = "" };
    if (channel->state->touched) {
        /* Part of it is not committed yet; it is not tried again before. */
        channel->batch_messages = SS_BATCH_SESSION_MESSAGES_MAX;
        ss__park_first(shard, channel, request);
        return;
    }
    int err = check(shard, channel, request, &failure);
    err = err != 0 ? err : begin(shard, channel, request);
    if (err != 0) {
        ss__request_fail(request, err, failure.code == err ? failure.text : ss_error_text(err));
        ss__effect_answer(shard, request);
    }
}

/* ---- what the projections have not taken ---- */

/* Those of before that are not touched, then those of the fold. */
static struct ss_failed_set failed_of(const struct rebuild *rebuild, uint32_t index)
{
    const struct ss_fold_timeline *live = &rebuild->fold.timelines[index];
    const struct ss_failed_set *made =
        ss__fold_state((struct ss_fold *)(uintptr_t)&rebuild->fold)->timelines[index].failed;
    struct ss_failed_set set = { 0 };
    for (uint32_t i = 0; i < live->failed.named; i++) {
        if (live->failed.ordinals[i] <= rebuild->fold.try_after) {
            ss__failed_add(&set, live->failed.ordinals[i]);
        }
    }
    for (uint32_t i = 0; made != NULL && i < made->named; i++) {
        if (made->ordinals[i] > rebuild->fold.try_to) {
            ss__failed_add(&set, made->ordinals[i]);
        }
    }
    set.total = live->failed.total - live->tried_failed;
    return set;
}

static bool same_failed(const struct ss_timeline_state *timeline, const struct ss_failed_set *set)
{
    uint64_t total = timeline->failed == NULL ? 0 : timeline->failed->total;
    return total == set->total;
}

/* ---- taking its place ---- */

static bool is_same(const struct rebuild *rebuild, struct ss_state *state, struct ss_state *made)
{
    uint32_t timelines = rebuild->request->timelines;
    bool same = true;
    for (uint32_t i = 0; i < state->timelines_count && same; i++) {
        if (is_in(timelines, i)) {
            struct ss_failed_set failed = failed_of(rebuild, i);
            same = state->timelines[i].halted_at == made->timelines[i].halted_at &&
                   same_failed(&state->timelines[i], &failed);
        }
    }
    return same && ss__state_same(state, timelines, made);
}

/* What was judged when it was published fits; what was left out then may not. An entity of the
 * base that cannot be read would be written as if it could. */
static int check_made(const struct ss_state *state, const struct ss_state *made,
                      struct ss_failure *failure)
{
    size_t at = 0;
    for (const struct ss_entity_slot *slot;
         (slot = ss__map_next(&made->entities, &at)) != NULL;) {
        if (slot->unreadable) {
            return ss__fail(failure, SS_E_TYPE, "an entity of kind \"%s\" cannot be read any more: "
                            "begin before event %llu", slot->kind->name.data,
                            (unsigned long long)slot->created_ordinal);
        }
    }
    if (made->live_count <= SS_SESSION_ENTITIES_MAX &&
        (made->bytes <= SS_SESSION_STATE_BYTES_MAX || made->bytes <= state->bytes)) {
        return 0;
    }
    return ss__fail(failure, SS_E_LIMIT, "a session may hold %d entities and %u bytes of them",
                    SS_SESSION_ENTITIES_MAX, SS_SESSION_STATE_BYTES_MAX);
}

static void take_back(struct ss_shard *shard, struct ss_state *state, uint32_t timelines)
{
    for (uint32_t i = 0; i < state->timelines_count; i++) {
        if (is_in(timelines, i)) {
            ss__store_keep_timeline(state->stored, shard->timeline_ids[i]);
        }
    }
}

/* What may fail. @ret_voided: of these the store's entities counted until now. */
static int prepare(struct ss_shard *shard, const struct rebuild *rebuild, struct ss_state *state,
                   uint32_t *ret_voided)
{
    int err = SS_FAULT("shard.rebuild");
    uint32_t voided = 0;
    for (uint32_t i = 0; i < state->timelines_count && err == 0; i++) {
        uint32_t projection = shard->timeline_ids[i];
        if (is_in(rebuild->request->timelines, i)) {
            voided |= ss__store_timeline_is_void(state->stored, projection) ? 0 : 1u << i;
            err = ss__timeline_reserve(&state->timelines[i]);
            if (err == 0) {
                ss__store_void_timeline(state->stored, projection);
            }
        }
    }
    if (err != 0) {
        take_back(shard, state, voided);
        return err;
    }
    *ret_voided = voided;
    return 0;
}

/* Puts what was made into the state, or changes nothing. */
static int replace(struct ss_shard *shard, struct rebuild *rebuild, struct ss_state *state,
                   struct ss_state *made)
{
    uint32_t timelines = rebuild->request->timelines;
    uint32_t voided = 0;
    int err = prepare(shard, rebuild, state, &voided);
    if (err != 0) {
        return err;
    }
    err = ss__state_replace(shard, state, timelines, made, &rebuild->old);
    if (err != 0) {
        take_back(shard, state, voided);
        return err;
    }
    state->remade |= (uint8_t)timelines;
    state->voided |= (uint8_t)voided;
    return 0;
}

static void show(struct ss_shard *shard, struct ss_channel *channel, struct rebuild *rebuild,
                 const struct ss_state *made)
{
    struct ss_state *state = channel->state;
    uint32_t timelines = rebuild->request->timelines;
    for (uint32_t i = 0; i < state->timelines_count; i++) {
        struct ss_timeline_state *timeline = &state->timelines[i];
        if (is_in(timelines, i)) {
            *timeline->failed = failed_of(rebuild, i);
            timeline->ordinal = made->timelines[i].ordinal;
            timeline->halted_at = made->timelines[i].halted_at;
        }
    }
    state->whole |= timelines == ss__fold_all(shard);
    state->tombstones_after = state->ordinal;
    if (made->timeline_ordinal > state->timeline_ordinal) {
        state->timeline_ordinal = made->timeline_ordinal;
    }
    ss__retry_resync(shard, channel);
}

static void finish(struct ss_shard *shard, struct ss_channel *channel, struct rebuild *rebuild)
{
    struct ss_failure failure = { .text = "" };
    struct ss_request *request = rebuild->request;
    struct ss_state *state = channel->state;
    struct ss_state *made = ss__fold_state(&rebuild->fold);
    int err = ss__state_read_whole(shard, state);    /* it was, unless it was dropped meanwhile */
    if (err != 0) {
        fail(shard, rebuild, err, ss_error_text(err));
        return;
    }
    if (is_same(rebuild, state, made)) {
        request->ordinal = watermark_of(state, request->timelines);
        end(shard, rebuild);
        ss__answer_now(shard, request);
        return;
    }
    SS_KILL_POINT(REBUILD_BEFORE);
    err = check_made(state, made, &failure);
    err = err != 0 ? err : replace(shard, rebuild, state, made);
    if (err != 0) {
        fail(shard, rebuild, err, failure.code == err ? failure.text : ss_error_text(err));
        return;
    }
    show(shard, channel, rebuild, made);
    SS_KILL_POINT(REBUILD_SHOWN);
    request->ordinal = watermark_of(state, request->timelines);
    rebuild->states = channel->states;
    ss__fold_deinit(shard, &rebuild->fold);
    rebuild->fold.history = NULL;
    ss__list_remove(&rebuild->link);
    ss__list_push_back(&shard->rebuilds_shown, &rebuild->link);
    ss__checkpoint_want(shard, state);
    shard->flush_wanted = true;
}

/* ---- on the disk ---- */

/* 1: it is; 0: not yet; or why it never will be. */
static int look(struct ss_shard *shard, const struct rebuild *rebuild)
{
    struct ss_state *state = channel_of(shard, rebuild)->state;    /* which this one keeps */
    if (state == NULL || state->channel->states != rebuild->states) {
        return SS_E_COMMIT;    /* dropped before it was written */
    }
    if ((state->remade & rebuild->request->timelines) == 0) {
        return 1;
    }
    if (ss__store_row(state->stored)->quarantined) {
        return SS_E_CORRUPT;    /* it is never written again */
    }
    ss__checkpoint_want(shard, state);
    shard->flush_wanted = true;
    return 0;
}

void ss__rebuilds_settle(struct ss_shard *shard)
{
    for (struct ss_list *link = shard->rebuilds_shown.next; link != &shard->rebuilds_shown;) {
        struct rebuild *rebuild = ss__container_of(link, struct rebuild, link);
        struct ss_request *request = rebuild->request;
        int found = look(shard, rebuild);
        link = link->next;
        if (found < 0) {
            fail(shard, rebuild, found, NULL);
        } else if (found > 0) {
            SS_KILL_POINT(REBUILD_SETTLED);
            end(shard, rebuild);
            ss__answer_now(shard, request);
        }
    }
}

/* ---- catching up ---- */

/* Folds what was published meanwhile: 1 if nothing is missing any more, 0 if the pool does it. */
static int catch_up(struct ss_shard *shard, struct ss_channel *channel, struct rebuild *rebuild)
{
    struct ss_fold *fold = &rebuild->fold;
    uint64_t newest = channel->state->ordinal;
    uint64_t missing = newest - fold->at;
    uint64_t at_once = rebuild->rounds < ROUNDS ? INLINE_MAX : INLINE_LAST_MAX;
    if (missing == 0) {
        return 1;
    }
    if (rebuild->rounds++ >= ROUNDS_MAX) {
        return ss__fail(&fold->failure, SS_E_BUSY, "events come faster than they are replayed");
    }
    int err = ss__fold_extend(shard, channel, newest, fold);
    if (err != 0) {
        return err;
    }
    if (missing > at_once && shard->options.pool != NULL) {
        ss__list_remove(&rebuild->link);
        ss__fold_start(shard, fold);
        return 0;
    }
    ss__fold_run(fold);
    return fold->err != 0 ? fold->err : 1;
}

static void step(struct ss_shard *shard, struct ss_channel *channel, struct rebuild *rebuild)
{
    int err = channel->state == NULL || !channel->state->replayed ? ss__load_now(shard, channel)
                                                                   : 0;
    if (err != 0) {
        fail(shard, rebuild, err, ss_error_text(err));
        return;
    }
    SS_REQUIRE(!channel->state->touched);
    if (channel->state->stored == NULL ||
        ss__store_row(channel->state->stored)->sid != rebuild->sid ||
        channel->state->ordinal < rebuild->fold.at) {
        fail(shard, rebuild, SS_E_DELETED, NULL);
        return;
    }
    int caught_up = catch_up(shard, channel, rebuild);
    if (caught_up < 0) {
        rebuild->fold.err = caught_up;
        fail_fold(shard, rebuild);
    } else if (caught_up > 0) {
        finish(shard, channel, rebuild);
    }
}

/* What a flush or a read has begun with would count again when it ends. */
static bool must_wait(const struct ss_shard *shard, const struct ss_channel *channel)
{
    return ss__store_flushing(shard->store) || (channel != NULL && channel->loading);
}

void ss__rebuilds_run(struct ss_shard *shard)
{
    for (struct ss_list *link = shard->rebuilt.next; link != &shard->rebuilt;) {
        struct rebuild *rebuild = ss__container_of(link, struct rebuild, link);
        struct ss_channel *channel = channel_of(shard, rebuild);
        link = link->next;
        if (channel == NULL) {
            fail(shard, rebuild, SS_E_DELETED, NULL);
        } else if (!must_wait(shard, channel)) {
            step(shard, channel, rebuild);
        }
    }
}

bool ss__rebuilds_ready(const struct ss_shard *shard)
{
    for (struct ss_list *link = shard->rebuilt.next; link != &shard->rebuilt; link = link->next) {
        const struct rebuild *rebuild = ss__container_of(link, struct rebuild, link);
        const struct ss_request *request = rebuild->request;
        if (!must_wait(shard, ss__map_get(&shard->channels, request->session_hash,
                                          request->session_id))) {
            return true;
        }
    }
    return false;
}
