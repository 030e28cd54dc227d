/* observe.h - the stages of connections, for transport observers and the debug ring. Gateway
 * thread.
 *
 * Callers ask ss__observed first: one branch, where nobody watches. */
#ifndef SS_GATEWAY_OBSERVE_H
#define SS_GATEWAY_OBSERVE_H

#include <stdbool.h>

#include <sessionstream/observer.h>

#include "gateway/conn.h"
#include "wire/client_frame.h"

static inline bool ss__observed(const struct ss_gateway *gateway)
{
    return __builtin_expect(gateway->observed, false);
}

/* A stage without a frame; @session_id and @text may be empty. */
void ss__observe(struct ss_conn *conn, enum ss_transport_stage stage, struct ss_str session_id,
                 int err, struct ss_str text);

/* A message of the client: as it was read, and as it was understood (@frame). */
void ss__observe_read(struct ss_conn *conn, struct ss_str bytes);
void ss__observe_decoded(struct ss_conn *conn, const struct ss_client_frame *frame,
                         size_t raw_bytes);
void ss__observe_subscribe(struct ss_conn *conn, enum ss_transport_stage stage,
                           struct ss_str session_id, uint64_t since);

/* A websocket message for the client; anything else in @buf is passed over. */
void ss__observe_frame(struct ss_conn *conn, enum ss_transport_stage stage,
                       const struct ss_buf *buf);

/* A frame goes to all followers of a session. */
void ss__observe_fanout(struct ss_gateway *gateway, enum ss_transport_stage stage,
                        const struct ss_followed *session, uint64_t ordinal);

#endif
