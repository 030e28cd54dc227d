/* app.h - an application: a table that fills a registry.
 *
 * Built-in applications are chosen with `sessionstreamd --app NAME`. A module is a shared object
 * that defines ss_app_v1 and is chosen by its path: `sessionstreamd --app ./shopping.so`. It finds
 * the ss_ functions in the daemon and needs no library of ours; sessionstream_add_app of the CMake
 * package builds one (docs/tutorial.md). It stays loaded until the process ends. */
#ifndef SS_APP_H
#define SS_APP_H

#include <stdint.h>

#include <sessionstream/registry.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Rises with every change of these headers that a built module would notice; the daemon refuses
 * modules of another one. */
#define SS_APP_ABI 2

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
    const char *name;                       /* 1 to 64 letters, digits, '.', '_', '-' */
    const char *summary;                    /* one line; may be NULL */
    const struct ss_app_option *options;    /* may be NULL */
    /* Registers everything. @ret_state is handed to deinit. Errors: any; the daemon prints
     * ss_registry_error and stops. */
    int (*init)(struct ss_registry *registry, const struct ss_app_settings *settings,
                void **ret_state);
    /* After the engine is gone, if init succeeded; may be NULL. */
    void (*deinit)(void *state);
};

/* What a module defines. The name stays when the ABI changes: the field abi tells them apart, so it
 * is the first for ever. */
extern SS_API const struct ss_app ss_app_v1;

#ifdef __cplusplus
}
#endif
#endif
