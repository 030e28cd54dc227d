#include <errno.h>

#include "core/hash.h"
#include "store_fixture.h"
#include "store/log.h"

static uint64_t epoch_of(struct fixture *f)
{
    struct ss_store_session *a = fixture_session(f, "a");
    uint64_t epoch = ss__store_row(a)->epoch;
    ss__store_put_session(f->store, a);
    return epoch;
}

static bool epoch_survives_a_crash(enum ss_durability durability)
{
    struct fixture f;
    fixture_init(&f);
    f.options.durability = durability;
    fixture_reopen(&f);
    fixture_publish(&f, "a", 1, 10, 1);
    uint64_t epoch = epoch_of(&f);
    uint64_t incarnation = f.report.incarnation;
    fixture_close(&f);
    fixture_reopen(&f);
    ss_check(f.report.clean && f.report.incarnation == incarnation && epoch_of(&f) == epoch);
    fixture_crash(&f);
    fixture_reopen(&f);
    ss_check(!f.report.clean);
    bool same = epoch_of(&f) == epoch;
    ss_check(same == (f.report.incarnation == incarnation));
    fixture_verify(&f, "a", 1, 10);
    fixture_end(&f);
    return same;
}

SS_TEST(store, epoch_changes_after_a_crash_that_may_have_lost_events)
{
    ss_check(epoch_survives_a_crash(SS_DURABILITY_FSYNC));
    ss_check(!epoch_survives_a_crash(SS_DURABILITY_INTERVAL));
    ss_check(!epoch_survives_a_crash(SS_DURABILITY_NONE));
}

SS_TEST(store, crash_is_judged_by_the_mode_of_the_run_that_crashed)
{
    struct fixture f;
    fixture_init(&f);
    f.options.durability = SS_DURABILITY_NONE;
    fixture_reopen(&f);
    uint64_t incarnation = f.report.incarnation;
    fixture_crash(&f);
    f.options.durability = SS_DURABILITY_FSYNC;
    fixture_reopen(&f);
    ss_check(f.report.incarnation == incarnation + 1);
    fixture_crash(&f);
    fixture_reopen(&f);
    ss_check(f.report.incarnation == incarnation + 1);
    fixture_end(&f);
}

SS_TEST(store, sync_makes_unsynced_commits_durable_in_every_mode)
{
    struct fixture f;
    fixture_init(&f);
    f.options.durability = SS_DURABILITY_NONE;
    fixture_reopen(&f);
    fixture_publish(&f, "a", 3, 10, 1);
    ss_check(ss__store_sync(f.store) == 0);
    fixture_verify(&f, "a", 3, 10);
    fixture_end(&f);
}

static void refused(struct fixture *f, int code)
{
    struct ss_store *store;
    struct ss_store_report report;
    struct ss_failure failure = { 0 };
    ss_check(ss__store_open(&f->options, &store, &report, &failure) == code);
    ss_check(failure.code == code && failure.text[0] != '\0');
}

SS_TEST(store, shard_of_another_place_or_format_is_refused)
{
    struct fixture f;
    fixture_open(&f);
    uint64_t directory_id = f.options.directory_id;
    fixture_close(&f);
    f.options.shard_index = 1;
    refused(&f, SS_E_SHARDS);
    f.options.shard_index = 0;
    f.options.shard_count = 2;
    refused(&f, SS_E_SHARDS);
    f.options.shard_count = 1;
    f.options.directory_id = directory_id + 1;
    refused(&f, SS_E_SHARDS);
    f.options.directory_id = directory_id;
    uint8_t newer[17] = { SS_SEALED_VERSION + 1 };
    fixture_plant(&f, SS_DB_META, ss_str(META_SHARD), ss_str_of(newer, sizeof newer));
    refused(&f, SS_E_VERSION);
    fixture_end(&f);
}

SS_TEST(store, commit_after_a_failed_one_leaves_nothing_staged_for_close)
{
    struct fixture f;
    fixture_open(&f);
    struct ss_store_session *a = fixture_session(&f, "a");
    ss__fault_arm("log.sync", 1, 1, EIO);
    ss_check(ss__store_commit(f.store) == SS_E_STOREIO);
    ss__store_put_session(f.store, a);
    a = fixture_session(&f, "b");
    ss_check(ss__store_commit(f.store) == SS_E_STOREIO);
    ss_check(ss__store_staged_bytes(f.store) == 0);
    ss__store_put_session(f.store, a);
    fixture_end(&f);
}

SS_TEST(store, figures_follow_what_happened)
{
    struct fixture f;
    fixture_open(&f);
    fixture_publish(&f, "a", 10, 100, 5);
    struct ss_store_stats stats = fixture_stats(&f);
    ss_check(stats.events == 10 && stats.commits == 2 && stats.commit_errors == 0);
    ss_check(stats.log_records == 11 && stats.log_bytes >= 10 * 156 && stats.tails == 1);
    ss_check(stats.map_bytes == 64u << 20);
    fixture_end(&f);
}

SS_TEST(store, spare_for_the_log_is_wanted_filled_and_used_or_done_without)
{
    for (int fails = 0; fails < 2; fails++) {
        struct fixture f;
        struct ss_log_fill fill;
        struct ss_log_fill again;
        fixture_open(&f);
        ss_check(!ss__store_wants_spare(f.store, &fill));
        fixture_publish(&f, "a", 10, 60000, 1);
        ss_check(ss__store_wants_spare(f.store, &fill));
        ss_check(!ss__store_wants_spare(f.store, &again));
        ss__fault_arm("log.fill", 1, fails ? 1 : 0, EIO);
        int err = ss__log_fill(&fill);
        ss_check(err == (fails ? SS_E_STOREIO : 0));
        ss__store_spare_filled(f.store, &fill, err);
        ss_check(fixture_count_files(&f, "spare-") == (fails ? 0 : 1));
        fixture_publish(&f, "a", 10, 60000, 1);
        ss_check(fixture_count_files(&f, "spare-") == 0);
        fixture_verify(&f, "a", 20, 60000);
        ss__fault_arm("log.sync", 1, 1, EIO);
        struct ss_store_session *a = fixture_session(&f, "a");
        fixture_stage(&f, a, 1, 60000);
        ss_check(ss__store_commit(f.store) == SS_E_STOREIO);
        ss_check(!ss__store_wants_spare(f.store, &fill));    /* nothing is written any more */
        ss__store_put_session(f.store, a);
        fixture_end(&f);
    }
}

SS_TEST(store, log_of_a_newer_version_or_another_directory_is_refused)
{
    struct fixture f;
    uint8_t block[SS_LOG_BLOCK_BYTES];
    char path[400];
    fixture_open(&f);
    fixture_publish(&f, "a", 3, 10, 3);
    fixture_close(&f);
    fixture_log_path(&f, 1, path);
    int fd = open(path, O_RDWR);
    ss_check(fd >= 0 && pread(fd, block, sizeof block, 0) == (ssize_t)sizeof block);
    struct ss_log_head head;
    ss_check(ss__log_head_decode(ss_str_of(block, sizeof block), &head) == 0);
    ss__put_le32(block + 8, 2);
    ss__put_le64(block + 72, ss__checksum(block, 72));
    ss_check(pwrite(fd, block, sizeof block, 0) == (ssize_t)sizeof block);
    refused(&f, SS_E_VERSION);
    head.directory_id++;
    ss__log_head_encode(block, &head);
    ss_check(pwrite(fd, block, sizeof block, 0) == (ssize_t)sizeof block);
    refused(&f, SS_E_CORRUPT);
    head.directory_id--;
    ss__log_head_encode(block, &head);
    ss_check(pwrite(fd, block, sizeof block, 0) == (ssize_t)sizeof block);
    (void)close(fd);
    fixture_reopen(&f);
    ss_check(f.report.clean);    /* what was refused has changed nothing */
    fixture_verify(&f, "a", 3, 10);
    fixture_end(&f);
}

#ifdef SS_FAULTS

/* A number that is not read is not one: sessions would get numbers that others have. */
SS_TEST(store, read_of_its_own_state_that_fails_is_an_error_and_not_the_state_of_a_new_one)
{
    struct fixture f;
    fixture_open(&f);
    fixture_publish(&f, "a", 3, 10, 3);
    fixture_flush_all(&f);
    fixture_close(&f);
    for (unsigned at = 1; at <= 4; at++) {    /* shard, run, session number, log */
        ss__fault_arm("store.meta", at, 1, SS_E_STOREIO);
        refused(&f, SS_E_STOREIO);
        ss__fault_reset();
    }
    fixture_reopen(&f);
    fixture_publish(&f, "b", 1, 10, 1);
    fixture_verify(&f, "a", 3, 10);
    fixture_end(&f);
}

#endif

SS_TEST(store, one_outside_of_a_data_directory_is_made_when_it_is_opened)
{
    struct fixture f;
    char dir[300];
    struct ss_failure failure = { 0 };
    fixture_open(&f);
    fixture_close(&f);
    (void)snprintf(dir, sizeof dir, "%s/alone/shard", f.root);
    f.options.dir = dir;
    ss_check(ss__store_open(&f.options, &f.store, &f.report, &failure) == SS_E_CORRUPT);
    f.store = NULL;
    f.options.must_exist = false;
    for (unsigned i = 0; i < 2; i++) {
        int err = ss__store_open(&f.options, &f.store, &f.report, &failure);
        ss_check_msg(err == 0, "%s", failure.text);
        struct ss_store_session *session = fixture_session(&f, "a");
        ss_check(ss__store_row(session)->ordinal == i);
        f.event_type = 1;
        fixture_stage(&f, session, 1, 10);
        ss_check(ss__store_commit(f.store) == 0);
        ss__store_put_session(f.store, session);
        ss__store_close(f.store);
        f.store = NULL;
    }
    fixture_end(&f);
}
