#include "shard/fold.h"

#include <sessionstream/limits.h>

#include "core/contract.h"
#include "core/hash.h"
#include "shard/desk.h"
#include "shard/replay.h"
#include "shard/shard_state.h"
#include "shard/verdict.h"
#include "store/outcome.h"

#define SLICE_NS UINT64_C(10000000)
/* Events between two looks at clock and cancellation. */
#define LOOK_EVERY 16
/* What was judged when it was published stays far below, unless other code makes more of it. */
#define STATE_BYTES_MAX (2 * (size_t)SS_SESSION_STATE_BYTES_MAX)

uint64_t ss__fold_code(const struct ss_shard *shard)
{
    const struct ss_registry *registry = shard->options.registry;
    uint32_t parts[2 * SS_PROJECTIONS_MAX] = { 0 };
    for (uint32_t i = 0; i < registry->timelines_count; i++) {
        parts[2 * i] = shard->timeline_ids[i];
        parts[2 * i + 1] = registry->timelines[i].version;
    }
    return ss__checksum(parts, sizeof parts);
}

uint32_t ss__fold_all(const struct ss_shard *shard)
{
    return (1u << shard->options.registry->timelines_count) - 1;
}

struct ss_state *ss__fold_state(struct ss_fold *fold)
{
    return ss__desk_channel(fold->desk)->state;
}

/* ---- what a slice does, on any thread ---- */

static int add_entity(const struct ss_entity_row *row, void *ctx)
{
    struct ss_fold *fold = ctx;
    struct ss_state *state = ss__fold_state(fold);
    for (uint32_t i = 0; i < state->timelines_count; i++) {
        if (fold->desk->timeline_ids[i] == row->projection && state->timelines[i].halted_at != 0) {
            return 0;    /* of one that is not wanted */
        }
    }
    return ss__state_add_stored(fold->desk, state, row, NULL);
}

/* What the live timeline has made of the event, whatever it says of itself: a retry may have had it
 * in. Of those beyond the named ones only the events themselves know. */
static enum ss_outcome outcome_of(const struct ss_fold_timeline *timeline, uint32_t projection,
                                  const struct ss_record *record)
{
    const struct ss_failed_set *failed = &timeline->failed;
    if (timeline->halted_at != 0 && record->ordinal >= timeline->halted_at) {
        return SS_OUTCOME_HALTED;
    }
    for (uint32_t i = 0; i < failed->named; i++) {
        if (failed->ordinals[i] == record->ordinal) {
            return SS_OUTCOME_FAILED;
        }
    }
    bool unknown = failed->total > failed->named &&
                   record->ordinal > failed->ordinals[failed->named - 1];
    bool taken = ss__outcome_of(record, projection) == SS_OUTCOME_NONE &&
                 ss__verdict_was_taken(record->flags);
    return unknown && !taken ? SS_OUTCOME_FAILED : SS_OUTCOME_NONE;
}

/* Counts what is tried and what is left out besides. */
static enum ss_outcome judge(struct ss_fold *fold, uint32_t index, const struct ss_record *record)
{
    struct ss_fold_timeline *timeline = &fold->timelines[index];
    enum ss_outcome outcome = outcome_of(timeline, fold->desk->timeline_ids[index], record);
    if (record->ordinal > fold->try_to) {
        /* A halt that what is tried has ended is none any more. */
        bool ended = outcome == SS_OUTCOME_HALTED && timeline->halted_at <= fold->try_to;
        timeline->left_out += outcome == SS_OUTCOME_FAILED;
        return ended ? SS_OUTCOME_NONE : outcome;
    }
    if (record->ordinal > fold->try_after) {
        timeline->tried_failed += outcome == SS_OUTCOME_FAILED;
        return SS_OUTCOME_NONE;
    }
    return outcome;
}

static int fold_record(struct ss_fold *fold, const struct ss_record *record)
{
    struct ss_channel *channel = ss__desk_channel(fold->desk);
    struct ss_outcome_item item = { .len = 0 };
    fold->events++;
    for (uint32_t i = 0; i < channel->state->timelines_count; i++) {
        enum ss_outcome outcome = judge(fold, i, record);
        if (outcome != SS_OUTCOME_NONE) {
            ss__outcome_add(&item, fold->desk->timeline_ids[i], outcome);
        }
    }
    struct ss_record copy = *record;
    copy.header = ss__outcome_header(&item);
    copy.flags = item.len == 0 ? 0 : (uint32_t)SS_RECORD_TIMELINE_FAILED;
    int err = ss__replay(fold->desk, channel, &copy);
    if (err == SS_E_PROJECTION) {
        return ss__fail(&fold->failure, err, "event %llu fails in a timeline projection",
                        (unsigned long long)record->ordinal);
    }
    if (err == 0 && channel->state->bytes > STATE_BYTES_MAX) {
        return ss__fail(&fold->failure, SS_E_LIMIT,
                        "with event %llu the entities take more than a session may hold",
                        (unsigned long long)record->ordinal);
    }
    return err;
}

static bool is_canceled(struct ss_fold *fold)
{
    return atomic_load_explicit(&fold->canceled, memory_order_relaxed);
}

static int fold_records(struct ss_fold *fold, const struct ss_record *records, size_t count)
{
    int err = 0;
    for (size_t i = 0; i < count && err == 0; i++) {
        err = fold_record(fold, &records[i]);
        if (i % LOOK_EVERY == LOOK_EVERY - 1 && err == 0) {
            ss__desk_clear(fold->desk);
            err = is_canceled(fold) ? SS_E_STOPPING : 0;
        }
    }
    ss__desk_clear(fold->desk);
    return err;
}

static int begin(struct ss_fold *fold)
{
    struct ss_state *state = ss__fold_state(fold);
    int err = ss__history_base(fold->history, add_entity, fold, &fold->base);
    if (err == SS_E_GONE) {
        return err;
    }
    state->ordinal = state->timeline_ordinal = fold->base.ordinal;
    for (uint32_t i = 0; i < state->timelines_count && err == 0; i++) {
        state->timelines[i].ordinal = state->timelines[i].loaded = fold->base.shown[i];
    }
    fold->based = true;
    return err;
}

/* One read and what follows from it. True: there is more. */
static bool advance(struct ss_fold *fold)
{
    const struct ss_record *records;
    size_t count = 0;
    fold->err = is_canceled(fold) ? SS_E_STOPPING : fold->based ? 0 : begin(fold);
    if (fold->err == 0) {
        fold->err = ss__history_read(fold->history, &records, &count);
    }
    if (fold->err == 0) {
        fold->err = fold_records(fold, records, count);
    }
    fold->err = fold->err == SS_E_NOTFOUND ? SS_E_DELETED : fold->err;
    return fold->err == 0 && count > 0;
}

/* Returns false when the fold is at its end. */
static bool run_slice(struct ss_fold *fold)
{
    uint64_t end_ns = ss__clock_monotonic_ns(&ss__system_clock) + SLICE_NS;
    bool more = advance(fold);
    while (more && ss__clock_monotonic_ns(&ss__system_clock) < end_ns) {
        more = advance(fold);
    }
    if (!more) {
        struct ss_state *state = ss__fold_state(fold);
        state->ordinal = state->timeline_ordinal = fold->at;
        fold->ops->folded(fold);
    }
    return more;
}

static void run_job(struct ss_pool_job *job)
{
    struct ss_fold *fold = ss__container_of(job, struct ss_fold, job);
    if (run_slice(fold)) {
        ss__pool_post_counted(fold->pool, job);    /* behind those who wait */
        return;
    }
    struct ss_inbox *inbox = fold->inbox;
    fold->inbox = NULL;
    /* The shard waits for its jobs before it closes the inbox, so this is always taken. */
    SS_INSIST(ss__inbox_post(inbox, &fold->msg.node, SS_POST_INSIDE) == 0);
    ss__inbox_unref(inbox);
}

/* ---- the shard's thread ---- */

/* A projection that has stopped before the first event takes none. */
static void leave_out_others(struct ss_fold *fold, uint32_t timelines)
{
    struct ss_state *state = ss__fold_state(fold);
    for (uint32_t i = 0; i < state->timelines_count; i++) {
        state->timelines[i].halted_at = (timelines >> i & 1) != 0 ? 0 : 1;
    }
}

static void look_at_live(const struct ss_state *state, struct ss_fold *fold)
{
    for (uint32_t i = 0; i < state->timelines_count; i++) {
        const struct ss_timeline_state *timeline = &state->timelines[i];
        fold->timelines[i].halted_at = timeline->halted_at;
        fold->timelines[i].failed =
            timeline->failed != NULL ? *timeline->failed : (struct ss_failed_set){ 0 };
    }
}

int ss__fold_init(struct ss_shard *shard, struct ss_channel *channel,
                  const struct ss_fold_query *query, const struct ss_fold_ops *ops,
                  struct ss_fold *fold)
{
    const struct ss_state *state = channel->state;
    SS_REQUIRE(state->stored != NULL && !state->touched);
    if (shard->folds_count >= SS_FOLDS_MAX) {
        return SS_E_BUSY;
    }
    struct ss_history_query wanted = { .at = query->at, .code = ss__fold_code(shard),
                                       .base_max = query->base_max,
                                       .timelines = query->timelines };
    *fold = (struct ss_fold){ .ops = ops, .at = query->at };
    fold->msg.kind = SS_MSG_FOLDED;
    fold->msg.node.bytes = sizeof *fold;
    fold->job.run = run_job;
    atomic_init(&fold->canceled, false);
    look_at_live(state, fold);
    fold->desk = ss__desk_new(shard, channel);
    int err = fold->desk == NULL ? SS_E_NOMEM
                                 : ss__history_new(shard->store, state->stored, &wanted,
                                                   &fold->history);
    if (err != 0) {
        ss__desk_free(fold->desk);
        return err;
    }
    leave_out_others(fold, query->timelines);
    ss__list_push_back(&shard->folds, &fold->link);
    shard->folds_count++;
    return 0;
}

int ss__fold_extend(struct ss_shard *shard, struct ss_channel *channel, uint64_t at,
                    struct ss_fold *fold)
{
    struct ss_history *history;
    struct ss_history_query wanted = { .at = at, .after = fold->at };
    SS_REQUIRE(fold->phase == SS_FOLD_RESTS && fold->based && !channel->state->touched);
    int err = ss__history_new(shard->store, channel->state->stored, &wanted, &history);
    if (err == 0) {
        ss__history_free(shard->store, fold->history);
        fold->history = history;
        fold->at = at;
        look_at_live(channel->state, fold);
    }
    return err;
}

void ss__fold_deinit(struct ss_shard *shard, struct ss_fold *fold)
{
    ss__list_remove(&fold->link);
    shard->folds_count--;
    ss__count(&ss__stats(shard)->folds, 1);
    ss__count(&ss__stats(shard)->fold_events, fold->events);
    ss__history_free(shard->store, fold->history);
    ss__desk_free(fold->desk);
}

void ss__fold_run(struct ss_fold *fold)
{
    while (run_slice(fold)) {
    }
}

static void give_to_pool(struct ss_shard *shard, struct ss_fold *fold)
{
    fold->pool = shard->options.pool;
    fold->inbox = ss__inbox_ref(shard->inbox);
    fold->phase = SS_FOLD_RUNS;
    shard->folds_running++;
    shard->jobs++;
    ss__pool_post_counted(fold->pool, &fold->job);
}

void ss__fold_start(struct ss_shard *shard, struct ss_fold *fold)
{
    if (shard->options.pool == NULL) {
        ss__fold_run(fold);
        fold->ops->done(shard, fold);
    } else if (shard->folds_running < SS_FOLDS_RUNNING_MAX) {
        give_to_pool(shard, fold);
    } else {
        fold->phase = SS_FOLD_WAITS;
    }
}

static void start_next(struct ss_shard *shard)
{
    for (struct ss_list *link = shard->folds.next;
         link != &shard->folds && shard->folds_running < SS_FOLDS_RUNNING_MAX;
         link = link->next) {
        struct ss_fold *fold = ss__container_of(link, struct ss_fold, link);
        if (fold->phase == SS_FOLD_WAITS) {
            give_to_pool(shard, fold);
        }
    }
}

void ss__fold_done(struct ss_shard *shard, struct ss_msg *msg)
{
    struct ss_fold *fold = (struct ss_fold *)(void *)msg;
    shard->jobs--;
    shard->folds_running--;
    fold->phase = SS_FOLD_RESTS;
    fold->ops->done(shard, fold);
    start_next(shard);
}

void ss__folds_cancel(struct ss_shard *shard)
{
    for (struct ss_list *link = shard->folds.next; link != &shard->folds;) {
        struct ss_fold *fold = ss__container_of(link, struct ss_fold, link);
        link = link->next;
        atomic_store_explicit(&fold->canceled, true, memory_order_relaxed);
        if (fold->phase == SS_FOLD_WAITS) {
            fold->phase = SS_FOLD_RESTS;
            fold->err = SS_E_STOPPING;
            fold->ops->done(shard, fold);
        }
    }
}
