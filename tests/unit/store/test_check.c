#include "check_fixture.h"

/* Two sessions with segments, an unflushed tail, an entity and a running mark. */
static void fill(struct fixture *f)
{
    fixture_open(f);
    fixture_publish(f, "a", 70, 50, 70);
    fixture_publish(f, "b", 3, 50, 3);
    struct ss_store_session *a = fixture_session(f, "a");
    struct ss_entity_row row = { .kind = ss_str("note"), .id = ss_str("1"), .created_ordinal = 1,
                                 .last_ordinal = 2, .type_id = f->entity_type };
    ss_check(fixture_stage_flags(f, a, 50, SS_RECORD_RUNNING) == 0);
    ss_check(ss__store_commit(f->store) == 0);
    ss_check(stage_checkpoint(f->store, a, &row, 1, 5, 1) == 0);
    fixture_flush_all(f);
    fixture_stage(f, a, 4, 50);
    ss_check(ss__store_commit(f->store) == 0);
    ss__store_put_session(f->store, a);
    fixture_close(f);
}

static struct ss_str be64(uint8_t out[8], uint64_t value)
{
    ss__put_be64(out, value);
    return ss_str_of(out, 8);
}

static const struct ss_str removed = { NULL, 0 };

SS_TEST(check, sound_store_has_no_finding_and_is_counted)
{
    struct fixture f;
    fill(&f);
    struct ss_check_summary summary = fixture_check(&f);
    ss_check_msg(summary.findings == 0, "%s", f.finding);
    ss_check(summary.shards == 1 && summary.sessions == 2 && summary.events == 78);
    ss_check(summary.entities == 1 && summary.segments == 3 && summary.log_records >= 4);
    ss_check(summary.bytes > 78 * 50);
    fixture_end(&f);
}

SS_TEST(check, takes_the_lock_and_reports_what_is_missing)
{
    struct fixture f;
    fixture_open(&f);
    struct ss_check_summary summary;
    struct ss_failure failure = { 0 };
    ss_check(ss__store_check(f.root, fixture_on_finding, &f, &summary, &failure) == SS_E_LOCKED);
    ss_check(ss__store_check("/nonexistent/data", fixture_on_finding, &f, &summary, &failure) ==
             SS_E_NOTFOUND);
    fixture_end(&f);
}

SS_TEST(check, finds_a_flipped_bit_in_a_segment)
{
    struct fixture f;
    fill(&f);
    fixture_flip(&f, SS_DB_SEGMENT, 0, 9);
    found(&f, "segment 1");
}

SS_TEST(check, finds_a_missing_segment)
{
    struct fixture f;
    uint8_t key[16];
    fill(&f);
    ss__segment_key(key, 1, 1);
    fixture_plant(&f, SS_DB_SEGMENT, ss_str_of(key, 16), removed);
    found(&f, "missing");
}

SS_TEST(check, finds_a_session_row_that_is_gone)
{
    struct fixture f;
    uint8_t key[8];
    fill(&f);
    fixture_plant(&f, SS_DB_SESSION, be64(key, 2), removed);
    found(&f, "catalog 2");
}

SS_TEST(check, finds_a_session_the_catalog_does_not_list)
{
    struct fixture f;
    uint8_t key[SS_CATALOG_KEY_BYTES_MAX];
    fill(&f);
    fixture_plant(&f, SS_DB_CATALOG, ss_str_of(key, ss__catalog_key(key, ss_str("b"))), removed);
    found(&f, "does not list");
}

SS_TEST(check, finds_a_session_number_that_was_never_handed_out)
{
    struct fixture f;
    uint8_t value[SS_META_BYTES_MAX];
    fill(&f);
    fixture_plant(&f, SS_DB_META, ss_str(META_SID),
                  ss_str_of(value, ss__meta_sid_encode(value, 2)));
    found(&f, "never handed out");
}

SS_TEST(check, finds_a_running_mark_without_and_against_its_row)
{
    struct fixture f;
    uint8_t key[8];
    fill(&f);
    fixture_plant(&f, SS_DB_RUNNING, be64(key, 999), ss_str_of("\1", 1));
    found(&f, "running 999");
    fill(&f);
    fixture_plant(&f, SS_DB_RUNNING, be64(key, 2), ss_str_of("\1", 1));
    found(&f, "disagree");
}

SS_TEST(check, finds_an_entity_ahead_of_its_timeline)
{
    struct fixture f;
    uint8_t key[SS_KEY_BYTES_MAX];
    uint8_t value[SS_ENTITY_FIXED_BYTES];
    fill(&f);
    int len = ss__entity_key(key, 1, 1, ss_str("note"), ss_str("2"));
    struct ss_entity_row row = { .created_ordinal = 1, .last_ordinal = 6,
                                 .type_id = f.entity_type };
    ss__entity_encode(value, ss_str_of(key, (size_t)len), &row);
    fixture_plant(&f, SS_DB_ENTITY, ss_str_of(key, (size_t)len), ss_str_of(value, sizeof value));
    found(&f, "do not fit");
}

SS_TEST(check, finds_an_entity_of_no_session_or_unknown_type)
{
    struct fixture f;
    uint8_t key[SS_KEY_BYTES_MAX];
    uint8_t value[SS_ENTITY_FIXED_BYTES];
    struct ss_entity_row row = { .created_ordinal = 1, .last_ordinal = 2, .type_id = 99 };
    fill(&f);
    int len = ss__entity_key(key, 77, 1, ss_str("note"), ss_str("1"));
    ss__entity_encode(value, ss_str_of(key, (size_t)len), &row);
    fixture_plant(&f, SS_DB_ENTITY, ss_str_of(key, (size_t)len), ss_str_of(value, sizeof value));
    found(&f, "belongs to no session");
    fill(&f);
    len = ss__entity_key(key, 1, 1, ss_str("note"), ss_str("1"));
    ss__entity_encode(value, ss_str_of(key, (size_t)len), &row);
    fixture_plant(&f, SS_DB_ENTITY, ss_str_of(key, (size_t)len), ss_str_of(value, sizeof value));
    found(&f, "unknown type");
}

SS_TEST(check, finds_a_flipped_bit_in_an_entity_a_row_and_the_catalog)
{
    struct fixture f;
    fill(&f);
    fixture_flip(&f, SS_DB_ENTITY, 0, 20);
    found(&f, "note 1: checksum");
    fill(&f);
    fixture_flip(&f, SS_DB_SESSION, 1, 30);
    found(&f, "session 2: row is damaged");
    fill(&f);
    fixture_flip(&f, SS_DB_CATALOG, 1, 12);
    found(&f, "catalog");
}

SS_TEST(check, finds_a_shard_that_is_gone)
{
    struct fixture f;
    char path[400];
    struct ss_check_summary summary;
    struct ss_failure failure = { 0 };
    fill(&f);
    (void)snprintf(path, sizeof path, "%s/data.mdb", f.shard_dir);
    ss_check(unlink(path) == 0);
    ss_check(ss__store_check(f.root, fixture_on_finding, &f, &summary, &failure) == SS_E_CORRUPT);
    ss_check_msg(strstr(failure.text, "shard 0000") != NULL, "%s", failure.text);
    fixture_end(&f);
}

SS_TEST(check, finds_a_missing_type)
{
    struct fixture f;
    uint8_t key[4];
    fill(&f);
    ss__put_be32(key, 1);
    fixture_plant(&f, SS_DB_TYPES, ss_str_of(key, 4), removed);
    found(&f, "types");
}

SS_TEST(check, finds_a_shard_of_another_directory)
{
    struct fixture f;
    uint8_t value[SS_META_BYTES_MAX];
    struct ss_meta_shard shard = { .index = 0, .count = 1, .directory_id = 5 };
    fill(&f);
    fixture_plant(&f, SS_DB_META, ss_str(META_SHARD),
                  ss_str_of(value, ss__meta_shard_encode(value, &shard)));
    found(&f, "another directory");
    fill(&f);
    fixture_plant(&f, SS_DB_META, ss_str(META_SHARD), ss_str("x"));
    found(&f, "the identity of the shard is missing or damaged");
}

SS_TEST(check, finds_damaged_marks_of_the_last_run_and_of_the_log)
{
    struct fixture f;
    fill(&f);
    fixture_plant(&f, SS_DB_META, ss_str(META_RUN), ss_str("x"));
    found(&f, "how the last run ended");
    fill(&f);
    fixture_plant(&f, SS_DB_META, ss_str(META_LOG), ss_str("x"));
    found(&f, "extent of the log");
    fill(&f);
    fixture_plant(&f, SS_DB_META, ss_str(META_SID), ss_str("x"));
    found(&f, "next session number");
}

SS_TEST(check, store_of_a_program_without_the_later_tables_is_sound_and_opens)
{
    static const enum ss_db later[] = { SS_DB_TRASH, SS_DB_COMMAND, SS_DB_ERROR,
                                        SS_DB_CHECKPOINT };
    struct fixture f;
    struct ss_env env;
    MDB_txn *txn;
    fill(&f);
    ss_check(ss__env_open(f.shard_dir, 64u << 20, false, &env, NULL) == 0);
    ss_check(mdb_txn_begin(env.env, NULL, 0, &txn) == 0);
    for (size_t i = 0; i < sizeof later / sizeof *later; i++) {
        ss_check(mdb_drop(txn, env.dbi[later[i]], 1) == 0);
    }
    ss_check(mdb_txn_commit(txn) == 0);
    ss__env_close(&env);
    struct ss_check_summary summary = fixture_check(&f);
    ss_check_msg(summary.findings == 0 && summary.sessions == 2, "%s", f.finding);
    fixture_reopen(&f);
    fixture_verify(&f, "b", 3, 50);
    fixture_close(&f);
    fixture_check_clean(&f);
    fixture_end(&f);
}

SS_TEST(check, data_file_with_the_databases_of_another_program_is_named)
{
    struct fixture f;
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi dbi;
    fill(&f);
    ss_check(mdb_env_create(&env) == 0 && mdb_env_set_maxdbs(env, 64) == 0);
    ss_check(mdb_env_open(env, f.shard_dir, 0, 0640) == 0);
    ss_check(mdb_txn_begin(env, NULL, 0, &txn) == 0);
    for (unsigned i = 0; i < 32; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "other-%u", i);
        ss_check(mdb_dbi_open(txn, name, MDB_CREATE, &dbi) == 0);
    }
    ss_check(mdb_txn_commit(txn) == 0);
    mdb_env_close(env);
    found(&f, "a database of no store of this program");
}
