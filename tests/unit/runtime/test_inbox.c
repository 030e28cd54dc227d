#include "runtime/inbox.h"

#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

#include <sessionstream/error.h>

#include "core/clock.h"
#include "ss_test.h"

#define PRODUCERS 4
#define EACH 50000

struct message {
    struct ss_inbox_node node;
    int producer;
    int sequence;
};

struct producer {
    pthread_t thread;
    struct ss_inbox *inbox;
    struct message *messages;
    int index;
};

static void *produce(void *argument)
{
    struct producer *producer = argument;
    for (int i = 0; i < EACH; i++) {
        struct message *message = &producer->messages[i];
        message->node.bytes = 10;
        message->producer = producer->index;
        message->sequence = i;
        while (ss__inbox_post(producer->inbox, &message->node, SS_POST_OUTSIDE) == SS_E_BUSY) {
            sched_yield();
        }
    }
    return NULL;
}

SS_TEST(inbox, a_sleeping_owner_misses_nothing_and_each_producer_keeps_its_order)
{
    struct producer producers[PRODUCERS];
    struct ss_inbox *inbox;
    int next[PRODUCERS] = { 0 };
    ss_check(ss__inbox_new(1024, 1 << 20, &inbox) == 0);
    for (int i = 0; i < PRODUCERS; i++) {
        producers[i] = (struct producer){ .inbox = inbox, .index = i };
        producers[i].messages = calloc(EACH, sizeof *producers[i].messages);
        ss_check(producers[i].messages != NULL);
        ss_check(pthread_create(&producers[i].thread, NULL, produce, &producers[i]) == 0);
    }
    for (int seen = 0; seen < PRODUCERS * EACH;) {
        struct message *message = (struct message *)(void *)ss__inbox_take(inbox);
        if (message != NULL) {
            ss_check(message->sequence == next[message->producer]++);
            seen++;
        } else if (ss__inbox_sleep(inbox)) {
            struct pollfd fd = { .fd = ss__inbox_wake_fd(inbox), .events = POLLIN };
            ss_check(poll(&fd, 1, 60000) == 1);    /* a lost wake-up would end here */
            ss__inbox_awake(inbox);
        }
    }
    ss_check(ss__inbox_depth(inbox) == 0 && ss__inbox_bytes(inbox) == 0);
    for (int i = 0; i < PRODUCERS; i++) {
        ss_check(pthread_join(producers[i].thread, NULL) == 0);
        free(producers[i].messages);
    }
    ss__inbox_unref(inbox);
}

/* The producer posts whenever the owner has taken what it posted before. The owner takes a little
 * longer each time to fall asleep, so that the two meet at every step of it. Where all turns take
 * too long, fewer are as good. */
#define TURNS 400000
#define TURNS_NS (SS_TEST_SECONDS * UINT64_C(250000000))
#define DELAYS 512

struct turns {
    struct ss_inbox *inbox;
    struct message messages[2];
    atomic_int taken;
    atomic_bool enough;
};

static void *take_turns(void *argument)
{
    struct turns *turns = argument;
    for (int i = 0; i < TURNS; i++) {
        for (unsigned spins = 1; atomic_load(&turns->taken) < i; spins++) {
            if (spins % 4096 == 0) {
                sched_yield();
            }
        }
        if (atomic_load(&turns->enough)) {
            break;
        }
        ss_check(ss__inbox_post(turns->inbox, &turns->messages[i % 2].node, SS_POST_INSIDE) == 0);
    }
    return NULL;
}

SS_TEST(inbox, post_while_the_owner_falls_asleep_wakes_it)
{
    struct turns turns = { .taken = 0 };
    pthread_t thread;
    uint64_t until_ns = ss__clock_monotonic_ns(&ss__system_clock) + TURNS_NS;
    ss_check(ss__inbox_new(1024, 1 << 20, &turns.inbox) == 0);
    ss_check(pthread_create(&thread, NULL, take_turns, &turns) == 0);
    for (int taken = 0; taken < TURNS && !atomic_load(&turns.enough);) {
        if (ss__inbox_take(turns.inbox) != NULL) {
            taken++;
            if (taken % DELAYS == 0 && ss__clock_monotonic_ns(&ss__system_clock) > until_ns) {
                atomic_store(&turns.enough, true);
            }
            atomic_store(&turns.taken, taken);
            for (volatile int delay = 0; delay < taken % DELAYS; delay++) {
            }
        } else if (ss__inbox_sleep(turns.inbox)) {
            struct pollfd fd = { .fd = ss__inbox_wake_fd(turns.inbox), .events = POLLIN };
            ss_check(poll(&fd, 1, 30000) == 1);
            ss__inbox_awake(turns.inbox);
        }
    }
    ss_check(pthread_join(thread, NULL) == 0);
    ss__inbox_unref(turns.inbox);
}

SS_TEST(inbox, limits_refuse_outside_work_only)
{
    struct ss_inbox *inbox;
    struct message messages[8] = { 0 };
    ss_check(ss__inbox_new(4, 100, &inbox) == 0);
    for (int i = 0; i < 4; i++) {
        ss_check(ss__inbox_pressed(inbox) == (i >= 3));
        ss_check(ss__inbox_post(inbox, &messages[i].node, SS_POST_OUTSIDE) == 0);
    }
    ss_check(ss__inbox_post(inbox, &messages[4].node, SS_POST_OUTSIDE) == SS_E_BUSY);
    ss_check(ss__inbox_post(inbox, &messages[4].node, SS_POST_INSIDE) == 0);
    ss__inbox_refuse(inbox);
    ss_check(ss__inbox_post(inbox, &messages[5].node, SS_POST_OUTSIDE) == SS_E_STOPPING);
    ss_check(ss__inbox_post(inbox, &messages[5].node, SS_POST_INSIDE) == 0);
    ss__inbox_close(inbox);
    ss_check(ss__inbox_post(inbox, &messages[6].node, SS_POST_INSIDE) == SS_E_STOPPING);
    for (int i = 0; i < 6; i++) {
        ss_check(ss__inbox_take(inbox) == &messages[i].node);
    }
    ss_check(ss__inbox_take(inbox) == NULL);
    ss__inbox_unref(inbox);
}

SS_TEST(inbox, bytes_are_a_limit_too_and_chains_arrive_in_order)
{
    struct ss_inbox *inbox;
    struct message messages[4] = { 0 };
    ss_check(ss__inbox_new(100, 1000, &inbox) == 0);
    messages[0].node.bytes = 1000;
    ss_check(ss__inbox_post(inbox, &messages[0].node, SS_POST_OUTSIDE) == 0);
    ss_check(ss__inbox_post(inbox, &messages[1].node, SS_POST_OUTSIDE) == SS_E_BUSY);
    ss_check(ss__inbox_take(inbox) == &messages[0].node);
    atomic_store(&messages[1].node.next, &messages[2].node);
    atomic_store(&messages[2].node.next, &messages[3].node);
    ss_check(ss__inbox_post_chain(inbox, &messages[1].node, &messages[3].node, 3, 0) == 0);
    for (int i = 1; i < 4; i++) {
        ss_check(ss__inbox_take(inbox) == &messages[i].node);
    }
    ss__inbox_unref(inbox);
}
