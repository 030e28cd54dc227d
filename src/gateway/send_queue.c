#include "gateway/send_queue.h"

#include <stdlib.h>
#include <string.h>

#include <sessionstream/error.h>

#include "core/contract.h"

#define FIRST_CAP 16
#define KEPT_CAP 64    /* a larger ring is given back when it runs empty */

void ss__send_queue_init(struct ss_send_queue *queue)
{
    *queue = (struct ss_send_queue){ .cap = SS_SEND_INLINE };
}

static struct ss_send_entry *entry_at(struct ss_send_queue *queue, uint32_t place)
{
    struct ss_send_entry *entries =
        queue->cap == SS_SEND_INLINE ? queue->ring.few : queue->ring.entries;
    return &entries[(queue->head + place) & (queue->cap - 1)];
}

static int grow(struct ss_send_queue *queue)
{
    uint32_t cap = queue->cap == SS_SEND_INLINE ? FIRST_CAP : queue->cap * 2;
    struct ss_send_entry *entries = malloc(cap * sizeof *entries);
    if (entries == NULL) {
        return SS_E_NOMEM;
    }
    for (uint32_t i = 0; i < queue->count; i++) {
        entries[i] = *entry_at(queue, i);
    }
    if (queue->cap > SS_SEND_INLINE) {
        free(queue->ring.entries);
    }
    queue->ring.entries = entries;
    queue->cap = cap;
    queue->head = 0;
    return 0;
}

/* A `subscribed` is an answer, too, which nobody but this connection keeps. */
static bool is_answer(uint8_t kind)
{
    return kind == SS_SEND_ANSWER || kind == SS_SEND_SUBSCRIBED;
}

int ss__send_queue_push(struct ss_send_queue *queue, struct ss_buf *buf, enum ss_send_kind kind,
                        uint32_t tag)
{
    if (queue->count == queue->cap && grow(queue) != 0) {
        ss__buf_unref(buf);
        return SS_E_NOMEM;
    }
    *entry_at(queue, queue->count) =
        (struct ss_send_entry){ .buf = buf, .tag = tag, .kind = (uint8_t)kind };
    queue->count++;
    queue->bytes += buf->len;
    if (kind == SS_SEND_FRAME) {
        queue->frames++;
    } else if (kind == SS_SEND_SNAPSHOT) {
        queue->snapshot_bytes += buf->len;
        queue->snapshots_held += buf->len;
    } else if (is_answer((uint8_t)kind)) {
        queue->answers_held += buf->len;
    }
    return 0;
}

unsigned ss__send_queue_slices(struct ss_send_queue *queue, uv_buf_t *out, unsigned max)
{
    unsigned count = queue->count < max ? queue->count : max;
    for (unsigned i = 0; i < count; i++) {
        struct ss_buf *buf = entry_at(queue, i)->buf;
        uint32_t skip = i == 0 ? queue->offset : 0;
        out[i] = uv_buf_init((char *)buf->data + skip, buf->len - skip);
    }
    return count;
}

/* The first entry leaves; its unwritten bytes are @left. */
static void take_first(struct ss_send_queue *queue, uint32_t left,
                       struct ss_send_entry *ret_entry)
{
    struct ss_send_entry entry = *entry_at(queue, 0);
    queue->head = (queue->head + 1) & (queue->cap - 1);
    queue->count--;
    queue->offset = 0;
    queue->pinned -= queue->pinned > 0;
    queue->bytes -= left;
    if (entry.kind == SS_SEND_FRAME) {
        queue->frames--;
    } else if (entry.kind == SS_SEND_SNAPSHOT) {
        queue->snapshot_bytes -= left;
        queue->snapshots_held -= entry.buf->len;
    } else if (is_answer(entry.kind)) {
        queue->answers_held -= entry.buf->len;
    }
    if (queue->count == 0 && queue->cap > KEPT_CAP) {
        ss__send_queue_deinit(queue);
    }
    *ret_entry = entry;
}

bool ss__send_queue_wrote(struct ss_send_queue *queue, size_t *bytes,
                          struct ss_send_entry *ret_entry)
{
    if (queue->count == 0) {
        SS_INSIST(*bytes == 0);
        return false;
    }
    const struct ss_send_entry *first = entry_at(queue, 0);
    uint32_t left = first->buf->len - queue->offset;
    if (*bytes < left) {
        queue->offset += (uint32_t)*bytes;
        queue->bytes -= *bytes;
        queue->snapshot_bytes -= first->kind == SS_SEND_SNAPSHOT ? *bytes : 0;
        *bytes = 0;
        return false;
    }
    *bytes -= left;
    take_first(queue, left, ret_entry);
    return true;
}

bool ss__send_queue_take(struct ss_send_queue *queue, struct ss_send_entry *ret_entry)
{
    if (queue->count == 0) {
        return false;
    }
    take_first(queue, entry_at(queue, 0)->buf->len - queue->offset, ret_entry);
    return true;
}

bool ss__send_queue_has_snapshot(struct ss_send_queue *queue, uint32_t tag)
{
    for (uint32_t i = 0; queue->snapshots_held > 0 && i < queue->count; i++) {
        const struct ss_send_entry *entry = entry_at(queue, i);
        if (entry->kind == SS_SEND_SNAPSHOT && entry->tag == tag) {
            return true;
        }
    }
    return false;
}

/* True if the entry goes; in the order of the queue. */
static bool drops(const struct ss_send_entry *entry, uint8_t *dropped, uint8_t *withdrawn)
{
    uint32_t tag = entry->tag;
    uint8_t bit = (uint8_t)(1u << (tag % 8));
    if (entry->kind == SS_SEND_FRAME) {
        dropped[tag / 8] |= bit;
        return true;
    }
    if (entry->kind == SS_SEND_SUBSCRIBED && (dropped[tag / 8] & bit) != 0) {
        withdrawn[tag / 8] |= bit;
        return true;
    }
    return false;
}

uint32_t ss__send_queue_drop_frames(struct ss_send_queue *queue, uint8_t *dropped,
                                    uint8_t *withdrawn)
{
    uint32_t fixed = queue->pinned;
    if (fixed == 0 && queue->offset > 0) {
        fixed = 1;
    }
    uint32_t kept = fixed;
    for (uint32_t i = fixed; i < queue->count; i++) {
        struct ss_send_entry entry = *entry_at(queue, i);
        if (!drops(&entry, dropped, withdrawn)) {
            *entry_at(queue, kept) = entry;
            kept++;
            continue;
        }
        queue->bytes -= entry.buf->len;
        queue->frames -= entry.kind == SS_SEND_FRAME;
        queue->answers_held -= is_answer(entry.kind) ? entry.buf->len : 0;
        ss__buf_unref(entry.buf);
    }
    uint32_t count = queue->count > kept ? queue->count - kept : 0;
    if (count > 0) {
        queue->count = kept;
    }
    return count;
}

void ss__send_queue_deinit(struct ss_send_queue *queue)
{
    SS_REQUIRE(queue->count == 0);
    if (queue->cap > SS_SEND_INLINE) {
        free(queue->ring.entries);
    }
    ss__send_queue_init(queue);
}
