#include "runtime/loop.h"

#include <pthread.h>
#include <stdio.h>

#include <sessionstream/error.h>

#include "core/contract.h"

int ss__err_from_uv(int code)
{
    switch (code) {
    case 0:
        return 0;
    case UV_ENOMEM:
        return SS_E_NOMEM;
    case UV_EADDRINUSE:
    case UV_EADDRNOTAVAIL:
    case UV_EACCES:
        return SS_E_ADDRESS;
    case UV_EOF:
    case UV_ECONNRESET:
    case UV_EPIPE:
        return SS_E_CLOSED;
    case UV_ECANCELED:
        return SS_E_CANCELED;
    case UV_ETIMEDOUT:
        return SS_E_TIMEOUT;
    default:
        return SS_E_IO;
    }
}

static void run_work(struct ss_loop *loop)
{
    bool more = loop->ops->work(loop->context);
    if (loop->stopping) {
        return;
    }
    if (!more && ss__inbox_sleep(loop->inbox)) {
        SS_INSIST(uv_idle_stop(&loop->busy) == 0);
    }
    /* else stay busy: the loop turns once and comes back */
}

static void on_busy(uv_idle_t *idle)
{
    run_work(ss__container_of(idle, struct ss_loop, busy));
}

static void start_busy(struct ss_loop *loop)
{
    SS_INSIST(uv_idle_start(&loop->busy, on_busy) == 0);
}

static void on_wake(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    struct ss_loop *loop = ss__container_of(poll, struct ss_loop, wake);
    ss__role_assert(loop->role, loop->index);
    ss__inbox_awake(loop->inbox);
    start_busy(loop);
    run_work(loop);
}

void ss__loop_work(struct ss_loop *loop)
{
    ss__role_assert(loop->role, loop->index);
    if (!loop->stopping) {
        start_busy(loop);    /* for what comes just before it sleeps */
        run_work(loop);
    }
}

void ss__loop_again(struct ss_loop *loop)
{
    ss__role_assert(loop->role, loop->index);
    if (!loop->stopping) {
        start_busy(loop);
    }
}

static void on_timer(uv_timer_t *timer)
{
    struct ss_loop *loop = ss__container_of(timer, struct ss_loop, timer);
    ss__role_assert(loop->role, loop->index);
    loop->ops->timer(loop->context);
    if (!loop->stopping) {
        start_busy(loop);    /* a timer may have made work */
    }
}

static int init_handles(struct ss_loop *loop)
{
    int err = uv_poll_init(&loop->uv, &loop->wake, ss__inbox_wake_fd(loop->inbox));
    if (err != 0) {
        return err;
    }
    (void)uv_idle_init(&loop->uv, &loop->busy);     /* these two cannot fail */
    (void)uv_timer_init(&loop->uv, &loop->timer);
    return uv_poll_start(&loop->wake, UV_READABLE, on_wake);
}

int ss__loop_init(struct ss_loop *loop, struct ss_inbox *inbox, const struct ss_loop_ops *ops,
                  void *context, enum ss_role role, uint32_t index)
{
    *loop = (struct ss_loop){ .ops = ops, .context = context, .role = role, .index = index };
    int err = uv_loop_init(&loop->uv);
    if (err != 0) {
        return ss__err_from_uv(err);
    }
    loop->inbox = ss__inbox_ref(inbox);
    err = init_handles(loop);
    if (err == 0) {
        err = uv_sem_init(&loop->entered, 0);
    }
    if (err != 0) {
        ss__loop_stop(loop);
        (void)uv_run(&loop->uv, UV_RUN_DEFAULT);
        (void)uv_loop_close(&loop->uv);
        ss__inbox_unref(inbox);
    }
    return ss__err_from_uv(err);
}

static void name_thread(const struct ss_loop *loop)
{
    char name[16];
    snprintf(name, sizeof name, "ss-%s-%u", loop->role == SS_ROLE_SHARD ? "shard" : "gateway",
             loop->index);
    (void)pthread_setname_np(pthread_self(), name);    /* only for people who debug */
}

static void run_thread(void *argument)
{
    struct ss_loop *loop = argument;
    ss__role_set(loop->role, loop->index);
    name_thread(loop);
    loop->enter_error = loop->ops->enter(loop->context);
    bool entered = loop->enter_error == 0;
    uv_sem_post(&loop->entered);
    if (entered) {
        start_busy(loop);
    } else {
        ss__loop_stop(loop);
    }
    while (uv_run(&loop->uv, UV_RUN_DEFAULT) != 0) {
    }
    if (entered) {
        loop->ops->leave(loop->context);
    }
}

int ss__loop_start(struct ss_loop *loop)
{
    int err = uv_thread_create(&loop->thread, run_thread, loop);
    if (err != 0) {
        return SS_E_IO;
    }
    uv_sem_wait(&loop->entered);
    if (loop->enter_error != 0) {
        ss__loop_join(loop);
    }
    return loop->enter_error;
}

void ss__loop_wake_in(struct ss_loop *loop, uint64_t delay_ms)
{
    if (delay_ms == UINT64_MAX || loop->stopping) {
        (void)uv_timer_stop(&loop->timer);    /* cannot fail */
        return;
    }
    uv_update_time(&loop->uv);
    SS_INSIST(uv_timer_start(&loop->timer, on_timer, delay_ms, 0) == 0);
}

static void close_if_open(uv_handle_t *handle)
{
    if (handle->type != UV_UNKNOWN_HANDLE && !uv_is_closing(handle)) {
        uv_close(handle, NULL);
    }
}

void ss__loop_stop(struct ss_loop *loop)
{
    if (loop->stopping) {
        return;
    }
    loop->stopping = true;
    close_if_open((uv_handle_t *)&loop->wake);
    close_if_open((uv_handle_t *)&loop->busy);
    close_if_open((uv_handle_t *)&loop->timer);
}

void ss__loop_join(struct ss_loop *loop)
{
    SS_INSIST(uv_thread_join(&loop->thread) == 0);
}

void ss__loop_deinit(struct ss_loop *loop)
{
    /* A loop whose thread never ran still has its handles. */
    ss__loop_stop(loop);
    while (uv_run(&loop->uv, UV_RUN_DEFAULT) != 0) {
    }
    SS_INSIST(uv_loop_close(&loop->uv) == 0);
    uv_sem_destroy(&loop->entered);
    ss__inbox_unref(loop->inbox);
}
