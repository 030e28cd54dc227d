/* snapshot.h - the entities of a session as one frame. Shard thread. */
#ifndef SS_SHARD_SNAPSHOT_H
#define SS_SHARD_SNAPSHOT_H

#include "message/message.h"
#include "shard/session.h"
#include "wire/server_frame.h"

/* A snapshot this young may be answered again, with the frames after it from the ring. */
#define SS_SNAPSHOT_REUSE_NS 100000000u

/* The entity of a slot, its strings borrowed from state and batch. @since: see
 * ss__snapshot_delta; NULL: of a whole snapshot. 1; 0: it is not shown; SS_E_NOMEM. */
int ss__snapshot_entity(struct ss_shard *shard, const struct ss_state *state,
                        const struct ss_entity_slot *slot, const uint64_t *since,
                        struct ss_snapshot_entity *entity);

/* What a snapshot of now says beside its entities. */
struct ss_snapshot_frame ss__snapshot_head(const struct ss_channel *channel, bool delta);

/* The contract's order of struct ss_snapshot_entity: created, last, kind, id. For qsort. */
int ss__snapshot_compare(const void *left, const void *right);

/* Logs payloads that had no JSON form. */
void ss__snapshot_report(struct ss_shard *shard, const struct ss_channel *channel,
                         size_t left_out);

/* Gives the request the error of one of the functions here, in words. */
void ss__snapshot_fail(struct ss_shard *shard, const struct ss_channel *channel,
                       struct ss_request *request, int err);

/* Encodes a snapshot as one websocket message, or as the document of HTTP (SS_STATS_DOCUMENT).
 * *ret_left_out: payloads that have no JSON form. SS_E_NOMEM, SS_E_SNAPSHOT_SIZE. Any thread with a
 * scratch of its own. */
int ss__snapshot_encode(const struct ss_transport *transport,
                        const struct ss_snapshot_frame *frame, unsigned encoding, size_t bytes_max,
                        struct ss_bytes *scratch, struct ss_buf **ret_buf, size_t *ret_left_out);

/* True if the one that was made before would be handed out. */
bool ss__snapshot_cached(struct ss_shard *shard, const struct ss_channel *channel,
                         unsigned encoding);

/* Keeps a reference of one that shows the session at @at, unless there is a newer one. */
void ss__snapshot_keep(struct ss_shard *shard, struct ss_channel *channel, unsigned encoding,
                       struct ss_place at, bool running, struct ss_buf *buf);

/* Sets request->snapshot (websocket message) and the places of the answer, from the cache when the
 * ring reaches back to it, else encoded now. The state is whole. SS_E_NOMEM, SS_E_SNAPSHOT_SIZE
 * (larger than the request's page or, without pages, than options.snapshot_frame_bytes). */
int ss__snapshot_answer(struct ss_shard *shard, struct ss_channel *channel,
                        struct ss_request *request);

/* True if the changes since the request's cursor are known, removals included, and would do. The
 * state is whole. */
bool ss__snapshot_has_delta(const struct ss_channel *channel, const struct ss_request *request);

/* About the bytes of what has changed after event @since. */
size_t ss__snapshot_delta_bytes(const struct ss_channel *channel, uint64_t since);

/* The same as ss__snapshot_answer with nothing but those changes. Made for this request alone. */
int ss__snapshot_delta(struct ss_shard *shard, struct ss_channel *channel,
                       struct ss_request *request);

/* Sets request->snapshot to the SnapshotFrame document as JSON, always of now: encoded once per
 * position of the session. SS_E_NOMEM, SS_E_SNAPSHOT_SIZE. */
int ss__snapshot_document(struct ss_shard *shard, struct ss_channel *channel,
                          struct ss_request *request);

/* What a SNAPSHOT is answered with: the document or, for a caller in the process, request->view,
 * which lasts as long as the batch. The state is whole. SS_E_NOMEM. */
int ss__snapshot_show(struct ss_shard *shard, struct ss_channel *channel,
                      struct ss_request *request);

#endif
