/* follow.h - subscribing: the request to the shard and what its answer does. Gateway thread.
 *
 * A client's subscribe is answered by snapshot, frames after it, subscribed; without the snapshot
 * if it came back with a cursor that reaches; one of our own (after frames were dropped) by
 * snapshot and frames. `subscribed` says what place the client has reached, so it goes when frames
 * before it are dropped, and comes once, behind the snapshot and frames that take their place.
 * Until the answer an older subscription stays as it was. Frames reach a connection only while its
 * subscription is live and not stale.
 *
 * One snapshot in flight per connection and session: while the last one is not written, the
 * client's next subscribe waits here (of several the newest counts, as always), and so does the
 * request for the next page of a snapshot that comes in several. */
#ifndef SS_GATEWAY_FOLLOW_H
#define SS_GATEWAY_FOLLOW_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/conn.h"
#include "message/message.h"

/* Two resyncs of one connection are at least so far apart. */
#define SS_RESYNC_PAUSE_MS 1000

/* What a client asks for. */
struct ss_follow_wish {
    uint64_t since;            /* echoed */
    bool resuming;             /* with a cursor */
    bool delta;                /* changes since the cursor will do */
    uint32_t page_bytes;       /* snapshots in pages; 0: in one frame */
    struct ss_cursor resume;
};

/* The client's subscribe frame, with a valid session id. Answers errors itself. */
void ss__follow_subscribe(struct ss_conn *conn, struct ss_str session_id,
                          const struct ss_follow_wish *wish);

/* The client's unsubscribe frame; always answered. */
void ss__follow_unsubscribe(struct ss_conn *conn, struct ss_str session_id);

/* A REPLY to a subscribe; @conn is NULL if the connection is gone. True: a page of a snapshot came
 * with it, and the request was taken over. */
bool ss__follow_answer(struct ss_gateway *gateway, struct ss_conn *conn,
                       struct ss_request *request);

/* A FRAME: to every follower of its session. */
void ss__follow_frame(struct ss_gateway *gateway, const struct ss_msg_frame *frame);

/* The same of a frame that ends the session: its followers get it and follow no longer. Those who
 * have asked for the session anew meanwhile are sent nothing between it and the answer. */
void ss__follow_end(struct ss_gateway *gateway, const struct ss_msg_frame *frame);

/* A RESYNC: every follower of the session needs a new snapshot. */
void ss__follow_resync(struct ss_gateway *gateway, struct ss_session_handle handle);

/* Sends the client's subscribes that waited for a snapshot to be written, as far as they may go.
 * Subscribes one stale session of the connection again, if its queue and the pace allow it. Gives
 * the connection up after too many rounds. Returns when to look again; UINT64_MAX: not because of
 * stale sessions. */
uint64_t ss__follow_catch_up(struct ss_conn *conn);

#endif
