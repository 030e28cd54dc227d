/* The accepted and rejected client frames of the contract, as JSON and as protobuf. */
#include "wire/client_frame.h"

#include <stdio.h>
#include <string.h>

#include "schema/pb.h"
#include "ss_test.h"

struct fixture {
    struct ss_schema *schema;
    struct ss_transport transport;
    struct ss_arena arena;
    struct ss_failure failure;
};

static void fixture_init(struct fixture *f)
{
    *f = (struct fixture){ 0 };
    ss_check(ss__schema_new(&f->schema) == 0);
    ss_check_msg(ss__transport_load(f->schema, &f->failure) == 0, "%s", f->failure.text);
    ss_check(ss__transport_init(&f->transport, f->schema, &f->failure) == 0);
    ss__arena_init(&f->arena, 4096);
}

static void fixture_deinit(struct fixture *f)
{
    ss__arena_deinit(&f->arena);
    ss__schema_free(f->schema);
}

static int decode(struct fixture *f, struct ss_str text, struct ss_client_frame *frame)
{
    return ss__client_frame_decode(&f->transport, SS_ENCODING_V1_JSON, false, text, &f->arena,
                                   frame, &f->failure);
}

SS_TEST(client_frame, subscribe_takes_every_form_of_the_contract)
{
    static const struct {
        const char *text;
        uint64_t since;
    } forms[] = {
        { "{\"subscribe\":{\"sessionId\":\"s-1\",\"sinceSnapshotOrdinal\":\"0\"}}", 0 },
        { "{\"subscribe\":{\"sessionId\":\"s-1\"}}", 0 },
        { "{\"subscribe\":{\"session_id\":\"s-1\",\"since_snapshot_ordinal\":7}}", 7 },
        { "{\"subscribe\":{\"sinceSnapshotOrdinal\":1.0,\"sessionId\":\"s-1\"}}", 1 },
        { "{\"subscribe\":{\"sessionId\":\"s-1\",\"sinceSnapshotOrdinal\":1e2}}", 100 },
        { "{\"subscribe\":{\"sessionId\":\"s-1\",\"sinceSnapshotOrdinal\":\"1e3\"}}", 1000 },
        { "{\"subscribe\":{\"sessionId\":\"s-1\",\"sinceSnapshotOrdinal\":-0}}", 0 },
        { "{\"subscribe\":{\"sessionId\":\"s-1\",\"sinceSnapshotOrdinal\":null}}", 0 },
        { "{\"subscribe\":{\"sessionId\":\"s-1\",\"sinceSnapshotOrdinal\":"
          "\"18446744073709551615\"}}", UINT64_MAX },
        { " { \"subscribe\" : { \"sessionId\" : \"s\\u002d1\" } } ", 0 },
    };
    struct fixture f;
    fixture_init(&f);
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        struct ss_client_frame frame;
        ss_check_msg(decode(&f, ss_str(forms[i].text), &frame) == 0, "%s: %s", forms[i].text,
                     f.failure.text);
        ss_check(frame.kind == SS_CLIENT_FRAME_SUBSCRIBE && frame.since == forms[i].since);
        ss_check(ss_str_equal(frame.session_id, ss_str("s-1")));
    }
    fixture_deinit(&f);
}

SS_TEST(client_frame, a_subscribe_may_resume)
{
    struct fixture f;
    struct ss_client_frame frame;
    fixture_init(&f);
    ss_check(decode(&f, ss_str("{\"subscribe\":{\"sessionId\":\"s\",\"resume\":\"1:2\","
                               "\"delta\":true}}"), &frame) == 0);
    ss_check(ss_str_equal(frame.resume, ss_str("1:2")) && frame.delta && frame.page_bytes == 0);
    ss_check(decode(&f, ss_str("{\"subscribe\":{\"sessionId\":\"s\",\"pageBytes\":4294967295}}"),
                    &frame) == 0);
    ss_check(frame.page_bytes == UINT32_MAX);
    ss_check(decode(&f, ss_str("{\"subscribe\":{\"sessionId\":\"s\"}}"), &frame) == 0);
    ss_check(frame.resume.len == 0 && !frame.delta);
    ss_check(decode(&f, ss_str("{\"subscribe\":{\"sessionId\":\"s\",\"resume\":7}}"), &frame) ==
             SS_E_BADFRAME);
    fixture_deinit(&f);
}

SS_TEST(client_frame, the_other_kinds_are_read)
{
    struct fixture f;
    struct ss_client_frame frame;
    fixture_init(&f);
    ss_check(decode(&f, ss_str("{\"unsubscribe\":{\"sessionId\":\"x\"}}"), &frame) == 0);
    ss_check(frame.kind == SS_CLIENT_FRAME_UNSUBSCRIBE);
    ss_check(decode(&f, ss_str("{\"ping\":{\"nonce\":\"abc\"}}"), &frame) == 0);
    ss_check(frame.kind == SS_CLIENT_FRAME_PING && ss_str_equal(frame.nonce, ss_str("abc")));
    ss_check(decode(&f, ss_str("{\"ping\":{}}"), &frame) == 0 && frame.nonce.len == 0);
    ss_check(decode(&f, ss_str("{\"pong\":{\"nonce\":\"x\"}}"), &frame) == 0);
    ss_check(frame.kind == SS_CLIENT_FRAME_PONG);
    ss_check(decode(&f, ss_str("{\"subscribe\":null,\"ping\":{}}"), &frame) == 0);
    ss_check(frame.kind == SS_CLIENT_FRAME_PING);
    ss_check(decode(&f, ss_str("{}"), &frame) == 0 && frame.kind == SS_CLIENT_FRAME_NONE);
    ss_check(decode(&f, ss_str("{\"ping\":null}"), &frame) == 0);
    ss_check(frame.kind == SS_CLIENT_FRAME_NONE);
    ss_check(decode(&f, ss_str("{\"subscribe\":{\"sessionId\":\"a\\u0000b\"}}"), &frame) == 0);
    ss_check(ss_str_equal(frame.session_id, ss_str_of("a\0b", 3)));
    ss_check(decode(&f, ss_str("{\"submit\":{\"requestId\":\"1\",\"sessionId\":\"s\",\"name\":\"N\","
                               "\"payload\":{\"value\":\"1s\",\"@type\":"
                               "\"type.googleapis.com/google.protobuf.Duration\"}}}"),
                    &frame) == 0);
    ss_check(frame.kind == SS_CLIENT_FRAME_SUBMIT && frame.has_payload);
    ss_check(frame.payload.len == 2 && memcmp(frame.payload.data, "\x08\x01", 2) == 0);
    fixture_deinit(&f);
}

SS_TEST(client_frame, everything_on_the_list_of_rejections_is_rejected)
{
    static const char *const bad[] = {
        "", "not json", "[]", "\"x\"", "null", "\xEF\xBB\xBF{}", "{'ping':{}}", "{\"ping\":{},}",
        "{\"ping\":{}} x", "{}{}", "{\"command\":{}}", "{\"Subscribe\":{}}",
        "{\"subscribe\":{\"sessionID\":\"s\"}}", "{\"ping\":{},\"ping\":{}}",
        "{\"subscribe\":{\"sessionId\":\"a\",\"session_id\":\"a\"}}", "{\"ping\":{},\"pong\":{}}",
        "{\"subscribe\":{\"sessionId\":1}}",
        "{\"subscribe\":{\"sessionId\":\"s\",\"sinceSnapshotOrdinal\":true}}",
        "{\"subscribe\":{\"sessionId\":\"s\",\"sinceSnapshotOrdinal\":\"-1\"}}",
        "{\"subscribe\":{\"sessionId\":\"s\",\"sinceSnapshotOrdinal\":-1}}",
        "{\"subscribe\":{\"sessionId\":\"s\",\"sinceSnapshotOrdinal\":\"abc\"}}",
        "{\"subscribe\":{\"sessionId\":\"s\",\"sinceSnapshotOrdinal\":\"\"}}",
        "{\"subscribe\":{\"sessionId\":\"s\",\"sinceSnapshotOrdinal\":\"007\"}}",
        "{\"subscribe\":{\"sessionId\":\"s\",\"sinceSnapshotOrdinal\":\" 7\"}}",
        "{\"subscribe\":{\"sessionId\":\"s\",\"sinceSnapshotOrdinal\":1.5}}",
        "{\"subscribe\":{\"sessionId\":\"s\",\"sinceSnapshotOrdinal\":1e20}}",
        "{\"subscribe\":{\"sessionId\":\"s\",\"sinceSnapshotOrdinal\":18446744073709551616}}",
        "{\"subscribe\":{\"sessionId\":\"s\",\"sinceSnapshotOrdinal\":007}}",
        "{\"subscribe\":{\"sessionId\":\"\xFF\"}}", "{\"subscribe\":{\"sessionId\":\"\\ud800\"}}",
        "{\"subscribe\":[]}", "{\"submit\":{\"payload\":{\"@type\":\"x/unknown\"}}}",
    };
    struct fixture f;
    fixture_init(&f);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct ss_client_frame frame;
        f.failure = (struct ss_failure){ 0 };
        ss_check_msg(decode(&f, ss_str(bad[i]), &frame) == SS_E_BADFRAME, "accepted: %s", bad[i]);
        ss_check(strncmp(f.failure.text, "proto: ", 7) == 0);
    }
    fixture_deinit(&f);
}

SS_TEST(client_frame, every_cut_of_a_frame_is_rejected_without_harm)
{
    const char *text = "{\"submit\":{\"requestId\":\"1\",\"sessionId\":\"s\",\"name\":\"N\","
                       "\"payload\":{\"@type\":\"type.googleapis.com/google.protobuf.Empty\","
                       "\"value\":{}}}}";
    struct fixture f;
    struct ss_client_frame frame;
    fixture_init(&f);
    for (size_t cut = 0; cut < strlen(text); cut++) {
        ss_check(decode(&f, ss_str_of(text, cut), &frame) == SS_E_BADFRAME);
    }
    ss_check(decode(&f, ss_str(text), &frame) == 0);
    fixture_deinit(&f);
}

static int decode_binary(struct fixture *f, const struct ss_bytes *bytes)
{
    struct ss_client_frame frame;
    return ss__client_frame_decode(&f->transport, SS_ENCODING_V2_PROTOBUF, true,
                                   ss__bytes_view(bytes), &f->arena, &frame, &f->failure);
}

SS_TEST(client_frame, hostile_protobuf_is_rejected)
{
    struct fixture f;
    struct ss_bytes inner;
    struct ss_bytes outer;
    struct ss_client_frame frame;
    fixture_init(&f);
    ss__bytes_init(&inner, 0);
    ss__bytes_init(&outer, 0);
    static const struct ss_str ids[] = { { "a\0b", 3 }, { "\xC3", 1 } };
    for (int i = 0; i < 2; i++) {
        ss__bytes_clear(&inner);
        ss__bytes_clear(&outer);
        ss__pb_bytes(&inner, 1, ids[i]);
        ss__pb_bytes(&outer, 1, ss__bytes_view(&inner));
        ss_check(decode_binary(&f, &outer) == SS_E_BADFRAME);
    }
    ss__bytes_clear(&outer);
    for (int i = 0; i < 10000; i++) {
        ss__bytes_byte(&outer, 0x53);    /* an unknown group begins */
    }
    ss_check(decode_binary(&f, &outer) == SS_E_BADFRAME);
    ss_check(ss__client_frame_decode(&f.transport, SS_ENCODING_V2_PROTOBUF, false, ss_str("{}"),
                                     &f.arena, &frame, &f.failure) == SS_E_BADFRAME);
    ss__bytes_deinit(&inner);
    ss__bytes_deinit(&outer);
    fixture_deinit(&f);
}

SS_TEST(client_frame, a_submit_may_have_an_idempotency_key)
{
    struct fixture f;
    struct ss_client_frame frame;
    fixture_init(&f);
    ss_check(decode(&f, ss_str("{\"submit\":{\"sessionId\":\"s\",\"name\":\"N\","
                               "\"idempotencyKey\":\"k-1\"}}"), &frame) == 0);
    ss_check(frame.kind == SS_CLIENT_FRAME_SUBMIT && ss_str_equal(frame.key, ss_str("k-1")));
    ss_check(decode(&f, ss_str("{\"submit\":{\"sessionId\":\"s\"}}"), &frame) == 0);
    ss_check(frame.key.len == 0);
    fixture_deinit(&f);
}
