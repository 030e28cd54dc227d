/* follower.h - a connection that follows one session and checks what it is shown: one snapshot at
 * N, then N+1, N+2, ... */
#ifndef SS_LOAD_FOLLOWER_H
#define SS_LOAD_FOLLOWER_H

#include "load/connection.h"
#include "load/session.h"

struct ss_load_follower {
    struct ss_load_connection connection;
    struct ss_load_session *session;
    struct ss_load_follower *next_due;
    uint64_t due_ns;           /* when it is to join */
    uint64_t began_ns;         /* when it began to join */
    uint64_t next;             /* the ordinal that must come; 0: no snapshot yet */
    uint64_t epoch;
    uint64_t seen;             /* next and epoch of the connection before; 0: there was none */
    uint64_t seen_epoch;
    uint64_t *fold;            /* last ordinal of each entity; NULL: not kept */
    uint32_t target;
    bool subscribed;
    bool leaving;              /* by its own will */
    bool checker;              /* takes the last snapshot of its session, then leaves */
};

void ss__load_follower_init(struct ss_load_follower *follower, struct ss_load_worker *worker,
                            struct ss_load_session *session, uint32_t target);

void ss__load_follower_join(struct ss_load_follower *follower);

/* Leaves without goodbye; the worker has it join again at once. */
void ss__load_follower_leave(struct ss_load_follower *follower);

#endif
