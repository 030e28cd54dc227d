/* daemon.h - one run of sessionstreamd, from options to an orderly stop. Main thread. */
#ifndef SS_SERVER_DAEMON_H
#define SS_SERVER_DAEMON_H

#include "core/failure.h"
#include "server/options.h"

/* What --check-config checks beyond the options themselves: schema files load, the application
 * exists, accepts the options given for it and registers, and the engine takes what it registered.
 * Errors: as ss__daemon_run before it
 * starts anything. */
int ss__daemon_check(const struct ss_server_options *options, struct ss_failure *failure);

/* Serves until SIGINT or SIGTERM, then stops. 0 after an orderly stop, else why it did not
 * start. Blocks. */
int ss__daemon_run(const struct ss_server_options *options, struct ss_failure *failure);

#endif
