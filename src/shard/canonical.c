#include "shard/canonical.h"

#include <sessionstream/error.h>

#include "shard/context.h"
#include "shard/shard_state.h"

int ss__canonical_message(struct ss_shard *shard, const ProtobufCMessage *message,
                          struct ss_str *ret_packed)
{
    size_t len = protobuf_c_message_get_packed_size(message);
    uint8_t *packed = ss__arena_alloc(&shard->arena, len + 1);
    if (packed == NULL) {
        return SS_E_NOMEM;
    }
    *ret_packed = ss_str_of(packed, protobuf_c_message_pack(message, packed));
    return 0;
}

int ss__canonical(struct ss_shard *shard, const struct ss_type *type, struct ss_str packed,
                  struct ss_str *ret_packed)
{
    const ProtobufCMessage *message = ss__unpack(shard, type, packed);
    return message == NULL ? SS_E_NOMEM : ss__canonical_message(shard, message, ret_packed);
}
