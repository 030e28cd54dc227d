/* send_queue.h - what one connection has still to write: a ring of shared buffers.
 *
 * Frames of followed sessions may be dropped while no byte of them was written, and with them a
 * `subscribed` that counts on them; everything else stays. The first @pinned entries are in the
 * hands of the kernel and stay too. No I/O. */
#ifndef SS_GATEWAY_SEND_QUEUE_H
#define SS_GATEWAY_SEND_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uv.h>

#include "core/buf.h"

/* Frames of followed sessions in one queue. */
#define SS_SEND_FRAMES_MAX 16384

enum ss_send_kind {
    SS_SEND_ANSWER,      /* never dropped */
    SS_SEND_FRAME,       /* dropped on overflow */
    SS_SEND_SUBSCRIBED,  /* says what place its frames lead to: dropped with those before it */
    SS_SEND_SNAPSHOT     /* never dropped; bytes on the gateway's account, not the client's */
};

struct ss_send_entry {
    struct ss_buf *buf;
    uint32_t tag;        /* subscription; SS_SEND_SNAPSHOT: the session's key */
    uint8_t kind;        /* enum ss_send_kind */
};

/* A ring that needs no memory of its own for a connection that reads. */
#define SS_SEND_INLINE 2

struct ss_send_queue {
    union {
        struct ss_send_entry *entries;    /* @cap is a power of two over SS_SEND_INLINE */
        struct ss_send_entry few[SS_SEND_INLINE];
    } ring;
    uint32_t cap;
    uint32_t head;
    uint32_t count;
    uint32_t frames;                  /* entries of kind SS_SEND_FRAME */
    uint32_t offset;                  /* bytes of the first entry written already */
    uint32_t pinned;
    uint64_t bytes;                   /* unwritten, all kinds */
    uint64_t snapshot_bytes;          /* of them in snapshots */
    uint64_t snapshots_held;          /* memory of snapshots not completely written */
    uint64_t answers_held;            /* the same of answers and `subscribed` */
};

/* Empty; allocates nothing. */
void ss__send_queue_init(struct ss_send_queue *queue);

/* Appends; takes the reference of @buf, also on error. Errors: SS_E_NOMEM. */
int ss__send_queue_push(struct ss_send_queue *queue, struct ss_buf *buf, enum ss_send_kind kind,
                        uint32_t tag);

/* Fills @out[@max] with what is to be written next; returns the number filled. */
unsigned ss__send_queue_slices(struct ss_send_queue *queue, uv_buf_t *out, unsigned max);

/* @bytes more of the front are written: entries that are complete leave. Returns the next one that
 * left, with its reference, or false; call with 0 bytes until false. */
bool ss__send_queue_wrote(struct ss_send_queue *queue, size_t *bytes,
                          struct ss_send_entry *ret_entry);

/* Takes any first entry out, written or not; for the end of a connection. */
bool ss__send_queue_take(struct ss_send_queue *queue, struct ss_send_entry *ret_entry);

/* Drops every frame of which no byte was handed out, and each SS_SEND_SUBSCRIBED behind one of its
 * tag. Sets @dropped[tag] and @withdrawn[tag] for them (bits, room for every tag in use). Returns
 * how many. */
uint32_t ss__send_queue_drop_frames(struct ss_send_queue *queue, uint8_t *dropped,
                                    uint8_t *withdrawn);

/* True if a snapshot with this tag is not completely written. Looks at the whole queue if any
 * snapshot is in it. */
bool ss__send_queue_has_snapshot(struct ss_send_queue *queue, uint32_t tag);

/* Bytes that count against the client's limit. */
static inline uint64_t ss__send_queue_charged(const struct ss_send_queue *queue)
{
    return queue->bytes - queue->snapshot_bytes;
}

/* Gives back the ring of a queue that is empty; it may be used again. */
void ss__send_queue_deinit(struct ss_send_queue *queue);

#endif
