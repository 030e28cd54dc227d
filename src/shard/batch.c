#include "shard/batch.h"

#include <sessionstream/limits.h>

#include "core/contract.h"
#include "core/log.h"
#include "shard/checkpoint.h"
#include "shard/dispatch.h"
#include "shard/recovered.h"
#include "shard/shard_state.h"
#include "shard/task.h"

#define CLOCK_EVERY_MESSAGES 16
#define TASKS_MAX 1024
#define REST_TAILS 32
#define REST_CHECKPOINTS 32
#define REST_EVERY_MS 20
#define OUTBOX_RETRY_MS 1

static void begin(struct ss_shard *shard)
{
    shard->batch++;
    shard->now_ns = ss__clock_monotonic_ns(shard->options.clock);
    shard->now_us = ss__clock_wall_us(shard->options.clock);
    shard->handler_ns = 0;
}

/* Requests that were put back or waited for a load come before what the inbox holds. */
static unsigned handle_again(struct ss_shard *shard)
{
    struct ss_list list;
    ss__list_init(&list);
    while (!ss__list_empty(&shard->again)) {
        struct ss_list *link = shard->again.next;
        ss__list_remove(link);
        ss__list_push_back(&list, link);
    }
    unsigned count = 0;
    while (!ss__list_empty(&list)) {
        struct ss_list *link = count < SS_BATCH_MESSAGES_MAX ? list.next : list.prev;
        ss__list_remove(link);
        if (count < SS_BATCH_MESSAGES_MAX) {
            ss__dispatch_request(shard, ss__container_of(link, struct ss_request, link));
            count++;
        } else {
            ss__list_push_front(&shard->again, link);
        }
    }
    return count;
}

/* The clock is read now and then only; handlers account for their own time. */
static bool within_limits(struct ss_shard *shard, unsigned count, size_t bytes)
{
    if (count >= SS_BATCH_MESSAGES_MAX || bytes >= SS_BATCH_BYTES_MAX ||
        shard->handler_ns >= SS_BATCH_HANDLER_NS_MAX) {
        return false;
    }
    return count % CLOCK_EVERY_MESSAGES != CLOCK_EVERY_MESSAGES - 1 ||
           ss__clock_monotonic_ns(shard->options.clock) - shard->now_ns <
               2 * (uint64_t)SS_BATCH_HANDLER_NS_MAX;
}

static unsigned handle_inbox(struct ss_shard *shard, unsigned count, bool *ret_more)
{
    size_t bytes = 0;
    *ret_more = true;
    while (within_limits(shard, count, bytes)) {
        struct ss_inbox_node *node = ss__inbox_take(shard->inbox);
        if (node == NULL) {
            *ret_more = false;
            break;
        }
        bytes += node->bytes;
        ss__dispatch(shard, ss__msg_of(node));
        count++;
    }
    return count;
}

static void handle_background(struct ss_shard *shard)
{
    if (!ss__list_empty(&shard->background)) {
        struct ss_list *link = shard->background.next;
        ss__list_remove(link);
        ss__dispatch_request(shard, ss__container_of(link, struct ss_request, link));
    }
}

static void stage_checkpoints(struct ss_shard *shard)
{
    for (struct ss_list *link = shard->touched.next; link != &shard->touched; link = link->next) {
        struct ss_state *state = ss__container_of(link, struct ss_state, touched_link);
        if (!state->checkpoint_staged && ss__checkpoint_due(state)) {
            /* Without memory it is due again next time. */
            (void)ss__checkpoint_stage(shard, state);
        }
    }
}

static void settle_touched(struct ss_shard *shard)
{
    while (!ss__list_empty(&shard->touched)) {
        struct ss_state *state =
            ss__container_of(shard->touched.next, struct ss_state, touched_link);
        ss__list_remove(&state->touched_link);
        state->touched = false;
        ss__checkpoint_committed(state);
    }
}

/* The store has undone what was staged: what was built on it goes too, and is loaded again. */
static void drop_touched(struct ss_shard *shard)
{
    while (!ss__list_empty(&shard->touched)) {
        struct ss_state *state =
            ss__container_of(shard->touched.next, struct ss_state, touched_link);
        struct ss_channel *channel = state->channel;
        ss__list_remove(&state->touched_link);
        if (state->stored != NULL) {
            const struct ss_session_row *row = ss__store_row(state->stored);
            ss__recovered_unmark(shard, row->sid);
            if (row->running && shard->options.registry->has_hooks) {
                ss__recovered_later(shard, channel->id);
            }
        }
        ss__tasks_cancel_session(shard, channel, SS_E_COMMIT);
        channel->running = false;
        ss__state_free(shard, state);
    }
}

static int commit(struct ss_shard *shard)
{
    if (ss__store_staged_bytes(shard->store) == 0) {
        settle_touched(shard);
        return 0;
    }
    stage_checkpoints(shard);
    uint64_t before = ss__clock_monotonic_ns(shard->options.clock);
    int err = ss__store_commit(shard->store);
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
    return err;
}

static bool interval_mode(const struct ss_shard *shard)
{
    return shard->options.store.durability == SS_DURABILITY_INTERVAL;
}

/* Events that were shown are gone: everyone gets a new epoch and begins again from a snapshot. */
static void disown_shown(struct ss_shard *shard)
{
    ss__store_raise_incarnation(shard->store);
    shard->epoch_unsaved = true;
    size_t at = 0;
    for (struct ss_channel *channel; (channel = ss__map_next(&shard->channels, &at)) != NULL;) {
        ss__ring_free(channel->ring);
        channel->ring = NULL;
        if (channel->state != NULL) {
            ss__state_new_epoch(channel->state);
        }
        for (uint32_t i = 0; i < channel->interests_count; i++) {
            const struct ss_interest *interest = &channel->interests[i];
            ss__outbox_resync(&shard->outboxes[interest->gateway], interest->handle);
        }
    }
}

static void fail_batch(struct ss_shard *shard, int err)
{
    ss__effects_fail(shard, err);
    drop_touched(shard);
    if (interval_mode(shard)) {
        disown_shown(shard);
    }
    ss__gauge_set(&ss__stats(shard)->store_failed,
                  ss__store_writable(shard->store) == SS_E_STOREIO);
}

int ss__batch_commit(struct ss_shard *shard)
{
    int err = commit(shard);
    if (err == 0) {
        shard->epoch_unsaved = false;
        ss__effects_release(shard);
    } else {
        fail_batch(shard, err);
    }
    return err;
}

/* fsync: commit, then release. interval: release now, commit when the interval is over. */
static void end(struct ss_shard *shard)
{
    bool show = interval_mode(shard) && !shard->epoch_unsaved;
    bool wait = show && shard->phase == SS_SHARD_RUNNING &&
                ss__store_staged_bytes(shard->store) < SS_BATCH_BYTES_MAX;
    if (wait && ss__store_staged_bytes(shard->store) > 0) {
        if (shard->interval_due_ns == 0) {
            shard->interval_due_ns =
                shard->now_ns + (uint64_t)shard->options.durability_interval_ms * 1000000;
        }
        wait = shard->now_ns < shard->interval_due_ns;
    }
    if (show) {
        ss__effects_release(shard);
    }
    if (!wait) {
        shard->interval_due_ns = 0;
        (void)ss__batch_commit(shard);    /* an error has reached everyone concerned */
    }
}


struct ss_retired {
    struct ss_retired *next;
    struct ss_buf *buf;
};

void ss__shard_retire(struct ss_shard *shard, struct ss_buf *buf)
{
    if (buf == NULL) {
        return;
    }
    struct ss_retired *retired = ss__arena_alloc(&shard->arena, sizeof *retired);
    if (retired == NULL) {
        return;    /* out of memory: keeping it for ever is safer than freeing it now */
    }
    *retired = (struct ss_retired){ shard->retired, buf };
    shard->retired = retired;
}

static void free_retired(struct ss_shard *shard)
{
    for (struct ss_retired *at = shard->retired; at != NULL; at = at->next) {
        ss__buf_unref(at->buf);
    }
    shard->retired = NULL;
}

static bool flush_outboxes(struct ss_shard *shard)
{
    bool all = true;
    for (uint32_t i = 0; i < shard->options.gateways_count; i++) {
        all = ss__outbox_flush(&shard->outboxes[i]) && all;
    }
    return all;
}

/* A session without events, followed or not, takes no memory for its state: asking the store again
 * costs one look-up. */
static void forget_empty(struct ss_shard *shard)
{
    shard->batch++;    /* nothing points to the channels of this one any more */
    while (!ss__list_empty(&shard->empty)) {
        struct ss_state *state = ss__container_of(shard->empty.next, struct ss_state, recent);
        struct ss_channel *channel = state->channel;
        ss__state_free(shard, state);
        ss__channel_release(shard, channel);
    }
}

/* Least recently used first, until the states fit their budget. */
static void evict(struct ss_shard *shard)
{
    unsigned tries = 64;
    struct ss_list *link = shard->recent.next;
    while (shard->state_bytes > shard->options.session_cache_bytes && link != &shard->recent &&
           tries-- > 0) {
        struct ss_state *state = ss__container_of(link, struct ss_state, recent);
        struct ss_channel *channel = state->channel;
        link = link->next;
        if (state->touched || channel->loading || channel->batch == shard->batch) {
            continue;
        }
        if (state->dirty_count > 0 && ss__store_writable(shard->store) == 0) {
            (void)ss__checkpoint_stage(shard, state);    /* evicted after the next commit */
            continue;
        }
        ss__state_free(shard, state);
        ss__count(&ss__stats(shard)->sessions_evicted, 1);
        ss__channel_release(shard, channel);
    }
    ss__gauge_set(&ss__stats(shard)->state_bytes, shard->state_bytes);
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
    if (ss__list_empty(&shard->touched)) {
        /* Rows of a staged checkpoint lie in the arena until their commit. */
        free_retired(shard);
        ss__arena_reset(&shard->arena);
    }
    evict(shard);
    if (ss__list_empty(&shard->touched)) {
        forget_empty(shard);
    }
}

bool ss__batch_run(struct ss_shard *shard)
{
    begin(shard);
    bool more = false;
    unsigned count = handle_again(shard);
    count += ss__tasks_run(shard, TASKS_MAX);
    count = handle_inbox(shard, count, &more);
    if (!more && count == 0) {
        handle_background(shard);
    }
    end(shard);
    (void)flush_outboxes(shard);    /* what stays is tried again after OUTBOX_RETRY_MS */
    finish(shard, count);
    return more || !ss__list_empty(&shard->again) || !ss__list_empty(&shard->background);
}

static bool stage_rest(struct ss_shard *shard)
{
    unsigned staged = 0;
    for (struct ss_list *link = shard->recent.next;
         link != &shard->recent && staged < REST_CHECKPOINTS; link = link->next) {
        struct ss_state *state = ss__container_of(link, struct ss_state, recent);
        if (state->dirty_count == 0 || state->checkpoint_staged || state->stored == NULL) {
            continue;
        }
        struct ss_list *previous = link->prev;
        if (ss__checkpoint_stage(shard, state) != 0) {
            break;
        }
        link = previous;    /* staging moved the state to the end of the list */
        staged++;
    }
    return staged > 0;
}

bool ss__batch_rest(struct ss_shard *shard)
{
    if (ss__store_writable(shard->store) != 0) {
        return false;
    }
    begin(shard);
    bool staged = stage_rest(shard);
    if (staged || ss__store_staged_bytes(shard->store) > 0) {
        (void)ss__batch_commit(shard);    /* an error has been logged and counted */
    }
    int flushed = ss__store_flush(shard->store, REST_TAILS);
    finish(shard, 0);
    return staged || flushed > 0;
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
        if (shard->outboxes[i].first != NULL) {
            wait = earlier(wait, OUTBOX_RETRY_MS);
        }
    }
    if (!shard->rested) {
        uint64_t due = until(now_ns, shard->active_ns + SS_REST_AFTER_NS);
        wait = earlier(wait, due < REST_EVERY_MS ? REST_EVERY_MS : due);
    }
    return wait;
}
