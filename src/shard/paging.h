/* paging.h - subscribes whose snapshot is sent in pages. Shard thread.
 *
 * The request goes to its gateway with each page and comes back for the next one when that has been
 * written, so a follower has at most SS_PAGES_IN_FLIGHT of them and a slow one delays nobody. Every
 * page is a message of its own: other requests run between two of them. With the last page the
 * request is answered as any subscribe, by the frames after the snapshot.
 *
 * While it lasts the ring of the session keeps more frames. If it loses some all the same, or what
 * the pages show is no longer true (the session was deleted, entities were made anew, appended
 * bytes were lost), the answer says so, and the gateway asks again. */
#ifndef SS_SHARD_PAGING_H
#define SS_SHARD_PAGING_H

#include "message/message.h"
#include "shard/session.h"

struct ss_frozen;

/* Freezes the session for the request, or lets it share what others are sent, and stages the
 * start. The state is whole. @since as in ss__frozen_new. Errors: SS_E_BUSY, SS_E_NOMEM; nothing
 * has happened then. */
int ss__paging_start(struct ss_shard *shard, struct ss_channel *channel, const uint64_t *since,
                     struct ss_request *request);

/* Makes the asker of @request a follower who is shown @frozen, and keeps the frames after it. Takes
 * a reference of its own. SS_E_NOMEM. */
int ss__paging_attach(struct ss_shard *shard, struct ss_channel *channel, struct ss_frozen *frozen,
                      struct ss_request *request);

/* Stages the answer: the last page, or the snapshot in one frame, is in request->snapshot. */
void ss__paging_answer(struct ss_shard *shard, struct ss_channel *channel,
                       struct ss_request *request);

/* The batch of the start is committed. */
void ss__paging_begin(struct ss_shard *shard, struct ss_channel *channel,
                      struct ss_request *request);

/* The request's turn: its next page, or a part of the way there. Answers errors itself. */
void ss__paging_turn(struct ss_shard *shard, struct ss_channel *channel,
                     struct ss_request *request);

/* True if the frames after the snapshot are not all that is missing. */
bool ss__paging_is_outdated(struct ss_shard *shard, const struct ss_channel *channel,
                            const struct ss_interest *interest, struct ss_request *request);

/* The request needs no page any more; harmless without any. */
void ss__paging_end(struct ss_shard *shard, struct ss_request *request);

/* The end of the shard: requests that are out may still hold what they need. */
void ss__paging_drop(struct ss_shard *shard);

/* True while a snapshot of the session is sent in pages. */
bool ss__paging_holds(const struct ss_shard *shard, const struct ss_channel *channel);

#endif
