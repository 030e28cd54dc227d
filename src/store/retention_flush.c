/* Cuts on their way to the disk: planned and settled by the owner, run on any thread. */
#include "store/retention_flush.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "core/contract.h"
#include "core/fault.h"
#include "core/kill_point.h"
#include "core/log.h"
#include "store/bytes_order.h"
#include "store/guard.h"
#include "store/past.h"
#include "store/retention.h"
#include "store/segment_seek.h"
#include "store/timelines.h"

/* Bases of one flush, but one in any case. */
#define BASES_BYTES_MAX (4u << 20)
#define LINES_MAX 100u

/* ---- owner ---- */

enum ss_cut_state ss__store_cut_state(const struct ss_store *store,
                                      const struct ss_store_session *session, uint64_t through)
{
    const struct ss_session_values *now = &session->now;
    bool gone = session->closed || session->deleted || now->row.quarantined || session->born != 0;
    bool in_tip = now->tip.count > 0 && through >= now->tip.first;
    if (gone || session->timelines_void != 0 || through < now->row.first_retained ||
        through > now->flushed_ordinal ||
        (in_tip && (now->tail_count > 0 || through != now->flushed_ordinal))) {
        return SS_CUT_STALE;
    }
    bool exact = true;
    for (uint32_t i = 0; i < store->timelines_count; i++) {
        int index = ss__timelines_index(session->timelines, store->timelines[i].projection);
        const struct ss_timeline_row *row = index < 0 ? NULL : &session->timelines->rows[index];
        if (row == NULL || row->version != store->timelines[i].version ||
            row->ordinal < through) {
            return SS_CUT_BEHIND;
        }
        exact = exact && row->ordinal == through;
    }
    /* Nor any that are not registered now. */
    for (uint32_t i = 0; session->timelines != NULL && i < session->timelines->count; i++) {
        exact = exact && session->timelines->rows[i].ordinal <= through;
    }
    return exact ? SS_CUT_READY : SS_CUT_FOLD;
}

static int stage(struct ss_store *store, struct ss_store_session *session, uint64_t through,
                 struct ss_past *base)
{
    struct ss_cuts *cuts = &store->cuts;
    struct ss_staged_cut *cut =
        cuts->staged_count < SS_RETENTION_CUTS_MAX ? malloc(sizeof *cut) : NULL;
    if (cut == NULL) {
        return cuts->staged_count < SS_RETENTION_CUTS_MAX ? SS_E_NOMEM : SS_E_BUSY;
    }
    session->refs++;
    *cut = (struct ss_staged_cut){ cuts->staged, session, through, base };
    cuts->staged = cut;
    cuts->staged_count++;
    return 0;
}

int ss__store_stage_cut(struct ss_store *store, struct ss_store_session *session,
                        uint64_t through)
{
    SS_REQUIRE(session->refs > 0);
    return stage(store, session, through, NULL);
}

void ss__store_stage_base(struct ss_store *store, struct ss_past *base)
{
    int err = ss__past_end(base);
    err = err != 0 || !ss__past_is_of_now(base) ? SS_E_CLOSED : 0;
    err = err != 0 ? err : stage(store, base->session, base->key.ordinal, base);
    if (err != 0) {
        ss__past_free(base);
    }
}

int ss__store_stage_leftovers(struct ss_store *store, uint64_t sid, uint64_t first)
{
    struct ss_cuts *cuts = &store->cuts;
    for (uint32_t i = 0; i < cuts->leftovers_count; i++) {
        if (cuts->leftovers[i].sid == sid) {
            cuts->leftovers[i].first = first > cuts->leftovers[i].first
                                           ? first
                                           : cuts->leftovers[i].first;
            return 0;
        }
    }
    if (cuts->leftovers_count == cuts->leftovers_slots) {
        uint32_t slots = cuts->leftovers_slots == 0 ? 16 : cuts->leftovers_slots * 2;
        struct ss_leftovers *grown = slots > 16 * SS_RETENTION_CUTS_MAX
                                         ? NULL
                                         : realloc(cuts->leftovers, slots * sizeof *grown);
        if (grown == NULL) {
            return SS_E_NOMEM;    /* a later scan finds them */
        }
        cuts->leftovers = grown;
        cuts->leftovers_slots = slots;
    }
    cuts->leftovers[cuts->leftovers_count++] = (struct ss_leftovers){ sid, first };
    return 0;
}

bool ss__store_cuts_rest(const struct ss_store *store)
{
    return store->cut != NULL;
}

bool ss__store_cuts_wait(const struct ss_store *store)
{
    return store->cuts.staged != NULL || store->cuts.leftovers_count > 0;
}

static void drop(struct ss_store *store, struct ss_staged_cut *cut)
{
    ss__store_put_session(store, cut->session);
    ss__past_free(cut->base);
    free(cut);
}

/* What it was staged for may be there no longer. */
static bool still_holds(const struct ss_store *store, const struct ss_staged_cut *cut)
{
    enum ss_cut_state state = ss__store_cut_state(store, cut->session, cut->through);
    return cut->base == NULL ? state == SS_CUT_READY
                             : (state == SS_CUT_READY || state == SS_CUT_FOLD) &&
                                   ss__past_is_of_now(cut->base);
}

/* Leaves what is too much for one flush. */
static int plan_cut(struct ss_store *store, struct ss_flush *flush, struct ss_staged_cut *cut,
                    size_t *bytes)
{
    size_t more = cut->base == NULL ? 0 : cut->base->bytes.len;
    if (!still_holds(store, cut)) {
        drop(store, cut);
        return 0;
    }
    if (*bytes > 0 && *bytes + more > BASES_BYTES_MAX) {
        cut->next = store->cuts.staged;
        store->cuts.staged = cut;
        store->cuts.staged_count++;
        return 0;
    }
    struct ss_flush_item *item = ss__flush_item(flush, cut->session);
    if (item == NULL) {
        drop(store, cut);
        return SS_E_NOMEM;
    }
    *bytes += more;
    cut->next = flush->cuts.staged;
    flush->cuts.staged = cut;
    if (cut->through > item->cut) {
        item->cut = cut->through;
        item->base = cut->base;
    }
    return 0;
}

int ss__cuts_plan(struct ss_store *store, struct ss_flush *flush)
{
    struct ss_cuts *cuts = &store->cuts;
    struct ss_staged_cut *at = cuts->staged;
    size_t bytes = 0;
    int err = 0;
    cuts->staged = NULL;
    cuts->staged_count = 0;
    while (at != NULL) {
        struct ss_staged_cut *next = at->next;
        if (err == 0) {
            err = plan_cut(store, flush, at, &bytes);
        } else {
            drop(store, at);
        }
        at = next;
    }
    if (err == 0 && cuts->leftovers_count > 0) {
        size_t size = cuts->leftovers_count * sizeof *cuts->leftovers;
        flush->cuts.leftovers = ss__arena_alloc(&flush->arena, size);
        if (flush->cuts.leftovers == NULL) {
            return SS_E_NOMEM;
        }
        memcpy(flush->cuts.leftovers, cuts->leftovers, size);
        flush->cuts.leftovers_count = cuts->leftovers_count;
    }
    return err;
}

void ss__cuts_settle(struct ss_store *store, struct ss_flush *flush, int err)
{
    struct ss_cuts *cuts = &store->cuts;
    if (err == 0 && flush->cuts.leftovers_count > 0) {
        /* They are taken out from the first on. */
        uint32_t done = flush->leftovers_done;
        cuts->leftovers_count -= done;
        memmove(cuts->leftovers, cuts->leftovers + done,
                cuts->leftovers_count * sizeof *cuts->leftovers);
        store->stats.retention_bytes += flush->retention_bytes;
    }
    for (struct ss_staged_cut *cut = flush->cuts.staged; cut != NULL;) {
        struct ss_staged_cut *next = cut->next;
        const struct ss_flush_item *item = cut->session->item;
        if (err == 0 && item != NULL && item->cut == cut->through) {
            (void)ss__store_stage_leftovers(store, cut->session->now.row.sid, cut->through + 1);
        }
        drop(store, cut);
        cut = next;
    }
    flush->cuts.staged = NULL;
}

void ss__cuts_free(struct ss_store *store)
{
    while (store->cuts.staged != NULL) {
        struct ss_staged_cut *cut = store->cuts.staged;
        store->cuts.staged = cut->next;
        drop(store, cut);
    }
    free(store->cuts.leftovers);
    store->cuts = (struct ss_cuts){ 0 };
}

/* ---- any thread ---- */

bool ss__retained_in_entities(const struct ss_row_value *row)
{
    struct ss_timeline_row timeline;
    struct ss_failed_set failed;
    bool all = row->first_retained > 1;
    for (size_t at = 0; ss__timelines_next(row->timelines, &at, &timeline, &failed) == 1;) {
        all = all && timeline.ordinal < row->first_retained;
    }
    return all;
}

/* A damaged one fails it: without that entity the base would be another one, and nobody told. */
static int copy_entity(struct ss_str key, struct ss_str value, void *past)
{
    uint64_t sid;
    struct ss_entity_row row = { 0 };
    int err = ss__entity_key_decode(key, &sid, &row.projection, &row.kind, &row.id);
    err = err != 0 ? err : ss__entity_decode(key, value, &row);
    return err != 0 ? err : ss__past_add(past, &row);
}

/* Whether the entities on disk are those of the last event that is removed now or was before. */
static int entities_are_base(const struct ss_flush *flush, MDB_txn *txn,
                             const struct ss_flush_item *item, bool *ret_are)
{
    uint8_t key_bytes[8];
    struct ss_row_value row = { 0 };
    ss__put_be64(key_bytes, item->values.row.sid);
    MDB_val key = ss__val_of(key_bytes, sizeof key_bytes);
    MDB_val value;
    int err = ss__guard_key(flush->env, txn, SS_DB_SESSION, ss__str_of_val(key));
    err = err != 0 ? err
                   : ss__err_from_lmdb(
                         mdb_get(txn, flush->env->dbi[SS_DB_SESSION], &key, &value));
    err = err != 0 ? err : ss__row_decode(item->values.row.sid, ss__str_of_val(value), &row);
    if (err == 0) {
        row.first_retained = item->values.row.first_retained;
        *ret_are = ss__retained_in_entities(&row);
    }
    return err;
}

static int copy_base(struct ss_flush *flush, MDB_txn *txn, const struct ss_flush_item *item)
{
    uint64_t sid = item->values.row.sid;
    uint64_t base = item->values.row.first_retained - 1;
    int few = SS_FAULT("store.base.bytes");
    struct ss_past *past = ss__past_begin(item->session, sid, base, 0, 0,
                                          few != 0 ? (size_t)few
                                                   : SS_BASE_COPY_BYTES_MAX);
    if (past == NULL) {
        return SS_E_NOMEM;
    }
    uint8_t prefix[8];
    ss__put_be64(prefix, sid);
    struct ss_str from = ss_str_of(prefix, sizeof prefix);
    int err = ss__guard_walk(flush->env, txn, SS_DB_ENTITY, from, sizeof prefix, UINT64_MAX);
    err = err != 0 ? err
                   : ss__env_each(flush->env, txn, SS_DB_ENTITY, from, sizeof prefix, copy_entity,
                                  past);
    err = err != 0 ? err : ss__past_end(past);
    err = err != 0 ? err : ss__past_put(flush->env, txn, past, base);
    ss__past_free(past);
    return err;
}

/* The entities on disk, if they are the base, are about to be others. A base that is lost is not
 * made of what is no longer as of its event: the session goes on without it, and a check tells. */
static int keep_base(struct ss_flush *flush, MDB_txn *txn, const struct ss_flush_item *item)
{
    uint64_t sid = item->values.row.sid;
    uint64_t base = item->values.row.first_retained - 1;
    bool are_base = false;
    int err = entities_are_base(flush, txn, item, &are_base);
    if (err != 0 || !are_base) {
        return err == SS_E_NOTFOUND || err == SS_E_CORRUPT ? 0 : err;
    }
    err = ss__past_guard_remove(flush->env, txn, sid);
    if (err == 0) {
        err = ss__past_sound(flush->env, txn, sid, base);
        bool missing = err == SS_E_NOTFOUND || err == SS_E_CORRUPT;
        err = missing ? copy_base(flush, txn, item) : err;
    }
    if (err != SS_E_CORRUPT && err != SS_E_TOOBIG) {
        return err;
    }
    static atomic_uint lines;
    if (atomic_fetch_add(&lines, 1) < LINES_MAX) {
        ss__log(SS_LOG_ERROR, "the entities that the retained events of a session begin with are "
                "missing and not kept: run `ssctl store check`",
                "sid=%llu ordinal=%llu error=%s", (unsigned long long)sid,
                (unsigned long long)base, ss_error_name(err));
    }
    return 0;
}

/* The last event of a segment; 0: what is there is no segment. */
static uint64_t end_of(MDB_val key, MDB_val value)
{
    const uint8_t *head = value.mv_data;
    uint64_t count = value.mv_size < SS_SEGMENT_HEAD_BYTES ? 0 : ss__get_le16(head + 2);
    return key.mv_size != 16 || count == 0 || count > SS_SEGMENT_RECORDS_MAX
               ? 0
               : ss__get_be64((const uint8_t *)key.mv_data + 8) + count - 1;
}

/* A segment that ended there when it was looked at may have grown since, and another one begun. */
static int check_end(struct ss_flush *flush, MDB_txn *txn, struct ss_flush_item *item)
{
    MDB_cursor *cursor;
    MDB_val key;
    MDB_val value;
    int err = ss__err_from_lmdb(mdb_cursor_open(txn, flush->env->dbi[SS_DB_SEGMENT], &cursor));
    if (err != 0) {
        return err;
    }
    int code = ss__segment_seek(cursor, item->values.row.sid, item->cut, &key, &value);
    if (code != 0 || key.mv_size != 16 ||
        ss__get_be64(key.mv_data) != item->values.row.sid || end_of(key, value) != item->cut) {
        item->cut = 0;
    }
    mdb_cursor_close(cursor);
    return code == MDB_NOTFOUND ? 0 : ss__err_from_lmdb(code);
}

static int guard_cut(const struct ss_flush *flush, MDB_txn *txn, const struct ss_flush_item *item)
{
    uint64_t sid = item->values.row.sid;
    int err = ss__segment_guard(flush->env, txn, sid, item->cut, 1);
    return err != 0 ? err : ss__past_guard_remove(flush->env, txn, sid);
}

static int cut(struct ss_flush *flush, MDB_txn *txn, struct ss_flush_item *item)
{
    struct ss_session_values *values = &item->values;
    int err = SS_FAULT("store.cut");
    if (err != 0) {
        return err;
    }
    err = guard_cut(flush, txn, item);
    if (err == SS_E_CORRUPT || err == SS_E_STOREIO) {
        item->cut = 0;    /* nothing is removed from a session that cannot be read */
        return 0;
    }
    err = err != 0 ? err : check_end(flush, txn, item);
    if (err != 0 || item->cut == 0) {
        return err;
    }
    err = ss__past_remove_through(flush->env, txn, values->row.sid, item->cut);
    SS_KILL_POINT(CUT_RAISED);
    values->row.first_retained = item->cut + 1;
    if (values->tip.count > 0 && item->cut >= values->tip.first) {
        /* Nothing is appended to one that is full. */
        values->tip = (struct ss_segment_tip){ values->flushed_ordinal, 1, SS_SEGMENT_BYTES_MAX };
    }
    if (err == 0 && item->base != NULL) {
        err = ss__past_put(flush->env, txn, item->base, item->cut);
        SS_KILL_POINT(CUT_BASED);
    }
    return err;
}

int ss__cut_item(struct ss_flush *flush, MDB_txn *txn, struct ss_flush_item *item)
{
    int err = item->cut == 0 ? 0 : cut(flush, txn, item);
    if (err == 0 && item->checkpoint && item->values.row.first_retained > 1) {
        err = keep_base(flush, txn, item);
    }
    return err;
}

/* 1: all of it is gone; 0: that was enough for now. */
static int sweep_one(struct ss_flush *flush, MDB_txn *txn, const struct ss_leftovers *leftovers,
                     unsigned *removed)
{
    uint8_t from[16];
    MDB_cursor *cursor;
    ss__segment_key(from, leftovers->sid, 0);
    int err = ss__guard_remove(flush->env, txn, SS_DB_SEGMENT, ss_str_of(from, sizeof from), 8,
                               4 * SS_RETENTION_KEYS_MAX);
    if (err == SS_E_CORRUPT || err == SS_E_STOREIO) {
        return 1;    /* what is damaged stays for the check; a later scan finds what is not */
    }
    err = err != 0 ? err
                   : ss__err_from_lmdb(
                         mdb_cursor_open(txn, flush->env->dbi[SS_DB_SEGMENT], &cursor));
    if (err != 0) {
        return err;
    }
    MDB_val key = ss__val_of(from, sizeof from);
    MDB_val value;
    int code = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
    bool more = false;
    while (code == 0 && !more && key.mv_size == 16 && memcmp(key.mv_data, from, 8) == 0 &&
           ss__get_be64((const uint8_t *)key.mv_data + 8) < leftovers->first) {
        more = *removed >= SS_RETENTION_KEYS_MAX;
        if (!more && end_of(key, value) >= leftovers->first) {
            code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);    /* never what is retained */
        } else if (!more) {
            flush->retention_bytes += value.mv_size;
            ++*removed;
            code = mdb_cursor_del(cursor, 0);
            SS_KILL_POINT(CUT_SWEPT);
            code = code != 0 ? code : mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
        }
    }
    mdb_cursor_close(cursor);
    return code != 0 && code != MDB_NOTFOUND ? ss__err_from_lmdb(code) : !more;
}

int ss__cuts_sweep(struct ss_flush *flush, MDB_txn *txn)
{
    unsigned removed = 0;
    int done = 1;
    while (done == 1 && flush->leftovers_done < flush->cuts.leftovers_count) {
        done = sweep_one(flush, txn, &flush->cuts.leftovers[flush->leftovers_done], &removed);
        flush->leftovers_done += done == 1;
    }
    return done < 0 ? done : 0;
}
