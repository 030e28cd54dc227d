#include "message/stats.h"

#include <stdbool.h>
#include <stddef.h>

#include <sessionstream/error.h>

#include "core/bytes.h"
#include "runtime/inbox.h"

const uint32_t ss__batch_bounds[SS_BATCH_BUCKETS - 1] = { 1,  2,   4,   8,   16,  32,
                                                          64, 128, 256, 512, 1024 };
const uint32_t ss__commit_bounds_us[SS_COMMIT_BUCKETS - 1] = { 50,    100,   250,    500,    1000,
                                                               2500,  5000,  10000,  25000,  50000,
                                                               100000, 250000, 1000000 };

static const int codes[] = {
#define SS_STATS_CODE(name, number, wire, text) number,
    SS_ERROR_MAP(SS_STATS_CODE)
#undef SS_STATS_CODE
};
#define CODES_COUNT (sizeof codes / sizeof codes[0])

_Static_assert(CODES_COUNT <= SS_STATS_ERRORS, "every code needs a counter");

void ss__count_error(atomic_uint_fast64_t errors[SS_STATS_ERRORS], int err)
{
    size_t internal = 0;
    for (size_t i = 0; i < CODES_COUNT; i++) {
        if (codes[i] == err) {
            ss__count(&errors[i], 1);
            return;
        }
        if (codes[i] == SS_E_INTERNAL) {
            internal = i;
        }
    }
    ss__count(&errors[internal], 1);
}

unsigned ss__bucket(const uint32_t *bounds, unsigned count, uint64_t value)
{
    unsigned at = 0;
    while (at < count && value > bounds[at]) {
        at++;
    }
    return at;
}

static uint64_t load(const atomic_uint_fast64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

/* Seconds as a decimal without exponent: microseconds are exact this way. */
static void write_seconds(struct ss_bytes *out, uint64_t us)
{
    char digits[8] = ".000000";
    uint64_t part = us % 1000000;
    for (int i = 6; i >= 1; i--) {
        digits[i] = (char)('0' + part % 10);
        part /= 10;
    }
    size_t len = 7;
    while (len > 0 && (digits[len - 1] == '0' || digits[len - 1] == '.')) {
        len--;
    }
    ss__bytes_u64(out, us / 1000000);
    ss__bytes_append(out, digits, len);
}

static void write_head(struct ss_bytes *out, const char *metric, const char *help,
                       const char *type)
{
    ss__bytes_text(out, "# HELP sessionstream_");
    ss__bytes_text(out, metric);
    ss__bytes_byte(out, ' ');
    ss__bytes_text(out, help);
    ss__bytes_text(out, "\n# TYPE sessionstream_");
    ss__bytes_text(out, metric);
    ss__bytes_byte(out, ' ');
    ss__bytes_text(out, type);
    ss__bytes_byte(out, '\n');
}

/* NAME{LABEL="INDEX" without the closing brace, so that more labels may follow. */
static void write_series(struct ss_bytes *out, const char *metric, const char *suffix,
                         const char *label, uint32_t index)
{
    ss__bytes_text(out, "sessionstream_");
    ss__bytes_text(out, metric);
    ss__bytes_text(out, suffix);
    ss__bytes_byte(out, '{');
    ss__bytes_text(out, label);
    ss__bytes_text(out, "=\"");
    ss__bytes_u64(out, index);
    ss__bytes_byte(out, '"');
}

static void write_value(struct ss_bytes *out, uint64_t value)
{
    ss__bytes_text(out, "} ");
    ss__bytes_u64(out, value);
    ss__bytes_byte(out, '\n');
}

/* One metric of every thread: @blocks are @count structs of @stride bytes with the counter at
 * @offset. */
static void write_metric(struct ss_bytes *out, const char *metric, const char *help,
                         const char *type, const char *label, const void *blocks, uint32_t count,
                         size_t stride, size_t offset)
{
    write_head(out, metric, help, type);
    for (uint32_t i = 0; i < count; i++) {
        const char *block = (const char *)blocks + (size_t)i * stride + offset;
        write_series(out, metric, "", label, i);
        write_value(out, load((const atomic_uint_fast64_t *)(const void *)block));
    }
}

static void write_shard_metrics(const struct ss_stats_table *table, struct ss_bytes *out)
{
#define SS_STATS_LINE(field, metric, help, type)                                       \
    write_metric(out, metric, help, type, "shard", table->shards, table->shards_count, \
                 sizeof(struct ss_shard_stats), offsetof(struct ss_shard_stats, field));
#define SS_STATS_COUNTER(field, metric, help) SS_STATS_LINE(field, metric, help, "counter")
#define SS_STATS_GAUGE(field, metric, help) SS_STATS_LINE(field, metric, help, "gauge")
    SS_SHARD_COUNTERS(SS_STATS_COUNTER)
    SS_SHARD_GAUGES(SS_STATS_GAUGE)
#undef SS_STATS_LINE
}

static void write_gateway_metrics(const struct ss_stats_table *table, struct ss_bytes *out)
{
#define SS_STATS_LINE(field, metric, help, type)                                              \
    write_metric(out, metric, help, type, "gateway", table->gateways, table->gateways_count, \
                 sizeof(struct ss_gateway_stats), offsetof(struct ss_gateway_stats, field));
    SS_GATEWAY_COUNTERS(SS_STATS_COUNTER)
    SS_GATEWAY_GAUGES(SS_STATS_GAUGE)
#undef SS_STATS_COUNTER
#undef SS_STATS_GAUGE
#undef SS_STATS_LINE
}

/* A histogram of one shard. The count is the sum of the buckets read here, so that the text is
 * consistent in itself while the shard goes on counting. */
static void write_histogram(struct ss_bytes *out, const char *metric, uint32_t shard,
                            const uint32_t *bounds, unsigned bounds_count,
                            const atomic_uint_fast64_t *buckets, uint64_t sum, bool in_us)
{
    uint64_t total = 0;
    for (unsigned i = 0; i <= bounds_count; i++) {
        total += load(&buckets[i]);
        write_series(out, metric, "_bucket", "shard", shard);
        ss__bytes_text(out, ",le=\"");
        if (i == bounds_count) {
            ss__bytes_text(out, "+Inf");
        } else if (in_us) {
            write_seconds(out, bounds[i]);
        } else {
            ss__bytes_u64(out, bounds[i]);
        }
        ss__bytes_byte(out, '"');
        write_value(out, total);
    }
    write_series(out, metric, "_sum", "shard", shard);
    ss__bytes_text(out, "} ");
    if (in_us) {
        write_seconds(out, sum);
    } else {
        ss__bytes_u64(out, sum);
    }
    ss__bytes_byte(out, '\n');
    write_series(out, metric, "_count", "shard", shard);
    write_value(out, total);
}

static void write_histograms(const struct ss_stats_table *table, struct ss_bytes *out)
{
    write_head(out, "batch_messages", "Messages handled in one batch", "histogram");
    for (uint32_t i = 0; i < table->shards_count; i++) {
        const struct ss_shard_stats *stats = &table->shards[i];
        write_histogram(out, "batch_messages", i, ss__batch_bounds, SS_BATCH_BUCKETS - 1,
                        stats->batch, load(&stats->batch_sum), false);
    }
    write_head(out, "commit_seconds", "Time of one store transaction, fsync included",
               "histogram");
    for (uint32_t i = 0; i < table->shards_count; i++) {
        const struct ss_shard_stats *stats = &table->shards[i];
        write_histogram(out, "commit_seconds", i, ss__commit_bounds_us, SS_COMMIT_BUCKETS - 1,
                        stats->commit, load(&stats->commit_sum_us), true);
    }
}

/* Codes that never happened are left out: most do not. */
static void write_errors_of(struct ss_bytes *out, const char *label, uint32_t index,
                            const atomic_uint_fast64_t errors[SS_STATS_ERRORS])
{
    for (size_t i = 0; i < CODES_COUNT; i++) {
        uint64_t value = load(&errors[i]);
        if (value == 0) {
            continue;
        }
        write_series(out, "errors_total", "", label, index);
        ss__bytes_text(out, ",code=\"");
        ss__bytes_text(out, ss_error_wire_name(codes[i]));
        ss__bytes_byte(out, '"');
        write_value(out, value);
    }
}

static void write_errors(const struct ss_stats_table *table, struct ss_bytes *out)
{
    write_head(out, "errors_total", "Errors by code, counted where they arose", "counter");
    for (uint32_t i = 0; i < table->shards_count; i++) {
        write_errors_of(out, "shard", i, table->shards[i].errors);
    }
    for (uint32_t i = 0; i < table->gateways_count; i++) {
        write_errors_of(out, "gateway", i, table->gateways[i].errors);
    }
}

static void write_inboxes_of(struct ss_bytes *out, const char *metric, const char *label,
                             const struct ss_inbox *const *inboxes, uint32_t count, bool bytes)
{
    for (uint32_t i = 0; inboxes != NULL && i < count; i++) {
        write_series(out, metric, "", label, i);
        write_value(out, bytes ? ss__inbox_bytes(inboxes[i]) : ss__inbox_depth(inboxes[i]));
    }
}

static void write_inboxes(const struct ss_stats_table *table, struct ss_bytes *out)
{
    write_head(out, "inbox_messages", "Messages waiting in an inbox", "gauge");
    write_inboxes_of(out, "inbox_messages", "shard", table->shard_inboxes, table->shards_count,
                     false);
    write_inboxes_of(out, "inbox_messages", "gateway", table->gateway_inboxes,
                     table->gateways_count, false);
    write_head(out, "inbox_bytes", "Bytes waiting in an inbox", "gauge");
    write_inboxes_of(out, "inbox_bytes", "shard", table->shard_inboxes, table->shards_count, true);
    write_inboxes_of(out, "inbox_bytes", "gateway", table->gateway_inboxes, table->gateways_count,
                     true);
}

void ss__stats_text(const struct ss_stats_table *table, struct ss_bytes *out)
{
    write_shard_metrics(table, out);
    write_histograms(table, out);
    write_gateway_metrics(table, out);
    write_errors(table, out);
    write_inboxes(table, out);
}
