#include "shard/frozen.h"

#include <stdlib.h>

#include <sessionstream/limits.h>

#include "core/contract.h"
#include "core/fault.h"
#include "shard/live.h"
#include "shard/shard_state.h"
#include "shard/snapshot.h"

#define RUN 1024u
#define ARENA_CHUNK_BYTES (64u << 10)

/* ---- life ---- */

static void release(struct ss_frozen *frozen)
{
    for (uint32_t i = 0; i < frozen->count; i++) {
        ss__buf_unref(frozen->payloads[i]);
    }
    for (uint32_t i = 0; i < frozen->pages_count; i++) {
        ss__buf_unref(frozen->pages[i].buf);
    }
    (void)atomic_fetch_sub_explicit(frozen->gauge, frozen->bytes, memory_order_relaxed);
    ss__arena_deinit(&frozen->arena);
    free(frozen->entities);
    free(frozen->payloads);
    free(frozen->order);
    free(frozen->heap);
    free(frozen->pages);
    free(frozen);
}

struct ss_frozen *ss__frozen_ref(struct ss_frozen *frozen)
{
    (void)atomic_fetch_add_explicit(&frozen->refs, 1, memory_order_relaxed);
    return frozen;
}

void ss__frozen_unref(struct ss_frozen *frozen)
{
    if (atomic_fetch_sub_explicit(&frozen->refs, 1, memory_order_acq_rel) == 1) {
        release(frozen);
    }
}

static void unref_source(struct ss_page_source *source)
{
    ss__frozen_unref(ss__container_of(source, struct ss_frozen, source));
}

static void account(struct ss_frozen *frozen, uint64_t bytes)
{
    frozen->bytes += bytes;
    (void)atomic_fetch_add_explicit(frozen->gauge, bytes, memory_order_relaxed);
}

/* ---- taking ---- */

static int add(struct ss_frozen *frozen, const struct ss_entity_slot *slot)
{
    struct ss_snapshot_entity *entity = &frozen->entities[frozen->count];
    bool shared = slot->payload != NULL && entity->appended_bytes == 0;
    entity->id = ss__arena_str(&frozen->arena, entity->id);
    if (slot->payload != NULL && !shared) {
        entity->payload = ss__arena_str(&frozen->arena, entity->payload);
    }
    if (entity->id.data == NULL || (slot->payload != NULL && entity->payload.data == NULL)) {
        return SS_E_NOMEM;
    }
    frozen->payloads[frozen->count++] = shared ? ss__buf_ref(slot->payload) : NULL;
    return 0;
}

static int take(struct ss_shard *shard, struct ss_frozen *frozen, const struct ss_state *state,
                const uint64_t *since)
{
    size_t room = state->entities.count + 1;
    frozen->entities = malloc(room * sizeof *frozen->entities);
    frozen->payloads = malloc(room * sizeof *frozen->payloads);
    frozen->order = malloc(room * sizeof *frozen->order);
    frozen->heap = malloc((room / RUN + 1) * sizeof *frozen->heap);
    if (frozen->entities == NULL || frozen->payloads == NULL || frozen->order == NULL ||
        frozen->heap == NULL) {
        return SS_E_NOMEM;
    }
    size_t at = 0;
    for (struct ss_entity_slot *slot; (slot = ss__map_next(&state->entities, &at)) != NULL;) {
        struct ss_snapshot_entity *entity = &frozen->entities[frozen->count];
        int shown = ss__snapshot_entity(shard, state, slot, since, entity);
        int err = shown <= 0 ? shown : add(frozen, slot);
        if (err != 0) {
            return err;
        }
        frozen->payload_bytes += shown > 0 ? entity->payload.len : 0;
    }
    frozen->head.session_id = ss__arena_str(&frozen->arena, frozen->head.session_id);
    account(frozen, frozen->payload_bytes + frozen->arena.total_bytes +
                        room * (sizeof *frozen->entities + sizeof *frozen->payloads +
                                sizeof *frozen->order));
    return frozen->head.session_id.data == NULL ? SS_E_NOMEM : 0;
}

int ss__frozen_new(struct ss_shard *shard, struct ss_channel *channel, const uint64_t *since,
                   uint8_t encoding, uint32_t page_bytes, struct ss_frozen **ret_frozen)
{
    atomic_uint_fast64_t *gauge = &ss__stats(shard)->frozen_bytes;
    uint64_t held = atomic_load_explicit(gauge, memory_order_relaxed);
    if (held > 0 && held + channel->state->bytes > SS_FROZEN_BYTES_MAX) {
        return SS_E_BUSY;
    }
    struct ss_frozen *frozen = calloc(1, sizeof *frozen);
    if (frozen == NULL) {
        return SS_E_NOMEM;
    }
    frozen->source.unref = unref_source;
    frozen->channel = channel;
    frozen->states = channel->states;
    frozen->encoding = encoding;
    frozen->page_bytes = page_bytes;
    frozen->made_ns = shard->now_ns;
    frozen->at = ss__state_place(channel->state);
    frozen->head = ss__snapshot_head(channel, since != NULL);
    frozen->gauge = gauge;
    ss__list_init(&frozen->link);
    ss__arena_init(&frozen->arena, ARENA_CHUNK_BYTES);
    atomic_init(&frozen->refs, 1);
    int err = take(shard, frozen, channel->state, since);
    if (err != 0) {
        ss__frozen_unref(frozen);
        return err;
    }
    *ret_frozen = frozen;
    return 0;
}

bool ss__frozen_holds(const struct ss_frozen *frozen, const struct ss_channel *channel)
{
    return channel->state != NULL && frozen->states == channel->states &&
           frozen->head.place.epoch == channel->state->epoch;
}

/* ---- order ---- */

static bool comes_before(const struct ss_frozen *frozen, uint32_t a, uint32_t b)
{
    return ss__snapshot_compare(&frozen->entities[a], &frozen->entities[b]) < 0;
}

static void sift_down(struct ss_frozen *frozen, uint32_t at)
{
    for (;;) {
        uint32_t least = at;
        for (uint32_t child = 2 * at + 1; child <= 2 * at + 2; child++) {
            if (child < frozen->heap_count &&
                comes_before(frozen, frozen->heap[child], frozen->heap[least])) {
                least = child;
            }
        }
        if (least == at) {
            return;
        }
        uint32_t entity = frozen->heap[at];
        frozen->heap[at] = frozen->heap[least];
        frozen->heap[least] = entity;
        at = least;
    }
}

static void make_heap(struct ss_frozen *frozen)
{
    for (uint32_t first = 0; first < frozen->count; first += RUN) {
        frozen->heap[frozen->heap_count++] = first;
    }
    for (uint32_t i = frozen->heap_count / 2; i > 0; i--) {
        sift_down(frozen, i - 1);
    }
}

void ss__frozen_order(struct ss_frozen *frozen)
{
    qsort(frozen->entities, frozen->count, sizeof *frozen->entities, ss__snapshot_compare);
}

bool ss__frozen_sort(struct ss_frozen *frozen, unsigned runs)
{
    for (; runs > 0 && frozen->sorted < frozen->count; runs--) {
        uint32_t left = frozen->count - frozen->sorted;
        uint32_t len = left < RUN ? left : RUN;
        qsort(&frozen->entities[frozen->sorted], len, sizeof *frozen->entities,
              ss__snapshot_compare);
        frozen->sorted += len;
        if (frozen->sorted == frozen->count) {
            make_heap(frozen);
        }
    }
    return frozen->sorted == frozen->count;
}

/* The first @count of the order are known afterwards. */
static void merge(struct ss_frozen *frozen, uint32_t count)
{
    while (frozen->merged < count) {
        uint32_t entity = frozen->heap[0];
        frozen->order[frozen->merged++] = entity;
        uint32_t next = entity + 1;
        if (next % RUN == 0 || next == frozen->count) {
            next = frozen->heap[--frozen->heap_count];
        }
        frozen->heap[0] = next;
        sift_down(frozen, 0);
    }
}

/* ---- pages ---- */

/* Encodes as much as fits from entity @first on. */
static struct ss_buf *encode(struct ss_shard *shard, struct ss_frozen *frozen, uint32_t page,
                             uint32_t first, size_t *ret_taken)
{
    uint32_t left = frozen->count - first;
    uint32_t count = left < SS_PAGE_ENTITIES_MAX ? left : SS_PAGE_ENTITIES_MAX;
    merge(frozen, first + count);
    struct ss_snapshot_entity *list =
        SS_FAULT("shard.page") != 0 ? NULL : malloc((count + 1) * sizeof *list);
    if (list == NULL) {
        return NULL;
    }
    for (uint32_t i = 0; i < count; i++) {
        list[i] = frozen->entities[frozen->order[first + i]];
    }
    struct ss_snapshot_frame frame = frozen->head;
    frame.entities = list;
    frame.count = count;
    frame.page = page;
    frame.last_page = count == left;
    size_t left_out;
    struct ss_buf *buf = ss__frame_snapshot_page(shard->options.transport,
                                                 (enum ss_encoding)frozen->encoding, &frame,
                                                 frozen->page_bytes, &shard->scratch, ret_taken,
                                                 &left_out);
    free(list);
    if (buf != NULL) {
        ss__snapshot_report(shard, frozen->channel, left_out);
        ss__count(&ss__stats(shard)->pages[frozen->encoding], 1);
    }
    return buf;
}

static bool has_room(const struct ss_frozen *frozen, const struct ss_buf *buf)
{
    return frozen->kept_bytes + buf->len <= SS_PAGES_KEPT_BYTES &&
           atomic_load_explicit(frozen->gauge, memory_order_relaxed) + buf->len <=
               SS_FROZEN_BYTES_MAX;
}

/* One more page than before: where it begins, and where it ends. */
static int add_page(struct ss_frozen *frozen, size_t taken)
{
    struct ss_frozen_page *pages =
        realloc(frozen->pages, (frozen->pages_count + 1) * sizeof *pages);
    if (pages == NULL) {
        return SS_E_NOMEM;
    }
    frozen->pages = pages;
    pages[frozen->pages_count++] = (struct ss_frozen_page){ .first = frozen->next };
    frozen->next += (uint32_t)taken;
    return 0;
}

int ss__frozen_page(struct ss_shard *shard, struct ss_frozen *frozen, uint32_t page,
                    struct ss_buf **ret_buf, bool *ret_kept)
{
    SS_REQUIRE(page > 0 && page <= frozen->pages_count + 1 && frozen->sorted == frozen->count);
    bool known = page <= frozen->pages_count;
    struct ss_buf *buf = known ? frozen->pages[page - 1].buf : NULL;
    *ret_kept = buf != NULL;
    if (buf != NULL) {
        *ret_buf = ss__buf_ref(buf);
        return page < frozen->pages_count || frozen->next < frozen->count;
    }
    size_t taken;
    buf = encode(shard, frozen, page, known ? frozen->pages[page - 1].first : frozen->next, &taken);
    if (buf == NULL || (!known && add_page(frozen, taken) != 0)) {
        ss__buf_unref(buf);
        return SS_E_NOMEM;
    }
    if (has_room(frozen, buf)) {
        frozen->pages[page - 1].buf = ss__buf_ref(buf);
        frozen->kept_bytes += buf->len;
        account(frozen, buf->len);
    }
    *ret_buf = buf;
    return page < frozen->pages_count || frozen->next < frozen->count;
}
