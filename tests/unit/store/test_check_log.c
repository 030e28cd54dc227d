#include "check_fixture.h"

#include "core/hash.h"
#include "store/delete.h"

/* "a" has a segment and a tail, "b" and "c" are only in the log. */
static void fill(struct fixture *f)
{
    fixture_open(f);
    fixture_publish(f, "a", 70, 50, 10);
    ss_check(ss__store_flush(f->store, 1) > 0);
    fixture_publish(f, "a", 3, 50, 1);
    fixture_publish(f, "b", 3, 50, 1);
    fixture_publish(f, "c", 2, 50, 1);
    fixture_crash(f);
}

/* Records: 0 is "a", 1 to 73 its events, 74 is "b", then its three, 78 is "c", then its two. */
#define FIRST_OF_B 75u
#define SECOND_OF_B 76u
#define BIRTH_OF_B 74u

/* Writes @bytes to @at of the @index-th record and seals it again. */
static void forge(struct fixture *f, unsigned index, size_t at, const void *bytes, size_t len)
{
    uint8_t record[512];
    char path[400];
    uint64_t position = fixture_position(f, index);
    uint64_t seed = f->options.directory_id ^ 1;
    fixture_log_path(f, position >> 32, path);
    int fd = open(path, O_RDONLY);
    ss_check(fd >= 0 && pread(fd, record, sizeof record, (off_t)(position & UINT32_MAX)) == 512);
    (void)close(fd);
    size_t record_len = ss__get_le32(record);
    ss_check(record_len <= sizeof record && at + len <= record_len - 8);
    memcpy(record + at, bytes, len);
    ss__put_le64(record + record_len - 8, ss__checksum_seeded(seed, record, record_len - 8));
    fixture_write_log(f, position, record, record_len);
}

SS_TEST(check_log, unclean_store_with_events_only_in_the_log_is_clean_and_counted)
{
    struct fixture f;
    fill(&f);
    struct ss_check_summary summary = fixture_check(&f);
    ss_check_msg(summary.findings == 0, "%s", f.finding);
    ss_check(summary.sessions == 3 && summary.events == 73 + 3 + 2);
    ss_check(summary.log_records == 81 && summary.segments == 2);
    fixture_reopen(&f);
    fixture_flush_all(&f);
    fixture_close(&f);
    summary = fixture_check(&f);
    ss_check_msg(summary.findings == 0, "%s", f.finding);
    ss_check(summary.sessions == 3 && summary.events == 78);
    fixture_end(&f);
}

SS_TEST(check_log, flipped_bit_is_found_with_its_place)
{
    struct fixture f;
    fill(&f);
    fixture_flip_record(&f, FIRST_OF_B, 60);
    ss_check(fixture_check(&f).findings >= 1);
    ss_check_msg(strstr(f.finding, "checksum or shape is wrong (session 2)") != NULL, "%s",
                 f.finding);
    ss_check_msg(strstr(f.finding, "follows event 0") != NULL, "%s", f.finding);
    fixture_end(&f);
    fill(&f);
    fixture_flip_record(&f, BIRTH_OF_B, 34);
    found(&f, "belongs to no session (file log-00000001 at byte");
}

SS_TEST(check_log, unreadable_batch_and_its_missing_events_are_found)
{
    struct fixture f;
    fill(&f);
    fixture_flip_log(&f, fixture_position(&f, SECOND_OF_B) - SS_LOG_BATCH_HEAD_BYTES + 20);
    ss_check(fixture_check(&f).findings == 2);
    ss_check_msg(strstr(f.finding, "batches cannot be read (file log-00000001") != NULL, "%s",
                 f.finding);
    ss_check_msg(strstr(f.finding, "event 3 of session 2 follows event 1") != NULL, "%s",
                 f.finding);
    fixture_end(&f);
}

SS_TEST(check_log, batch_cut_off_at_the_end_is_named)
{
    struct fixture f;
    fill(&f);
    fixture_flip_record(&f, 80, 60);
    found(&f, "the last batch was cut off");
}

SS_TEST(check_log, missing_batches_and_files_are_named)
{
    struct fixture f;
    fill(&f);
    uint8_t zeros[512] = { 0 };
    fixture_reopen(&f);
    fixture_flush_all(&f);
    fixture_close(&f);
    fixture_delete_log(&f, 2);
    found(&f, "from log-00000002 on is missing");
    fixture_open(&f);
    fixture_publish(&f, "a", 1, 50, 1);
    fixture_flush_all(&f);
    fixture_crash(&f);
    fixture_write_log(&f, ss__log_position(1, 512), zeros, sizeof zeros);
    found(&f, "batches 1 to 1 are missing");
}

SS_TEST(check_log, damaged_first_block_is_named)
{
    struct fixture f;
    fill(&f);
    fixture_flip_log(&f, ss__log_position(1, 40));
    found(&f, "first block");
}

SS_TEST(check_log, sound_record_with_impossible_contents_is_named)
{
    struct fixture f;
    uint8_t number[8];
    fill(&f);
    ss__put_le32(number, 99);
    forge(&f, FIRST_OF_B, 40, number, 4);
    found(&f, "unknown type 99");
    fill(&f);
    ss__put_le32(number, 0);
    forge(&f, FIRST_OF_B, 40, number, 4);
    found(&f, "unknown type 0");
    fill(&f);
    ss__put_le32(number, 3);    /* "b:1" becomes a header */
    forge(&f, FIRST_OF_B, 44, number, 4);
    found(&f, "malformed header");
    fill(&f);
    ss__put_le64(number, 77);
    forge(&f, FIRST_OF_B, 16, number, 8);
    found(&f, "belongs to no session");
    fill(&f);
    ss__put_le64(number, 5);
    forge(&f, FIRST_OF_B, 24, number, 8);
    found(&f, "event 5 of session 2 follows event 0");
}

SS_TEST(check_log, log_of_another_shard_is_an_error_with_its_name)
{
    struct fixture f;
    struct ss_check_summary summary;
    struct ss_failure failure = { 0 };
    uint8_t block[SS_LOG_BLOCK_BYTES];
    struct ss_log_head head = { .shard_index = 1, .directory_id = 5, .serial = 9,
                                .bytes = sizeof block };
    char path[400];
    fill(&f);
    ss__log_head_encode(block, &head);
    fixture_log_path(&f, 9, path);
    int fd = open(path, O_WRONLY | O_CREAT, 0640);
    ss_check(fd >= 0 && write(fd, block, sizeof block) == (ssize_t)sizeof block);
    (void)close(fd);
    ss_check(ss__store_check(f.root, fixture_on_finding, &f, &summary, &failure) == SS_E_CORRUPT);
    ss_check_msg(strstr(failure.text, "shard 0") != NULL, "%s", failure.text);
    fixture_end(&f);
}

/* Record 81 is the deletion of "b". */
SS_TEST(check_log, deletion_of_nobody_and_event_of_a_deleted_session_are_named)
{
    for (int which = 0; which < 2; which++) {
        struct fixture f;
        uint8_t number[8];
        fill(&f);
        fixture_reopen(&f);
        struct ss_store_session *b = fixture_session(&f, "b");
        ss_check(ss__store_stage_delete(f.store, b, 5) == 0);
        ss_check(ss__store_commit(f.store) == 0);
        ss__store_put_session(f.store, b);
        fixture_publish(&f, "c", 1, 50, 1);
        fixture_crash(&f);
        fixture_check_clean(&f);
        ss__put_le64(number, which == 0 ? 77 : 2);
        forge(&f, which == 0 ? 81 : 82, 16, number, 8);
        found(&f, which == 0 ? "deletes a session that does not exist"
                             : "belongs to a deleted session");
    }
}
