/* sim - many seeded runs of shards, clients and crashes against a small model of the promises.
 *
 *     sim [--seed N] [--seeds N] [--steps N] [--trace]
 *
 * A seed is a whole run: what it did is done again by --seed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actions.h"
#include "core/fault.h"
#include "core/hash.h"
#include "core/log.h"
#include "trace.h"
#include "world.h"

static uint64_t number_of(const char *text, const char *option)
{
    char *end;
    uint64_t value = strtoull(text == NULL ? "" : text, &end, 10);
    if (text == NULL || text[0] == '\0' || *end != '\0') {
        (void)fprintf(stderr, "sim: %s wants a number\n", option);
        exit(2);
    }
    return value;
}

static struct sim_plan make_plan(struct random *random)
{
    static const enum ss_durability durabilities[] = { SS_DURABILITY_FSYNC, SS_DURABILITY_FSYNC,
                                                       SS_DURABILITY_INTERVAL,
                                                       SS_DURABILITY_NONE };
    static const uint64_t ages_us[] = { 0, 0, 0, 1000000, 20000000, 100000000 };
    bool failing = random_below(random, 3) == 0;
    bool retains = random_below(random, 2) != 0;
    return (struct sim_plan){
        .shards = 1 + random_below(random, SIM_SHARDS_MAX),
        .sessions = 1 + random_below(random, retains ? 2 : SIM_SESSIONS_MAX),
        .durability = durabilities[random_below(random, 4)],
        .ui_policy = random_below(random, 2) ? SS_POLICY_FAIL : SS_POLICY_ADVANCE,
        .timeline_policy = random_below(random, 2) ? SS_POLICY_FAIL : SS_POLICY_ADVANCE,
        .cache_bytes = random_below(random, 2) ? 4096 : UINT64_C(1) << 30,
        .log_file_bytes = UINT64_C(16384) << random_below(random, 5),
        .log_window_bytes = UINT64_C(16384) << random_below(random, 8),
        .pools = random_below(random, 4) != 0,
        .retain_events = !retains ? 0 : random_below(random, 3) * (1 + random_below(random, 40)),
        .retain_age_us = !retains ? 0 : ages_us[random_below(random, 6)],
        .retain_total = retains && random_below(random, 4) == 0 ? 4000 : 0,
        .failing = failing,
        .split = !failing && random_below(random, 2) != 0,
        .faults = random_below(random, 2) != 0,
    };
}

/* Everything that was shown is still there, for a client that comes now. */
static void verify(struct world *world)
{
    ss__fault_reset();
    if (random_below(&world->random, 2) != 0) {
        world_crash(world);
    } else {
        world_restart(world);
    }
    for (uint32_t i = 0; i < world->plan.sessions; i++) {
        world_subscribe(world, 0, i, false);
        world_subscribe(world, 1, i, true);
    }
    world_settle(world);
    for (uint32_t i = 0; i < world->plan.sessions; i++) {
        for (uint32_t k = 0; k < 2; k++) {
            if (!world->followers[k][i].live) {
                model_broken("s%u cannot be followed at the end", i);
            }
            model_is_current(world->model, &world->followers[k][i].client,
                             world->model->sessions[i].newest);
        }
    }
    world_restart(world);
}

/* What the runs came across. */
static uint64_t dropped;
static uint64_t gones;
static uint64_t beside;

static void run(uint64_t seed, uint64_t steps, bool aloud)
{
    static struct model model;
    static struct world world;
    struct random random = { seed * 2 + 1 };
    struct sim_plan plan = make_plan(&random);
    struct weights weights;
    plan.beside = plan.pools && seed % 2 != 0;
    trace_begin(seed, aloud);
    trace_add("retains %llu events, %llu us, %llu bytes",
              (unsigned long long)plan.retain_events, (unsigned long long)plan.retain_age_us,
              (unsigned long long)plan.retain_total);
    trace_add("%u shards, %u sessions, durability %d, policies %d and %d, cache %llu%s%s%s%s%s",
              plan.shards, plan.sessions, plan.durability, plan.ui_policy, plan.timeline_policy,
              (unsigned long long)plan.cache_bytes, plan.pools ? ", pools" : "",
              plan.beside ? ", snapshots beside the shard" : "",
              plan.failing ? ", failing" : "", plan.split ? ", split" : "",
              plan.faults ? ", faults" : "");
    memset(&model, 0, sizeof model);
    model.ui_policy = plan.ui_policy;
    model.timeline_policy = plan.timeline_policy;
    model.retains = plan.retain_events != 0 || plan.retain_age_us != 0 || plan.retain_total != 0;
    world_begin(&world, &plan, seed, &model);
    actions_weigh(&weights, &world);
    for (uint64_t i = 0; i < steps; i++) {
        actions_do(&world, &weights);
    }
    verify(&world);
    for (uint32_t i = 0; i < plan.shards; i++) {
        beside += atomic_load(&world.stats[i]->snapshots_pooled);
    }
    world_end(&world);
    dropped += model.dropped;
    gones += model.gones;
}

int main(int argc, char **argv)
{
    static const struct ss_hash_key key = { { 5 } };
    uint64_t seed = 1;
    uint64_t seeds = 100;
    uint64_t steps = 600;
    bool aloud = false;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--seed") == 0) {
            seed = number_of(argv[++i], "--seed");
        } else if (strcmp(argv[i], "--seeds") == 0) {
            seeds = number_of(argv[++i], "--seeds");
        } else if (strcmp(argv[i], "--steps") == 0) {
            steps = number_of(argv[++i], "--steps");
        } else if (strcmp(argv[i], "--trace") == 0) {
            aloud = true;
        } else {
            (void)fprintf(stderr, "usage: sim [--seed N] [--seeds N] [--steps N] [--trace]\n");
            return 2;
        }
    }
    ss__process_hash_fix(&key);
    ss__log_set_level(aloud ? SS_LOG_DEBUG : SS_LOG_ERROR);
    for (uint64_t i = 0; i < seeds; i++) {
        run(seed + i, steps, aloud);
    }
    (void)printf("%llu runs of %llu steps, from seed %llu: every promise kept; retention dropped "
                 "%llu events, %llu answers said so; %llu snapshots were made beside their shard\n",
                 (unsigned long long)seeds, (unsigned long long)steps, (unsigned long long)seed,
                 (unsigned long long)dropped, (unsigned long long)gones,
                 (unsigned long long)beside);
    return 0;
}
