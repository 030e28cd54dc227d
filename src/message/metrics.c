#include "message/metrics.h"

#include <string.h>

#include "message/stats.h"

#define SHARD_METRIC(field, metric, help, type) \
    { metric, type, "shard", help, SS_METRIC_SHARD, offsetof(struct ss_shard_stats, field) },
#define SHARD_COUNTER(field, metric, help) SHARD_METRIC(field, metric, help, "counter")
#define SHARD_ENCODED(field, metric, help)                                    \
    { metric, "counter", "shard, encoding", help, SS_METRIC_ENCODED,          \
      offsetof(struct ss_shard_stats, field) },
#define SHARD_GAUGE(field, metric, help) SHARD_METRIC(field, metric, help, "gauge")
#define GATEWAY_METRIC(field, metric, help, type) \
    { metric, type, "gateway", help, SS_METRIC_GATEWAY, offsetof(struct ss_gateway_stats, field) },
#define GATEWAY_COUNTER(field, metric, help) GATEWAY_METRIC(field, metric, help, "counter")
#define GATEWAY_GAUGE(field, metric, help) GATEWAY_METRIC(field, metric, help, "gauge")
#define BACKUP_METRIC(field, metric, help, type) \
    { metric, type, "none", help, SS_METRIC_BACKUP, offsetof(struct ss_backup_stats, field) },
#define BACKUP_COUNTER(field, metric, help) BACKUP_METRIC(field, metric, help, "counter")
#define BACKUP_GAUGE(field, metric, help) BACKUP_METRIC(field, metric, help, "gauge")

const struct ss_metric ss__metrics[] = {
    SS_SHARD_COUNTERS(SHARD_COUNTER)
    SS_SHARD_ENCODED(SHARD_ENCODED)
    SS_SHARD_GAUGES(SHARD_GAUGE)
    { "batch_messages", "histogram", "shard", "Messages handled in one batch", SS_METRIC_BATCH, 0 },
    { "commit_seconds", "histogram", "shard", "Time of one store transaction, fsync included",
      SS_METRIC_COMMIT, 0 },
    SS_GATEWAY_COUNTERS(GATEWAY_COUNTER)
    SS_GATEWAY_GAUGES(GATEWAY_GAUGE)
    SS_BACKUP_COUNTERS(BACKUP_COUNTER)
    SS_BACKUP_GAUGES(BACKUP_GAUGE)
    { "errors_total", "counter", "shard or gateway, code",
      "Errors by code, counted where they arose", SS_METRIC_ERRORS, 0 },
    { "inbox_messages", "gauge", "shard or gateway", "Messages waiting in an inbox",
      SS_METRIC_INBOX_MESSAGES, 0 },
    { "inbox_bytes", "gauge", "shard or gateway", "Bytes waiting in an inbox",
      SS_METRIC_INBOX_BYTES, 0 },
};

const size_t ss__metrics_count = sizeof ss__metrics / sizeof ss__metrics[0];

const char *ss__metric_unit(const struct ss_metric *metric)
{
    if (strstr(metric->name, "bytes") != NULL) {
        return "bytes";
    }
    if (strstr(metric->name, "microseconds") != NULL) {
        return "microseconds";
    }
    return strstr(metric->name, "seconds") != NULL ? "seconds" : "1";
}
