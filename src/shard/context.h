/* context.h - what stands behind the opaque pointers of the public handler and projection API.
 * Shard thread. */
#ifndef SS_SHARD_CONTEXT_H
#define SS_SHARD_CONTEXT_H

#include <sessionstream/handler.h>
#include <sessionstream/projection.h>

#include "core/failure.h"
#include "shard/session.h"

struct ss_view {
    struct ss_shard *shard;
    struct ss_state *state;
    int *err;    /* set when a read failed: what looked like no entity may be one */
};

struct ss_context {
    struct ss_view view;
    struct ss_channel *channel;
    int read_err;                   /* of the view */
    uint64_t ordinal_max;           /* highest published by this call */
    uint32_t events;
    size_t bytes;
    struct ss_failure failure;      /* set by ss_fail and by failed publishes */
};

struct ss_event_private {
    struct ss_shard *shard;
    const struct ss_type *type;
    const ProtobufCMessage *message;    /* unpacked at the first call */
};

void ss__context_init(struct ss_context *context, struct ss_shard *shard,
                      struct ss_channel *channel);

/* Unpacks validated bytes into the batch arena; NULL when out of memory. */
const ProtobufCMessage *ss__unpack(struct ss_shard *shard, const struct ss_type *type,
                                   struct ss_str packed);

/* Packs an application's message into the batch arena and validates it. Errors: SS_E_TYPE,
 * SS_E_PAYLOAD, SS_E_TOOBIG, SS_E_NOMEM; @what names it in the text. */
int ss__pack(struct ss_shard *shard, const struct ss_name *name, const char *what,
             const ProtobufCMessage *message, struct ss_str *ret_packed,
             struct ss_failure *failure);

/* The same for bytes that are packed already: validates them. Errors: SS_E_PAYLOAD, SS_E_TOOBIG. */
int ss__check_packed(const struct ss_name *name, const char *what, struct ss_str packed,
                     struct ss_failure *failure);

#endif
