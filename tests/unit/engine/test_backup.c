/* Backups of a running engine; what they hold is tested in tests/unit/store. */
#include "engine_fixture.h"

#include <dlfcn.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include <sessionstream/backup.h>

#include "engine/engine_state.h"
#include "store/restore.h"
#include "unit/core/child_stderr.h"

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

/* Another engine on the same directory. */
static void remake(struct backup_fixture *b)
{
    ss_engine_stop(b->f.engine);
    ss_engine_free(b->f.engine);
    ss_registry_free(b->f.registry);
    b->f.registry = new_registry();
    make(&b->f);
    start(&b->f);
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

static void check_stats(const struct backup_fixture *b, uint64_t done, uint64_t failed)
{
    const struct ss_backup_stats *stats = b->f.engine->stats_table.backups;
    ss_check(atomic_load(&stats->done) == done && atomic_load(&stats->failed) == failed);
    ss_check(atomic_load(&stats->running) == 0);
    ss_check((atomic_load(&stats->success_s) > 1700000000) == (done > 0));
}

static void look_at(void *dir)
{
    struct ss_backups *backups;
    struct ss_directory directory = { .format = SS_STORE_FORMAT, .shard_count = 1 };
    ss_check(ss__backups_new(dir, NULL, &directory, 0, &backups) == 0);
    ss__backups_free(backups);
}

/* Whoever mistypes it learns that at the start, not when the first backup is wanted. */
SS_TEST(backup, directory_that_cannot_be_used_is_told_at_the_start)
{
    static char good[] = "/tmp";
    static char missing[] = "/tmp/there/is/none";
    static char file[] = "/proc/self/exe";
    struct child_stderr child;
    child_stderr_run(look_at, good, &child);
    ss_check_msg(child.len == 0, "%s", child.text);
    child_stderr_run(look_at, missing, &child);
    ss_check_msg(strstr(child.text, "no backup can be made") != NULL &&
                     strstr(child.text, missing) != NULL &&
                     strstr(child.text, "No such file") != NULL, "%s", child.text);
    child_stderr_run(look_at, file, &child);
    ss_check_msg(strstr(child.text, "it is no directory") != NULL, "%s", child.text);
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
    check_stats(&b, 1, 0);
    ss_check(atomic_load(&b.f.engine->stats_table.backups->bytes) == status.copied);
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
    ss_check(atomic_load(&b.f.engine->stats_table.backups->running) == 1);
    ss_check(ss_engine_backup_cancel(b.f.engine) == 0);
    struct ss_backup_status status = await_end(&b);
    ss_check(status.state == SS_BACKUP_FAILED && status.err == SS_E_CANCELED);
    ss_check(!exists(&b, "slow") && !exists(&b, "slow.partial"));
    check_stats(&b, 0, 1);
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

/* ---- a disk that hangs ---- */

static atomic_bool hangs;        /* writes to a file of a backup do not come back */
static atomic_bool hung;
static pthread_mutex_t disk = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t answers = PTHREAD_COND_INITIALIZER;

static bool is_of_backup(int fd)
{
    char link[64];
    char path[256];
    (void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t len = readlink(link, path, sizeof path - 1);
    path[len < 0 ? 0 : len] = '\0';
    return strstr(path, ".partial/") != NULL;
}

/* In the place of the C library's. */
ssize_t pwrite(int fd, const void *bytes, size_t len, off_t offset)
{
    typedef ssize_t write_fn(int, const void *, size_t, off_t);
    void *symbol = dlsym(RTLD_NEXT, "pwrite");
    write_fn *real;
    memcpy(&real, &symbol, sizeof real);
    if (atomic_load(&hangs) && is_of_backup(fd)) {
        pthread_mutex_lock(&disk);
        atomic_store(&hung, true);
        while (atomic_load(&hangs)) {
            pthread_cond_wait(&answers, &disk);
        }
        pthread_mutex_unlock(&disk);
    }
    return real(fd, bytes, len, offset);
}

static void hang_in_a_backup(struct backup_fixture *b)
{
    atomic_store(&hung, false);
    atomic_store(&hangs, true);
    ss_check(ss_engine_backup(b->f.engine, "b", 0) == 0);
    while (!atomic_load(&hung)) {
        (void)sched_yield();
    }
}

static void let_disk_answer(void)
{
    pthread_mutex_lock(&disk);
    atomic_store(&hangs, false);
    pthread_cond_broadcast(&answers);
    pthread_mutex_unlock(&disk);
}

static void await_removal(const struct backup_fixture *b)
{
    while (exists(b, "b.partial")) {
        (void)sched_yield();
    }
    ss_check(!exists(b, "b"));
}

SS_TEST(backup, a_stop_ends_although_the_disk_of_the_backup_hangs)
{
    struct backup_fixture b;
    struct ss_check_summary summary;
    struct ss_failure failure = { 0 };
    char from[200];
    char to[200];
    begin(&b);
    b.f.options.stop_timeout_ms = 200;
    remake(&b);
    hang_in_a_backup(&b);
    ss_engine_stop(b.f.engine);
    ss_check(!exists(&b, "b") && exists(&b, "b.partial"));
    (void)snprintf(from, sizeof from, "%s/b.partial", b.dir);
    (void)snprintf(to, sizeof to, "%s/restored", b.dir);
    struct ss_restore_options options = { .backup = from, .dir = to, .report = no_finding };
    ss_check(ss__restore(&options, &summary, &failure) != 0);
    ss_check_msg(strstr(failure.text, "not a finished backup") != NULL, "%s", failure.text);

    remake(&b);    /* the data directory is free, that name is not */
    ss_check(ss_engine_backup(b.f.engine, "b", 0) == 0);
    ss_check(await_end(&b).err == SS_E_BUSY);
    let_disk_answer();
    await_removal(&b);    /* what was left has noticed that nobody wants it */
    ss_check(ss_engine_backup(b.f.engine, "b", 0) == 0);
    ss_check(await_end(&b).state == SS_BACKUP_DONE);
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
