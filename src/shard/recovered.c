#include "shard/recovered.h"

#include <stdlib.h>
#include <string.h>

#include "shard/shard_state.h"

#define GROW_SIDS 1024

bool ss__recovered(const struct ss_shard *shard, uint64_t sid)
{
    return sid < shard->recovered_bits && (shard->recovered[sid / 8] & (1u << (sid % 8))) != 0;
}

int ss__recovered_mark(struct ss_shard *shard, uint64_t sid)
{
    if (sid >= shard->recovered_bits) {
        uint64_t bits = (sid + GROW_SIDS) * 2 & ~UINT64_C(7);
        uint8_t *grown = realloc(shard->recovered, bits / 8);
        if (grown == NULL) {
            return SS_E_NOMEM;
        }
        memset(grown + shard->recovered_bits / 8, 0, (bits - shard->recovered_bits) / 8);
        shard->recovered = grown;
        shard->recovered_bits = bits;
    }
    shard->recovered[sid / 8] |= (uint8_t)(1u << (sid % 8));
    return 0;
}

void ss__recovered_unmark(struct ss_shard *shard, uint64_t sid)
{
    if (sid < shard->recovered_bits) {
        shard->recovered[sid / 8] &= (uint8_t)~(1u << (sid % 8));
    }
}

void ss__recovered_later(struct ss_shard *shard, struct ss_str session_id)
{
    struct ss_str none = { NULL, 0 };
    struct ss_request *request = ss__request_new(SS_REQUEST_RECOVER, session_id, none, none);
    if (request != NULL) {
        ss__list_push_back(&shard->background, &request->link);
    }
}
