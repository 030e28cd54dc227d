/* Session handles: found by id or sid, kept while referenced or while events are unflushed. */
#include <stdlib.h>
#include <string.h>

#include "core/contract.h"
#include "core/fault.h"
#include "core/log.h"
#include "store/bytes_order.h"
#include "store/guard.h"
#include "store/store_state.h"

#define TAIL_SLOTS_MIN 8u

static struct ss_str sid_key(const uint64_t *sid)
{
    return ss_str_of(sid, sizeof *sid);
}

struct ss_store_session *ss__session_by_sid(struct ss_store *store, uint64_t sid)
{
    struct ss_str key = sid_key(&sid);
    return ss__map_get(&store->by_sid, ss__map_hash(key), key);
}

static int add_to_maps(struct ss_store *store, struct ss_store_session *session)
{
    int err = ss__map_put(&store->by_sid, session->sid_hash, session);
    if (err != 0) {
        return err;
    }
    err = ss__map_put(&store->by_id, session->id_hash, session);
    if (err != 0) {
        (void)ss__map_remove(&store->by_sid, session->sid_hash, session);
    }
    return err;
}

struct ss_store_session *ss__session_add(struct ss_store *store, uint64_t sid,
                                         const struct ss_row_value *row)
{
    struct ss_store_session *session = calloc(1, sizeof *session + row->id.len);
    if (session == NULL) {
        return NULL;
    }
    memcpy(session->memory, row->id.data, row->id.len);
    session->id = ss_str_of(session->memory, row->id.len);
    session->epoch_counter = session->epoch_base = session->epoch_stored = row->epoch_counter;
    session->now = (struct ss_session_values){
        .row = { .sid = sid,
                 .epoch = ss__row_epoch(store->options.directory_id, store->incarnation,
                                        store->timelines_code, sid, row->epoch_counter),
                 .ordinal = row->ordinal,
                 .first_retained = row->first_retained,
                 .created_us = row->created_us,
                 .updated_us = row->updated_us,
                 .running = row->running },
        .flushed_ordinal = row->ordinal,
        .flushed_us = row->updated_us,
        .tip = row->tip,
        .flushed_running = row->running,
        .index_running = row->running,
    };
    ss__list_init(&session->link);
    ss__list_init(&session->full_link);
    ss__list_init(&session->born_link);
    ss__list_init(&session->dead_link);
    session->sid_hash = ss__map_hash(sid_key(&session->now.row.sid));
    session->id_hash = ss__map_hash(session->id);
    if (ss__timelines_decode(row->timelines, &session->timelines) != 0) {
        free(session);
        return NULL;
    }
    if (add_to_maps(store, session) != 0) {
        free(session->timelines);
        free(session);
        return NULL;
    }
    return session;
}

void ss__session_set_epoch(struct ss_store *store, struct ss_store_session *session,
                           uint32_t epoch_counter)
{
    session->epoch_counter = epoch_counter;
    session->now.row.epoch = session->saved.row.epoch =
        ss__row_epoch(store->options.directory_id, store->incarnation, store->timelines_code,
                      session->now.row.sid, epoch_counter);
}

void ss__sessions_new_epochs(struct ss_store *store)
{
    size_t at = 0;
    for (struct ss_store_session *session; (session = ss__map_next(&store->by_sid, &at)) != NULL;) {
        ss__session_set_epoch(store, session, session->epoch_counter);
    }
}

static void set_full(struct ss_store *store, struct ss_store_session *session, bool full)
{
    if (session->full) {
        ss__list_remove(&session->full_link);
        store->full_bytes -= session->full_bytes;
        store->long_tails -= session->full_bytes >= SS_TAIL_LONG_BYTES;
    }
    session->full = full;
    session->full_bytes = session->now.tail_bytes;
    if (full) {
        ss__list_push_back(&store->full, &session->full_link);
        store->full_bytes += session->full_bytes;
        store->long_tails += session->full_bytes >= SS_TAIL_LONG_BYTES;
    }
}

void ss__session_judge_tail(struct ss_store *store, struct ss_store_session *session)
{
    const struct ss_session_values *now = &session->now;
    set_full(store, session, !now->row.quarantined && !session->deleted &&
                                 (now->tail_count >= SS_SEGMENT_RECORDS_MAX ||
                                  now->tail_bytes >= SS_SEGMENT_BYTES_MAX));
}

void ss__session_born(struct ss_store *store, struct ss_store_session *session, uint64_t position)
{
    session->born = position;
    ss__list_push_back(&store->born, &session->born_link);
    store->born_count++;
}

static void free_session(struct ss_store *store, struct ss_store_session *session)
{
    if (!session->closed) {
        (void)ss__map_remove(&store->by_sid, session->sid_hash, session);
        (void)ss__map_remove(&store->by_id, session->id_hash, session);
    }
    ss__list_remove(&session->link);
    set_full(store, session, false);
    free(session->tail);
    free(session->timelines);
    free(session);
}

void ss__session_release(struct ss_store *store, struct ss_store_session *session)
{
    bool known = session->now.tail_count > 0 || session->born != 0 ||
                 session->now.row.quarantined || session->now.row.was_running;
    bool keep = session->refs > 0 || session->changed || session->item != NULL ||
                (session->deleted ? session->deleted_at != 0 : known);
    if (!keep || (session->closed && session->refs == 0)) {
        free_session(store, session);
    }
}

void ss__session_change(struct ss_store *store, struct ss_store_session *session)
{
    if (!session->changed) {
        session->changed = true;
        session->saved = session->now;
        ss__list_push_back(&store->changed, &session->link);
    }
}

uint64_t ss__store_held(const struct ss_store *store)
{
    /* One whose creation was undone may be in use and in no map. */
    return store->by_sid.count > store->used ? store->by_sid.count - store->used : 0;
}

int ss__session_make_room(struct ss_store_session *session)
{
    if (session->now.tail_count == session->tail_slots) {
        uint32_t slots = session->tail_slots == 0 ? TAIL_SLOTS_MIN : session->tail_slots * 2;
        uint64_t *tail = SS_FAULT("store.tail") != 0
                             ? NULL
                             : realloc(session->tail, slots * sizeof *tail);
        if (tail == NULL) {
            return SS_E_NOMEM;
        }
        session->tail = tail;
        session->tail_slots = slots;
    }
    return 0;
}

int ss__session_push(struct ss_store_session *session, uint64_t position, uint32_t bytes)
{
    struct ss_session_values *now = &session->now;
    int err = ss__session_make_room(session);
    if (err != 0) {
        return err;
    }
    session->tail[now->tail_count++] = position;
    now->tail_bytes += bytes;
    return 0;
}

struct ss_row_value ss__session_row_value(const struct ss_session_values *values,
                                          uint32_t epoch_counter, struct ss_str id)
{
    return (struct ss_row_value){ .ordinal = values->flushed_ordinal,
                                  .first_retained = values->row.first_retained,
                                  .created_us = values->row.created_us,
                                  .updated_us = values->flushed_us,
                                  .epoch_counter = epoch_counter,
                                  .tip = values->tip,
                                  .running = values->flushed_running,
                                  .id = id };
}

void ss__sessions_free(struct ss_store *store)
{
    size_t at = 0;
    for (struct ss_store_session *session;
         (session = ss__map_next(&store->by_sid, &at)) != NULL;) {
        free(session->tail);
        free(session->timelines);
        free(session);
    }
    ss__map_deinit(&store->by_sid);
    ss__map_deinit(&store->by_id);
}

/* ---- public ---- */

static int read_row(struct ss_store *store, MDB_txn *txn, uint64_t sid,
                    struct ss_row_value *ret_row)
{
    uint8_t key_bytes[8];
    ss__put_be64(key_bytes, sid);
    MDB_val key = ss__val_of(key_bytes, sizeof key_bytes);
    MDB_val value;
    int err = ss__guard_key(&store->env, txn, SS_DB_SESSION, ss__str_of_val(key));
    err = err != 0 ? err
                   : ss__err_from_lmdb(mdb_get(txn, store->env.dbi[SS_DB_SESSION], &key, &value));
    if (err != 0) {
        return err == SS_E_NOTFOUND ? SS_E_CORRUPT : err;
    }
    return ss__row_decode(sid, ss__str_of_val(value), ret_row);
}

static int report_damage(struct ss_store *store, struct ss_str id, uint64_t sid,
                         const char *what)
{
    if (!ss__store_may_report(store)) {
        return SS_E_CORRUPT;
    }
    char quoted[SS_SESSION_ID_BYTES_MAX + 3];
    ss__log(SS_LOG_ERROR, "a session cannot be read; run `ssctl store check`",
            "shard=%u sid=%llu session=%s damaged=\"%s\"", store->options.shard_index,
            (unsigned long long)sid, ss__log_quote(quoted, sizeof quoted, id), what);
    return SS_E_CORRUPT;
}

/* Row of a session without handle; SS_E_NOTFOUND. */
static int look_up(struct ss_store *store, struct ss_str id, uint64_t *ret_sid,
                   struct ss_row_value *ret_row)
{
    MDB_txn *txn;
    int err = ss__env_reader(&store->env, &txn);
    if (err != 0) {
        return err;
    }
    uint8_t key_bytes[SS_CATALOG_KEY_BYTES_MAX];
    MDB_val key = ss__val_of(key_bytes, ss__catalog_key(key_bytes, id));
    MDB_val value;
    err = ss__guard_key(&store->env, txn, SS_DB_CATALOG, ss__str_of_val(key));
    err = err != 0 ? err
                   : ss__err_from_lmdb(mdb_get(txn, store->env.dbi[SS_DB_CATALOG], &key, &value));
    if (err != 0) {
        return err;
    }
    *ret_sid = 0;
    if (ss__catalog_decode(ss__str_of_val(key), ss__str_of_val(value), ret_sid) != 0) {
        return report_damage(store, id, *ret_sid, "catalog entry");
    }
    const struct ss_store_session *dead = ss__session_by_sid(store, *ret_sid);
    if (dead != NULL && dead->deleted) {
        return SS_E_NOTFOUND;    /* the next flush takes the entry out */
    }
    err = read_row(store, txn, *ret_sid, ret_row);
    if (err == SS_E_CORRUPT) {
        return report_damage(store, id, *ret_sid, "row");
    }
    if (err == 0 && !ss_str_equal(ret_row->id, id)) {
        return report_damage(store, id, *ret_sid, "row of another session");
    }
    /* It has no tail, or recovery had made its handle. */
    return err == 0 && ss__timelines_newest(ret_row->timelines) > ret_row->ordinal
               ? report_damage(store, id, *ret_sid, "timeline ahead of the events")
               : err;
}

int ss__store_get_session(struct ss_store *store, struct ss_str id,
                          struct ss_store_session **ret_session)
{
    SS_REQUIRE(id.len > 0 && id.len <= SS_SESSION_ID_BYTES_MAX);
    struct ss_store_session *session = ss__map_get(&store->by_id, ss__map_hash(id), id);
    if (session == NULL) {
        uint64_t sid;
        struct ss_row_value row;
        int err = look_up(store, id, &sid, &row);
        if (err != 0) {
            return err;
        }
        session = ss__session_add(store, sid, &row);
        if (session == NULL) {
            return SS_E_NOMEM;
        }
    }
    store->used += session->refs++ == 0;
    *ret_session = session;
    return 0;
}

int ss__store_stage_session(struct ss_store *store, struct ss_str id, uint64_t now_us,
                            struct ss_store_session **ret_session)
{
    SS_REQUIRE(id.len > 0 && id.len <= SS_SESSION_ID_BYTES_MAX);
    struct ss_row_value row = { .first_retained = 1, .created_us = now_us, .updated_us = now_us,
                                .id = id };
    struct ss_store_session *session = ss__session_add(store, store->next_sid, &row);
    if (session == NULL) {
        return SS_E_NOMEM;
    }
    int err = ss__stage_birth(store, session);
    if (err != 0) {
        session->born = 0;
        free_session(store, session);
        return err;
    }
    store->next_sid++;
    session->refs = 1;
    store->used++;
    session->created = true;
    ss__session_change(store, session);
    *ret_session = session;
    return 0;
}

void ss__store_put_session(struct ss_store *store, struct ss_store_session *session)
{
    SS_REQUIRE(session->refs > 0);
    store->used -= --session->refs == 0;
    ss__session_release(store, session);
}

const struct ss_session_row *ss__store_row(const struct ss_store_session *session)
{
    return &session->now.row;
}

struct ss_str ss__store_session_id(const struct ss_store_session *session)
{
    return session->id;
}
