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

static void consume(struct ss_inbox *inbox, uint64_t count)
{
    uint64_t seen = 0;
    while (seen < count) {
        if (ss__inbox_take(inbox) != NULL) {
            seen++;
            continue;
        }
        if (ss__inbox_sleep(inbox)) {
            struct pollfd fd = { .fd = ss__inbox_wake_fd(inbox), .events = POLLIN };
            if (poll(&fd, 1, 10000) != 1) {
                ss__bench_fail("inbox: a wake-up was lost after %llu messages",
                               (unsigned long long)seen);
            }
            ss__inbox_awake(inbox);
        }
    }
}

static void run(unsigned producers, uint64_t count)
{
    struct producer list[4];
    struct ss_inbox *inbox;
    char name[32];
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
    (void)snprintf(name, sizeof name, "inbox_%up", producers);
    ss__bench_result(name, count / producers * producers, ns, cpu, 0, 0);
    ss__inbox_unref(inbox);
}

void ss__bench_inbox(const struct ss_bench_options *options)
{
    uint64_t count = options->quick ? 400000 : 4000000;
    run(1, count);
    run(2, count);
    run(4, count);
}
