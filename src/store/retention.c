/* Looking for what sessions may lose. Any thread. */
#include "store/retention.h"

#include <string.h>

#include "core/fault.h"
#include "store/bytes_order.h"
#include "store/guard.h"
#include "store/record.h"
#include "store/retention_ages.h"
#include "store/segment_seek.h"
#include "store/store_state.h"
#include "store/timelines.h"

/* One slice: one read transaction. */
#define SLICE_SESSIONS 1024u
#define SLICE_SEGMENTS 8192u
/* Segments of one session whose events are looked at; the next pass goes on behind them. */
#define LOOKS_MAX 1024u

/* One segment of the session that is looked at. */
struct piece {
    uint64_t first;
    uint64_t last;
    struct ss_str key;
    struct ss_str value;
};

struct look {
    struct ss_store *store;
    struct ss_retention_scan *scan;
    MDB_txn *txn;
    MDB_cursor *sessions;
    MDB_cursor *segments;
    uint64_t sid;
    struct ss_row_value row;
    uint32_t seen;           /* segments of this slice */
    /* Of the session. */
    uint64_t bytes;          /* of its segments */
    uint32_t leftovers;
    MDB_val key;             /* of the next segment, while @code is 0 */
    MDB_val value;
    int code;
};

/* ---- segments of a session ---- */

static bool is_here(const struct look *look)
{
    return look->code == 0 && look->key.mv_size == 16 &&
           ss__get_be64(look->key.mv_data) == look->sid;
}

static void begin_pieces(struct look *look, uint64_t first)
{
    uint8_t from[16];
    ss__segment_key(from, look->sid, first);
    look->key = ss__val_of(from, sizeof from);
    look->code = mdb_cursor_get(look->segments, &look->key, &look->value, MDB_SET_RANGE);
}

static bool next_piece(struct look *look, struct piece *ret_piece)
{
    if (!is_here(look)) {
        return false;
    }
    *ret_piece = (struct piece){ .first = ss__get_be64((const uint8_t *)look->key.mv_data + 8),
                                 .last = look->row.ordinal,
                                 .key = ss__str_of_val(look->key),
                                 .value = ss__str_of_val(look->value) };
    look->seen++;
    look->code = mdb_cursor_get(look->segments, &look->key, &look->value, MDB_NEXT);
    if (is_here(look)) {
        ret_piece->last = ss__get_be64((const uint8_t *)look->key.mv_data + 8) - 1;
    }
    return true;
}

/* When its first event was published, without a look at the others; 0: it cannot be told. */
static uint64_t time_of(const struct piece *piece)
{
    struct ss_record record = { 0 };
    size_t at = 0;
    if (piece->value.len < SS_SEGMENT_HEAD_BYTES) {
        return 0;
    }
    struct ss_str entries = ss_str_of(piece->value.data + SS_SEGMENT_HEAD_BYTES,
                                      piece->value.len - SS_SEGMENT_HEAD_BYTES);
    return ss__segment_entry_next(entries, &at, &record) == 0 ? record.time_us : 0;
}

/* Whether all of its events are: a clock that was set back makes none of them older than those
 * before. */
static bool is_older(const struct piece *piece, uint64_t than_us)
{
    struct ss_segment segment;
    size_t at = 0;
    if (time_of(piece) >= than_us ||
        ss__segment_decode(piece->key, piece->value, &segment) != 0) {
        return false;    /* what is damaged stays for the check */
    }
    bool older = true;
    for (uint32_t i = 0; i < segment.count && older; i++) {
        struct ss_record record = { 0 };
        older = ss__segment_entry_next(segment.entries, &at, &record) == 0 &&
                record.time_us < than_us;
    }
    return older;
}

static void measure(struct look *look, const struct piece *piece)
{
    uint64_t time_us = time_of(piece);
    uint64_t age_us = time_us < look->scan->now_us ? look->scan->now_us - time_us : 0;
    look->scan->ages[ss__age_bucket(age_us)] += piece->value.len;
}

/* Nothing behind them may be read then; a page may hold some rows before the first. */
static int guard_pieces(struct look *look, uint64_t first)
{
    return ss__segment_guard(&look->store->env, look->txn, look->sid, first, 2 * SLICE_SEGMENTS);
}

/* 1: all of them; 0: the next slice goes on. */
static int count_pieces(struct look *look)
{
    struct ss_retention_place *place = &look->scan->place;
    bool goes_on = place->sid == look->sid && place->first_retained == look->row.first_retained;
    struct piece piece;
    uint64_t first = goes_on ? place->next : 0;
    look->bytes = goes_on ? place->bytes : 0;
    look->leftovers = goes_on ? place->leftovers : 0;
    place->sid = 0;
    int err = guard_pieces(look, first);
    if (err != 0) {
        return err;
    }
    begin_pieces(look, first);
    for (uint32_t i = 0; i < SLICE_SEGMENTS && next_piece(look, &piece); i++) {
        if (piece.last < look->row.first_retained) {
            look->leftovers++;
            continue;
        }
        look->bytes += piece.value.len;
        if (look->scan->measure) {
            measure(look, &piece);
        }
    }
    if (is_here(look)) {
        *place = (struct ss_retention_place){
            .sid = look->sid, .first_retained = look->row.first_retained,
            .next = ss__get_be64((const uint8_t *)look->key.mv_data + 8),
            .bytes = look->bytes, .leftovers = look->leftovers
        };
        return 0;
    }
    return look->code == 0 || look->code == MDB_NOTFOUND ? 1 : ss__err_from_lmdb(look->code);
}

/* ---- what may go ---- */

/* No event behind it may go: a projection that stopped needs it when it goes on. */
static uint64_t halted_at(const struct look *look)
{
    const struct ss_store *store = look->store;
    uint64_t lowest = look->row.ordinal;
    for (uint32_t i = 0; i < store->timelines_count; i++) {
        struct ss_timeline_row timeline;
        struct ss_failed_set failed;
        if (ss__timelines_pick(look->row.timelines, store->timelines[i].projection, &timeline,
                               &failed) == 0 &&
            timeline.version == store->timelines[i].version && timeline.halted &&
            timeline.ordinal < lowest) {
            lowest = timeline.ordinal;
        }
    }
    return lowest;
}

struct bounds {
    uint64_t age_us;         /* events before it go; 0: none for that */
    uint64_t older_us;
    uint64_t halted_at;
    uint32_t looks;
};

static bool looks_older(struct bounds *bounds, const struct piece *piece, uint64_t than_us)
{
    return than_us != 0 && bounds->looks < LOOKS_MAX && ++bounds->looks > 0 &&
           is_older(piece, than_us);
}

static bool may_go(struct look *look, struct bounds *bounds, const struct piece *piece)
{
    const struct ss_retention_policy *policy = &look->scan->policy;
    bool newest = piece->last == look->row.ordinal;
    if (piece->last > bounds->halted_at) {
        return false;
    }
    if (!newest && ((policy->events != 0 && look->row.ordinal - piece->last >= policy->events) ||
                    (policy->bytes != 0 && look->bytes > policy->bytes))) {
        return true;
    }
    if (looks_older(bounds, piece, bounds->age_us)) {
        return true;
    }
    if (look->scan->excess > 0 && looks_older(bounds, piece, bounds->older_us)) {
        look->scan->excess -= piece->value.len < look->scan->excess ? piece->value.len
                                                                    : look->scan->excess;
        return true;
    }
    return false;
}

/* A session is no younger than the first time it was published to: what is imported with earlier
 * times stays until the session is that old. */
static struct bounds bounds_of(const struct look *look)
{
    const struct ss_retention_scan *scan = look->scan;
    uint64_t age_us = scan->policy.age_us;
    struct bounds bounds = { .halted_at = halted_at(look) };
    if (age_us != 0 && age_us < scan->now_us && look->row.created_us < scan->now_us - age_us) {
        bounds.age_us = scan->now_us - age_us;
    }
    if (look->row.created_us < scan->older_us) {
        bounds.older_us = scan->older_us;
    }
    return bounds;
}

static bool is_over(const struct look *look, const struct bounds *bounds)
{
    const struct ss_retention_policy *policy = &look->scan->policy;
    uint64_t behind_first = look->row.ordinal - look->row.first_retained;
    return bounds->age_us != 0 || (bounds->older_us != 0 && look->scan->excess > 0) ||
           (policy->events != 0 && behind_first >= policy->events) ||
           (policy->bytes != 0 && look->bytes > policy->bytes);
}

static int propose(struct look *look, uint64_t through, bool leftovers)
{
    struct ss_retention_scan *scan = look->scan;
    struct ss_str id = ss__arena_str(&scan->arena, look->row.id);
    if (id.data == NULL) {
        return SS_E_NOMEM;
    }
    scan->cuts[scan->cuts_count++] = (struct ss_retention_cut){ id, through, leftovers };
    return 0;
}

/* Of those that are left, and at most so many as one slice looks at: the next pass goes on. */
static int find_through(struct look *look, uint64_t *ret_through)
{
    struct bounds bounds = bounds_of(look);
    struct piece piece;
    if (look->row.ordinal < look->row.first_retained || !is_over(look, &bounds)) {
        return 0;
    }
    int err = guard_pieces(look, look->row.first_retained);
    if (err != 0) {
        return err;
    }
    begin_pieces(look, look->row.first_retained);
    for (uint32_t i = 0;
         i < SLICE_SEGMENTS && next_piece(look, &piece) && may_go(look, &bounds, &piece); i++) {
        *ret_through = piece.last;
        look->bytes -= piece.value.len;
    }
    return 0;
}

/* 1: done with the session; 0: the next slice goes on with it. */
static int judge(struct look *look)
{
    uint64_t through = 0;
    int err = count_pieces(look);
    if (err != 1) {
        return err;
    }
    err = find_through(look, &through);
    look->scan->sessions++;
    look->scan->bytes += look->bytes;
    if (err == 0 && through != 0) {
        err = propose(look, through, false);
    } else if (err == 0 && look->leftovers > 0) {
        err = propose(look, look->row.first_retained - 1, true);
    }
    return err != 0 ? err : 1;
}

/* ---- a slice ---- */

static bool is_of_disk(int err)
{
    return err == SS_E_CORRUPT || err == SS_E_STOREIO;
}

/* What cannot be read is passed over; the guard has logged it. */
static int judge_row(struct look *look, struct ss_str value)
{
    if (ss__row_decode(look->sid, value, &look->row) != 0 || look->row.ordinal == 0) {
        return 1;
    }
    int err = judge(look);
    return is_of_disk(err) ? 1 : err;
}

/* The first session from next_sid on. 1; 0 at the end of the slice or of them all, or an error. */
static int next_session(struct look *look)
{
    struct ss_retention_scan *scan = look->scan;
    uint8_t from[8];
    uint64_t behind = 0;
    ss__put_be64(from, scan->next_sid);
    MDB_val key = ss__val_of(from, sizeof from);
    MDB_val value;
    int err = ss__guard_next(&look->store->env, look->txn, SS_DB_SESSION, ss__str_of_val(key),
                             &behind);
    if (is_of_disk(err) && behind > scan->next_sid) {
        scan->next_sid = behind;
        scan->end = behind == UINT64_MAX;
        return !scan->end;
    }
    int code = err != 0 ? 0 : mdb_cursor_get(look->sessions, &key, &value, MDB_SET_RANGE);
    if (err != 0 || code != 0) {
        scan->end = err == 0 && code == MDB_NOTFOUND;
        return err != 0 ? err : scan->end ? 0 : ss__err_from_lmdb(code);
    }
    memset(from, 0, sizeof from);    /* a key that is damaged has another length */
    memcpy(from, key.mv_data, key.mv_size < sizeof from ? key.mv_size : sizeof from);
    look->sid = ss__get_be64(from);
    err = judge_row(look, ss__str_of_val(value));
    scan->next_sid = err == 1 ? look->sid + 1 : look->sid;
    scan->end = err == 1 && scan->next_sid == 0;
    return scan->end ? 0 : err;
}

static int each_session(struct look *look)
{
    const struct ss_retention_scan *scan = look->scan;
    int err = SS_FAULT("store.retention");
    int more = err != 0 ? err : 1;
    for (uint32_t seen = 0; more == 1 && seen < SLICE_SESSIONS && look->seen < SLICE_SEGMENTS &&
                            scan->cuts_count < SS_RETENTION_CUTS_MAX; seen++) {
        more = next_session(look);
    }
    return more < 0 ? more : 0;
}

int ss__retention_scan(struct ss_store *store, struct ss_retention_scan *scan)
{
    struct look look = { .store = store, .scan = scan };
    ss__arena_reset(&scan->arena);
    scan->cuts_count = 0;
    int err = ss__env_read_begin(&store->env, &look.txn);
    if (err != 0) {
        return err;
    }
    err = ss__err_from_lmdb(
        mdb_cursor_open(look.txn, store->env.dbi[SS_DB_SESSION], &look.sessions));
    if (err == 0) {
        err = ss__err_from_lmdb(
            mdb_cursor_open(look.txn, store->env.dbi[SS_DB_SEGMENT], &look.segments));
        if (err == 0) {
            err = each_session(&look);
            mdb_cursor_close(look.segments);
        }
        mdb_cursor_close(look.sessions);
    }
    ss__env_read_end(&store->env, look.txn);
    return err;
}

uint64_t ss__retention_older(const struct ss_retention_scan *scan, uint64_t bytes)
{
    uint64_t sum = 0;
    for (uint32_t i = SS_RETENTION_AGES; i-- > 0;) {
        sum += scan->ages[i];
        if (sum >= bytes) {
            uint64_t age_us = ss__age_of_bucket(i);
            return age_us < scan->now_us ? scan->now_us - age_us : 0;
        }
    }
    return 0;
}
