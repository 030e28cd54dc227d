#include "gateway/observe.h"

#include <string.h>

#include "core/clock.h"
#include "message/trace.h"
#include "schema/json_reader.h"
#include "wire/frame_summary.h"
#include "wire/server_frame.h"

/* Entities of larger snapshots are not counted: it takes a look at every byte. */
#define COUNTED_BYTES_MAX (1u << 20)

/* @conn: whose id it gets, or NULL. */
static void deliver(struct ss_gateway *gateway, const struct ss_conn *conn,
                    struct ss_transport_record *record)
{
    char id[SS_CONN_ID_TEXT_BYTES];
    if (conn != NULL && conn->was_websocket) {
        record->connection_id = ss__conn_id_text(conn, id);
    }
    const struct ss_registry *registry = gateway->options.registry;
    uint64_t place = gateway->observed_count++;
    record->gateway = gateway->options.index;
    record->time_us = ss__clock_wall_us(&ss__system_clock);
    for (uint32_t i = 0; i < registry->observers_count; i++) {
        const struct ss_observer *observer = &registry->observers[i];
        if (observer->transport != NULL && place % observer->sample == 0) {
            observer->transport(record, observer->ctx);
        }
    }
    if (gateway->options.trace != NULL && record->session_id.len > 0) {
        ss__trace_transport(gateway->options.trace, ss__map_hash(record->session_id), record);
    }
}

static struct ss_transport_record record_of(const struct ss_conn *conn,
                                            enum ss_transport_stage stage)
{
    return (struct ss_transport_record){
        .stage = stage,
        .queue_len = conn->queue.count,
        .queue_bytes = ss__send_queue_charged(&conn->queue),
        .queue_cap = conn->gateway->options.client_queue_bytes,
    };
}

void ss__observe(struct ss_conn *conn, enum ss_transport_stage stage, struct ss_str session_id,
                 int err, struct ss_str text)
{
    struct ss_transport_record record = record_of(conn, stage);
    record.session_id = session_id;
    record.err = err;
    record.text = text;
    deliver(conn->gateway, conn, &record);
}

void ss__observe_read(struct ss_conn *conn, struct ss_str bytes)
{
    struct ss_transport_record record = record_of(conn, SS_TRANSPORT_CLIENT_FRAME_READ);
    record.direction = SS_TRANSPORT_CLIENT_TO_SERVER;
    record.frame = bytes;
    record.raw_bytes = bytes.len;
    deliver(conn->gateway, conn, &record);
}

static const char *client_word(enum ss_client_frame_kind kind)
{
    switch (kind) {
    case SS_CLIENT_FRAME_SUBSCRIBE:
        return "subscribe";
    case SS_CLIENT_FRAME_UNSUBSCRIBE:
        return "unsubscribe";
    case SS_CLIENT_FRAME_PING:
        return "ping";
    case SS_CLIENT_FRAME_PONG:
        return "pong";
    case SS_CLIENT_FRAME_SUBMIT:
        return "submit";
    case SS_CLIENT_FRAME_NONE:
        break;
    }
    return "unknown";
}

void ss__observe_decoded(struct ss_conn *conn, const struct ss_client_frame *frame,
                         size_t raw_bytes)
{
    struct ss_transport_record record = record_of(conn, SS_TRANSPORT_CLIENT_FRAME_DECODED);
    record.direction = SS_TRANSPORT_CLIENT_TO_SERVER;
    record.frame_type = ss_str(client_word(frame->kind));
    record.session_id = frame->session_id;
    record.since = frame->since;
    record.raw_bytes = raw_bytes;
    deliver(conn->gateway, conn, &record);
}

void ss__observe_subscribe(struct ss_conn *conn, enum ss_transport_stage stage,
                           struct ss_str session_id, uint64_t since)
{
    struct ss_transport_record record = record_of(conn, stage);
    record.direction = stage == SS_TRANSPORT_SUBSCRIBE_RECEIVED ? SS_TRANSPORT_CLIENT_TO_SERVER
                                                                : SS_TRANSPORT_NONE;
    record.session_id = session_id;
    record.since = since;
    deliver(conn->gateway, conn, &record);
}

/* FIN and text or binary: a whole message as ours all are, no control frame and no HTTP. */
static bool is_message(const struct ss_buf *buf)
{
    return buf->len >= 2 && (buf->data[0] == 0x81 || buf->data[0] == 0x82);
}

void ss__observe_frame(struct ss_conn *conn, enum ss_transport_stage stage,
                       const struct ss_buf *buf)
{
    if (!is_message(buf)) {
        return;
    }
    struct ss_frame_summary summary;
    struct ss_str body = ss__ws_payload(buf);
    enum ss_encoding encoding = (enum ss_encoding)conn->encoding;
    bool is_long = body.len > COUNTED_BYTES_MAX;
    ss__frame_summary(encoding, is_long ? ss_str_of(body.data, COUNTED_BYTES_MAX) : body,
                      &summary);
    bool is_snapshot = strcmp(summary.type, "snapshot") == 0;
    if (stage == SS_TRANSPORT_UI_EVENT_SENT && strcmp(summary.type, "uiEvent") != 0) {
        return;    /* activity and appends are sent in the same way */
    }
    struct ss_transport_record record = record_of(conn, stage);
    record.direction = SS_TRANSPORT_SERVER_TO_CLIENT;
    record.frame_type = ss_str(summary.type);
    record.session_id = summary.session_id;
    record.event = summary.event;
    record.payload_type = summary.payload_type;
    record.since = summary.since;
    record.ordinal = is_snapshot ? 0 : summary.ordinal;
    record.snapshot_ordinal = is_snapshot ? summary.ordinal : 0;
    record.snapshot_entities = is_long ? 0 : summary.entities;
    record.frame = body;
    record.raw_bytes = body.len;
    struct ss_bytes id;
    ss__bytes_init(&id, 0);
    if (summary.session_escaped) {
        struct ss_json_token token = { .kind = SS_JSON_STRING, .escaped = true,
                                       .text = summary.session_id };
        ss__json_unescape(&id, &token);
        record.session_id = ss__bytes_view(&id);    /* empty without memory */
    }
    deliver(conn->gateway, conn, &record);
    ss__bytes_deinit(&id);
}

void ss__observe_fanout(struct ss_gateway *gateway, enum ss_transport_stage stage,
                        const struct ss_followed *session, uint64_t ordinal)
{
    struct ss_transport_record record = {
        .stage = stage,
        .direction = SS_TRANSPORT_SERVER_TO_CLIENT,
        .session_id = session == NULL ? ss_str(NULL) : ss__followed_id(session),
        .ordinal = ordinal,
        .fanout_events = 1,
        .fanout_targets = session == NULL ? 0 : session->count,
    };
    deliver(gateway, NULL, &record);
}
