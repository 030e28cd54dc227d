/* options.h - bounds and derived values of struct ss_engine_options. Pure; any thread. */
#ifndef SS_ENGINE_OPTIONS_H
#define SS_ENGINE_OPTIONS_H

#include <stdbool.h>

#include <sessionstream/engine.h>

#include "core/failure.h"

/* SS_E_INVAL with a text that names the field and its range. */
int ss__options_check(const struct ss_engine_options *options, struct ss_failure *failure);

/* Shards of a new data directory: min(8, max(2, cores - gateways)). */
uint32_t ss__options_default_shards(const struct ss_engine_options *options);

/* What a stop that has taken @elapsed_ns has left for clients that do not read: the rest of
 * stop_timeout_ms, or a quarter of it if that is more. */
uint32_t ss__options_patience_ms(const struct ss_engine_options *options, uint64_t elapsed_ns);

#endif
