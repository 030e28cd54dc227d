#include "core/failure.h"

#include <stdio.h>
#include <string.h>

#include "core/utf8.h"

int ss__vfail(struct ss_failure *failure, int code, const char *format, va_list args)
{
    if (failure == NULL) {
        return code;
    }
    char text[SS_FAILURE_TEXT_BYTES];    /* an argument may be the text that is replaced */
    int len = vsnprintf(text, sizeof text, format, args);
    if (len < 0) {
        len = 0;
    } else if ((size_t)len >= sizeof text) {
        len = (int)ss__utf8_floor(text, sizeof text - 1);
    }
    ss__utf8_mend(text, (size_t)len);
    failure->code = code;
    memcpy(failure->text, text, (size_t)len);
    failure->text[len] = '\0';
    return code;
}

int ss__shown(struct ss_str text, size_t max)
{
    return (int)(text.len > max ? ss__utf8_floor(text.data, max) : text.len);
}

int ss__fail(struct ss_failure *failure, int code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)ss__vfail(failure, code, format, args);
    va_end(args);
    return code;
}
