#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

#include "core/hash.h"
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

/* Writes another session number or ordinal to the @index-th record. @sealed: its checksum fits. */
static void forge(struct fixture *f, unsigned index, uint64_t sid, uint64_t ordinal, bool sealed)
{
    uint8_t bytes[512];
    struct ss_log log;
    struct ss_log_record record;
    const struct ss_log_known known = { .synced = true };
    uint64_t position = fixture_position(f, index);
    ss_check(ss__log_open(&log, f->shard_dir, 0, f->options.directory_id, 0, true, NULL) == 0);
    const struct ss_log_visitor visitor = { fixture_on_record, fixture_on_gap, fixture_on_torn };
    static struct fixture_log found;
    found = (struct fixture_log){ 0 };
    ss_check(ss__log_walk(&log, &known, &visitor, &found) == 0);
    ss_check(ss__log_read(&log, position, &record) == 0 && record.kind == SS_LOG_EVENT);
    ss_check(record.len <= sizeof bytes);
    memcpy(bytes, ss__log_bytes_from(&log, position).data, record.len);
    ss__put_le64(bytes + 16, sid);
    ss__put_le64(bytes + 24, ordinal);
    if (sealed) {
        ss__put_le64(bytes + record.len - 8,
                     ss__checksum_seeded(log.seed, bytes, record.len - 8));
    }
    ss__log_close(&log);
    fixture_write_log(f, position, bytes, record.len);
}

SS_TEST(recover, damaged_records_of_no_session_stay_and_hold_up_nobody)
{
    struct fixture f;
    fixture_open(&f);
    fixture_publish(&f, "before", 3, 50, 3);
    fixture_publish(&f, "lost", 1, 50, 1);
    fixture_publish(&f, "before", 1, 50, 1);
    fixture_close(&f);
    forge(&f, 5, 999, 1, true);
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

static void open_fails(struct fixture *f, int code, const char *part)
{
    struct ss_failure failure = { 0 };
    struct ss_store *store;
    struct ss_store_report report;
    int err = ss__store_open(&f->options, &store, &report, &failure);
    ss_check_msg(err == code, "%s", ss_error_name(err));
    ss_check_msg(strstr(failure.text, part) != NULL, "%s", failure.text);
}

SS_TEST(recover, lost_session_number_never_writes_over_a_session)
{
    struct fixture f;
    fixture_open(&f);
    fixture_publish(&f, "a", 3, 50, 3);
    fixture_flush_due(&f);
    fixture_close(&f);
    fixture_plant(&f, SS_DB_META, ss_str(META_SID), (struct ss_str){ 0 });
    open_fails(&f, SS_E_CORRUPT, "session number");
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
    forge(&f, 8, 1, 2, false);
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
    forge(&f, 7, 66, 1, false);
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
    forge(&f, 4, 1, 2, false);
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

/* ---- the end of the log ---- */

static uint64_t batch_of(struct fixture *f, unsigned record)
{
    uint64_t position = fixture_position(f, record);
    ss_check(position % SS_LOG_BLOCK_BYTES == SS_LOG_BATCH_HEAD_BYTES);
    return position - SS_LOG_BATCH_HEAD_BYTES;
}

static void torn_at(uint64_t at)
{
    struct fixture f;
    fixture_open(&f);
    fixture_publish(&f, "a", 3, 50, 1);
    fixture_publish(&f, "b", 1, 50, 1);
    struct ss_session_row a = fixture_row_of(&f, "a");
    uint64_t incarnation = f.report.incarnation;
    fixture_crash(&f);
    fixture_flip_log(&f, batch_of(&f, 4) + at);
    for (unsigned opened = 0; opened < 5; opened++) {
        fixture_reopen(&f);
        ss_check(f.report.damaged_records == 0 && f.report.incarnation == incarnation + 1);
        ss_check(f.report.sessions == 1 && f.report.recovered_records == 3);
        ss_check(fixture_row_of(&f, "a").epoch != a.epoch);
        struct ss_store_session *none;
        ss_check(ss__store_get_session(f.store, ss_str("b"), &none) == SS_E_NOTFOUND);
        fixture_verify(&f, "a", 3, 50);
        fixture_crash(&f);
    }
    fixture_check_clean(&f);
    fixture_reopen(&f);
    fixture_publish(&f, "b", 2, 50, 1);
    fixture_crash(&f);
    fixture_reopen(&f);
    fixture_verify(&f, "b", 2, 50);
    ss_check(f.report.damaged_records == 0 && f.report.incarnation == incarnation + 1);
    fixture_end(&f);
}

SS_TEST(recover, torn_last_batch_is_dropped_and_every_epoch_changes_once)
{
    torn_at(20);     /* its head */
    torn_at(60);     /* the new session */
    torn_at(140);    /* the event */
}

SS_TEST(recover, last_batch_a_flush_has_seen_is_damage_and_no_torn_end)
{
    struct fixture f;
    fixture_open(&f);
    fixture_publish(&f, "a", 3, 50, 1);
    fixture_publish(&f, "b", 3, 50, 1);
    ss_check(ss__store_flush(f.store, 1) > 0);
    fixture_crash(&f);
    fixture_flip_record(&f, 7, 60);
    fixture_reopen(&f);
    ss_check(f.report.damaged_records == 1 && fixture_row_of(&f, "b").quarantined);
    fixture_verify(&f, "a", 3, 50);
    fixture_crash(&f);
    fixture_reopen(&f);
    ss_check(f.report.damaged_records == 1 && fixture_row_of(&f, "b").quarantined);
    fixture_end(&f);
}

SS_TEST(recover, batches_missing_at_the_end_are_reported_and_their_numbers_not_used_again)
{
    struct fixture f;
    fixture_open(&f);
    fixture_publish(&f, "a", 3, 50, 1);
    fixture_flush_all(&f);
    fixture_publish(&f, "b", 3, 50, 1);
    fixture_flush_due(&f);
    uint64_t next = f.store->log.next_batch;
    fixture_crash(&f);
    uint8_t zeros[1024] = { 0 };
    fixture_write_log(&f, batch_of(&f, 6), zeros, 512);
    fixture_write_log(&f, ss__log_position(1, 512 * 6), zeros, 512);
    ss_check(fixture_check(&f).findings >= 1 && strstr(f.finding, "missing") != NULL);
    uint64_t incarnation = f.report.incarnation;
    for (unsigned opened = 0; opened < 3; opened++) {
        fixture_reopen(&f);
        ss_check(f.store->log.next_batch == next && f.report.incarnation == incarnation + 1);
        ss_check((f.report.damaged_records > 0) == (opened == 0));
        fixture_verify(&f, "a", 3, 50);
        fixture_crash(&f);
    }
    fixture_end(&f);
}

SS_TEST(recover, unreadable_batch_in_the_middle_is_a_gap_reported_each_time_but_counted_once)
{
    struct fixture f;
    fixture_open(&f);
    fixture_publish(&f, "a", 3, 50, 1);
    fixture_publish(&f, "b", 3, 50, 1);
    fixture_publish(&f, "c", 1, 50, 1);
    uint64_t incarnation = f.report.incarnation;
    fixture_crash(&f);
    fixture_flip_log(&f, batch_of(&f, 6) + 20);    /* the second event of b */
    for (unsigned opened = 0; opened < 5; opened++) {
        fixture_reopen(&f);
        ss_check(f.report.damaged_records == 2 && f.report.incarnation == incarnation + 1);
        ss_check(fixture_row_of(&f, "b").quarantined);    /* its third event does not follow */
        ss_check(!fixture_row_of(&f, "a").quarantined);
        fixture_verify(&f, "a", 3, 50);
        fixture_verify(&f, "c", 1, 50);
        fixture_flush_all(&f);
        ss_check(fixture_count_files(&f, "log-") == 2);    /* evidence stays */
        fixture_crash(&f);
        ss_check(fixture_check(&f).findings >= 2 && strstr(f.finding, "log-00000001") != NULL);
    }
    fixture_end(&f);
}

/* Two damages at one place must not cancel out. */
SS_TEST(recover, record_without_a_length_hides_the_rest_of_its_batch_and_changes_the_epochs)
{
    struct fixture f;
    fixture_open(&f);
    fixture_publish(&f, "a", 3, 50, 3);
    fixture_publish(&f, "b", 3, 50, 1);
    uint64_t incarnation = f.report.incarnation;
    fixture_crash(&f);
    fixture_flip_record(&f, 2, 3);
    fixture_reopen(&f);
    ss_check(f.report.damaged_records == 2 && f.report.incarnation == incarnation + 1);
    fixture_verify(&f, "b", 3, 50);
    fixture_end(&f);
}

SS_TEST(recover, missing_file_is_refused_with_the_remedy)
{
    struct fixture f;
    fixture_open(&f);
    fixture_publish(&f, "a", 50, 60000, 1);
    ss_check(f.store->log.count >= 3);
    fixture_crash(&f);
    fixture_delete_log(&f, 2);
    open_fails(&f, SS_E_CORRUPT, "file of it is missing");
    open_fails(&f, SS_E_CORRUPT, "ssctl store check");
    ss_check(fixture_check(&f).findings >= 1 && strstr(f.finding, "missing") != NULL);
    fixture_end(&f);
}

SS_TEST(recover, all_files_missing_is_refused_too)
{
    struct fixture f;
    fixture_open(&f);
    fixture_publish(&f, "a", 1, 50, 1);
    fixture_crash(&f);
    fixture_delete_log(&f, 1);
    open_fails(&f, SS_E_CORRUPT, "file of it is missing");
    fixture_end(&f);
}

SS_TEST(recover, damaged_first_block_is_reported_and_its_events_are_read)
{
    for (uint64_t serial = 1; serial <= 2; serial++) {
        struct fixture f;
        fixture_open(&f);
        fixture_publish(&f, "a", 25, 60000, 1);
        ss_check(ss__log_current(&f.store->log)->head.serial == 2);
        uint64_t incarnation = f.report.incarnation;
        fixture_crash(&f);
        fixture_flip_log(&f, ss__log_position(serial, 40));
        for (unsigned opened = 0; opened < 2; opened++) {
            fixture_reopen(&f);
            ss_check(f.report.damaged_records >= 1 && f.report.incarnation == incarnation + 1);
            fixture_verify(&f, "a", 25, 60000);
            fixture_crash(&f);
            ss_check(fixture_check(&f).findings >= 1);
            ss_check(strstr(f.finding, "first block") != NULL);
        }
        fixture_reopen(&f);
        fixture_flush_all(&f);
        fixture_verify(&f, "a", 25, 60000);
        fixture_end(&f);
    }
}

static void first_unreadable_is_the_end(enum ss_durability durability, uint64_t at)
{
    struct fixture f;
    fixture_init(&f);
    f.options.durability = durability;
    fixture_reopen(&f);
    fixture_publish(&f, "a", 3, 50, 1);
    fixture_publish(&f, "b", 3, 50, 1);
    uint64_t incarnation = f.report.incarnation;
    fixture_crash(&f);
    fixture_flip_log(&f, batch_of(&f, 3) + at);    /* the third event of a */
    fixture_reopen(&f);
    ss_check(f.report.damaged_records == 0 && f.report.incarnation > incarnation);
    struct ss_store_session *none;
    ss_check(ss__store_get_session(f.store, ss_str("b"), &none) == SS_E_NOTFOUND);
    fixture_verify(&f, "a", 2, 50);
    fixture_publish(&f, "a", 1, 50, 1);
    fixture_crash(&f);
    fixture_check_clean(&f);
    fixture_reopen(&f);
    fixture_verify(&f, "a", 3, 50);
    fixture_end(&f);
}

SS_TEST(recover, without_syncs_the_first_unreadable_batch_is_the_end)
{
    first_unreadable_is_the_end(SS_DURABILITY_NONE, 20);
    first_unreadable_is_the_end(SS_DURABILITY_INTERVAL, 20);
    first_unreadable_is_the_end(SS_DURABILITY_NONE, 60);
}

SS_TEST(recover, end_is_judged_by_the_mode_it_was_written_in_also_when_a_start_failed)
{
    struct fixture f;
    fixture_init(&f);
    f.options.durability = SS_DURABILITY_NONE;
    fixture_reopen(&f);
    fixture_publish(&f, "a", 3, 50, 1);
    fixture_crash(&f);
    fixture_flip_log(&f, batch_of(&f, 2) + 20);    /* the second event */
    f.options.durability = SS_DURABILITY_FSYNC;
    ss__fault_arm("log.create", 1, 1, ENOSPC);
    open_fails(&f, SS_E_STOREFULL, "cannot be opened");
    ss__fault_reset();
    fixture_reopen(&f);
    ss_check(f.report.damaged_records == 0);
    fixture_verify(&f, "a", 1, 50);
    fixture_publish(&f, "a", 3, 50, 1);
    fixture_publish(&f, "b", 1, 50, 1);
    fixture_crash(&f);
    fixture_flip_log(&f, batch_of(&f, 3) + 20);    /* from here on every batch was synced */
    fixture_reopen(&f);
    ss_check(f.report.damaged_records == 2 && fixture_row_of(&f, "a").quarantined);
    fixture_verify(&f, "b", 1, 50);
    fixture_end(&f);
}

SS_TEST(recover, start_that_ended_before_the_first_flush_is_repeated)
{
    struct fixture f;
    fixture_open(&f);
    fixture_publish(&f, "a", 3, 50, 1);
    fixture_crash(&f);
    fixture_plant(&f, SS_DB_META, ss_str(META_LOG), (struct ss_str){ 0 });
    fixture_reopen(&f);
    fixture_verify(&f, "a", 3, 50);
    fixture_end(&f);
}

SS_TEST(recover, done_five_times_in_a_row_it_gives_the_same)
{
    struct fixture f;
    fixture_open(&f);
    fixture_publish(&f, "a", 70, 50, 7);
    fixture_publish(&f, "b", 3, 50, 1);
    fixture_flush_due(&f);
    fixture_publish(&f, "c", 3, 50, 2);
    uint64_t epoch = fixture_row_of(&f, "b").epoch;
    uint64_t unflushed = fixture_stats(&f).unflushed_bytes;
    for (unsigned i = 0; i < 5; i++) {
        fixture_crash(&f);
        fixture_check_clean(&f);
        fixture_reopen(&f);    /* and killed again before the first batch */
        ss_check(f.report.recovered_records == 6 && f.report.sessions == 3);
        ss_check(f.report.damaged_records == 0 && fixture_row_of(&f, "b").epoch == epoch);
        ss_check(fixture_stats(&f).unflushed_bytes == unflushed);
        fixture_verify(&f, "a", 70, 50);
        fixture_verify(&f, "b", 3, 50);
        fixture_verify(&f, "c", 3, 50);
    }
    fixture_flush_all(&f);
    ss_check(fixture_count_files(&f, "log-") == 1);
    fixture_close(&f);
    fixture_check_clean(&f);
    fixture_end(&f);
}

SS_TEST(recover, events_of_an_earlier_life_of_a_file_never_come_back)
{
    struct fixture f;
    fixture_open(&f);
    for (unsigned i = 0; i < 40; i++) {
        fixture_publish(&f, i % 2 == 0 ? "a" : "b", 1, 60000, 1);
        fixture_flush_all(&f);
    }
    ss_check(fixture_count_files(&f, "spare-") > 0);
    for (unsigned i = 0; i < 6; i++) {
        fixture_publish(&f, "c", 1, 50, 1);
        fixture_crash(&f);
        fixture_check_clean(&f);
        fixture_reopen(&f);
        ss_check(f.report.damaged_records == 0 && f.report.sessions == 3);
        ss_check(f.report.recovered_records == i + 1);
        fixture_verify(&f, "a", 20, 60000);
        fixture_verify(&f, "b", 20, 60000);
        fixture_verify(&f, "c", i + 1, 50);
    }
    fixture_end(&f);
}

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

/* A file that is kept outlives the one behind it, which had said where it ends. */
static void torn_end_stays_dropped(enum ss_durability durability)
{
    struct fixture f;
    fixture_init(&f);
    f.options.durability = durability;
    fixture_reopen(&f);
    fixture_publish(&f, "hurt", 3, 50, 1);
    fixture_publish(&f, "well", 1, 50, 1);
    struct ss_store_session *well = fixture_session(&f, "well");
    struct ss_store_session *other = fixture_session(&f, "other");
    fixture_stage(&f, well, 1, 50);
    fixture_stage(&f, other, 1, 50);
    ss_check(ss__store_commit(f.store) == 0);
    ss__store_put_session(f.store, well);
    ss__store_put_session(f.store, other);
    fixture_crash(&f);
    struct fixture_log log;
    fixture_read_log(&f, &log);
    fixture_flip_log(&f, log.positions[log.count - 1] + 60);    /* the last one: torn */
    if (durability == SS_DURABILITY_FSYNC) {
        fixture_flip_record(&f, 2, 60);    /* evidence for which the file is kept */
    } else {
        forge(&f, 2, 999, 1, true);
    }
    fixture_reopen(&f);
    uint64_t incarnation = f.report.incarnation;
    ss_check(f.report.damaged_records >= 1 && fixture_row_of(&f, "well").ordinal == 1);
    for (unsigned i = 0; i < 60; i++) {
        fixture_publish(&f, "busy", 1, 60000, 1);
        fixture_flush_all(&f);
    }
    ss_check(f.store->log.count == 2 && f.store->log.files[0]->head.serial == 1);
    for (unsigned opened = 0; opened < 2; opened++) {
        fixture_close(&f);
        fixture_reopen(&f);
        ss_check(fixture_row_of(&f, "well").ordinal == 1);
        ss_check(f.report.incarnation == incarnation);
    }
    fixture_publish(&f, "well", 1, 50, 1);
    fixture_verify(&f, "well", 2, 50);
    fixture_end(&f);
}

SS_TEST(recover, torn_end_of_a_kept_file_stays_dropped_when_the_next_file_is_gone)
{
    torn_end_stays_dropped(SS_DURABILITY_FSYNC);
    torn_end_stays_dropped(SS_DURABILITY_NONE);
}
