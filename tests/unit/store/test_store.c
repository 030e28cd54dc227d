#include "store_fixture.h"

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
    uint8_t newer[17] = { SS_VALUE_VERSION + 1 };
    fixture_plant(&f, SS_DB_META, ss_str(META_SHARD), ss_str_of(newer, sizeof newer));
    refused(&f, SS_E_VERSION);
    fixture_end(&f);
}

SS_TEST(store, commit_after_a_failed_one_leaves_nothing_staged_for_close)
{
    struct fixture f;
    fixture_open(&f);
    struct ss_store_session *a = fixture_session(&f, "a");
    ss__fault_arm("store.commit.sync", 1, 1, SS_E_STOREIO);
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
    ss_check(stats.log_records == 10 && stats.log_bytes >= 10 * 144 && stats.tails == 1);
    ss_check(stats.map_bytes == 64u << 20);
    fixture_end(&f);
}
