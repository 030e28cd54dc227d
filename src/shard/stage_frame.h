/* stage_frame.h - frames for the followers of a session, encoded once per encoding and staged to
 * leave after the commit. Shard thread. */
#ifndef SS_SHARD_STAGE_FRAME_H
#define SS_SHARD_STAGE_FRAME_H

#include "shard/session.h"
#include "wire/server_frame.h"

/* Stages one UI frame in @encodings (bits). @before: the place before it, for a ring that begins
 * with it. SS_E_NOMEM. */
int ss__stage_ui_frame(struct ss_shard *shard, struct ss_channel *channel, uint8_t encodings,
                       const struct ss_ui_frame *frame, struct ss_place before);

/* Stages what was appended to an entity, for the followers that know such a frame. SS_E_NOMEM. */
int ss__stage_append(struct ss_shard *shard, struct ss_channel *channel,
                     const struct ss_append_frame *frame, struct ss_place before);

/* Tells all followers that a timeline projection has stopped for the session; which one, if there
 * are several. */
void ss__stage_halted(struct ss_shard *shard, struct ss_channel *channel, const char *projection);

/* Says whether the session is at work, to the followers that know such a frame. */
void ss__stage_activity(struct ss_shard *shard, struct ss_channel *channel, bool running);

#endif
