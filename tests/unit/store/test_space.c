#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <sys/resource.h>

#include "backup_fixture.h"

#include "store/cut.h"
#include "store/store_state.h"

#define BIG_BYTES (1u << 20)
#define BIG_MAX 32u
#define MAP_BYTES (18u << 20)    /* over 95 % with 17 big ones, full with 18 */
#define LATER_NS 10000000000u

static char big[BIG_BYTES];
static int map_refusal;

/* Called before that of LMDB. */
int mdb_env_set_mapsize(MDB_env *env, size_t bytes)
{
    static __typeof__(mdb_env_set_mapsize) *real;
    if (real == NULL) {
        real = (__typeof__(mdb_env_set_mapsize) *)dlsym(RTLD_NEXT, "mdb_env_set_mapsize");
    }
    return map_refusal != 0 ? map_refusal : real(env, bytes);
}

/* @count entities of 1 MiB from number @first on, or their removal. */
static int checkpoint(struct fixture *f, unsigned first, unsigned count, bool tombstone)
{
    struct ss_entity_row rows[BIG_MAX];
    char ids[BIG_MAX][8];
    struct ss_store_session *session = fixture_session(f, "big");
    ss_check(count <= BIG_MAX);
    for (unsigned i = 0; i < count; i++) {
        (void)snprintf(ids[i], sizeof ids[i], "%u", first + i);
        rows[i] = (struct ss_entity_row){ .kind = ss_str("note"), .id = ss_str(ids[i]),
                                          .created_ordinal = 1, .last_ordinal = 1,
                                          .type_id = f->entity_type, .tombstone = tombstone,
                                          .payload = ss_str_of(big, sizeof big) };
    }
    ss_check(stage_checkpoint(f->store, session, rows, count, 1, 1) == 0);
    int err = ss__store_flush(f->store, 0);
    ss__store_put_session(f->store, session);
    return err < 0 ? err : 0;
}

static void open_small(struct fixture *f)
{
    fixture_init(f);
    f->options.map_bytes = MAP_BYTES;
    fixture_reopen(f);
    fixture_publish(f, "big", 1, 50, 1);
}

SS_TEST(space, map_over_95_percent_refuses_and_heals_when_pages_are_freed)
{
    struct fixture f;
    open_small(&f);
    uint64_t small = fixture_stats(&f).used_bytes;
    unsigned count = 0;
    while (ss__store_writable(f.store) == 0) {
        ss_check(count < 17);
        f.clock.now_ns += LATER_NS;
        ss_check(checkpoint(&f, count, 1, false) == 0);
        count++;
    }
    ss_check(ss__store_writable(f.store) == SS_E_STOREFULL);
    uint64_t used = fixture_stats(&f).used_bytes;
    ss_check(small > 0 && used > small + count * BIG_BYTES && used <= MAP_BYTES);
    f.clock.now_ns += LATER_NS;
    ss_check(ss__store_writable(f.store) == SS_E_STOREFULL);

    ss_check(checkpoint(&f, 0, 2, true) == 0);
    f.clock.now_ns += LATER_NS;
    ss_check(ss__store_writable(f.store) == 0);
    ss_check(fixture_stats(&f).used_bytes >= used);
    fixture_publish(&f, "big", 100, 50, 10);
    fixture_verify(&f, "big", 101, 50);
    fixture_close(&f);
    fixture_check_clean(&f);
    fixture_end(&f);
}

SS_TEST(space, transaction_that_fills_the_map_is_refused_whole_and_the_next_one_fits)
{
    struct fixture f;
    open_small(&f);
    ss_check(checkpoint(&f, 0, 8, false) == 0);
    ss_check(checkpoint(&f, 8, 10, false) == SS_E_STOREFULL);
    ss_check(ss__store_writable(f.store) == SS_E_STOREFULL);
    f.clock.now_ns += LATER_NS;
    ss_check(ss__store_writable(f.store) == 0);
    fixture_publish(&f, "big", 10, 50, 1);
    ss_check(checkpoint(&f, 8, 2, false) == 0);
    fixture_verify(&f, "big", 11, 50);
    fixture_close(&f);
    fixture_check_clean(&f);
    fixture_end(&f);
}

/* The disk, as far as this process may write a file, ends at @limit. */
struct tight {
    struct rlimit before;
    void (*handler)(int);
};

static struct tight tighten(uint64_t limit)
{
    struct tight tight;
    ss_check(getrlimit(RLIMIT_FSIZE, &tight.before) == 0);
    struct rlimit small = { (rlim_t)limit, tight.before.rlim_max };
    tight.handler = signal(SIGXFSZ, SIG_IGN);
    ss_check(tight.handler != SIG_ERR && setrlimit(RLIMIT_FSIZE, &small) == 0);
    return tight;
}

static void loosen(const struct tight *tight)
{
    ss_check(setrlimit(RLIMIT_FSIZE, &tight->before) == 0);
    ss_check(signal(SIGXFSZ, tight->handler) != SIG_ERR);
}

SS_TEST(space, log_that_gets_no_further_file_refuses_publishes_and_heals)
{
    struct fixture f;
    fixture_open(&f);
    fixture_publish(&f, "a", 3, 50, 3);
    struct ss_store_session *a = fixture_session(&f, "a");
    fixture_stage(&f, a, 40, 60000);    /* more than a file */
    struct tight tight = tighten((1u << 20) + 4096);
    int err = ss__store_commit(f.store);
    int refusal = ss__store_writable(f.store);
    loosen(&tight);
    ss_check_msg(err == SS_E_STOREFULL, "%s", ss_error_name(err));
    ss_check(refusal == SS_E_STOREFULL && ss__store_row(a)->ordinal == 3);
    ss__store_put_session(f.store, a);
    f.clock.now_ns += LATER_NS;
    ss_check(ss__store_writable(f.store) == 0);
    fixture_publish(&f, "a", 40, 50, 20);
    fixture_verify(&f, "a", 43, 50);
    fixture_close(&f);
    fixture_check_clean(&f);
    fixture_reopen(&f);
    fixture_verify(&f, "a", 43, 50);
    fixture_end(&f);
}

/* LMDB cannot grow its file: the log takes events and keeps what a flush cannot move. */
static void flush_refused_at_file_limit(uint64_t room)
{
    struct fixture f;
    char path[320];
    struct stat data;
    fixture_open(&f);
    fixture_publish(&f, "a", 3, 60000, 1);
    fixture_flush_all(&f);
    fixture_publish(&f, "a", 10, 60000, 1);
    (void)snprintf(path, sizeof path, "%s/data.mdb", f.shard_dir);
    ss_check(stat(path, &data) == 0);
    struct tight tight = tighten((uint64_t)data.st_size + room);
    int err = ss__store_flush(f.store, 16);
    int refusal = ss__store_writable(f.store);
    loosen(&tight);
    ss_check_msg(err == SS_E_STOREFULL, "%s", ss_error_name(err));
    ss_check(refusal == SS_E_STOREFULL);
    fixture_verify(&f, "a", 13, 60000);
    f.clock.now_ns += LATER_NS;
    ss_check(ss__store_writable(f.store) == 0);
    fixture_flush_all(&f);
    ss_check(fixture_stats(&f).unflushed_bytes == 0);
    fixture_verify(&f, "a", 13, 60000);
    fixture_close(&f);
    fixture_check_clean(&f);
    fixture_reopen(&f);
    fixture_verify(&f, "a", 13, 60000);
    fixture_end(&f);
}

SS_TEST(space, flush_refused_by_the_file_system_heals)
{
    flush_refused_at_file_limit(0);
}

SS_TEST(space, short_write_of_a_flush_heals)
{
    flush_refused_at_file_limit(6000);
}

static void flush_answers(const char *point, int code, int expected, bool latches)
{
    struct fixture f;
    fixture_open(&f);
    fixture_publish(&f, "a", 3, 50, 3);
    ss__fault_arm(point, 1, 1, code);
    int err = ss__store_flush(f.store, 16);
    ss__fault_reset();
    ss_check_msg(err == expected, "%d: %s", code, ss_error_name(err));
    f.clock.now_ns += LATER_NS;
    ss_check_msg(ss__store_writable(f.store) == (latches ? SS_E_STOREIO : 0), "%d", code);
    fixture_verify(&f, "a", 3, 50);
    fixture_close(&f);
    fixture_check_clean(&f);
    fixture_reopen(&f);
    ss_check(f.report.clean == !latches);
    fixture_verify(&f, "a", 3, 50);
    fixture_end(&f);
}

SS_TEST(space, lack_of_space_and_errors_before_the_sync_do_not_latch)
{
    flush_answers("store.flush.disk", ENOSPC, SS_E_STOREFULL, false);
    flush_answers("store.flush.disk", EDQUOT, SS_E_STOREFULL, false);
    flush_answers("store.flush.disk", EFBIG, SS_E_STOREFULL, false);
    flush_answers("store.flush.disk", MDB_MAP_FULL, SS_E_STOREFULL, false);
    flush_answers("store.flush.disk", ENOMEM, SS_E_NOMEM, false);
    flush_answers("store.flush.disk", EPERM, SS_E_STOREIO, false);
}

SS_TEST(space, what_may_be_a_failed_sync_latches_at_once)
{
    flush_answers("store.flush.disk", EIO, SS_E_STOREIO, true);
    flush_answers("store.flush.disk", EROFS, SS_E_STOREIO, true);
    flush_answers("store.flush.disk", MDB_CORRUPTED, SS_E_STOREIO, true);
}

/* It was the full disk, although there is room when the answer is looked at. */
SS_TEST(space, a_write_that_failed_while_publishes_were_refused_does_not_latch)
{
    struct fixture f;
    fixture_open(&f);
    fixture_publish(&f, "a", 3, 50, 3);
    struct ss_store_session *a = fixture_session(&f, "a");
    fixture_stage(&f, a, 1, 50);
    ss__fault_arm("store.commit.before", 1, 1, SS_E_STOREFULL);
    ss_check(ss__store_commit(f.store) == SS_E_STOREFULL);
    ss__store_put_session(f.store, a);
    ss__fault_arm("store.flush.disk", 1, 1, EIO);
    ss_check(ss__store_flush(f.store, 16) == SS_E_STOREFULL);
    ss__fault_reset();
    f.clock.now_ns += LATER_NS;
    ss_check(ss__store_writable(f.store) == 0);
    ss_check(ss__store_flush(f.store, 16) > 0);
    fixture_publish(&f, "a", 1, 50, 1);
    fixture_verify(&f, "a", 4, 50);
    fixture_close(&f);
    fixture_check_clean(&f);
    fixture_end(&f);
}

SS_TEST(space, failed_write_of_a_meta_page_latches_when_lmdb_tells_it)
{
    flush_answers("store.flush.begin", MDB_PANIC, SS_E_STOREIO, true);
}

SS_TEST(space, failed_sync_is_not_taken_for_a_full_map)
{
    struct fixture f;
    open_small(&f);
    for (unsigned i = 0; i < 17 && checkpoint(&f, i, 1, false) == 0; i++) {
    }
    ss_check(fixture_stats(&f).used_bytes * 100 > UINT64_C(95) * MAP_BYTES);
    fixture_publish(&f, "big", 1, 50, 1);
    ss__fault_arm("store.flush.disk", 1, 1, EROFS);
    ss_check(checkpoint(&f, 0, 1, true) == SS_E_STOREIO);
    f.clock.now_ns += LATER_NS;
    ss_check(ss__store_writable(f.store) == SS_E_STOREIO);
    fixture_end(&f);
}

SS_TEST(space, failed_sync_of_a_store_without_syncs_latches_and_leaves_no_clean_mark)
{
    for (int at_close = 0; at_close < 2; at_close++) {
        struct fixture f;
        fixture_init(&f);
        f.options.durability = SS_DURABILITY_NONE;
        fixture_reopen(&f);
        fixture_publish(&f, "a", 3, 50, 3);
        ss__fault_arm("log.sync", 1, 1, EIO);
        if (!at_close) {
            ss_check(ss__store_sync(f.store) == SS_E_STOREIO);
            ss_check(ss__store_sync(f.store) == SS_E_STOREIO);
            ss_check(ss__store_writable(f.store) == SS_E_STOREIO);
        }
        uint64_t incarnation = f.report.incarnation;
        fixture_close(&f);
        ss__fault_reset();
        fixture_reopen(&f);
        ss_check(!f.report.clean && f.report.incarnation == incarnation + 1);
        fixture_end(&f);
    }
}

/* A map whose size the store chose grows before it is full; a copy of it is given up for that. */
SS_TEST(space, chosen_map_grows_in_time)
{
    struct fixture f;
    struct ss_cut *cut;
    open_small(&f);
    f.store->options.map_bytes = 0;    /* as if it had chosen that size */
    ss_check(checkpoint(&f, 0, 13, false) == 0);
    ss_check(fixture_stats(&f).map_bytes == MAP_BYTES);
    ss_check(ss__store_cut(f.store, &cut) == 0);
    ss_check(checkpoint(&f, 13, 3, false) == 0);
    fixture_publish(&f, "big", 1, 50, 1);
    ss_check(checkpoint(&f, 16, 1, false) == 0);
    ss_check_msg(fixture_stats(&f).map_bytes == 2 * MAP_BYTES, "%llu",
                 (unsigned long long)fixture_stats(&f).map_bytes);
    ss_check(ss__cut_stopped(cut));
    ss__store_uncut(f.store);
    ss_check(checkpoint(&f, 17, 6, false) == 0);
    ss_check(ss__store_writable(f.store) == 0);
    fixture_verify(&f, "big", 2, 50);
    fixture_end(&f);
}

SS_TEST(space, map_does_not_grow_past_what_the_disk_has)
{
    struct fixture f;
    open_small(&f);
    f.store->options.map_bytes = 0;
    f.store->options.min_free_bytes = UINT64_MAX / 2;
    ss_check(checkpoint(&f, 0, 15, false) == 0);
    (void)checkpoint(&f, 15, 1, false);
    ss_check(fixture_stats(&f).map_bytes == MAP_BYTES);
    fixture_end(&f);
}

SS_TEST(space, map_that_cannot_grow_is_told_once_and_grows_later)
{
    struct fixture f;
    open_small(&f);
    f.store->options.map_bytes = 0;    /* as if it had chosen that size */
    map_refusal = ENOMEM;
    ss_check(checkpoint(&f, 0, 15, false) == 0 && !f.store->grow_failed);
    for (unsigned i = 0; i < 2; i++) {
        fixture_publish(&f, "big", 1, 50, 1);
        ss_check(checkpoint(&f, 0, 1, false) == 0 && f.store->grow_failed);
    }
    ss_check(fixture_stats(&f).map_bytes == MAP_BYTES);
    map_refusal = 0;
    fixture_publish(&f, "big", 1, 50, 1);
    ss_check(checkpoint(&f, 0, 1, false) == 0 && !f.store->grow_failed);
    ss_check(fixture_stats(&f).map_bytes == 2 * MAP_BYTES);
    fixture_end(&f);
}
