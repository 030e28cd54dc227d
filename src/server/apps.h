/* apps.h - the applications built into sessionstreamd. Constant; any thread. */
#ifndef SS_SERVER_APPS_H
#define SS_SERVER_APPS_H

#include <stddef.h>

#include <sessionstream/app.h>

#include "core/bytes.h"
#include "core/failure.h"

/* Ends with NULL. */
extern const struct ss_app *const ss__apps[];

/* The application of this name. Errors: SS_E_CONFIG with a text that lists the names. */
int ss__app_find(const char *name, const struct ss_app **ret_app, struct ss_failure *failure);

/* Appends what --help says about the applications and their options. */
void ss__apps_print_help(struct ss_bytes *out);

#endif
