/* A flush in three steps: what its owner does meanwhile neither disturbs it nor is disturbed. */
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>

#include "store_fixture.h"

#include "store/error_ring.h"
#include "store/flush.h"
#include "store/store_state.h"

static unsigned cursors_until_failure;    /* 0: none fails */

/* Called before that of LMDB. */
int mdb_cursor_open(MDB_txn *txn, MDB_dbi dbi, MDB_cursor **ret_cursor)
{
    static __typeof__(mdb_cursor_open) *real;
    if (real == NULL) {
        real = (__typeof__(mdb_cursor_open) *)dlsym(RTLD_NEXT, "mdb_cursor_open");
    }
    return cursors_until_failure > 0 && --cursors_until_failure == 0 ? ENOMEM
                                                                     : real(txn, dbi, ret_cursor);
}

static struct ss_flush *plan(struct fixture *f, unsigned tails_max)
{
    struct ss_flush *flush = NULL;
    ss_check(ss__store_flush_plan(f->store, tails_max, &flush) == 1 && flush != NULL);
    ss_check(ss__store_flushing(f->store) && !ss__store_may_flush(f->store));
    return flush;
}

/* Of the newest event of the session, which is in no segment. */
static uint64_t bad_position(struct fixture *f)
{
    struct ss_store_session *session;
    ss_check(ss__store_get_session(f->store, ss_str("bad"), &session) == 0);
    uint64_t position = session->tail[session->now.tail_count - 1];
    ss__store_put_session(f->store, session);
    return position;
}

static struct ss_session_row row_of(struct fixture *f, const char *id)
{
    struct ss_store_session *session;
    ss_check(ss__store_get_session(f->store, ss_str(id), &session) == 0);
    struct ss_session_row row = *ss__store_row(session);
    ss__store_put_session(f->store, session);
    return row;
}

static void *run_elsewhere(void *flush)
{
    ss__store_flush_run(flush);
    return NULL;
}

/* On another thread, while the owner commits. */
static void run_beside_commits(struct fixture *f, struct ss_flush *flush)
{
    pthread_t thread;
    ss_check(pthread_create(&thread, NULL, run_elsewhere, flush) == 0);
    fixture_publish(f, "a", 70, 50, 7);
    fixture_publish(f, "new", 3, 50, 1);
    fixture_verify(f, "a", 140, 50);
    ss_check(pthread_join(thread, NULL) == 0);
}

SS_TEST(flush_run, owner_commits_and_reads_while_it_runs)
{
    struct fixture f;
    fixture_open(&f);
    fixture_publish(&f, "a", 70, 50, 70);
    fixture_publish(&f, "b", 5, 50, 5);
    struct ss_flush *flush = plan(&f, 16);
    run_beside_commits(&f, flush);
    fixture_verify(&f, "a", 140, 50);    /* in LMDB and in the log now */
    ss_check(ss__store_flush_settle(f.store, flush) > 0 && !ss__store_flushing(f.store));
    ss_check(fixture_stats(&f).unflushed_bytes == 73 * (SS_LOG_EVENT_FIXED_BYTES + 50));
    fixture_verify(&f, "a", 140, 50);
    fixture_verify(&f, "b", 5, 50);
    fixture_verify(&f, "new", 3, 50);
    fixture_crash(&f);
    fixture_check_clean(&f);
    fixture_reopen(&f);
    ss_check(f.report.recovered_records == 73 && f.report.sessions == 3);
    fixture_verify(&f, "a", 140, 50);
    fixture_flush_all(&f);
    fixture_verify(&f, "new", 3, 50);
    ss_check(fixture_stats(&f).unflushed_bytes == 0);
    fixture_end(&f);
}

SS_TEST(flush_run, crash_between_its_steps_loses_nothing)
{
    for (int steps = 0; steps < 2; steps++) {
        struct fixture f;
        fixture_open(&f);
        fixture_publish(&f, "a", 130, 50, 130);
        struct ss_flush *flush = plan(&f, 16);
        fixture_publish(&f, "a", 10, 50, 5);
        if (steps == 1) {
            ss__store_flush_run(flush);
        } else {
            flush->err = SS_E_NOMEM;    /* never ran */
        }
        ss__fault_arm("store.close", 1, 1, 1);
        (void)ss__store_flush_settle(f.store, flush);    /* frees; the process forgets it all */
        fixture_close(&f);
        fixture_check_clean(&f);
        fixture_reopen(&f);
        fixture_verify(&f, "a", 140, 50);
        fixture_end(&f);
    }
}

SS_TEST(flush_run, batch_that_fails_meanwhile_is_undone_alone)
{
    struct fixture f;
    fixture_open(&f);
    fixture_publish(&f, "a", 64, 50, 64);
    struct ss_flush *flush = plan(&f, 0);
    struct ss_store_session *a = fixture_session(&f, "a");
    fixture_stage(&f, a, 5, 50);
    ss__store_flush_run(flush);
    ss__store_abort(f.store);
    ss_check(ss__store_row(a)->ordinal == 64);
    ss_check(ss__store_flush_settle(f.store, flush) > 0);
    fixture_verify(&f, "a", 64, 50);
    ss_check(fixture_stats(&f).unflushed_bytes == 0);
    fixture_stage(&f, a, 1, 50);
    ss_check(ss__store_commit(f.store) == 0);
    fixture_verify(&f, "a", 65, 50);
    ss__store_put_session(f.store, a);
    fixture_close(&f);
    fixture_check_clean(&f);
    fixture_end(&f);
}

SS_TEST(flush_run, session_nobody_uses_stays_until_it_is_settled)
{
    struct fixture f;
    fixture_open(&f);
    fixture_publish(&f, "a", 3, 50, 3);
    fixture_flush_all(&f);
    struct ss_store_session *a = fixture_session(&f, "a");
    struct ss_entity_row row = { .kind = ss_str("note"), .id = ss_str("1"), .created_ordinal = 1,
                                 .last_ordinal = 3, .type_id = f.entity_type,
                                 .payload = ss_str("x") };
    ss_check(stage_checkpoint(f.store, a, &row, 1, 3, 7) == 0);
    struct ss_flush *flush = plan(&f, 0);
    ss__store_put_session(f.store, a);
    ss_check(fixture_stats(&f).tails == 1);
    ss__store_flush_run(flush);
    ss_check(ss__store_flush_settle(f.store, flush) > 0);
    ss_check(fixture_stats(&f).tails == 0);
    a = fixture_session(&f, "a");
    ss_check(timeline_of(a) == 3);
    ss__store_put_session(f.store, a);
    fixture_end(&f);
}

SS_TEST(flush_run, log_files_it_reads_stay_while_new_ones_are_begun)
{
    struct fixture f;
    fixture_init(&f);
    f.options.log_file_bytes = 1u << 20;
    fixture_reopen(&f);
    fixture_publish(&f, "a", 64, 10000, 8);
    struct ss_flush *flush = plan(&f, 16);
    fixture_publish(&f, "b", 200, 10000, 10);
    ss_check(f.store->log.count >= 3);
    ss__store_flush_run(flush);
    ss_check(ss__store_flush_settle(f.store, flush) > 0);
    fixture_verify(&f, "a", 64, 10000);
    fixture_verify(&f, "b", 200, 10000);
    fixture_flush_all(&f);
    ss_check(f.store->log.count == 1);
    fixture_close(&f);
    fixture_check_clean(&f);
    fixture_end(&f);
}

SS_TEST(flush_run, nothing_but_records_that_need_no_move_is_said)
{
    struct fixture f;
    struct ss_flush *flush = NULL;
    fixture_open(&f);
    ss_check(ss__store_flush_plan(f.store, 16, &flush) == 0 && flush == NULL);
    ss_check(!ss__store_flushing(f.store));
    fixture_end(&f);
}

/* A record that is damaged while the store is open, in a file that the search has left behind. */
SS_TEST(flush_run, session_set_aside_by_a_flush_holds_up_no_log_file_but_its_own)
{
    struct fixture f;
    fixture_init(&f);
    f.options.log_file_bytes = 64u << 10;
    fixture_reopen(&f);
    fixture_publish(&f, "bad", 1, 100, 1);
    uint64_t position = bad_position(&f);
    fixture_publish(&f, "busy", 100, 1000, 10);
    fixture_flip_log(&f, position + 60);
    fixture_flush_all(&f);
    ss_check(row_of(&f, "bad").quarantined);
    struct ss_error_record noted;
    ss_check(ss__store_error_at(f.store, 1, &noted) && noted.kind == SS_ERROR_KIND_DECODE);
    ss_check(ss_str_equal(noted.session_id, ss_str("bad")) && noted.raw.len > 100);
    for (unsigned i = 0; i < 60; i++) {
        fixture_publish(&f, "busy", 100, 1000, 10);
        fixture_flush_all(&f);
    }
    unsigned files = fixture_count_files(&f, "log-");
    ss_check_msg(files <= 4, "%u files", files);
    fixture_crash(&f);
    fixture_reopen(&f);
    ss_check(row_of(&f, "bad").quarantined);
    fixture_verify(&f, "busy", 6100, 1000);
    fixture_end(&f);
}

/* Room for a tail is missing: the session has nothing staged, and the flush that follows and the
 * next batch, which is given up, find it as it is. */
SS_TEST(flush_run, event_refused_for_want_of_memory_leaves_no_trace)
{
    struct fixture f;
    fixture_open(&f);
    fixture_publish(&f, "a", 8, 50, 8);
    struct ss_store_session *session;
    ss_check(ss__store_get_session(f.store, ss_str("a"), &session) == 0);
    struct ss_record record = { .ordinal = 9, .time_us = 1, .type_id = f.event_type,
                                .payload = ss_str("x") };
    ss__fault_arm("store.tail", 1, 1, 1);
    ss_check(ss__store_stage_event(f.store, session, &record) == SS_E_NOMEM);
    ss_check(ss__store_commit(f.store) == 0 && !session->changed);
    fixture_flush_all(&f);
    ss_check(ss__store_stage_event(f.store, session, &record) == 0);
    ss__store_abort(f.store);
    ss__store_put_session(f.store, session);
    fixture_verify(&f, "a", 8, 50);
    fixture_publish(&f, "a", 3, 50, 1);
    fixture_flush_all(&f);
    fixture_verify(&f, "a", 11, 50);
    fixture_end(&f);
}

/* Their rows are the caller's, who frees them when the plan fails. */
SS_TEST(flush_run, plan_that_cannot_be_made_forgets_its_checkpoints)
{
    struct fixture f;
    fixture_open(&f);
    fixture_publish(&f, "a", 3, 50, 3);
    fixture_flush_all(&f);
    struct ss_store_session *session;
    struct ss_flush *flush = NULL;
    ss_check(ss__store_get_session(f.store, ss_str("a"), &session) == 0);
    ss_check(stage_checkpoint(f.store, session, NULL, 0, 3, 1) == 0);
    ss__fault_arm("store.flush.plan", 1, 1, 1);
    ss_check(ss__store_flush_plan(f.store, 0, &flush) == SS_E_NOMEM && flush == NULL);
    ss_check(ss__store_flush_plan(f.store, 0, &flush) == 0);
    ss__store_put_session(f.store, session);
    fixture_end(&f);
}

/* A key that LMDB does not take: whoever stages entities judges them before. Nothing else is held up. */
SS_TEST(flush_run, entity_with_an_id_that_is_too_long_is_refused_with_its_flush_alone)
{
    static char id[SS_ENTITY_ID_BYTES_MAX + 2];
    struct fixture f;
    fixture_open(&f);
    fixture_publish(&f, "a", 9, 50, 9);
    memset(id, 'x', sizeof id - 1);
    struct ss_entity_row row = { .kind = ss_str("note"), .id = ss_str(id), .created_ordinal = 1,
                                 .last_ordinal = 5, .type_id = f.entity_type,
                                 .payload = ss_str("something") };
    struct ss_store_session *a = fixture_session(&f, "a");
    ss_check(stage_checkpoint(f.store, a, &row, 1, 5, 1) == 0);
    ss_check(ss__store_flush(f.store, 0) == SS_E_TOOBIG);
    ss_check(timeline_of(a) == 0);
    ss__store_put_session(f.store, a);
    fixture_flush_all(&f);
    fixture_verify(&f, "a", 9, 50);
    fixture_close(&f);
    fixture_check_clean(&f);
    fixture_end(&f);
}

/* Every cursor of a flush that removes entities of older code, in turn. */
SS_TEST(flush_run, cursor_that_cannot_be_opened_fails_the_flush_whole)
{
    struct fixture f;
    struct ss_entity_row got;
    unsigned failed = 0;
    fixture_open(&f);
    fixture_publish(&f, "a", 9, 50, 9);
    struct ss_entity_row row = { .kind = ss_str("note"), .id = ss_str("1"), .created_ordinal = 1,
                                 .last_ordinal = 5, .type_id = f.entity_type,
                                 .payload = ss_str("old") };
    struct ss_entity_row other = row;
    other.id = ss_str("2");
    other.payload = ss_str("new");
    struct ss_store_session *a = fixture_session(&f, "a");
    ss_check(stage_checkpoint(f.store, a, &row, 1, 5, 1) == 0);
    fixture_flush_due(&f);
    use_timeline(f.store, a, 2);
    for (int err = -1; err < 0;) {
        ss_check(stage_checkpoint(f.store, a, &other, 1, 9, 2) == 0);
        cursors_until_failure = failed + 1;
        err = ss__store_flush(f.store, 0);
        ss_check(err >= 0 || err == SS_E_NOMEM);
        ss_check(err >= 0 || timeline_of(a) == 0);
        failed += err < 0;
        cursors_until_failure = 0;
        f.clock.now_ns += UINT64_C(1000000000);
    }
    ss_check(failed > 0 && timeline_of(a) == 9);
    ss_check(read_entity(f.store, a, ss_str("note"), ss_str("1"), &got) == SS_E_NOTFOUND);
    ss_check(read_entity(f.store, a, ss_str("note"), ss_str("2"), &got) == 0);
    ss__store_put_session(f.store, a);
    fixture_close(&f);
    fixture_check_clean(&f);
    fixture_end(&f);
}
