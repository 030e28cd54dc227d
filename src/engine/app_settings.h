/* app_settings.h - the values given for an application's own options.
 *
 * Life: new -> the application's init -> free. One thread. */
#ifndef SS_ENGINE_APP_SETTINGS_H
#define SS_ENGINE_APP_SETTINGS_H

#include <stddef.h>

#include <sessionstream/app.h>

#include "core/failure.h"

struct ss_app_settings;

/* @given are @count texts "name=value", copied. The table of @app is borrowed. Errors:
 * SS_E_CONFIG for a name that is not in the table (the text lists the known ones) or a text
 * without '=', SS_E_NOMEM. */
int ss__app_settings_new(const struct ss_app *app, char *const *given, size_t count,
                         struct ss_app_settings **ret_settings, struct ss_failure *failure);

/* NULL is fine. */
void ss__app_settings_free(struct ss_app_settings *settings);

#endif
