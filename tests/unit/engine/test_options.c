#include "engine/options.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <sessionstream/limits.h>

#include "ss_test.h"

#define KIB (UINT64_C(1) << 10)
#define MIB (UINT64_C(1) << 20)
#define TIB (UINT64_C(1) << 40)

static struct ss_engine_options defaults(void)
{
    struct ss_engine_options options;
    memset(&options, 0xA5, sizeof options);
    ss_engine_options_init(&options);
    return options;
}

static void accepted(const struct ss_engine_options *options)
{
    struct ss_failure failure = { 0 };
    ss_check_msg(ss__options_check(options, &failure) == 0, "%s", failure.text);
}

static void refused(const struct ss_engine_options *options, const char *text)
{
    struct ss_failure failure = { 0 };
    ss_check_msg(ss__options_check(options, &failure) == SS_E_INVAL, "%s", text);
    ss_check_msg(strstr(failure.text, text) != NULL, "\"%s\" is not in \"%s\"", text, failure.text);
    ss_check(ss__options_check(options, NULL) == SS_E_INVAL);
}

SS_TEST(options, the_defaults_are_those_of_the_header_and_are_accepted)
{
    struct ss_engine_options options = defaults();
    accepted(&options);
    ss_check(strcmp(options.data_dir, "./data") == 0 && options.store_map_bytes == 0);
    ss_check(options.shard_count == 0 && options.gateway_count == 1);
    ss_check(strcmp(options.listen_host, "127.0.0.1") == 0 && options.listen_port == 8080);
    ss_check(options.ui_policy == SS_POLICY_FAIL && options.timeline_policy == SS_POLICY_FAIL);
    ss_check(options.durability == SS_DURABILITY_FSYNC && options.durability_interval_ms == 100);
    ss_check(options.log_window_bytes == 512 * MIB && options.min_free_bytes == 256 * MIB);
    ss_check(options.session_cache_bytes == 1024 * MIB);
    ss_check(options.client_queue_bytes == SS_CLIENT_QUEUE_BYTES_MAX);
    ss_check(options.slow_client_rounds == SS_SLOW_CLIENT_ROUNDS);
    ss_check(options.client_frame_bytes == SS_CLIENT_FRAME_BYTES_MAX);
    ss_check(options.snapshot_frame_bytes == SS_SNAPSHOT_FRAME_BYTES_MAX);
    ss_check(options.connections_max == SS_CONNECTIONS_MAX);
    ss_check(options.subscriptions_max == SS_SUBSCRIPTIONS_MAX);
    ss_check(options.handshake_timeout_ms == 10000 && options.ping_interval_ms == 25000);
    ss_check(options.dead_timeout_ms == 60000 && options.stop_timeout_ms == 4000);
}

SS_TEST(options, a_data_directory_has_to_be_named)
{
    struct ss_engine_options options = defaults();
    options.data_dir = NULL;
    refused(&options, "data_dir is empty");
    options.data_dir = "";
    refused(&options, "data_dir is empty");
    options = defaults();
    options.verify = (enum ss_verify)7;
    refused(&options, "verify 7 is unknown");
}

struct field {
    const char *name;
    size_t offset;
    size_t width;
    uint64_t min;
    uint64_t max;
};

#define FIELD(member)                                                                 \
    #member, offsetof(struct ss_engine_options, member),                              \
        sizeof(((struct ss_engine_options *)NULL)->member)

static const struct field fields[] = {
    { FIELD(shard_count), 0, SS_SHARDS_MAX },
    { FIELD(gateway_count), 1, SS_GATEWAYS_MAX },
    { FIELD(durability_interval_ms), 0, 60000 },
    { FIELD(store_map_bytes), 0, 16 * TIB },
    { FIELD(log_window_bytes), 1 * MIB, 65536 * MIB },
    { FIELD(min_free_bytes), 0, 16 * TIB },
    { FIELD(session_cache_bytes), 0, 16 * TIB },
    { FIELD(client_queue_bytes), 64 * KIB, 1024 * MIB },
    { FIELD(slow_client_rounds), 0, 200 },
    { FIELD(client_frame_bytes), 1 * KIB, 64 * MIB },
    { FIELD(snapshot_frame_bytes), 64 * KIB, 64 * MIB },
    { FIELD(connections_max), 1, 1000000 },
    { FIELD(subscriptions_max), 1, 65535 },
    { FIELD(handshake_timeout_ms), 1, 600000 },
    { FIELD(ping_interval_ms), 1, 3600000 },
    { FIELD(dead_timeout_ms), 2, 7200000 },
    { FIELD(stop_timeout_ms), 0, 600000 },
};

/* The defaults with one field changed; a ping stays shorter than death. */
static struct ss_engine_options with(const struct field *field, uint64_t value)
{
    struct ss_engine_options options = defaults();
    options.ping_interval_ms = 1;
    options.dead_timeout_ms = 7200000;
    uint32_t narrow = (uint32_t)value;
    const void *from = field->width == sizeof narrow ? (const void *)&narrow : &value;
    memcpy((char *)&options + field->offset, from, field->width);
    return options;
}

static void check_refused(const struct field *field, uint64_t value)
{
    char text[64];
    struct ss_engine_options options = with(field, value);
    (void)snprintf(text, sizeof text, "%s %" PRIu64 " is not within ", field->name, value);
    refused(&options, text);
}

SS_TEST(options, every_number_is_accepted_at_its_bounds_and_refused_beyond)
{
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        const struct field *field = &fields[i];
        ss_check(field->width == 4 || field->width == 8);
        struct ss_engine_options least = with(field, field->min);
        struct ss_engine_options most = with(field, field->max);
        accepted(&least);
        accepted(&most);
        if (field->min > 0) {
            check_refused(field, field->min - 1);
        }
        check_refused(field, field->max + 1);
        check_refused(field, field->width == 4 ? UINT32_MAX : UINT64_MAX);
    }
}

SS_TEST(options, without_an_address_no_gateway_is_needed)
{
    struct ss_engine_options options = defaults();
    options.gateway_count = 0;
    refused(&options, "gateway_count 0 is not within 1 to 16");
    options.listen_host = NULL;
    accepted(&options);
    options.gateway_count = SS_GATEWAYS_MAX + 1;
    refused(&options, "gateway_count 17 is not within 0 to 16");
}

SS_TEST(options, only_interval_durability_needs_an_interval)
{
    struct ss_engine_options options = defaults();
    options.durability_interval_ms = 0;
    accepted(&options);
    options.durability = SS_DURABILITY_NONE;
    accepted(&options);
    options.durability = SS_DURABILITY_INTERVAL;
    refused(&options, "durability_interval_ms 0 is not within 1 to 60000");
}

SS_TEST(options, an_unknown_durability_is_refused)
{
    struct ss_engine_options options = defaults();
    options.durability = (enum ss_durability)(SS_DURABILITY_NONE + 1);
    refused(&options, "durability 3 is unknown");
}

SS_TEST(options, a_client_is_pinged_before_it_is_dead)
{
    struct ss_engine_options options = defaults();
    options.ping_interval_ms = options.dead_timeout_ms;
    refused(&options, "dead_timeout_ms 60000 is not longer than ping_interval_ms 60000");
    options.dead_timeout_ms++;
    accepted(&options);
}

SS_TEST(options, shards_follow_the_cores_between_two_and_eight)
{
    struct ss_engine_options options = defaults();
    uint32_t last = UINT32_MAX;
    for (uint32_t gateways = 0; gateways <= SS_GATEWAYS_MAX; gateways++) {
        options.gateway_count = gateways;
        uint32_t shards = ss__options_default_shards(&options);
        ss_check(shards >= 2 && shards <= 8 && shards <= last);
        last = shards;
    }
}

/* What flushes and hung disks took of it is not there for clients once more. */
SS_TEST(options, a_stop_has_one_timeout_for_all_it_waits_for)
{
    struct ss_engine_options options = defaults();
    options.stop_timeout_ms = 60000;
    ss_check(ss__options_patience_ms(&options, 0) == 60000);
    ss_check(ss__options_patience_ms(&options, UINT64_C(40000) * 1000000) == 20000);
    ss_check(ss__options_patience_ms(&options, UINT64_C(45000) * 1000000) == 15000);
    ss_check(ss__options_patience_ms(&options, UINT64_C(60000) * 1000000) == 15000);
    ss_check(ss__options_patience_ms(&options, UINT64_MAX) == 15000);
    options.stop_timeout_ms = 0;
    ss_check(ss__options_patience_ms(&options, 1) == 0);
}
