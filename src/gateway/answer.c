#include "gateway/answer.h"

#include <sessionstream/error.h>
#include <sessionstream/limits.h>

#include "gateway/observe.h"

static const struct ss_transport *transport_of(const struct ss_conn *conn)
{
    return conn->gateway->options.transport;
}

static enum ss_encoding encoding_of(const struct ss_conn *conn)
{
    return (enum ss_encoding)conn->encoding;
}

static struct ss_bytes *scratch_of(struct ss_conn *conn)
{
    return &conn->gateway->scratch;
}

void ss__answer_hello(struct ss_conn *conn)
{
    char id[SS_CONN_ID_TEXT_BYTES];
    conn->was_websocket = true;
    if (ss__observed(conn->gateway)) {
        ss__observe(conn, SS_TRANSPORT_CONNECTED, ss_str(NULL), 0, ss_str(NULL));
    }
    ss__conn_send(conn, ss__frame_hello(transport_of(conn), encoding_of(conn),
                                        ss__conn_id_text(conn, id), scratch_of(conn)));
}

void ss__answer_error(struct ss_conn *conn, int err, const struct ss_error_frame *frame)
{
    struct ss_error_frame filled = *frame;
    if (filled.code.len == 0) {
        filled.code = ss_str(ss_error_wire_name(err));
    }
    if (filled.message.len == 0) {
        filled.message = ss_str(ss_error_text(err));
    }
    ss__count_error(conn->gateway->options.stats->errors, err);
    ss__conn_spend(conn, SS_TURN_ERROR_UNITS);
    if (ss__observed(conn->gateway) && err != SS_E_BADFRAME) {
        ss__observe(conn, SS_TRANSPORT_PROTOCOL_ERROR, filled.session_id, err, filled.message);
    }
    ss__conn_send(conn, ss__frame_error(transport_of(conn), encoding_of(conn), &filled,
                                        scratch_of(conn)));
}

void ss__answer_subscribed(struct ss_conn *conn, uint16_t tag, const struct ss_request *request)
{
    const struct ss_subscription *subscription = &conn->subscriptions[tag];
    struct ss_subscribed_frame frame = {
        .session_id = request->session_id,
        .since = subscription->since,
        .additions = conn->encoding != SS_ENCODING_V1_JSON || subscription->resuming,
        .cursor = request->place,
        .recovered = request->recovered,
        .reason = ss__resume_reason_text((enum ss_resume_reason)subscription->reason),
        .running = request->running,
    };
    ss__conn_send_subscribed(conn, ss__frame_subscribed(transport_of(conn), encoding_of(conn),
                                                        &frame, scratch_of(conn)), tag);
}

void ss__answer_unsubscribed(struct ss_conn *conn, struct ss_str session_id)
{
    ss__conn_send(conn, ss__frame_unsubscribed(transport_of(conn), encoding_of(conn), session_id,
                                               scratch_of(conn)));
}

void ss__answer_pong(struct ss_conn *conn, struct ss_str nonce)
{
    ss__conn_send(conn, ss__frame_pong(transport_of(conn), encoding_of(conn), nonce,
                                       scratch_of(conn)));
}

void ss__answer_accepted(struct ss_conn *conn, const struct ss_request *request)
{
    struct ss_accepted_frame frame = { .request_id = request->request_id,
                                       .session_id = request->session_id,
                                       .ordinal = request->ordinal,
                                       .replayed = request->replayed };
    ss__conn_send(conn, ss__frame_accepted(transport_of(conn), encoding_of(conn), &frame,
                                           scratch_of(conn)));
}
