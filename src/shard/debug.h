/* debug.h - a look at one session, as it is: nothing is loaded for it. Shard thread. */
#ifndef SS_SHARD_DEBUG_H
#define SS_SHARD_DEBUG_H

struct ss_request;
struct ss_shard;

/* Fills request->debug and answers. */
void ss__debug_answer(struct ss_shard *shard, struct ss_request *request);

#endif
