/* Encoding of one chat-sized UI frame and of snapshots, as JSON and as protobuf. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "bench.pb-c.h"
#include "bench_app.h"
#include "wire/server_frame.h"

static const char *const encoding_names[] = { "v1_json", "v2_json", "v2_protobuf" };

static size_t pack_update(uint8_t packed[512])
{
    Sessionstream__Bench__Update update = SESSIONSTREAM__BENCH__UPDATE__INIT;
    char text[] = "Answer: a sentence of some length, as a model would stream it to its readers, "
                  "with a few words more to make it look like the middle of an answer.";
    update.entity = 7;
    update.text = text;
    return protobuf_c_message_pack(&update.base, packed);
}

static void run_frame(const struct ss_transport *transport, enum ss_encoding encoding,
                      const char *name, uint64_t count)
{
    uint8_t packed[512];
    size_t len = pack_update(packed);
    struct ss_bytes scratch;
    struct ss_ui_frame frame = {
        .session_id = ss_str("session-1"), .place = { .epoch = 42, .ordinal = 12345 }, .time_us = 1,
        .last = true, .name = ss_str("Updated"), .payload = ss_str_of(packed, len),
        .type = ss__schema_find(transport->schema, ss_str("sessionstream.bench.Update")),
    };
    ss__bytes_init(&scratch, 0);
    uint64_t begin = ss__bench_ns();
    uint64_t cpu = ss__bench_cpu_ns();
    for (uint64_t i = 0; i < count; i++) {
        frame.place.ordinal++;
        struct ss_buf *buf = ss__frame_ui_event(transport, encoding, &frame, &scratch, NULL);
        if (buf == NULL || buf->len < len) {
            ss__bench_fail("encode: no frame");
        }
        ss__buf_unref(buf);
    }
    struct ss_bench_result result = { .suite = "encode", .name = name, .count = count,
                                      .ns = ss__bench_ns() - begin,
                                      .cpu_ns = ss__bench_cpu_ns() - cpu };
    ss__bench_report(&result);
    ss__bytes_deinit(&scratch);
}

static void run_snapshot(const struct ss_transport *transport, enum ss_encoding encoding,
                         const char *name, unsigned entities, uint64_t count)
{
    uint8_t packed[512];
    size_t len = pack_update(packed);
    char params[32];
    struct ss_bytes scratch;
    struct ss_histogram *latency = ss__bench_histogram();
    struct ss_snapshot_entity *list = calloc(entities, sizeof *list);
    if (list == NULL) {
        ss__bench_fail("encode: out of memory");
    }
    for (unsigned i = 0; i < entities; i++) {
        list[i] = (struct ss_snapshot_entity){
            .kind = ss_str("Entity"), .id = ss_str("entity-1"), .created_ordinal = i + 1,
            .last_ordinal = i + 1, .payload = ss_str_of(packed, len),
            .type = ss__schema_find(transport->schema, ss_str("sessionstream.bench.Update")) };
    }
    struct ss_snapshot_frame frame = { .session_id = ss_str("session-1"), .ordinal = entities,
                                       .place = { .epoch = 42 }, .entities = list, .count = entities };
    ss__bytes_init(&scratch, 0);
    uint64_t begin = ss__bench_ns();
    uint64_t cpu = ss__bench_cpu_ns();
    for (uint64_t i = 0; i < count; i++) {
        size_t left_out = 0;
        uint64_t one_begin = ss__bench_ns();
        struct ss_buf *buf = ss__frame_snapshot(transport, encoding, &frame, &scratch, &left_out);
        if (buf == NULL || buf->len < len * entities || left_out != 0) {
            ss__bench_fail("encode: no snapshot");
        }
        ss__buf_unref(buf);
        ss__histogram_add(latency, ss__bench_ns() - one_begin);
    }
    (void)snprintf(params, sizeof params, "\"entities\":%u", entities);
    struct ss_bench_result result = { .suite = "encode", .name = name, .params = params,
                                      .count = count, .ns = ss__bench_ns() - begin,
                                      .cpu_ns = ss__bench_cpu_ns() - cpu, .latency = latency };
    ss__bench_report(&result);
    ss__bytes_deinit(&scratch);
    free(latency);
    free(list);
}

void ss__bench_encode(const struct ss_bench_options *options)
{
    static const unsigned entities[] = { 10, 1000, 10000 };
    struct ss_transport transport;
    struct ss_registry *registry = ss__bench_registry(&transport);
    char name[64];
    for (int encoding = 0; encoding < 3; encoding++) {
        (void)snprintf(name, sizeof name, "encode_frame_%s", encoding_names[encoding]);
        if (ss__bench_wanted(options, name)) {
            run_frame(&transport, (enum ss_encoding)encoding, name, 200000 * options->scale);
        }
    }
    for (int encoding = 1; encoding < 3; encoding++) {
        for (unsigned i = 0; i < sizeof entities / sizeof *entities; i++) {
            (void)snprintf(name, sizeof name, "encode_snapshot_%s_%u", encoding_names[encoding],
                           entities[i]);
            if (ss__bench_wanted(options, name)) {
                run_snapshot(&transport, (enum ss_encoding)encoding, name, entities[i],
                             20000 * options->scale / entities[i]);
            }
        }
    }
    ss_registry_free(registry);
}
