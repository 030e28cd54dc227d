/* Sessions that have lost their first events keep what these came to, in any directory. */
#include "reshard_fixture.h"

#include <string.h>

#include "store/history.h"
#include "store/past.h"
#include "store/reshard_state.h"
#include "store/retention.h"

#define SESSIONS 24u

enum kind {
    WHOLE,        /* nothing is lost */
    FOLDED,       /* the base was made of events */
    IN_PLACE,     /* the entities are the base */
    COPIED,       /* they were, until a checkpoint */
    KINDS,
};

static enum kind kind_of(unsigned session)
{
    return (enum kind)(session % KINDS);
}

static uint64_t base_of_kind(enum kind kind)
{
    return kind == WHOLE ? 0 : kind == FOLDED ? 64 : 128;
}

static uint64_t newest_of(enum kind kind)
{
    return kind == IN_PLACE ? 140 : 200;
}

static void flush_all(struct many *m, uint32_t shard)
{
    int more;
    while ((more = ss__store_flush(m->stores[shard], 16)) > 0) {
    }
    ss_check(more == 0);
}

/* One entity of each projection, which names the event. */
static struct ss_entity_row entity_of(const struct many *m, uint32_t shard, unsigned projection,
                                      uint64_t ordinal, char text[32])
{
    (void)snprintf(text, 32, "%u as of %llu", projection, (unsigned long long)ordinal);
    return (struct ss_entity_row){
        .projection = m->projections[shard][projection], .kind = ss_str("note"),
        .id = ss_str(projection == 0 ? "a" : "b"), .created_ordinal = 1, .last_ordinal = ordinal,
        .time_us = 5, .type_id = m->entities[shard], .payload = ss_str(text),
    };
}

static void checkpoint_at(struct many *m, uint32_t shard, struct ss_store_session *session,
                          uint64_t ordinal)
{
    char texts[2][32];
    struct ss_entity_row rows[2];
    struct ss_timeline_checkpoint timelines[2];
    for (unsigned i = 0; i < 2; i++) {
        rows[i] = entity_of(m, shard, i, ordinal, texts[i]);
        timelines[i] = (struct ss_timeline_checkpoint){
            { .projection = m->projections[shard][i], .version = 1, .ordinal = ordinal },
            &rows[i], 1
        };
    }
    ss_check(ss__store_stage_checkpoint(m->stores[shard], session, timelines, 2) == 0);
    ss_check(ss__store_flush(m->stores[shard], 0) >= 0);
}

static int pass_entity(const struct ss_entity_row *row, void *ctx)
{
    (void)row;
    (void)ctx;
    return 0;
}

static struct ss_history *history_at(struct many *m, uint32_t shard,
                                     struct ss_store_session *session, uint64_t at)
{
    struct ss_history *history;
    struct ss_history_query query = { .at = at, .base_max = at, .code = 7, .timelines = 3 };
    ss_check(ss__history_new(m->stores[shard], session, &query, &history) == 0);
    return history;
}

static void cut_folded(struct many *m, uint32_t shard, struct ss_store_session *session,
                       uint64_t through)
{
    char text[32];
    struct ss_history_base found;
    struct ss_history *history = history_at(m, shard, session, through);
    ss_check(ss__history_base(history, pass_entity, NULL, &found) == 0);
    struct ss_past *base = ss__past_new_base(history);
    for (unsigned i = 0; i < 2; i++) {
        struct ss_entity_row row = entity_of(m, shard, i, through, text);
        ss_check(ss__past_add(base, &row) == 0);
    }
    ss__store_stage_base(m->stores[shard], base);
    ss__history_free(m->stores[shard], history);
}

static void make_session(struct many *m, unsigned number)
{
    char id[16];
    enum kind kind = kind_of(number);
    name_of(id, number);
    uint32_t shard = shard_of(m, id);
    struct ss_store_session *session = new_session(m, shard, id);
    publish(m, shard, session, kind == FOLDED ? 200 : 128);
    flush_all(m, shard);
    checkpoint_at(m, shard, session, kind == FOLDED ? 200 : 128);
    if (kind == FOLDED) {
        cut_folded(m, shard, session, 64);
    } else if (kind != WHOLE) {
        ss_check(ss__store_stage_cut(m->stores[shard], session, 128) == 0);
    }
    flush_all(m, shard);
    publish(m, shard, session, (unsigned)(newest_of(kind) - ss__store_row(session)->ordinal));
    if (kind == COPIED) {
        flush_all(m, shard);
        checkpoint_at(m, shard, session, 200);
    }
    ss_check(ss__store_row(session)->first_retained == base_of_kind(kind) + 1);
    ss__store_put_session(m->stores[shard], session);
}

static void begin(struct many *m, uint32_t shards)
{
    make(m, shards);
    for (unsigned i = 0; i < SESSIONS; i++) {
        make_session(m, i);
    }
}

struct seen {
    struct many *m;
    uint32_t shard;
    uint64_t ordinal;
    unsigned count;
};

static int compare_entity(const struct ss_entity_row *row, void *ctx)
{
    struct seen *seen = ctx;
    char text[32];
    unsigned projection = row->projection == seen->m->projections[seen->shard][0] ? 0 : 1;
    struct ss_entity_row wanted = entity_of(seen->m, seen->shard, projection, seen->ordinal, text);
    ss_check(row->projection == wanted.projection && row->type_id == wanted.type_id);
    ss_check(ss_str_equal(row->id, wanted.id) && row->last_ordinal == seen->ordinal);
    ss_check_msg(ss_str_equal(row->payload, wanted.payload), "%.*s, not %s", (int)row->payload.len,
                 row->payload.data, text);
    seen->count++;
    return 0;
}

/* As of @at: the base at @ordinal with its entities, and every event behind it; or it is told. */
static void verify_at(struct many *m, uint32_t shard, struct ss_store_session *session, uint64_t at,
                      uint64_t ordinal)
{
    struct seen seen = { m, shard, ordinal, 0 };
    struct ss_history_base found = { 0 };
    struct ss_history *history = history_at(m, shard, session, at);
    const struct ss_record *records;
    size_t count = 1;
    uint64_t events = 0;
    int err = ss__history_base(history, compare_entity, &seen, &found);
    if (at < ordinal) {
        ss_check(err == SS_E_GONE && ss__history_first(history) == ordinal + 1);
        ss__history_free(m->stores[shard], history);
        return;
    }
    ss_check_msg(err == 0 && found.ordinal == ordinal && seen.count == (ordinal == 0 ? 0 : 2),
                 "as of %llu: %s, base %llu, %u entities", (unsigned long long)at,
                 ss_error_name(err), (unsigned long long)found.ordinal, seen.count);
    while (err == 0 && count > 0) {
        err = ss__history_read(history, &records, &count);
        for (size_t i = 0; err == 0 && i < count; i++) {
            ss_check(records[i].ordinal == ordinal + ++events);
        }
    }
    ss_check(err == 0 && events == at - ordinal);
    ss__history_free(m->stores[shard], history);
}

static void verify(struct many *m)
{
    for (unsigned i = 0; i < SESSIONS; i++) {
        char id[16];
        enum kind kind = kind_of(i);
        struct ss_store_session *session;
        name_of(id, i);
        uint32_t shard = shard_of(m, id);
        uint64_t base = base_of_kind(kind);
        ss_check(ss__store_get_session(m->stores[shard], ss_str(id), &session) == 0);
        ss__store_use_timelines(m->stores[shard], session);
        ss_check(ss__store_row(session)->first_retained == base + 1);
        ss_check(ss__store_row(session)->ordinal == newest_of(kind));
        if (base > 0) {
            verify_at(m, shard, session, base - 1, base);
        }
        verify_at(m, shard, session, base, base);
        verify_at(m, shard, session, base + 1, base);
        verify_at(m, shard, session, 127 > base ? 127 : 140, base);
        ss__store_put_session(m->stores[shard], session);
    }
}

static void verify_closed(struct many *m, const char *root, uint32_t shards)
{
    open_all(m, root, shards);
    verify(m);
    close_all(m);
}

static int reshard(struct many *m, uint32_t shards, struct ss_failure *failure)
{
    char kept[300];
    struct ss_reshard_result result;
    struct ss_reshard_options options = { .dir = m->root, .shards = shards, .report = on_finding,
                                          .ctx = m };
    int err = ss__reshard(&options, &result, failure);
    (void)snprintf(kept, sizeof kept, "%s" SS_RESHARD_KEPT, m->root);
    ss_check(err != 0 || ss__remove_tree(kept, NULL) == 0);
    return err;
}

/* ---- behind the back of closed stores ---- */

struct opened {
    struct ss_env env;
    MDB_txn *txn;
};

static void open_shard(struct many *m, uint32_t shard, struct opened *opened)
{
    char path[400];
    struct ss_failure failure = { 0 };
    (void)snprintf(path, sizeof path, "%s/shard-%04u", m->root, shard);
    ss_check(ss__env_open(path, 64u << 20, false, &opened->env, &failure) == 0);
    ss_check(mdb_txn_begin(opened->env.env, NULL, 0, &opened->txn) == 0);
}

static void close_shard(struct opened *opened)
{
    ss_check(mdb_txn_commit(opened->txn) == 0);
    ss__env_close(&opened->env);
}

/* Calls @visit for each session of a shard. */
static void each_session(struct opened *opened,
                         void (*visit)(struct opened *opened, uint64_t sid,
                                       const struct ss_row_value *row, void *ctx), void *ctx)
{
    MDB_cursor *cursor;
    MDB_val key;
    MDB_val value;
    ss_check(mdb_cursor_open(opened->txn, opened->env.dbi[SS_DB_SESSION], &cursor) == 0);
    while (mdb_cursor_get(cursor, &key, &value, MDB_NEXT) == 0) {
        struct ss_row_value row;
        uint64_t sid = ss__get_be64(key.mv_data);
        ss_check(ss__row_decode(sid, ss__str_of_val(value), &row) == 0);
        visit(opened, sid, &row, ctx);
    }
    mdb_cursor_close(cursor);
}

static unsigned leftovers_of(struct opened *opened, uint64_t sid, const struct ss_row_value *row)
{
    uint8_t from[16];
    MDB_cursor *cursor;
    MDB_val value;
    unsigned count = 0;
    ss__segment_key(from, sid, 0);
    MDB_val key = ss__val_of(from, sizeof from);
    ss_check(mdb_cursor_open(opened->txn, opened->env.dbi[SS_DB_SEGMENT], &cursor) == 0);
    int code = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
    while (code == 0 && memcmp(key.mv_data, from, 8) == 0) {
        count += ss__get_be64((const uint8_t *)key.mv_data + 8) < row->first_retained;
        code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
    }
    mdb_cursor_close(cursor);
    return count;
}

static void count_leftovers(struct opened *opened, uint64_t sid, const struct ss_row_value *row,
                            void *ctx)
{
    *(unsigned *)ctx += leftovers_of(opened, sid, row);
}

/* A segment that a crash has left: the one behind the base, under the key of the first. */
static void plant_leftover(struct opened *opened, uint64_t sid, const struct ss_row_value *row,
                           void *ctx)
{
    static uint8_t bytes[64u << 10];
    uint8_t key_bytes[16];
    ss__segment_key(key_bytes, sid, row->first_retained);
    MDB_val key = ss__val_of(key_bytes, sizeof key_bytes);
    MDB_val value;
    if (row->first_retained == 1 ||
        mdb_get(opened->txn, opened->env.dbi[SS_DB_SEGMENT], &key, &value) != 0) {
        return;
    }
    ss_check(value.mv_size <= sizeof bytes);
    memcpy(bytes, value.mv_data, value.mv_size);
    ss__segment_seal(bytes, value.mv_size, sid, 1, ss__get_le16(bytes + 2));
    ss__segment_key(key_bytes, sid, 1);
    value = ss__val_of(bytes, value.mv_size);
    ss_check(mdb_put(opened->txn, opened->env.dbi[SS_DB_SEGMENT], &key, &value, 0) == 0);
    ++*(unsigned *)ctx;
}

static unsigned visit_all(struct many *m, uint32_t shards,
                          void (*visit)(struct opened *opened, uint64_t sid,
                                        const struct ss_row_value *row, void *ctx))
{
    unsigned count = 0;
    for (uint32_t i = 0; i < shards; i++) {
        struct opened opened;
        open_shard(m, i, &opened);
        each_session(&opened, visit, &count);
        close_shard(&opened);
    }
    return count;
}

struct spoiling {
    uint64_t ordinal;
    uint32_t part;
    bool remove;
    char id[16];    /* of the first session that had it */
};

static void spoil(struct opened *opened, uint64_t sid, const struct ss_row_value *row, void *ctx)
{
    struct spoiling *spoiling = ctx;
    uint8_t key_bytes[SS_PAST_KEY_BYTES];
    uint8_t bytes[4096];
    ss__past_key(key_bytes, &(struct ss_past_key){ sid, spoiling->ordinal, spoiling->part });
    MDB_val key = ss__val_of(key_bytes, sizeof key_bytes);
    MDB_val value;
    MDB_dbi dbi = opened->env.dbi[SS_DB_CHECKPOINT];
    if (spoiling->id[0] != '\0' || mdb_get(opened->txn, dbi, &key, &value) != 0) {
        return;
    }
    ss_check(value.mv_size <= sizeof bytes);
    memcpy(bytes, value.mv_data, value.mv_size);
    bytes[value.mv_size - 9] ^= 1;
    value = ss__val_of(bytes, value.mv_size);
    ss_check((spoiling->remove ? mdb_del(opened->txn, dbi, &key, NULL)
                               : mdb_put(opened->txn, dbi, &key, &value, 0)) == 0);
    memcpy(spoiling->id, row->id.data, row->id.len);
}

/* ---- tests ---- */

SS_TEST(reshard_past, what_removed_events_came_to_goes_along_every_step_of_a_round)
{
    static const uint32_t counts[] = { 1, 3, 2 };
    struct many m;
    begin(&m, 2);
    verify(&m);
    close_all(&m);
    uint32_t before = 2;
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        struct ss_failure failure = { 0 };
        ss_check(visit_all(&m, before, plant_leftover) > 0);
        int err = reshard(&m, counts[i], &failure);
        ss_check_msg(err == 0, "%s %s", failure.text, m.findings);
        ss_check(visit_all(&m, counts[i], count_leftovers) == 0);
        verify_closed(&m, m.root, counts[i]);
        before = counts[i];
    }
    end(&m);
}

SS_TEST(reshard_past, one_that_changes_on_the_way_is_found)
{
    struct many m;
    struct ss_failure failure = { 0 };
    begin(&m, 2);
    close_all(&m);
    ss__fault_arm("reshard.base", 3, 1, 1);
    ss_check(reshard(&m, 3, &failure) == SS_E_CORRUPT);
    ss_check_msg(strstr(failure.text, "not the same in the copy") != NULL, "%s", failure.text);
    ss__fault_reset();
    ss_check(access(m.to, F_OK) != 0);
    verify_closed(&m, m.root, 2);
    end(&m);
}

SS_TEST(reshard_past, a_session_that_has_lost_its_base_is_named)
{
    static const struct spoiling ways[] = {
        { .ordinal = 64, .part = 0, .remove = true },
        { .ordinal = 128, .part = 1 },
        { .ordinal = 128, .part = 1, .remove = true },
    };
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        struct many m;
        struct opened opened;
        struct ss_failure failure = { 0 };
        struct spoiling way = ways[i];
        begin(&m, 1);
        close_all(&m);
        open_shard(&m, 0, &opened);
        each_session(&opened, spoil, &way);
        close_shard(&opened);
        ss_check(reshard(&m, 3, &failure) == SS_E_CORRUPT);
        char wanted[64];
        (void)snprintf(wanted, sizeof wanted, "%s: events before %llu are removed", way.id,
                       (unsigned long long)way.ordinal + 1);
        ss_check_msg(strstr(m.findings, wanted) != NULL, "%s: %s", wanted, m.findings);
        end(&m);
    }
}

struct finding {
    unsigned places[3];
    unsigned lost;
};

static void find(struct opened *opened, uint64_t sid, const struct ss_row_value *row, void *ctx)
{
    struct finding *finding = ctx;
    enum ss_reshard_base base = SS_RESHARD_NO_BASE;
    int err = ss__reshard_find_base(&opened->env, opened->txn, sid, row, &base);
    ss_check(err == 0 || err == SS_E_CORRUPT);
    finding->places[base] += err == 0;
    finding->lost += err != 0;
}

SS_TEST(reshard_past, where_the_base_is)
{
    struct many m;
    struct opened opened;
    struct finding finding = { 0 };
    struct spoiling way = { .ordinal = 128, .part = 0 };
    begin(&m, 1);
    close_all(&m);
    open_shard(&m, 0, &opened);
    each_session(&opened, find, &finding);
    ss_check(finding.places[SS_RESHARD_NO_BASE] == 6 && finding.lost == 0);
    ss_check(finding.places[SS_RESHARD_BASE_IS_PAST] == 12);
    ss_check(finding.places[SS_RESHARD_BASE_IS_NOW] == 6);
    each_session(&opened, spoil, &way);
    finding = (struct finding){ 0 };
    each_session(&opened, find, &finding);
    ss_check(finding.lost == 1 && finding.places[SS_RESHARD_BASE_IS_PAST] == 11);
    close_shard(&opened);
    end(&m);
}
