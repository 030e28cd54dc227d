/* context.h - what stands behind the opaque pointers of the public handler and projection API.
 * Shard thread. */
#ifndef SS_SHARD_CONTEXT_H
#define SS_SHARD_CONTEXT_H

#include <sessionstream/handler.h>
#include <sessionstream/projection.h>

#include "core/failure.h"
#include "shard/context_check.h"
#include "shard/session.h"

struct ss_view {
    struct ss_shard *shard;
    struct ss_state *state;
    int *err;        /* set when a read failed: what looked like no entity may be one */
    uint32_t only;   /* 1 + index of the timeline projection whose kinds it shows; 0: all */
};

struct ss_context {
    const struct ss_context *outer; /* see shard/context_check.h */
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
    bool out_of_memory;                 /* it could not be */
};

/* Around each call into the application. */
void ss__context_init(struct ss_context *context, struct ss_shard *shard,
                      struct ss_channel *channel);
void ss__context_end(struct ss_context *context);

/* The event of this name, or NULL and the context's failure is set. */
const struct ss_name *ss__context_find_event(struct ss_context *context, const char *event);

/* One call causes so much and no more, and nothing after a read that failed. SS_E_LIMIT, and the
 * code of that read. */
int ss__context_allow(struct ss_context *context, const char *what, uint32_t events,
                      size_t bytes);

/* Publishes validated bytes that are allowed. Errors: those of ss__pipeline_publish. */
int ss__context_publish(struct ss_context *context, const struct ss_name *name,
                        struct ss_str packed);

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
