/* collect.h - the registrations of an application, by running its init. One thread; blocks as long
 * as the application does. */
#ifndef SS_LINT_COLLECT_H
#define SS_LINT_COLLECT_H

#include <sessionstream/app.h>

#include "lint/registrations.h"

/* Runs the application's init with the options @given ("name=value") and its deinit, and notes what
 * it loads and registers, refused names included. Errors: SS_E_CONFIG (an option), SS_E_NOMEM, or
 * what init returned; @failure says why. */
int ss__lint_collect(struct ss_lint_registrations *all, const struct ss_app *app,
                     char *const *given, size_t given_count, struct ss_failure *failure);

#endif
