/* stats.h - counters of shards and gateways for /metrics.
 *
 * Each block is written by one thread with relaxed stores and read by any: a reader may see one
 * counter newer than another, never a torn one. */
#ifndef SS_MESSAGE_STATS_H
#define SS_MESSAGE_STATS_H

#include <stdatomic.h>
#include <stdint.h>

/* X(field, metric name without prefix, help) */
#define SS_SHARD_COUNTERS(X)                                                                  \
    X(commands, "commands_total", "Commands handled")                                        \
    X(command_errors, "command_errors_total", "Commands that ended with an error")           \
    X(events, "events_total", "Events committed")                                            \
    X(frames, "ui_frames_total", "UI frames released to gateways")                           \
    X(snapshot_hits, "snapshot_cache_hits_total", "Subscribes answered by a cached snapshot") \
    X(commits, "commits_total", "Store transactions committed")                              \
    X(commit_errors, "commit_errors_total", "Commits that failed")                           \
    X(flushes, "flushes_total", "Transactions that moved events from the log into LMDB")     \
    X(flush_errors, "flush_errors_total", "Those that failed: the log keeps the events")     \
    X(flush_us, "flush_microseconds_total", "Time they took")                                \
    X(projection_errors, "projection_errors_total", "Projections that failed")               \
    X(unreadable_payloads, "unreadable_payloads_total",                                      \
      "Stored events and entities that the application cannot read, when met")               \
    X(slow_handlers, "slow_handlers_total", "Handler calls over 5 ms")                       \
    X(sessions_loaded, "sessions_loaded_total", "Sessions loaded from the store")            \
    X(sessions_evicted, "sessions_evicted_total", "Idle sessions dropped from memory")       \
    X(overflows, "gateway_overflows_total", "Sessions whose frames were dropped for a resync") \
    X(replays, "idempotent_replays_total", "Keyed commands answered with an earlier result") \
    X(keys_evicted, "idempotency_keys_evicted_total",                                        \
      "Results of keyed commands dropped before their time, over a limit")                   \
    X(error_records, "error_records_total", "Error records kept")                            \
    X(error_records_lost, "error_records_lost_total", "Error records that could not be kept")\
    X(folds, "folds_total", "Timelines made again from events beside the live one")          \
    X(fold_events, "fold_events_total", "Events read for them")                              \
    X(retention_events, "retention_events_total", "Events dropped by retention")             \
    X(retention_bytes, "retention_bytes_total", "Bytes of segments dropped by retention")    \
    X(retention_passes, "retention_passes_total", "Looks of retention at all sessions")      \
    X(retention_held, "retention_held_total",                                                \
      "Times that events stayed because entities as of then could not be made")               \
    X(snapshots_pooled, "snapshots_pooled_total",                                            \
      "Large snapshots that were encoded beside their shard")

/* By encoding. */
#define SS_SHARD_ENCODED(X)                                                                   \
    X(frames_encoded, "frames_encoded_total", "UI frames encoded: one once, whoever follows") \
    X(snapshots, "snapshots_total", "Snapshots encoded")                                     \
    X(pages, "snapshot_pages_total", "Pages of snapshots encoded")

#define SS_SHARD_GAUGES(X)                                                                    \
    X(sessions, "sessions_in_memory", "Sessions in memory")                                  \
    X(held, "sessions_held", "Evicted sessions with events that are only in the log")        \
    X(followed, "sessions_followed", "Sessions with at least one follower")                  \
    X(tasks, "tasks", "Waiting tasks")                                                       \
    X(works, "works", "Blocking works that run or wait for a thread")                        \
    X(frozen_bytes, "snapshot_pages_bytes",                                                  \
      "Memory of snapshots that are being sent in pages or encoded beside their shard")      \
    X(snapshot_jobs, "snapshot_jobs",                                                        \
      "Large snapshots that are encoded beside their shard or wait for their turn")          \
    X(state_bytes, "session_state_bytes", "Memory held by session states")                   \
    X(store_failed, "store_failed", "1 when the store refuses commits until restart") \
    X(keys, "idempotency_keys", "Results of keyed commands that are kept")                   \
    X(keys_bytes, "idempotency_keys_bytes", "Memory they take")                              \
    X(segment_bytes, "segment_bytes",                                                        \
      "Bytes of events in segments, as retention has last found them; 0 without retention")

#define SS_GATEWAY_COUNTERS(X)                                                                \
    X(accepted, "connections_total", "Connections accepted")                                 \
    X(refused, "connections_refused_total", "Connections refused over a limit")              \
    X(handshakes_refused, "handshakes_refused_total", "HTTP requests refused before upgrade") \
    X(requests, "http_requests_total", "HTTP requests answered")                             \
    X(frames_in, "frames_in_total", "Websocket messages received")                           \
    X(bytes_in, "bytes_in_total", "Bytes received")                                          \
    X(frames_out, "frames_out_total", "Websocket messages queued to clients")                \
    X(bytes_out, "bytes_out_total", "Bytes written")                                         \
    X(writes, "writes_total", "Write system calls")                                          \
    X(slow_clients, "slow_clients_total", "Send queues that overflowed")                     \
    X(resyncs, "resyncs_total", "Subscriptions answered again after an overflow")            \
    X(dead_clients, "dead_clients_total", "Connections closed for silence")                  \
    X(slices, "gateway_slices_total",                                                        \
      "Times that reading, accepting or closing was broken off for what else waited")

#define SS_GATEWAY_GAUGES(X)                                                                  \
    X(connections, "connections", "Open connections")                                        \
    X(websockets, "websockets", "Open websocket connections")                                \
    X(followers, "followers", "Subscriptions of all connections")                            \
    X(sessions, "gateway_sessions", "Sessions with followers on a gateway")                  \
    X(answer_bytes, "unread_answers_bytes", "Memory of answers that clients have not read")

/* Of the process; without --backup-dir there are none. */
#define SS_BACKUP_COUNTERS(X)                                                                 \
    X(done, "backups_total", "Backups that were completed")                                  \
    X(failed, "backups_failed_total", "Backups that failed or were canceled")                \
    X(bytes, "backup_bytes_total", "Bytes that backups have copied")

#define SS_BACKUP_GAUGES(X)                                                                   \
    X(running, "backup_running", "1 while a backup is made")                                 \
    X(success_s, "backup_success_timestamp_seconds",                                         \
      "When the last backup was complete; 0: none since the start")

/* Bucket bounds: batch size in messages, commit time in microseconds; the last is infinity. */
#define SS_BATCH_BUCKETS 12
#define SS_COMMIT_BUCKETS 14
extern const uint32_t ss__batch_bounds[SS_BATCH_BUCKETS - 1];
extern const uint32_t ss__commit_bounds_us[SS_COMMIT_BUCKETS - 1];

/* Errors sent to clients, by place in SS_ERROR_MAP. */
#define SS_STATS_ERRORS 64

/* Those of frames, as wire/encoding.h counts them, and the JSON document of HTTP. */
#define SS_STATS_ENCODINGS 4
#define SS_STATS_DOCUMENT 3

struct ss_shard_stats {
#define SS_STATS_FIELD(field, metric, help) atomic_uint_fast64_t field;
#define SS_STATS_ENCODED(field, metric, help) atomic_uint_fast64_t field[SS_STATS_ENCODINGS];
    SS_SHARD_COUNTERS(SS_STATS_FIELD)
    SS_SHARD_ENCODED(SS_STATS_ENCODED)
#undef SS_STATS_ENCODED
    SS_SHARD_GAUGES(SS_STATS_FIELD)
    atomic_uint_fast64_t batch[SS_BATCH_BUCKETS];
    atomic_uint_fast64_t batch_sum;
    atomic_uint_fast64_t commit[SS_COMMIT_BUCKETS];
    atomic_uint_fast64_t commit_sum_us;
    atomic_uint_fast64_t errors[SS_STATS_ERRORS];
};

struct ss_gateway_stats {
    SS_GATEWAY_COUNTERS(SS_STATS_FIELD)
    SS_GATEWAY_GAUGES(SS_STATS_FIELD)
    atomic_uint_fast64_t errors[SS_STATS_ERRORS];
};

/* Written under the lock of the backups. */
struct ss_backup_stats {
    SS_BACKUP_COUNTERS(SS_STATS_FIELD)
    SS_BACKUP_GAUGES(SS_STATS_FIELD)
#undef SS_STATS_FIELD
};

/* Only the owning thread of @counter, or with its lock. */
static inline void ss__count(atomic_uint_fast64_t *counter, uint64_t more)
{
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + more,
                          memory_order_relaxed);
}

static inline void ss__gauge_set(atomic_uint_fast64_t *gauge, uint64_t value)
{
    atomic_store_explicit(gauge, value, memory_order_relaxed);
}

/* Counts an error by its code; a code outside the list counts as SS_E_INTERNAL. */
void ss__count_error(atomic_uint_fast64_t errors[SS_STATS_ERRORS], int err);

/* Index of the bucket of @value in @bounds (@count of them); @count for infinity. */
unsigned ss__bucket(const uint32_t *bounds, unsigned count, uint64_t value);

/* What the whole process shows under /metrics; filled by the engine before threads start. */
struct ss_stats_table {
    uint32_t shards_count;
    uint32_t gateways_count;
    struct ss_shard_stats *shards;        /* arrays, one cache-aligned block each */
    struct ss_gateway_stats *gateways;
    const struct ss_backup_stats *backups;    /* NULL: there are no backups */
    const struct ss_inbox *const *shard_inboxes;
    const struct ss_inbox *const *gateway_inboxes;
};

/* Appends the Prometheus text of @table to @out. Any thread. */
struct ss_bytes;
void ss__stats_text(const struct ss_stats_table *table, struct ss_bytes *out);

#endif
