/* The stages of connections, in their order and with their fields. */
#include "gateway_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ss_test.h"

#define STAGES_MAX 128

/* Written by the gateway thread; a test reads it after that has ended. */
struct stages {
    unsigned count;
    struct {
        enum ss_transport_stage stage;
        enum ss_transport_direction direction;
        uint64_t ordinal;
        uint64_t since;
        uint64_t snapshot_ordinal;
        uint32_t targets;
        size_t raw_bytes;
        uint64_t queue_cap;
        int err;
        char frame_type[16];
        char session[16];
        char event[16];
        char connection[48];
    } seen[STAGES_MAX];
};

static void skip(struct ws_test_client *client)
{
    struct ss_ws_client_message message;
    ss_check(ws_test_receive(client, &message));
}

static void copy(char *out, size_t cap, struct ss_str text)
{
    (void)snprintf(out, cap, "%.*s", (int)text.len, text.data == NULL ? "" : text.data);
}

static void on_transport(const struct ss_transport_record *record, void *ctx)
{
    struct stages *stages = ctx;
    ss_check(stages->count < STAGES_MAX && record->gateway == 0 && record->time_us > 0);
    unsigned at = stages->count++;
    stages->seen[at].stage = record->stage;
    stages->seen[at].direction = record->direction;
    stages->seen[at].ordinal = record->ordinal;
    stages->seen[at].since = record->since;
    stages->seen[at].snapshot_ordinal = record->snapshot_ordinal;
    stages->seen[at].targets = record->fanout_targets;
    stages->seen[at].raw_bytes = record->raw_bytes;
    stages->seen[at].queue_cap = record->queue_cap;
    stages->seen[at].err = record->err;
    copy(stages->seen[at].frame_type, sizeof stages->seen[at].frame_type, record->frame_type);
    copy(stages->seen[at].session, sizeof stages->seen[at].session, record->session_id);
    copy(stages->seen[at].event, sizeof stages->seen[at].event, record->event);
    copy(stages->seen[at].connection, sizeof stages->seen[at].connection,
         record->connection_id);
}

/* @some sees every fourth; may be NULL. */
static void open_observed(struct fixture *fixture, struct stages *stages, struct stages *some)
{
    stages->count = 0;
    fixture_prepare(fixture);
    fixture->registry->observers[0] =
        (struct ss_observer){ .transport = on_transport, .ctx = stages, .sample = 1 };
    fixture->registry->observers[1] =
        (struct ss_observer){ .transport = on_transport, .ctx = some, .sample = 4 };
    fixture->registry->observers_count = some == NULL ? 1 : 2;
    fixture->registry->observes_transport = true;
    fixture_start(fixture);
}

/* "word:type word ..." of all stages but those that come when the kernel takes bytes. */
static char *words(const struct stages *stages)
{
    static char text[8192];
    size_t len = 0;
    text[0] = '\0';
    for (unsigned i = 0; i < stages->count; i++) {
        if (stages->seen[i].stage == SS_TRANSPORT_SERVER_FRAME_WRITTEN) {
            continue;
        }
        const char *type = stages->seen[i].frame_type;
        len += (size_t)snprintf(text + len, sizeof text - len, "%s%s%s ",
                                ss_transport_stage_word(stages->seen[i].stage),
                                type[0] == '\0' ? "" : ":", type);
    }
    return text;
}

static unsigned find(const struct stages *stages, enum ss_transport_stage stage)
{
    unsigned at = 0;
    while (at < stages->count && stages->seen[at].stage != stage) {
        at++;
    }
    ss_check_msg(at < stages->count, "no %s", ss_transport_stage_word(stage));
    return at;
}

SS_TEST(observe, a_clean_subscribe_has_its_stages_in_order)
{
    struct fixture fixture;
    struct ws_test_client client;
    static struct stages stages;
    open_observed(&fixture, &stages, NULL);
    ws_test_open(&client, fixture.port, "");
    ws_test_send_text(&client,
                      "{\"subscribe\":{\"sessionId\":\"s\",\"sinceSnapshotOrdinal\":\"3\"}}");
    struct ss_request *request = fixture_take_request(&fixture, SS_REQUEST_SUBSCRIBE, "s");
    struct ss_session_handle handle = request->handle;
    request->frames = calloc(1, sizeof *request->frames);
    request->frames_count = 1;
    request->frames[0] = fixture_frame(&fixture, "s", 6, "A");
    fixture_reply_snapshot(&fixture, request, 5);
    fixture_post_frame(&fixture, handle, "s", 7, "B");
    ws_test_expect(&client,
                   "{\"snapshot\":{\"sessionId\":\"s\",\"snapshotOrdinal\":\"5\"}}");
    for (int i = 0; i < 3; i++) {    /* A, subscribed, B */
        skip(&client);
    }
    ws_test_send_text(&client, "{\"unsubscribe\":{\"sessionId\":\"s\"}}");
    ws_test_expect(&client, "{\"unsubscribed\":{\"sessionId\":\"s\"}}");
    ws_test_close(&client);
    fixture_close(&fixture);
    const char *want =
        "connected server_frame_queued:hello "
        "client_frame_read client_frame_decoded:subscribe subscribe_received "
        "subscription_registered snapshot_load_started snapshot_loaded:snapshot "
        "server_frame_queued:snapshot snapshot_sent:snapshot hydration_buffer_flushed "
        "server_frame_queued:uiEvent ui_event_sent:uiEvent subscription_live "
        "server_frame_queued:subscribed subscribed "
        "fanout_started server_frame_queued:uiEvent ui_event_sent:uiEvent fanout_completed "
        "client_frame_read client_frame_decoded:unsubscribe unsubscribe_received "
        "server_frame_queued:unsubscribed unsubscribed "
        "disconnected ";
    ss_check_msg(strcmp(words(&stages), want) == 0, "%s", words(&stages));
    unsigned written = 0;
    for (unsigned i = 0; i < stages.count; i++) {
        written += stages.seen[i].stage == SS_TRANSPORT_SERVER_FRAME_WRITTEN;
    }
    ss_check(written == 6);    /* hello, snapshot, A, subscribed, B, unsubscribed */
    unsigned at = find(&stages, SS_TRANSPORT_SUBSCRIBE_RECEIVED);
    ss_check(stages.seen[at].since == 3 && strcmp(stages.seen[at].session, "s") == 0);
    ss_check(stages.seen[at].direction == SS_TRANSPORT_CLIENT_TO_SERVER);
    ss_check(strncmp(stages.seen[at].connection, "conn-", 5) == 0);
    at = find(&stages, SS_TRANSPORT_SNAPSHOT_SENT);
    ss_check(stages.seen[at].snapshot_ordinal == 5 && stages.seen[at].raw_bytes > 40);
    ss_check(stages.seen[at].direction == SS_TRANSPORT_SERVER_TO_CLIENT);
    ss_check(stages.seen[at].queue_cap == fixture.options.client_queue_bytes);
    at = find(&stages, SS_TRANSPORT_UI_EVENT_SENT);
    ss_check(stages.seen[at].ordinal == 6 && strcmp(stages.seen[at].event, "A") == 0);
    at = find(&stages, SS_TRANSPORT_FANOUT_STARTED);
    ss_check(stages.seen[at].targets == 1 && stages.seen[at].ordinal == 7);
    ss_check(stages.seen[at].connection[0] == '\0');
}

SS_TEST(observe, what_goes_wrong_is_a_stage_too)
{
    struct fixture fixture;
    struct ws_test_client client;
    static struct stages stages;
    static const char bad[] = "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n"
                              "Connection: Upgrade\r\nSec-WebSocket-Version: 12\r\n\r\n";
    open_observed(&fixture, &stages, NULL);
    ws_test_connect(&client, fixture.port, 0);
    ws_test_send_raw(&client, bad, sizeof bad - 1);
    ws_test_expect_http(&client, 426, "");
    ws_test_close(&client);
    ws_test_open(&client, fixture.port, "");
    ws_test_send_text(&client, "{\"subscribe\":");
    skip(&client);
    ws_test_send_text(&client, "{\"subscribe\":{}}");
    skip(&client);
    struct ss_msg_frame *frame = ss__msg_new(SS_MSG_FRAME, sizeof *frame);
    frame->handle = (struct ss_session_handle){ 99, 1 };
    fixture_post(&fixture, &frame->base);
    ws_test_send_text(&client, "{\"ping\":{}}");
    skip(&client);
    ws_test_close(&client);
    fixture_close(&fixture);
    unsigned at = find(&stages, SS_TRANSPORT_UPGRADE_ERROR);
    ss_check(stages.seen[at].err != 0 && stages.seen[at].connection[0] == '\0');
    at = find(&stages, SS_TRANSPORT_CLIENT_FRAME_DECODE_ERROR);
    ss_check(stages.seen[at].err == SS_E_BADFRAME);
    at = find(&stages, SS_TRANSPORT_PROTOCOL_ERROR);
    ss_check(stages.seen[at].err == SS_E_PROTO);
    (void)find(&stages, SS_TRANSPORT_FANOUT_NO_TARGETS);
}

SS_TEST(observe, a_sample_is_every_so_manieth)
{
    struct fixture fixture;
    struct ws_test_client client;
    static struct stages all;
    static struct stages some;
    some.count = 0;
    open_observed(&fixture, &all, &some);
    ws_test_open(&client, fixture.port, "");
    for (int i = 0; i < 5; i++) {
        ws_test_send_text(&client, "{\"ping\":{}}");
        skip(&client);
    }
    ws_test_close(&client);
    fixture_close(&fixture);
    ss_check_msg(some.count == (all.count + 3) / 4, "%u of %u", some.count, all.count);
    for (unsigned i = 0; i < some.count; i++) {
        ss_check(some.seen[i].stage == all.seen[4 * i].stage);
    }
}
