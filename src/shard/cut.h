/* cut.h - a shard as of one moment, for a backup of it (store/cut.h). Shard thread.
 *
 * The cut is made between two batches when no flush is under way. While there is one, flushes that
 * can wait do: what they write makes the data file grow. */
#ifndef SS_SHARD_CUT_H
#define SS_SHARD_CUT_H

#include <stdbool.h>

struct ss_msg;
struct ss_shard;

/* Takes @msg, a struct ss_msg_cut. */
void ss__cut_take(struct ss_shard *shard, struct ss_msg *msg);

/* Makes the cut that is asked for, if it can be made now. Between batches, before flushes. */
void ss__cut_make(struct ss_shard *shard);

/* Whether no flush should begin now. */
bool ss__cut_defers(const struct ss_shard *shard);

/* The shard ends: tells whoever waits. */
void ss__cut_end(struct ss_shard *shard);

#endif
