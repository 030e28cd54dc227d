/* metrics.h - every metric of /metrics, once: what stats.c prints and what docs/reference.md
 * lists. Constant data; any thread. */
#ifndef SS_MESSAGE_METRICS_H
#define SS_MESSAGE_METRICS_H

#include <stddef.h>

/* Where the values of a metric are. */
enum ss_metric_source {
    SS_METRIC_SHARD,             /* a counter of struct ss_shard_stats */
    SS_METRIC_ENCODED,           /* the counters by encoding of struct ss_shard_stats */
    SS_METRIC_GATEWAY,           /* a counter of struct ss_gateway_stats */
    SS_METRIC_BACKUP,            /* a counter of struct ss_backup_stats */
    SS_METRIC_BATCH,             /* the histograms of struct ss_shard_stats */
    SS_METRIC_COMMIT,
    SS_METRIC_ERRORS,            /* the counters by code of both */
    SS_METRIC_INBOX_MESSAGES,
    SS_METRIC_INBOX_BYTES
};

struct ss_metric {
    const char *name;            /* without SS_METRIC_PREFIX */
    const char *type;            /* as Prometheus calls it: counter, gauge, histogram */
    const char *labels;          /* for a person: "shard", "shard or gateway, code", "none" */
    const char *help;
    enum ss_metric_source source;
    size_t offset;               /* of the counter: SS_METRIC_SHARD, _ENCODED, _GATEWAY, _BACKUP */
};

#define SS_METRIC_PREFIX "sessionstream_"

extern const struct ss_metric ss__metrics[];
extern const size_t ss__metrics_count;

/* The unit, which the name carries: "bytes", "seconds", "microseconds", else "1". */
const char *ss__metric_unit(const struct ss_metric *metric);

#endif
