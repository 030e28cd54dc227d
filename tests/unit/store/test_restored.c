#include "store_fixture.h"

#include "store/restored.h"

struct visits {
    unsigned count;
    uint64_t from;
    uint64_t to;
};

static void on_visit(uint32_t shard, uint64_t old_incarnation, uint64_t new_incarnation, void *ctx)
{
    struct visits *visits = ctx;
    ss_check(shard == 0 && new_incarnation > old_incarnation);
    *visits = (struct visits){ visits->count + 1, old_incarnation, new_incarnation };
}

static uint64_t epoch_of(struct fixture *f, const char *id)
{
    struct ss_store_session *session = fixture_session(f, id);
    uint64_t epoch = ss__store_row(session)->epoch;
    ss__store_put_session(f->store, session);
    return epoch;
}

SS_TEST(restored, every_epoch_changes_once_and_events_stay)
{
    struct fixture f;
    struct visits visits = { 0 };
    fixture_open(&f);
    fixture_publish(&f, "a", 70, 50, 7);
    uint64_t before = epoch_of(&f, "a");
    fixture_close(&f);
    ss_check(ss__store_restored(f.root, on_visit, &visits, NULL) == 0 && visits.count == 1);
    ss_check(visits.from == f.report.incarnation);
    fixture_check_clean(&f);
    fixture_reopen(&f);
    uint64_t after = epoch_of(&f, "a");
    ss_check(after != before && f.report.incarnation == visits.to && f.report.clean);
    fixture_verify(&f, "a", 70, 50);
    fixture_close(&f);
    fixture_reopen(&f);
    ss_check(epoch_of(&f, "a") == after);
    fixture_end(&f);
}

SS_TEST(restored, the_same_copy_restored_twice_gives_other_epochs)
{
    struct fixture f;
    struct visits first = { 0 };
    struct visits second = { 0 };
    uint8_t bytes[SS_META_BYTES_MAX];
    struct ss_meta_run run = { true, SS_DURABILITY_FSYNC, 1, 0 };
    fixture_open(&f);
    fixture_close(&f);
    ss_check(ss__store_restored(f.root, on_visit, &first, NULL) == 0);
    fixture_plant(&f, SS_DB_META, ss_str(META_RUN),
                  ss_str_of(bytes, ss__meta_run_encode(bytes, &run)));
    ss_check(ss__store_restored(f.root, on_visit, &second, NULL) == 0);
    ss_check(first.from == second.from && first.to != second.to);
    fixture_end(&f);
}

SS_TEST(restored, refuses_a_directory_in_use_or_incomplete)
{
    struct fixture f;
    struct visits visits = { 0 };
    struct ss_failure failure = { 0 };
    uint8_t value[SS_META_BYTES_MAX];
    struct ss_meta_shard other = { .index = 0, .count = 1, .directory_id = 5 };
    char path[400];
    fixture_open(&f);
    ss_check(ss__store_restored(f.root, on_visit, &visits, NULL) == SS_E_LOCKED);
    ss_check(ss__store_restored("/nonexistent/data", on_visit, &visits, NULL) == SS_E_NOTFOUND);
    fixture_close(&f);
    fixture_plant(&f, SS_DB_META, ss_str(META_SHARD),
                  ss_str_of(value, ss__meta_shard_encode(value, &other)));
    ss_check(ss__store_restored(f.root, on_visit, &visits, &failure) == SS_E_SHARDS);
    ss_check_msg(strstr(failure.text, "another data directory") != NULL, "%s", failure.text);
    (void)snprintf(path, sizeof path, "%s/data.mdb", f.shard_dir);
    ss_check(truncate(path, 0) == 0);
    failure.code = 0;
    ss_check(ss__store_restored(f.root, on_visit, &visits, &failure) == SS_E_CORRUPT);
    ss_check_msg(strstr(failure.text, "shard 0000") != NULL, "%s", failure.text);
    ss_check(visits.count == 0);
    fixture_end(&f);
}
