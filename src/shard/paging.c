#include "shard/paging.h"

#include "core/contract.h"
#include "shard/effect.h"
#include "shard/frozen.h"
#include "shard/live.h"
#include "shard/parked.h"
#include "shard/shard_state.h"
#include "shard/snapshot.h"

/* Sorted in one turn: some 200 microseconds. */
#define RUNS_OF_A_TURN 1

static struct ss_frozen *frozen_of(struct ss_request *request)
{
    return ss__container_of(request->pages, struct ss_frozen, source);
}

bool ss__paging_holds(const struct ss_shard *shard, const struct ss_channel *channel)
{
    for (struct ss_list *link = shard->frozen.next; link != &shard->frozen; link = link->next) {
        if (ss__container_of(link, struct ss_frozen, link)->channel == channel) {
            return true;
        }
    }
    return false;
}

/* As a cached snapshot, it may be a little older if the frames after it are all there. */
static bool would_do(const struct ss_shard *shard, const struct ss_channel *channel,
                     const struct ss_frozen *frozen)
{
    if (!ss__frozen_holds(frozen, channel) || frozen->head.running != channel->running) {
        return false;
    }
    struct ss_place now = ss__state_place(channel->state);
    uint32_t count;
    return (frozen->at.ordinal == now.ordinal && frozen->at.live == now.live) ||
           (channel->ring != NULL && shard->now_ns - frozen->made_ns < SS_SNAPSHOT_REUSE_NS &&
            ss__ring_reaches(channel->ring, frozen->at, frozen->encoding, &count));
}

static struct ss_frozen *find(const struct ss_shard *shard, const struct ss_channel *channel,
                              const struct ss_request *request)
{
    for (struct ss_list *link = shard->frozen.next; link != &shard->frozen; link = link->next) {
        struct ss_frozen *frozen = ss__container_of(link, struct ss_frozen, link);
        if (frozen->channel == channel && frozen->encoding == request->encoding &&
            frozen->page_bytes == request->page_bytes && !frozen->head.delta &&
            would_do(shard, channel, frozen)) {
            return frozen;
        }
    }
    return NULL;
}

static int get_frozen(struct ss_shard *shard, struct ss_channel *channel, const uint64_t *since,
                      const struct ss_request *request, struct ss_frozen **ret_frozen)
{
    struct ss_frozen *found = since == NULL ? find(shard, channel, request) : NULL;
    if (found == NULL) {
        int err = ss__frozen_new(shard, channel, since, request->encoding, request->page_bytes,
                                 ret_frozen);
        ss__count(&ss__stats(shard)->snapshots[request->encoding], err == 0);
        return err;
    }
    ss__count(&ss__stats(shard)->snapshot_hits, 1);
    *ret_frozen = ss__frozen_ref(found);
    return 0;
}

int ss__paging_attach(struct ss_shard *shard, struct ss_channel *channel, struct ss_frozen *frozen,
                      struct ss_request *request)
{
    int err = ss__channel_follow(shard, channel, request->connection.gateway, request->handle,
                                 request->encoding);
    if (err != 0) {
        return err;
    }
    if (frozen->readers++ == 0) {
        ss__list_push_back(&shard->frozen, &ss__frozen_ref(frozen)->link);
    }
    request->resyncs = ss__channel_interest(channel, request->connection.gateway, request->handle)
                           ->mark.resyncs;
    request->pages = &ss__frozen_ref(frozen)->source;
    request->page = 0;
    request->ordinal = frozen->at.ordinal;
    request->live = frozen->at.live;
    request->place = frozen->head.place;
    request->running = frozen->head.running;
    return 0;
}

int ss__paging_start(struct ss_shard *shard, struct ss_channel *channel, const uint64_t *since,
                     struct ss_request *request)
{
    uint64_t begin_ns = ss__clock_monotonic_ns(shard->options.clock);
    struct ss_frozen *frozen;
    int err = get_frozen(shard, channel, since, request, &frozen);
    shard->handler_ns += ss__clock_monotonic_ns(shard->options.clock) - begin_ns;
    if (err != 0) {
        return err;
    }
    err = ss__paging_attach(shard, channel, frozen, request);
    ss__frozen_unref(frozen);
    if (err != 0) {
        return err;
    }
    struct ss_effect *effect = ss__effect_add(shard, SS_EFFECT_PAGES);
    if (effect == NULL) {
        ss__paging_end(shard, request);
        return SS_E_NOMEM;
    }
    effect->channel = channel;
    effect->request = request;
    return 0;
}

void ss__paging_begin(struct ss_shard *shard, struct ss_channel *channel,
                      struct ss_request *request)
{
    if (channel->ring == NULL) {
        channel->ring = ss__ring_new(&shard->rings, frozen_of(request)->at);
    }
    if (channel->ring == NULL) {
        ss__request_fail(request, SS_E_NOMEM, "the snapshot cannot be made");
        ss__answer_now(shard, request);
        return;
    }
    ss__park(shard, channel, request);
}

static int next_page(struct ss_shard *shard, struct ss_request *request)
{
    struct ss_frozen *frozen = frozen_of(request);
    struct ss_buf *buf;
    int more =
        ss__frozen_page(shard, frozen, request->page + 1, &buf, &request->snapshot_shared);
    if (more < 0) {
        return more;
    }
    ss__buf_unref(request->snapshot);
    request->snapshot = buf;
    request->page++;
    request->more = more > 0;
    return 0;
}

/* Where the frames after the last page lead; unknown, it is where the pages are, as a client may
 * come back from there. */
static void find_end(struct ss_shard *shard, const struct ss_channel *channel,
                     struct ss_request *request)
{
    struct ss_cursor now;
    uint64_t run;
    bool known = ss__session_cursor(shard, channel, &now, &run) == 0;
    request->place = known ? now : frozen_of(request)->head.place;
    request->running = channel->running;
}

void ss__paging_answer(struct ss_shard *shard, struct ss_channel *channel,
                       struct ss_request *request)
{
    struct ss_effect *effect = ss__effect_add(shard, SS_EFFECT_SUBSCRIBED);
    if (effect == NULL) {
        ss__request_fail(request, SS_E_NOMEM, "the subscribe cannot be answered");
        ss__effect_answer(shard, request);
        return;
    }
    find_end(shard, channel, request);
    effect->channel = channel;
    effect->request = request;
}

static bool has_other_epoch(struct ss_request *request, const struct ss_cursor *now)
{
    uint64_t epoch = frozen_of(request)->head.place.epoch;
    return epoch != 0 && epoch != now->epoch;
}

/* The session was deleted, or its entities were made anew: nobody wants the rest. */
static bool is_over(struct ss_shard *shard, const struct ss_channel *channel,
                    struct ss_request *request)
{
    struct ss_cursor now;
    uint64_t run;
    return ss__session_cursor(shard, channel, &now, &run) == 0 && has_other_epoch(request, &now);
}

/* As if it had just come: page 1 of what is there now ends what the client has so far. */
static void begin_anew(struct ss_shard *shard, struct ss_channel *channel,
                       struct ss_request *request)
{
    ss__paging_end(shard, request);
    request->page = 0;
    request->out_of_reach = true;
    ss__park(shard, channel, request);
}

void ss__paging_turn(struct ss_shard *shard, struct ss_channel *channel,
                     struct ss_request *request)
{
    if (!request->withdrawn && is_over(shard, channel, request)) {
        begin_anew(shard, channel, request);
        return;
    }
    if (request->withdrawn) {
        ss__request_fail(request, SS_E_CANCELED, NULL);
        ss__effect_answer(shard, request);
        return;
    }
    uint64_t begin_ns = ss__clock_monotonic_ns(shard->options.clock);
    bool sorted = ss__frozen_sort(frozen_of(request), RUNS_OF_A_TURN);
    int err = sorted ? next_page(shard, request) : 0;
    shard->handler_ns += ss__clock_monotonic_ns(shard->options.clock) - begin_ns;
    if (err != 0) {
        ss__request_fail(request, err, "a page of the snapshot cannot be made");
        ss__effect_answer(shard, request);
    } else if (!sorted) {
        ss__park(shard, channel, request);
    } else if (request->more) {
        ss__effect_answer(shard, request);
    } else {
        ss__paging_answer(shard, channel, request);
    }
}

bool ss__paging_is_outdated(struct ss_shard *shard, const struct ss_channel *channel,
                            const struct ss_interest *interest, struct ss_request *request)
{
    struct ss_cursor now;
    uint64_t run;
    const struct ss_cursor *place = &frozen_of(request)->head.place;
    if (channel->ring == NULL || interest->mark.resyncs != request->resyncs ||
        ss__session_cursor(shard, channel, &now, &run) != 0) {
        return true;
    }
    return has_other_epoch(request, &now) ||
           (place->run != 0 && place->run != run);
}

void ss__paging_end(struct ss_shard *shard, struct ss_request *request)
{
    if (request->pages == NULL) {
        return;
    }
    struct ss_frozen *frozen = frozen_of(request);
    request->pages = NULL;
    request->more = false;
    if (--frozen->readers == 0) {
        ss__list_remove(&frozen->link);
        ss__channel_release_later(shard, frozen->channel);
        ss__frozen_unref(frozen);
    }
    ss__frozen_unref(frozen);
}

void ss__paging_drop(struct ss_shard *shard)
{
    while (!ss__list_empty(&shard->frozen)) {
        struct ss_frozen *frozen =
            ss__container_of(shard->frozen.next, struct ss_frozen, link);
        ss__list_remove(&frozen->link);
        ss__frozen_unref(frozen);
    }
}
