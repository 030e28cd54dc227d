/* Hand-off of messages from 1, 2 and 4 producers to one consumer. */
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench.h"
#include "runtime/inbox.h"

struct producer {
    pthread_t thread;
    struct ss_inbox *inbox;
    struct ss_inbox_node *nodes;
    uint64_t count;
    uint64_t refused;
};

static void *produce(void *argument)
{
    struct producer *producer = argument;
    for (uint64_t i = 0; i < producer->count; i++) {
        producer->nodes[i].bytes = 64;
        while (ss__inbox_post(producer->inbox, &producer->nodes[i], SS_POST_OUTSIDE) != 0) {
            producer->refused++;
            sched_yield();
        }
    }
    return NULL;
}

static struct ss_inbox_node *take_sleeping(struct ss_inbox *inbox)
{
    struct ss_inbox_node *node;
    while ((node = ss__inbox_take(inbox)) == NULL) {
        if (ss__inbox_sleep(inbox)) {
            struct pollfd fd = { .fd = ss__inbox_wake_fd(inbox), .events = POLLIN };
            if (poll(&fd, 1, 10000) != 1) {
                ss__bench_fail("inbox: a wake-up was lost");
            }
            ss__inbox_awake(inbox);
        }
    }
    return node;
}

static void consume(struct ss_inbox *inbox, uint64_t count)
{
    for (uint64_t seen = 0; seen < count; seen++) {
        (void)take_sleeping(inbox);
    }
}

static void run(unsigned producers, uint64_t count, const char *name)
{
    struct producer list[4];
    struct ss_inbox *inbox;
    char params[32];
    if (ss__inbox_new(65536, UINT64_C(64) << 20, &inbox) != 0) {
        ss__bench_fail("inbox: cannot be made");
    }
    for (unsigned i = 0; i < producers; i++) {
        list[i] = (struct producer){ .inbox = inbox, .count = count / producers };
        list[i].nodes = calloc(list[i].count, sizeof *list[i].nodes);
        if (list[i].nodes == NULL) {
            ss__bench_fail("inbox: out of memory");
        }
    }
    uint64_t begin = ss__bench_ns();
    uint64_t cpu = ss__bench_cpu_ns();
    for (unsigned i = 0; i < producers; i++) {
        if (pthread_create(&list[i].thread, NULL, produce, &list[i]) != 0) {
            ss__bench_fail("inbox: no thread");
        }
    }
    consume(inbox, count / producers * producers);
    uint64_t ns = ss__bench_ns() - begin;
    cpu = ss__bench_cpu_ns() - cpu;
    for (unsigned i = 0; i < producers; i++) {
        (void)pthread_join(list[i].thread, NULL);
        free(list[i].nodes);
    }
    (void)snprintf(params, sizeof params, "\"producers\":%u", producers);
    struct ss_bench_result result = { .suite = "inbox", .name = name, .params = params,
                                      .count = count / producers * producers, .ns = ns,
                                      .cpu_ns = cpu };
    ss__bench_report(&result);
    ss__inbox_unref(inbox);
}

struct stamped {
    struct ss_inbox_node node;
    uint64_t sent_ns;
};

struct sleeper {
    struct ss_inbox *there;
    struct ss_inbox *back;
    uint64_t count;
    struct ss_histogram *latency;
};

static void *echo(void *argument)
{
    struct sleeper *sleeper = argument;
    for (uint64_t i = 0; i < sleeper->count; i++) {
        struct stamped *stamped = (struct stamped *)(void *)take_sleeping(sleeper->there);
        ss__histogram_add(sleeper->latency, ss__bench_ns() - stamped->sent_ns);
        if (ss__inbox_post(sleeper->back, &stamped->node, SS_POST_OUTSIDE) != 0) {
            ss__bench_fail("inbox: cannot answer");
        }
    }
    return NULL;
}

/* One message at a time between two threads that sleep: the cost of waking. */
static void run_wake(uint64_t count, const char *name)
{
    struct sleeper sleeper = { .count = count, .latency = ss__bench_histogram() };
    struct stamped stamped = { .node.bytes = 64 };
    pthread_t thread;
    if (ss__inbox_new(64, 1 << 20, &sleeper.there) != 0 ||
        ss__inbox_new(64, 1 << 20, &sleeper.back) != 0 ||
        pthread_create(&thread, NULL, echo, &sleeper) != 0) {
        ss__bench_fail("inbox: cannot be made");
    }
    uint64_t begin = ss__bench_ns();
    uint64_t cpu = ss__bench_cpu_ns();
    for (uint64_t i = 0; i < count; i++) {
        stamped.sent_ns = ss__bench_ns();
        if (ss__inbox_post(sleeper.there, &stamped.node, SS_POST_OUTSIDE) != 0) {
            ss__bench_fail("inbox: cannot post");
        }
        (void)take_sleeping(sleeper.back);
    }
    uint64_t ns = ss__bench_ns() - begin;
    cpu = ss__bench_cpu_ns() - cpu;
    (void)pthread_join(thread, NULL);
    struct ss_bench_result result = { .suite = "inbox", .name = name, .count = count, .ns = ns,
                                      .cpu_ns = cpu, .latency = sleeper.latency };
    ss__bench_report(&result);
    free(sleeper.latency);
    ss__inbox_unref(sleeper.there);
    ss__inbox_unref(sleeper.back);
}

void ss__bench_inbox(const struct ss_bench_options *options)
{
    static const unsigned producers[] = { 1, 2, 4 };
    char name[32];
    for (unsigned i = 0; i < sizeof producers / sizeof *producers; i++) {
        (void)snprintf(name, sizeof name, "inbox_%up", producers[i]);
        if (ss__bench_wanted(options, name)) {
            run(producers[i], 400000 * options->scale, name);
        }
    }
    if (ss__bench_wanted(options, "inbox_wake")) {
        run_wake(5000 * options->scale, "inbox_wake");
    }
}
