#include "store_fixture.h"

#include "store/segment_seek.h"

/* First ordinal of the segment that is found; 0: of another session or none. */
static uint64_t seek(struct fixture *f, uint64_t sid, uint64_t ordinal)
{
    struct ss_env env;
    MDB_txn *txn;
    MDB_cursor *cursor;
    MDB_val key;
    MDB_val value;
    struct ss_failure failure = { 0 };
    ss_check(ss__env_open(f->shard_dir, 64u << 20, true, &env, &failure) == 0);
    ss_check(mdb_txn_begin(env.env, NULL, MDB_RDONLY, &txn) == 0);
    ss_check(mdb_cursor_open(txn, env.dbi[SS_DB_SEGMENT], &cursor) == 0);
    int code = ss__segment_seek(cursor, sid, ordinal, &key, &value);
    uint64_t first = 0;
    if (code == 0 && ss__get_be64(key.mv_data) == sid) {
        first = ss__get_be64((const uint8_t *)key.mv_data + 8);
    }
    mdb_cursor_close(cursor);
    mdb_txn_abort(txn);
    ss__env_close(&env);
    return first;
}

SS_TEST(segment_seek, finds_the_segment_that_reaches_an_event_in_any_place)
{
    struct fixture f;
    fixture_open(&f);
    fixture_publish(&f, "a", 130, 20, 64);
    fixture_publish(&f, "b", 70, 20, 64);
    fixture_publish(&f, "c", 1, 20, 1);
    fixture_flush_all(&f);
    fixture_close(&f);
    ss_check(seek(&f, 1, 1) == 1 && seek(&f, 1, 64) == 1);
    ss_check(seek(&f, 1, 65) == 65 && seek(&f, 1, 130) == 129);
    ss_check(seek(&f, 2, 1) == 1 && seek(&f, 2, 66) == 65);
    ss_check(seek(&f, 3, 1) == 1 && seek(&f, 3, 9) == 1);
    ss_check(seek(&f, 4, 1) == 0);
    fixture_end(&f);
}

SS_TEST(segment_seek, finds_nothing_in_an_empty_store)
{
    struct fixture f;
    fixture_open(&f);
    fixture_close(&f);
    ss_check(seek(&f, 1, 1) == 0);
    fixture_end(&f);
}

SS_TEST(segment_seek, before_the_first_of_all_is_nothing_of_the_session)
{
    struct fixture f;
    fixture_open(&f);
    fixture_publish(&f, "a", 70, 20, 64);
    fixture_flush_all(&f);
    fixture_close(&f);
    ss_check(seek(&f, 0, 9) == 0);
    fixture_end(&f);
}
