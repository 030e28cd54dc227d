/* context_check.h - development builds catch a context that is used where it does not belong: on
 * another thread, after the call that received it, or inside a projection. Release builds do
 * nothing here. */
#ifndef SS_SHARD_CONTEXT_CHECK_H
#define SS_SHARD_CONTEXT_CHECK_H

struct ss_context;

#ifdef SS_DEV_CHECKS

/* The context this thread's application code may use from now on; NULL: none. Returns the one
 * before, to be put back. */
const struct ss_context *ss__context_use(const struct ss_context *context);

/* Aborts unless the calling code may use @context. */
void ss__context_check(const struct ss_context *context);

#else

static inline const struct ss_context *ss__context_use(const struct ss_context *context)
{
    return context;
}

static inline void ss__context_check(const struct ss_context *context)
{
    (void)context;
}

#endif
#endif
