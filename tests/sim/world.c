#include "world.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sessionstream/limits.h>

#include "app.h"
#include "core/contract.h"
#include "core/fault.h"
#include "gateways.h"
#include "schema/registry.h"
#include "shard/shard_state.h"
#include "ss_test.h"
#include "trace.h"

#define SETTLE_ROUNDS_MAX 100000

uint32_t random_below(struct random *random, uint32_t bound)
{
    uint64_t x = random->state += UINT64_C(0x9E3779B97F4A7C15);
    x = (x ^ (x >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94D049BB133111EB);
    return bound == 0 ? 0 : (uint32_t)((x ^ (x >> 31)) % bound);
}

static uint64_t monotonic(struct ss_clock *clock)
{
    return ss__container_of(clock, struct world, clock)->now_ns;
}

static uint64_t wall(struct ss_clock *clock)
{
    return UINT64_C(1700000000000000) + ss__container_of(clock, struct world, clock)->now_ns / 1000;
}

/* ---- directories ---- */

static void shard_dir(const struct world *world, uint32_t life, uint32_t shard, char out[96])
{
    snprintf(out, 96, "%s/%u-%u", world->dir, life, shard);
}

static int remove_one(const char *path, const struct stat *info, int flag, struct FTW *ftw)
{
    (void)info;
    (void)flag;
    (void)ftw;
    return remove(path);
}

static void remove_dir(const char *dir)
{
    ss_check(nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS) == 0);
}

static char copy_from[96];
static char copy_to[96];

static int copy_one(const char *path, const struct stat *info, int flag)
{
    char to[192];
    snprintf(to, sizeof to, "%s%s", copy_to, path + strlen(copy_from));
    if (flag == FTW_D) {
        return mkdir(to, 0700);
    }
    FILE *in = fopen(path, "rb");
    FILE *out = fopen(to, "wb");
    ss_check(in != NULL && out != NULL);
    static char bytes[1 << 16];
    size_t left = (size_t)info->st_size;
    while (left > 0) {
        size_t got = fread(bytes, 1, sizeof bytes < left ? sizeof bytes : left, in);
        ss_check(got > 0 && fwrite(bytes, 1, got, out) == got);
        left -= got;
    }
    ss_check(fclose(out) == 0);
    (void)fclose(in);
    return 0;
}

static void copy_dir(const char *from, const char *to)
{
    snprintf(copy_from, sizeof copy_from, "%s", from);
    snprintf(copy_to, sizeof copy_to, "%s", to);
    ss_check(ftw(from, copy_one, 16) == 0);
}

/* ---- life ---- */

static void open_shard(struct world *world, uint32_t index)
{
    char dir[96];
    shard_dir(world, world->lives, index, dir);
    struct ss_shard_options options = {
        .index = index,
        .registry = world->registry,
        .transport = &world->transport,
        .pool = world->pool,
        .work_pool = world->work_pool,
        .router = &world->router,
        .stats = world->stats[index],
        .gateways = world->gateways,
        .gateways_count = SIM_GATEWAYS,
        .clock = &world->clock,
        .durability_interval_ms = 50,
        .session_cache_bytes = world->plan.cache_bytes,
        .snapshot_frame_bytes = SS_SNAPSHOT_FRAME_BYTES_MAX,
        .snapshot_inline_bytes = world->plan.beside ? 1 : SS_SNAPSHOT_INLINE_BYTES,
        .ui_policy = world->plan.ui_policy,
        .timeline_policy = world->plan.timeline_policy,
        .retention = { .events = world->plan.retain_events,
                       .age_us = world->plan.retain_age_us,
                       .total_bytes = world->plan.retain_total },
        .retention_sweep_ms = 5000,    /* longer than all needs to come to rest */
        .stop_timeout_ms = 1000,
    };
    ss__store_options_init(&options.store);
    options.store.dir = dir;
    options.store.shard_index = index;
    options.store.shard_count = world->plan.shards;
    options.store.directory_id = 7;
    options.store.map_bytes = UINT64_C(64) << 20;
    options.store.min_free_bytes = 0;
    options.store.log_file_bytes = world->plan.log_file_bytes;
    options.store.log_window_bytes = world->plan.log_window_bytes;
    options.store.durability = world->plan.durability;
    options.store.clock = &world->clock;
    struct ss_failure failure = { 0 };
    if (ss__shard_new(&options, &world->shards[index], &failure) != 0) {
        model_broken("shard %u does not open: %s", index, failure.text);
    }
    world->router.shards[index] = ss__shard_inbox(world->shards[index]);
}

static void load_app(struct world *world)
{
    uint32_t version = 1 + random_below(&world->random, 2);
    world->registry = app_registry(world->model, world->plan.split, version);
    ss_check(ss__transport_load(world->registry->schema, NULL) == 0);
    ss_check(ss__registry_freeze(world->registry) == 0);
    ss_check(ss__transport_init(&world->transport, world->registry->schema, NULL) == 0);
    trace_add("the application%s", version == 1 ? "" : ", another version");
}

static void start(struct world *world)
{
    world->now_ns += 1000;    /* no two processes begin at once */
    load_app(world);
    if (world->plan.pools) {
        ss_check(ss__pool_new(0, &world->pool) == 0);
        ss_check(ss__pool_new(0, &world->work_pool) == 0);
    }
    for (uint32_t i = 0; i < SIM_GATEWAYS; i++) {
        ss_check(ss__inbox_new(65536, UINT64_C(64) << 20, &world->gateways[i]) == 0);
    }
    for (uint32_t i = 0; i < world->plan.shards; i++) {
        open_shard(world, i);
    }
}

static void run_pools(struct world *world)
{
    while (world->pool != NULL &&
           (ss__pool_run_one(world->pool) || ss__pool_run_one(world->work_pool))) {
    }
}

/* What is left of a process, however it ended. */
static void bury(struct world *world)
{
    run_pools(world);    /* a shard waits for its jobs */
    for (uint32_t i = 0; i < world->plan.shards; i++) {
        ss__shard_free(world->shards[i]);
    }
    ss__pool_free(world->pool);
    ss__pool_free(world->work_pool);
    world->pool = world->work_pool = NULL;
    for (uint32_t i = 0; i < SIM_GATEWAYS; i++) {
        for (struct ss_inbox_node *node; (node = ss__inbox_take(world->gateways[i])) != NULL;) {
            ss__msg_free(ss__msg_of(node));
        }
        ss__inbox_unref(world->gateways[i]);
    }
    gateways_lost(world);
    ss_registry_free(world->registry);
}

void world_begin(struct world *world, const struct sim_plan *plan, uint64_t seed,
                 struct model *model)
{
    *world = (struct world){ .random = { seed }, .plan = *plan, .model = model,
                             .clock = { monotonic, wall }, .now_ns = UINT64_C(1000000000) };
    const char *base = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    snprintf(world->dir, sizeof world->dir, "%s/ss-sim-XXXXXX", base);
    ss_check(mkdtemp(world->dir) != NULL);
    world->router = (struct ss_router){ .key = { { 1, 2, 3 } }, .shard_count = plan->shards };
    for (uint32_t i = 0; i < plan->shards; i++) {
        world->stats[i] = calloc(1, sizeof *world->stats[i]);
        ss_check(world->stats[i] != NULL);
    }
    for (uint32_t i = 0; i < SIM_GATEWAYS; i++) {
        for (uint32_t k = 0; k < SIM_SESSIONS_MAX; k++) {
            world->followers[i][k].client.session = k;
        }
    }
    start(world);
}

void world_end(struct world *world)
{
    bury(world);
    for (struct call *call = world->calls, *next; call != NULL; call = next) {
        next = call->next;
        free(call);
    }
    for (uint32_t i = 0; i < world->plan.shards; i++) {
        world->model->dropped += atomic_load(&world->stats[i]->retention_events);
        free(world->stats[i]);
    }
    remove_dir(world->dir);
}

void world_crash(struct world *world)
{
    char from[96];
    char to[96];
    trace_add("crash");
    ss__fault_reset();
    for (struct call *call = world->calls; call != NULL; call = call->next) {
        call->lost = true;
    }
    for (uint32_t i = 0; i < world->plan.shards; i++) {
        shard_dir(world, world->lives, i, from);
        shard_dir(world, world->lives + 1, i, to);
        copy_dir(from, to);
    }
    bury(world);
    for (uint32_t i = 0; i < world->plan.shards; i++) {
        shard_dir(world, world->lives, i, from);
        remove_dir(from);
    }
    world->lives++;
    start(world);
}

/* ---- running ---- */

bool world_turn(struct world *world)
{
    bool busy = false;
    for (uint32_t i = 0; i < world->plan.shards; i++) {
        busy |= ss__inbox_depth(ss__shard_inbox(world->shards[i])) > 0;
        busy |= ss__shard_step(world->shards[i]);
    }
    while (world->pool != NULL &&
           (ss__pool_run_one(world->pool) || ss__pool_run_one(world->work_pool))) {
        busy = true;
    }
    for (uint32_t i = 0; i < SIM_GATEWAYS; i++) {
        while (world_deliver(world, i)) {
            busy = true;
        }
    }
    return busy;
}

void world_settle(struct world *world)
{
    unsigned quiet = 0;
    unsigned rounds = 0;
    while (quiet < 20) {
        quiet = world_turn(world) ? 0 : quiet + 1;
        world->now_ns += UINT64_C(50000000);    /* what waits for a time gets it */
        if (rounds++ > SETTLE_ROUNDS_MAX) {
            model_broken("the shards do not come to rest");
        }
    }
}

static void check_answers(const struct world *world)
{
    for (const struct call *call = world->calls; call != NULL; call = call->next) {
        if (!call->lost && call->answers != 1) {
            model_broken("a call of s%u has %u answers (event %u)", call->session, call->answers,
                         call->steps > 0 ? call->tokens[0] : 0);
        }
    }
}

void world_restart(struct world *world)
{
    char from[96];
    char to[96];
    trace_add("restart");
    for (uint32_t i = 0; i < world->plan.shards; i++) {
        ss__shard_stop(world->shards[i]);
    }
    /* As the threads do: a shard ends when it has nothing left, while others may still send. */
    for (bool all = false; !all;) {
        (void)world_turn(world);
        all = true;
        for (uint32_t i = 0; i < world->plan.shards; i++) {
            all &= world->shards[i]->jobs == 0 &&
                   ss__inbox_depth(ss__shard_inbox(world->shards[i])) == 0;
        }
    }
    for (uint32_t i = 0; i < world->plan.shards; i++) {
        ss__shard_close(world->shards[i]);
    }
    check_answers(world);
    bury(world);
    for (uint32_t i = 0; i < world->plan.shards; i++) {
        shard_dir(world, world->lives, i, from);
        shard_dir(world, world->lives + 1, i, to);
        ss_check(rename(from, to) == 0);
    }
    world->lives++;
    start(world);
}

struct ss_inbox *world_inbox(struct world *world, uint32_t session)
{
    char id[3] = { 's', (char)('0' + session), '\0' };
    return ss__router_inbox(&world->router, ss_str_of(id, 2));
}

/* ---- calls ---- */

struct call *world_call(struct world *world, uint32_t session)
{
    struct call *call = calloc(1, sizeof *call);
    ss_check(call != NULL);
    call->world = world;
    call->session = session;
    call->next = world->calls;
    world->calls = call;
    return call;
}

static void refuse_steps(struct call *call)
{
    struct model *model = call->world->model;
    for (uint32_t i = 0; i < call->steps; i++) {
        if (model->tokens[call->tokens[i]].ordinal != 0) {
            model_broken("event %u was shown and then refused", call->tokens[i]);
        }
        model->tokens[call->tokens[i]].refused = true;
    }
}

void world_answered(const struct ss_result *result, void *ctx)
{
    struct call *call = ctx;
    call->answers++;
    call->err = result->err;
    trace_add("answer to s%u, event %u: error %d, ordinal %llu", call->session,
              call->steps > 0 ? call->tokens[0] : 0, result->err,
              (unsigned long long)result->ordinal);
    if (call->lost) {
        return;
    }
    if (result->err != 0 && result->err != SS_E_COMMIT && result->ordinal == 0) {
        refuse_steps(call);
    }
    bool whole = result->err == 0 || (call->steps == 1 && result->err != SS_E_COMMIT);
    for (uint32_t i = 0; call->binds && whole && result->ordinal != 0 && i < call->steps; i++) {
        model_shown(call->world->model, call->session, result->ordinal - call->steps + 1 + i,
                    call->tokens[i], "answer");
    }
}

/* What has been removed stays so, and is named; all that is wanted is there, or nothing is told. */
static void judge_first(const struct ss_result *result, const struct call *call, bool past)
{
    struct model *model = call->world->model;
    if (result->err == SS_E_GONE) {
        model_gone(model, call->session, call->at, result->ordinal);
    } else if (result->err == 0 && past && call->at + 1 < call->first) {
        model_broken("s%u: %llu is told of, and %llu was the first", call->session,
                     (unsigned long long)call->at, (unsigned long long)call->first);
    }
}

void world_page(const struct ss_result *result, const struct ss_event_page *page, void *ctx)
{
    struct call *call = ctx;
    world_answered(result, call);
    if (call->lost) {
        return;
    }
    judge_first(result, call, call->at < call->newest);
    for (size_t i = 0; page != NULL && i < page->count; i++) {
        const struct ss_stored_event *event = &page->events[i];
        if (event->ordinal != call->at + 1 + i) {
            model_broken("s%u: event %llu on a page after %llu, at place %zu", call->session,
                         (unsigned long long)event->ordinal, (unsigned long long)call->at, i);
        }
        model_stored(call->world->model, call->session, event);
    }
    if (page != NULL && page->count == 0 && call->at < call->newest) {
        model_broken("s%u: no events after %llu, %llu was shown", call->session,
                     (unsigned long long)call->at, (unsigned long long)call->newest);
    }
}

void world_past(const struct ss_result *result, const struct ss_snapshot *snapshot, void *ctx)
{
    struct call *call = ctx;
    world_answered(result, call);
    if (call->lost) {
        return;
    }
    judge_first(result, call, call->at != 0 && call->at < call->newest);
    if (snapshot == NULL) {
        return;
    }
    if (call->at != 0 && snapshot->ordinal > call->at) {
        model_broken("s%u as of %llu is labelled with %llu", call->session,
                     (unsigned long long)call->at, (unsigned long long)snapshot->ordinal);
    }
    model_past(call->world->model, call->session, snapshot);
}
