/* app.h - an application: a table that fills a registry.
 *
 * Built-in applications are chosen with `sessionstreamd --app NAME`. */
#ifndef SS_APP_H
#define SS_APP_H

#include <stdint.h>

#include <sessionstream/registry.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SS_APP_ABI 1

struct ss_app_option {
    const char *name;             /* "chunk_ms": --app-option chunk_ms=20; NULL ends the table */
    const char *default_value;
    const char *help;
};

struct ss_app_settings;

/* The value given for an option of the application, or its default; NULL for a name that is not
 * in its table. Valid during init. */
SS_API const char *ss_app_setting(const struct ss_app_settings *settings, const char *name);

struct ss_app {
    uint32_t abi;                           /* SS_APP_ABI */
    const char *name;
    const char *summary;                    /* one line */
    const struct ss_app_option *options;    /* may be NULL */
    /* Registers everything. @ret_state is handed to deinit. Errors: any; the daemon prints
     * ss_registry_error and stops. */
    int (*init)(struct ss_registry *registry, const struct ss_app_settings *settings,
                void **ret_state);
    /* After the engine is gone. */
    void (*deinit)(void *state);
};

#ifdef __cplusplus
}
#endif
#endif
