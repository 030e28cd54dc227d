/* interrupts.h - a long command of ssctl ends in order when it is interrupted. */
#ifndef SS_SERVER_INTERRUPTS_H
#define SS_SERVER_INTERRUPTS_H

#include <stdbool.h>

/* From here on SIGINT and SIGTERM do not end the process: they cut waits short (no SA_RESTART), and
 * ss__interrupted tells of them. */
void ss__interrupts_catch(void);

/* Whether one has come since. Any thread. */
bool ss__interrupted(void);

#endif
