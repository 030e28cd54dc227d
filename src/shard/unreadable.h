/* unreadable.h - stored events and entities that the application of today cannot read.
 *
 * Their name is registered no longer, or their bytes do not fit the type that it has now. Each is
 * left out by itself: an event counts as failed (docs/projections.md), an entity is not shown, or
 * shown without payload, and stays on disk. Shard thread. */
#ifndef SS_SHARD_UNREADABLE_H
#define SS_SHARD_UNREADABLE_H

#include "shard/session.h"

/* Stored under this type of today, or does it fit that one as well? @now: the number that payloads
 * of the type get today. Bytes that do not fit must never reach protobuf-c. */
bool ss__readable(const struct ss_name *name, uint32_t now, uint32_t stored,
                  struct ss_str payload);

/* Counts one, and logs the first since the session was loaded. @what: "event" or "kind". */
void ss__unreadable(struct ss_shard *shard, struct ss_state *state, const char *what,
                    struct ss_str name);

#endif
