#include "store/segment_seek.h"

#include <string.h>

#include "store/guard.h"
#include "store/layout.h"

int ss__segment_seek(MDB_cursor *cursor, uint64_t sid, uint64_t ordinal, MDB_val *ret_key,
                     MDB_val *ret_value)
{
    uint8_t wanted[16];
    ss__segment_key(wanted, sid, ordinal);
    *ret_key = ss__val_of(wanted, sizeof wanted);
    int code = mdb_cursor_get(cursor, ret_key, ret_value, MDB_SET_RANGE);
    bool exact = code == 0 && ret_key->mv_size == sizeof wanted &&
                 memcmp(ret_key->mv_data, wanted, sizeof wanted) == 0;
    if (exact || (code != 0 && code != MDB_NOTFOUND)) {
        return code;
    }
    /* The one before may begin earlier and reach that far. */
    int back = mdb_cursor_get(cursor, ret_key, ret_value, code == 0 ? MDB_PREV : MDB_LAST);
    if (back == 0 && (ret_key->mv_size < 8 || memcmp(ret_key->mv_data, wanted, 8) != 0)) {
        return mdb_cursor_get(cursor, ret_key, ret_value, MDB_NEXT);
    }
    return back == MDB_NOTFOUND && code == 0
               ? mdb_cursor_get(cursor, ret_key, ret_value, MDB_FIRST)
               : back;
}

int ss__segment_guard(const struct ss_env *env, MDB_txn *txn, uint64_t sid, uint64_t ordinal,
                      uint64_t rows)
{
    uint8_t from[16];
    ss__segment_key(from, sid, ordinal);
    return ss__guard_walk(env, txn, SS_DB_SEGMENT, ss_str_of(from, sizeof from), 8, rows);
}
