/* What sessions may lose, under each bound. Events are published at 1000 + their ordinal. */
#include "store/retention.h"

#include <string.h>

#include "pages_fixture.h"
#include "retention_fixture.h"
#include "store/retention_ages.h"

static void publish_three(struct fixture *f)
{
    fixture_open(f);
    fixture_publish(f, "a", 200, 50, 64);
    fixture_publish(f, "b", 64, 50, 64);
    fixture_publish(f, "c", 10, 50, 10);
    fixture_flush_all(f);
}

static void expect(const struct proposed *proposed, const char *text)
{
    ss_check_msg(strcmp(proposed->text, text) == 0, "%s", proposed->text);
}

SS_TEST(retention, so_many_events_stay_and_whole_segments_go)
{
    static const struct {
        uint64_t events;
        const char *text;
    } cases[] = { { 0, "" },          { 1, "a:192 " },   { 8, "a:192 " },   { 9, "a:128 " },
                  { 72, "a:128 " },   { 73, "a:64 " },   { 136, "a:64 " },  { 137, "" },
                  { UINT64_MAX, "" } };
    struct fixture f;
    publish_three(&f);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct proposed proposed =
            propose(&f, (struct ss_retention_policy){ .events = cases[i].events }, 9999);
        expect(&proposed, cases[i].text);
        ss_check(proposed.sessions == 3);
    }
    fixture_end(&f);
}

SS_TEST(retention, so_many_bytes_stay_and_the_newest_segment_in_any_case)
{
    struct fixture f;
    publish_three(&f);
    uint64_t all = propose(&f, (struct ss_retention_policy){ 0 }, 9999).bytes;
    struct proposed proposed = propose(&f, (struct ss_retention_policy){ .bytes = 1 }, 9999);
    expect(&proposed, "a:192 ");
    ss_check(proposed.bytes < all);
    proposed = propose(&f, (struct ss_retention_policy){ .bytes = all / 2 }, 9999);
    expect(&proposed, "a:64 ");
    ss_check(proposed.bytes > all / 2 && proposed.bytes < all);
    proposed = propose(&f, (struct ss_retention_policy){ .bytes = all }, 9999);
    expect(&proposed, "");
    fixture_end(&f);
}

SS_TEST(retention, old_events_go_and_with_the_last_of_them_all)
{
    struct fixture f;
    publish_three(&f);
    /* The newest event of a segment is as old as that. */
    static const struct {
        uint64_t now_us;
        const char *text;
    } cases[] = { { 1064 + 500, "c:10 " },          { 1065 + 500, "a:64 b:64 c:10 " },
                  { 1192 + 500, "a:128 b:64 c:10 " }, { 1193 + 500, "a:192 b:64 c:10 " },
                  { 1200 + 500, "a:192 b:64 c:10 " }, { 1201 + 500, "a:200 b:64 c:10 " },
                  { 1010 + 500, "" },               { 400, "" } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct proposed proposed =
            propose(&f, (struct ss_retention_policy){ .age_us = 500 }, cases[i].now_us);
        expect(&proposed, cases[i].text);
    }
    /* A session is no older than its creation, at 100. */
    struct proposed proposed = propose(&f, (struct ss_retention_policy){ .age_us = 2000 }, 2100);
    expect(&proposed, "");
    fixture_end(&f);
}

/* Publishes a segment of events at these times. */
static void publish_at(struct fixture *f, const char *id, uint64_t time_us, uint64_t last_us)
{
    struct ss_store_session *session = fixture_session(f, id);
    for (unsigned i = 0; i < 64; i++) {
        struct ss_record record = { .ordinal = ss__store_row(session)->ordinal + 1,
                                    .time_us = i == 40 ? last_us : time_us,
                                    .type_id = f->event_type,
                                    .payload = ss_str("x") };
        ss_check(ss__store_stage_event(f->store, session, &record) == 0);
    }
    ss_check(ss__store_commit(f->store) == 0);
    ss__store_put_session(f->store, session);
}

SS_TEST(retention, after_a_clock_was_set_back_nothing_goes_before_what_stands_before_it)
{
    struct fixture f;
    struct ss_retention_policy policy = { .age_us = 500 };
    fixture_open(&f);
    publish_at(&f, "a", 1000, 1000);
    publish_at(&f, "a", 200, 1500);    /* one is younger than those around it */
    publish_at(&f, "a", 200, 200);
    fixture_flush_all(&f);
    struct proposed proposed = propose(&f, policy, 1501);
    expect(&proposed, "a:64 ");
    proposed = propose(&f, policy, 2000);
    expect(&proposed, "a:64 ");
    proposed = propose(&f, policy, 2001);
    expect(&proposed, "a:192 ");
    fixture_end(&f);
}

SS_TEST(retention, what_is_over_the_total_is_found_by_age)
{
    struct fixture f;
    fixture_open(&f);
    for (unsigned i = 0; i < 20; i++) {
        char id[8];
        (void)snprintf(id, sizeof id, "s%02u", (i * 7) % 20);
        publish_at(&f, id, 1000000 + i * 100000, 1000000 + i * 100000);
    }
    fixture_flush_all(&f);
    struct ss_retention_scan scan = { .now_us = 4000000, .measure = true };
    struct proposed all = propose_with(&f, &scan);
    uint64_t older = ss__retention_older(&scan, all.bytes / 4);
    ss_check_msg(older >= 1400000 && older <= 1700000, "%llu", (unsigned long long)older);
    ss_check(ss__retention_older(&scan, all.bytes * 2) == 0);
    scan = (struct ss_retention_scan){ .now_us = 4000000, .older_us = 9000000,
                                       .excess = all.bytes / 4 };
    struct proposed some = propose_with(&f, &scan);
    expect(&some, "s00:64 s07:64 s14:64 s01:64 s08:64 ");    /* no more, however old they are */
    scan = (struct ss_retention_scan){ .now_us = 4000000, .older_us = older, .excess = UINT64_MAX };
    some = propose_with(&f, &scan);
    ss_check(some.bytes >= all.bytes / 2 && some.bytes <= all.bytes * 4 / 5);
    fixture_end(&f);
}

SS_TEST(retention, ages_fall_into_buckets_that_do_not_overlap)
{
    for (uint32_t i = 1; i < ss__age_bucket(UINT64_MAX); i++) {
        uint64_t age_us = ss__age_of_bucket(i);
        ss_check(ss__age_bucket(age_us) == i && ss__age_bucket(age_us - 1) == i - 1);
    }
    ss_check(ss__age_bucket(UINT64_MAX) < SS_RETENTION_AGES);
}

SS_TEST(retention, a_pass_goes_in_slices_and_over_damage)
{
    struct fixture f;
    fixture_open(&f);
    for (unsigned i = 0; i < 300; i++) {
        char id[8];
        (void)snprintf(id, sizeof id, "s%u", i);
        publish_at(&f, id, 1000, 1000);
    }
    fixture_flush_all(&f);
    struct proposed proposed = propose(&f, (struct ss_retention_policy){ .age_us = 1 }, 2000);
    ss_check(proposed.slices == 300 / SS_RETENTION_CUTS_MAX + 1 && proposed.sessions == 300);
    struct ss_retention_scan scan = { .end = false };
    ss__arena_init(&scan.arena, 1024);
    ss__fault_arm("store.retention", 1, 1, SS_E_STOREIO);
    ss_check(ss__retention_scan(f.store, &scan) == SS_E_STOREIO && !scan.end);
    ss__fault_reset();
    ss__arena_deinit(&scan.arena);
    fixture_close(&f);
    uint8_t key[16];
    ss__put_be64(key, 2);
    fixture_plant(&f, SS_DB_SESSION, ss_str_of(key, 8), ss_str("damaged"));
    ss__segment_key(key, 3, 1);
    fixture_plant(&f, SS_DB_SEGMENT, ss_str_of(key, 16), ss_str("damaged too, and longer"));
    fixture_reopen(&f);
    proposed = propose(&f, (struct ss_retention_policy){ .age_us = 1 }, 2000);
    ss_check(proposed.sessions == 299 && strstr(proposed.text, "s1:") == NULL &&
             strstr(proposed.text, "s2:") == NULL && strstr(proposed.text, "s3:64") != NULL);
    fixture_end(&f);
}

/* One that holds very many segments holds up nobody: a slice ends within it. */
SS_TEST(retention, a_session_of_many_segments_takes_several_slices)
{
    struct fixture f;
    struct data data = { .len = 0 };
    MDB_txn *txn;
    fixture_open(&f);
    publish_at(&f, "a", 1000, 1000);
    publish_at(&f, "b", 1000, 1000);
    fixture_flush_all(&f);
    uint64_t bytes = propose(&f, (struct ss_retention_policy){ 0 }, 9999).bytes;
    fixture_close(&f);
    int len = snprintf(data.dir, sizeof data.dir, "%s", f.shard_dir);
    ss_check(len > 0 && (size_t)len < sizeof data.dir);
    MDB_env *env = data_env(&data);
    data_ok(mdb_txn_begin(env, NULL, 0, &txn));
    for (uint64_t i = 0; i < 20000; i++) {
        data_put(txn, "segment", 1, 65 + i, 10);
    }
    data_ok(mdb_txn_commit(txn));
    mdb_env_close(env);
    fixture_reopen(&f);
    struct proposed proposed = propose(&f, (struct ss_retention_policy){ 0 }, 9999);
    ss_check_msg(proposed.slices == 3 && proposed.sessions == 2 &&
                     proposed.bytes == bytes + 20000 * 10, "%u slices, %llu bytes",
                 proposed.slices, (unsigned long long)proposed.bytes);
    fixture_end(&f);
}

SS_TEST(retention, segment_that_is_none_is_passed_over)
{
    struct fixture f;
    uint8_t key[16];
    fixture_open(&f);
    fixture_publish(&f, "a", 200, 50, 50);
    fixture_publish(&f, "b", 200, 50, 50);
    fixture_flush_all(&f);
    fixture_close(&f);
    ss__segment_key(key, 1, 1);
    fixture_plant(&f, SS_DB_SEGMENT, ss_str_of(key, sizeof key), ss_str("x"));
    fixture_reopen(&f);
    struct proposed proposed = propose(&f, (struct ss_retention_policy){ .age_us = 1 }, 1u << 30);
    ss_check_msg(strstr(proposed.text, "b:") != NULL && strstr(proposed.text, "a:") == NULL, "%s",
                 proposed.text);
    fixture_end(&f);
}

/* A projection that stopped goes on some day, and needs what comes then. */
SS_TEST(retention, events_behind_one_that_stopped_a_projection_stay)
{
    static struct ss_timeline_checkpoint stopped;
    struct fixture f;
    fixture_open(&f);
    fixture_publish(&f, "a", 200, 50, 64);
    fixture_flush_all(&f);
    struct ss_store_session *a = fixture_session(&f, "a");
    stopped = (struct ss_timeline_checkpoint){
        .row = { .projection = FIXTURE_PROJECTION, .version = 1, .ordinal = 70, .halted = true },
    };
    ss_check(ss__store_stage_checkpoint(f.store, a, &stopped, 1) == 0);
    fixture_flush_due(&f);
    struct proposed proposed = propose(&f, (struct ss_retention_policy){ .events = 1 }, 0);
    expect(&proposed, "a:64 ");
    stopped.row.halted = false;
    ss_check(ss__store_stage_checkpoint(f.store, a, &stopped, 1) == 0);
    fixture_flush_due(&f);
    ss__store_put_session(f.store, a);
    proposed = propose(&f, (struct ss_retention_policy){ .events = 1 }, 0);
    expect(&proposed, "a:192 ");
    fixture_end(&f);
}
