/* observe.h - pipeline and error records on their way to observers and to the debug ring. Shard
 * thread. */
#ifndef SS_SHARD_OBSERVE_H
#define SS_SHARD_OBSERVE_H

#include <sessionstream/observer.h>

struct ss_channel;
struct ss_effect;
struct ss_shard;

/* A pass of an event of the session is over. What the record points to lasts as long as the batch;
 * a live one waits for the commit. Only if shard->observed. */
void ss__observe_pipeline(struct ss_shard *shard, struct ss_channel *channel,
                          const struct ss_pipeline_record *record);

/* The commit that a live one waited for has ended with @err. */
void ss__observe_settled(struct ss_shard *shard, const struct ss_effect *effect, int err);

/* An error was noted. */
void ss__observe_error(struct ss_shard *shard, const struct ss_error_record *record);

#endif
