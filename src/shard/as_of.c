#include "shard/as_of.h"

#include <stdlib.h>

#include <sessionstream/limits.h>

#include "core/contract.h"
#include "shard/desk.h"
#include "shard/dispatch.h"
#include "shard/effect.h"
#include "shard/fold.h"
#include "shard/fold_past.h"
#include "shard/parked.h"
#include "shard/shard_state.h"
#include "shard/snapshot.h"

struct as_of {
    struct ss_fold fold;
    struct ss_request *request;
    struct ss_past *past;    /* worth keeping, or NULL */
};

static struct as_of *as_of_of(struct ss_fold *fold)
{
    return ss__container_of(fold, struct as_of, fold);
}

/* Without memory for it, or if it is too large to be kept, the next one takes as long. */
static void make_past(struct as_of *as_of)
{
    struct ss_past *past = ss__past_new(as_of->fold.history);
    if (past == NULL || ss__fold_past(&as_of->fold, past) != 0) {
        ss__past_free(past);
        return;
    }
    as_of->past = past;
}

static void folded(struct ss_fold *fold)
{
    struct as_of *as_of = as_of_of(fold);
    if (fold->err == 0) {
        struct ss_channel *channel = ss__desk_channel(fold->desk);
        fold->err = ss__snapshot_show(fold->desk, channel, as_of->request);
        if (fold->err != 0) {
            ss__snapshot_fail(fold->desk, channel, as_of->request, fold->err);
        }
    }
    if (fold->err == 0 && fold->at - fold->base.ordinal >= SS_AS_OF_KEEP_EVENTS) {
        make_past(as_of);
    }
}

static void done(struct ss_shard *shard, struct ss_fold *fold)
{
    struct as_of *as_of = as_of_of(fold);
    struct ss_request *request = as_of->request;
    if (fold->err == SS_E_GONE) {
        ss__request_gone(request, ss__history_first(fold->history));
    } else if (fold->err != 0) {
        ss__request_fail(request, fold->err, fold->failure.code == fold->err
                                                 ? fold->failure.text
                                                 : ss_error_text(fold->err));
    }
    /* It shows what had been committed before it began: nothing to wait for. */
    ss__answer_now(shard, request);
    if (as_of->past != NULL) {
        ss__store_stage_past(shard->store, as_of->past);
        shard->flush_wanted = true;
    }
    ss__fold_deinit(shard, fold);
    free(as_of);
}

static const struct ss_fold_ops ops = { folded, done };

static void start(struct ss_shard *shard, struct ss_channel *channel, struct ss_request *request)
{
    struct as_of *as_of = calloc(1, sizeof *as_of);
    struct ss_fold_query query = { .at = request->at, .base_max = request->at,
                                   .timelines = ss__fold_all(shard) };
    int err = as_of == NULL ? SS_E_NOMEM
                            : ss__fold_init(shard, channel, &query, &ops, &as_of->fold);
    if (err != 0) {
        free(as_of);
        ss__request_fail(request, err, ss_error_text(err));
        ss__effect_answer(shard, request);
        return;
    }
    as_of->request = request;
    ss__fold_start(shard, &as_of->fold);
}

void ss__as_of(struct ss_shard *shard, struct ss_channel *channel, struct ss_request *request)
{
    const struct ss_state *state = channel->state;
    if (request->at >= state->timeline_ordinal && state->whole) {
        ss__dispatch_snapshot(shard, channel, request);
    } else if (request->at >= state->timeline_ordinal) {
        request->whole = true;    /* by the time all is read it may be of the past */
        ss__dispatch_turn(shard, channel, request);
    } else if (state->touched) {
        /* Part of it is not committed yet; it is not tried again before. */
        channel->batch_messages = SS_BATCH_SESSION_MESSAGES_MAX;
        ss__park_first(shard, channel, request);
    } else {
        start(shard, channel, request);
    }
}
