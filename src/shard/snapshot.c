#include "shard/snapshot.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sessionstream/limits.h>

#include "core/fault.h"
#include "core/log.h"
#include "shard/live.h"
#include "shard/overlay.h"
#include "shard/shard_state.h"
#include "shard/state_slots.h"
#include "wire/server_frame.h"

static int compare_str(struct ss_str a, struct ss_str b)
{
    int order = memcmp(a.data, b.data, a.len < b.len ? a.len : b.len);
    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

int ss__snapshot_compare(const void *left, const void *right)
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

int ss__snapshot_entity(struct ss_shard *shard, const struct ss_state *state,
                        const struct ss_entity_slot *slot, const uint64_t *since,
                        struct ss_snapshot_entity *entity)
{
    bool shown = since == NULL ? slot->payload != NULL
                               : slot->last_ordinal > *since || ss__overlay_has(state, slot);
    if (!shown) {
        return 0;
    }
    *entity = (struct ss_snapshot_entity){ .kind = slot->kind->name,
                                           .id = slot->id,
                                           .created_ordinal = slot->created_ordinal,
                                           .last_ordinal = slot->last_ordinal,
                                           .tombstone = slot->payload == NULL };
    if (slot->payload == NULL) {
        return 1;
    }
    entity->type = slot->unreadable ? NULL : slot->kind->type;
    int err = ss__overlay_payload(shard, state, slot, &entity->payload, &entity->appended_field,
                                  &entity->appended_bytes);
    return err != 0 ? err : 1;
}

struct ss_snapshot_frame ss__snapshot_head(const struct ss_channel *channel, bool delta)
{
    return (struct ss_snapshot_frame){ .session_id = channel->id,
                                       .ordinal = channel->state->timeline_ordinal,
                                       .place = ss__state_cursor(channel->state),
                                       .delta = delta,
                                       .running = channel->running };
}

/* Fills @frame from the state; the list is the caller's to free. @since: of a delta, which has what
 * changed after that event, removals included; NULL: everything that is there. SS_E_SNAPSHOT_SIZE:
 * the payloads alone have more than @bytes_max. */
static int collect(struct ss_shard *shard, const struct ss_channel *channel, const uint64_t *since,
                   size_t bytes_max, struct ss_snapshot_frame *frame,
                   struct ss_snapshot_entity **ret_list)
{
    const struct ss_state *state = channel->state;
    struct ss_snapshot_entity *list = malloc((state->entities.count + 1) * sizeof *list);
    if (list == NULL) {
        return SS_E_NOMEM;
    }
    int err = 0;
    size_t count = 0;
    size_t bytes = 0;
    size_t at = 0;
    for (struct ss_entity_slot *slot;
         err == 0 && (slot = ss__map_next(&state->entities, &at)) != NULL;) {
        int shown = ss__snapshot_entity(shard, state, slot, since, &list[count]);
        bytes += shown > 0 ? list[count].payload.len : 0;
        count += shown > 0;
        err = shown < 0 ? shown : bytes > bytes_max ? SS_E_SNAPSHOT_SIZE : 0;
    }
    if (err != 0) {
        free(list);
        return err;
    }
    qsort(list, count, sizeof *list, ss__snapshot_compare);
    *frame = ss__snapshot_head(channel, since != NULL);
    frame->entities = list;
    frame->count = count;
    *ret_list = list;
    return 0;
}

void ss__snapshot_report(struct ss_shard *shard, const struct ss_channel *channel, size_t left_out)
{
    if (left_out > 0) {
        char id[SS_SESSION_ID_BYTES_MAX + 3];
        ss__log(SS_LOG_WARN, "entities have payloads that cannot be shown",
                "shard=%u session=%s entities=%zu", shard->options.index,
                ss__log_quote(id, sizeof id, channel->id), left_out);
    }
}

void ss__snapshot_fail(struct ss_shard *shard, const struct ss_channel *channel,
                       struct ss_request *request, int err)
{
    char text[320];
    char size[64] = "";
    if (err != SS_E_SNAPSHOT_SIZE) {
        ss__request_fail(request, err,
                         err == SS_E_BUSY ? "too many large snapshots are being made or sent"
                                          : "the snapshot cannot be made");
        return;
    }
    if (channel->state != NULL) {    /* it may have left while a job made the snapshot */
        (void)snprintf(size, sizeof size, " of %u entities, %zu bytes in memory,",
                       channel->state->live_count, channel->state->bytes);
    }
    (void)snprintf(text, sizeof text,
                   "the snapshot%s does not fit into one frame of at most %u bytes "
                   "(--snapshot-frame): subscribe with pageBytes, on a websocket of "
                   "sessionstream.v2.json or sessionstream.v2.protobuf, to get it in pages",
                   size, shard->options.snapshot_frame_bytes);
    ss__request_fail(request, err, text);
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

static int encode_document(const struct ss_transport *transport,
                           const struct ss_snapshot_frame *frame, size_t bytes_max,
                           struct ss_bytes *scratch, struct ss_buf **ret_buf,
                           size_t *ret_left_out)
{
    ss__bytes_clear(scratch);
    int err = ss__snapshot_json(transport, frame, bytes_max, scratch, ret_left_out);
    if (err == 0) {
        *ret_buf = ss__buf_copy(scratch->data, scratch->len);
        err = *ret_buf == NULL ? SS_E_NOMEM : 0;
    }
    return err == SS_E_TOOBIG ? SS_E_SNAPSHOT_SIZE : err;
}

int ss__snapshot_encode(const struct ss_transport *transport,
                        const struct ss_snapshot_frame *frame, unsigned encoding, size_t bytes_max,
                        struct ss_bytes *scratch, struct ss_buf **ret_buf, size_t *ret_left_out)
{
    if (encoding == SS_STATS_DOCUMENT) {
        return encode_document(transport, frame, bytes_max, scratch, ret_buf, ret_left_out);
    }
    size_t count;
    struct ss_buf *buf = ss__frame_snapshot_page(transport, (enum ss_encoding)encoding, frame,
                                                 bytes_max, scratch, &count, ret_left_out);
    if (buf == NULL) {
        return SS_E_NOMEM;
    }
    if (count < frame->count || buf->len > bytes_max) {
        ss__buf_unref(buf);
        return SS_E_SNAPSHOT_SIZE;
    }
    *ret_buf = buf;
    return 0;
}

/* The state, or what changed @since, as one buffer. The time counts towards the batch's, as that of
 * handlers does. */
static int encode(struct ss_shard *shard, const struct ss_channel *channel, const uint64_t *since,
                  unsigned encoding, size_t bytes_max, struct ss_buf **ret_buf)
{
    uint64_t begin_ns = ss__clock_monotonic_ns(shard->options.clock);
    struct ss_snapshot_frame frame;
    struct ss_snapshot_entity *list;
    size_t left_out = 0;
    int err = SS_FAULT("shard.snapshot");
    if (err == 0) {
        err = collect(shard, channel, since, bytes_max, &frame, &list);
    }
    if (err == 0) {
        err = ss__snapshot_encode(shard->options.transport, &frame, encoding, bytes_max,
                                  &shard->scratch, ret_buf, &left_out);
        free(list);
    }
    shard->handler_ns += ss__clock_monotonic_ns(shard->options.clock) - begin_ns;
    if (err == 0) {
        ss__snapshot_report(shard, channel, left_out);
        ss__count(&ss__stats(shard)->snapshots[encoding], 1);
    }
    return err;
}

static struct ss_snapshot_cache *cache_of(const struct ss_channel *channel, unsigned encoding)
{
    struct ss_state *state = channel->state;
    return encoding == SS_STATS_DOCUMENT ? &state->document : &state->snapshots[encoding];
}

bool ss__snapshot_cached(struct ss_shard *shard, const struct ss_channel *channel,
                         unsigned encoding)
{
    return encoding == SS_STATS_DOCUMENT ? is_of_now(channel, cache_of(channel, encoding))
                                         : reusable(shard, channel, (uint8_t)encoding);
}

static void put(struct ss_shard *shard, struct ss_channel *channel,
                struct ss_snapshot_cache *cache, struct ss_place at, bool running,
                struct ss_buf *buf)
{
    ss__state_keep_snapshot(shard, channel->state, cache, buf, at.ordinal);
    cache->live = (uint32_t)at.live;
    cache->running = running;
}

void ss__snapshot_keep(struct ss_shard *shard, struct ss_channel *channel, unsigned encoding,
                       struct ss_place at, bool running, struct ss_buf *buf)
{
    struct ss_snapshot_cache *cache = cache_of(channel, encoding);
    struct ss_place there = { cache->ordinal, cache->live };
    if (cache->buf == NULL || !ss__place_is_after(there, at)) {
        put(shard, channel, cache, at, running, ss__buf_ref(buf));
    }
}

static int answer(struct ss_shard *shard, struct ss_channel *channel, unsigned encoding,
                  struct ss_request *request)
{
    struct ss_snapshot_cache *cache = cache_of(channel, encoding);
    bool reuse = ss__snapshot_cached(shard, channel, encoding);
    size_t bytes_max =
        request->page_bytes != 0 ? request->page_bytes : shard->options.snapshot_frame_bytes;
    if (reuse && cache->buf->len > bytes_max) {
        return SS_E_SNAPSHOT_SIZE;
    }
    if (reuse) {
        ss__count(&ss__stats(shard)->snapshot_hits, 1);
    } else {
        struct ss_buf *buf;
        int err = encode(shard, channel, NULL, encoding, bytes_max, &buf);
        if (err != 0) {
            return err;
        }
        put(shard, channel, cache, ss__state_place(channel->state), channel->running, buf);
    }
    hand_out(request, cache, reuse);
    return 0;
}

int ss__snapshot_answer(struct ss_shard *shard, struct ss_channel *channel,
                        struct ss_request *request)
{
    request->place = ss__state_cursor(channel->state);
    request->running = channel->running;
    return answer(shard, channel, request->encoding, request);
}

size_t ss__snapshot_delta_bytes(const struct ss_channel *channel, uint64_t since)
{
    size_t bytes = 0;
    size_t at = 0;
    for (const struct ss_entity_slot *slot;
         (slot = ss__map_next(&channel->state->entities, &at)) != NULL;) {
        bytes += slot->last_ordinal > since && slot->payload != NULL ? slot->payload->len : 0;
    }
    return bytes;
}

bool ss__snapshot_has_delta(const struct ss_channel *channel, const struct ss_request *request)
{
    return request->delta && request->reason == SS_RESUME_TOO_OLD &&
           request->resume.ordinal >= channel->state->tombstones_after;
}

int ss__snapshot_delta(struct ss_shard *shard, struct ss_channel *channel,
                       struct ss_request *request)
{
    size_t bytes_max =
        request->page_bytes != 0 ? request->page_bytes : shard->options.snapshot_frame_bytes;
    struct ss_buf *buf;
    int err = encode(shard, channel, &request->resume.ordinal, request->encoding, bytes_max, &buf);
    if (err != 0) {
        return err;
    }
    struct ss_place now = ss__state_place(channel->state);
    ss__buf_unref(request->snapshot);
    request->snapshot = buf;
    request->snapshot_shared = false;
    request->ordinal = now.ordinal;
    request->live = now.live;
    request->place = ss__state_cursor(channel->state);
    request->running = channel->running;
    return 0;
}

int ss__snapshot_document(struct ss_shard *shard, struct ss_channel *channel,
                          struct ss_request *request)
{
    return answer(shard, channel, SS_STATS_DOCUMENT, request);
}

/* Keeps what it is made of for the rest of the batch, in which the state may leave. */
static int make_view_entity(struct ss_shard *shard, struct ss_state *state,
                            const struct ss_snapshot_entity *entity, struct ss_entity *ret_entity)
{
    const struct ss_name *kind =
        ss__registry_find(shard->options.registry, SS_SPACE_ENTITY, entity->kind);
    const struct ss_entity_slot *slot = ss__state_peek(state, kind, entity->id);
    *ret_entity = (struct ss_entity){ .kind = entity->kind,
                                      .id = ss__arena_str(&shard->arena, entity->id),
                                      .created_ordinal = entity->created_ordinal,
                                      .last_ordinal = entity->last_ordinal };
    if (entity->type != NULL) {
        struct ss_retired *place = ss__arena_alloc(&shard->arena, sizeof *place);
        if (place == NULL) {
            return SS_E_NOMEM;
        }
        ret_entity->packed = entity->payload;    /* else nobody here can read it */
        ss__shard_retire(shard, place, ss__buf_ref(slot->payload));
    }
    return ret_entity->id.data == NULL ? SS_E_NOMEM : 0;
}

static int make_view(struct ss_shard *shard, const struct ss_channel *channel,
                     struct ss_request *request)
{
    struct ss_snapshot_frame frame;
    struct ss_snapshot_entity *list;
    int err = collect(shard, channel, NULL, SIZE_MAX, &frame, &list);
    if (err != 0) {
        return err;
    }
    struct ss_snapshot *view = ss__arena_alloc(&shard->arena, sizeof *view);
    struct ss_entity *entities =
        ss__arena_alloc(&shard->arena, (frame.count + 1) * sizeof *entities);
    err = view == NULL || entities == NULL ? SS_E_NOMEM : 0;
    for (size_t i = 0; i < frame.count && err == 0; i++) {
        err = make_view_entity(shard, channel->state, &list[i], &entities[i]);
    }
    free(list);
    if (err != 0) {
        return err;
    }
    *view = (struct ss_snapshot){ .session_id = channel->id, .ordinal = frame.ordinal,
                                  .entities = entities, .count = frame.count };
    request->view = view;
    request->ordinal = frame.ordinal;
    return 0;
}

int ss__snapshot_show(struct ss_shard *shard, struct ss_channel *channel,
                      struct ss_request *request)
{
    return request->snapshot_done != NULL ? make_view(shard, channel, request)
                                          : ss__snapshot_document(shard, channel, request);
}
