/* Backups of a running engine; what they hold is tested in tests/unit/store. */
#include "engine_fixture.h"

#include <sched.h>

#include <sessionstream/backup.h>

#include "store/restore.h"

struct backup_fixture {
    struct fixture f;
    char dir[64];    /* of backups */
};

static void begin(struct backup_fixture *b)
{
    fixture_init(&b->f);
    (void)snprintf(b->dir, sizeof b->dir, "/tmp/ss-backup-XXXXXX");
    ss_check(mkdtemp(b->dir) != NULL);
    b->f.options.backup_dir = b->dir;
    make(&b->f);
    start(&b->f);
}

static void end(struct backup_fixture *b)
{
    fixture_end(&b->f);
    ss_check(nftw(b->dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS) == 0);
}

static struct ss_backup_status await_end(struct backup_fixture *b)
{
    struct ss_backup_status status;
    do {
        ss_check(ss_engine_backup_status(b->f.engine, &status) == 0);
        (void)sched_yield();
    } while (status.state == SS_BACKUP_RUNNING);
    return status;
}

static bool exists(const struct backup_fixture *b, const char *name)
{
    char path[200];
    (void)snprintf(path, sizeof path, "%s/%s", b->dir, name);
    return access(path, F_OK) == 0;
}

static void no_finding(uint32_t shard, const char *place, const char *text, void *ctx)
{
    (void)ctx;
    ss_check_msg(false, "%u %s %s", shard, place, text);
}

SS_TEST(backup, of_a_running_engine_can_be_restored)
{
    struct backup_fixture b;
    struct ss_backup_status status;
    struct ss_check_summary summary;
    struct ss_failure failure = { 0 };
    char from[200];
    char to[200];
    begin(&b);
    ss_check(ss_engine_backup_status(b.f.engine, &status) == 0 && status.state == SS_BACKUP_NONE);
    ss_check(ss_engine_backup(b.f.engine, "../x", 0) == SS_E_INVAL);
    ss_check(ss_engine_backup(b.f.engine, "first", 0) == 0);
    status = await_end(&b);
    ss_check_msg(status.state == SS_BACKUP_DONE && status.err == 0, "%s", status.text);
    ss_check(strcmp(status.name, "first") == 0 && status.shards == 2 && status.copied > 0);
    ss_check(ss_engine_backup_cancel(b.f.engine) == SS_E_NOTFOUND);
    ss_check(ss_engine_backup(b.f.engine, "first", 0) == 0);
    status = await_end(&b);
    ss_check(status.state == SS_BACKUP_FAILED && status.err == SS_E_EXISTS);
    ss_check(strstr(status.text, "already") != NULL);
    (void)snprintf(from, sizeof from, "%s/first", b.dir);
    (void)snprintf(to, sizeof to, "%s/restored", b.dir);
    struct ss_restore_options options = { .backup = from, .dir = to, .report = no_finding };
    int err = ss__restore(&options, &summary, &failure);
    ss_check_msg(err == 0 && summary.shards == 2, "%s", failure.text);
    end(&b);
}

SS_TEST(backup, one_at_a_time_and_it_can_be_canceled)
{
    struct backup_fixture b;
    begin(&b);
    ss_check(ss_engine_backup(b.f.engine, "slow", 1000) == 0);
    ss_check(ss_engine_backup(b.f.engine, "other", 0) == SS_E_BUSY);
    ss_check(ss_engine_backup_cancel(b.f.engine) == 0);
    struct ss_backup_status status = await_end(&b);
    ss_check(status.state == SS_BACKUP_FAILED && status.err == SS_E_CANCELED);
    ss_check(!exists(&b, "slow") && !exists(&b, "slow.partial"));
    ss_check(ss_engine_backup(b.f.engine, "slow", 0) == 0);
    status = await_end(&b);
    ss_check_msg(status.state == SS_BACKUP_DONE, "%s", status.text);
    end(&b);
}

SS_TEST(backup, a_stop_ends_it)
{
    struct backup_fixture b;
    struct ss_backup_status status;
    begin(&b);
    ss_check(ss_engine_backup(b.f.engine, "slow", 1000) == 0);
    ss_engine_stop(b.f.engine);
    ss_check(!exists(&b, "slow") && !exists(&b, "slow.partial"));
    ss_check(ss_engine_backup(b.f.engine, "later", 0) == SS_E_NOTFOUND);
    ss_check(ss_engine_backup_status(b.f.engine, &status) == SS_E_NOTFOUND);
    end(&b);
}

SS_TEST(backup, without_a_directory_there_is_none)
{
    struct fixture f;
    struct ss_backup_status status;
    fixture_init(&f);
    make(&f);
    start(&f);
    ss_check(ss_engine_backup(f.engine, "first", 0) == SS_E_NOTFOUND);
    ss_check(ss_engine_backup_status(f.engine, &status) == SS_E_NOTFOUND);
    ss_check(ss_engine_backup_cancel(f.engine) == SS_E_NOTFOUND);
    fixture_end(&f);
}
