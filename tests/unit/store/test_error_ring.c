/* Error records: noted, written with a flush, there again after a restart, bounded. */
#include "store_fixture.h"

#include "store/error_ring.h"
#include "store/store_state.h"

static struct ss_error_record record_of(unsigned n)
{
    static char text[32];
    (void)snprintf(text, sizeof text, "error %u", n);
    return (struct ss_error_record){ .kind = SS_ERROR_KIND_STORE, .code = SS_E_STOREIO,
                                     .session_id = ss_str("s"), .ordinal = n,
                                     .text = ss_str(text) };
}

static void note(struct fixture *f, unsigned first, unsigned count)
{
    for (unsigned n = first; n < first + count; n++) {
        struct ss_error_record record = record_of(n);
        ss_check(ss__store_note_error(f->store, &record) == 0);
    }
}

/* Those from @first to before @next are kept, in order, with the ordinal that is their number. */
static void verify(struct fixture *f, uint64_t first, uint64_t next)
{
    struct ss_error_record got;
    ss_check(ss__store_errors_first(f->store) == first);
    ss_check(ss__store_errors_next(f->store) == next);
    for (uint64_t n = first; n < next; n++) {
        ss_check(ss__store_error_at(f->store, n, &got));
        ss_check(got.number == n && got.ordinal == n && got.time_us > 0);
    }
    ss_check(!ss__store_error_at(f->store, first - 1, &got));
    ss_check(!ss__store_error_at(f->store, next, &got));
}

static uint64_t count_on_disk(struct fixture *f)
{
    MDB_txn *txn;
    MDB_stat stat;
    ss_check(ss__env_reader(&f->store->env, &txn) == 0);
    ss_check(mdb_stat(txn, f->store->env.dbi[SS_DB_ERROR], &stat) == 0);
    ss__env_reader_stale(&f->store->env);
    return stat.ms_entries;
}

SS_TEST(error_ring, records_wait_in_memory_and_a_flush_writes_them)
{
    struct fixture f;
    fixture_open(&f);
    ss_check(!ss__store_errors_wait(f.store));
    note(&f, 1, 3);
    ss_check(ss__store_errors_wait(f.store) && count_on_disk(&f) == 0);
    ss_check(ss__store_staged_bytes(f.store) == 0);    /* no commit is wanted for them */
    ss_check(ss__store_flush(f.store, 0) == 1);
    ss_check(!ss__store_errors_wait(f.store) && count_on_disk(&f) == 3);
    ss_check(ss__store_flush(f.store, 0) == 0);
    fixture_crash(&f);
    fixture_reopen(&f);
    verify(&f, 1, 4);
    note(&f, 4, 1);
    verify(&f, 1, 5);
    fixture_end(&f);
}

SS_TEST(error_ring, what_no_flush_wrote_is_gone_with_the_process)
{
    struct fixture f;
    fixture_open(&f);
    note(&f, 1, 1);
    fixture_flush_due(&f);
    note(&f, 2, 1);
    fixture_crash(&f);
    fixture_reopen(&f);
    verify(&f, 1, 2);
    fixture_end(&f);
}

SS_TEST(error_ring, the_oldest_are_overwritten_in_order_also_over_a_restart)
{
    struct fixture f;
    fixture_open(&f);
    note(&f, 1, 200);
    fixture_flush_due(&f);
    fixture_close(&f);
    fixture_reopen(&f);
    verify(&f, 1, 201);
    note(&f, 201, SS_ERROR_RECORDS_MAX);    /* more than waits can be kept */
    verify(&f, 201, 201 + SS_ERROR_RECORDS_MAX);
    fixture_flush_due(&f);
    ss_check(count_on_disk(&f) == SS_ERROR_RECORDS_MAX);
    note(&f, 201 + SS_ERROR_RECORDS_MAX, 10);
    fixture_flush_due(&f);
    ss_check(count_on_disk(&f) == SS_ERROR_RECORDS_MAX);
    fixture_close(&f);
    fixture_reopen(&f);
    verify(&f, 211, 211 + SS_ERROR_RECORDS_MAX);
    fixture_end(&f);
}

SS_TEST(error_ring, a_flush_that_fails_leaves_them_for_the_next)
{
    struct fixture f;
    fixture_open(&f);
    note(&f, 1, 2);
    ss__fault_arm("store.flush.write", 1, 1, SS_E_STOREIO);
    ss_check(ss__store_flush(f.store, 0) == SS_E_STOREIO);
    ss_check(ss__store_errors_wait(f.store) && count_on_disk(&f) == 0);
    f.clock.now_ns += 1000000000;
    fixture_flush_due(&f);
    ss_check(!ss__store_errors_wait(f.store) && count_on_disk(&f) == 2);
    fixture_end(&f);
}

SS_TEST(error_ring, they_go_along_with_events)
{
    struct fixture f;
    fixture_open(&f);
    note(&f, 1, 1);
    fixture_publish(&f, "one", 70, 16, 70);
    fixture_flush_due(&f);
    ss_check(count_on_disk(&f) == 1 && fixture_stats(&f).flushes == 1);
    fixture_verify(&f, "one", 70, 16);
    fixture_end(&f);
}

SS_TEST(error_ring, the_same_is_noted_once_in_a_while)
{
    struct fixture f;
    fixture_open(&f);
    struct ss_error_record record = record_of(1);
    ss_check(ss__store_note_error_once(f.store, &record, 1000000) == 1);
    ss_check(ss__store_note_error_once(f.store, &record, 1000000) == 0);
    struct ss_error_record other = record_of(2);
    ss_check(ss__store_note_error_once(f.store, &other, 1000000) == 1);
    record = record_of(1);
    ss_check(ss__store_note_error_once(f.store, &record, 1000000) == 0);
    f.clock.now_ns += UINT64_C(2000000000);
    ss_check(ss__store_note_error_once(f.store, &record, 1000000) == 1);
    ss_check(ss__store_errors_next(f.store) == 4);
    fixture_end(&f);
}

SS_TEST(error_ring, without_memory_nothing_is_noted)
{
    struct fixture f;
    fixture_open(&f);
    struct ss_error_record record = record_of(1);
    ss__fault_arm("store.error", 1, 2, SS_E_NOMEM);
    ss_check(ss__store_note_error(f.store, &record) == SS_E_NOMEM);
    ss_check(ss__store_note_error_once(f.store, &record, 1) == SS_E_NOMEM);
    ss_check(!ss__store_errors_wait(f.store));
    fixture_end(&f);
}

static void damage_record(struct fixture *f, uint64_t number)
{
    MDB_txn *txn;
    uint8_t key_bytes[8];
    ss__env_reader_stale(&f->store->env);
    ss_check(mdb_txn_begin(f->store->env.env, NULL, 0, &txn) == 0);
    ss__put_be64(key_bytes, number);
    MDB_val key = ss__val_of(key_bytes, 8);
    MDB_val value = ss__val_of("damaged", 7);
    ss_check(mdb_put(txn, f->store->env.dbi[SS_DB_ERROR], &key, &value, 0) == 0);
    ss_check(mdb_txn_commit(txn) == 0);
}

SS_TEST(error_ring, a_damaged_one_is_passed_over_and_the_check_names_it)
{
    struct fixture f;
    struct ss_error_record got;
    fixture_open(&f);
    note(&f, 1, 3);
    fixture_flush_due(&f);
    damage_record(&f, 2);
    fixture_close(&f);
    (void)fixture_check(&f);
    ss_check(strstr(f.finding, "error record is damaged") != NULL);
    fixture_reopen(&f);
    ss_check(ss__store_error_at(f.store, 1, &got) && !ss__store_error_at(f.store, 2, &got));
    ss_check(ss__store_error_at(f.store, 3, &got) && ss__store_errors_next(f.store) == 4);
    struct ss_error_record again = record_of(1);
    ss_check(ss__store_note_error_once(f.store, &again, UINT64_MAX) == 0);
    ss_check(ss__store_errors_stored(f.store) == 4 && !ss__store_errors_wait(f.store));
    again = record_of(2);
    ss_check(ss__store_note_error_once(f.store, &again, UINT64_MAX) == 1);
    ss_check(ss__store_errors_stored(f.store) == 4 && ss__store_errors_wait(f.store));
    fixture_end(&f);
}

SS_TEST(error_ring, row_under_no_key_of_ours_is_passed_over_and_named_by_the_check)
{
    struct fixture f;
    struct ss_error_record record = { .text = ss_str("it did not") };
    fixture_open(&f);
    ss_check(ss__store_note_error(f.store, &record) == 0);
    fixture_flush_all(&f);
    fixture_close(&f);
    fixture_plant(&f, SS_DB_ERROR, ss_str("short"), ss_str("value"));
    fixture_reopen(&f);
    ss_check(ss__store_errors_first(f.store) == 1 && ss__store_errors_next(f.store) == 2);
    ss_check(ss__store_error_at(f.store, 1, &record) &&
             ss_str_equal(record.text, ss_str("it did not")));
    fixture_close(&f);
    ss_check(fixture_check(&f).findings == 1);
    ss_check_msg(strstr(f.finding, "error record is damaged") != NULL, "%s", f.finding);
    fixture_end(&f);
}
