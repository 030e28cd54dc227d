#include <errno.h>
#include <sys/stat.h>

#include "store_fixture.h"

#define FILE_BYTES (64u << 10)

struct place {
    char root[256];
    struct ss_log log;
};

static void log_open(struct place *place)
{
    struct ss_failure failure = { 0 };
    int err = ss__log_open(&place->log, place->root, 0, 7, FILE_BYTES, false, &failure);
    ss_check_msg(err == 0, "%s", failure.text);
}

static void place_open(struct place *place)
{
    ss__fault_reset();
    fixture_make_root(place->root, sizeof place->root);
    log_open(place);
    ss_check(ss__log_roll(&place->log, 0) == 0);
}

static void place_end(struct place *place)
{
    ss__log_close(&place->log);
    (void)nftw(place->root, fixture_remove_one, 16, FTW_DEPTH | FTW_PHYS);
    ss__fault_reset();
}

static void open_again(struct place *place)
{
    ss__log_close(&place->log);
    log_open(place);
}

static unsigned count(struct place *place, const char *prefix)
{
    struct fixture f;
    (void)snprintf(f.shard_dir, sizeof f.shard_dir, "%s", place->root);
    return fixture_count_files(&f, prefix);
}

/* One event of @len bytes in a batch of its own; returns its position. */
static uint64_t append(struct place *place, uint64_t ordinal, size_t len)
{
    static uint8_t batch[128u << 10];
    struct ss_log *log = &place->log;
    struct ss_record record = { .ordinal = ordinal, .type_id = 1,
                                .payload = fixture_payload(ss_str("x"), ordinal, len) };
    uint64_t bytes = SS_LOG_BATCH_HEAD_BYTES + ss__log_event_bytes(&record);
    if (ss__log_round(bytes) > ss__log_room(log)) {
        ss_check(ss__log_roll(log, ss__log_round(bytes)) == 0);
    }
    const struct ss_log_file *file = ss__log_current(log);
    struct ss_log_batch_head head = { .serial = file->head.serial, .number = log->next_batch,
                                      .records = 1, .bytes = bytes };
    memset(batch, 0, ss__log_round(bytes));
    ss__log_batch_encode(batch, log->seed, &head);
    ss__log_event_encode(batch + SS_LOG_BATCH_HEAD_BYTES, log->seed, head.number, 1, &record);
    uint64_t position = ss__log_position(head.serial, file->end + SS_LOG_BATCH_HEAD_BYTES);
    ss_check(ss__log_append(log, batch, ss__log_round(bytes), 1) == 0);
    return position;
}

static void holds(struct place *place, uint64_t position, uint64_t ordinal, size_t len)
{
    struct ss_log_record record;
    ss_check(ss__log_read(&place->log, position, &record) == 0);
    ss_check(record.kind == SS_LOG_EVENT && record.sid == 1 && record.event.ordinal == ordinal);
    ss_check(ss_str_equal(record.event.payload, fixture_payload(ss_str("x"), ordinal, len)));
}

/* Takes out what nobody needs; returns how many records went with it. */
static uint64_t trim(struct place *place)
{
    return ss__log_trim(&place->log, ss__log_needed(&place->log));
}

/* A batch of 40,000 bytes fills a file: with @files of them full and empty of live records, which
 * become spares, a further one is in use. */
static void open_with_spares(struct place *place, unsigned files)
{
    place_open(place);
    for (unsigned i = 0; i <= files; i++) {
        (void)append(place, i + 1, 40000);
    }
    for (unsigned i = 0; i < files; i++) {
        place->log.files[i]->live = 0;
    }
    ss_check(trim(place) == files);
}

SS_TEST(log, records_are_read_at_their_positions_over_many_files)
{
    struct place place;
    uint64_t positions[100];
    place_open(&place);
    for (unsigned i = 0; i < 100; i++) {
        positions[i] = append(&place, i + 1, 3000);
        ss_check(i == 0 || positions[i] > positions[i - 1]);
    }
    ss_check(place.log.count >= 5 && place.log.next_batch == 101);
    ss_check(ss__log_bytes(&place.log) == 100 * ss__log_round(3000 + 96));
    for (unsigned i = 0; i < 100; i++) {
        holds(&place, positions[i], i + 1, 3000);
    }
    struct ss_log_record record;
    const struct ss_log_file *current = ss__log_current(&place.log);
    ss_check(ss__log_read(&place.log, 1, &record) == SS_E_CORRUPT);
    ss_check(ss__log_read(&place.log, UINT64_MAX, &record) == SS_E_CORRUPT);
    ss_check(ss__log_read(&place.log, ss__log_position(current->head.serial, current->end),
                          &record) == SS_E_CORRUPT);
    ss_check(ss__log_read(&place.log, positions[5] + 1, &record) == SS_E_CORRUPT);
    place_end(&place);
}

SS_TEST(log, file_says_where_the_one_before_ends_and_which_batch_comes_first)
{
    struct place place;
    place_open(&place);
    (void)append(&place, 1, 100);
    (void)append(&place, 2, 100);
    uint64_t end = ss__log_current(&place.log)->end;
    ss_check(end == 3 * SS_LOG_BLOCK_BYTES);
    ss_check(ss__log_roll(&place.log, 0) == 0);
    open_again(&place);
    const struct ss_log_head *head = &ss__log_current(&place.log)->head;
    ss_check(place.log.count == 2 && head->serial == 2 && head->previous_serial == 1);
    ss_check(head->previous_end == end && head->first_batch == 3);
    place_end(&place);
}

SS_TEST(log, files_without_live_records_become_spares_and_are_used_again)
{
    struct place place;
    place_open(&place);
    uint64_t trimmed = 0;
    uint64_t appended = 0;
    for (unsigned round = 0; round < 300; round++) {
        uint64_t position = append(&place, round + 1, 20000);
        appended++;
        ss__log_file_at(&place.log, position)->live--;
        trimmed += trim(&place);
        ss_check(count(&place, "log-") == 1 && count(&place, "spare-") <= SS_LOG_SPARES_MAX);
        holds(&place, position, round + 1, 20000);
    }
    ss_check(trimmed + ss__log_current(&place.log)->records == appended);
    ss_check(ss__log_current(&place.log)->head.serial >= 100);
    open_again(&place);
    ss_check(place.log.spares_count >= 1);
    place_end(&place);
}

SS_TEST(log, file_is_used_again_only_when_its_old_name_is_gone_for_good)
{
    struct place place;
    open_with_spares(&place, 1);
    ss_check(place.log.spares_count == 1 && place.log.spares[0].renamed);
    ss__fault_arm("log.names", 1, 1, EIO);
    ss_check(ss__log_roll(&place.log, 0) == SS_E_STOREIO && place.log.names_failed);
    ss_check(count(&place, "spare-") == 1 && count(&place, "log-") == 1);    /* passed over */
    place_end(&place);
}

SS_TEST(log, after_a_failed_sync_of_names_no_other_file_is_made)
{
    struct place place;
    place_open(&place);
    (void)append(&place, 1, 40000);
    ss__fault_arm("log.names", 1, 1, EIO);
    ss_check(ss__log_roll(&place.log, 0) == SS_E_STOREIO && place.log.names_failed);
    ss_check(place.log.count == 1 && ss__log_room(&place.log) == 0);
    ss_check(ss__log_roll(&place.log, 0) == SS_E_STOREIO && place.log.count == 1);
    place_end(&place);
}

SS_TEST(log, old_names_of_spares_are_made_to_go_for_good)
{
    struct place place;
    place_open(&place);
    (void)append(&place, 1, 40000);
    (void)append(&place, 2, 40000);
    ss__fault_arm("log.names", 1, 1, EIO);
    ss_check(ss__log_sync_names(&place.log) == 0);    /* there are none */
    place.log.files[0]->live = 0;
    ss_check(trim(&place) == 1);
    ss_check(ss__log_sync_names(&place.log) == SS_E_STOREIO && place.log.spares[0].renamed);
    ss_check(ss__log_sync_names(&place.log) == 0 && !place.log.spares[0].renamed);
    place_end(&place);
}

SS_TEST(log, unused_file_is_made_anew_under_its_name)
{
    struct place place;
    struct stat before;
    struct stat after;
    place_open(&place);
    uint64_t position = append(&place, 1, 40000);
    ss_check(ss__log_roll(&place.log, 0) == 0 && ss__log_unused(&place.log));
    struct ss_log_head head = ss__log_current(&place.log)->head;
    ss_check(fstat(ss__log_current(&place.log)->fd, &before) == 0);
    ss__fault_arm("log.names", 1, 1, EIO);
    ss_check(ss__log_renew(&place.log) == SS_E_STOREIO && place.log.count == 2);
    place.log.names_failed = false;
    ss_check(ss__log_renew(&place.log) == 0 && ss__log_unused(&place.log));
    const struct ss_log_file *file = ss__log_current(&place.log);
    ss_check(fstat(file->fd, &after) == 0 && after.st_ino != before.st_ino);
    ss_check(count(&place, "log-") == 2 && place.log.count == 2);
    ss_check(memcmp(&file->head, &head, sizeof head) == 0);
    holds(&place, position, 1, 40000);
    (void)append(&place, 2, 100);
    place_end(&place);
}

SS_TEST(log, spares_of_another_process_can_be_dropped)
{
    struct place place;
    open_with_spares(&place, 1);
    ss__log_drop_spares(&place.log);
    ss_check(count(&place, "spare-") == 0 && place.log.spares_count == 0);
    (void)append(&place, 3, 40000);
    place_end(&place);
}

SS_TEST(log, making_a_file_makes_the_names_of_the_spares_durable)
{
    struct place place;
    open_with_spares(&place, 2);
    ss_check(place.log.spares[0].renamed && place.log.spares[1].renamed);
    (void)append(&place, 4, 40000);
    ss_check(place.log.spares_count == 1 && !place.log.spares[0].renamed);
    place_end(&place);
}

SS_TEST(log, trim_leaves_what_lmdb_says_is_needed)
{
    struct place place;
    place_open(&place);
    for (unsigned i = 0; i < 4; i++) {
        uint64_t position = append(&place, i + 1, 40000);
        ss__log_file_at(&place.log, position)->live--;
    }
    ss_check(place.log.count == 4 && ss__log_needed(&place.log) == 4);
    ss_check(ss__log_trim(&place.log, 1) == 0 && place.log.count == 4);
    ss_check(ss__log_trim(&place.log, 3) == 2 && place.log.count == 2);
    ss_check(place.log.files[0]->head.serial == 3);
    place_end(&place);
}

SS_TEST(log, trim_passes_kept_files_and_stops_at_the_first_that_is_needed)
{
    struct place place;
    uint64_t positions[5];
    place_open(&place);
    for (unsigned i = 0; i < 5; i++) {
        positions[i] = append(&place, i + 1, 40000);
    }
    ss_check(place.log.count == 5 && ss__log_needed(&place.log) == 1);
    place.log.files[0]->kept = true;
    ss_check(ss__log_needed(&place.log) == 2);
    place.log.files[1]->leaving = 1;
    place.log.files[3]->leaving = 1;
    ss_check(ss__log_needed(&place.log) == 3);
    ss_check(place.log.files[1]->live == 1);
    place.log.files[1]->live = place.log.files[1]->leaving = 0;
    place.log.files[3]->live = place.log.files[3]->leaving = 0;
    ss_check(trim(&place) == 1 && place.log.count == 4);
    holds(&place, positions[0], 1, 40000);
    holds(&place, positions[3], 4, 40000);
    ss_check(ss__log_file_at(&place.log, positions[1]) == NULL);
    place.log.files[1]->live = 0;
    place.log.files[3]->live = 0;
    ss_check(trim(&place) == 2 && place.log.count == 2);
    ss_check(ss__log_needed(&place.log) == 5);
    holds(&place, positions[0], 1, 40000);
    holds(&place, positions[4], 5, 40000);
    place_end(&place);
}

static void fill(struct place *place, int expected)
{
    struct ss_log_fill wanted;
    ss_check(ss__log_wants_spare(&place->log, &wanted));
    int err = ss__log_fill(&wanted);
    ss_check(err == expected);
    ss__log_filled(&place->log, &wanted, err);
}

SS_TEST(log, spare_is_asked_for_once_when_half_of_the_file_is_written)
{
    struct place place;
    struct ss_log_fill wanted;
    struct ss_log_fill again;
    place_open(&place);
    ss_check(!ss__log_wants_spare(&place.log, &wanted));
    (void)append(&place, 1, 40000);
    ss_check(ss__log_wants_spare(&place.log, &wanted) && wanted.bytes == FILE_BYTES);
    ss_check(!ss__log_wants_spare(&place.log, &again));
    ss_check(ss__log_fill(&wanted) == 0);
    ss__log_filled(&place.log, &wanted, 0);
    ss_check(!ss__log_wants_spare(&place.log, &again) && count(&place, "spare-") == 1);
    ss__fault_arm("log.create", 1, 2, ENOSPC);    /* of the spare, and of a new one */
    ss_check(ss__log_roll(&place.log, 0) == SS_E_STOREFULL);
    ss_check(ss__log_room(&place.log) == 0);
    ss_check(ss__log_roll(&place.log, 0) == 0);
    ss_check(ss__log_room(&place.log) == FILE_BYTES - SS_LOG_BLOCK_BYTES);
    place_end(&place);
}

SS_TEST(log, spare_somebody_took_away_is_done_without)
{
    struct place place;
    struct ss_log_fill wanted;
    place_open(&place);
    (void)append(&place, 1, 40000);
    ss_check(ss__log_wants_spare(&place.log, &wanted) && ss__log_fill(&wanted) == 0);
    ss__log_filled(&place.log, &wanted, 0);
    char path[600];
    (void)snprintf(path, sizeof path, "spare-%08llx", (unsigned long long)wanted.number);
    ss_check(unlinkat(place.log.dir_fd, path, 0) == 0);
    uint64_t position = append(&place, 2, 40000);
    ss_check(position >> 32 == 2 && place.log.spares_count == 0);
    place_end(&place);
}

SS_TEST(log, spare_that_could_not_be_filled_is_asked_for_again_in_the_next_file)
{
    struct place place;
    place_open(&place);
    (void)append(&place, 1, 40000);
    ss__fault_arm("log.fill", 1, 1, ENOSPC);
    fill(&place, SS_E_STOREFULL);
    struct ss_log_fill wanted;
    ss_check(count(&place, "spare-") == 0 && !ss__log_wants_spare(&place.log, &wanted));
    (void)append(&place, 2, 40000);
    fill(&place, 0);
    ss_check(count(&place, "spare-") == 1 && place.log.spares_count == 1);
    uint64_t position = append(&place, 3, 40000);
    ss_check(count(&place, "spare-") == 0 && position >> 32 == 3);
    place_end(&place);
}

SS_TEST(log, spare_nobody_needs_any_more_when_it_is_filled_is_taken_out)
{
    struct place place;
    struct ss_log_fill wanted;
    place_open(&place);
    (void)append(&place, 1, 40000);
    ss_check(ss__log_wants_spare(&place.log, &wanted));
    ss_check(ss__log_fill(&wanted) == 0);
    for (unsigned i = 2; i <= 4; i++) {
        (void)append(&place, i, 40000);
    }
    for (size_t i = 0; i < place.log.count; i++) {
        place.log.files[i]->live = 0;
    }
    ss_check(trim(&place) == 3 && place.log.spares_count == SS_LOG_SPARES_MAX);
    ss__log_filled(&place.log, &wanted, 0);
    ss_check(count(&place, "spare-") == SS_LOG_SPARES_MAX);
    place_end(&place);
}

static void touch(struct place *place, const char *name, uint64_t bytes)
{
    char path[400];
    (void)snprintf(path, sizeof path, "%s/%s", place->root, name);
    int fd = open(path, O_WRONLY | O_CREAT, 0640);
    ss_check(fd >= 0 && ftruncate(fd, (off_t)bytes) == 0);
    (void)close(fd);
}

SS_TEST(log, spares_of_another_size_or_too_many_are_taken_out_at_the_start)
{
    struct place place;
    place_open(&place);
    ss__log_close(&place.log);
    touch(&place, "spare-00000001", FILE_BYTES - 1);
    touch(&place, "spare-00000002", FILE_BYTES);
    touch(&place, "spare-00000003", FILE_BYTES);
    touch(&place, "spare-0000000f", FILE_BYTES);
    touch(&place, "spare-00000010x", FILE_BYTES);
    touch(&place, "log-0000000G", 10);
    touch(&place, "log-000000001", 10);
    log_open(&place);
    ss_check(place.log.spares_count == 2 && place.log.count == 1);
    ss_check(place.log.next_spare == 16 && count(&place, "spare-") == 3);
    place_end(&place);
}

SS_TEST(log, failed_sync_is_not_forgotten_and_stops_a_roll)
{
    struct place place;
    place_open(&place);
    (void)append(&place, 1, 100);
    ss__fault_arm("log.sync", 1, 2, EIO);
    ss_check(ss__log_sync(&place.log) == SS_E_STOREIO);
    ss_check(ss__log_roll(&place.log, 0) == SS_E_STOREIO && place.log.count == 1);
    ss_check(ss__log_sync(&place.log) == 0);
    ss__fault_arm("log.sync", 1, 1, EIO);
    ss_check(ss__log_sync(&place.log) == 0);    /* nothing new: the disk is not asked */
    place_end(&place);
}

/* What a killed process wrote may not be on the disk yet: neither the end of its file nor the new
 * file may be there before it. */
SS_TEST(log, what_the_process_before_wrote_is_synced_before_a_new_file_begins)
{
    struct place place;
    struct ss_log_batch_head head;
    place_open(&place);
    (void)append(&place, 1, 100);
    uint64_t end = ss__log_current(&place.log)->end;
    open_again(&place);
    struct ss_log_file *file = ss__log_current(&place.log);
    struct ss_str behind = ss_str_of(file->map + end, SS_LOG_BLOCK_BYTES);
    file->end = end;    /* as a walk finds it */
    place.log.next_batch = 2;
    ss__fault_arm("log.sync", 1, 1, EIO);
    ss_check(ss__log_roll(&place.log, 0) == SS_E_STOREIO && count(&place, "log-") == 1);
    ss_check(ss__log_batch_decode(behind, place.log.seed, &head) == SS_E_CORRUPT);
    ss_check(ss__log_roll(&place.log, 0) == 0);
    ss_check(ss__log_batch_decode(behind, place.log.seed, &head) == 0 && head.records == 0);
    place_end(&place);
}

SS_TEST(log, batches_no_position_can_name_are_refused)
{
    struct place place;
    place_open(&place);
    ss_check(ss__log_roll(&place.log, SS_LOG_FILE_BYTES_MAX) == SS_E_STOREFULL);
    ss_check(place.log.count == 1);
    ss__log_close(&place.log);
    touch(&place, "log-ffffffff", 4096);
    log_open(&place);
    ss_check(place.log.count == 2 && ss__log_current(&place.log)->damaged);
    ss_check(ss__log_roll(&place.log, 0) == SS_E_STOREIO);
    ss_check(count(&place, "log-") == 2);
    place_end(&place);
}

SS_TEST(log, files_of_another_shard_directory_or_version_are_refused_by_name)
{
    struct place place;
    struct ss_log other;
    struct ss_failure failure = { 0 };
    place_open(&place);
    ss__log_close(&place.log);
    ss_check(ss__log_open(&other, place.root, 1, 7, FILE_BYTES, true, &failure) == SS_E_CORRUPT);
    ss_check_msg(strstr(failure.text, "log-00000001") != NULL, "%s", failure.text);
    failure = (struct ss_failure){ 0 };
    ss_check(ss__log_open(&other, place.root, 0, 8, FILE_BYTES, true, &failure) == SS_E_CORRUPT);
    ss_check_msg(strstr(failure.text, "another data directory") != NULL, "%s", failure.text);
    failure = (struct ss_failure){ 0 };
    ss_check(ss__log_open(&other, "/nonexistent/shard", 0, 7, FILE_BYTES, true, &failure) ==
             SS_E_STOREIO);
    ss_check_msg(strstr(failure.text, "/nonexistent/shard") != NULL, "%s", failure.text);
    ss_check(ss__log_open(&other, place.root, 1, 7, FILE_BYTES, true, NULL) == SS_E_CORRUPT);
    log_open(&place);
    place_end(&place);
}

SS_TEST(log, end_of_a_file_is_marked_in_it_and_a_failure_to_do_so_stops_a_roll)
{
    struct place place;
    struct ss_log_batch_head head = { .records = 1 };
    place_open(&place);
    (void)append(&place, 1, 100);
    const struct ss_log_file *file = ss__log_current(&place.log);
    ss__fault_arm("log.mark", 1, 1, EIO);
    ss_check(ss__log_roll(&place.log, 0) == SS_E_STOREIO && place.log.count == 1);
    ss_check(ss__log_room(&place.log) == FILE_BYTES - 2 * SS_LOG_BLOCK_BYTES);
    ss_check(ss__log_roll(&place.log, 0) == 0);
    ss_check(ss__log_batch_decode(ss_str_of(file->map + file->end, SS_LOG_BLOCK_BYTES),
                                  place.log.seed, &head) == 0);
    ss_check(head.records == 0 && head.serial == 1 && head.number == 2);
    (void)append(&place, 2, FILE_BYTES - 2 * SS_LOG_BLOCK_BYTES);
    ss_check(ss__log_room(&place.log) < SS_LOG_BLOCK_BYTES * 2);
    while (ss__log_room(&place.log) > 0) {
        (void)append(&place, 3, 10);
    }
    ss_check(ss__log_roll(&place.log, 0) == 0);    /* no room for a mark, and no need */
    place_end(&place);
}

SS_TEST(log, without_memory_for_another_file_a_roll_fails_and_the_next_one_goes_on)
{
    struct place place;
    uint64_t positions[12];
    place_open(&place);
    for (unsigned i = 0; i < 8; i++) {
        positions[i] = append(&place, i + 1, 60000);
    }
    ss__fault_arm("log.files", 1, 1, 1);
    int err = ss__log_roll(&place.log, 0);
    ss_check_msg(err == SS_E_NOMEM, "%s", ss_error_name(err));
    ss__fault_reset();
    for (unsigned i = 8; i < 12; i++) {
        positions[i] = append(&place, i + 1, 60000);
    }
    for (unsigned i = 0; i < 12; i++) {
        holds(&place, positions[i], i + 1, 60000);
    }
    open_again(&place);
    place_end(&place);
}

SS_TEST(log, place_that_is_in_no_file_has_no_record)
{
    struct place place;
    place_open(&place);
    uint64_t position = append(&place, 1, 100);
    ss_check(ss__log_record_at(&place.log, position).len > 100);
    ss_check(ss__log_record_at(&place.log, ss__log_position(9, 512)).len == 0);
    ss_check(ss__log_record_at(&place.log, position + 4096).len == 0);
    place_end(&place);
}
