/* canonical.h - payloads that mean the same, as the same bytes. Shard thread. */
#ifndef SS_SHARD_CANONICAL_H
#define SS_SHARD_CANONICAL_H

#include <protobuf-c/protobuf-c.h>

#include <sessionstream/types.h>

struct ss_shard;
struct ss_type;

/* Packs @message into the batch arena: fields by number, defaults left out, unknown ones behind.
 * SS_E_NOMEM. */
int ss__canonical_message(struct ss_shard *shard, const ProtobufCMessage *message,
                          struct ss_str *ret_packed);

/* The same for validated bytes of @type. SS_E_NOMEM. */
int ss__canonical(struct ss_shard *shard, const struct ss_type *type, struct ss_str packed,
                  struct ss_str *ret_packed);

#endif
