#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>

#include "core/mapped.h"
#include "store_fixture.h"
#include "unit/core/child_stderr.h"

/* Called before those of LMDB. */
static atomic_int refusal;                    /* of the next transaction */
static void (*on_assert)(MDB_env *env, const char *message);

int mdb_txn_begin(MDB_env *env, MDB_txn *parent, unsigned flags, MDB_txn **ret_txn)
{
    static __typeof__(mdb_txn_begin) *real;
    if (real == NULL) {
        real = (__typeof__(mdb_txn_begin) *)dlsym(RTLD_NEXT, "mdb_txn_begin");
    }
    int code = atomic_exchange(&refusal, 0);
    return code != 0 ? code : real(env, parent, flags, ret_txn);
}

int mdb_env_set_assert(MDB_env *env, MDB_assert_func *func)
{
    static __typeof__(mdb_env_set_assert) *real;
    if (real == NULL) {
        real = (__typeof__(mdb_env_set_assert) *)dlsym(RTLD_NEXT, "mdb_env_set_assert");
    }
    on_assert = func;
    return real(env, func);
}

static sem_t waited;                          /* the next sched_yield tells it */
static atomic_bool waits_told;
static atomic_bool read_whole;                /* by who was waited for */

/* Before that of the C library. */
int sched_yield(void)
{
    static __typeof__(sched_yield) *real;
    if (real == NULL) {
        real = (__typeof__(sched_yield) *)dlsym(RTLD_NEXT, "sched_yield");
    }
    if (atomic_exchange(&waits_told, false)) {
        ss_check(sem_post(&waited) == 0);
    }
    return real();
}

struct place {
    char root[256];
    struct ss_env env;
    atomic_bool stop;
    atomic_uint reads;
    atomic_uint errors;
};

static void place_open(struct place *place)
{
    struct ss_failure failure = { 0 };
    fixture_make_root(place->root, sizeof place->root);
    int err = ss__env_open(place->root, 16u << 20, false, &place->env, &failure);
    ss_check_msg(err == 0, "%s", failure.text);
}

static void place_end(struct place *place)
{
    ss__env_close(&place->env);
    (void)nftw(place->root, fixture_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static int put(struct place *place, uint64_t number, size_t len)
{
    static uint8_t bytes[1u << 20];
    MDB_txn *txn;
    uint8_t key_bytes[8];
    ss__put_be64(key_bytes, number);
    ss__env_reader_stale(&place->env);
    ss_check(mdb_txn_begin(place->env.env, NULL, 0, &txn) == 0);
    MDB_val key = ss__val_of(key_bytes, sizeof key_bytes);
    MDB_val value = ss__val_of(bytes, len);
    int code = mdb_put(txn, place->env.dbi[SS_DB_SEGMENT], &key, &value, 0);
    if (code != 0) {
        mdb_txn_abort(txn);
        return ss__err_from_lmdb(code);
    }
    return ss__err_from_lmdb(mdb_txn_commit(txn));
}

static int get(struct place *place, MDB_txn *txn, uint64_t number, MDB_val *ret_value)
{
    uint8_t key_bytes[8];
    ss__put_be64(key_bytes, number);
    MDB_val key = ss__val_of(key_bytes, sizeof key_bytes);
    return mdb_get(txn, place->env.dbi[SS_DB_SEGMENT], &key, ret_value);
}

SS_TEST(env, full_map_takes_more_once_it_has_grown)
{
    struct place place = { 0 };
    place_open(&place);
    uint64_t number = 0;
    int err;
    while ((err = put(&place, number, 1u << 20)) == 0) {
        number++;
        ss_check(number < 16);
    }
    ss_check(err == SS_E_STOREFULL);
    ss_check(ss__env_used(&place.env) <= place.env.map_bytes);
    uint64_t before = place.env.map_bytes;
    ss_check(ss__env_grow(&place.env) == 0 && place.env.map_bytes == 2 * before);
    ss_check(put(&place, number, 1u << 20) == 0);
    place_end(&place);
}

static void *read_on(void *arg)
{
    struct place *place = arg;
    while (!atomic_load(&place->stop)) {
        MDB_txn *txn;
        if (ss__env_read_begin(&place->env, &txn) != 0) {
            atomic_fetch_add(&place->errors, 1);
            continue;
        }
        MDB_val value;
        int code = get(place, txn, 0, &value);
        unsigned sum = 0;
        for (size_t i = 0; code == 0 && i < value.mv_size; i += 512) {
            sum += ((const uint8_t *)value.mv_data)[i];
        }
        atomic_fetch_add(&place->errors, code != 0 || sum != 0 ? 1 : 0);
        ss__env_read_end(&place->env, txn);
        atomic_fetch_add(&place->reads, 1);
    }
    return NULL;
}

SS_TEST(env, map_moves_while_other_threads_read)
{
    struct place place = { 0 };
    pthread_t threads[2];
    place_open(&place);
    ss_check(put(&place, 0, 4096) == 0);
    for (int i = 0; i < 2; i++) {
        ss_check(pthread_create(&threads[i], NULL, read_on, &place) == 0);
    }
    for (uint64_t i = 0; i < 6; i++) {
        unsigned reads = atomic_load(&place.reads);
        ss_check(ss__env_grow(&place.env) == 0);
        ss_check(put(&place, 1 + i, 4096) == 0);
        while (atomic_load(&place.reads) < reads + 10) {
            (void)sched_yield();
        }
    }
    atomic_store(&place.stop, true);
    for (int i = 0; i < 2; i++) {
        ss_check(pthread_join(threads[i], NULL) == 0);
    }
    ss_check(atomic_load(&place.errors) == 0);
    place_end(&place);
}

/* Reads what is there under key 0 once somebody waits for the end of this read. */
static void *read_until_waited_for(void *arg)
{
    struct place *place = arg;
    MDB_txn *txn;
    ss_check(ss__env_read_begin(&place->env, &txn) == 0);
    atomic_fetch_add(&place->reads, 1);
    ss_check(sem_wait(&waited) == 0);
    MDB_val value;
    ss_check(get(place, txn, 0, &value) == 0 && value.mv_size == 4096);
    ss_check(((const char *)value.mv_data)[4095] == 0);
    atomic_store(&read_whole, true);
    ss__env_read_end(&place->env, txn);
    return NULL;
}

static void moved_under_a_reader(int (*move)(struct ss_env *env))
{
    struct place place = { 0 };
    pthread_t thread;
    place_open(&place);
    ss_check(put(&place, 0, 4096) == 0);
    ss_check(sem_init(&waited, 0, 0) == 0);
    atomic_store(&read_whole, false);
    ss_check(pthread_create(&thread, NULL, read_until_waited_for, &place) == 0);
    while (atomic_load(&place.reads) == 0) {
        (void)sched_yield();
    }
    atomic_store(&waits_told, true);
    ss_check(move(&place.env) == 0 && atomic_load(&read_whole));
    ss_check(pthread_join(thread, NULL) == 0);
    MDB_txn *txn;
    ss_check(ss__env_read_begin(&place.env, &txn) == 0);
    ss__env_read_end(&place.env, txn);
    ss_check(sem_destroy(&waited) == 0);
    place_end(&place);
}

SS_TEST(env, map_that_grows_waits_for_who_reads)
{
    moved_under_a_reader(ss__env_grow);
}

SS_TEST(env, map_that_is_opened_again_waits_for_who_reads)
{
    moved_under_a_reader(ss__env_revive);
}

SS_TEST(env, owner_reads_the_newest_commit_after_stale_and_the_old_one_before)
{
    struct place place = { 0 };
    MDB_txn *txn;
    MDB_stat stat;
    place_open(&place);
    ss_check(put(&place, 1, 10) == 0);
    ss_check(ss__env_reader(&place.env, &txn) == 0);
    ss_check(mdb_stat(txn, place.env.dbi[SS_DB_SEGMENT], &stat) == 0 && stat.ms_entries == 1);
    ss_check(put(&place, 2, 10) == 0);
    ss_check(ss__env_reader(&place.env, &txn) == 0);
    ss_check(mdb_stat(txn, place.env.dbi[SS_DB_SEGMENT], &stat) == 0 && stat.ms_entries == 2);
    place_end(&place);
}

SS_TEST(env, foreign_codes_never_pass)
{
    ss_check(ss__err_from_lmdb(0) == 0);
    ss_check(ss__err_from_lmdb(MDB_NOTFOUND) == SS_E_NOTFOUND);
    ss_check(ss__err_from_lmdb(MDB_KEYEXIST) == SS_E_EXISTS);
    ss_check(ss__err_from_lmdb(MDB_VERSION_MISMATCH) == SS_E_VERSION);
    ss_check(ss__err_from_lmdb(MDB_MAP_FULL) == SS_E_STOREFULL);
    ss_check(ss__err_from_lmdb(ENOSPC) == SS_E_STOREFULL);
    ss_check(ss__err_from_lmdb(ENOMEM) == SS_E_NOMEM);
    ss_check(ss__err_from_lmdb(EIO) == SS_E_STOREIO);
    ss_check(ss__err_from_lmdb(MDB_PANIC) == SS_E_STOREIO);
    ss_check(ss__err_from_lmdb(MDB_CORRUPTED) == SS_E_CORRUPT);
    ss_check(ss__err_from_lmdb(MDB_VERSION_MISMATCH) == SS_E_VERSION);
    ss_check(ss__err_from_lmdb(-1) == SS_E_STOREIO);
}

SS_TEST(env, absent_directory_is_an_error_with_its_name)
{
    struct ss_env env;
    struct ss_failure failure = { 0 };
    ss_check(ss__env_open("/nonexistent/shard", 16u << 20, false, &env, &failure) == SS_E_STOREIO);
    ss_check(strstr(failure.text, "/nonexistent/shard") != NULL);
}

SS_TEST(env, data_beyond_the_automatic_limit_is_opened_with_room_to_write)
{
    struct fixture f;
    struct ss_env env;
    char path[400];
    const uint64_t data_bytes = UINT64_C(70) << 30;
    fixture_open(&f);
    fixture_close(&f);
    (void)snprintf(path, sizeof path, "%s/data.mdb", f.shard_dir);
    ss_check(truncate(path, (off_t)data_bytes) == 0);    /* a hole: takes no space */
    ss_check(ss__env_open(f.shard_dir, 0, false, &env, NULL) == 0);
    ss_check(env.map_bytes > data_bytes && env.map_bytes <= data_bytes + (UINT64_C(1) << 30));
    ss__env_close(&env);
    fixture_end(&f);
}

SS_TEST(env, map_is_noted_for_the_handler_of_a_fault)
{
    struct place place = { 0 };
    MDB_txn *txn;
    MDB_val value;
    uint64_t offset = 0;
    place_open(&place);
    ss_check(put(&place, 1, 100) == 0);
    for (int i = 0; i < 2; i++) {
        ss_check(ss__env_read_begin(&place.env, &txn) == 0);
        ss_check(get(&place, txn, 1, &value) == 0);
        const char *file = ss__mapped_find(value.mv_data, &offset);
        ss_check(file != NULL && strstr(file, place.root) != NULL);
        ss_check(strstr(file, "/data.mdb") != NULL && offset > 0 && offset < place.env.map_bytes);
        ss__env_read_end(&place.env, txn);
        ss_check(ss__env_grow(&place.env) == 0);
    }
    ss__env_close(&place.env);
    ss_check(ss__mapped_find(value.mv_data, &offset) == NULL);
    place_end(&place);
}

SS_TEST(env, free_pages_that_cannot_be_counted_are_none)
{
    struct place place = { 0 };
    place_open(&place);
    ss_check(put(&place, 1, 500000) == 0 && put(&place, 1, 10) == 0);
    ss_check(ss__env_free_bytes(&place.env, 400000) >= 400000);
    refusal = MDB_READERS_FULL;
    ss_check(ss__env_free_bytes(&place.env, 400000) == 0);
    place_end(&place);
}

/* Another error than lack of space, found while that is looked for. */
SS_TEST(env, directory_that_is_gone_is_no_full_disk)
{
    struct place place = { 0 };
    char path[300];
    place_open(&place);
    ss_check(!ss__env_disk_full(&place.env));
    (void)snprintf(path, sizeof path, "%s.moved", place.root);
    ss_check(rename(place.root, path) == 0);
    ss_check(!ss__env_disk_full(&place.env));
    ss_check(ss__env_free_disk(&place.env) == UINT64_MAX);
    ss_check(rename(path, place.root) == 0);
    place_end(&place);
}

static void meet_nonsense(void *ctx)
{
    struct place *place = ctx;
    on_assert(place->env.env, "it cannot be");
}

SS_TEST(env, what_lmdb_says_before_it_ends_the_process_names_file_and_remedy)
{
    struct place place = { 0 };
    struct child_stderr child;
    place_open(&place);
    child_stderr_run(meet_nonsense, &place, &child);
    ss_check_msg(child.signal == 0 && strstr(child.text, place.root) != NULL &&
                     strstr(child.text, "it cannot be") != NULL &&
                     strstr(child.text, "ssctl store check") != NULL,
                 "%s", child.text);
    meet_nonsense(&place);    /* it leaves the end to LMDB */
    place_end(&place);
}
