/* content_read.h - reading the sessions of a data directory while calls fail, and what is read. */
#ifndef SS_FAULTS_STORE_CONTENT_READ_H
#define SS_FAULTS_STORE_CONTENT_READ_H

#include "content.h"
#include "reshard_fixture.h"
#include "store/history.h"
#include "store/past.h"

/* What the session shows of @ordinal; @text holds it. */
struct ss_entity_row content_entity(const struct many *m, uint32_t shard, unsigned projection,
                                    uint64_t ordinal, char text[32]);

/* As of @at; NULL: that cannot be had. Its base has been read. */
struct ss_history *content_history(struct many *m, uint32_t shard,
                                   struct ss_store_session *session, uint64_t at,
                                   struct ss_history_base *ret_base);

/* What a fold of the session at @at would keep. */
struct ss_past *content_past(struct many *m, uint32_t shard, struct ss_history *history,
                             uint64_t at, bool base);

/* All of its events one after the other; @keep: what they come to is kept. */
void content_read_history(struct many *m, uint32_t shard, struct ss_store_session *session,
                          bool keep);

/* Its events from @first on, or from where the entities are; @here: on the owner's thread. */
void content_read_image(struct many *m, uint32_t shard, struct ss_store_session *session,
                        uint64_t first, bool here);

#endif
