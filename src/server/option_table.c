#include "server/option_table.h"

#include <string.h>

#include "server/nearest.h"
#include "server/options.h"

#define KIB 1024ull
#define MIB (1024ull * KIB)
#define GIB (1024ull * MIB)
#define TIB (1024ull * GIB)
#define MINUTE_MS 60000ull

#define FIELD(member)                                                                        \
    .offset = offsetof(struct ss_server_options, member),                                    \
    .width = sizeof(((struct ss_server_options *)NULL)->member)

const struct ss_option ss__options[SS_OPTION_COUNT] = {
    [SS_OPTION_LISTEN] = { "listen", SS_OPTION_KIND_ADDRESS, "HOST:PORT", "127.0.0.1:8080",
                           .help = "Address to listen on, IPv6 in brackets ([::1]:8080). Port 0 "
                                   "takes a free one. 0.0.0.0 or [::] serves other machines." },
    [SS_OPTION_DATA] = { "data", SS_OPTION_KIND_TEXT, "DIR", "./data", 1, 4000, FIELD(data),
                         .help = "Data directory, created if absent." },
    [SS_OPTION_APP] = { "app", SS_OPTION_KIND_TEXT, "APP", "chat", 1, 4000, FIELD(app),
                        .help = "Application to serve: a built-in one, or a module by its path "
                                "(./shopping.so). --help --app FILE lists a module's options." },
    [SS_OPTION_APP_OPTION] = { "app-option", SS_OPTION_KIND_MAP, "KEY=VALUE", NULL, 1, 4000,
                               FIELD(app_options),
                               .help = "Option of the application; may be repeated. The variable "
                                       "takes several, separated by commas." },
    [SS_OPTION_SCHEMA] = { "schema", SS_OPTION_KIND_LIST, "FILE", NULL, 1, 4000, FIELD(schemas),
                           .help = "FileDescriptorSet (protoc --include_imports) to load besides "
                                   "the application's own; may be repeated. The variable takes "
                                   "several, separated by commas." },
    [SS_OPTION_SHARDS] = { "shards", SS_OPTION_KIND_NUMBER, "N", "auto", 1, SS_SHARDS_MAX, true,
                           FIELD(engine.shard_count),
                           .help = "Shard threads. auto: the number the data directory was made "
                                   "with, or by cores for a new one." },
    [SS_OPTION_GATEWAYS] = { "gateways", SS_OPTION_KIND_NUMBER, "N", "1", 1, SS_GATEWAYS_MAX,
                             FIELD(engine.gateway_count),
                             .help = "Threads that serve connections." },
    [SS_OPTION_DURABILITY] = { "durability", SS_OPTION_KIND_DURABILITY, "MODE", "fsync",
                               .help = "fsync: nothing is acknowledged or shown before it is on "
                                       "disk. interval:100ms: at once, on disk every so often; a "
                                       "power failure loses at most that, a crash nothing. none: "
                                       "left to the kernel." },
    [SS_OPTION_STORE_MAP] = { "store-map", SS_OPTION_KIND_BYTES, "SIZE", "auto", 16 * MIB,
                              16 * TIB, true, FIELD(engine.store_map_bytes),
                              .help = "Largest size of a shard's store. auto: by free disk." },
    [SS_OPTION_LOG_WINDOW] = { "log-window", SS_OPTION_KIND_BYTES, "SIZE", "512MiB", 1 * MIB,
                               64 * GIB, FIELD(engine.log_window_bytes),
                               .help = "Log kept per shard before old events move into "
                                       "segments. More costs recovery time." },
    [SS_OPTION_MIN_FREE] = { "min-free", SS_OPTION_KIND_BYTES, "SIZE", "256MiB", 0, 16 * TIB,
                             FIELD(engine.min_free_bytes),
                             .help = "Free disk below which publishing is refused." },
    [SS_OPTION_SESSION_CACHE] = { "session-cache", SS_OPTION_KIND_BYTES, "SIZE", "1GiB", 1 * MIB,
                                  16 * TIB, FIELD(engine.session_cache_bytes),
                                  .help = "Memory per shard for sessions that are idle." },
    [SS_OPTION_DEBUG_RING] = { "debug-ring", SS_OPTION_KIND_NUMBER, "N", "0", 0, 1u << 20,
                               FIELD(engine.debug_ring),
                               .help = "Recent records that each shard and gateway keeps for "
                                       "/debug/sessions/ and ssctl trace; about 256 bytes each. "
                                       "0: none." },
    [SS_OPTION_CLIENT_QUEUE] = { "client-queue", SS_OPTION_KIND_BYTES, "SIZE", "1MiB", 64 * KIB,
                                 1 * GIB, FIELD(engine.client_queue_bytes),
                                 .help = "Bytes waiting for a connection that reads slowly; "
                                         "beyond, it is brought up to date by a snapshot." },
    [SS_OPTION_SLOW_CLIENT_ROUNDS] = { "slow-client-rounds", SS_OPTION_KIND_NUMBER, "N", "30", 0,
                                       200, FIELD(engine.slow_client_rounds),
                                       .help = "How often in a row a slow connection is brought "
                                               "up to date before it is closed. 0: at once." },
    [SS_OPTION_SNAPSHOT_FRAME] = { "snapshot-frame", SS_OPTION_KIND_BYTES, "SIZE", "16MiB",
                                   64 * KIB, 64 * MIB, FIELD(engine.snapshot_frame_bytes),
                                   .help = "Largest snapshot in one frame. Clients get a larger "
                                           "one in pages, if they ask for that." },
    [SS_OPTION_CLIENT_FRAME] = { "client-frame", SS_OPTION_KIND_BYTES, "SIZE", "1MiB", 1 * KIB,
                                 64 * MIB, FIELD(engine.client_frame_bytes),
                                 .help = "Largest message a client may send." },
    [SS_OPTION_CONNECTIONS] = { "connections", SS_OPTION_KIND_NUMBER, "N", "100000", 1, 1000000,
                                FIELD(engine.connections_max),
                                .help = "Connections per gateway; more are refused." },
    [SS_OPTION_SUBSCRIPTIONS] = { "subscriptions", SS_OPTION_KIND_NUMBER, "N", "256", 1, 65535,
                                  FIELD(engine.subscriptions_max),
                                  .help = "Sessions one connection may follow." },
    [SS_OPTION_HANDSHAKE_TIMEOUT] = { "handshake-timeout", SS_OPTION_KIND_DURATION, "TIME", "10s",
                                      100, 10 * MINUTE_MS, FIELD(engine.handshake_timeout_ms),
                                      .help = "Time for a connection to send its request." },
    [SS_OPTION_PING_INTERVAL] = { "ping-interval", SS_OPTION_KIND_DURATION, "TIME", "25s", 100,
                                  60 * MINUTE_MS, FIELD(engine.ping_interval_ms),
                                  .help = "Silence after which a client is pinged." },
    [SS_OPTION_DEAD_TIMEOUT] = { "dead-timeout", SS_OPTION_KIND_DURATION, "TIME", "60s", 200,
                                 120 * MINUTE_MS, FIELD(engine.dead_timeout_ms),
                                 .help = "Silence after which a connection is closed; more than "
                                         "ping-interval." },
    [SS_OPTION_STOP_TIMEOUT] = { "stop-timeout", SS_OPTION_KIND_DURATION, "TIME", "4s", 100,
                                 10 * MINUTE_MS, FIELD(engine.stop_timeout_ms),
                                 .help = "What stopping waits for clients and flushes." },
    [SS_OPTION_IDEMPOTENCY_TTL] = { "idempotency-ttl", SS_OPTION_KIND_DURATION, "TIME", "24h",
                                    1000, 43200 * MINUTE_MS, FIELD(engine.idempotency_ttl_ms),
                                    .help = "How long the result of a command with an "
                                            "idempotency key is kept for retries." },
    [SS_OPTION_UI_POLICY] = { "ui-policy", SS_OPTION_KIND_POLICY, "POLICY", "fail",
                              SS_POLICY_FAIL, SS_POLICY_ADVANCE, FIELD(engine.ui_policy),
                              .help = "What follows when the UI projection fails. fail: the "
                                      "publisher gets the error, nothing is shown. advance: the "
                                      "entities change, no frames are sent." },
    [SS_OPTION_TIMELINE_POLICY] = { "timeline-policy", SS_OPTION_KIND_POLICY, "POLICY", "fail",
                                    SS_POLICY_FAIL, SS_POLICY_HALT, FIELD(engine.timeline_policy),
                                    .help = "What follows when the timeline projection fails. "
                                            "fail: the publisher gets the error. advance: frames "
                                            "are sent, no entity changes. halt: the session's "
                                            "entities stay as they are until a retry." },
    [SS_OPTION_BACKUP_DIR] = { "backup-dir", SS_OPTION_KIND_TEXT, "DIR", NULL, 1, 4000,
                               FIELD(backup_dir),
                               .help = "Existing directory where ssctl backup makes backups. "
                                       "Without it none can be made while the daemon runs." },
    [SS_OPTION_RETAIN_AGE] = { "retain-age", SS_OPTION_KIND_DURATION, "TIME", "0ms", 0,
                               52560000 * MINUTE_MS, FIELD(engine.retain_age_ms),
                               .help = "Events older than this are dropped, such as 30d. 0ms: "
                                       "none for their age." },
    [SS_OPTION_RETAIN_EVENTS] = { "retain-events", SS_OPTION_KIND_NUMBER, "N", "0", 0, INT64_MAX,
                                  FIELD(engine.retain_events),
                                  .help = "Newest events of a session that stay when older ones "
                                          "are dropped, 64 at a time. 0: all." },
    [SS_OPTION_RETAIN_BYTES] = { "retain-bytes", SS_OPTION_KIND_BYTES, "SIZE", "0", 0, 16 * TIB,
                                 FIELD(engine.retain_bytes),
                                 .help = "Bytes of stored events of a session; beyond, its oldest "
                                         "are dropped. 0: no bound." },
    [SS_OPTION_RETAIN_TOTAL] = { "retain-total", SS_OPTION_KIND_BYTES, "SIZE", "0", 0, 1024 * TIB,
                                 FIELD(engine.retain_total_bytes),
                                 .help = "Bytes of stored events of the data directory; beyond, "
                                         "the oldest of all sessions are dropped. 0: no bound." },
    [SS_OPTION_RETAIN_SWEEP] = { "retain-sweep", SS_OPTION_KIND_DURATION, "TIME", "60s", 10,
                                 1440 * MINUTE_MS, FIELD(engine.retain_sweep_ms),
                                 .help = "How often all sessions are looked at for events to "
                                         "drop." },
    [SS_OPTION_VERIFY] = { "verify", SS_OPTION_KIND_VERIFY, "WHAT", "none", FIELD(engine.verify),
                           .help = "What is checked before the store is used. none: each value "
                                   "when it is read. structure: all pages of the data files, "
                                   "which are read for that; a damaged one is refused. records: "
                                   "every value, too." },
    [SS_OPTION_LOG_LEVEL] = { "log-level", SS_OPTION_KIND_LOG_LEVEL, "LEVEL", "info",
                              FIELD(log_level),
                              .help = "error, warn, info or debug; one line per record on "
                                      "standard error." },
    [SS_OPTION_CONFIG] = { "config", SS_OPTION_KIND_TEXT, "FILE", NULL, 1, 4000, FIELD(config),
                           .help = "YAML file with any of these options. Flags win over "
                                   "variables, variables over the file." },
};

const struct ss_option_action ss__option_actions[] = {
    { "help", SS_ACTION_HELP, "Print this and exit." },
    { "version", SS_ACTION_VERSION, "Print the version and exit." },
    { "print-config", SS_ACTION_PRINT_CONFIG,
      "Print the effective configuration as YAML, each value with its origin, and exit." },
    { "check-config", SS_ACTION_CHECK_CONFIG,
      "Check the configuration, print the first mistake with its place, and exit." },
    { "print-reference", SS_ACTION_PRINT_REFERENCE,
      "Print the reference page (docs/reference.md) as Markdown and exit." },
};

const size_t ss__option_action_count = sizeof ss__option_actions / sizeof ss__option_actions[0];

void ss__option_environment_name(const struct ss_option *option, char *out)
{
    size_t len = strlen(SS_OPTION_ENVIRONMENT_PREFIX);
    memcpy(out, SS_OPTION_ENVIRONMENT_PREFIX, len);
    for (const char *at = option->name; *at != '\0'; at++) {
        out[len++] = *at == '-' ? '_' : (char)(*at - 'a' + 'A');
    }
    out[len] = '\0';
}

void ss__option_yaml_key(const struct ss_option *option, char *out)
{
    size_t len = 0;
    for (const char *at = option->name; *at != '\0'; at++) {
        out[len++] = *at == '-' ? '_' : *at;
    }
    if (option->kind == SS_OPTION_KIND_MAP) {
        out[len++] = 's';    /* app_options is a mapping, so its key is a plural */
    }
    out[len] = '\0';
}

int ss__option_by_flag(struct ss_str name)
{
    for (int i = 0; i < SS_OPTION_COUNT; i++) {
        if (ss_str_equal(ss_str(ss__options[i].name), name)) {
            return i;
        }
    }
    return -1;
}

int ss__option_by_environment(struct ss_str name)
{
    for (int i = 0; i < SS_OPTION_COUNT; i++) {
        char own[SS_OPTION_NAME_BYTES_MAX];
        ss__option_environment_name(&ss__options[i], own);
        if (ss_str_equal(ss_str(own), name)) {
            return i;
        }
    }
    return -1;
}

int ss__option_by_yaml_key(struct ss_str name)
{
    for (int i = 0; i < SS_OPTION_COUNT; i++) {
        char own[SS_OPTION_NAME_BYTES_MAX];
        ss__option_yaml_key(&ss__options[i], own);
        if (ss_str_equal(ss_str(own), name)) {
            return i;
        }
    }
    return -1;
}

static void take_nearer(struct ss_str name, const char *candidate, unsigned *best,
                        const char **found)
{
    unsigned distance = ss__nearest_distance(name, ss_str(candidate));
    if (distance < *best) {
        *best = distance;
        *found = candidate;
    }
}

const char *ss__option_nearest(struct ss_str name)
{
    const char *found = NULL;
    unsigned best = 3;
    if (name.len < 3 || name.len >= SS_OPTION_NAME_BYTES_MAX) {
        return NULL;
    }
    for (int i = 0; i < SS_OPTION_COUNT; i++) {
        take_nearer(name, ss__options[i].name, &best, &found);
    }
    for (size_t i = 0; i < ss__option_action_count; i++) {
        take_nearer(name, ss__option_actions[i].name, &best, &found);
    }
    return found;
}
