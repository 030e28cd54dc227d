/* options.h - what --app-option sets. */
#ifndef SS_APPS_JOBS_OPTIONS_H
#define SS_APPS_JOBS_OPTIONS_H

#include <stdint.h>

#include <sessionstream/app.h>

struct ss_jobs_options {
    uint32_t step_ms;     /* how long a step works */
    uint32_t retry_ms;    /* from a failure to the next attempt */
    uint32_t attempts;    /* of a step; after them the job has failed */
};

/* Ends with a NULL name. */
extern const struct ss_app_option ss__jobs_option_table[];

/* SS_E_CONFIG: the registry's error says which option, what was given and what is accepted. */
int ss__jobs_options_read(const struct ss_app_settings *settings, struct ss_registry *registry,
                          struct ss_jobs_options *ret_options);

#endif
