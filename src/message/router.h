/* router.h - from a session id to the inbox of its shard. Fixed after start; any thread. */
#ifndef SS_MESSAGE_ROUTER_H
#define SS_MESSAGE_ROUTER_H

#include <stdint.h>

#include <sessionstream/limits.h>
#include <sessionstream/types.h>

#include "core/hash.h"
#include "runtime/inbox.h"

struct ss_router {
    struct ss_hash_key key;            /* kept in the data directory: placement is for ever */
    uint32_t shard_count;
    struct ss_inbox *shards[SS_SHARDS_MAX];    /* borrowed from the engine */
};

static inline uint32_t ss__router_shard(const struct ss_router *router, struct ss_str session_id)
{
    return ss__hash_scale(ss__hash(&router->key, session_id), router->shard_count);
}

static inline struct ss_inbox *ss__router_inbox(const struct ss_router *router,
                                                struct ss_str session_id)
{
    return router->shards[ss__router_shard(router, session_id)];
}

#endif
