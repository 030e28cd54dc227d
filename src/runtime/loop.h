/* loop.h - a thread with a libuv loop, an inbox and one timer.
 *
 * Life: init -> start -> (the thread runs enter, then work and timer as needed) -> the thread
 * calls ss__loop_stop -> leave -> join -> deinit. All callbacks run on the loop's thread. */
#ifndef SS_RUNTIME_LOOP_H
#define SS_RUNTIME_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include <uv.h>

#include "core/role.h"
#include "runtime/inbox.h"

struct ss_loop_ops {
    /* First on the thread. An error is what ss__loop_start returns; nothing else is called. */
    int (*enter)(void *context);
    /* Something may be in the inbox: handles at most one batch. True: call again soon; the loop
     * turns once in between, so that timers and sockets get their share. */
    bool (*work)(void *context);
    /* The time set by ss__loop_wake_in is over. */
    void (*timer)(void *context);
    /* Last on the thread, with the loop's own handles closed. */
    void (*leave)(void *context);
};

struct ss_loop {
    uv_loop_t uv;              /* for the gateway's sockets */
    uv_poll_t wake;
    uv_idle_t busy;            /* active while work waits: the loop polls without blocking */
    uv_timer_t timer;
    uv_thread_t thread;
    uv_sem_t entered;
    int enter_error;
    struct ss_inbox *inbox;
    const struct ss_loop_ops *ops;
    void *context;
    enum ss_role role;
    uint32_t index;
    bool stopping;
};

/* Takes a reference of @inbox. Errors: SS_E_NOMEM, SS_E_IO. */
int ss__loop_init(struct ss_loop *loop, struct ss_inbox *inbox, const struct ss_loop_ops *ops,
                  void *context, enum ss_role role, uint32_t index);

/* Starts the thread and returns what enter returned, or SS_E_IO. After an error the thread is
 * gone. */
int ss__loop_start(struct ss_loop *loop);

/* On the loop's thread: calls timer after @delay_ms, replacing an earlier wish. UINT64_MAX:
 * never. */
void ss__loop_wake_in(struct ss_loop *loop, uint64_t delay_ms);

/* On the loop's thread, from the callback of a socket: calls work now. One turn hands out what
 * every ready socket has; so messages need not wait for the last of them. The caller expects
 * anything that work does. */
void ss__loop_work(struct ss_loop *loop);

/* On the loop's thread: calls work once the sockets that are ready had their turn. */
void ss__loop_again(struct ss_loop *loop);

/* On the loop's thread: no more callbacks; the thread ends when all other handles are closed. */
void ss__loop_stop(struct ss_loop *loop);

/* Waits for the end of the thread. */
void ss__loop_join(struct ss_loop *loop);
void ss__loop_deinit(struct ss_loop *loop);

/* Translates a libuv code (0 or negative) into the error space: SS_E_NOMEM, SS_E_ADDRESS,
 * SS_E_CLOSED, SS_E_CANCELED, SS_E_TIMEOUT, SS_E_IO. */
int ss__err_from_uv(int code);

#endif
