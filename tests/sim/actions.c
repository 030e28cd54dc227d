#include "actions.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "app.h"
#include "core/fault.h"
#include "schema/registry.h"
#include "shard/batch.h"
#include "ss_test.h"
#include "trace.h"

static uint32_t pick(struct world *world, uint32_t bound)
{
    return random_below(&world->random, bound);
}

/* ---- commands ---- */

static void fill_step(struct world *world, struct call *call,
                      Sessionstream__Test__Sim__Step *step, char note[4])
{
    uint32_t number = call->tokens[call->steps];
    struct token *token = &world->model->tokens[number];
    token->note = pick(world, SIM_NOTES);
    token->deletes = pick(world, 8) == 0;
    token->ui_fails = world->plan.failing && pick(world, 10) == 0;
    token->timeline_fails = world->plan.failing && pick(world, 10) == 0;
    snprintf(note, 4, "n%u", token->note % 10);
    *step = (Sessionstream__Test__Sim__Step)SESSIONSTREAM__TEST__SIM__STEP__INIT;
    step->token = number;
    step->note = note;
    step->deletes = token->deletes;
    step->ui_fails = token->ui_fails;
    step->timeline_fails = token->timeline_fails;
}

static struct ss_request *new_packed_request(enum ss_request_kind kind, uint32_t session,
                                             struct ss_str payload)
{
    char id[3] = { 's', (char)('0' + session), '\0' };
    struct ss_request *request =
        ss__request_new(kind, ss_str_of(id, 2), (struct ss_str){ NULL, 0 }, payload);
    ss_check(request != NULL);
    return request;
}

static struct ss_request *new_request(enum ss_request_kind kind, uint32_t session)
{
    return new_packed_request(kind, session, (struct ss_str){ NULL, 0 });
}

static void send(struct world *world, struct call *call, uint32_t session,
                 struct ss_request *request)
{
    request->done = world_answered;
    request->ctx = call;
    if (ss__inbox_post(world_inbox(world, session), &request->base.node, SS_POST_OUTSIDE) != 0) {
        ss__msg_free(&request->base);
        world_answered(&(struct ss_result){ .err = SS_E_BUSY, .message = "" }, call);
    }
}

static void post(struct world *world, struct call *call, enum ss_request_kind kind,
                 const char *command, uint32_t session, struct ss_str payload)
{
    struct ss_request *request = new_packed_request(kind, session, payload);
    request->name = command == NULL ? NULL
                                    : ss__registry_find(world->registry, SS_SPACE_COMMAND,
                                                        ss_str(command));
    send(world, call, session, request);
}

/* @target: where the events are to be stored. */
static void command(struct world *world, const char *name, uint32_t steps_max, bool binds,
                    uint32_t target)
{
    uint32_t session = pick(world, world->plan.sessions);
    uint32_t home = target == UINT32_MAX ? session : target;
    struct call *call = world_call(world, session);
    Sessionstream__Test__Sim__Step steps[SIM_CALL_STEPS];
    Sessionstream__Test__Sim__Step *list[SIM_CALL_STEPS];
    char notes[SIM_CALL_STEPS][4];
    Sessionstream__Test__Sim__Steps message = SESSIONSTREAM__TEST__SIM__STEPS__INIT;
    uint32_t count = 1 + pick(world, steps_max);
    for (call->steps = 0; call->steps < count; call->steps++) {
        uint32_t token = model_token(world->model, home);
        if (token == 0) {
            break;
        }
        call->tokens[call->steps] = token;
        list[call->steps] = &steps[call->steps];
        fill_step(world, call, &steps[call->steps], notes[call->steps]);
    }
    char other[3] = { 's', (char)('0' + home), '\0' };
    message.steps = list;
    message.n_steps = call->steps;
    message.other = other;
    message.delay_ms = pick(world, 200);
    call->binds = binds;
    trace_add("%s s%u, %u events from %u", name, session, call->steps,
              call->steps > 0 ? call->tokens[0] : 0);
    uint8_t packed[512];
    ss_check(sessionstream__test__sim__steps__get_packed_size(&message) <= sizeof packed);
    size_t len = sessionstream__test__sim__steps__pack(&message, packed);
    if (call->steps == 0) {
        call->answers = 1;    /* the run has no events left */
        return;
    }
    post(world, call, SS_REQUEST_SUBMIT, name, session, ss_str_of(packed, len));
}

static void do_put(struct world *world)
{
    command(world, "Put", 1, true, UINT32_MAX);
}

static void do_put_many(struct world *world)
{
    command(world, "Put", SIM_CALL_STEPS, !world->plan.failing, UINT32_MAX);
}

static void do_put_and_fail(struct world *world)
{
    command(world, "PutAndFail", 1, true, UINT32_MAX);
}

static void do_batch(struct world *world)
{
    command(world, "Batch", SIM_CALL_STEPS, !world->plan.failing, UINT32_MAX);
}

static void do_send(struct world *world)
{
    command(world, "Send", 2, false, pick(world, world->plan.sessions));
}

static void do_live(struct world *world)
{
    command(world, "Live", 1, false, UINT32_MAX);
}

static void do_later(struct world *world)
{
    command(world, "Later", 1, false, UINT32_MAX);
}

static void do_work(struct world *world)
{
    command(world, "Work", 1, false, UINT32_MAX);
}

static void do_retry(struct world *world)
{
    uint32_t session = pick(world, world->plan.sessions);
    trace_add("retry s%u", session);
    post(world, world_call(world, session), SS_REQUEST_RETRY, NULL, session,
         (struct ss_str){ NULL, 0 });
}

/* From any event, also ones that are not there. */
static uint64_t pick_ordinal(struct world *world, uint32_t session)
{
    return pick(world, (uint32_t)world->model->sessions[session].newest + 2);
}

static void do_rebuild(struct world *world)
{
    uint32_t session = pick(world, world->plan.sessions);
    struct ss_request *request = new_request(SS_REQUEST_REBUILD, session);
    request->at = pick_ordinal(world, session);
    trace_add("rebuild s%u from %llu", session, (unsigned long long)request->at);
    send(world, world_call(world, session), session, request);
}

/* What is known when something of the past is asked for. */
static struct call *asking(struct world *world, uint32_t session, struct ss_request *request)
{
    struct call *call = world_call(world, session);
    call->at = request->at = pick_ordinal(world, session);
    call->first = world->model->sessions[session].first;
    call->newest = world->model->sessions[session].newest;
    return call;
}

static void do_page(struct world *world)
{
    uint32_t session = pick(world, world->plan.sessions);
    struct ss_request *request = new_request(SS_REQUEST_EVENTS, session);
    struct call *call = asking(world, session, request);
    request->limit = 1 + pick(world, 100);
    request->events_done = world_page;
    trace_add("events of s%u after %llu", session, (unsigned long long)request->at);
    send(world, call, session, request);
}

static void do_past(struct world *world)
{
    uint32_t session = pick(world, world->plan.sessions);
    struct ss_request *request = new_request(SS_REQUEST_SNAPSHOT, session);
    struct call *call = asking(world, session, request);
    request->snapshot_done = world_past;
    trace_add("snapshot of s%u as of %llu", session, (unsigned long long)request->at);
    send(world, call, session, request);
}

static void do_barrier(struct world *world)
{
    uint32_t session = pick(world, world->plan.sessions);
    post(world, world_call(world, session), SS_REQUEST_BARRIER, NULL, session,
         (struct ss_str){ NULL, 0 });
}

static void do_close(struct world *world)
{
    uint32_t session = pick(world, world->plan.sessions);
    trace_add("close s%u", session);
    post(world, world_call(world, session), SS_REQUEST_CLOSE, NULL, session,
         (struct ss_str){ NULL, 0 });
}

/* Everything that is on its way is let arrive, so that it is known what belongs to which life. */
static void do_delete(struct world *world)
{
    uint32_t session = pick(world, world->plan.sessions);
    if (world->plan.faults) {
        return;    /* an unknown outcome would leave nothing to check */
    }
    trace_add("delete s%u", session);
    world_settle(world);
    struct call *call = world_call(world, session);
    post(world, call, SS_REQUEST_DELETE, NULL, session, (struct ss_str){ NULL, 0 });
    while (call->answers == 0) {
        (void)world_turn(world);
    }
    if (call->err == 0) {
        model_deleted(world->model, session);
    } else if (call->err != SS_E_NOTFOUND || world->model->sessions[session].newest != 0) {
        model_broken("s%u cannot be deleted: error %d", session, call->err);
    }
    world_settle(world);
}

/* ---- clients ---- */

static void do_subscribe(struct world *world)
{
    world_subscribe(world, pick(world, SIM_GATEWAYS), pick(world, world->plan.sessions), false);
}

static void do_resume(struct world *world)
{
    world_subscribe(world, pick(world, SIM_GATEWAYS), pick(world, world->plan.sessions), true);
}

static void do_leave(struct world *world)
{
    world_leave(world, pick(world, SIM_GATEWAYS), pick(world, world->plan.sessions));
}

static void do_deliver(struct world *world)
{
    uint32_t gateway = pick(world, SIM_GATEWAYS);
    for (uint32_t left = 1 + pick(world, 8); left > 0 && world_deliver(world, gateway); left--) {
    }
}

/* ---- the machine ---- */

static void do_step(struct world *world)
{
    uint32_t shard = pick(world, world->plan.shards);
    trace_add("step %u", shard);
    (void)ss__shard_step(world->shards[shard]);
}

static void do_rest(struct world *world)
{
    uint32_t shard = pick(world, world->plan.shards);
    trace_add("rest %u", shard);
    (void)ss__batch_rest(world->shards[shard]);
}

static void do_pool(struct world *world)
{
    if (world->pool != NULL) {
        trace_add("pool");
        (void)ss__pool_run_one(pick(world, 3) == 0 ? world->work_pool : world->pool);
    }
}

static void do_clock(struct world *world)
{
    static const uint64_t steps_ns[] = { 1000, 1000000, 100000000, UINT64_C(1100000000),
                                         UINT64_C(31000000000) };
    world->now_ns += steps_ns[pick(world, 5)];
}

/* Time for retention to look at the sessions, and rest to write what it needs. */
static void do_sweep(struct world *world)
{
    if (!world->model->retains) {
        return;
    }
    trace_add("sweep");
    world->now_ns += UINT64_C(6000000000);
    for (uint32_t i = 0; i < 6; i++) {
        uint32_t shard = pick(world, world->plan.shards);
        (void)ss__shard_step(world->shards[shard]);
        (void)ss__batch_rest(world->shards[shard]);
        while (world->pool != NULL && pick(world, 4) != 0 && ss__pool_run_one(world->pool)) {
        }
        world->now_ns += UINT64_C(50000000);
    }
}

static void do_fault(struct world *world)
{
    static const struct {
        const char *name;
        int code;
    } points[] = {
        { "log.write", EIO },
        { "log.write", ENOSPC },
        { "log.sync", EIO },
        { "log.create", ENOSPC },
        { "log.fill", ENOSPC },
        { "log.mark", EIO },
        { "store.commit.before", SS_E_STOREIO },
        { "store.flush.plan", 1 },
        { "store.flush.begin", EIO },
        { "store.flush.write", SS_E_STOREIO },
        { "store.flush.disk", EIO },
        { "store.segment", SS_E_STOREIO },
        { "store.tail", 1 },
        { "store.history", SS_E_STOREIO },
        { "store.retention", SS_E_STOREIO },
        { "store.cut", SS_E_STOREIO },
        { "shard.rebuild", SS_E_NOMEM },
        { "shard.snapshot_job", SS_E_NOMEM },
        { "shard.read", SS_E_STOREIO },
        { "shard.change", 1 },
        { "shard.frame", 1 },
        { "outbox.resync", 1 },
    };
    if (!world->plan.faults) {
        return;
    }
    uint32_t at = pick(world, sizeof points / sizeof points[0]);
    ss__fault_reset();
    trace_add("fault %s", points[at].name);
    ss__fault_arm(points[at].name, 1 + pick(world, 3), 1 + pick(world, 2), points[at].code);
}

static void do_heal(struct world *world)
{
    if (pick(world, 20) == 0) {
        trace_add("projections are healed");
        world->model->healed = true;
    }
}

static void do_end(struct world *world)
{
    if (pick(world, 4) == 0) {
        ss__fault_reset();
        world_restart(world);
    } else {
        world_crash(world);
    }
}

static const struct {
    void (*run)(struct world *world);
    uint32_t weight;
} actions[SIM_ACTIONS] = {
    { do_put, 20 },      { do_put_many, 6 }, { do_put_and_fail, 2 }, { do_batch, 5 },
    { do_send, 4 },      { do_live, 5 },     { do_later, 3 },        { do_work, 3 },
    { do_retry, 2 },     { do_barrier, 1 },  { do_subscribe, 5 },    { do_resume, 6 },
    { do_leave, 4 },     { do_deliver, 20 }, { do_step, 40 },        { do_rest, 4 },
    { do_pool, 15 },     { do_clock, 8 },    { do_fault, 3 },        { do_end, 1 },
    { do_close, 3 },     { do_delete, 1 },   { do_rebuild, 2 },      { do_past, 4 },
    { do_page, 3 },      { do_sweep, 4 },
};

void actions_weigh(struct weights *weights, struct world *world)
{
    weights->sum = 0;
    for (uint32_t i = 0; i < SIM_ACTIONS; i++) {
        /* Half of the kinds at their usual rate, others rare, often or never. */
        static const uint32_t factors[] = { 4, 4, 4, 4, 1, 8, 16, 0 };
        bool needed = actions[i].run == do_step || actions[i].run == do_deliver ||
                      actions[i].run == do_put || actions[i].run == do_pool;
        uint32_t factor = needed ? 4 : factors[pick(world, 8)];
        weights->of[i] = actions[i].weight * factor;
        weights->sum += weights->of[i];
    }
}

void actions_do(struct world *world, const struct weights *weights)
{
    do_heal(world);
    uint32_t lot = pick(world, weights->sum);
    for (uint32_t i = 0; i < SIM_ACTIONS; i++) {
        if (lot < weights->of[i]) {
            actions[i].run(world);
            return;
        }
        lot -= weights->of[i];
    }
}
