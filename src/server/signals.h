/* signals.h - SIGINT and SIGTERM of the daemon.
 *
 * While it starts, the first ends the process: a recovery may be cut off anywhere. Once it serves,
 * the first asks to stop and the second ends the process. A thread of its own waits for both, so
 * that neither depends on what the others are doing.
 *
 * Main thread only, each function once and in this order. For programs: a library takes no
 * signals. */
#ifndef SS_SERVER_SIGNALS_H
#define SS_SERVER_SIGNALS_H

#include <stdint.h>

/* Blocks both (threads started later inherit it), ignores SIGPIPE and starts the thread. From here
 * on either ends the process with a line and status 128 + its number. Errors: SS_E_INTERNAL. */
int ss__signals_watch(void);

/* From here on the first of the two is kept for ss__signals_wait; another one ends the process with
 * status 128 + its number. */
void ss__signals_serve(void);

/* Waits for the first and returns its number. Blocks. */
int ss__signals_wait(void);

/* The end of @limit_s seconds ends the process with status 1: a stop that hangs must not keep the
 * supervisor waiting. */
void ss__signals_limit(uint32_t limit_s);

#endif
