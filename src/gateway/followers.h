/* followers.h - the sessions somebody on this gateway follows, and who.
 *
 * A session is interested while it has followers or subscribes on the way to its shard. When the
 * last of both is gone it leaves the table and, being a message itself, is handed out to be posted
 * as its own farewell: so saying goodbye cannot fail. Gateway thread. No I/O. */
#ifndef SS_GATEWAY_FOLLOWERS_H
#define SS_GATEWAY_FOLLOWERS_H

#include <stdbool.h>
#include <stdint.h>

#include <sessionstream/types.h>

#include "core/map.h"
#include "message/message.h"

struct ss_follower {
    uint32_t connection;      /* slot */
    uint16_t subscription;    /* of the connection */
    uint8_t encoding;         /* enum ss_encoding */
};

struct ss_followed {
    struct ss_msg_uninterested farewell;   /* first; with the id and handle of the session */
    union {
        struct ss_follower one;            /* @cap is 1 */
        struct ss_follower *many;
    } followers;
    uint32_t count;
    uint32_t cap;
    uint32_t asking;                       /* subscribes on the way, or waiting to be sent */
    bool known;                            /* a subscribe was posted: the shard may know us */
};

/* The followers, @count of them; until the next one is added or removed. */
static inline const struct ss_follower *ss__followed_by(const struct ss_followed *session)
{
    return session->cap == 1 ? &session->followers.one : session->followers.many;
}

static inline struct ss_str ss__followed_id(const struct ss_followed *session)
{
    return session->farewell.session_id;
}

struct ss_followed_slot {
    struct ss_followed *session;           /* NULL: free */
    uint32_t generation;
    uint32_t next_free;
};

struct ss_followers {
    uint16_t gateway;
    struct ss_map by_id;
    struct ss_followed_slot *slots;
    uint32_t slots_count;                  /* used at least once */
    uint32_t slots_cap;
    uint32_t free_slot;                    /* UINT32_MAX: none */
    uint64_t total;                        /* followers of all sessions */
};

void ss__followers_init(struct ss_followers *table, uint16_t gateway);

/* Frees everything, farewells unsent. */
void ss__followers_deinit(struct ss_followers *table);

/* The session with this id, or NULL. */
struct ss_followed *ss__followers_find(const struct ss_followers *table, struct ss_str id,
                                       uint64_t hash);

/* Finds or adds it. NULL when out of memory. An added one has no interest yet: give it some or
 * call ss__followers_settle. */
struct ss_followed *ss__followers_enter(struct ss_followers *table, struct ss_str id,
                                        uint64_t hash);

/* The session a handle names; NULL if it has left. */
struct ss_followed *ss__followers_get(const struct ss_followers *table,
                                      struct ss_session_handle handle);

/* Adds a follower; *ret_place is where it stands until another one is removed. SS_E_NOMEM. */
int ss__followers_add(struct ss_followers *table, struct ss_followed *session,
                      struct ss_follower follower, uint32_t *ret_place);

/* Removes the follower at @place. True: the last one took its place and is in @ret_moved. */
bool ss__followers_remove(struct ss_followers *table, struct ss_followed *session, uint32_t place,
                          struct ss_follower *ret_moved);

/* If nobody is interested any more the session is freed and leaves. Returns the message to post to
 * its shard, or NULL (still interested, or the shard never heard of it). */
struct ss_msg_uninterested *ss__followers_settle(struct ss_followers *table,
                                                 struct ss_followed *session);

#endif
