#include "shard/snapshot.h"

#include <stdlib.h>
#include <string.h>

#include <sessionstream/limits.h>

#include "core/log.h"
#include "shard/live.h"
#include "shard/overlay.h"
#include "shard/shard_state.h"
#include "wire/server_frame.h"

static int compare_str(struct ss_str a, struct ss_str b)
{
    int order = memcmp(a.data, b.data, a.len < b.len ? a.len : b.len);
    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

/* The contract's order: created, last, kind, id. */
static int compare_entities(const void *left, const void *right)
{
    const struct ss_snapshot_entity *a = left;
    const struct ss_snapshot_entity *b = right;
    if (a->created_ordinal != b->created_ordinal) {
        return a->created_ordinal < b->created_ordinal ? -1 : 1;
    }
    if (a->last_ordinal != b->last_ordinal) {
        return a->last_ordinal < b->last_ordinal ? -1 : 1;
    }
    int order = compare_str(a->kind, b->kind);
    return order != 0 ? order : compare_str(a->id, b->id);
}

/* Fills @frame from the state; the list is the caller's to free. @since: of a delta, which has what
 * changed after that event, removals included; NULL: everything that is there. */
static int collect(struct ss_shard *shard, const struct ss_channel *channel, const uint64_t *since,
                   struct ss_snapshot_frame *frame, struct ss_snapshot_entity **ret_list)
{
    const struct ss_state *state = channel->state;
    struct ss_snapshot_entity *list = malloc((state->entities.count + 1) * sizeof *list);
    if (list == NULL) {
        return SS_E_NOMEM;
    }
    int err = 0;
    size_t count = 0;
    size_t at = 0;
    for (struct ss_entity_slot *slot;
         err == 0 && (slot = ss__map_next(&state->entities, &at)) != NULL;) {
        if (since == NULL ? slot->payload == NULL
                          : slot->last_ordinal <= *since && !ss__overlay_has(state, slot)) {
            continue;
        }
        struct ss_snapshot_entity *entity = &list[count++];
        *entity = (struct ss_snapshot_entity){ .kind = slot->kind->name,
                                               .id = slot->id,
                                               .created_ordinal = slot->created_ordinal,
                                               .last_ordinal = slot->last_ordinal,
                                               .tombstone = slot->payload == NULL };
        if (slot->payload != NULL) {
            entity->type = slot->unreadable ? NULL : slot->kind->type;
            err = ss__overlay_payload(shard, state, slot, &entity->payload,
                                      &entity->appended_field, &entity->appended_bytes);
        }
    }
    if (err != 0) {
        free(list);
        return err;
    }
    qsort(list, count, sizeof *list, compare_entities);
    *frame = (struct ss_snapshot_frame){ .session_id = channel->id,
                                         .ordinal = state->timeline_ordinal,
                                         .place = ss__state_cursor(state),
                                         .delta = since != NULL,
                                         .running = channel->running,
                                         .entities = list,
                                         .count = count };
    *ret_list = list;
    return 0;
}

static void report_left_out(struct ss_shard *shard, const struct ss_channel *channel, size_t count)
{
    if (count > 0) {
        char id[SS_SESSION_ID_BYTES_MAX + 3];
        ss__log(SS_LOG_WARN, "entities have payloads that cannot be shown",
                "shard=%u session=%s entities=%zu", shard->options.index,
                ss__log_quote(id, sizeof id, channel->id), count);
    }
}

/* The cached one shows the session as it is. */
static bool is_of_now(const struct ss_channel *channel, const struct ss_snapshot_cache *cache)
{
    struct ss_place now = ss__state_place(channel->state);
    return cache->buf != NULL && cache->running == channel->running &&
           cache->ordinal == now.ordinal && cache->live == now.live;
}

static bool reusable(struct ss_shard *shard, const struct ss_channel *channel, uint8_t encoding)
{
    const struct ss_snapshot_cache *cache = &channel->state->snapshots[encoding];
    if (cache->buf == NULL || cache->running != channel->running) {
        return false;
    }
    if (is_of_now(channel, cache)) {
        return true;
    }
    /* Frames of this batch reach the ring before the answer does; they count as reachable only if
     * this encoding was wanted when they were made. */
    uint32_t count;
    return channel->ring != NULL &&
           (ss__channel_encodings(channel) & (1u << encoding)) != 0 &&
           shard->now_ns - cache->made_ns < SS_SNAPSHOT_REUSE_NS &&
           ss__ring_reaches(channel->ring, (struct ss_place){ cache->ordinal, cache->live },
                            encoding, &count);
}

/* Gives the request what is in the cache; @shared: its bytes are counted elsewhere. */
static void hand_out(struct ss_request *request, const struct ss_snapshot_cache *cache,
                     bool shared)
{
    ss__buf_unref(request->snapshot);
    request->snapshot = ss__buf_ref(cache->buf);
    request->snapshot_shared = shared;
    request->ordinal = cache->ordinal;
    request->live = cache->live;
}

static struct ss_buf *encode_document(struct ss_shard *shard,
                                      const struct ss_snapshot_frame *frame,
                                      size_t *ret_left_out)
{
    ss__bytes_clear(&shard->scratch);
    int err = ss__snapshot_json(shard->options.transport, frame, &shard->scratch, ret_left_out);
    return err != 0 || shard->scratch.err != 0
               ? NULL
               : ss__buf_copy(shard->scratch.data, shard->scratch.len);
}

/* Encodes the state into @cache. The time counts towards the batch's, as that of handlers does. */
static int renew(struct ss_shard *shard, const struct ss_channel *channel, bool document,
                 uint8_t encoding, struct ss_snapshot_cache *cache)
{
    uint64_t begin_ns = ss__clock_monotonic_ns(shard->options.clock);
    struct ss_snapshot_frame frame;
    struct ss_snapshot_entity *list;
    size_t left_out = 0;
    int err = collect(shard, channel, NULL, &frame, &list);
    if (err != 0) {
        return err;
    }
    struct ss_buf *buf =
        document ? encode_document(shard, &frame, &left_out)
                 : ss__frame_snapshot(shard->options.transport, (enum ss_encoding)encoding,
                                      &frame, &shard->scratch, &left_out);
    free(list);
    shard->handler_ns += ss__clock_monotonic_ns(shard->options.clock) - begin_ns;
    if (buf == NULL) {
        return SS_E_NOMEM;
    }
    report_left_out(shard, channel, left_out);
    ss__count(&ss__stats(shard)->snapshots[document ? SS_STATS_DOCUMENT : encoding], 1);
    struct ss_place now = ss__state_place(channel->state);
    ss__state_keep_snapshot(shard, channel->state, cache, buf, now.ordinal);
    cache->live = (uint32_t)now.live;
    cache->running = frame.running;
    return 0;
}

static int answer(struct ss_shard *shard, const struct ss_channel *channel, bool document,
                  bool reuse, struct ss_snapshot_cache *cache, struct ss_request *request)
{
    if (reuse) {
        ss__count(&ss__stats(shard)->snapshot_hits, 1);
    } else {
        int err = renew(shard, channel, document, request->encoding, cache);
        if (err != 0) {
            return err;
        }
    }
    hand_out(request, cache, reuse);
    return 0;
}

int ss__snapshot_answer(struct ss_shard *shard, struct ss_channel *channel,
                        struct ss_request *request)
{
    request->place = ss__state_cursor(channel->state);
    request->running = channel->running;
    return answer(shard, channel, false, reusable(shard, channel, request->encoding),
                  &channel->state->snapshots[request->encoding], request);
}

bool ss__snapshot_has_delta(const struct ss_channel *channel, const struct ss_request *request)
{
    return request->delta && request->reason == SS_RESUME_TOO_OLD &&
           request->resume.ordinal >= channel->state->tombstones_after;
}

int ss__snapshot_delta(struct ss_shard *shard, struct ss_channel *channel,
                       struct ss_request *request)
{
    uint64_t begin_ns = ss__clock_monotonic_ns(shard->options.clock);
    struct ss_snapshot_frame frame;
    struct ss_snapshot_entity *list;
    size_t left_out = 0;
    int err = collect(shard, channel, &request->resume.ordinal, &frame, &list);
    if (err != 0) {
        return err;
    }
    ss__buf_unref(request->snapshot);
    request->snapshot = ss__frame_snapshot(shard->options.transport,
                                           (enum ss_encoding)request->encoding, &frame,
                                           &shard->scratch, &left_out);
    free(list);
    shard->handler_ns += ss__clock_monotonic_ns(shard->options.clock) - begin_ns;
    if (request->snapshot == NULL) {
        return SS_E_NOMEM;
    }
    report_left_out(shard, channel, left_out);
    ss__count(&ss__stats(shard)->snapshots[request->encoding], 1);
    struct ss_place now = ss__state_place(channel->state);
    request->snapshot_shared = false;
    request->ordinal = now.ordinal;
    request->live = now.live;
    request->place = frame.place;
    request->running = frame.running;
    return 0;
}

int ss__snapshot_document(struct ss_shard *shard, struct ss_channel *channel,
                          struct ss_request *request)
{
    struct ss_snapshot_cache *cache = &channel->state->document;
    return answer(shard, channel, true, is_of_now(channel, cache), cache, request);
}
