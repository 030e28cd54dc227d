#include "shard/context_check.h"

#include <stddef.h>

#include "core/contract.h"

#ifdef SS_DEV_CHECKS

static _Thread_local const struct ss_context *in_use;

const struct ss_context *ss__context_use(const struct ss_context *context)
{
    const struct ss_context *before = in_use;
    in_use = context;
    return before;
}

void ss__context_check(const struct ss_context *context)
{
    SS_REQUIRE(context != NULL && context == in_use);
}

#endif
