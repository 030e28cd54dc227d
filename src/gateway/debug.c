#include "gateway/debug.h"

#include <stdlib.h>

#include <sessionstream/error.h>

#include "gateway/requests.h"
#include "gateway/respond.h"
#include "message/debug_view.h"
#include "schema/json.h"
#include "schema/json_time.h"
#include "wire/encoding.h"

#define NUMBER_DIGITS_MAX 20

static const char *const encodings[SS_ENCODING_COUNT] = { "v1.json", "v2.json", "v2.protobuf" };

static int read_after(const struct ss_http_request *request, uint64_t *ret_after,
                      struct ss_failure *failure)
{
    int err = ss__http_query_number(request->query, "after", NUMBER_DIGITS_MAX, ret_after);
    if (err == SS_E_NOTFOUND) {
        *ret_after = 0;
        return 0;
    }
    return err == 0 ? 0 : ss__fail(failure, err, "after must be the number of a record");
}

void ss__debug_get(struct ss_conn *conn, const struct ss_http_request *request)
{
    struct ss_failure failure = { .text = "" };
    struct ss_str id = request->segments[2];
    uint64_t after = 0;
    int err = ss__requests_check_session(id, &failure);
    err = err != 0 ? err : read_after(request, &after, &failure);
    if (err == 0) {
        struct ss_request *asked =
            ss__request_new(SS_REQUEST_DEBUG, id, ss_str(NULL), ss_str(NULL));
        struct ss_debug_view *view = calloc(1, sizeof *view);
        err = asked == NULL || view == NULL ? SS_E_NOMEM : 0;
        if (err != 0) {
            free(view);
            ss__msg_free(asked == NULL ? NULL : &asked->base);
        } else {
            view->after = after;
            asked->debug = view;
            err = ss__requests_post(conn, asked, &conn->in.number);
        }
    }
    if (err != 0) {
        ss__respond_error(conn, err, ss_str(failure.text), ss_str(NULL));
        return;
    }
    ss__conn_pause(conn, SS_PAUSE_ANSWER);
}

/* ---- the answer ---- */

static void write_text(struct ss_bytes *out, const char *name, const char *text)
{
    ss__bytes_text(out, name);
    ss__json_string(out, ss_str(text));
}

static void write_number(struct ss_bytes *out, const char *name, uint64_t number)
{
    ss__bytes_text(out, name);
    ss__bytes_u64(out, number);
}

static void write_bool(struct ss_bytes *out, const char *name, bool value)
{
    ss__bytes_text(out, name);
    ss__bytes_text(out, value ? "true" : "false");
}

static void write_state(struct ss_bytes *out, const struct ss_debug_view *view)
{
    write_number(out, ",\"shard\":", view->shard);
    write_bool(out, ",\"stored\":", view->stored);
    write_bool(out, ",\"quarantined\":", view->quarantined);
    write_bool(out, ",\"running\":", view->running);
    ss__json_long(out, ",\"epoch\":", view->epoch);
    ss__json_long(out, ",\"ordinal\":", view->ordinal);
    write_number(out, ",\"parked\":", view->parked);
    write_number(out, ",\"tasks\":", view->tasks);
    write_bool(out, ",\"loading\":", view->loading);
    write_bool(out, ",\"retrying\":", view->retrying);
    if (!view->in_memory) {
        ss__bytes_text(out, ",\"memory\":null");
        return;
    }
    write_bool(out, ",\"memory\":{\"whole\":", view->whole);
    write_number(out, ",\"entities\":", view->entities);
    write_number(out, ",\"dirty\":", view->dirty);
    ss__json_long(out, ",\"bytes\":", view->state_bytes);
    ss__json_long(out, ",\"snapshotBytes\":", view->snapshot_bytes);
    ss__json_long(out, ",\"timeline\":", view->timeline);
    ss__json_long(out, ",\"shown\":", view->shown);
    ss__json_long(out, ",\"haltedAt\":", view->halted_at);
    ss__json_long(out, ",\"failedTotal\":", view->failed_total);
    ss__bytes_byte(out, '}');
}

static void write_encodings(struct ss_bytes *out, uint8_t bits)
{
    bool first = true;
    for (unsigned i = 0; i < SS_ENCODING_COUNT; i++) {
        if ((bits >> i & 1) != 0) {
            write_text(out, first ? "" : ",", encodings[i]);
            first = false;
        }
    }
}

static void write_interests(struct ss_bytes *out, const struct ss_debug_view *view)
{
    ss__bytes_text(out, ",\"gateways\":[");
    for (uint32_t i = 0; i < view->interests_count; i++) {
        write_number(out, i == 0 ? "{\"gateway\":" : ",{\"gateway\":",
                     view->interests[i].gateway);
        ss__bytes_text(out, ",\"encodings\":[");
        write_encodings(out, view->interests[i].encodings);
        ss__bytes_text(out, "]}");
    }
    ss__bytes_byte(out, ']');
    if (!view->has_frames) {
        ss__bytes_text(out, ",\"frames\":null");
        return;
    }
    write_number(out, ",\"frames\":{\"count\":", view->frames);
    ss__json_long(out, ",\"bytes\":", view->frames_bytes);
    ss__json_long(out, ",\"after\":", view->frames_after);
    ss__json_long(out, ",\"newest\":", view->frames_newest);
    ss__bytes_byte(out, '}');
}

/* Who follows through this gateway. */
static void write_followers(struct ss_bytes *out, const struct ss_gateway *gateway,
                            const struct ss_request *request)
{
    const struct ss_followed *session = ss__followers_find(
        &gateway->followers, request->session_id, request->session_hash);
    uint32_t counts[SS_ENCODING_COUNT] = { 0 };
    for (uint32_t i = 0; session != NULL && i < session->count; i++) {
        counts[ss__followed_by(session)[i].encoding]++;
    }
    write_number(out, ",\"followers\":{\"gateway\":", gateway->options.index);
    write_number(out, ",\"count\":", session == NULL ? 0 : session->count);
    write_number(out, ",\"asking\":", session == NULL ? 0 : session->asking);
    for (unsigned i = 0; i < SS_ENCODING_COUNT; i++) {
        write_text(out, ",", encodings[i]);
        write_number(out, ":", counts[i]);
    }
    ss__bytes_byte(out, '}');
}

static void write_pipeline(struct ss_bytes *out, const struct ss_trace_slot *slot)
{
    write_text(out, ",\"type\":\"pipeline\",\"what\":",
               slot->word == SS_PIPELINE_LIVE ? "live" : "rebuild");
    write_bool(out, ",\"appended\":", slot->appended);
    write_number(out, ",\"uiEvents\":", slot->ui_events);
    write_number(out, ",\"entities\":", slot->entities);
    write_number(out, ",\"applied\":", slot->applied);
    write_bool(out, ",\"cursorAdvanced\":", slot->cursor_advanced);
    write_number(out, ",\"fanout\":", slot->fanout);
    if (slot->step != NULL) {
        write_text(out, ",\"failed\":", slot->step);
    }
}

static void write_transport(struct ss_bytes *out, const struct ss_trace_slot *slot)
{
    write_text(out, ",\"type\":\"transport\",\"what\":",
               ss_transport_stage_word((enum ss_transport_stage)slot->word));
    const char *direction =
        ss_transport_direction_word((enum ss_transport_direction)slot->direction);
    if (direction[0] != '\0') {
        write_text(out, ",\"direction\":", direction);
    }
    if (slot->connection[0] != '\0') {
        write_text(out, ",\"connectionId\":", slot->connection);
    }
    if (slot->frame_type[0] != '\0') {
        write_text(out, ",\"frameType\":", slot->frame_type);
        write_number(out, ",\"bytes\":", slot->raw_bytes);
        write_number(out, ",\"queueLen\":", slot->queue_len);
    }
    if (slot->fanout > 0) {
        write_number(out, ",\"targets\":", slot->fanout);
    }
}

static void write_record(struct ss_bytes *out, const struct ss_trace_slot *slot)
{
    ss__json_long(out, "{\"number\":", slot->number);
    ss__bytes_text(out, ",\"time\":");
    if (!ss__json_write_timestamp(out, (int64_t)(slot->time_us / 1000000),
                                  (int32_t)(slot->time_us % 1000000) * 1000)) {
        ss__bytes_text(out, "null");    /* no clock has said this */
    }
    if (slot->is_transport) {
        write_transport(out, slot);
    } else {
        write_pipeline(out, slot);
    }
    if (slot->ordinal != 0) {
        ss__json_long(out, ",\"ordinal\":", slot->ordinal);
    }
    if (slot->event[0] != '\0') {
        write_text(out, ",\"event\":", slot->event);
    }
    if (slot->err != 0) {
        write_text(out, ",\"code\":", ss_error_wire_name(slot->err));
    }
    ss__bytes_byte(out, '}');
}

/* Both rings' records by number, up to what both have told. */
static void write_records(struct ss_bytes *out, const struct ss_gateway *gateway,
                          const struct ss_request *request, struct ss_trace_slot *own)
{
    const struct ss_debug_view *view = request->debug;
    uint64_t until = view->until;
    uint32_t count = ss__trace_copy(gateway->options.trace, request->session_hash, view->after,
                                    until, own, SS_DEBUG_RECORDS_MAX);
    if (count == SS_DEBUG_RECORDS_MAX) {
        until = own[count - 1].number;
    }
    uint32_t shards = 0;
    uint32_t gateways = 0;
    bool first = true;
    ss__bytes_text(out, ",\"records\":[");
    for (;;) {
        const struct ss_trace_slot *a = shards < view->records_count ? &view->records[shards]
                                                                     : NULL;
        const struct ss_trace_slot *b = gateways < count ? &own[gateways] : NULL;
        bool of_shard = a != NULL && (b == NULL || a->number < b->number);
        const struct ss_trace_slot *slot = of_shard ? a : b;
        if (slot == NULL || slot->number > until) {
            break;
        }
        ss__bytes_text(out, first ? "\n" : ",\n");
        write_record(out, slot);
        first = false;
        shards += of_shard;
        gateways += !of_shard;
    }
    ss__bytes_byte(out, ']');
    ss__json_long(out, ",\"next\":", until > view->after ? until : view->after);
}

void ss__debug_answered(struct ss_conn *conn, struct ss_request *request)
{
    struct ss_bytes *out = &conn->gateway->scratch;
    const struct ss_debug_view *view = request->debug;
    ss__bytes_clear(out);
    ss__bytes_text(out, "{\"sessionId\":");
    ss__json_string(out, request->session_id);
    write_state(out, view);
    write_interests(out, view);
    write_followers(out, conn->gateway, request);
    if (!view->tracing || conn->gateway->options.trace == NULL) {
        ss__bytes_text(out, ",\"records\":null");
    } else {
        struct ss_trace_slot *own = malloc(SS_DEBUG_RECORDS_MAX * sizeof *own);
        if (own == NULL) {
            ss__respond_error(conn, SS_E_NOMEM, ss_str(NULL), request->session_id);
            return;
        }
        write_records(out, conn->gateway, request, own);
        free(own);
    }
    ss__bytes_byte(out, '}');
    if (out->err != 0) {
        ss__respond_error(conn, out->err, ss_str(NULL), request->session_id);
        return;
    }
    struct ss_http_response response = { .status = 200, .content_type = "application/json",
                                         .body = ss__bytes_view(out) };
    ss__respond(conn, &response);
}
