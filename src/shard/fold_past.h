/* fold_past.h - keeping what a fold has made, as a past of its event. */
#ifndef SS_SHARD_FOLD_PAST_H
#define SS_SHARD_FOLD_PAST_H

#include "shard/fold.h"

/* Adds all entities of @fold. The thread that ran it. SS_E_NOMEM, SS_E_TOOBIG, SS_E_TYPE (the type
 * of one is not known here). */
int ss__fold_past(struct ss_fold *fold, struct ss_past *past);

#endif
