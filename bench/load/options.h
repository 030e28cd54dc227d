/* options.h - what ss-load was asked to do. Filled once, then read by any thread. */
#ifndef SS_LOAD_OPTIONS_H
#define SS_LOAD_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "core/failure.h"
#include "server/url.h"

#define SS_LOAD_URLS_MAX 64
#define SS_LOAD_THREADS_MAX 64
#define SS_LOAD_SESSIONS_MAX 10000000u
#define SS_LOAD_PAYLOAD_MAX 262144u
#define SS_LOAD_WINDOW_MAX 1000000u
#define SS_LOAD_ENTITIES_MAX 100000u

struct ss_load_options {
    struct ss_url urls[SS_LOAD_URLS_MAX];
    unsigned url_count;
    const struct ss_load_dialect *dialect;
    const char *prefix;        /* of session names */
    uint32_t sessions;
    uint32_t followers;        /* of each session */
    uint32_t publishers;       /* connections, all sessions spread over them */
    double rate;               /* messages a second in all; 0: by window */
    uint32_t window;           /* messages in flight in all; 0: by rate */
    uint32_t payload;          /* bytes */
    uint32_t entities;         /* of each session, replaced in turn */
    double duration;           /* seconds measured */
    double warmup;             /* seconds before, not measured */
    double ramp;               /* seconds over which followers join */
    double churn;              /* followers a second that leave and come back */
    double drain;              /* seconds for what is still on its way at the end */
    uint32_t threads;
    int32_t server_pid;        /* 0: not given */
    bool fold;                 /* compare what followers know with a snapshot at the end */
    bool quiet;                /* no progress */
    const char *json;          /* file of the result; NULL: none; "-": stdout */
};

/* Errors: SS_E_CONFIG with a text that names the option. *ret_help: --help was given, nothing else
 * is filled. */
int ss__load_options_read(int argc, char **argv, struct ss_load_options *ret_options,
                          bool *ret_help, struct ss_failure *failure);

/* The text of --help. */
extern const char ss__load_help[];

#endif
