/* options.h - what sessionstreamd was asked to do, from four places.
 *
 * A flag wins over an environment variable (SESSIONSTREAM_...), that over the YAML file of
 * --config, that over the default. All four go through the table in option_table.c, which also
 * gives --help, --print-config and docs/reference.md.
 *
 * Life:    init -> read -> use -> deinit.
 * Threads: one. */
#ifndef SS_SERVER_OPTIONS_H
#define SS_SERVER_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sessionstream/engine.h>

#include "core/failure.h"
#include "core/log.h"
#include "server/option_table.h"

enum ss_server_action {
    SS_ACTION_RUN,
    SS_ACTION_HELP,
    SS_ACTION_VERSION,
    SS_ACTION_PRINT_CONFIG,
    SS_ACTION_CHECK_CONFIG,
    SS_ACTION_PRINT_REFERENCE
};

/* In order of precedence, lowest first. */
enum ss_option_layer { SS_LAYER_DEFAULT, SS_LAYER_FILE, SS_LAYER_ENVIRONMENT, SS_LAYER_FLAG };

struct ss_option_origin {
    enum ss_option_layer layer;
    size_t line;      /* of SS_LAYER_FILE, from 1 */
    size_t column;    /* from 1 */
};

struct ss_option_list {
    char **items;     /* owned */
    struct ss_option_origin *origins;
    size_t count;
};

struct ss_server_options {
    struct ss_engine_options engine;    /* strings are filled in by ss__server_options_engine */
    char *listen_host;                  /* without brackets */
    uint16_t listen_port;
    char *data;
    char *app;
    char *backup_dir;                   /* NULL: none */
    char *config;                       /* NULL: no file */
    struct ss_option_list app_options;  /* "key=value", each key once */
    struct ss_option_list schemas;
    enum ss_log_level log_level;
    enum ss_server_action action;
    struct ss_option_origin origins[SS_OPTION_COUNT];
};

/* Where a mistake stands and what it is: "<place>: <failure.text>" is the message. */
struct ss_options_error {
    char place[512];    /* "--shards", "SESSIONSTREAM_SHARDS" or "file:line:column" */
    struct ss_failure failure;
};

/* Every field at its default. Errors: SS_E_NOMEM. */
int ss__server_options_init(struct ss_server_options *options);
void ss__server_options_deinit(struct ss_server_options *options);

/* Reads the configuration file, the environment and the flags; @argv[0] is skipped and both end
 * with NULL. If a flag asks for help, the version or the reference page it stops early: then only
 * the action and the flags --config and --app are set. Errors: SS_E_CONFIG with place and text,
 * SS_E_NOMEM. Blocks: on the file. */
int ss__server_options_read(struct ss_server_options *options, char *const *argv,
                            char *const *environment, struct ss_options_error *ret_error);

/* Sets one option from @text; a higher layer replaces what a lower one gave to a list, and the
 * same layer adds to it. Errors: SS_E_CONFIG (the text names the accepted range), SS_E_NOMEM. */
int ss__server_options_set(struct ss_server_options *options, enum ss_option_id id,
                           struct ss_str text, struct ss_option_origin origin,
                           struct ss_failure *failure);

/* What holds between options, such as a ping interval below the dead timeout. SS_E_CONFIG. */
int ss__server_options_check(const struct ss_server_options *options,
                             struct ss_options_error *ret_error);

/* Writes where @origin of option @id is, for a person, to @out. */
void ss__server_options_place(const struct ss_server_options *options, enum ss_option_id id,
                              struct ss_option_origin origin, char *out, size_t out_bytes);

/* The engine's options; the strings are borrowed from @options. */
void ss__server_options_engine(const struct ss_server_options *options,
                               struct ss_engine_options *ret_engine);

#endif
