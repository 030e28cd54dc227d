#include "shard/parked.h"

#include "core/contract.h"
#include "shard/shard_state.h"

void ss__parked_settle(struct ss_shard *shard, struct ss_channel *channel)
{
    bool ready = channel->parked_count > 0 && !channel->loading;
    if (!ready) {
        ss__list_remove(&channel->ready);
    } else if (ss__list_empty(&channel->ready)) {
        ss__list_push_back(&shard->ready, &channel->ready);
    }
}

static void count(struct ss_shard *shard, struct ss_channel *channel, struct ss_request *request)
{
    channel->parked_count++;
    ss__inbox_charge(shard->inbox, &request->base.node);
    ss__parked_settle(shard, channel);
}

void ss__park(struct ss_shard *shard, struct ss_channel *channel, struct ss_request *request)
{
    ss__list_push_back(&channel->parked, &request->link);
    count(shard, channel, request);
}

void ss__park_first(struct ss_shard *shard, struct ss_channel *channel,
                    struct ss_request *request)
{
    ss__list_push_front(&channel->parked, &request->link);
    count(shard, channel, request);
}

struct ss_request *ss__unpark(struct ss_shard *shard, struct ss_channel *channel)
{
    if (channel->parked_count == 0 || channel->loading) {
        return NULL;
    }
    struct ss_list *link = channel->parked.next;
    struct ss_request *request = ss__container_of(link, struct ss_request, link);
    ss__list_remove(link);
    channel->parked_count--;
    ss__inbox_discharge(shard->inbox, &request->base.node);
    return request;
}

struct ss_channel *ss__parked_turn(struct ss_shard *shard)
{
    if (ss__list_empty(&shard->ready)) {
        return NULL;
    }
    struct ss_list *link = shard->ready.next;
    ss__list_remove(link);
    return ss__container_of(link, struct ss_channel, ready);
}
