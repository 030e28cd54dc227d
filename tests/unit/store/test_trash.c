#include "store_fixture.h"

#include "store/trash.h"

struct env_fixture {
    struct fixture base;
    struct ss_env env;
    MDB_txn *txn;
};

static void open_env(struct env_fixture *f)
{
    struct ss_failure failure = { 0 };
    fixture_open(&f->base);
    fixture_close(&f->base);
    ss_check(ss__env_open(f->base.shard_dir, 64u << 20, false, &f->env, &failure) == 0);
    ss_check(mdb_txn_begin(f->env.env, NULL, 0, &f->txn) == 0);
}

static void close_env(struct env_fixture *f)
{
    mdb_txn_abort(f->txn);
    ss__env_close(&f->env);
    fixture_end(&f->base);
}

static void put_segments(struct env_fixture *f, uint64_t sid, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        uint8_t bytes[16];
        ss__segment_key(bytes, sid, i + 1);
        MDB_val key = ss__val_of(bytes, sizeof bytes);
        MDB_val value = ss__val_of("x", 1);
        ss_check(mdb_put(f->txn, f->env.dbi[SS_DB_SEGMENT], &key, &value, 0) == 0);
    }
}

static void expect(struct env_fixture *f, size_t count, bool left)
{
    struct ss_trash trash;
    ss_check(ss__trash_load(&f->env, f->txn, &trash) == 0);
    ss_check(trash.count == count && trash.left == left && !trash.damaged);
    ss__trash_deinit(&trash);
}

SS_TEST(trash, sessions_in_it_are_known)
{
    struct env_fixture f;
    struct ss_trash trash;
    open_env(&f);
    expect(&f, 0, false);
    ss_check(ss__trash_put(&f.env, f.txn, 300, 2) == 0);
    ss_check(ss__trash_put(&f.env, f.txn, 7, 3) == 0);
    ss_check(ss__trash_load(&f.env, f.txn, &trash) == 0);
    ss_check(trash.left && ss__trash_has(&trash, 7) && ss__trash_has(&trash, 300));
    ss_check(!ss__trash_has(&trash, 8) && !ss__trash_has(&trash, 0));
    ss__trash_deinit(&trash);
    ss_check(!ss__trash_has(&trash, 7));
    close_env(&f);
}

SS_TEST(trash, one_sweep_takes_no_more_than_its_share_and_keeps_what_the_log_may_hold)
{
    struct env_fixture f;
    unsigned removed;
    bool left;
    open_env(&f);
    put_segments(&f, 6, 1);    /* of a session that lives */
    put_segments(&f, 7, SS_TRASH_KEYS_MAX + 10);
    put_segments(&f, 8, 3);
    ss_check(ss__trash_put(&f.env, f.txn, 7, 2) == 0);
    ss_check(ss__trash_put(&f.env, f.txn, 8, 3) == 0);
    ss_check(ss__trash_sweep(&f.env, f.txn, 1, &removed, &left) == 0);
    ss_check(removed == SS_TRASH_KEYS_MAX && left);
    expect(&f, 2, true);
    ss_check(ss__trash_sweep(&f.env, f.txn, 1, &removed, &left) == 0);
    ss_check(removed == 10 + 3 + 2 && !left);
    expect(&f, 2, false);
    ss_check(ss__trash_sweep(&f.env, f.txn, 3, &removed, &left) == 0);
    ss_check(removed == 0 && !left);
    expect(&f, 1, false);
    ss_check(ss__trash_sweep(&f.env, f.txn, 4, &removed, &left) == 0);
    expect(&f, 0, false);
    ss_check(ss__trash_sweep(&f.env, f.txn, 9, &removed, &left) == 0);
    struct ss_trash trash;
    ss_check(ss__trash_load(&f.env, f.txn, &trash) == 0);
    ss_check(trash.oldest_serial == 4);    /* when the last entry was forgotten */
    ss__trash_deinit(&trash);
    MDB_stat stat;
    ss_check(mdb_stat(f.txn, f.env.dbi[SS_DB_SEGMENT], &stat) == 0 && stat.ms_entries == 1);
    close_env(&f);
}

SS_TEST(trash, a_malformed_row_is_reported_by_the_check)
{
    struct fixture f;
    fixture_open(&f);
    fixture_close(&f);
    fixture_plant(&f, SS_DB_TRASH, ss_str("zzz"), ss_str("y"));
    struct ss_check_summary summary = fixture_check(&f);
    ss_check(summary.findings == 1 && strstr(f.finding, "trash") != NULL);
    fixture_reopen(&f);
    fixture_end(&f);
}

SS_TEST(trash, rows_of_an_older_program_are_read_and_a_changed_one_is_not)
{
    struct fixture f;
    struct ss_env env;
    MDB_txn *txn;
    struct ss_trash trash;
    struct ss_failure failure = { 0 };
    uint8_t key[17];
    size_t key_len;
    uint8_t value[64];
    fixture_open(&f);
    fixture_close(&f);
    fixture_plant(&f, SS_DB_TRASH, ss_str_of("\0\0\0\0\0\0\0\0\7", 9),
                  ss_str_of("\0\0\0\0\0\0\0\1", 8));
    ss_check(ss__env_open(f.shard_dir, 64u << 20, false, &env, &failure) == 0);
    ss_check(mdb_txn_begin(env.env, NULL, 0, &txn) == 0);
    ss_check(ss__trash_put(&env, txn, 9, 3) == 0);
    ss_check(ss__trash_load(&env, txn, &trash) == 0);
    ss_check(trash.count == 2 && !trash.damaged && ss__trash_has(&trash, 7));
    ss__trash_deinit(&trash);
    ss_check(mdb_txn_commit(txn) == 0);
    ss__env_close(&env);
    size_t len = fixture_row(&f, SS_DB_TRASH, 1, key, &key_len, value);
    key[8] = 10;    /* another session */
    fixture_plant(&f, SS_DB_TRASH, ss_str_of(key, key_len), ss_str_of(value, len));
    ss_check(ss__env_open(f.shard_dir, 64u << 20, true, &env, &failure) == 0);
    ss_check(ss__env_read_begin(&env, &txn) == 0);
    ss_check(ss__trash_load(&env, txn, &trash) == 0);
    ss_check(trash.damaged && trash.count == 2 && !ss__trash_has(&trash, 10));
    ss__trash_deinit(&trash);
    ss__env_read_end(&env, txn);
    ss__env_close(&env);
    fixture_end(&f);
}

/* It stays for the check, and what others have left goes. */
SS_TEST(trash, damaged_row_does_not_keep_those_behind_it)
{
    struct env_fixture f;
    unsigned removed;
    bool left;
    static const uint8_t damaged[9] = { 0, 0, 0, 0, 0, 0, 0, 0, 7 };
    open_env(&f);
    put_segments(&f, 7, 2);
    put_segments(&f, 8, 3);
    MDB_val key = ss__val_of(damaged, sizeof damaged);
    MDB_val value = ss__val_of("y", 1);
    ss_check(mdb_put(f.txn, f.env.dbi[SS_DB_TRASH], &key, &value, 0) == 0);
    ss_check(ss__trash_put(&f.env, f.txn, 8, 2) == 0);
    ss_check(ss__trash_sweep(&f.env, f.txn, 1, &removed, &left) == 0);
    ss_check(removed == 4 && !left);    /* with the row that named them */
    ss_check(ss__trash_sweep(&f.env, f.txn, 1, &removed, &left) == 0 && removed == 0 && !left);
    ss_check(mdb_get(f.txn, f.env.dbi[SS_DB_TRASH], &key, &value) == 0);
    close_env(&f);
}
