#include "gateway/ingress.h"

#include <sessionstream/error.h>
#include <sessionstream/limits.h>

#include "gateway/answer.h"
#include "gateway/follow.h"
#include "gateway/observe.h"
#include "gateway/requests.h"
#include "schema/validate.h"
#include "wire/client_frame.h"

/* Names in error texts are cut: a client may send a megabyte of name. */
#define SHOWN_BYTES_MAX 64

static int shown(struct ss_str text)
{
    return ss__shown(text, SHOWN_BYTES_MAX);
}

int ss__ingress_find_command(const struct ss_gateway *gateway, struct ss_str name,
                             const struct ss_name **ret_command, struct ss_failure *failure)
{
    const struct ss_name *command =
        ss__registry_find(gateway->options.registry, SS_SPACE_COMMAND, name);
    if (command == NULL) {
        return ss__fail(failure, SS_E_UNKNOWN_COMMAND, "unknown command \"%.*s\"", shown(name),
                        name.data == NULL ? "" : name.data);
    }
    *ret_command = command;
    return 0;
}

int ss__ingress_check_payload(const struct ss_name *command, struct ss_str payload,
                              struct ss_failure *failure)
{
    if (payload.len > SS_PAYLOAD_BYTES_MAX) {
        return ss__fail(failure, SS_E_TOOBIG, "payload has %zu bytes, at most %u are allowed",
                        payload.len, SS_PAYLOAD_BYTES_MAX);
    }
    return ss__validate(command->type, payload, failure);
}

/* The name of a type URL: what follows the last '/'. */
static struct ss_str type_of_url(struct ss_str url)
{
    size_t at = url.len;
    while (at > 0 && url.data[at - 1] != '/') {
        at--;
    }
    return ss_str_of(url.data + at, url.len - at);
}

static int check_submit(const struct ss_conn *conn, const struct ss_client_frame *frame,
                        const struct ss_name **ret_command, struct ss_failure *failure)
{
    if (frame->request_id.len > SS_REQUEST_ID_BYTES_MAX) {
        return ss__fail(failure, SS_E_TOOBIG, "request id has %zu bytes, at most %d are allowed",
                        frame->request_id.len, SS_REQUEST_ID_BYTES_MAX);
    }
    int err = ss__requests_check_session(frame->session_id, failure);
    err = err != 0 || frame->key.len == 0 ? err : ss__requests_check_key(frame->key, failure);
    if (err != 0) {
        return err;
    }
    const struct ss_name *command = NULL;
    err = ss__ingress_find_command(conn->gateway, frame->name, &command, failure);
    if (err != 0) {
        return err;
    }
    if (!frame->has_payload || frame->payload_type_url.len == 0) {
        return ss__fail(failure, SS_E_PAYLOAD, "submit payload for \"%.*s\" is nil",
                        shown(frame->name), frame->name.data);
    }
    struct ss_str got = type_of_url(frame->payload_type_url);
    struct ss_str want = ss__type_name(command->type);
    if (!ss_str_equal(got, want)) {
        return ss__fail(failure, SS_E_TYPE,
                        "command \"%.*s\" payload type mismatch: got %.*s want %.*s",
                        shown(frame->name), frame->name.data, shown(got), got.data, (int)want.len,
                        want.data);
    }
    err = ss__ingress_check_payload(command, frame->payload, failure);
    if (err == 0) {
        *ret_command = command;
    }
    return err;
}

/* An id in an answer, left out when it is too long to be one. */
static struct ss_str echo(struct ss_str id, size_t max)
{
    return id.len <= max ? id : ss_str(NULL);
}

static void submit(struct ss_conn *conn, const struct ss_client_frame *frame)
{
    struct ss_failure failure = { .text = "" };
    const struct ss_name *command = NULL;
    int err = check_submit(conn, frame, &command, &failure);
    if (err == 0) {
        struct ss_request *request = ss__request_new_keyed(SS_REQUEST_SUBMIT, frame->session_id,
                                                           frame->request_id, frame->payload,
                                                           frame->key);
        err = SS_E_NOMEM;
        if (request != NULL) {
            uint64_t number;
            request->name = command;
            err = ss__requests_post(conn, request, &number);
        }
    }
    if (err != 0) {
        struct ss_error_frame error = {
            .message = ss_str(failure.text),
            .session_id = echo(frame->session_id, SS_SESSION_ID_BYTES_MAX),
            .request_id = echo(frame->request_id, SS_REQUEST_ID_BYTES_MAX),
        };
        ss__answer_error(conn, err, &error);
    }
}

/* Subscribe and unsubscribe name a session; 0 if the id can be used, else it is answered. */
static int check_named(struct ss_conn *conn, struct ss_str session_id, const char *missing)
{
    struct ss_error_frame error = { .code = { NULL, 0 } };
    if (session_id.len == 0) {
        error.message = ss_str(missing);
        ss__answer_error(conn, SS_E_PROTO, &error);
        return SS_E_PROTO;
    }
    struct ss_failure failure = { .text = "" };
    int err = ss__requests_check_session(session_id, &failure);
    if (err != 0) {
        error.message = ss_str(failure.text);
        ss__answer_error(conn, err, &error);
    }
    return err;
}

static int read_wish(const struct ss_conn *conn, const struct ss_client_frame *frame,
                     struct ss_follow_wish *wish, struct ss_failure *failure)
{
    struct ss_failure cause = { .text = "" };
    *wish = (struct ss_follow_wish){ .since = frame->since, .delta = frame->delta,
                                     .resuming = frame->resume.len > 0,
                                     .page_bytes = frame->page_bytes };
    if (wish->resuming && ss__cursor_parse(frame->resume, &wish->resume, &cause) != 0) {
        return ss__fail(failure, SS_E_INVAL, "subscribe field \"resume\": %s", cause.text);
    }
    if (frame->page_bytes == 0) {
        return 0;
    }
    if (conn->encoding == SS_ENCODING_V1_JSON) {
        return ss__fail(failure, SS_E_INVAL, "subscribe field \"pageBytes\": only on a websocket "
                        "of sessionstream.v2.json or sessionstream.v2.protobuf");
    }
    wish->page_bytes = frame->page_bytes < SS_PAGE_BYTES_MIN   ? SS_PAGE_BYTES_MIN
                       : frame->page_bytes > SS_PAGE_BYTES_MAX ? SS_PAGE_BYTES_MAX
                                                               : frame->page_bytes;
    return 0;
}

static void subscribe(struct ss_conn *conn, const struct ss_client_frame *frame)
{
    if (check_named(conn, frame->session_id, "subscribe missing session id") != 0) {
        return;
    }
    struct ss_follow_wish wish;
    struct ss_failure failure = { .text = "" };
    int err = read_wish(conn, frame, &wish, &failure);
    if (err != 0) {
        struct ss_error_frame error = { .message = ss_str(failure.text),
                                        .session_id = frame->session_id };
        ss__answer_error(conn, err, &error);
        return;
    }
    if (ss__observed(conn->gateway)) {
        ss__observe_subscribe(conn, SS_TRANSPORT_SUBSCRIBE_RECEIVED, frame->session_id,
                              frame->since);
    }
    ss__follow_subscribe(conn, frame->session_id, &wish);
}

static void dispatch(struct ss_conn *conn, const struct ss_client_frame *frame)
{
    switch (frame->kind) {
    case SS_CLIENT_FRAME_NONE: {
        struct ss_error_frame error = { .message = ss_str("unknown client frame") };
        ss__answer_error(conn, SS_E_PROTO, &error);
        break;
    }
    case SS_CLIENT_FRAME_SUBSCRIBE:
        subscribe(conn, frame);
        break;
    case SS_CLIENT_FRAME_UNSUBSCRIBE:
        if (check_named(conn, frame->session_id, "unsubscribe missing session id") == 0) {
            ss__follow_unsubscribe(conn, frame->session_id);
        }
        break;
    case SS_CLIENT_FRAME_PING:
        ss__answer_pong(conn, frame->nonce);
        break;
    case SS_CLIENT_FRAME_PONG:
        break;
    case SS_CLIENT_FRAME_SUBMIT:
        submit(conn, frame);
        break;
    }
}

void ss__ingress_message(struct ss_conn *conn, bool binary, struct ss_str bytes)
{
    struct ss_gateway *gateway = conn->gateway;
    struct ss_failure failure = { .text = "" };
    struct ss_client_frame frame;
    ss__count(&gateway->options.stats->frames_in, 1);
    ss__arena_reset(&gateway->arena);
    if (ss__observed(gateway)) {
        ss__observe_read(conn, bytes);
    }
    int err = ss__client_frame_decode(gateway->options.transport,
                                      (enum ss_encoding)conn->encoding, binary, bytes,
                                      &gateway->arena, &frame, &failure);
    if (err != 0) {
        if (ss__observed(gateway)) {
            ss__observe(conn, SS_TRANSPORT_CLIENT_FRAME_DECODE_ERROR, ss_str(NULL), err,
                        ss_str(failure.text));
        }
        struct ss_error_frame error = { .message = ss_str(failure.text) };
        ss__answer_error(conn, err, &error);
        return;
    }
    if (ss__observed(gateway)) {
        ss__observe_decoded(conn, &frame, bytes.len);
    }
    dispatch(conn, &frame);
}
