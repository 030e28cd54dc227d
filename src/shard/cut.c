#include "shard/cut.h"

#include "core/contract.h"
#include "shard/shard_state.h"
#include "store/cut.h"

static void answer(struct ss_shard *shard, int err)
{
    struct ss_msg_cut *msg = shard->cut_wanted;
    shard->cut_wanted = NULL;
    msg->err = err;
    msg->made(msg);    /* perhaps it is freed now */
}

void ss__cut_take(struct ss_shard *shard, struct ss_msg *msg)
{
    struct ss_msg_cut *cut = (struct ss_msg_cut *)(void *)msg;
    if (cut->over) {
        ss__store_uncut(shard->store);
        ss__msg_free(msg);
        return;
    }
    SS_REQUIRE(shard->cut_wanted == NULL);
    shard->cut_wanted = cut;
}

void ss__cut_make(struct ss_shard *shard)
{
    if (shard->cut_wanted != NULL && !ss__store_flushing(shard->store)) {
        answer(shard, ss__store_cut(shard->store, &shard->cut_wanted->cut));
    }
}

bool ss__cut_defers(const struct ss_shard *shard)
{
    if (shard->phase == SS_SHARD_ENDED) {
        return false;
    }
    return shard->cut_wanted != NULL ||
           (!shard->flush_wanted && ss__store_flush_can_wait(shard->store));
}

void ss__cut_end(struct ss_shard *shard)
{
    if (shard->cut_wanted != NULL) {
        answer(shard, SS_E_STOPPING);
    }
}
