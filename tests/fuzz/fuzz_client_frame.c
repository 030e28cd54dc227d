/* Frames of a client in the three encodings. The first byte picks one: '0' v1 JSON, '1' v2 JSON,
 * '2' v2 protobuf.
 *
 * A refusal has its text and leaves the result alone. What is taken as JSON is the same frame in
 * both versions, and the same frame as protobuf; what is taken as protobuf is, where its payload is
 * of a known type, the same frame as JSON. */
#include "fuzz.h"

#include <stdbool.h>
#include <stdlib.h>

#include <sessionstream/error.h>

#include "core/utf8.h"
#include "schema/json.h"
#include "wire/client_frame.h"

static struct ss_transport transport;

static void load(void)
{
    static struct ss_schema *schema;
    if (schema == NULL) {
        ss_check(ss__schema_new(&schema) == 0 && ss__transport_load(schema, NULL) == 0);
        ss_check(ss__transport_init(&transport, schema, NULL) == 0);
    }
}

static bool is_same(const struct ss_client_frame *a, const struct ss_client_frame *b)
{
    return a->kind == b->kind && ss_str_equal(a->session_id, b->session_id) &&
           ss_str_equal(a->nonce, b->nonce) && ss_str_equal(a->request_id, b->request_id) &&
           ss_str_equal(a->name, b->name) && ss_str_equal(a->key, b->key) &&
           a->since == b->since && ss_str_equal(a->resume, b->resume) && a->delta == b->delta &&
           a->page_bytes == b->page_bytes && a->has_payload == b->has_payload &&
           ss_str_equal(a->payload_type_url, b->payload_type_url);
}

/* Fields of other kinds are empty, and texts are texts. */
static void check_frame(const struct ss_client_frame *frame)
{
    const struct ss_str texts[] = { frame->session_id, frame->nonce, frame->request_id,
                                    frame->name, frame->key, frame->resume,
                                    frame->payload_type_url };
    bool subscribe = frame->kind == SS_CLIENT_FRAME_SUBSCRIBE;
    bool submit = frame->kind == SS_CLIENT_FRAME_SUBMIT;
    bool ping = frame->kind == SS_CLIENT_FRAME_PING || frame->kind == SS_CLIENT_FRAME_PONG;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        ss_check(ss__utf8_valid(texts[i].data, texts[i].len));
    }
    ss_check(frame->kind <= SS_CLIENT_FRAME_SUBMIT);
    ss_check(ping || frame->nonce.len == 0);
    ss_check(submit || (frame->request_id.len == 0 && frame->name.len == 0 &&
                        frame->key.len == 0 && !frame->has_payload));
    ss_check(subscribe || (frame->since == 0 && frame->resume.len == 0 && !frame->delta &&
                           frame->page_bytes == 0));
    ss_check(!ping || frame->session_id.len == 0);
    ss_check(frame->has_payload || (frame->payload.len == 0 && frame->payload_type_url.len == 0));
}

static int decode(enum ss_encoding encoding, struct ss_str bytes, struct ss_arena *arena,
                  struct ss_client_frame *ret_frame)
{
    struct ss_failure failure = { 0 };
    bool binary = encoding == SS_ENCODING_V2_PROTOBUF;
    int err = ss__client_frame_decode(&transport, encoding, binary, bytes, arena, ret_frame,
                                      &failure);
    ss_check(err == failure.code && (err == 0 || err == SS_E_BADFRAME));
    if (err != 0) {
        ss_check(strncmp(failure.text, "proto: ", 7) == 0 && failure.text[7] != '\0');
        ss_check(ss__utf8_valid(failure.text, strlen(failure.text)));
        return err;
    }
    check_frame(ret_frame);
    return 0;
}

/* The frame as protobuf, and back as JSON from there. */
static void check_packed(struct ss_str packed, const struct ss_client_frame *want, bool exact,
                         struct ss_arena *arena)
{
    struct ss_client_frame frame;
    struct ss_bytes text;
    ss__bytes_init(&text, 0);
    ss_check(decode(SS_ENCODING_V2_PROTOBUF, packed, arena, &frame) == 0);
    ss_check(is_same(&frame, want) && (!exact || ss_str_equal(frame.payload, want->payload)));
    if (ss__json_encode(transport.schema, transport.client_frame, packed, &text, NULL) == 0) {
        ss_check_msg(decode(SS_ENCODING_V2_JSON, ss__bytes_view(&text), arena, &frame) == 0,
                     "%.*s\n", (int)text.len, (const char *)text.data);
        ss_check_msg(is_same(&frame, want), "%.*s\n", (int)text.len, (const char *)text.data);
    }
    ss__bytes_deinit(&text);
}

static void check_json(enum ss_encoding encoding, struct ss_str bytes, struct ss_arena *arena)
{
    const struct ss_client_frame untouched = { .since = 7 };
    enum ss_encoding other =
        encoding == SS_ENCODING_V1_JSON ? SS_ENCODING_V2_JSON : SS_ENCODING_V1_JSON;
    struct ss_client_frame frame = untouched;
    struct ss_client_frame second = untouched;
    struct ss_bytes packed;
    ss__bytes_init(&packed, 0);
    int err = decode(encoding, bytes, arena, &frame);
    ss_check(decode(other, bytes, arena, &second) == err);
    if (err != 0) {
        ss_check(is_same(&frame, &untouched));
    } else {
        ss_check(is_same(&frame, &second) && ss_str_equal(frame.payload, second.payload));
        ss_check(ss__json_decode(transport.schema, transport.client_frame, bytes, &packed,
                                 NULL) == 0);
        struct ss_failure failure = { 0 };
        struct ss_client_frame third;
        /* JSON may say U+0000, which the validator refuses: nobody takes such a text further. */
        if (ss__client_frame_decode(&transport, SS_ENCODING_V2_PROTOBUF, true,
                                    ss__bytes_view(&packed), arena, &third, &failure) == 0) {
            check_packed(ss__bytes_view(&packed), &frame, true, arena);
        } else {
            ss_check_msg(strstr(failure.text, "NUL") != NULL ||
                             strstr(failure.text, "far more memory") != NULL, "%s\n",
                         failure.text);
        }
    }
    ss__bytes_deinit(&packed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    load();
    if (len == 0) {
        return 0;
    }
    struct ss_arena arena;
    struct ss_str bytes = ss_str_of(data + 1, len - 1);
    enum ss_encoding encoding = (enum ss_encoding)((data[0] - (unsigned)'0') % SS_ENCODING_COUNT);
    ss__arena_init(&arena, 4096);
    if (ss__encoding_is_json(encoding)) {
        check_json(encoding, bytes, &arena);
    } else {
        struct ss_client_frame frame;
        if (decode(encoding, bytes, &arena, &frame) == 0) {
            check_packed(bytes, &frame, true, &arena);
        }
        ss_check(ss__client_frame_decode(&transport, encoding, false, bytes, &arena, &frame,
                                         NULL) == SS_E_BADFRAME);
    }
    ss__arena_deinit(&arena);
    return 0;
}
