#include "apps/bench/options.h"

const struct ss_app_option ss__bench_option_table[] = {
    { "entities", "1", "entities of a session, replaced in turn, 1 to 100000" },
    { NULL, NULL, NULL },
};

int ss__bench_options_read(const struct ss_app_settings *settings, struct ss_registry *registry,
                           struct ss_bench_options *ret_options)
{
    const char *text = ss_app_setting(settings, "entities");
    uint32_t value = 0;
    size_t len = 0;
    while (text != NULL && text[len] >= '0' && text[len] <= '9' && value <= SS_BENCH_ENTITIES_MAX) {
        value = value * 10 + (uint32_t)(text[len] - '0');
        len++;
    }
    if (text == NULL || text[len] != '\0' || value < 1 || value > SS_BENCH_ENTITIES_MAX) {
        return ss_registry_fail(registry, SS_E_CONFIG,
                                "option entities is \"%s\"; give a whole number from 1 to %d",
                                text == NULL ? "" : text, SS_BENCH_ENTITIES_MAX);
    }
    ret_options->entities = value;
    return 0;
}
