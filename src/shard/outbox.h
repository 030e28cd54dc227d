/* outbox.h - the ordered way from a shard to one gateway.
 *
 * Messages of a batch are chained here and posted with one exchange. While the gateway's inbox is
 * over its limit they wait in the chain; beyond SS_INBOX_BYTES_MAX (twice that for a session with
 * at most SS_OUTBOX_QUIET_BYTES in it) a session that has a new frame gets one RESYNC in its place,
 * and no frame more until somebody there has subscribed to it again. Nothing blocks, nothing
 * reorders, nothing is looked up in the chain. Shard thread. */
#ifndef SS_SHARD_OUTBOX_H
#define SS_SHARD_OUTBOX_H

#include <stdbool.h>
#include <stdint.h>

#include "message/message.h"

/* How one session and one gateway stand; zero at first. The caller keeps it beside the handle and
 * starts a new one with a new handle. */
struct ss_outbox_mark {
    uint32_t flushes;    /* of the outbox, when @bytes began to count */
    uint32_t bytes;      /* frames in the chain, saturated */
    uint32_t resyncs;    /* how often one was asked for */
    bool told;           /* a RESYNC was pushed, and no answered subscribe since: no frames */
    bool due;            /* a RESYNC is missing for want of memory */
};

struct ss_outbox {
    struct ss_inbox *inbox;
    struct ss_inbox_node *first;
    struct ss_inbox_node *last;
    uint32_t count;
    uint64_t bytes;
    uint32_t flushes;
    uint64_t overflows;       /* frames dropped for a resync */
    bool resync_due;          /* some mark is due: ss__outbox_retry it before the next flush */
};

/* A frame on its way; references in @bufs, NULL for encodings it is not wanted in. */
struct ss_outbox_frame {
    struct ss_session_handle handle;
    uint64_t ordinal;
    bool live;
    struct ss_buf *const *bufs;    /* SS_MESSAGE_ENCODINGS */
};

void ss__outbox_init(struct ss_outbox *outbox, struct ss_inbox *inbox);

/* Adds a message that must not be lost. Takes it over. */
void ss__outbox_push(struct ss_outbox *outbox, struct ss_msg *msg);

/* Adds a frame; when too much waits it becomes (or joins) a RESYNC of its session. Takes the
 * references. Returns false if it was dropped. */
bool ss__outbox_frame(struct ss_outbox *outbox, struct ss_outbox_mark *mark,
                      const struct ss_outbox_frame *value);

/* Adds the answer to a subscribe that succeeded: with it the gateway wants frames again. */
void ss__outbox_subscribed(struct ss_outbox *outbox, struct ss_outbox_mark *mark,
                           struct ss_request *request);

/* Tells the gateway to ask for a session anew, if it does not know yet. */
void ss__outbox_resync(struct ss_outbox *outbox, struct ss_outbox_mark *mark,
                       struct ss_session_handle handle);

/* Adds the RESYNC that is due, if memory allows it now. */
void ss__outbox_retry(struct ss_outbox *outbox, struct ss_outbox_mark *mark,
                      struct ss_session_handle handle);

/* Posts what waits. True: everything left; false: the gateway is behind, try again soon. */
bool ss__outbox_flush(struct ss_outbox *outbox);

/* Posts what waits even if the gateway is behind: for the end of the shard. */
void ss__outbox_flush_all(struct ss_outbox *outbox);

/* Frees what waits. */
void ss__outbox_deinit(struct ss_outbox *outbox);

#endif
