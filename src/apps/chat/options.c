#include "apps/chat/options.h"

const struct ss_app_option ss__chat_option_table[] = {
    { "chunk_ms", "20", "milliseconds between two pieces of an answer, 0 to 10000" },
    { "chunk_bytes", "10", "bytes of a piece, cut at whole characters, 4 to 1024" },
    { NULL, NULL, NULL },
};

static int read_number(const struct ss_app_settings *settings, struct ss_registry *registry,
                       const char *name, uint32_t min, uint32_t max, uint32_t *ret_value)
{
    const char *text = ss_app_setting(settings, name);
    uint32_t value = 0;
    size_t len = 0;
    while (text != NULL && text[len] >= '0' && text[len] <= '9' && value <= max) {
        value = value * 10 + (uint32_t)(text[len] - '0');
        len++;
    }
    if (text == NULL || len == 0 || text[len] != '\0' || value < min || value > max) {
        return ss_registry_fail(registry, SS_E_CONFIG,
                                "option %s is \"%s\"; give a whole number from %u to %u", name,
                                text == NULL ? "" : text, min, max);
    }
    *ret_value = value;
    return 0;
}

int ss__chat_options_read(const struct ss_app_settings *settings, struct ss_registry *registry,
                          struct ss_chat_options *ret_options)
{
    struct ss_chat_options options;
    int err = read_number(settings, registry, "chunk_ms", 0, SS_CHAT_CHUNK_MS_MAX,
                          &options.chunk_ms);
    if (err == 0) {
        err = read_number(settings, registry, "chunk_bytes", SS_CHAT_CHUNK_BYTES_MIN,
                          SS_CHAT_CHUNK_BYTES_MAX, &options.chunk_bytes);
    }
    if (err == 0) {
        *ret_options = options;
    }
    return err;
}
