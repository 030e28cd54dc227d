/* The channel half of shard/session.h. */
#include <stdlib.h>
#include <string.h>

#include "shard/session.h"
#include "shard/live.h"
#include "shard/metadata.h"
#include "shard/paging.h"
#include "shard/shard_state.h"
#include "wire/encoding.h"

struct ss_channel *ss__channel_get(struct ss_shard *shard, struct ss_str id, uint64_t hash,
                                   bool create)
{
    struct ss_channel *channel = ss__map_get(&shard->channels, hash, id);
    if (channel != NULL || !create) {
        return channel;
    }
    channel = calloc(1, sizeof *channel + id.len);
    if (channel == NULL) {
        return NULL;
    }
    memcpy(channel->memory, id.data, id.len);
    channel->id = ss_str_of(channel->memory, id.len);
    channel->hash = hash;
    ss__list_init(&channel->tasks);
    ss__list_init(&channel->parked);
    ss__list_init(&channel->ready);
    ss__list_init(&channel->idle);
    if (ss__map_put(&shard->channels, hash, channel) != 0) {
        free(channel);
        return NULL;
    }
    ss__gauge_set(&ss__stats(shard)->sessions, shard->channels.count);
    return channel;
}

void ss__channel_release_later(struct ss_shard *shard, struct ss_channel *channel)
{
    if (ss__list_empty(&channel->idle)) {
        ss__list_push_back(&shard->idle, &channel->idle);
    }
}

void ss__channel_release(struct ss_shard *shard, struct ss_channel *channel)
{
    if (channel->state != NULL || channel->interests_count > 0 || channel->loading ||
        channel->rebuilding || channel->retrying || channel->data != NULL ||
        channel->tasks_count > 0 || channel->parked_count > 0 || channel->making ||
        ss__ring_lingers(channel->ring) || ss__paging_holds(shard, channel)) {
        return;
    }
    if (channel->batch == shard->batch) {
        ss__channel_release_later(shard, channel);
        return;
    }
    ss__list_remove(&channel->idle);
    ss__metadata_free(shard, channel);
    (void)ss__map_remove(&shard->channels, channel->hash, channel);
    ss__gauge_set(&ss__stats(shard)->sessions, shard->channels.count);
    ss__ring_free(channel->ring);
    free(channel->interests);
    free(channel);
}

static struct ss_interest *find_interest(struct ss_channel *channel, uint16_t gateway)
{
    for (uint32_t i = 0; i < channel->interests_count; i++) {
        if (channel->interests[i].gateway == gateway) {
            return &channel->interests[i];
        }
    }
    return NULL;
}

/* One that nobody followed, nor may come back to, has not got the frames since. */
static void forget_ring(struct ss_channel *channel)
{
    if (!ss__ring_lingers(channel->ring)) {
        ss__ring_free(channel->ring);
        channel->ring = NULL;
    }
}

int ss__channel_follow(struct ss_shard *shard, struct ss_channel *channel, uint16_t gateway,
                       struct ss_session_handle handle, uint8_t encoding)
{
    struct ss_interest *interest = find_interest(channel, gateway);
    if (interest == NULL) {
        size_t count = channel->interests_count + 1;
        struct ss_interest *grown = realloc(channel->interests, count * sizeof *grown);
        if (grown == NULL) {
            return SS_E_NOMEM;
        }
        channel->interests = grown;
        interest = &grown[channel->interests_count++];
        *interest = (struct ss_interest){ .handle = handle, .gateway = gateway };
        if (channel->interests_count == 1) {
            forget_ring(channel);
            ss__count(&ss__stats(shard)->followed, 1);
        }
        ss__ring_stay(channel->ring);
    }
    /* A newer generation means the gateway forgot the session in between. */
    if (interest->handle.slot != handle.slot || interest->handle.generation != handle.generation) {
        *interest = (struct ss_interest){ .handle = handle, .gateway = gateway };
    }
    interest->encodings |= (uint8_t)(1u << encoding);
    return 0;
}

struct ss_interest *ss__channel_interest(struct ss_channel *channel, uint16_t gateway,
                                         struct ss_session_handle handle)
{
    struct ss_interest *interest = find_interest(channel, gateway);
    return interest != NULL && interest->handle.slot == handle.slot &&
                   interest->handle.generation == handle.generation
               ? interest
               : NULL;
}

/* Of the connections that ended some come back to resume; V1 cannot. */
static void keep_ring(struct ss_shard *shard, struct ss_channel *channel, uint8_t encodings)
{
    encodings &= (uint8_t)~(1u << SS_ENCODING_V1_JSON);
    struct ss_cursor now;
    uint64_t run;
    if (encodings != 0 && channel->ring == NULL &&
        ss__session_cursor(shard, channel, &now, &run) == 0) {
        channel->ring = ss__ring_new(&shard->rings, (struct ss_place){ now.ordinal, now.live });
    }
    if (encodings == 0 || channel->ring == NULL) {
        ss__ring_free(channel->ring);
        channel->ring = NULL;
        return;
    }
    ss__ring_linger(channel->ring, channel, encodings, shard->now_ns + SS_RING_LINGER_NS);
    ss__channels_expire(shard);
}

void ss__channels_expire(struct ss_shard *shard)
{
    for (struct ss_channel *channel;
         (channel = ss__rings_expired(&shard->rings, shard->now_ns)) != NULL;) {
        ss__ring_free(channel->ring);
        channel->ring = NULL;
        ss__channel_release_later(shard, channel);
    }
}

void ss__channel_unfollow(struct ss_shard *shard, struct ss_channel *channel, uint16_t gateway,
                          struct ss_session_handle handle)
{
    struct ss_interest *interest = ss__channel_interest(channel, gateway, handle);
    if (interest == NULL) {
        return;
    }
    uint8_t encodings = interest->encodings;
    *interest = channel->interests[--channel->interests_count];
    if (channel->interests_count == 0) {
        free(channel->interests);
        channel->interests = NULL;
        keep_ring(shard, channel, encodings);
        ss__gauge_set(&ss__stats(shard)->followed,
                      atomic_load_explicit(&ss__stats(shard)->followed, memory_order_relaxed) - 1);
    }
}

void ss__channel_resync(struct ss_shard *shard, struct ss_channel *channel)
{
    ss__ring_free(channel->ring);
    channel->ring = NULL;
    for (uint32_t i = 0; i < channel->interests_count; i++) {
        struct ss_interest *interest = &channel->interests[i];
        ss__outbox_resync(&shard->outboxes[interest->gateway], &interest->mark, interest->handle);
    }
}

uint8_t ss__channel_encodings(const struct ss_channel *channel)
{
    uint8_t encodings = 0;
    for (uint32_t i = 0; i < channel->interests_count; i++) {
        encodings |= channel->interests[i].encodings;
    }
    return channel->ring == NULL ? encodings
                                 : (uint8_t)(encodings | channel->ring->linger_encodings);
}
