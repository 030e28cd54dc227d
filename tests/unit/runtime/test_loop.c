#include "runtime/loop.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <sessionstream/error.h>

#include "ss_test.h"

#define FAR_MS 100000000

/* What the callbacks do is chosen by the case: each hook may be NULL. */
struct fixture {
    struct ss_loop loop;
    struct ss_inbox *inbox;
    uv_sem_t seen;
    int enter_error;
    void (*on_enter)(struct fixture *);
    bool (*on_work)(struct fixture *);
    void (*on_timer)(struct fixture *);
    atomic_int works;
    atomic_int timers;
    atomic_int leaves;
    int taken;
    int works_before;
    uv_timer_t other;
    bool other_closed;
    char name[32];
};

struct note {
    struct ss_inbox_node node;
    bool last;
};

static int enter(void *context)
{
    struct fixture *fixture = context;
    ss__role_assert(SS_ROLE_SHARD, 3);
    ss_check(pthread_getname_np(pthread_self(), fixture->name, sizeof fixture->name) == 0);
    if (fixture->on_enter != NULL) {
        fixture->on_enter(fixture);
    }
    return fixture->enter_error;
}

static bool work(void *context)
{
    struct fixture *fixture = context;
    ss__role_assert(SS_ROLE_SHARD, 3);
    atomic_fetch_add(&fixture->works, 1);
    return fixture->on_work(fixture);
}

static void timer(void *context)
{
    struct fixture *fixture = context;
    ss__role_assert(SS_ROLE_SHARD, 3);
    atomic_fetch_add(&fixture->timers, 1);
    fixture->on_timer(fixture);
}

static void leave(void *context)
{
    struct fixture *fixture = context;
    ss__role_assert(SS_ROLE_SHARD, 3);
    ss_check(uv_loop_alive(&fixture->loop.uv) == 0);
    atomic_fetch_add(&fixture->leaves, 1);
}

static const struct ss_loop_ops ops = { enter, work, timer, leave };

static void fixture_init(struct fixture *fixture)
{
    *fixture = (struct fixture){ 0 };
    ss_check(ss__inbox_new(1024, 1 << 20, &fixture->inbox) == 0);
    ss_check(uv_sem_init(&fixture->seen, 0) == 0);
    ss_check(ss__loop_init(&fixture->loop, fixture->inbox, &ops, fixture, SS_ROLE_SHARD, 3) == 0);
}

static void fixture_end(struct fixture *fixture)
{
    ss__loop_deinit(&fixture->loop);
    uv_sem_destroy(&fixture->seen);
    ss__inbox_unref(fixture->inbox);
}

/* The thread has to end by itself. */
static void run_to_the_end(struct fixture *fixture)
{
    ss_check(ss__loop_start(&fixture->loop) == 0);
    ss__loop_join(&fixture->loop);
    ss_check(atomic_load(&fixture->leaves) == 1);
}

static bool stop_at_once(struct fixture *fixture)
{
    ss__loop_stop(&fixture->loop);
    ss__loop_stop(&fixture->loop);
    return true;
}

SS_TEST(loop, work_is_offered_once_after_the_start_and_never_after_the_stop)
{
    struct fixture fixture;
    fixture_init(&fixture);
    fixture.on_work = stop_at_once;
    run_to_the_end(&fixture);
    ss_check(fixture.works == 1 && fixture.timers == 0);
    ss_check(strcmp(fixture.name, "ss-shard-3") == 0);
    fixture_end(&fixture);
}

SS_TEST(loop, one_that_never_ran_is_given_back)
{
    struct fixture fixture;
    fixture_init(&fixture);
    fixture_end(&fixture);
    ss_check(fixture.leaves == 0);
}

static void timer_soon(struct fixture *fixture)
{
    ss__loop_wake_in(&fixture->loop, 0);
}

SS_TEST(loop, a_failed_entry_is_told_to_the_starter_and_nothing_else_is_called)
{
    struct fixture fixture;
    fixture_init(&fixture);
    fixture.enter_error = SS_E_STOREFULL;
    fixture.on_enter = timer_soon;    /* in vain */
    ss_check(ss__loop_start(&fixture.loop) == SS_E_STOREFULL);
    ss_check(fixture.works == 0 && fixture.timers == 0 && fixture.leaves == 0);
    fixture_end(&fixture);
}

static bool take_one(struct fixture *fixture)
{
    struct note *note = (struct note *)(void *)ss__inbox_take(fixture->inbox);
    if (note == NULL) {
        return false;
    }
    bool last = note->last;
    fixture->taken++;
    uv_sem_post(&fixture->seen);
    if (last) {
        ss__loop_stop(&fixture->loop);
    }
    return true;
}

SS_TEST(loop, a_sleeping_loop_wakes_for_every_message)
{
    enum { ROUNDS = 3000 };
    struct fixture fixture;
    struct note note = { .node.bytes = 1 };
    fixture_init(&fixture);
    fixture.on_work = take_one;
    ss_check(ss__loop_start(&fixture.loop) == 0);
    for (int i = 1; i <= ROUNDS; i++) {
        note.last = i == ROUNDS;
        ss_check(ss__inbox_post(fixture.inbox, &note.node, SS_POST_OUTSIDE) == 0);
        uv_sem_wait(&fixture.seen);    /* a lost wake-up hangs here */
    }
    ss__loop_join(&fixture.loop);
    ss_check(fixture.taken == ROUNDS && fixture.leaves == 1);
    fixture_end(&fixture);
}

SS_TEST(loop, what_was_posted_before_the_start_is_not_missed)
{
    enum { COUNT = 50 };
    static struct note notes[COUNT];
    struct fixture fixture;
    fixture_init(&fixture);
    fixture.on_work = take_one;
    for (int i = 0; i < COUNT; i++) {
        notes[i].last = i == COUNT - 1;
        ss_check(ss__inbox_post(fixture.inbox, &notes[i].node, SS_POST_OUTSIDE) == 0);
    }
    run_to_the_end(&fixture);
    ss_check(fixture.taken == COUNT && fixture.works == COUNT);    /* one batch per call */
    fixture_end(&fixture);
}

static bool take_then_idle(struct fixture *fixture)
{
    if (!take_one(fixture)) {
        return false;
    }
    fixture->works_before = atomic_load(&fixture->works);
    ss__loop_wake_in(&fixture->loop, fixture->taken < 300 ? FAR_MS : 20);
    return true;
}

static void stop_when_idle(struct fixture *fixture)
{
    /* One look after the message, and perhaps a wake-up that came late. */
    int works = atomic_load(&fixture->works) - fixture->works_before;
    ss_check_msg(works <= 4, "%d calls without work", works);
    ss__loop_stop(&fixture->loop);
}

SS_TEST(loop, one_that_was_woken_sleeps_again)
{
    struct fixture fixture;
    struct note note = { .node.bytes = 1 };
    fixture_init(&fixture);
    fixture.on_work = take_then_idle;
    fixture.on_timer = stop_when_idle;
    ss_check(ss__loop_start(&fixture.loop) == 0);
    for (int i = 0; i < 300; i++) {    /* some of them wake it */
        ss_check(ss__inbox_post(fixture.inbox, &note.node, SS_POST_OUTSIDE) == 0);
        uv_sem_wait(&fixture.seen);
    }
    ss__loop_join(&fixture.loop);
    ss_check(fixture.taken == 300 && fixture.timers == 1);
    fixture_end(&fixture);
}

static bool always_more(struct fixture *fixture)
{
    (void)fixture;
    return true;
}

static void stop_in_timer(struct fixture *fixture)
{
    ss__loop_stop(&fixture->loop);
    ss__loop_wake_in(&fixture->loop, 0);    /* too late, and no harm */
}

SS_TEST(loop, work_without_end_leaves_room_for_timers)
{
    struct fixture fixture;
    fixture_init(&fixture);
    fixture.on_enter = timer_soon;
    fixture.on_work = always_more;
    fixture.on_timer = stop_in_timer;
    run_to_the_end(&fixture);
    ss_check(fixture.timers == 1);
    fixture_end(&fixture);
}

static bool work_made_by_timer(struct fixture *fixture)
{
    if (fixture->timers == 5) {
        ss__loop_stop(&fixture->loop);
    }
    return false;
}

static void timer_again(struct fixture *fixture)
{
    if (fixture->timers < 5) {
        ss__loop_wake_in(&fixture->loop, 1);
    }
}

SS_TEST(loop, a_timer_wakes_a_sleeping_loop_and_work_is_looked_for_after_it)
{
    struct fixture fixture;
    fixture_init(&fixture);
    fixture.on_enter = timer_soon;
    fixture.on_work = work_made_by_timer;
    fixture.on_timer = timer_again;
    run_to_the_end(&fixture);
    ss_check(fixture.timers == 5);
    fixture_end(&fixture);
}

static void far_then_soon(struct fixture *fixture)
{
    ss__loop_wake_in(&fixture->loop, FAR_MS);
    ss__loop_wake_in(&fixture->loop, 1);
}

static bool no_work(struct fixture *fixture)
{
    (void)fixture;
    return false;
}

SS_TEST(loop, a_nearer_wish_replaces_a_far_one)
{
    struct fixture fixture;
    fixture_init(&fixture);
    fixture.on_enter = far_then_soon;
    fixture.on_work = no_work;
    fixture.on_timer = stop_in_timer;
    run_to_the_end(&fixture);
    ss_check(fixture.timers == 1);
    fixture_end(&fixture);
}

static bool withdraw_and_turn(struct fixture *fixture)
{
    if (fixture->works == 1) {
        ss__loop_wake_in(&fixture->loop, 0);
        ss__loop_wake_in(&fixture->loop, UINT64_MAX);
    } else if (fixture->works == 100) {
        ss__loop_wake_in(&fixture->loop, 0);
        ss__loop_wake_in(&fixture->loop, FAR_MS);
    } else if (fixture->works == 200) {
        ss__loop_stop(&fixture->loop);
    }
    return true;    /* a due timer would fire in the next turn */
}

SS_TEST(loop, a_withdrawn_or_postponed_timer_does_not_fire)
{
    struct fixture fixture;
    fixture_init(&fixture);
    fixture.on_work = withdraw_and_turn;
    run_to_the_end(&fixture);
    ss_check(fixture.timers == 0 && fixture.works == 200);
    fixture_end(&fixture);
}

static void on_other_closed(uv_handle_t *handle)
{
    struct fixture *fixture = handle->data;
    fixture->other_closed = true;
}

static void on_other(uv_timer_t *handle)
{
    struct fixture *fixture = handle->data;
    ss_check(fixture->loop.stopping);
    uv_close((uv_handle_t *)handle, on_other_closed);
}

static void open_other(struct fixture *fixture)
{
    ss_check(uv_timer_init(&fixture->loop.uv, &fixture->other) == 0);
    fixture->other.data = fixture;
}

static void start_other(struct fixture *fixture, uv_timer_cb callback)
{
    open_other(fixture);
    ss_check(uv_timer_start(&fixture->other, callback, 5, 0) == 0);
}

static bool stop_before_other(struct fixture *fixture)
{
    ss_check(uv_timer_start(&fixture->other, on_other, 2, 0) == 0);
    ss__loop_stop(&fixture->loop);
    return true;
}

SS_TEST(loop, a_stopped_thread_ends_when_the_other_handles_are_closed)
{
    struct fixture fixture;
    fixture_init(&fixture);
    fixture.on_enter = open_other;
    fixture.on_work = stop_before_other;
    run_to_the_end(&fixture);
    ss_check(fixture.other_closed && fixture.works == 1);
    fixture_end(&fixture);
}

SS_TEST(loop, it_keeps_the_inbox_alive)
{
    struct fixture fixture;
    fixture_init(&fixture);
    fixture.on_work = stop_at_once;
    ss__inbox_unref(fixture.inbox);
    run_to_the_end(&fixture);
    ss_check(ss__inbox_depth(fixture.inbox) == 0);
    ss__loop_deinit(&fixture.loop);
    uv_sem_destroy(&fixture.seen);
}

SS_TEST(loop, without_descriptors_it_fails_and_keeps_no_reference)
{
    struct fixture fixture;
    struct rlimit old;
    int err = SS_E_IO;
    int refused = 0;
    fixture_init(&fixture);
    ss__loop_deinit(&fixture.loop);
    ss_check(getrlimit(RLIMIT_NOFILE, &old) == 0);
    /* libuv 1.44 loses a descriptor when uv_loop_init fails, so the free one is looked up anew. */
    for (rlim_t more = 0; err != 0 && more < 64; more++) {
        int free_one = dup(STDERR_FILENO);
        ss_check(free_one >= 0 && close(free_one) == 0);
        struct rlimit limit = { (rlim_t)free_one + more, old.rlim_max };
        ss_check(setrlimit(RLIMIT_NOFILE, &limit) == 0);
        err = ss__loop_init(&fixture.loop, fixture.inbox, &ops, &fixture, SS_ROLE_SHARD, 3);
        ss_check(setrlimit(RLIMIT_NOFILE, &old) == 0);
        ss_check(err == 0 || err == SS_E_IO);
        refused += err != 0;
    }
    ss_check(err == 0 && refused > 0);
    fixture_end(&fixture);
}

SS_TEST(loop, codes_of_libuv_do_not_pass_the_border)
{
    static const struct {
        int uv;
        int err;
    } known[] = {
        { 0, 0 },
        { UV_ENOMEM, SS_E_NOMEM },
        { UV_EADDRINUSE, SS_E_ADDRESS },
        { UV_EADDRNOTAVAIL, SS_E_ADDRESS },
        { UV_EACCES, SS_E_ADDRESS },
        { UV_EOF, SS_E_CLOSED },
        { UV_ECONNRESET, SS_E_CLOSED },
        { UV_EPIPE, SS_E_CLOSED },
        { UV_ECANCELED, SS_E_CANCELED },
        { UV_ETIMEDOUT, SS_E_TIMEOUT },
        { UV_EMFILE, SS_E_IO },
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        ss_check_msg(ss__err_from_uv(known[i].uv) == known[i].err, "%s", uv_err_name(known[i].uv));
    }
    for (int code = -4200; code < 0; code++) {
        ss_check(strcmp(ss_error_name(ss__err_from_uv(code)), "SS_E_?") != 0);
    }
}

/* A timer of the test's own stands for a socket. */
static void work_on_a_socket(uv_timer_t *other)
{
    struct fixture *fixture = other->data;
    static struct note notes[2];
    int before = fixture->taken;
    ss_check(ss__inbox_post(fixture->inbox, &notes[0].node, SS_POST_OUTSIDE) == 0);
    ss__loop_work(&fixture->loop);
    ss_check(fixture->taken == before + 1);    /* now, not after the other sockets */
    ss__loop_work(&fixture->loop);             /* nothing is there: it sleeps again */
    ss_check(fixture->taken == before + 1);
    notes[1].last = true;
    ss_check(ss__inbox_post(fixture->inbox, &notes[1].node, SS_POST_OUTSIDE) == 0);
    uv_close((uv_handle_t *)other, NULL);
}

static void open_socket(struct fixture *fixture)
{
    start_other(fixture, work_on_a_socket);
}

SS_TEST(loop, work_from_a_callback_is_done_at_once_and_later_work_is_not_missed)
{
    struct fixture fixture;
    fixture_init(&fixture);
    fixture.on_enter = open_socket;
    fixture.on_work = take_one;
    run_to_the_end(&fixture);
    ss_check(fixture.taken == 2);
    fixture_end(&fixture);
}

static void work_after_the_stop(uv_timer_t *other)
{
    struct fixture *fixture = other->data;
    int works = atomic_load(&fixture->works);
    ss__loop_stop(&fixture->loop);
    ss__loop_work(&fixture->loop);
    ss_check(atomic_load(&fixture->works) == works);
    uv_close((uv_handle_t *)other, NULL);
}

static void open_late(struct fixture *fixture)
{
    start_other(fixture, work_after_the_stop);
}

SS_TEST(loop, there_is_no_work_from_a_callback_after_the_stop)
{
    struct fixture fixture;
    fixture_init(&fixture);
    fixture.on_enter = open_late;
    fixture.on_work = take_one;
    run_to_the_end(&fixture);
    fixture_end(&fixture);
}
