/* crash.h - a last line when a signal ends the process.
 *
 * The stores are mapped files, so a damaged or unreadable one may end in SIGBUS or SIGSEGV. The
 * line names the file where it can be told and what to do; then the signal does what it would have
 * done without, so that a core dump shows the place. For programs: a library takes no signals. */
#ifndef SS_SERVER_CRASH_H
#define SS_SERVER_CRASH_H

#include <stdint.h>

/* Takes SIGSEGV, SIGBUS and SIGABRT until the first of them. @data_dir is shown; a sanitizer's own
 * handler comes next. Errors: SS_E_INTERNAL. */
int ss__crash_watch(const char *data_dir);

/* Writes the line for @signal at @address to @fd. Async-signal-safe. */
void ss__crash_print(int fd, int signal, const void *address);

#endif
