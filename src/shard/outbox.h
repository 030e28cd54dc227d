/* outbox.h - the ordered way from a shard to one gateway.
 *
 * Messages of a batch are chained here and posted with one exchange. While the gateway's inbox is
 * over its limit they wait in the chain; beyond SS_INBOX_BYTES_MAX frames of a session collapse
 * into one RESYNC. Nothing blocks, nothing reorders. Shard thread. */
#ifndef SS_SHARD_OUTBOX_H
#define SS_SHARD_OUTBOX_H

#include <stdbool.h>
#include <stdint.h>

#include "message/message.h"

struct ss_outbox {
    struct ss_inbox *inbox;
    struct ss_inbox_node *first;
    struct ss_inbox_node *last;
    uint32_t count;
    uint64_t bytes;
    uint64_t overflows;       /* frames dropped for a resync */
};

void ss__outbox_init(struct ss_outbox *outbox, struct ss_inbox *inbox);

/* Adds a message that must not be lost. Takes it over. */
void ss__outbox_push(struct ss_outbox *outbox, struct ss_msg *msg);

/* Adds a frame; when too much waits it becomes (or joins) a RESYNC of its session. Takes the
 * references in @bufs. Returns false if it was dropped. */
bool ss__outbox_frame(struct ss_outbox *outbox, struct ss_session_handle handle, uint64_t ordinal,
                      struct ss_buf *const bufs[SS_MESSAGE_ENCODINGS]);

/* Tells the gateway to ask for a session anew; its frames that still wait here are dropped. */
void ss__outbox_resync(struct ss_outbox *outbox, struct ss_session_handle handle);

/* Posts what waits. True: everything left; false: the gateway is behind, try again soon. */
bool ss__outbox_flush(struct ss_outbox *outbox);

/* Frees what waits. */
void ss__outbox_deinit(struct ss_outbox *outbox);

#endif
