#include "core/contract.h"

#include <stdio.h>
#include <stdlib.h>

_Noreturn void ss__contract_failed(const char *kind, const char *file, int line, const char *text)
{
    fprintf(stderr, "%s:%d: %s failed: %s\n", file, line, kind, text);
    abort();
}
