/* Encoding of one chat-sized UI frame, as JSON and as protobuf. */
#include <string.h>

#include "bench.h"
#include "bench.pb-c.h"
#include "bench_app.h"
#include "wire/server_frame.h"

static void run(const struct ss_transport *transport, enum ss_encoding encoding, const char *name,
                uint64_t count)
{
    Sessionstream__Bench__Update update = SESSIONSTREAM__BENCH__UPDATE__INIT;
    uint8_t packed[512];
    char text[] = "Answer: a sentence of some length, as a model would stream it to its readers, "
                  "with a few words more to make it look like the middle of an answer.";
    struct ss_bytes scratch;
    update.entity = 7;
    update.text = text;
    size_t len = protobuf_c_message_pack(&update.base, packed);
    struct ss_ui_frame frame = {
        .session_id = ss_str("session-1"), .ordinal = 12345, .epoch = 42, .time_us = 1, .last = true,
        .name = ss_str("Updated"), .payload = ss_str_of(packed, len),
        .type = ss__schema_find(transport->schema, ss_str("sessionstream.bench.Update")),
    };
    ss__bytes_init(&scratch, 0);
    uint64_t begin = ss__bench_ns();
    uint64_t cpu = ss__bench_cpu_ns();
    for (uint64_t i = 0; i < count; i++) {
        frame.ordinal++;
        struct ss_buf *buf = ss__frame_ui_event(transport, encoding, &frame, &scratch, NULL);
        if (buf == NULL || buf->len < len) {
            ss__bench_fail("json: no frame");
        }
        ss__buf_unref(buf);
    }
    ss__bench_result(name, count, ss__bench_ns() - begin, ss__bench_cpu_ns() - cpu, 0, 0);
    ss__bytes_deinit(&scratch);
}

void ss__bench_json(const struct ss_bench_options *options)
{
    struct ss_transport transport;
    struct ss_registry *registry = ss__bench_registry(&transport);
    uint64_t count = options->quick ? 200000 : 2000000;
    run(&transport, SS_ENCODING_V1_JSON, "encode_frame_v1_json", count);
    run(&transport, SS_ENCODING_V2_JSON, "encode_frame_v2_json", count);
    run(&transport, SS_ENCODING_V2_PROTOBUF, "encode_frame_v2_protobuf", count);
    ss_registry_free(registry);
}
