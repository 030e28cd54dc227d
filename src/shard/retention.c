#include "shard/retention.h"

#include <stdlib.h>

#include "core/contract.h"
#include "core/log.h"
#include "shard/checkpoint.h"
#include "shard/effect.h"
#include "shard/fold.h"
#include "shard/fold_past.h"
#include "shard/job.h"
#include "shard/shard_state.h"

/* Sessions that are loaded or folded at a time. */
#define UNDER_WAY_MAX 8u
/* Between two slices, at least, and as a multiple of what a slice took, waiting for a thread
 * included: never more than a twentieth of one. */
#define PAUSE_NS UINT64_C(5000000)
#define PAUSE_FACTOR 20u
#define RETRY_NS UINT64_C(1000000000)
/* Events in the log are not looked at: a shard that never rests moves them after so many passes, or
 * half of their age. */
#define LOG_PASSES 10u
/* What stays of the bytes that a store may hold when it held more. */
#define KEPT_OF_TOTAL(total) ((total) - (total) / 32)

struct ss_retention {
    struct ss_retention_policy policy;
    struct ss_retention_scan scan;
    bool scanning;               /* the pool has the scan */
    bool rested;                 /* for a backup */
    uint32_t under_way;
    uint32_t taken;              /* of the cuts that the scan has found */
    uint64_t pass_ns;            /* when the pass under way began */
    uint64_t due_ns;
    uint64_t begin_ns;           /* both clocks at the beginning */
    uint64_t begin_us;
    uint64_t events;             /* dropped, that have been counted */
    uint64_t bytes;
    uint64_t failed;             /* sessions that could not lose what they should, in this pass */
};

struct scan_job {
    struct ss_job base;          /* comes back as SS_MSG_SCANNED */
    struct ss_store *store;
    struct ss_retention_scan *scan;
    uint64_t begin_ns;
    int err;
};

struct cut_fold {
    struct ss_fold fold;
    struct ss_request *request;
    struct ss_past *base;
};

bool ss__retention_wanted(const struct ss_retention_policy *policy)
{
    return policy->age_us != 0 || policy->events != 0 || policy->bytes != 0 ||
           policy->total_bytes != 0;
}

/* ---- a pass ---- */

/* Time that has passed while the shard ran is believed, a leap forward is not. */
static uint64_t now_us(const struct ss_shard *shard)
{
    const struct ss_retention *retention = shard->retention;
    uint64_t wall_us = ss__clock_wall_us(shard->options.clock);
    uint64_t passed_ns = ss__clock_monotonic_ns(shard->options.clock) - retention->begin_ns;
    uint64_t latest_us = retention->begin_us + passed_ns / 1000;
    return wall_us < latest_us ? wall_us : latest_us;
}

/* @before: the pass that has ended; what it measured says what this one removes. */
static void begin_pass(struct ss_shard *shard, const struct ss_retention_scan *before)
{
    struct ss_retention *retention = shard->retention;
    uint64_t total = retention->policy.total_bytes;
    uint64_t now = now_us(shard);
    uint64_t excess = 0;
    uint64_t older_us = 0;
    bool over = total != 0 && before->end && before->bytes > total;
    if (over && before->measure) {
        excess = before->bytes - KEPT_OF_TOTAL(total);
        older_us = ss__retention_older(before, excess) + 1;
    }
    struct ss_arena arena = before->arena;
    retention->scan = (struct ss_retention_scan){ .policy = retention->policy,
                                                  .now_us = now,
                                                  .older_us = older_us,
                                                  .excess = excess,
                                                  .measure = over && !before->measure,
                                                  .arena = arena };
    retention->failed = 0;
    retention->pass_ns = shard->now_ns;
}

int ss__retention_new(struct ss_shard *shard, struct ss_retention **ret_retention)
{
    struct ss_retention *retention = calloc(1, sizeof *retention);
    if (retention == NULL) {
        return SS_E_NOMEM;
    }
    retention->policy = shard->options.retention;
    retention->begin_ns = ss__clock_monotonic_ns(shard->options.clock);
    retention->begin_us = ss__clock_wall_us(shard->options.clock);
    retention->due_ns = retention->begin_ns +
                        (uint64_t)shard->options.retention_sweep_ms * 1000000 / 2;
    ss__arena_init(&retention->scan.arena, 4096);
    retention->scan.end = true;
    *ret_retention = retention;
    return 0;
}

void ss__retention_free(struct ss_retention *retention)
{
    if (retention != NULL) {
        ss__arena_deinit(&retention->scan.arena);
        free(retention);
    }
}

static void run_scan(struct ss_job *base)
{
    struct scan_job *job = ss__container_of(base, struct scan_job, base);
    job->err = ss__retention_scan(job->store, job->scan);
}

static void wait_until(struct ss_retention *retention, uint64_t due_ns)
{
    retention->due_ns = due_ns;
}

static void scan(struct ss_shard *shard)
{
    struct ss_retention *retention = shard->retention;
    struct scan_job *job = ss__job_new(SS_MSG_SCANNED, sizeof *job, run_scan);
    if (job == NULL) {
        wait_until(retention, shard->now_ns + RETRY_NS);
        return;
    }
    if (retention->scan.end) {
        begin_pass(shard, &retention->scan);
    }
    job->store = shard->store;
    job->scan = &retention->scan;
    job->begin_ns = shard->now_ns;
    retention->scanning = true;
    if (shard->options.pool == NULL) {
        ss__job_post_counted(shard, NULL, &job->base);
    } else if (ss__job_post(shard, shard->options.pool, &job->base) != 0) {
        retention->scanning = false;
        free(job);
        wait_until(retention, shard->now_ns + RETRY_NS);
    }
}

/* Flushes are put off while a backup is under way: nothing is asked for that would hurry them. */
static bool rests(const struct ss_shard *shard)
{
    return shard->cut_wanted != NULL || ss__store_cuts_rest(shard->store);
}

static void want_flush(struct ss_shard *shard)
{
    if (rests(shard)) {
        shard->retention->rested = true;    /* its end asks for it */
        return;
    }
    shard->flush_wanted = true;
    shard->rested = false;
}

/* ---- what a slice has found ---- */

static void stage(struct ss_shard *shard, struct ss_store_session *stored, uint64_t through)
{
    /* Without room for it: the next pass. */
    if (ss__store_stage_cut(shard->store, stored, through) == 0) {
        want_flush(shard);
    }
}

static void retained(const struct ss_result *result, void *ctx)
{
    struct ss_shard *shard = ctx;
    (void)result;
    shard->retention->under_way--;
}

/* It has to be in memory; a few of those in each batch. */
static void load_later(struct ss_shard *shard, const struct ss_retention_cut *cut)
{
    struct ss_str none = { NULL, 0 };
    struct ss_request *request =
        ss__request_new(SS_REQUEST_RETAIN, cut->session_id, none, none);
    if (request == NULL) {
        return;
    }
    request->at = cut->through;
    request->done = retained;
    request->ctx = shard;
    shard->retention->under_way++;
    ss__list_push_back(&shard->background, &request->link);
}

static void take(struct ss_shard *shard, const struct ss_retention_cut *cut)
{
    struct ss_store_session *stored;
    if (ss__store_get_session(shard->store, cut->session_id, &stored) != 0) {
        return;    /* it has gone, or cannot be read */
    }
    const struct ss_session_row *row = ss__store_row(stored);
    if (cut->leftovers && row->first_retained == cut->through + 1) {
        (void)ss__store_stage_leftovers(shard->store, row->sid, row->first_retained);
        want_flush(shard);
    } else if (!cut->leftovers) {
        enum ss_cut_state state = ss__store_cut_state(shard->store, stored, cut->through);
        if (state == SS_CUT_READY) {
            stage(shard, stored, cut->through);
        } else if (state != SS_CUT_STALE) {
            load_later(shard, cut);
        }
    }
    ss__store_put_session(shard->store, stored);
}

/* A few at a time. True: all of the last slice have been, and nothing waits for a flush. */
static bool take_all(struct ss_shard *shard)
{
    struct ss_retention *retention = shard->retention;
    while (retention->taken < retention->scan.cuts_count &&
           retention->under_way < UNDER_WAY_MAX) {
        take(shard, &retention->scan.cuts[retention->taken++]);
    }
    return retention->taken == retention->scan.cuts_count && retention->under_way == 0 &&
           !ss__store_cuts_wait(shard->store);
}

void ss__retention_run(struct ss_shard *shard)
{
    struct ss_retention *retention = shard->retention;
    if (retention == NULL || rests(shard)) {
        return;
    }
    if (retention->rested) {
        retention->rested = false;
        want_flush(shard);
    }
    if (!retention->scanning && shard->phase == SS_SHARD_RUNNING &&
        take_all(shard) && shard->now_ns >= retention->due_ns) {
        scan(shard);
    }
}

void ss__retention_flushed(struct ss_shard *shard)
{
    struct ss_retention *retention = shard->retention;
    struct ss_store_stats store;
    if (retention != NULL) {
        ss__store_stats(shard->store, &store);
        ss__count(&ss__stats(shard)->retention_events,
                  store.retention_events - retention->events);
        ss__count(&ss__stats(shard)->retention_bytes, store.retention_bytes - retention->bytes);
        retention->events = store.retention_events;
        retention->bytes = store.retention_bytes;
    }
}

uint64_t ss__retention_due_ns(const struct ss_shard *shard)
{
    const struct ss_retention *retention = shard->retention;
    bool waits = retention == NULL || retention->scanning || retention->under_way > 0 ||
                 ss__store_cuts_wait(shard->store) || rests(shard) ||
                 shard->phase != SS_SHARD_RUNNING;
    return waits ? UINT64_MAX : retention->due_ns;
}

static void leave_log(struct ss_shard *shard)
{
    const struct ss_retention *retention = shard->retention;
    uint64_t hold_us = (uint64_t)shard->options.retention_sweep_ms * 1000 * LOG_PASSES;
    uint64_t half_us = retention->policy.age_us / 2;
    hold_us = half_us != 0 && half_us < hold_us ? half_us : hold_us;
    if (hold_us < retention->scan.now_us) {
        ss__store_flush_before(shard->store, retention->scan.now_us - hold_us);
    }
}

static void end_pass(struct ss_shard *shard)
{
    struct ss_retention *retention = shard->retention;
    leave_log(shard);
    uint64_t total = retention->policy.total_bytes;
    uint64_t sweep_ns = (uint64_t)shard->options.retention_sweep_ms * 1000000;
    ss__gauge_set(&ss__stats(shard)->segment_bytes, retention->scan.bytes);
    ss__count(&ss__stats(shard)->retention_passes, 1);
    /* A pass that found too much is followed by one that measures and one that removes. */
    bool over = total != 0 && retention->scan.bytes > total && retention->scan.older_us == 0;
    wait_until(retention, over ? shard->now_ns : retention->pass_ns + sweep_ns);
}

static struct scan_job *come_back(struct ss_shard *shard, struct ss_msg *msg)
{
    shard->retention->scanning = false;
    return ss__container_of(ss__job_back(shard, msg), struct scan_job, base);
}

void ss__retention_scanned(struct ss_shard *shard, struct ss_msg *msg)
{
    struct ss_retention *retention = shard->retention;
    struct scan_job *job = come_back(shard, msg);
    uint64_t pause_ns = (shard->now_ns - job->begin_ns) * PAUSE_FACTOR;
    wait_until(retention, shard->now_ns + (pause_ns < PAUSE_NS ? PAUSE_NS : pause_ns));
    if (job->err != 0) {
        ss__log(SS_LOG_WARN, "retention cannot look at the sessions", "shard=%u error=%s",
                shard->options.index, ss_error_name(job->err));
        retention->scan.cuts_count = retention->taken = 0;
        wait_until(retention, shard->now_ns + RETRY_NS);
    } else {
        retention->taken = 0;
        if (retention->scan.end) {
            end_pass(shard);
        }
    }
    free(job);
}

void ss__retention_drop(struct ss_shard *shard, struct ss_msg *msg)
{
    free(come_back(shard, msg));
}

/* ---- a session with events behind those that go ---- */

static struct cut_fold *cut_fold_of(struct ss_fold *fold)
{
    return ss__container_of(fold, struct cut_fold, fold);
}

static void folded(struct ss_fold *fold)
{
    if (fold->err == 0) {
        struct ss_past *base = ss__past_new_base(fold->history);
        fold->err = base == NULL ? SS_E_NOMEM : ss__fold_past(fold, base);
        if (fold->err != 0) {
            ss__past_free(base);
        } else {
            cut_fold_of(fold)->base = base;
        }
    }
}

/* Nothing is lost by it: the events stay. */
static void report(struct ss_shard *shard, const struct cut_fold *cut)
{
    const struct ss_fold *fold = &cut->fold;
    if (fold->err == SS_E_DELETED || fold->err == SS_E_STOPPING || fold->err == SS_E_GONE) {
        return;
    }
    ss__count(&ss__stats(shard)->retention_held, 1);
    if (shard->retention->failed++ == 0) {
        char id[SS_SESSION_ID_BYTES_MAX + 3];
        ss__log(SS_LOG_WARN, "events of a session stay, its entities as of then cannot be made",
                "shard=%u session=%s through=%llu error=%s reason=\"%s\"", shard->options.index,
                ss__log_quote(id, sizeof id, cut->request->session_id),
                (unsigned long long)cut->request->at, ss_error_name(fold->err),
                fold->failure.code == fold->err ? fold->failure.text : ss_error_text(fold->err));
    }
}

static void done(struct ss_shard *shard, struct ss_fold *fold)
{
    struct cut_fold *cut = cut_fold_of(fold);
    struct ss_request *request = cut->request;
    if (fold->err != 0) {
        report(shard, cut);
    } else {
        ss__store_stage_base(shard->store, cut->base);
        shard->flush_wanted = true;
        shard->rested = false;
    }
    ss__fold_deinit(shard, fold);
    free(cut);
    ss__answer_now(shard, request);
}

static const struct ss_fold_ops ops = { folded, done };

static bool start_fold(struct ss_shard *shard, struct ss_channel *channel,
                       struct ss_request *request)
{
    struct ss_fold_query query = { .at = request->at, .base_max = request->at,
                                   .timelines = ss__fold_all(shard) };
    struct cut_fold *cut = calloc(1, sizeof *cut);
    if (cut == NULL || ss__fold_init(shard, channel, &query, &ops, &cut->fold) != 0) {
        free(cut);
        return false;
    }
    cut->request = request;
    ss__fold_start(shard, &cut->fold);
    return true;
}

/* True: the answer comes later. */
static bool retain(struct ss_shard *shard, struct ss_channel *channel, struct ss_request *request)
{
    struct ss_state *state = channel->state;
    /* What runs over all events of the session shall find them. */
    if (state->stored == NULL || state->touched || channel->rebuilding || channel->retrying != 0 ||
        shard->phase != SS_SHARD_RUNNING) {
        return false;
    }
    switch (ss__store_cut_state(shard->store, state->stored, request->at)) {
    case SS_CUT_STALE:
        break;
    case SS_CUT_READY:
        stage(shard, state->stored, request->at);
        break;
    case SS_CUT_BEHIND:
        ss__checkpoint_want(shard, state);
        want_flush(shard);
        break;
    case SS_CUT_FOLD:
        return start_fold(shard, channel, request);
    }
    return false;
}

void ss__retain(struct ss_shard *shard, struct ss_channel *channel, struct ss_request *request)
{
    if (!retain(shard, channel, request)) {
        ss__effect_answer(shard, request);
    }
}
