/* options.h - cadence of the answers, from --app-option. Frozen after init; then any thread. */
#ifndef SS_APPS_CHAT_OPTIONS_H
#define SS_APPS_CHAT_OPTIONS_H

#include <stdint.h>

#include <sessionstream/app.h>

/* A pause must end within reasonable time, for the stale task of a stopped answer waits for it. */
#define SS_CHAT_CHUNK_MS_MAX 10000

/* The longest UTF-8 character has 4 bytes. */
#define SS_CHAT_CHUNK_BYTES_MIN 4
#define SS_CHAT_CHUNK_BYTES_MAX 1024

struct ss_chat_options {
    uint32_t chunk_ms;       /* pause before each chunk; 0: none */
    uint32_t chunk_bytes;    /* size of a chunk before cutting at a character */
};

/* Ends with a NULL name. */
extern const struct ss_app_option ss__chat_option_table[];

/* Reads both options. SS_E_CONFIG: the registry's error says which one, what was given and what is
 * accepted. */
int ss__chat_options_read(const struct ss_app_settings *settings, struct ss_registry *registry,
                          struct ss_chat_options *ret_options);

#endif
