/* What is found again after a crash: events, sessions, and what damage does to them. */
#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

#include "damage.h"
#include "store_fixture.h"
#include "store/store_state.h"

SS_TEST(recover, unflushed_events_of_several_sessions_are_found_again)
{
    struct fixture f;
    fixture_open(&f);
    fixture_publish(&f, "a", 100, 50, 10);
    fixture_publish(&f, "b", 7, 50, 1);
    fixture_publish(&f, "a", 5, 50, 5);
    fixture_crash(&f);
    fixture_reopen(&f);
    ss_check(!f.report.clean && f.report.damaged_records == 0 && f.report.sessions == 2);
    fixture_verify(&f, "a", 105, 50);
    fixture_verify(&f, "b", 7, 50);
    fixture_publish(&f, "b", 100, 50, 10);
    fixture_verify(&f, "b", 107, 50);
    fixture_close(&f);
    fixture_check_clean(&f);
    fixture_end(&f);
}

SS_TEST(recover, damaged_event_sets_its_session_aside_and_the_rest_serves)
{
    struct fixture f;
    fixture_open(&f);
    fixture_publish(&f, "hurt", 3, 50, 3);
    fixture_publish(&f, "well", 3, 50, 3);
    fixture_close(&f);
    fixture_flip_record(&f, 2, 60);
    ss_check(fixture_check(&f).findings >= 1);
    fixture_reopen(&f);
    ss_check(f.report.damaged_records >= 1);
    struct ss_store_session *hurt = fixture_session(&f, "hurt");
    ss_check(ss__store_row(hurt)->quarantined);
    ss_check(ss__store_stage_event(f.store, hurt, &(struct ss_record){ .ordinal = 1 }) ==
             SS_E_CORRUPT);
    struct ss_image_request *request;
    struct ss_image image;
    ss_check(ss__store_image_request(f.store, hurt, false, &request) == 0);
    ss_check(ss__store_read_image(f.store, request, &image) == SS_E_CORRUPT);
    ss__store_image_request_free(request);
    ss__store_put_session(f.store, hurt);
    fixture_publish(&f, "well", 300, 50, 20);
    fixture_verify(&f, "well", 303, 50);
    fixture_flush_all(&f);
    fixture_close(&f);
    fixture_reopen(&f);
    ss_check(f.report.damaged_records >= 1);
    fixture_verify(&f, "well", 303, 50);
    fixture_end(&f);
}

static void count_visit(struct ss_str id, void *context)
{
    ss_check(ss_str_equal(id, ss_str("was busy")) || ss_str_equal(id, ss_str("was busy too")));
    ++*(unsigned *)context;
}

static void publish_flags(struct fixture *f, const char *id, uint32_t flags)
{
    struct ss_store_session *session = fixture_session(f, id);
    ss_check(fixture_stage_flags(f, session, 10, flags) == 0);
    ss_check(ss__store_commit(f->store) == 0);
    ss__store_put_session(f->store, session);
}

SS_TEST(recover, sessions_cut_while_running_are_named_flushed_or_not)
{
    struct fixture f;
    fixture_open(&f);
    publish_flags(&f, "was busy", SS_RECORD_RUNNING);
    publish_flags(&f, "had ended", SS_RECORD_RUNNING);
    fixture_flush_all(&f);
    publish_flags(&f, "had ended", 0);
    publish_flags(&f, "was busy too", SS_RECORD_RUNNING);
    fixture_crash(&f);
    fixture_check_clean(&f);
    fixture_reopen(&f);
    unsigned visited = 0;
    ss_check(ss__store_each_was_running(f.store, count_visit, &visited) == 0 && visited == 2);
    for (int again = 0; again < 2; again++) {
        struct ss_store_session *busy = fixture_session(&f, "was busy");
        ss_check(ss__store_row(busy)->was_running && !ss__store_row(busy)->running);
        ss__store_put_session(f.store, busy);
    }
    publish_flags(&f, "was busy", 0);
    publish_flags(&f, "was busy too", 0);
    fixture_flush_all(&f);
    fixture_close(&f);
    fixture_check_clean(&f);
    fixture_reopen(&f);
    visited = 0;
    ss_check(ss__store_each_was_running(f.store, count_visit, &visited) == 0 && visited == 0);
    fixture_end(&f);
}

/* ---- killed at a random moment ---- */

#define ROUNDS 20
#define KILL_SESSIONS 5u

/* Writes, after each commit, one byte for each event of the batch: its session. */
static _Noreturn void publish_until_killed(struct fixture *f, int acks, unsigned seed)
{
    struct ss_store_session *sessions[KILL_SESSIONS];
    char id[16];
    fixture_reopen(f);
    for (unsigned i = 0; i < KILL_SESSIONS; i++) {
        (void)snprintf(id, sizeof id, "k%u", i);
        sessions[i] = fixture_session(f, id);
    }
    for (;;) {
        uint8_t batch[16];
        size_t count = 1 + (size_t)rand_r(&seed) % sizeof batch;
        for (size_t i = 0; i < count; i++) {
            batch[i] = (uint8_t)((unsigned)rand_r(&seed) % KILL_SESSIONS);
            fixture_stage(f, sessions[batch[i]], 1, 100);
        }
        if (ss__store_commit(f->store) != 0 ||
            (rand_r(&seed) % 8 == 0 && ss__store_flush(f->store, 2) < 0) ||
            write(acks, batch, count) != (ssize_t)count) {
            _exit(1);
        }
    }
}

static void count_acks(int fd, uint64_t acked[KILL_SESSIONS], uint64_t until)
{
    uint8_t byte;
    for (uint64_t n = 0; n < until && read(fd, &byte, 1) == 1; n++) {
        ss_check(byte < KILL_SESSIONS);
        acked[byte]++;
    }
}

SS_TEST(recover, acknowledged_events_survive_kill_9)
{
    struct fixture f;
    uint64_t acked[KILL_SESSIONS] = { 0 };
    unsigned seed = 4711;
    fixture_init(&f);
    f.options.log_file_bytes = 16u << 10;    /* a roll every few batches */
    fixture_reopen(&f);
    fixture_close(&f);
    for (unsigned round = 0; round < ROUNDS; round++) {
        int acks[2];
        ss_check(pipe(acks) == 0);
        pid_t child = fork();
        ss_check(child >= 0);
        if (child == 0) {
            (void)close(acks[0]);
            publish_until_killed(&f, acks[1], seed);
        }
        (void)close(acks[1]);
        count_acks(acks[0], acked, 1 + (uint64_t)rand_r(&seed) % 400);
        ss_check(kill(child, SIGKILL) == 0 && waitpid(child, NULL, 0) == child);
        count_acks(acks[0], acked, UINT64_MAX);
        (void)close(acks[0]);

        fixture_check_clean(&f);
        fixture_reopen(&f);
        ss_check(f.report.damaged_records == 0);
        for (unsigned i = 0; i < KILL_SESSIONS; i++) {
            char id[16];
            (void)snprintf(id, sizeof id, "k%u", i);
            struct ss_store_session *session;
            if (ss__store_get_session(f.store, ss_str(id), &session) != 0) {
                ss_check(acked[i] == 0);
                continue;
            }
            uint64_t stored = ss__store_row(session)->ordinal;
            ss__store_put_session(f.store, session);
            ss_check(stored >= acked[i] && stored <= acked[i] + 16);
            fixture_verify(&f, id, stored, 100);
            acked[i] = stored;
        }
        fixture_close(&f);
    }
    fixture_end(&f);
}

/* ---- damage stays where a check finds it, however often the store is opened ---- */

SS_TEST(recover, damaged_records_of_no_session_stay_and_hold_up_nobody)
{
    struct fixture f;
    fixture_open(&f);
    fixture_publish(&f, "before", 3, 50, 3);
    fixture_publish(&f, "lost", 1, 50, 1);
    fixture_publish(&f, "before", 1, 50, 1);
    fixture_close(&f);
    fixture_forge(&f, 5, 999, 1, true);
    uint64_t incarnation = f.report.incarnation;
    for (unsigned opened = 1; opened <= 3; opened++) {
        fixture_reopen(&f);
        ss_check(f.report.damaged_records == 1 && f.report.incarnation == incarnation + 1);
        fixture_publish(&f, "before", 20, 20000, 10);
        fixture_publish(&f, "after", 60, 20000, 10);
        fixture_flush_all(&f);
        ss_check(fixture_row_of(&f, "before").ordinal == 4 + opened * 20);
        fixture_verify(&f, "after", opened * 60, 20000);
        ss_check(fixture_row_of(&f, "lost").ordinal == 0);
        fixture_close(&f);
        ss_check_msg(fixture_check(&f).findings == 1, "%s", f.finding);
        ss_check_msg(strstr(f.finding, "belongs to no session") != NULL, "%s", f.finding);
        ss_check(fixture_count_files(&f, "log-") <= 3);
    }
    fixture_end(&f);
}

SS_TEST(recover, lost_session_number_never_writes_over_a_session)
{
    struct fixture f;
    fixture_open(&f);
    fixture_publish(&f, "a", 3, 50, 3);
    fixture_flush_due(&f);
    fixture_close(&f);
    fixture_plant(&f, SS_DB_META, ss_str(META_SID), (struct ss_str){ 0 });
    fixture_open_fails(&f, SS_E_CORRUPT, "session number");
    fixture_end(&f);
}

/* Rewrites the row of the only session. */
static void damage_row(struct fixture *f, uint64_t timeline_ordinal, uint32_t tip_bytes)
{
    static uint8_t value[FIXTURE_PAYLOAD_MAX];
    uint8_t key[SS_KEY_BYTES_MAX];
    size_t key_len;
    struct ss_row_value row;
    size_t len = fixture_row(f, SS_DB_SESSION, 0, key, &key_len, value);
    ss_check(ss__row_decode(1, ss_str_of(value, len), &row) == 0);
    uint8_t entry[SS_TIMELINE_FIXED_BYTES] = { FIXTURE_PROJECTION, 0, 0, 0, 1 };
    ss__put_le64(entry + 8, timeline_ordinal);
    row.timelines = ss_str_of(entry, sizeof entry);
    row.tip.bytes += tip_bytes;
    uint8_t changed[SS_ROW_BYTES_MAX];
    size_t changed_len = ss__row_encode(changed, 1, &row);
    fixture_plant(f, SS_DB_SESSION, ss_str_of(key, key_len), ss_str_of(changed, changed_len));
}

SS_TEST(recover, timeline_ahead_of_the_events_sets_the_session_aside)
{
    struct fixture f;
    struct ss_store_session *session;
    fixture_open(&f);
    fixture_publish(&f, "a", 3, 50, 3);
    fixture_flush_due(&f);
    fixture_close(&f);
    damage_row(&f, 4, 0);
    fixture_reopen(&f);
    ss_check(f.report.damaged_records == 1);
    session = fixture_session(&f, "a");
    ss_check(ss__store_row(session)->quarantined);
    ss__store_put_session(f.store, session);
    fixture_close(&f);

    damage_row(&f, 3, 0);
    fixture_reopen(&f);
    fixture_flush_all(&f);
    fixture_close(&f);
    damage_row(&f, 4, 0);
    fixture_reopen(&f);
    ss_check(ss__store_get_session(f.store, ss_str("a"), &session) == SS_E_CORRUPT);
    fixture_end(&f);
}

SS_TEST(recover, segment_that_does_not_fit_its_row_is_not_grown)
{
    struct fixture f;
    fixture_open(&f);
    fixture_publish(&f, "a", 3, 50, 3);
    fixture_flush_all(&f);
    fixture_close(&f);
    damage_row(&f, 0, 1);
    fixture_reopen(&f);
    fixture_publish(&f, "a", 3, 50, 3);
    fixture_flush_all(&f);
    struct ss_store_session *session = fixture_session(&f, "a");
    ss_check(ss__store_row(session)->quarantined);
    ss__store_put_session(f.store, session);
    fixture_end(&f);
}

SS_TEST(recover, event_lost_to_a_damaged_session_number_changes_every_epoch_once)
{
    struct fixture f;
    fixture_open(&f);
    fixture_publish(&f, "a", 5, 50, 5);
    fixture_publish(&f, "b", 2, 50, 1);
    fixture_publish(&f, "c", 1, 50, 1);
    uint64_t epoch_a = fixture_row_of(&f, "a").epoch;
    uint64_t epoch_b = fixture_row_of(&f, "b").epoch;
    uint64_t incarnation = f.report.incarnation;
    fixture_crash(&f);
    fixture_forge(&f, 8, 1, 2, false);
    fixture_reopen(&f);
    ss_check(f.report.damaged_records == 1 && f.report.incarnation == incarnation + 1);
    struct ss_session_row b = fixture_row_of(&f, "b");
    ss_check(b.ordinal == 1 && b.epoch != epoch_b && !b.quarantined);
    ss_check(fixture_row_of(&f, "a").epoch != epoch_a && !fixture_row_of(&f, "a").quarantined);
    fixture_publish(&f, "b", 3, 50, 1);
    for (unsigned round = 0; round < 2; round++) {
        fixture_crash(&f);
        fixture_reopen(&f);
        ss_check(f.report.damaged_records == 1 && f.report.incarnation == incarnation + 1);
        ss_check(fixture_row_of(&f, "b").epoch == b.epoch);
        fixture_verify(&f, "b", 4, 50);
    }
    fixture_close(&f);
    fixture_forge(&f, 7, 66, 1, false);
    fixture_reopen(&f);
    ss_check(f.report.incarnation == incarnation + 2);
    fixture_end(&f);
}

SS_TEST(recover, damaged_record_sets_only_the_session_aside_whose_next_event_it_claims)
{
    struct fixture f;
    fixture_open(&f);
    fixture_publish(&f, "a", 1, 50, 1);
    fixture_publish(&f, "b", 2, 50, 1);
    fixture_publish(&f, "c", 5, 50, 5);
    fixture_crash(&f);
    fixture_forge(&f, 4, 1, 2, false);
    fixture_reopen(&f);
    ss_check(fixture_row_of(&f, "a").quarantined && !fixture_row_of(&f, "b").quarantined);
    ss_check(!fixture_row_of(&f, "c").quarantined);
    fixture_end(&f);
}

SS_TEST(recover, damaged_row_of_a_running_session_does_not_stop_the_others)
{
    struct fixture f;
    struct ss_store_session *session;
    fixture_open(&f);
    publish_flags(&f, "hurt", SS_RECORD_RUNNING);
    publish_flags(&f, "was busy", SS_RECORD_RUNNING);
    fixture_flush_all(&f);
    fixture_close(&f);
    fixture_flip(&f, SS_DB_SESSION, 0, 30);
    fixture_plant(&f, SS_DB_RUNNING, ss_str("odd"), ss_str("x"));
    fixture_reopen(&f);
    ss_check(f.report.damaged_records == 3);    /* its mark, its event in the log, the odd mark */
    ss_check(ss__store_get_session(f.store, ss_str("hurt"), &session) == SS_E_CORRUPT);
    unsigned visited = 0;
    ss_check(ss__store_each_was_running(f.store, count_visit, &visited) == 0 && visited == 1);
    fixture_publish(&f, "was busy", 3, 10, 1);
    fixture_end(&f);
}

/* ---- sessions that are only in the log ---- */

SS_TEST(recover, session_that_is_only_in_the_log_keeps_its_number_and_is_moved_by_a_flush)
{
    struct fixture f;
    fixture_open(&f);
    fixture_publish(&f, "flushed", 1, 50, 1);
    fixture_flush_all(&f);
    fixture_publish(&f, "born", 2, 50, 2);
    struct ss_session_row row = fixture_row_of(&f, "born");
    uint64_t next_sid = f.store->next_sid;
    fixture_crash(&f);
    fixture_reopen(&f);
    ss_check(f.store->born_count == 1 && f.store->next_sid >= next_sid);
    struct ss_session_row again = fixture_row_of(&f, "born");
    ss_check(again.sid == row.sid && again.epoch == row.epoch && again.ordinal == 2);
    ss_check(again.created_us == row.created_us);
    struct ss_store_session *fresh = fixture_session(&f, "fresh");
    ss_check(ss__store_row(fresh)->sid > row.sid);
    ss_check(ss__store_commit(f.store) == 0);
    ss__store_put_session(f.store, fresh);
    fixture_flush_all(&f);
    ss_check(f.store->born_count == 0);
    fixture_close(&f);
    fixture_check_clean(&f);
    fixture_reopen(&f);
    ss_check(f.store->born_count == 0 && f.report.sessions == 3);
    fixture_verify(&f, "born", 2, 50);
    fixture_end(&f);
}

SS_TEST(recover, new_session_whose_record_is_damaged_loses_its_events_and_no_other)
{
    struct fixture f;
    fixture_open(&f);
    fixture_publish(&f, "a", 2, 50, 1);
    fixture_publish(&f, "b", 2, 50, 1);
    uint64_t b = fixture_row_of(&f, "b").sid;
    uint64_t incarnation = f.report.incarnation;
    fixture_crash(&f);
    fixture_flip_record(&f, 3, 33);    /* the id of b */
    fixture_reopen(&f);
    ss_check(f.report.damaged_records == 3 && f.report.incarnation == incarnation + 1);
    fixture_verify(&f, "a", 2, 50);
    fixture_publish(&f, "c", 2, 50, 1);
    ss_check_msg(fixture_row_of(&f, "c").sid > b, "the number of a lost session was given again");
    fixture_crash(&f);
    fixture_reopen(&f);
    fixture_verify(&f, "c", 2, 50);
    fixture_end(&f);
}
