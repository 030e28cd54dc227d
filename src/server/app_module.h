/* app_module.h - applications from shared objects (--app ./inventory.so).
 *
 * A module defines ss_app_v1 (sessionstream/app.h) and finds the ss_ functions in the daemon, which
 * exports exactly the public ones; so a process has one copy of the library, whether the module was
 * linked with libsessionstream or with nothing of ours.
 *
 * Threads: main, before the engine starts. Blocks: on the file. */
#ifndef SS_SERVER_APP_MODULE_H
#define SS_SERVER_APP_MODULE_H

#include <stdbool.h>

#include <sessionstream/app.h>

#include "core/failure.h"

/* True for what --app takes as a file: a name with a slash or one that ends in .so. */
bool ss__app_module_is_path(const char *name);

/* Loads the module and gives its application. It stays loaded until the process ends: nobody knows
 * what a module has left behind that still points into it. A path without a slash is a file of the
 * working directory. Errors: SS_E_CONFIG; the text names the file, what is wrong with it and what
 * to do. */
int ss__app_module_load(const char *path, const struct ss_app **ret_app,
                        struct ss_failure *failure);

#endif
