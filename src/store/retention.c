/* Looking for what sessions may lose. Any thread. */
#include "store/retention.h"

#include <string.h>

#include "core/fault.h"
#include "store/bytes_order.h"
#include "store/record.h"
#include "store/retention_ages.h"
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

static void count_pieces(struct look *look)
{
    struct piece piece;
    begin_pieces(look, 0);
    while (next_piece(look, &piece)) {
        if (piece.last < look->row.first_retained) {
            look->leftovers++;
            continue;
        }
        look->bytes += piece.value.len;
        if (look->scan->measure) {
            measure(look, &piece);
        }
    }
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

static int judge(struct look *look)
{
    uint64_t through = 0;
    struct piece piece;
    look->bytes = look->leftovers = 0;
    count_pieces(look);
    struct bounds bounds = bounds_of(look);
    if (look->row.ordinal >= look->row.first_retained && is_over(look, &bounds)) {
        begin_pieces(look, look->row.first_retained);
        while (next_piece(look, &piece) && may_go(look, &bounds, &piece)) {
            through = piece.last;
            look->bytes -= piece.value.len;
        }
    }
    look->scan->sessions++;
    look->scan->bytes += look->bytes;
    if (through != 0) {
        return propose(look, through, false);
    }
    return look->leftovers == 0 ? 0 : propose(look, look->row.first_retained - 1, true);
}

/* ---- a slice ---- */

static int each_session(struct look *look)
{
    struct ss_retention_scan *scan = look->scan;
    uint8_t from[8];
    uint32_t seen = 0;
    int err = SS_FAULT("store.retention");
    ss__put_be64(from, scan->next_sid);
    MDB_val key = ss__val_of(from, sizeof from);
    MDB_val value;
    int code = mdb_cursor_get(look->sessions, &key, &value, MDB_SET_RANGE);
    while (code == 0 && err == 0 && seen < SLICE_SESSIONS && look->seen < SLICE_SEGMENTS &&
           scan->cuts_count < SS_RETENTION_CUTS_MAX) {
        look->sid = key.mv_size == 8 ? ss__get_be64(key.mv_data) : 0;
        if (ss__row_decode(look->sid, ss__str_of_val(value), &look->row) == 0 &&
            look->row.ordinal > 0) {
            err = judge(look);
        }
        scan->next_sid = look->sid + 1;
        seen++;
        code = err != 0 ? 0 : mdb_cursor_get(look->sessions, &key, &value, MDB_NEXT);
    }
    scan->end = err == 0 && code == MDB_NOTFOUND;
    return err != 0 ? err : code == 0 || code == MDB_NOTFOUND ? 0 : ss__err_from_lmdb(code);
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
