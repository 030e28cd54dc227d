#include <errno.h>

#include "store_fixture.h"

#include "store/delete.h"
#include "store/trash.h"

#define LEN 40u
#define EVENTS 150u
#define ENTITIES 400u

static bool exists(struct fixture *f, const char *id)
{
    struct ss_store_session *session;
    int err = ss__store_get_session(f->store, ss_str(id), &session);
    ss_check(err == 0 || err == SS_E_NOTFOUND);
    if (err == 0) {
        ss__store_put_session(f->store, session);
    }
    return err == 0;
}

static int stage_delete(struct fixture *f, const char *id)
{
    struct ss_store_session *session;
    ss_check(ss__store_get_session(f->store, ss_str(id), &session) == 0);
    int err = ss__store_stage_delete(f->store, session, 77);
    ss__store_put_session(f->store, session);
    return err;
}

static void delete(struct fixture *f, const char *id)
{
    ss_check(stage_delete(f, id) == 0);
    ss_check(ss__store_commit(f->store) == 0);
    ss_check(!exists(f, id));
}

/* A session with segments, a tail and more entities than one flush takes out. */
static void fill(struct fixture *f, const char *id)
{
    static struct ss_entity_row rows[ENTITIES];
    static char ids[ENTITIES][8];
    fixture_publish(f, id, EVENTS, LEN, 50);
    for (unsigned i = 0; i < ENTITIES; i++) {
        (void)snprintf(ids[i], sizeof ids[i], "%u", i);
        rows[i] = (struct ss_entity_row){ .kind = ss_str("note"), .id = ss_str(ids[i]),
                                          .created_ordinal = 1, .last_ordinal = 1,
                                          .type_id = f->entity_type, .payload = ss_str("x") };
    }
    fixture_checkpoint(f, id, rows, ENTITIES, 100);
    fixture_publish(f, id, 3, LEN, 1);
}

static size_t count_rows(struct fixture *f, enum ss_db db)
{
    struct ss_env env;
    MDB_txn *txn;
    MDB_stat stat;
    struct ss_failure failure = { 0 };
    ss_check(ss__env_open(f->shard_dir, 0, true, &env, &failure) == 0);
    ss_check(mdb_txn_begin(env.env, NULL, MDB_RDONLY, &txn) == 0);
    ss_check(mdb_stat(txn, env.dbi[db], &stat) == 0);
    mdb_txn_abort(txn);
    ss__env_close(&env);
    return stat.ms_entries;
}

static void expect_rows(struct fixture *f, size_t catalog, size_t session, bool leftovers)
{
    ss_check(count_rows(f, SS_DB_CATALOG) == catalog);
    ss_check(count_rows(f, SS_DB_SESSION) == session);
    ss_check((count_rows(f, SS_DB_SEGMENT) + count_rows(f, SS_DB_ENTITY) > 0) == leftovers);
}

static void crash_and_check(struct fixture *f)
{
    fixture_crash(f);
    fixture_check_clean(f);
    fixture_reopen(f);
    ss_check(f->report.damaged_records == 0);
}

SS_TEST(delete, a_deleted_session_is_gone_and_its_id_free_at_once)
{
    struct fixture f;
    fixture_open(&f);
    fixture_publish(&f, "a", 3, LEN, 3);
    fixture_publish(&f, "b", 2, LEN, 2);
    struct ss_session_row before = fixture_row_of(&f, "a");
    struct ss_store_session *session = fixture_session(&f, "a");
    ss_check(ss__store_stage_delete(f.store, session, 77) == 0);
    ss_check(!exists(&f, "a"));
    ss_check(ss__store_stage_delete(f.store, session, 77) == SS_E_CLOSED);
    ss_check(fixture_stage_flags(&f, session, 1, 0) == SS_E_CLOSED);
    struct ss_image_request *request;
    ss_check(ss__store_image_request(f.store, session, false, &request) == SS_E_CLOSED);
    ss_check(ss__store_commit(f.store) == 0);
    ss_check(stage_checkpoint(f.store, session, NULL, 0, 1, 1) == SS_E_CLOSED);
    ss__store_put_session(f.store, session);
    fixture_publish(&f, "a", 2, LEN, 1);
    struct ss_session_row after = fixture_row_of(&f, "a");
    ss_check(after.sid != before.sid && after.epoch != before.epoch && after.ordinal == 2);
    crash_and_check(&f);
    ss_check(f.report.sessions == 2);
    fixture_verify(&f, "a", 2, LEN);
    fixture_verify(&f, "b", 2, LEN);
    ss_check(fixture_row_of(&f, "a").epoch == after.epoch);
    fixture_flush_all(&f);
    fixture_verify(&f, "a", 2, LEN);
    fixture_close(&f);
    fixture_check_clean(&f);
    expect_rows(&f, 2, 2, true);
    fixture_end(&f);
}

SS_TEST(delete, an_abort_and_a_failed_commit_bring_it_back)
{
    struct fixture f;
    fixture_open(&f);
    fixture_publish(&f, "a", 3, LEN, 3);
    ss_check(stage_delete(&f, "a") == 0);
    struct ss_store_session *other;
    ss_check(ss__store_stage_session(f.store, ss_str("a"), 5, &other) == 0);
    ss__store_abort(f.store);
    ss__store_put_session(f.store, other);
    fixture_verify(&f, "a", 3, LEN);
    ss_check(stage_delete(&f, "a") == 0);
    ss__fault_arm("store.commit.before", 1, 1, SS_E_STOREFULL);
    ss_check(ss__store_commit(f.store) == SS_E_STOREFULL);
    ss__fault_reset();
    fixture_verify(&f, "a", 3, LEN);
    crash_and_check(&f);
    fixture_verify(&f, "a", 3, LEN);
    fixture_end(&f);
}

SS_TEST(delete, born_and_deleted_in_one_batch)
{
    struct fixture f;
    fixture_open(&f);
    struct ss_store_session *session;
    ss_check(ss__store_stage_session(f.store, ss_str("a"), 5, &session) == 0);
    fixture_stage(&f, session, 2, LEN);
    ss_check(ss__store_stage_delete(f.store, session, 6) == 0);
    ss_check(ss__store_commit(f.store) == 0);
    ss__store_put_session(f.store, session);
    ss_check(!exists(&f, "a"));
    crash_and_check(&f);
    ss_check(!exists(&f, "a") && f.report.sessions == 0);
    fixture_flush_all(&f);
    crash_and_check(&f);
    ss_check(!exists(&f, "a"));
    fixture_close(&f);
    expect_rows(&f, 0, 0, false);
    fixture_end(&f);
}

SS_TEST(delete, leftovers_go_in_slices_and_a_crash_between_any_two_loses_nothing)
{
    struct fixture f;
    fixture_open(&f);
    fixture_publish(&f, "b", 5, LEN, 5);
    fill(&f, "a");
    crash_and_check(&f);
    delete(&f, "a");
    crash_and_check(&f);
    ss_check(!exists(&f, "a"));
    unsigned flushes = 0;
    for (int moved = 1; moved > 0; flushes++) {
        fixture_publish(&f, "a", 1, LEN, 1);    /* the new life goes on beside it */
        moved = ss__store_flush(f.store, 0);
        ss_check(moved >= 0);
        fixture_verify(&f, "a", flushes + 1, LEN);
        crash_and_check(&f);
        fixture_verify(&f, "a", flushes + 1, LEN);
        fixture_verify(&f, "b", 5, LEN);
    }
    ss_check(flushes >= 3);    /* over 400 keys, 256 in each */
    delete(&f, "a");
    delete(&f, "b");
    fixture_flush_all(&f);
    crash_and_check(&f);
    fixture_flush_all(&f);
    fixture_close(&f);
    expect_rows(&f, 0, 0, false);
    fixture_check_clean(&f);
    fixture_end(&f);
}

SS_TEST(delete, a_flush_that_fails_at_any_point_is_tried_again)
{
    static const char *const points[] = { "store.flush.begin", "store.flush.write", "store.trash",
                                          "store.flush.disk" };
    for (size_t i = 0; i < sizeof points / sizeof *points; i++) {
        struct fixture f;
        fixture_open(&f);
        fill(&f, "a");
        delete(&f, "a");
        ss__fault_arm(points[i], 1, 1, i == 0 || i == 3 ? EIO : SS_E_STOREIO);
        ss_check(ss__store_flush(f.store, 0) < 0);
        ss__fault_reset();
        ss_check(!exists(&f, "a"));
        crash_and_check(&f);
        ss_check(!exists(&f, "a"));
        fixture_publish(&f, "a", 1, LEN, 1);
        fixture_flush_all(&f);
        fixture_verify(&f, "a", 1, LEN);
        crash_and_check(&f);
        fixture_verify(&f, "a", 1, LEN);
        fixture_end(&f);
    }
}

SS_TEST(delete, while_a_flush_of_the_session_is_under_way)
{
    struct fixture f;
    struct ss_flush *flush;
    fixture_open(&f);
    fixture_publish(&f, "a", 100, LEN, 50);
    ss_check(ss__store_flush_plan(f.store, 16, &flush) == 1 && flush != NULL);
    delete(&f, "a");
    fixture_publish(&f, "a", 2, LEN, 2);
    ss__store_flush_run(flush);
    ss_check(ss__store_flush_settle(f.store, flush) > 0);
    ss_check(fixture_row_of(&f, "a").ordinal == 2);
    crash_and_check(&f);
    fixture_verify(&f, "a", 2, LEN);
    fixture_flush_all(&f);
    crash_and_check(&f);
    fixture_verify(&f, "a", 2, LEN);
    fixture_end(&f);
}

/* Files of the log come and go while it is the only thing in them. */
SS_TEST(delete, old_records_are_no_damage_once_the_session_is_taken_out)
{
    struct fixture f;
    fixture_init(&f);
    f.options.log_window_bytes = 1u << 20;
    f.options.log_window_bytes_max = 1u << 20;
    fixture_reopen(&f);
    for (unsigned round = 0; round < 6; round++) {
        fixture_publish(&f, "a", 40, 30000, 4);
        fixture_publish(&f, "b", 1, LEN, 1);
        delete(&f, "a");
        fixture_flush_due(&f);
        crash_and_check(&f);
        ss_check(!exists(&f, "a"));
        fixture_verify(&f, "b", round + 1, LEN);
    }
    fixture_flush_all(&f);
    struct ss_store_stats stats = fixture_stats(&f);
    ss_check(stats.unflushed_bytes == 0);
    fixture_close(&f);
    fixture_check_clean(&f);
    ss_check(count_rows(&f, SS_DB_TRASH) < 6);    /* those whose files are gone are forgotten */
    fixture_end(&f);
}

#define SAVED_MAX 32u

/* Log files as they were at one time or another. */
struct saved {
    char names[SAVED_MAX][16];
    unsigned count;
};

static void copy_file(const char *from, const char *to)
{
    static char bytes[2u << 20];
    FILE *in = fopen(from, "rb");
    FILE *out = fopen(to, "wb");
    ss_check(in != NULL && out != NULL);
    size_t len = fread(bytes, 1, sizeof bytes, in);
    ss_check(fwrite(bytes, 1, len, out) == len);
    ss_check(fclose(in) == 0 && fclose(out) == 0);
}

/* Keeps every file of the log: a copy, and another name, which shows what becomes of the file. */
static void save_logs(struct fixture *f, struct saved *saved)
{
    DIR *dir = opendir(f->shard_dir);
    ss_check(dir != NULL);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        char from[600];
        char to[600];
        (void)snprintf(from, sizeof from, "%s/%s", f->shard_dir, entry->d_name);
        (void)snprintf(to, sizeof to, "%s/same-%s", f->shard_dir, entry->d_name);
        if (strncmp(entry->d_name, "log-", 4) != 0) {
            continue;
        }
        if (link(from, to) == 0) {
            ss_check(saved->count < SAVED_MAX);
            (void)snprintf(saved->names[saved->count++], 16, "%.15s", entry->d_name);
        }
        (void)snprintf(to, sizeof to, "%s/copy-%s", f->shard_dir, entry->d_name);
        copy_file(from, to);
    }
    ss_check(closedir(dir) == 0);
}

/* Brings a file back that is gone, as a power failure may; false: it is there. */
static bool bring_back(struct fixture *f, const char *prefix, const char *name)
{
    char from[600];
    char to[600];
    (void)snprintf(from, sizeof from, "%s/%s%s", f->shard_dir, prefix, name);
    (void)snprintf(to, sizeof to, "%s/%s", f->shard_dir, name);
    return link(from, to) == 0;
}

static uint64_t oldest_serial(struct fixture *f)
{
    struct ss_env env;
    MDB_txn *txn;
    struct ss_trash trash;
    struct ss_failure failure = { 0 };
    ss_check(ss__env_open(f->shard_dir, 0, true, &env, &failure) == 0);
    ss_check(mdb_txn_begin(env.env, NULL, MDB_RDONLY, &txn) == 0);
    ss_check(ss__trash_load(&env, txn, &trash) == 0);
    uint64_t serial = trash.oldest_serial;
    ss__trash_deinit(&trash);
    mdb_txn_abort(txn);
    ss__env_close(&env);
    return serial;
}

/* The files that held a session leave, then its entry in the trash; the power fails, and each of
 * the files comes back alone: the one with its birth, those with its events, the one with its end. */
SS_TEST(delete, files_of_the_log_that_come_back_after_a_power_failure_bring_nothing_back)
{
    struct fixture f;
    struct saved saved = { .count = 0 };
    unsigned back = 0;
    fixture_init(&f);
    f.options.log_window_bytes = 1u << 20;
    f.options.log_window_bytes_max = 1u << 20;
    fixture_reopen(&f);
    fixture_publish(&f, "a", 80, 30000, 4);
    fixture_publish(&f, "b", 40, 30000, 4);
    save_logs(&f, &saved);
    delete(&f, "a");
    for (unsigned round = 0; round < 6; round++) {
        fixture_publish(&f, "b", 40, 30000, 4);
        save_logs(&f, &saved);
        fixture_flush_all(&f);
    }
    crash_and_check(&f);
    fixture_crash(&f);
    ss_check(count_rows(&f, SS_DB_TRASH) == 1);    /* the entry is gone, the oldest file is noted */
    uint64_t oldest = oldest_serial(&f);
    static const char *const prefixes[] = { "copy-", "same-" };
    for (unsigned i = 0; i < 2 * saved.count; i++) {
        /* Whoever writes to a later one under another name has synced the directory first. */
        bool old = strtoull(saved.names[i / 2] + 4, NULL, 16) < oldest;
        if ((i % 2 == 1 && !old) || !bring_back(&f, prefixes[i % 2], saved.names[i / 2])) {
            continue;
        }
        back++;
        fixture_check_clean(&f);
        fixture_reopen(&f);
        ss_check_msg(f.report.damaged_records == 0, "%s", saved.names[i / 2]);
        ss_check(!exists(&f, "a") && f.report.sessions == 1);
        fixture_verify(&f, "b", 280, 30000);
        char path[600];
        (void)snprintf(path, sizeof path, "%s/%s", f.shard_dir, saved.names[i / 2]);
        ss_check(access(path, F_OK) != 0);    /* and has gone again */
        fixture_crash(&f);
    }
    ss_check_msg(back >= 6, "%u files came back", back);
    fixture_reopen(&f);
    fixture_end(&f);
}

SS_TEST(delete, of_a_session_that_is_set_aside)
{
    struct fixture f;
    fixture_open(&f);
    fixture_publish(&f, "a", 5, LEN, 1);
    fixture_publish(&f, "b", 2, LEN, 1);
    fixture_crash(&f);
    fixture_flip_record(&f, 2, 60);    /* the second event of a */
    fixture_reopen(&f);
    ss_check(fixture_row_of(&f, "a").quarantined);
    delete(&f, "a");
    fixture_publish(&f, "a", 2, LEN, 1);
    for (unsigned round = 0; round < 3; round++) {
        fixture_crash(&f);
        fixture_reopen(&f);
        ss_check(f.report.damaged_records <= 1);    /* the place itself, as long as it is there */
        ss_check(!fixture_row_of(&f, "a").quarantined);
        fixture_verify(&f, "a", 2, LEN);
        fixture_verify(&f, "b", 2, LEN);
        fixture_flush_all(&f);
    }
    fixture_close(&f);
    expect_rows(&f, 2, 2, true);
    fixture_end(&f);
}

SS_TEST(delete, undone_together_with_the_next_life)
{
    struct fixture f;
    fixture_open(&f);
    fixture_publish(&f, "a", 3, LEN, 3);
    struct ss_store_session *next;
    ss_check(stage_delete(&f, "a") == 0);
    ss_check(ss__store_stage_session(f.store, ss_str("a"), 5, &next) == 0);
    fixture_stage(&f, next, 2, LEN);
    ss__fault_arm("store.commit.before", 1, 1, SS_E_STOREFULL);
    ss_check(ss__store_commit(f.store) == SS_E_STOREFULL);
    ss__fault_reset();
    ss__store_put_session(f.store, next);
    fixture_verify(&f, "a", 3, LEN);
    fixture_publish(&f, "a", 1, LEN, 1);
    crash_and_check(&f);
    fixture_verify(&f, "a", 4, LEN);
    fixture_end(&f);
}

/* Its record is damaged, but another session has taken the id since. */
SS_TEST(delete, that_cannot_be_read_is_known_from_the_next_life)
{
    for (unsigned flushed = 0; flushed < 2; flushed++) {
        struct fixture f;
        fixture_open(&f);
        fixture_publish(&f, "a", 3, LEN, 1);
        if (flushed == 1) {
            fixture_flush_all(&f);
        }
        delete(&f, "a");
        fixture_publish(&f, "a", 2, LEN, 1);
        fixture_crash(&f);
        fixture_flip_record(&f, 4, 26);
        for (unsigned round = 0; round < 2; round++) {
            fixture_reopen(&f);
            ss_check(f.report.damaged_records == 1 && f.report.sessions == 1);
            fixture_verify(&f, "a", 2, LEN);
            fixture_flush_all(&f);
            fixture_verify(&f, "a", 2, LEN);
            fixture_crash(&f);
        }
        expect_rows(&f, 1, 1, true);
        fixture_end(&f);
    }
}
