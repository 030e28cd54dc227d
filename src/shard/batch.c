#include "shard/batch.h"

#include <sessionstream/limits.h>

#include "core/contract.h"
#include "core/kill_point.h"
#include "core/log.h"
#include "shard/checkpoint.h"
#include "shard/close.h"
#include "shard/dispatch.h"
#include "shard/errors.h"
#include "shard/flusher.h"
#include "shard/keyed.h"
#include "shard/metadata.h"
#include "shard/parked.h"
#include "shard/rebuild.h"
#include "shard/retention.h"
#include "shard/recovered.h"
#include "shard/retry.h"
#include "shard/shard_state.h"
#include "shard/snapshot_job.h"
#include "shard/spare.h"
#include "shard/task.h"
#include "shard/work.h"

#define CLOCK_EVERY_MESSAGES 16
#define BACKGROUND_MAX 4
/* More than a batch can bring into memory. */
#define EVICT_LOOKS_MAX (4 * SS_BATCH_MESSAGES_MAX)
#define REST_SESSIONS 32        /* in one go, so that whoever comes waits for no more */
#define REST_SESSIONS_END 512   /* nobody comes any more */
#define REST_EVERY_MS 20
#define OUTBOX_RETRY_MS 1

static void begin(struct ss_shard *shard)
{
    shard->batch++;
    shard->now_ns = ss__clock_monotonic_ns(shard->options.clock);
    shard->now_us = ss__clock_wall_us(shard->options.clock);
    shard->handler_ns = 0;
}

/* Whether the batch may go on: in number, bytes and time, of which the sources before the last have
 * but @thirds, so that none starves the next. Handlers account for their own time; the clock is
 * read now and then only. */
static bool within_limits(struct ss_shard *shard, unsigned count, unsigned thirds)
{
    if (count * 3 >= SS_BATCH_MESSAGES_MAX * thirds ||
        ss__store_staged_bytes(shard->store) >= SS_BATCH_BYTES_MAX / 3 * thirds ||
        shard->handler_ns >= SS_BATCH_HANDLER_NS_MAX / 3 * thirds) {
        return false;
    }
    return count % CLOCK_EVERY_MESSAGES != CLOCK_EVERY_MESSAGES - 1 ||
           ss__clock_monotonic_ns(shard->options.clock) - shard->now_ns <
               (uint64_t)SS_BATCH_HANDLER_NS_MAX * 2 / 3 * thirds;
}

/* Sessions with parked requests take turns, each with its share. */
static unsigned handle_parked(struct ss_shard *shard)
{
    unsigned count = 0;
    for (struct ss_channel *channel; within_limits(shard, count, 1) &&
                                     (channel = ss__parked_turn(shard)) != NULL;) {
        if (!ss__has_share(shard, channel)) {
            ss__parked_settle(shard, channel);
            break;    /* the round is over */
        }
        for (struct ss_request *request; ss__has_share(shard, channel) &&
                                         within_limits(shard, count, 1) &&
                                         (request = ss__unpark(shard, channel)) != NULL;) {
            ss__dispatch_turn(shard, channel, request);
            count++;
        }
        ss__parked_settle(shard, channel);
    }
    return count;
}

static unsigned handle_tasks(struct ss_shard *shard, unsigned count)
{
    ss__tasks_advance(shard);
    while (within_limits(shard, count, 2) && ss__tasks_run_one(shard)) {
        count++;
    }
    return count;
}

static unsigned handle_inbox(struct ss_shard *shard, unsigned count, bool *ret_more)
{
    size_t bytes = 0;
    *ret_more = true;
    for (unsigned taken = 0; within_limits(shard, count, 3) && bytes < SS_BATCH_BYTES_MAX &&
                             taken < SS_BATCH_MESSAGES_MAX; taken++) {
        struct ss_inbox_node *node = ss__inbox_take(shard->inbox);
        if (node == NULL) {
            *ret_more = false;
            break;
        }
        bytes += node->bytes;
        count += ss__dispatch(shard, ss__msg_of(node));
    }
    return count;
}

/* Sessions that a crash cut off. Those who stop leave them to the next process. */
static unsigned handle_background(struct ss_shard *shard)
{
    unsigned count = 0;
    while (count < BACKGROUND_MAX && !ss__list_empty(&shard->background) &&
           shard->phase == SS_SHARD_RUNNING) {
        struct ss_list *link = shard->background.next;
        ss__list_remove(link);
        (void)ss__dispatch_request(shard, ss__container_of(link, struct ss_request, link));
        count++;
    }
    return count;
}

static struct ss_state *take_touched(struct ss_shard *shard)
{
    if (ss__list_empty(&shard->touched)) {
        return NULL;
    }
    struct ss_state *state =
        ss__container_of(shard->touched.next, struct ss_state, touched_link);
    ss__list_remove(&state->touched_link);
    state->touched = false;
    return state;
}

static void settle_touched(struct ss_shard *shard)
{
    for (struct ss_state *state; (state = take_touched(shard)) != NULL;) {
        if (ss__checkpoint_due(shard, state)) {
            ss__checkpoint_want(shard, state);
        }
    }
}

/* The store has undone what was staged: a state with such events goes too, and is loaded again. */
static void drop_touched(struct ss_shard *shard)
{
    for (struct ss_state *state; (state = take_touched(shard)) != NULL;) {
        struct ss_channel *channel = state->channel;
        if (state->stored != NULL) {
            const struct ss_session_row *row = ss__store_row(state->stored);
            ss__recovered_unmark(shard, row->sid);
            if (row->running && shard->options.registry->has_hooks) {
                ss__recovered_later(shard, channel->id);
            }
        }
        ss__tasks_cancel_session(shard, channel, SS_E_COMMIT);
        ss__works_cancel_session(shard, channel, SS_E_COMMIT);
        channel->running = false;
        bool remade = state->remade != 0 || channel->retrying != 0;
        ss__state_free(shard, state);
        if (remade) {
            ss__channel_resync(shard, channel);    /* who was shown those entities has them still */
        }
        ss__channel_release_later(shard, channel);
    }
}

static int commit(struct ss_shard *shard)
{
    if (ss__store_staged_bytes(shard->store) == 0 && shard->spoiled == 0) {
        settle_touched(shard);
        return 0;
    }
    uint64_t before = ss__clock_monotonic_ns(shard->options.clock);
    int err = shard->spoiled;
    if (err == 0) {
        err = ss__store_commit(shard->store);
    } else {
        ss__store_abort(shard->store);
        shard->spoiled = 0;
    }
    uint64_t us = (ss__clock_monotonic_ns(shard->options.clock) - before) / 1000;
    struct ss_shard_stats *stats = ss__stats(shard);
    ss__count(&stats->commit[ss__bucket(ss__commit_bounds_us, SS_COMMIT_BUCKETS - 1, us)], 1);
    ss__count(&stats->commit_sum_us, us);
    if (err == 0) {
        ss__count(&stats->commits, 1);
        settle_touched(shard);
        return 0;
    }
    ss__count(&stats->commit_errors, 1);
    ss__log(SS_LOG_ERROR, "commit failed, its batch is undone", "shard=%u error=%s reason=\"%s\"",
            shard->options.index, ss_error_name(err), ss_error_text(err));
    ss__errors_store(shard, NULL, err, "a commit failed, its batch is undone");
    return err;
}

static void show_failure(struct ss_shard *shard)
{
    ss__gauge_set(&ss__stats(shard)->store_failed,
                  ss__store_writable(shard->store) == SS_E_STOREIO);
}

int ss__batch_commit(struct ss_shard *shard)
{
    bool waits = ss__store_staged_bytes(shard->store) > 0;
    int err = commit(shard);
    ss__keyed_show(shard);
    if (err == 0) {
        ss__effects_release(shard);
        SS_KILL_POINT(COMMIT_RELEASED);
    } else {
        show_failure(shard);    /* before anybody is told: they may ask /readyz next */
        ss__effects_fail(shard, err);
        drop_touched(shard);
        ss__retries_settle(shard);
        ss__rebuilds_settle(shard);
        ss__closes_settle(shard, err);
    }
    if (err == 0 && waits && shard->interval_due_ns == 0 &&
        shard->options.store.durability == SS_DURABILITY_INTERVAL) {
        shard->interval_due_ns =
            shard->now_ns + (uint64_t)shard->options.durability_interval_ms * 1000000;
    }
    return err;
}

/* interval mode: what has been shown becomes durable. */
static void sync_interval(struct ss_shard *shard)
{
    if (shard->interval_due_ns != 0 && shard->now_ns >= shard->interval_due_ns) {
        shard->interval_due_ns = 0;
        if (ss__store_sync(shard->store) != 0) {
            show_failure(shard);
        }
    }
}

void ss__shard_retire(struct ss_shard *shard, struct ss_retired *place, struct ss_buf *buf)
{
    if (buf != NULL) {
        *place = (struct ss_retired){ shard->retired, buf };
        shard->retired = place;
    }
}

void ss__shard_free_retired(struct ss_shard *shard)
{
    for (struct ss_retired *at = shard->retired; at != NULL; at = at->next) {
        ss__buf_unref(at->buf);
    }
    shard->retired = NULL;
}

static bool flush_outboxes(struct ss_shard *shard)
{
    bool all = true;
    ss__effects_retry_resyncs(shard);
    for (uint32_t i = 0; i < shard->options.gateways_count; i++) {
        all = ss__outbox_flush(&shard->outboxes[i]) && all;
    }
    return all;
}

/* A session without events, followed or not, takes no memory for its state: asking the store again
 * costs one look-up. */
static void forget_empty(struct ss_shard *shard)
{
    while (!ss__list_empty(&shard->empty)) {
        struct ss_state *state = ss__container_of(shard->empty.next, struct ss_state, recent);
        struct ss_channel *channel = state->channel;
        ss__state_free(shard, state);
        ss__channel_release(shard, channel);
    }
}

static void forget_idle(struct ss_shard *shard)
{
    while (!ss__list_empty(&shard->idle)) {
        struct ss_channel *channel = ss__container_of(shard->idle.next, struct ss_channel, idle);
        ss__list_remove(&channel->idle);
        ss__channel_release(shard, channel);
    }
}

/* In use, or a request that waits is about to use it. */
static bool pinned(const struct ss_shard *shard, const struct ss_channel *channel)
{
    bool remade = channel->state != NULL && channel->state->remade != 0;
    return channel->loading || channel->retrying || remade || channel->parked_count > 0 ||
           channel->making || channel->batch == shard->batch;
}

static bool is_set_aside(const struct ss_state *state)
{
    return state->stored != NULL && ss__store_row(state->stored)->quarantined;
}

/* Least recently used first, until the states fit their budget. Those with changes are written
 * first and go in a later batch; beyond a quarter over the budget they go at once, and are made
 * again from their events when somebody asks for them. One whose events cannot be read stays. */
static void evict(struct ss_shard *shard)
{
    uint64_t limit = shard->options.session_cache_bytes;
    bool awaited = !ss__list_empty(&shard->retries) || !ss__list_empty(&shard->closes);
    uint64_t limit_unwritten = awaited ? UINT64_MAX : limit + limit / 4;
    unsigned looks = EVICT_LOOKS_MAX;
    struct ss_list *link = shard->recent.next;
    while (shard->state_bytes > limit && link != &shard->recent && looks-- > 0) {
        struct ss_state *state = ss__container_of(link, struct ss_state, recent);
        struct ss_channel *channel = state->channel;
        link = link->next;
        if (pinned(shard, channel)) {
            continue;
        }
        if (state->dirty_count > 0 && ss__store_writable(shard->store) == 0 &&
            (shard->state_bytes <= limit_unwritten || is_set_aside(state))) {
            ss__checkpoint_want(shard, state);
            shard->flush_wanted = true;
            limit += ss__state_bytes(state);
        } else {
            ss__state_free(shard, state);
            ss__count(&ss__stats(shard)->sessions_evicted, 1);
            ss__metadata_release(shard, channel);
            ss__channel_release(shard, channel);
        }
    }
}

static void finish(struct ss_shard *shard, unsigned count)
{
    struct ss_shard_stats *stats = ss__stats(shard);
    if (count > 0) {
        ss__count(&stats->batch[ss__bucket(ss__batch_bounds, SS_BATCH_BUCKETS - 1, count)], 1);
        ss__count(&stats->batch_sum, count);
        shard->active_ns = shard->now_ns;
        shard->rested = false;
    }
    ss__shard_free_retired(shard);
    ss__rebuilds_clear(shard);
    ss__arena_reset(&shard->arena);
    evict(shard);
    shard->batch++;    /* nothing points to the channels of this one any more */
    forget_empty(shard);
    forget_idle(shard);
    ss__gauge_set(&stats->state_bytes, shard->state_bytes);
    ss__gauge_set(&stats->held, ss__store_held(shard->store));
}

bool ss__batch_run(struct ss_shard *shard)
{
    begin(shard);
    bool more = false;
    ss__rebuilds_run(shard);
    unsigned count = handle_parked(shard);
    count = handle_tasks(shard, count);
    count = handle_inbox(shard, count, &more);
    count += handle_background(shard);
    (void)ss__batch_commit(shard);    /* an error has reached everyone concerned */
    ss__snapshot_jobs_run(shard);
    (void)flush_outboxes(shard);      /* what stays is tried again after OUTBOX_RETRY_MS */
    sync_interval(shard);
    ss__flusher_settle(shard);
    ss__flusher_run(shard);
    ss__spare_make(shard);
    ss__retention_run(shard);
    finish(shard, count);
    return more || !ss__list_empty(&shard->ready) || ss__rebuilds_ready(shard) ||
           (!ss__list_empty(&shard->background) && shard->phase == SS_SHARD_RUNNING);
}

static void want_rest(struct ss_shard *shard, unsigned most)
{
    unsigned wanted = 0;
    unsigned looks = EVICT_LOOKS_MAX;
    for (struct ss_list *link = shard->unwritten.next;
         link != &shard->unwritten && wanted < most && looks-- > 0;
         link = link->next) {
        struct ss_state *state = ss__container_of(link, struct ss_state, unwritten);
        if (state->stored != NULL && !is_set_aside(state)) {
            ss__checkpoint_want(shard, state);
            wanted++;
        }
    }
}

bool ss__batch_rest(struct ss_shard *shard)
{
    if (ss__store_writable(shard->store) != 0) {
        return false;
    }
    begin(shard);
    (void)ss__batch_commit(shard);    /* an error has been logged and counted */
    unsigned most = shard->phase == SS_SHARD_ENDED ? REST_SESSIONS_END : REST_SESSIONS;
    want_rest(shard, most);
    bool more = ss__flusher_rest(shard, most);
    finish(shard, 0);
    return more;
}

static uint64_t until(uint64_t now_ns, uint64_t due_ns)
{
    return due_ns <= now_ns ? 0 : (due_ns - now_ns + 999999) / 1000000;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

uint64_t ss__batch_wait_ms(struct ss_shard *shard)
{
    uint64_t now_ns = ss__clock_monotonic_ns(shard->options.clock);
    uint64_t wait = UINT64_MAX;
    uint64_t timer_ms = ss__timers_wait_ms(&shard->timers);
    if (timer_ms != UINT64_MAX) {
        uint64_t due_ns = (shard->timers.now_ms + timer_ms) * 1000000;
        wait = until(now_ns, due_ns);
    }
    if (shard->interval_due_ns != 0) {
        wait = earlier(wait, until(now_ns, shard->interval_due_ns));
    }
    for (uint32_t i = 0; i < shard->options.gateways_count; i++) {
        if (shard->outboxes[i].first != NULL || shard->outboxes[i].resync_due) {
            wait = earlier(wait, OUTBOX_RETRY_MS);
        }
    }
    uint64_t retention_ns = ss__retention_due_ns(shard);
    if (retention_ns != UINT64_MAX) {
        wait = earlier(wait, until(now_ns, retention_ns));
    }
    if (!shard->rested) {
        uint64_t due = until(now_ns, shard->active_ns + SS_REST_AFTER_NS);
        wait = earlier(wait, due < REST_EVERY_MS ? REST_EVERY_MS : due);
    }
    return wait;
}
