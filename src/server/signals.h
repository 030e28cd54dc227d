/* signals.h - SIGINT and SIGTERM of the daemon: the first asks to stop, the second ends at once.
 *
 * Main thread only. */
#ifndef SS_SERVER_SIGNALS_H
#define SS_SERVER_SIGNALS_H

#include <stdint.h>

/* Blocks both (threads started later inherit it) and ignores SIGPIPE. Errors: SS_E_INTERNAL. */
int ss__signals_block(void);

/* Waits for one of the two and returns its number. Blocks. */
int ss__signals_wait(void);

/* From here on another signal ends the process with status 128 + its number, and so does the end
 * of @limit_s seconds, with status 1: a stop that hangs must not keep the supervisor waiting. */
void ss__signals_arm_exit(uint32_t limit_s);

#endif
