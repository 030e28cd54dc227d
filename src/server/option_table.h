/* option_table.h - every option of sessionstreamd, once.
 *
 * The name "log-level" gives the flag --log-level, the variable SESSIONSTREAM_LOG_LEVEL and the
 * YAML key log_level. Constant data; any thread. */
#ifndef SS_SERVER_OPTION_TABLE_H
#define SS_SERVER_OPTION_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sessionstream/types.h>

#define SS_OPTION_NAME_BYTES_MAX 48
#define SS_OPTION_ENVIRONMENT_PREFIX "SESSIONSTREAM_"

enum ss_option_id {
    SS_OPTION_LISTEN,
    SS_OPTION_DATA,
    SS_OPTION_APP,
    SS_OPTION_APP_OPTION,
    SS_OPTION_SCHEMA,
    SS_OPTION_SHARDS,
    SS_OPTION_GATEWAYS,
    SS_OPTION_DURABILITY,
    SS_OPTION_STORE_MAP,
    SS_OPTION_LOG_WINDOW,
    SS_OPTION_MIN_FREE,
    SS_OPTION_SESSION_CACHE,
    SS_OPTION_DEBUG_RING,
    SS_OPTION_CLIENT_QUEUE,
    SS_OPTION_SLOW_CLIENT_ROUNDS,
    SS_OPTION_SNAPSHOT_FRAME,
    SS_OPTION_CLIENT_FRAME,
    SS_OPTION_CONNECTIONS,
    SS_OPTION_SUBSCRIPTIONS,
    SS_OPTION_HANDSHAKE_TIMEOUT,
    SS_OPTION_PING_INTERVAL,
    SS_OPTION_DEAD_TIMEOUT,
    SS_OPTION_STOP_TIMEOUT,
    SS_OPTION_IDEMPOTENCY_TTL,
    SS_OPTION_UI_POLICY,
    SS_OPTION_TIMELINE_POLICY,
    SS_OPTION_BACKUP_DIR,
    SS_OPTION_RETAIN_AGE,
    SS_OPTION_RETAIN_EVENTS,
    SS_OPTION_RETAIN_BYTES,
    SS_OPTION_RETAIN_TOTAL,
    SS_OPTION_RETAIN_SWEEP,
    SS_OPTION_VERIFY,
    SS_OPTION_LOG_LEVEL,
    SS_OPTION_CONFIG,
    SS_OPTION_COUNT
};

enum ss_option_kind {
    SS_OPTION_KIND_TEXT,          /* char * */
    SS_OPTION_KIND_ADDRESS,       /* listen_host and listen_port */
    SS_OPTION_KIND_NUMBER,        /* uint32_t; "auto" is 0 where has_auto */
    SS_OPTION_KIND_BYTES,         /* uint32_t or uint64_t by width; "auto" likewise */
    SS_OPTION_KIND_DURATION,      /* uint32_t milliseconds */
    SS_OPTION_KIND_DURABILITY,    /* engine.durability and its interval */
    SS_OPTION_KIND_LOG_LEVEL,
    SS_OPTION_KIND_VERIFY,        /* engine.verify */
    SS_OPTION_KIND_POLICY,        /* enum ss_projection_policy, up to max */
    SS_OPTION_KIND_LIST,          /* struct ss_option_list; repeatable */
    SS_OPTION_KIND_MAP            /* the same, of "key=value" */
};

struct ss_option {
    const char *name;
    enum ss_option_kind kind;
    const char *placeholder;    /* "HOST:PORT" */
    const char *fallback;       /* default as a user would write it; NULL: none */
    uint64_t min;               /* in the unit of the kind; texts: bytes */
    uint64_t max;
    bool has_auto;
    size_t offset;              /* in struct ss_server_options */
    size_t width;               /* bytes of the field there */
    const char *help;           /* sentences */
};

/* Options that ask for something else than running. They exist as flags only. */
struct ss_option_action {
    const char *name;
    int action;                 /* enum ss_server_action */
    const char *help;
};

extern const struct ss_option ss__options[SS_OPTION_COUNT];
extern const struct ss_option_action ss__option_actions[];
extern const size_t ss__option_action_count;

/* Names as they are written in each place; @out has SS_OPTION_NAME_BYTES_MAX bytes. */
void ss__option_environment_name(const struct ss_option *option, char *out);
void ss__option_yaml_key(const struct ss_option *option, char *out);

/* Index of the option with this flag name (without --), variable or key; -1 if there is none. */
int ss__option_by_flag(struct ss_str name);
int ss__option_by_environment(struct ss_str name);
int ss__option_by_yaml_key(struct ss_str name);

/* The flag name nearest to a mistyped one (at most two edits away), or NULL. */
const char *ss__option_nearest(struct ss_str name);

#endif
