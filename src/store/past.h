/* past.h - database `checkpoint`: the entities of a session as of an earlier event. For src/store;
 * others use history.h.
 *
 *     key     sid, ordinal, part (u32): integers big-endian
 *     part 0  version u8, parts u32, entities u32, code u64, checksum
 *     others  version u8, entities one behind the other, checksum:
 *             length of kind and id u16, of the payload u32, type u32, created, last, time u64,
 *             projection u32, kind, id, payload
 *
 * Checksums are those of layout.h. The parts are small, so that LMDB needs no long runs of pages
 * for them and a deletion can go in slices. What is damaged is passed
 * over and made again. One is no mere cache: that of the last event which retention has removed
 * (row.first_retained - 1), the base, is where replays of the session begin. As long as the
 * entities on disk are still those of that event, they are the base and there is none here. */
#ifndef SS_STORE_PAST_H
#define SS_STORE_PAST_H

#include "store/env.h"
#include "store/history.h"
#include "store/layout.h"
#include "store/store_state.h"

#define SS_PAST_KEY_BYTES 20u

/* A part is closed when it has so many bytes. */
#define SS_PAST_PART_BYTES (32u << 10)

struct ss_past_head {
    uint32_t parts;
    uint32_t entities;
    uint64_t code;
};

struct ss_past_key {
    uint64_t sid;
    uint64_t ordinal;
    uint32_t part;
};

void ss__past_key(uint8_t out[SS_PAST_KEY_BYTES], const struct ss_past_key *key);

/* SS_E_CORRUPT. */
int ss__past_key_decode(struct ss_str bytes, struct ss_past_key *ret_key);
int ss__past_head_decode(struct ss_str key, struct ss_str value, struct ss_past_head *ret_head);

/* Verifies a part and shows its entities. SS_E_CORRUPT, and what @visit returned. */
int ss__past_part_decode(struct ss_str key, struct ss_str value,
                         int (*visit)(const struct ss_entity_row *row, void *ctx), void *ctx);

/* For all that is read of a session here, or also removed and written: that its pages are sound, as
 * guard.h. */
int ss__past_guard(const struct ss_env *env, MDB_txn *txn, uint64_t sid);
int ss__past_guard_remove(const struct ss_env *env, MDB_txn *txn, uint64_t sid);

/* The latest one as of @at or before, if its code is @code. SS_E_NOTFOUND, SS_E_STOREIO. */
int ss__past_find(const struct ss_env *env, MDB_txn *txn, uint64_t sid, uint64_t at, uint64_t code,
                  uint64_t *ret_ordinal);

/* Shows its entities after all of it has been verified. SS_E_CORRUPT, SS_E_STOREIO, and what @visit
 * returned. */
int ss__past_read(const struct ss_env *env, MDB_txn *txn, uint64_t sid, uint64_t ordinal,
                  int (*visit)(const struct ss_entity_row *row, void *ctx), void *ctx);

/* Whether all of it can be read, whatever code made it. SS_E_NOTFOUND, SS_E_CORRUPT,
 * SS_E_STOREIO. */
int ss__past_sound(const struct ss_env *env, MDB_txn *txn, uint64_t sid, uint64_t ordinal);

/* Writes one, and removes those of other code and, when there are too many, the one that is missed
 * least; never that of event @base, which retention depends on. Errors: those of a flush. */
int ss__past_put(const struct ss_env *env, MDB_txn *txn, const struct ss_past *past,
                 uint64_t base);

/* Removes all of a session but that of event @base, and all up to event @last. */
int ss__past_remove_but(const struct ss_env *env, MDB_txn *txn, uint64_t sid, uint64_t base);
int ss__past_remove_through(const struct ss_env *env, MDB_txn *txn, uint64_t sid, uint64_t last);

/* One being made, or on its way to the disk. */
struct ss_past {
    struct ss_past *next;                /* waiting for a flush */
    struct ss_store_session *session;    /* of the history */
    uint32_t remade;                     /* session->remade then */
    struct ss_past_key key;              /* of its head */
    struct ss_past_head head;
    struct ss_bytes bytes;               /* the parts, with room for their checksums */
    uint32_t *ends;                      /* of each part */
    bool open;                           /* the last part may still grow */
};

/* SS_E_TOOBIG when it gets larger than @bytes_max. */
struct ss_past *ss__past_begin(struct ss_store_session *session, uint64_t sid, uint64_t ordinal,
                               uint64_t code, uint32_t remade, size_t bytes_max);

/* No entity follows. SS_E_NOMEM, SS_E_TOOBIG. */
int ss__past_end(struct ss_past *past);

/* Frees those from @first on, with their references to sessions. Owner thread. */
void ss__pasts_forget(struct ss_store *store, struct ss_past *first);

/* Whether it is still true of the session: its entities have not been made anew since. */
bool ss__past_is_of_now(const struct ss_past *past);

#endif
