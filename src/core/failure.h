/* failure.h - an error code with the sentence that goes to a person.
 *
 * Functions that judge outside input take a `struct ss_failure *` (may be NULL) and describe the
 * first error there: which field or limit, and what to do. The code they return is the same. */
#ifndef SS_CORE_FAILURE_H
#define SS_CORE_FAILURE_H

#include <stdarg.h>

#include <stddef.h>

#include <sessionstream/error.h>
#include <sessionstream/types.h>

#define SS_FAILURE_TEXT_BYTES 256

struct ss_failure {
    int code;                          /* 0 or enum ss_error */
    char text[SS_FAILURE_TEXT_BYTES];  /* UTF-8, whatever the arguments were; cut at a character */
};

/* Sets @failure (unless NULL) and returns @code. Any thread. */
int ss__fail(struct ss_failure *failure, int code, const char *format, ...) SS_PRINTF(3, 4);
int ss__vfail(struct ss_failure *failure, int code, const char *format, va_list args)
    SS_PRINTF(3, 0);

/* For "%.*s": how many bytes of @text a message repeats, at most @max and no half a character. */
int ss__shown(struct ss_str text, size_t max);

#endif
