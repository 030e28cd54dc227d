/* apps.h - the applications built into sessionstreamd, and modules by their path. The built-in ones
 * are constant; any thread. Modules: see app_module.h. */
#ifndef SS_SERVER_APPS_H
#define SS_SERVER_APPS_H

#include <stddef.h>

#include <sessionstream/app.h>

#include "core/bytes.h"
#include "core/failure.h"

/* Ends with NULL. */
extern const struct ss_app *const ss__apps[];

/* The application of this name or path. Errors: SS_E_CONFIG with a text that lists the names; those
 * of ss__app_module_load. */
int ss__app_find(const char *name, const struct ss_app **ret_app, struct ss_failure *failure);

/* Appends what --help says about the built-in applications and @module (may be NULL), and their
 * options. */
void ss__apps_print_help(const struct ss_app *module, struct ss_bytes *out);

#endif
