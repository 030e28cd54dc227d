/* Rows whose checksums are right and whose contents cannot be, as a faulty program would write. */
#include "check_fixture.h"

#include "store/past.h"
#include "store/trash.h"

#define B 2u    /* its session number */

/* "a" has 70 events in two segments, and an entity; "b" three in one. */
static void fill(struct fixture *f)
{
    fixture_open(f);
    fixture_publish(f, "a", 70, 50, 70);
    fixture_publish(f, "b", 3, 50, 3);
    struct ss_entity_row row = { .kind = ss_str("note"), .id = ss_str("1"), .created_ordinal = 1,
                                 .last_ordinal = 2, .type_id = f->entity_type };
    fixture_flush_all(f);
    fixture_checkpoint(f, "a", &row, 1, 5);
    fixture_close(f);
}

/* Three events of session "b", the second of which is @record; @more: bytes behind them. */
static void plant_segment(struct fixture *f, uint64_t sid, uint64_t first,
                          const struct ss_record *record, struct ss_str more)
{
    static uint8_t value[4096];
    uint8_t key[16];
    struct ss_bytes entries;
    struct ss_record plain = { .type_id = f->event_type, .time_us = 1,
                               .payload = ss_str("payload") };
    ss__bytes_init(&entries, 0);
    ss__segment_entry_append(&entries, &plain);
    ss__segment_entry_append(&entries, record);
    ss__segment_entry_append(&entries, &plain);
    ss__bytes_str(&entries, more);
    struct ss_str view = ss__bytes_view(&entries);
    size_t len = SS_SEGMENT_HEAD_BYTES + view.len;
    ss_check(entries.err == 0 && len <= sizeof value);
    memcpy(value + SS_SEGMENT_HEAD_BYTES, view.data, view.len);
    ss__segment_seal(value, len, sid, first, 3);
    ss__segment_key(key, sid, first);
    fixture_plant(f, SS_DB_SEGMENT, ss_str_of(key, sizeof key), ss_str_of(value, len));
    ss__bytes_deinit(&entries);
}

SS_TEST(check_rows, sound_segment_of_hand_made_events_has_one_finding_at_most)
{
    struct fixture f;
    struct ss_record record = { .time_us = 1, .payload = ss_str("payload") };
    fill(&f);
    record.type_id = f.event_type;
    plant_segment(&f, B, 1, &record, ss_str(""));
    struct ss_check_summary summary = fixture_check(&f);
    ss_check_msg(strstr(f.finding, "malformed") == NULL && strstr(f.finding, "behind") == NULL,
                 "%s", f.finding);
    ss_check(summary.findings <= 1);    /* the row counts other bytes */
    fixture_end(&f);
}

SS_TEST(check_rows, events_of_a_segment_are_looked_at)
{
    struct fixture f;
    struct ss_record record = { .type_id = 99, .time_us = 1, .payload = ss_str("payload") };
    fill(&f);
    plant_segment(&f, B, 1, &record, ss_str(""));
    found(&f, "segment 2: event 2 has unknown type 99");
    fill(&f);
    record.type_id = f.event_type;
    record.header = ss_str_of("\0\1x", 3);    /* tag 0 is never used */
    plant_segment(&f, B, 1, &record, ss_str(""));
    found(&f, "segment 2: event 2 has a malformed header");
    fill(&f);
    record.header = ss_str("");
    record.type_id = f.event_type;
    plant_segment(&f, B, 1, &record, ss_str("more"));
    found(&f, "segment 2: bytes behind the last event");
}

SS_TEST(check_rows, event_that_runs_over_its_segment_is_found)
{
    static uint8_t value[FIXTURE_PAYLOAD_MAX];
    struct fixture f;
    uint8_t key[SS_KEY_BYTES_MAX];
    size_t key_len;
    fill(&f);
    size_t len = fixture_row(&f, SS_DB_SEGMENT, 2, key, &key_len, value);
    ss__put_le32(value + SS_SEGMENT_HEAD_BYTES + 18, 60000);    /* bytes of the first payload */
    ss__segment_seal(value, len, B, 1, 3);
    fixture_plant(&f, SS_DB_SEGMENT, ss_str_of(key, key_len), ss_str_of(value, len));
    found(&f, "segment 2: event 1 is malformed");
}

SS_TEST(check_rows, segment_that_is_too_many_or_of_nobody_is_found)
{
    struct fixture f;
    struct ss_record record = { .time_us = 1, .payload = ss_str("payload") };
    fill(&f);
    record.type_id = f.event_type;
    plant_segment(&f, B, 4, &record, ss_str(""));
    found(&f, "session 2: row counts 3 events in segments, there are 6");
    fill(&f);
    record.type_id = f.event_type;
    plant_segment(&f, 77, 1, &record, ss_str(""));
    found(&f, "segment 77: belongs to no session");
}

SS_TEST(check_rows, segments_of_a_deleted_session_are_no_finding)
{
    struct fixture f;
    struct ss_env env;
    MDB_txn *txn;
    uint8_t row_key[8];
    uint8_t name[SS_CATALOG_KEY_BYTES_MAX];
    fill(&f);
    ss__put_be64(row_key, B);
    fixture_plant(&f, SS_DB_SESSION, ss_str_of(row_key, 8), (struct ss_str){ NULL, 0 });
    fixture_plant(&f, SS_DB_CATALOG, ss_str_of(name, ss__catalog_key(name, ss_str("b"))),
                  (struct ss_str){ NULL, 0 });
    ss_check(fixture_check(&f).findings > 0);
    ss_check(ss__env_open(f.shard_dir, 64u << 20, false, &env, NULL) == 0);
    ss_check(mdb_txn_begin(env.env, NULL, 0, &txn) == 0);
    ss_check(ss__trash_put(&env, txn, B, 1) == 0 && mdb_txn_commit(txn) == 0);
    ss__env_close(&env);
    fixture_check_clean(&f);
    fixture_end(&f);
}

/* Changes the row of session "b" and seals it again. */
static void change_row(struct fixture *f, void (*change)(struct ss_row_value *row))
{
    static uint8_t value[FIXTURE_PAYLOAD_MAX];
    static uint8_t out[SS_ROW_BYTES_MAX];
    uint8_t key[SS_KEY_BYTES_MAX];
    size_t key_len;
    struct ss_row_value row;
    size_t len = fixture_row(f, SS_DB_SESSION, 1, key, &key_len, value);
    ss_check(ss__row_decode(B, ss_str_of(value, len), &row) == 0);
    change(&row);
    fixture_plant(f, SS_DB_SESSION, ss_str_of(key, key_len),
                  ss_str_of(out, ss__row_encode(out, B, &row)));
}

static void other_tip(struct ss_row_value *row)
{
    row->tip.first++;
    row->tip.count--;
}

static void other_id(struct ss_row_value *row)
{
    row->id = ss_str("c");
}

SS_TEST(check_rows, row_that_says_something_else_is_found)
{
    struct fixture f;
    fill(&f);
    change_row(&f, other_tip);
    found(&f, "session 2: row and newest segment disagree");
    fill(&f);
    change_row(&f, other_id);
    found(&f, "catalog 2: session row belongs to another session id");
}

SS_TEST(check_rows, keys_that_are_none_are_found)
{
    struct fixture f;
    fill(&f);
    fixture_plant(&f, SS_DB_ENTITY, ss_str("short"), ss_str("value"));
    found(&f, "entity 0: key is damaged");
    fill(&f);
    fixture_plant(&f, SS_DB_CHECKPOINT, ss_str("short"), ss_str("value"));
    found(&f, "checkpoint 0: key is damaged");
    fill(&f);
    fixture_plant(&f, SS_DB_RUNNING, ss_str("short"), ss_str("value"));
    found(&f, "running 0: a row is damaged");
    fill(&f);
    fixture_plant(&f, SS_DB_META, ss_str(META_COMMAND), ss_str("x"));
    found(&f, "meta 0: the extent of the command results is damaged");
}

SS_TEST(check_rows, past_of_nobody_is_found)
{
    struct fixture f;
    struct ss_env env;
    MDB_txn *txn;
    fill(&f);
    struct ss_past *past = ss__past_begin(NULL, 77, 5, 7, 0, 1u << 20);
    ss_check(past != NULL && ss__past_end(past) == 0);
    ss_check(ss__env_open(f.shard_dir, 64u << 20, false, &env, NULL) == 0);
    ss_check(mdb_txn_begin(env.env, NULL, 0, &txn) == 0);
    ss_check(ss__past_put(&env, txn, past, 0) == 0 && mdb_txn_commit(txn) == 0);
    ss__env_close(&env);
    ss__past_free(past);
    found(&f, "checkpoint 77: belongs to no session");
}
