#include "core/failure.h"

#include <stdarg.h>
#include <stdio.h>

#include "core/utf8.h"

int ss__fail(struct ss_failure *failure, int code, const char *format, ...)
{
    if (failure == NULL) {
        return code;
    }
    va_list args;
    va_start(args, format);
    int len = vsnprintf(failure->text, sizeof failure->text, format, args);
    va_end(args);
    failure->code = code;
    if (len < 0) {
        failure->text[0] = '\0';
    } else if ((size_t)len >= sizeof failure->text) {
        failure->text[ss__utf8_floor(failure->text, sizeof failure->text - 1)] = '\0';
    }
    return code;
}
