#include "message/stats.h"

#include <stdbool.h>
#include <stddef.h>

#include <sessionstream/error.h>

#include "core/bytes.h"
#include "message/message.h"
#include "message/metrics.h"
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

static const char *const encoding_names[] = { "v1_json", "v2_json", "v2_protobuf", "http_json" };

_Static_assert(sizeof encoding_names / sizeof encoding_names[0] == SS_STATS_ENCODINGS &&
                   SS_STATS_DOCUMENT == SS_MESSAGE_ENCODINGS,
               "every encoding has a name");

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

static void write_head(struct ss_bytes *out, const struct ss_metric *metric)
{
    const char *const parts[] = { "# HELP " SS_METRIC_PREFIX, metric->name, " ", metric->help,
                                  "\n# TYPE " SS_METRIC_PREFIX, metric->name, " ", metric->type,
                                  "\n" };
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        ss__bytes_text(out, parts[i]);
    }
}

/* NAME{LABEL="INDEX" without the closing brace, so that more labels may follow. */
static void write_series(struct ss_bytes *out, const char *metric, const char *suffix,
                         const char *label, uint32_t index)
{
    ss__bytes_text(out, SS_METRIC_PREFIX);
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

/* The counter at the metric's offset of each of @count structs of @stride bytes. */
static void write_counters(struct ss_bytes *out, const struct ss_metric *metric,
                           const char *label, const void *blocks, uint32_t count, size_t stride)
{
    for (uint32_t i = 0; i < count; i++) {
        const char *block = (const char *)blocks + (size_t)i * stride + metric->offset;
        write_series(out, metric->name, "", label, i);
        write_value(out, load((const atomic_uint_fast64_t *)(const void *)block));
    }
}

static void write_backups(struct ss_bytes *out, const struct ss_metric *metric,
                          const struct ss_backup_stats *backups)
{
    if (backups != NULL) {
        const char *block = (const char *)backups + metric->offset;
        ss__bytes_text(out, SS_METRIC_PREFIX);
        ss__bytes_text(out, metric->name);
        ss__bytes_byte(out, ' ');
        ss__bytes_u64(out, load((const atomic_uint_fast64_t *)(const void *)block));
        ss__bytes_byte(out, '\n');
    }
}

static void write_encoded(struct ss_bytes *out, const struct ss_metric *metric,
                          const struct ss_stats_table *table)
{
    for (uint32_t i = 0; i < table->shards_count; i++) {
        const char *block = (const char *)&table->shards[i] + metric->offset;
        const atomic_uint_fast64_t *counters = (const atomic_uint_fast64_t *)(const void *)block;
        for (unsigned encoding = 0; encoding < SS_STATS_ENCODINGS; encoding++) {
            write_series(out, metric->name, "", "shard", i);
            ss__bytes_text(out, ",encoding=\"");
            ss__bytes_text(out, encoding_names[encoding]);
            ss__bytes_byte(out, '"');
            write_value(out, load(&counters[encoding]));
        }
    }
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

static void write_histograms(const struct ss_stats_table *table, const struct ss_metric *metric,
                             struct ss_bytes *out)
{
    for (uint32_t i = 0; i < table->shards_count; i++) {
        const struct ss_shard_stats *stats = &table->shards[i];
        if (metric->source == SS_METRIC_BATCH) {
            write_histogram(out, metric->name, i, ss__batch_bounds, SS_BATCH_BUCKETS - 1,
                            stats->batch, load(&stats->batch_sum), false);
        } else {
            write_histogram(out, metric->name, i, ss__commit_bounds_us, SS_COMMIT_BUCKETS - 1,
                            stats->commit, load(&stats->commit_sum_us), true);
        }
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

static void write_inboxes(const struct ss_stats_table *table, const struct ss_metric *metric,
                          struct ss_bytes *out)
{
    bool bytes = metric->source == SS_METRIC_INBOX_BYTES;
    write_inboxes_of(out, metric->name, "shard", table->shard_inboxes, table->shards_count, bytes);
    write_inboxes_of(out, metric->name, "gateway", table->gateway_inboxes, table->gateways_count,
                     bytes);
}

void ss__stats_text(const struct ss_stats_table *table, struct ss_bytes *out)
{
    for (size_t i = 0; i < ss__metrics_count; i++) {
        const struct ss_metric *metric = &ss__metrics[i];
        write_head(out, metric);
        switch (metric->source) {
        case SS_METRIC_SHARD:
            write_counters(out, metric, "shard", table->shards, table->shards_count,
                           sizeof table->shards[0]);
            break;
        case SS_METRIC_ENCODED:
            write_encoded(out, metric, table);
            break;
        case SS_METRIC_GATEWAY:
            write_counters(out, metric, "gateway", table->gateways, table->gateways_count,
                           sizeof table->gateways[0]);
            break;
        case SS_METRIC_BACKUP:
            write_backups(out, metric, table->backups);
            break;
        case SS_METRIC_BATCH:
        case SS_METRIC_COMMIT:
            write_histograms(table, metric, out);
            break;
        case SS_METRIC_ERRORS:
            write_errors(table, out);
            break;
        case SS_METRIC_INBOX_MESSAGES:
        case SS_METRIC_INBOX_BYTES:
            write_inboxes(table, metric, out);
            break;
        }
    }
}
