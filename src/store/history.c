#include "store/history.h"

#include <stdlib.h>
#include <string.h>

#include "core/fault.h"
#include "core/log.h"
#include "store/bytes_order.h"
#include "store/guard.h"
#include "store/past.h"
#include "store/record.h"
#include "store/retention.h"
#include "store/segment_seek.h"
#include "store/tail.h"
#include "store/timelines.h"

/* For one flush. */
#define PASTS_WAITING_MAX 4
#define SEGMENTS_READ_MAX 256    /* about what one read takes */

struct ss_history {
    struct ss_store *store;
    struct ss_store_session *session;
    struct ss_history_query query;
    uint64_t sid;
    uint64_t newest;           /* committed when it was asked for */
    uint32_t remade;
    bool born;                 /* LMDB did not know the session yet */
    uint32_t anew;             /* bit per timeline: the entities on disk did not count */
    uint64_t ordinal;          /* of the last event read, or of the base */
    struct ss_arena arena;     /* what the last read brought */
    struct ss_record *records;
    size_t records_count;
    size_t records_slots;
    size_t bytes;
    uint64_t seed;
    uint64_t first_retained;   /* when it was last looked at */
    struct ss_bytes tail;      /* events that were in no segment, as they are in the log */
    size_t tail_at;
};

int ss__history_new(struct ss_store *store, struct ss_store_session *session,
                    const struct ss_history_query *query, struct ss_history **ret_history)
{
    const struct ss_session_values *now = session->changed ? &session->saved : &session->now;
    if (session->closed || session->deleted || now->row.quarantined) {
        return now->row.quarantined ? SS_E_CORRUPT : SS_E_CLOSED;
    }
    struct ss_history *history = calloc(1, sizeof *history);
    if (history == NULL) {
        return SS_E_NOMEM;
    }
    history->store = store;
    history->session = session;
    history->query = *query;
    uint64_t end;
    if (ss__tail_copy(store, session, query->after, query->at, query->tail_max, &history->tail,
                      &end) != 0) {
        ss__bytes_deinit(&history->tail);
        free(history);
        return SS_E_NOMEM;
    }
    history->query.at = end;
    history->sid = now->row.sid;
    history->newest = now->row.ordinal;
    history->remade = session->remade;
    history->born = session->born != 0;
    for (uint32_t i = 0; i < store->timelines_count; i++) {
        bool anew = ss__store_timeline_is_void(session, store->timelines[i].projection);
        history->anew |= anew ? 1u << i : 0;
    }
    history->ordinal = query->after;
    history->seed = store->log.seed;
    ss__arena_init(&history->arena, 16384);
    session->refs++;
    *ret_history = history;
    return 0;
}

void ss__history_free(struct ss_store *store, struct ss_history *history)
{
    if (history != NULL) {
        ss__store_put_session(store, history->session);
        ss__arena_deinit(&history->arena);
        ss__bytes_deinit(&history->tail);
        free(history->records);
        free(history);
    }
}

/* ---- the base ---- */

static int read_row(struct ss_history *history, MDB_txn *txn, struct ss_row_value *ret_row)
{
    uint8_t key_bytes[8];
    ss__put_be64(key_bytes, history->sid);
    MDB_val key = ss__val_of(key_bytes, sizeof key_bytes);
    MDB_val value;
    const struct ss_env *env = &history->store->env;
    int err = ss__guard_key(env, txn, SS_DB_SESSION, ss__str_of_val(key));
    err = err != 0 ? err
                   : ss__err_from_lmdb(mdb_get(txn, env->dbi[SS_DB_SESSION], &key, &value));
    if (err == SS_E_NOTFOUND && history->born) {
        *ret_row = (struct ss_row_value){ .first_retained = 1 };
        return 0;
    }
    return err != 0 ? err : ss__row_decode(history->sid, ss__str_of_val(value), ret_row);
}

struct visit {
    int (*visit)(const struct ss_entity_row *row, void *ctx);
    void *ctx;
};

static int show_entity(MDB_val key, MDB_val value, const struct visit *visit)
{
    uint64_t sid;
    struct ss_entity_row row = { 0 };
    int err = ss__entity_key_decode(ss__str_of_val(key), &sid, &row.projection, &row.kind,
                                    &row.id);
    err = err != 0 ? err : ss__entity_decode(ss__str_of_val(key), ss__str_of_val(value), &row);
    return err != 0 ? err : visit->visit(&row, visit->ctx);
}

static int show_entities_of(const struct ss_history *history, MDB_txn *txn, MDB_cursor *cursor,
                            uint32_t projection, const struct visit *visit)
{
    uint8_t prefix[SS_ENTITY_PREFIX_BYTES];
    ss__entity_prefix(prefix, history->sid, projection);
    MDB_val key = ss__val_of(prefix, sizeof prefix);
    MDB_val value;
    int err = ss__guard_walk(&history->store->env, txn, SS_DB_ENTITY, ss__str_of_val(key),
                             sizeof prefix, UINT64_MAX);
    int code = err != 0 ? 0 : mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
    while (code == 0 && err == 0 && key.mv_size >= sizeof prefix &&
           memcmp(key.mv_data, prefix, sizeof prefix) == 0) {
        err = show_entity(key, value, visit);
        code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
    }
    return err != 0 ? err : code == 0 || code == MDB_NOTFOUND ? 0 : ss__err_from_lmdb(code);
}

static bool is_wanted(const struct ss_history *history, uint32_t index)
{
    return (history->query.timelines >> index & 1) != 0;
}

/* The entities on disk. */
static int show_entities(const struct ss_history *history, MDB_txn *txn,
                         const struct visit *visit)
{
    const struct ss_store *store = history->store;
    MDB_cursor *cursor;
    int err = ss__err_from_lmdb(mdb_cursor_open(txn, store->env.dbi[SS_DB_ENTITY], &cursor));
    if (err != 0) {
        return err;
    }
    for (uint32_t i = 0; i < store->timelines_count && err == 0; i++) {
        if (is_wanted(history, i)) {
            err = show_entities_of(history, txn, cursor, store->timelines[i].projection, visit);
        }
    }
    mdb_cursor_close(cursor);
    return err;
}

static void report_damage(const struct ss_history *history, uint64_t ordinal)
{
    if (ss__store_may_report(history->store)) {
        ss__log(SS_LOG_ERROR, "a checkpoint of a session's past is damaged and not used; run "
                "`ssctl store check`", "shard=%u sid=%llu ordinal=%llu",
                history->store->options.shard_index, (unsigned long long)history->sid,
                (unsigned long long)ordinal);
    }
}

/* The latest past at or before @at that can be read. 0 and 0: there is none. SS_E_CORRUPT: nobody
 * can tell, and nothing there may be read. */
static int show_past(struct ss_history *history, MDB_txn *txn, uint64_t after,
                     const struct visit *visit, uint64_t *ret_ordinal)
{
    const struct ss_env *env = &history->store->env;
    uint64_t at = history->query.base_max;
    uint64_t found = 0;
    int err = ss__past_guard(env, txn, history->sid);
    if (err != 0) {
        return err;
    }
    while (err == 0 && at > after) {
        err = ss__past_find(env, txn, history->sid, at, history->query.code, &found);
        if (err != 0 || found <= after) {
            break;
        }
        err = ss__past_read(env, txn, history->sid, found, visit->visit, visit->ctx);
        if (err == 0) {
            *ret_ordinal = found;
            return 0;
        }
        if (err == SS_E_CORRUPT) {
            report_damage(history, found);
            at = found - 1;
            err = 0;
        }
    }
    return err == SS_E_NOTFOUND ? 0 : err;
}

/* What retention has left of the events that it removed, whatever code made it: 0, or
 * SS_E_NOTFOUND. */
static int show_retained(struct ss_history *history, MDB_txn *txn, const struct ss_row_value *row,
                         const struct visit *visit)
{
    const struct ss_store *store = history->store;
    uint64_t base = row->first_retained - 1;
    int err = ss__past_sound(&store->env, txn, history->sid, base);
    if ((err == SS_E_NOTFOUND || err == SS_E_CORRUPT) && ss__retained_in_entities(row)) {
        return show_entities(history, txn, visit);
    }
    return err != 0 ? err
                    : ss__past_read(&store->env, txn, history->sid, base, visit->visit,
                                    visit->ctx);
}

/* Whether the entities on disk would do, and which event would be the next. One that has halted
 * needs none. */
static bool judge_entities(const struct ss_history *history, const struct ss_row_value *row,
                           struct ss_history_base *ret_base)
{
    const struct ss_store *store = history->store;
    struct ss_history_base base = { .ordinal = history->query.base_max,
                                    .first_retained = row->first_retained };
    bool good = true;
    for (uint32_t i = 0; i < store->timelines_count; i++) {
        struct ss_timeline_row timeline;
        struct ss_failed_set failed;
        if (!is_wanted(history, i)) {
            continue;
        }
        bool found = (history->anew >> i & 1) == 0 &&
                     ss__timelines_pick(row->timelines, store->timelines[i].projection, &timeline,
                                        &failed) == 0;
        if (!found || timeline.version != store->timelines[i].version ||
            timeline.ordinal > history->query.base_max) {
            good = false;
            continue;
        }
        base.shown[i] = timeline.ordinal;
        base.ordinal = !timeline.halted && timeline.ordinal < base.ordinal ? timeline.ordinal
                                                                           : base.ordinal;
    }
    *ret_base = good ? base : (struct ss_history_base){ .first_retained = row->first_retained };
    return good && base.ordinal > 0;
}

static int find_base(struct ss_history *history, MDB_txn *txn, const struct visit *visit,
                     struct ss_history_base *ret_base)
{
    struct ss_row_value row;
    struct ss_history_base base;
    uint64_t past = 0;
    int err = read_row(history, txn, &row);
    if (err != 0) {
        return err;
    }
    history->first_retained = row.first_retained;
    bool entities = judge_entities(history, &row, &base);
    err = show_past(history, txn, entities ? base.ordinal : 0, visit, &past);
    if (err == SS_E_CORRUPT && (entities || row.first_retained <= 1)) {
        err = 0;    /* the log names the page; nothing depends on them */
    }
    if (err == 0 && past == 0 && !entities && row.first_retained > 1 &&
        history->query.base_max + 1 >= row.first_retained) {
        err = show_retained(history, txn, &row, visit);
        past = err == 0 ? row.first_retained - 1 : 0;
        err = err == SS_E_NOTFOUND ? 0 : err;
    }
    if (err == 0 && past == 0 && entities) {
        err = show_entities(history, txn, visit);
    } else if (past != 0 || !entities) {
        base.ordinal = past;
        for (uint32_t i = 0; i < SS_PROJECTIONS_MAX; i++) {
            base.shown[i] = past;
        }
    }
    history->ordinal = base.ordinal;
    *ret_base = base;
    return err == 0 && row.first_retained > base.ordinal + 1 ? SS_E_GONE : err;
}

int ss__history_base(struct ss_history *history,
                     int (*visit)(const struct ss_entity_row *row, void *ctx), void *ctx,
                     struct ss_history_base *ret_base)
{
    MDB_txn *txn;
    int err = ss__env_read_begin(&history->store->env, &txn);
    if (err == 0) {
        err = find_base(history, txn, &(struct visit){ visit, ctx }, ret_base);
        ss__env_read_end(&history->store->env, txn);
    }
    return err;
}

/* ---- events ---- */

static bool is_full(const struct ss_history *history)
{
    return history->bytes >= SS_HISTORY_READ_BYTES || history->ordinal >= history->query.at;
}

static int take(struct ss_history *history, struct ss_record record)
{
    if (record.ordinal <= history->ordinal || is_full(history)) {
        return 0;
    }
    if (record.ordinal != history->ordinal + 1) {
        return SS_E_CORRUPT;
    }
    if (history->records_count == history->records_slots) {
        size_t slots = history->records_slots == 0 ? 256 : history->records_slots * 2;
        struct ss_record *grown = realloc(history->records, slots * sizeof *grown);
        if (grown == NULL) {
            return SS_E_NOMEM;
        }
        history->records = grown;
        history->records_slots = slots;
    }
    record.header = ss__arena_str(&history->arena, record.header);
    record.payload = ss__arena_str(&history->arena, record.payload);
    if (record.header.data == NULL || record.payload.data == NULL) {
        return SS_E_NOMEM;
    }
    history->records[history->records_count++] = record;
    history->bytes += sizeof record + record.header.len + record.payload.len;
    history->ordinal = record.ordinal;
    return 0;
}

static int take_segment(struct ss_history *history, MDB_val key, MDB_val value)
{
    struct ss_segment segment = { 0 };
    int err = ss__segment_decode(ss__str_of_val(key), ss__str_of_val(value), &segment);
    size_t at = 0;
    for (uint32_t i = 0; i < segment.count && err == 0 && !is_full(history); i++) {
        struct ss_record record = { 0 };
        err = ss__segment_entry_next(segment.entries, &at, &record);
        record.ordinal = segment.first + i;
        err = err != 0 ? err : take(history, record);
    }
    return err;
}

static int read_segments(struct ss_history *history, MDB_txn *txn)
{
    uint8_t prefix[8];
    MDB_cursor *cursor;
    ss__put_be64(prefix, history->sid);
    int err = ss__err_from_lmdb(
        mdb_cursor_open(txn, history->store->env.dbi[SS_DB_SEGMENT], &cursor));
    if (err != 0) {
        return err;
    }
    MDB_val key;
    MDB_val value;
    int code = 0;
    err = ss__segment_guard(&history->store->env, txn, history->sid, history->ordinal + 1,
                            SEGMENTS_READ_MAX);
    if (err == 0) {
        code = ss__segment_seek(cursor, history->sid, history->ordinal + 1, &key, &value);
    }
    while (code == 0 && err == 0 && !is_full(history) && key.mv_size >= sizeof prefix &&
           memcmp(key.mv_data, prefix, sizeof prefix) == 0) {
        err = take_segment(history, key, value);
        code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
    }
    mdb_cursor_close(cursor);
    return err != 0 ? err : code == 0 || code == MDB_NOTFOUND ? 0 : ss__err_from_lmdb(code);
}

/* What had been in no segment; what has been moved to one since is passed over. */
static int read_tail(struct ss_history *history)
{
    int err = 0;
    while (err == 0 && history->tail_at < history->tail.len && !is_full(history)) {
        struct ss_log_record record;
        struct ss_str rest = ss_str_of(history->tail.data + history->tail_at,
                                       history->tail.len - history->tail_at);
        err = ss__log_record_decode(rest, history->seed, &record);
        if (err == 0 && (record.sid != history->sid || record.kind != SS_LOG_EVENT)) {
            err = SS_E_CORRUPT;
        }
        err = err != 0 ? err : take(history, record.event);
        history->tail_at += record.len;
    }
    return err;
}

/* The session may have gone, or lost its first events, since the last read. */
static int read_more(struct ss_history *history, MDB_txn *txn)
{
    struct ss_row_value row;
    int err = SS_FAULT("store.history");
    err = err != 0 ? err : read_row(history, txn, &row);
    history->first_retained = err == 0 ? row.first_retained : history->first_retained;
    if (err == 0 && row.first_retained > history->ordinal + 1) {
        err = SS_E_GONE;
    }
    err = err != 0 ? err : read_segments(history, txn);
    err = err != 0 ? err : read_tail(history);
    if (err == 0 && history->records_count == 0) {
        err = SS_E_CORRUPT;    /* events that were acknowledged are missing */
    }
    return err;
}

int ss__history_read(struct ss_history *history, const struct ss_record **ret_records,
                     size_t *ret_count)
{
    MDB_txn *txn;
    ss__arena_reset(&history->arena);
    history->records_count = history->bytes = 0;
    uint64_t end = history->query.at < history->newest ? history->query.at : history->newest;
    int err = 0;
    if (history->ordinal < end) {
        err = ss__env_read_begin(&history->store->env, &txn);
        if (err == 0) {
            err = read_more(history, txn);
            ss__env_read_end(&history->store->env, txn);
        }
    }
    if (err == 0) {
        *ret_records = history->records;
        *ret_count = history->records_count;
    }
    return err;
}

/* ---- keeping what came of it ---- */

void ss__pasts_forget(struct ss_store *store, struct ss_past *first)
{
    while (first != NULL) {
        struct ss_past *past = first;
        first = past->next;
        ss__store_put_session(store, past->session);
        ss__past_free(past);
    }
}

struct ss_past *ss__past_new(const struct ss_history *history)
{
    return ss__past_begin(history->session, history->sid, history->query.at, history->query.code,
                          history->remade, SS_PAST_BYTES_MAX);
}

struct ss_past *ss__past_new_base(const struct ss_history *history)
{
    int few = SS_FAULT("store.base.bytes");
    return ss__past_begin(history->session, history->sid, history->query.at, history->query.code,
                          history->remade, few != 0 ? (size_t)few : SS_BASE_BYTES_MAX);
}

uint64_t ss__history_first(const struct ss_history *history)
{
    return history->first_retained;
}

void ss__store_stage_past(struct ss_store *store, struct ss_past *past)
{
    if (ss__past_end(past) != 0 || !ss__past_is_of_now(past) ||
        store->pasts_count >= PASTS_WAITING_MAX) {
        ss__past_free(past);
        return;
    }
    past->session->refs++;
    past->next = store->pasts;
    store->pasts = past;
    store->pasts_count++;
}
