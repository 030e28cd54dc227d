/* session.h - what the generator knows of a session, shared by its publisher and followers. */
#ifndef SS_LOAD_SESSION_H
#define SS_LOAD_SESSION_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <sessionstream/types.h>

struct ss_load_publisher;

/* Messages of one session that may be on their way to followers at once and still be told apart;
 * beyond that the figures of first and last follower are wrong, nothing else. */
#define SS_LOAD_RING 1024u

struct ss_load_session {
    struct ss_str id;
    uint32_t index;
    struct ss_load_publisher *publisher;    /* NULL: nobody publishes */
    _Atomic uint64_t acked;                 /* highest durable ordinal */
    uint64_t number;                        /* messages published; publisher's thread */
    uint64_t answered;                      /* of them; publisher's thread */
    _Atomic uint32_t *ring;                 /* deliveries by ordinal; NULL with one follower */
    uint64_t *final;                        /* ordinals of entities in the last snapshot */
};

/* Counts a delivery of @ordinal. *ret_first, *ret_last: to the first or last of @followers. */
void ss__load_session_deliver(struct ss_load_session *session, uint64_t ordinal,
                              uint32_t followers, bool *ret_first, bool *ret_last);

#endif
