#include "apps/jobs/options.h"

#include <stdlib.h>
#include <string.h>

const struct ss_app_option ss__jobs_option_table[] = {
    { "step_ms", "2000", "milliseconds that a step works, 0 to 600000" },
    { "retry_ms", "3000", "milliseconds from a failure to the next attempt, 0 to 600000" },
    { "attempts", "2", "attempts of a step before its job has failed, 1 to 10" },
    { NULL, NULL, NULL },
};

static int read_number(const struct ss_app_settings *settings, struct ss_registry *registry,
                       const char *name, uint32_t min, uint32_t max, uint32_t *ret_value)
{
    const char *text = ss_app_setting(settings, name);
    size_t len = text == NULL ? 0 : strlen(text);
    bool digits = len > 0 && len < 10 && strspn(text, "0123456789") == len;
    unsigned long value = digits ? strtoul(text, NULL, 10) : 0;
    if (!digits || value < min || value > max) {
        return ss_registry_fail(registry, SS_E_CONFIG,
                                "option %s is \"%s\"; give a whole number from %u to %u", name,
                                text == NULL ? "" : text, min, max);
    }
    *ret_value = (uint32_t)value;
    return 0;
}

int ss__jobs_options_read(const struct ss_app_settings *settings, struct ss_registry *registry,
                          struct ss_jobs_options *ret_options)
{
    struct ss_jobs_options options;
    int err = read_number(settings, registry, "step_ms", 0, 600000, &options.step_ms);
    if (err == 0) {
        err = read_number(settings, registry, "retry_ms", 0, 600000, &options.retry_ms);
    }
    if (err == 0) {
        err = read_number(settings, registry, "attempts", 1, 10, &options.attempts);
    }
    if (err == 0) {
        *ret_options = options;
    }
    return err;
}
