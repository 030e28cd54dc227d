/* daemon.h - one run of sessionstreamd, from options to an orderly stop. Main thread. */
#ifndef SS_SERVER_DAEMON_H
#define SS_SERVER_DAEMON_H

#include "core/failure.h"
#include "server/options.h"

/* What --check-config checks beyond the options themselves: the application exists and knows the
 * options given for it. SS_E_CONFIG, SS_E_NOMEM. */
int ss__daemon_check(const struct ss_server_options *options, struct ss_failure *failure);

/* Serves until SIGINT or SIGTERM, then stops. 0 after an orderly stop, else why it did not
 * start. Blocks. */
int ss__daemon_run(const struct ss_server_options *options, struct ss_failure *failure);

#endif
