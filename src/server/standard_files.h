/* standard_files.h - standard input, output and error of a program. For programs, before anything
 * else: on one thread. */
#ifndef SS_SERVER_STANDARD_FILES_H
#define SS_SERVER_STANDARD_FILES_H

#include <stdbool.h>

/* Those that are closed become /dev/null: the next file that is opened would have their number, and
 * a log line or a progress bar would be written into a store. False: that cannot be done. */
bool ss__standard_files_keep(void);

#endif
