/* options.h - how many entities a session gets, from --app-option. Frozen after init; then any
 * thread. */
#ifndef SS_APPS_BENCH_OPTIONS_H
#define SS_APPS_BENCH_OPTIONS_H

#include <stdint.h>

#include <sessionstream/app.h>

/* As many as a session may have (SS_SESSION_ENTITIES_MAX). */
#define SS_BENCH_ENTITIES_MAX 100000

struct ss_bench_options {
    uint32_t entities;    /* of a session, 1 to SS_BENCH_ENTITIES_MAX */
};

/* Ends with a NULL name. */
extern const struct ss_app_option ss__bench_option_table[];

/* SS_E_CONFIG: the registry's error says what was given and what is accepted. */
int ss__bench_options_read(const struct ss_app_settings *settings, struct ss_registry *registry,
                           struct ss_bench_options *ret_options);

#endif
