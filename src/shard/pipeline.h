/* pipeline.h - one event: ordinal, projections, store record, entities, frames. Shard thread.
 *
 * The only place where ordinals are assigned (I1). Nothing leaves from here: the record is staged
 * in the store, frames are staged as effects (I2). */
#ifndef SS_SHARD_PIPELINE_H
#define SS_SHARD_PIPELINE_H

#include "core/failure.h"
#include "shard/session.h"

/* Publishes validated bytes as the session's next event. @ret_ordinal is set when the event was
 * stored, which it is even when a projection fails, but not when it could not read an entity.
 * Errors: SS_E_PROJECTION, SS_E_STOREFULL, SS_E_STOREIO, SS_E_CORRUPT, SS_E_NOMEM. */
int ss__pipeline_publish(struct ss_shard *shard, struct ss_channel *channel,
                         const struct ss_name *event, struct ss_str packed, uint64_t *ret_ordinal,
                         struct ss_failure *failure);

/* The same with a time of its own, for one that happened before. */
int ss__pipeline_append(struct ss_shard *shard, struct ss_channel *channel,
                        const struct ss_name *event, struct ss_str packed, uint64_t time_us,
                        uint64_t *ret_ordinal, struct ss_failure *failure);

#endif
