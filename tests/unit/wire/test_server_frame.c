/* Server frames are exactly what the contract shows. */
#include "wire/server_frame.h"

#include <string.h>

#include "schema/pb.h"
#include "schema/validate.h"
#include "ss_test.h"

static struct ss_schema *schema;
static struct ss_transport transport;
static struct ss_bytes scratch;

static void begin(void)
{
    ss_check(ss__schema_new(&schema) == 0 && ss__transport_load(schema, NULL) == 0);
    ss_check(ss__transport_init(&transport, schema, NULL) == 0);
    ss__bytes_init(&scratch, 0);
}

static void end(void)
{
    ss__bytes_deinit(&scratch);
    ss__schema_free(schema);
}

static void expect(struct ss_buf *buf, const char *text)
{
    ss_check(buf != NULL && buf->data[0] == 0x81);
    ss_check_msg(ss_str_equal(ss__ws_payload(buf), ss_str(text)), "got %.*s",
                 (int)ss__ws_payload(buf).len, ss__ws_payload(buf).data);
    ss__buf_unref(buf);
}

SS_TEST(server_frame, small_frames_are_those_of_the_contract)
{
    begin();
    enum ss_encoding v1 = SS_ENCODING_V1_JSON;
    struct ss_str s = ss_str("s-1");
    struct ss_str none = { NULL, 0 };
    expect(ss__frame_hello(&transport, v1, ss_str("conn-1"), &scratch),
           "{\"hello\":{\"connectionId\":\"conn-1\"}}");
    struct ss_subscribed_frame subscribed = { .session_id = s };
    expect(ss__frame_subscribed(&transport, v1, &subscribed, &scratch),
           "{\"subscribed\":{\"sessionId\":\"s-1\"}}");
    subscribed.since = 42;
    expect(ss__frame_subscribed(&transport, v1, &subscribed, &scratch),
           "{\"subscribed\":{\"sessionId\":\"s-1\",\"sinceSnapshotOrdinal\":\"42\"}}");
    expect(ss__frame_unsubscribed(&transport, v1, s, &scratch),
           "{\"unsubscribed\":{\"sessionId\":\"s-1\"}}");
    expect(ss__frame_pong(&transport, v1, ss_str("abc"), &scratch),
           "{\"pong\":{\"nonce\":\"abc\"}}");
    expect(ss__frame_pong(&transport, v1, none, &scratch), "{\"pong\":{}}");
    struct ss_error_frame error = { .code = ss_str("protocol_error"),
                                    .message = ss_str("load snapshot for \"s\": db down") };
    expect(ss__frame_error(&transport, v1, &error, &scratch),
           "{\"error\":{\"code\":\"protocol_error\",\"message\":\"load snapshot for \\\"s\\\": db "
           "down\"}}");
    struct ss_accepted_frame accepted = { .request_id = ss_str("r"), .session_id = s,
                                          .ordinal = 6 };
    expect(ss__frame_accepted(&transport, v1, &accepted, &scratch),
           "{\"accepted\":{\"requestId\":\"r\",\"sessionId\":\"s-1\",\"ordinal\":\"6\"}}");
    accepted.replayed = true;
    expect(ss__frame_accepted(&transport, v1, &accepted, &scratch),
           "{\"accepted\":{\"requestId\":\"r\",\"sessionId\":\"s-1\",\"ordinal\":\"6\",\"replayed\":"
           "true}}");
    end();
}

SS_TEST(server_frame, additions_go_only_to_those_who_asked)
{
    begin();
    struct ss_ui_frame frame = { .session_id = ss_str("s"), .place = { 9, 5, 0, 0 }, .index = 1,
                                 .last = true, .time_us = 77, .name = ss_str("U"),
                                 .type = ss__schema_find(schema, ss_str("google.protobuf.Struct")),
                                 .payload = ss_str("") };
    expect(ss__frame_ui_event(&transport, SS_ENCODING_V1_JSON, &frame, &scratch, NULL),
           "{\"uiEvent\":{\"sessionId\":\"s\",\"eventOrdinal\":\"5\",\"name\":\"U\",\"payload\":"
           "{\"@type\":\"type.googleapis.com/google.protobuf.Struct\",\"value\":{}}}}");
    frame.type = NULL;
    expect(ss__frame_ui_event(&transport, SS_ENCODING_V1_JSON, &frame, &scratch, NULL),
           "{\"uiEvent\":{\"sessionId\":\"s\",\"eventOrdinal\":\"5\",\"name\":\"U\"}}");
    expect(ss__frame_ui_event(&transport, SS_ENCODING_V2_JSON, &frame, &scratch, NULL),
           "{\"uiEvent\":{\"sessionId\":\"s\",\"eventOrdinal\":\"5\",\"name\":\"U\",\"epoch\":\"9\","
           "\"index\":1,\"last\":true,\"timeUs\":\"77\",\"cursor\":\"9:5\"}}");
    end();
}

SS_TEST(server_frame, snapshots_leave_defaults_out_and_survive_a_bad_payload)
{
    begin();
    struct ss_snapshot_entity entities[] = {
        { .kind = ss_str("K"), .id = ss_str("i"), .created_ordinal = 1, .last_ordinal = 6,
          .type = ss__schema_find(schema, ss_str("google.protobuf.Empty")),
          .payload = ss_str("") },
        { .kind = ss_str("K"), .id = ss_str("j"), .created_ordinal = 2, .last_ordinal = 2,
          .type = ss__schema_find(schema, ss_str("google.protobuf.Any")),
          .payload = ss_str("\x0A\x03x/y") },
    };
    struct ss_snapshot_frame frame = { .session_id = ss_str("s") };
    size_t left_out = 9;
    expect(ss__frame_snapshot(&transport, SS_ENCODING_V1_JSON, &frame, &scratch, &left_out),
           "{\"snapshot\":{\"sessionId\":\"s\"}}");
    ss_check(left_out == 0);
    frame.ordinal = 6;
    frame.entities = entities;
    frame.count = 2;
    expect(ss__frame_snapshot(&transport, SS_ENCODING_V1_JSON, &frame, &scratch, &left_out),
           "{\"snapshot\":{\"sessionId\":\"s\",\"snapshotOrdinal\":\"6\",\"entities\":["
           "{\"kind\":\"K\",\"id\":\"i\",\"createdOrdinal\":\"1\",\"lastEventOrdinal\":\"6\","
           "\"payload\":{\"@type\":\"type.googleapis.com/google.protobuf.Empty\",\"value\":{}}},"
           "{\"kind\":\"K\",\"id\":\"j\",\"createdOrdinal\":\"2\",\"lastEventOrdinal\":\"2\"}]}}");
    ss_check(left_out == 1);
    end();
}

SS_TEST(server_frame, protobuf_frames_hold_the_same_values)
{
    begin();
    struct ss_ui_frame frame = { .session_id = ss_str("s"), .place = { 9, 300, 0, 0 },
                                 .last = true, .name = ss_str("U"),
                                 .type = ss__schema_find(schema, ss_str("google.protobuf.Empty")),
                                 .payload = ss_str("") };
    struct ss_buf *buf =
        ss__frame_ui_event(&transport, SS_ENCODING_V2_PROTOBUF, &frame, &scratch, NULL);
    ss_check(buf != NULL && buf->data[0] == 0x82);
    struct ss_pb_reader outer = ss__pb_reader(ss__ws_payload(buf));
    struct ss_pb_field field;
    ss_check(ss__pb_next(&outer, &field) && field.number == 5 && field.wire == SS_PB_LEN);
    struct ss_pb_reader inner = ss__pb_reader(field.bytes);
    static const uint32_t numbers[] = { 1, 2, 3, 4, 16, 18, 21 };
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        ss_check(ss__pb_next(&inner, &field) && field.number == numbers[i]);
        ss_check(field.number != 2 || field.value == 300);
    }
    ss_check(!ss__pb_next(&inner, &field) && !inner.failed);
    ss__buf_unref(buf);
    end();
}

SS_TEST(server_frame, subscribed_and_activity_have_their_additions)
{
    begin();
    enum ss_encoding v2 = SS_ENCODING_V2_JSON;
    struct ss_subscribed_frame frame = { .session_id = ss_str("s"), .cursor = { 9, 5, 2, 7 } };
    expect(ss__frame_subscribed(&transport, v2, &frame, &scratch),
           "{\"subscribed\":{\"sessionId\":\"s\"}}");
    frame.additions = true;
    expect(ss__frame_subscribed(&transport, v2, &frame, &scratch),
           "{\"subscribed\":{\"sessionId\":\"s\",\"cursor\":\"9:5.2~7\"}}");
    frame.recovered = frame.running = true;
    frame.reason = ss_str("ahead");
    expect(ss__frame_subscribed(&transport, v2, &frame, &scratch),
           "{\"subscribed\":{\"sessionId\":\"s\",\"cursor\":\"9:5.2~7\",\"recovered\":true,"
           "\"reason\":\"ahead\",\"running\":true}}");
    expect(ss__frame_activity(&transport, v2, ss_str("s"), true, &scratch),
           "{\"activity\":{\"sessionId\":\"s\",\"running\":true}}");
    expect(ss__frame_activity(&transport, v2, ss_str("s"), false, &scratch),
           "{\"activity\":{\"sessionId\":\"s\"}}");
    end();
}

SS_TEST(server_frame, a_cursor_is_where_a_client_s_advances)
{
    begin();
    struct ss_ui_frame frame = { .session_id = ss_str("s"), .place = { 9, 5, 0, 0 },
                                 .name = ss_str("U") };
    expect(ss__frame_ui_event(&transport, SS_ENCODING_V2_JSON, &frame, &scratch, NULL),
           "{\"uiEvent\":{\"sessionId\":\"s\",\"eventOrdinal\":\"5\",\"name\":\"U\","
           "\"epoch\":\"9\"}}");
    frame.place.live = 1;
    frame.place.run = 3;
    expect(ss__frame_ui_event(&transport, SS_ENCODING_V2_JSON, &frame, &scratch, NULL),
           "{\"uiEvent\":{\"sessionId\":\"s\",\"eventOrdinal\":\"5\",\"name\":\"U\","
           "\"epoch\":\"9\",\"live\":\"1\",\"cursor\":\"9:5.1~3\"}}");
    struct ss_snapshot_frame snapshot = { .session_id = ss_str("s"), .ordinal = 4,
                                          .place = { 9, 5, 1, 3 }, .delta = true,
                                          .running = true };
    expect(ss__frame_snapshot(&transport, SS_ENCODING_V2_JSON, &snapshot, &scratch, NULL),
           "{\"snapshot\":{\"sessionId\":\"s\",\"snapshotOrdinal\":\"4\",\"epoch\":\"9\","
           "\"cursor\":\"9:5.1~3\",\"delta\":true,\"running\":true}}");
    expect(ss__frame_snapshot(&transport, SS_ENCODING_V1_JSON, &snapshot, &scratch, NULL),
           "{\"snapshot\":{\"sessionId\":\"s\",\"snapshotOrdinal\":\"4\"}}");
    end();
}

SS_TEST(server_frame, appended_bytes_are_text_or_base64)
{
    begin();
    struct ss_append_frame frame = { .session_id = ss_str("s"), .place = { 9, 5, 1, 3 },
                                     .kind = ss_str("K"), .id = ss_str("i"),
                                     .field = ss_str("f"), .is_text = true,
                                     .bytes = ss_str("ab") };
    expect(ss__frame_append(&transport, SS_ENCODING_V2_JSON, &frame, &scratch),
           "{\"append\":{\"sessionId\":\"s\",\"eventOrdinal\":\"5\",\"kind\":\"K\","
           "\"id\":\"i\",\"field\":\"f\",\"text\":\"ab\",\"epoch\":\"9\",\"live\":\"1\","
           "\"cursor\":\"9:5.1~3\"}}");
    frame.is_text = false;
    frame.offset = 300;
    expect(ss__frame_append(&transport, SS_ENCODING_V2_JSON, &frame, &scratch),
           "{\"append\":{\"sessionId\":\"s\",\"eventOrdinal\":\"5\",\"kind\":\"K\","
           "\"id\":\"i\",\"field\":\"f\",\"offset\":\"300\",\"data\":\"YWI=\","
           "\"epoch\":\"9\",\"live\":\"1\",\"cursor\":\"9:5.1~3\"}}");
    end();
}

static void check_parsable(struct ss_buf *buf)
{
    ss_check(buf != NULL);
    struct ss_failure failure = { .text = "" };
    ss_check_msg(ss__validate(transport.server_frame, ss__ws_payload(buf), &failure) == 0, "%s",
                 failure.text);
    ss__buf_unref(buf);
}

SS_TEST(server_frame, the_additions_are_those_of_the_schema)
{
    begin();
    enum ss_encoding binary = SS_ENCODING_V2_PROTOBUF;
    struct ss_str s = ss_str("s");
    struct ss_cursor place = { UINT64_MAX, 5, 2, 7 };
    struct ss_subscribed_frame subscribed = { s, 1, true, place, true, ss_str("ahead"), true };
    struct ss_append_frame append = { s, place, 1, s, s, s, 300, false, s };
    struct ss_snapshot_entity entity = { .kind = s, .id = s, .appended_field = s,
                                         .appended_bytes = 300 };
    struct ss_snapshot_frame snapshot = { s, 1, place, true, true, &entity, 1,
                                           300, true };
    check_parsable(ss__frame_subscribed(&transport, binary, &subscribed, &scratch));
    check_parsable(ss__frame_activity(&transport, binary, s, true, &scratch));
    check_parsable(ss__frame_append(&transport, binary, &append, &scratch));
    check_parsable(ss__frame_snapshot(&transport, binary, &snapshot, &scratch, NULL));
    end();
}

/* @count small entities. */
static void fill(struct ss_snapshot_entity *entities, size_t count)
{
    static const char ids[] = "abcdefgh";
    for (size_t i = 0; i < count; i++) {
        entities[i] = (struct ss_snapshot_entity){ .kind = ss_str("K"),
                                                   .id = ss_str_of(&ids[i], 1),
                                                   .created_ordinal = i + 1,
                                                   .last_ordinal = i + 1 };
    }
}

SS_TEST(server_frame, a_page_has_what_fits_and_the_last_one_the_cursor)
{
    begin();
    struct ss_snapshot_entity entities[3];
    size_t count;
    fill(entities, 3);
    struct ss_snapshot_frame frame = { .session_id = ss_str("s"), .ordinal = 7,
                                       .place = { 9, 7, 0, 0 }, .entities = entities, .count = 3,
                                       .page = 1, .last_page = true };
    expect(ss__frame_snapshot_page(&transport, SS_ENCODING_V2_JSON, &frame, 200, &scratch, &count,
                                   NULL),
           "{\"snapshot\":{\"sessionId\":\"s\",\"snapshotOrdinal\":\"7\",\"entities\":["
           "{\"kind\":\"K\",\"id\":\"a\",\"createdOrdinal\":\"1\",\"lastEventOrdinal\":\"1\"},"
           "{\"kind\":\"K\",\"id\":\"b\",\"createdOrdinal\":\"2\",\"lastEventOrdinal\":\"2\"}],"
           "\"epoch\":\"9\",\"page\":1}}");
    ss_check(count == 2);
    frame.entities += count;
    frame.count -= count;
    frame.page = 2;
    expect(ss__frame_snapshot_page(&transport, SS_ENCODING_V2_JSON, &frame, 200, &scratch, &count,
                                   NULL),
           "{\"snapshot\":{\"sessionId\":\"s\",\"snapshotOrdinal\":\"7\",\"entities\":["
           "{\"kind\":\"K\",\"id\":\"c\",\"createdOrdinal\":\"3\",\"lastEventOrdinal\":\"3\"}],"
           "\"epoch\":\"9\",\"cursor\":\"9:7\",\"page\":2,\"lastPage\":true}}");
    ss_check(count == 1);
    end();
}

SS_TEST(server_frame, a_page_has_at_least_one_entity_and_no_end_while_others_follow)
{
    static const enum ss_encoding encodings[] = { SS_ENCODING_V2_JSON, SS_ENCODING_V2_PROTOBUF };
    begin();
    struct ss_snapshot_entity entities[8];
    fill(entities, 8);
    for (size_t i = 0; i < 2; i++) {
        for (size_t bytes = 0; bytes < 700; bytes++) {
            struct ss_snapshot_frame frame = { .session_id = ss_str("s"), .ordinal = 7,
                                               .place = { 9, 7, 0, 0 }, .entities = entities,
                                               .count = 8, .page = 1, .last_page = true };
            size_t count;
            struct ss_buf *buf = ss__frame_snapshot_page(&transport, encodings[i], &frame, bytes,
                                                         &scratch, &count, NULL);
            ss_check(buf != NULL && count >= 1 && count <= 8);
            struct ss_str body = ss__ws_payload(buf);
            ss_check((memmem(body.data, body.len, "9:7", 3) != NULL) == (count == 8));
            ss_check(count == 1 || body.len <= bytes + 100);    /* what stands behind the entities */
            ss__buf_unref(buf);
            frame.last_page = false;
            buf = ss__frame_snapshot_page(&transport, encodings[i], &frame, bytes, &scratch,
                                          &count, NULL);
            body = ss__ws_payload(buf);
            ss_check(memmem(body.data, body.len, "9:7", 3) == NULL);
            ss__buf_unref(buf);
        }
    }
    end();
}

SS_TEST(server_frame, a_document_that_is_too_large_is_an_error)
{
    begin();
    struct ss_snapshot_entity entities[8];
    fill(entities, 8);
    struct ss_snapshot_frame frame = { .session_id = ss_str("s"), .entities = entities,
                                       .count = 8 };
    ss__bytes_clear(&scratch);
    ss_check(ss__snapshot_json(&transport, &frame, SIZE_MAX, &scratch, NULL) == 0);
    size_t len = scratch.len;
    ss__bytes_clear(&scratch);
    ss_check(ss__snapshot_json(&transport, &frame, len, &scratch, NULL) == 0);
    ss__bytes_clear(&scratch);
    ss_check(ss__snapshot_json(&transport, &frame, len - 1, &scratch, NULL) == SS_E_TOOBIG);
    end();
}
