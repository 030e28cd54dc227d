/* Names in the directory of a shard whose sync failed, or may have failed without anybody's having
 * been told: a later sync that succeeds need not bring them to the disk, so nothing that has to last
 * is put under them. */
#include <errno.h>
#include <stdbool.h>
#include <sys/stat.h>

#include "store_fixture.h"

#define EVENT_BYTES 60000

static ino_t file_of(struct fixture *f, uint64_t serial)
{
    char path[400];
    struct stat info;
    fixture_log_path(f, serial, path);
    ss_check(stat(path, &info) == 0);
    return info.st_ino;
}

/* Until the log has begun its file @serial. */
static void publish_into(struct fixture *f, const char *id, uint64_t serial)
{
    char path[400];
    fixture_log_path(f, serial, path);
    while (access(path, F_OK) != 0) {
        fixture_publish(f, id, 1, EVENT_BYTES, 1);
    }
}

SS_TEST(lost_names, failed_sync_of_the_name_of_a_log_file_stops_acking_until_restart)
{
    struct fixture f;
    fixture_open(&f);
    fixture_publish(&f, "a", 3, EVENT_BYTES, 1);
    struct ss_store_session *session = fixture_session(&f, "a");
    fixture_stage(&f, session, 80, EVENT_BYTES);    /* more than there is room for */
    ss__fault_arm("log.names", 1, 1, EIO);
    ss_check(ss__store_commit(f.store) == SS_E_STOREIO);
    fixture_stage(&f, session, 1, 10);
    ss_check(ss__store_commit(f.store) == SS_E_STOREIO);
    ss__store_put_session(f.store, session);
    ss_check(ss__store_writable(f.store) == SS_E_STOREIO);
    fixture_verify(&f, "a", 3, EVENT_BYTES);
    ino_t nameless = file_of(&f, 2);
    fixture_close(&f);
    fixture_reopen(&f);
    ss_check(!f.report.clean && f.report.damaged_records == 0);
    ss_check(file_of(&f, 2) != nameless);    /* made anew, and with it the name */
    fixture_publish(&f, "a", 2, EVENT_BYTES, 1);
    fixture_crash(&f);
    fixture_check_clean(&f);
    fixture_reopen(&f);
    fixture_verify(&f, "a", 5, EVENT_BYTES);
    fixture_end(&f);
}

SS_TEST(lost_names, unused_file_is_used_as_it_is_only_after_an_end_in_order)
{
    struct fixture f;
    fixture_open(&f);
    ino_t first = file_of(&f, 1);
    fixture_close(&f);
    fixture_reopen(&f);
    ss_check(file_of(&f, 1) == first);
    fixture_crash(&f);
    fixture_reopen(&f);
    ino_t second = file_of(&f, 1);
    ss_check(second != first);
    fixture_publish(&f, "a", 1, 10, 1);
    fixture_end(&f);
}

#define MARK_AT 600000

/* One as another process may have left it. */
static void leave_spare(struct fixture *f)
{
    char path[400];
    (void)snprintf(path, sizeof path, "%s/spare-000000aa", f->shard_dir);
    int fd = open(path, O_WRONLY | O_CREAT, 0600);
    ss_check(fd >= 0 && ftruncate(fd, 1 << 20) == 0 && pwrite(fd, "x", 1, MARK_AT) == 1);
    (void)close(fd);
}

static bool was_spare(struct fixture *f, uint64_t serial)
{
    char path[400];
    char mark = '\0';
    fixture_log_path(f, serial, path);
    int fd = open(path, O_RDONLY);
    ss_check(fd >= 0 && pread(fd, &mark, 1, MARK_AT) == 1);
    (void)close(fd);
    return mark == 'x';
}

SS_TEST(lost_names, spares_are_used_only_after_an_end_in_order)
{
    struct fixture f;
    fixture_open(&f);
    fixture_publish(&f, "a", 1, 10, 1);
    fixture_close(&f);
    leave_spare(&f);
    fixture_reopen(&f);
    ss_check(was_spare(&f, 2));
    fixture_publish(&f, "a", 1, 10, 1);
    fixture_crash(&f);
    leave_spare(&f);
    fixture_reopen(&f);
    ss_check(!was_spare(&f, 3) && fixture_count_files(&f, "spare-000000aa") == 0);
    fixture_verify(&f, "a", 2, 10);
    fixture_end(&f);
}

/* Its name may not be on the disk, and the next file would build on it. */
SS_TEST(lost_names, file_without_a_batch_that_was_a_spare_is_made_anew_too)
{
    struct fixture f;
    fixture_open(&f);
    fixture_publish(&f, "a", 1, 10, 1);
    fixture_close(&f);
    leave_spare(&f);
    fixture_reopen(&f);
    ss_check(was_spare(&f, 2));
    fixture_crash(&f);
    fixture_reopen(&f);
    ss_check(!was_spare(&f, 2));
    fixture_publish(&f, "a", 1, 10, 1);
    fixture_crash(&f);
    fixture_reopen(&f);
    fixture_verify(&f, "a", 2, 10);
    fixture_end(&f);
}

SS_TEST(lost_names, end_is_in_order_only_when_the_old_names_of_spares_are_gone_for_good)
{
    struct fixture f;
    fixture_open(&f);
    publish_into(&f, "a", 2);
    fixture_flush_all(&f);
    ss_check(fixture_count_files(&f, "spare-") == 1);
    ss__fault_arm("log.names", 1, 1, EIO);
    fixture_close(&f);
    ss__fault_reset();
    fixture_reopen(&f);
    ss_check(!f.report.clean);
    fixture_end(&f);
}
