#include "engine/backup.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <sessionstream/backup.h>

#include "core/clock.h"
#include "core/log.h"
#include "engine/engine_router.h"
#include "store/backup.h"
#include "store/cut.h"

struct ss_backups {
    struct ss_backup_control control;
    char *dir;
    const struct ss_router *router;
    struct ss_directory directory;    /* its identity alone */
    uint64_t min_free_bytes;
    pthread_t thread;
    bool joinable;
    uint64_t rate;
    uint64_t begun_ns;

    pthread_mutex_t lock;    /* of all below */
    pthread_cond_t changed;
    struct ss_backup_stats stats;
    struct ss_backup_status status;
    bool canceled;
    bool stopping;
    bool answered;           /* the shard has made the cut, or not */
    bool running;            /* the thread still uses this */
    bool left;               /* nobody waits for the thread: no shard may be touched */
    bool orphaned;           /* and it frees all of this at its end */
    const struct ss_cut *cut;
};

/* ---- on the backup's thread ---- */

/* On the thread of the shard. */
static void on_made(struct ss_msg_cut *msg)
{
    struct ss_backups *backups = msg->ctx;
    if (msg->err == 0) {
        ss__cut_hold(msg->cut);
    }
    pthread_mutex_lock(&backups->lock);
    backups->answered = true;
    pthread_cond_broadcast(&backups->changed);
    pthread_mutex_unlock(&backups->lock);
}

static int on_step(uint64_t bytes, void *ctx)
{
    struct ss_backups *backups = ctx;
    pthread_mutex_lock(&backups->lock);
    backups->status.shard_copied += bytes;
    backups->status.copied += bytes;
    ss__count(&backups->stats.bytes, bytes);
    int err = backups->canceled                                        ? SS_E_CANCELED
              : backups->cut != NULL && ss__cut_stopped(backups->cut) ? SS_E_LIMIT
                                                                      : 0;
    pthread_mutex_unlock(&backups->lock);
    return err;
}

static void show_shard(struct ss_backups *backups, uint32_t shard, const struct ss_cut *cut)
{
    pthread_mutex_lock(&backups->lock);
    backups->cut = cut;
    if (cut != NULL) {
        backups->status.shard = shard;
        backups->status.shard_copied = 0;
        backups->status.shard_bytes = ss__backup_bytes(cut);
    }
    pthread_mutex_unlock(&backups->lock);
}

/* A shard answers within a batch and a flush. False: it has ended without a word, and has taken the
 * message along. */
static bool await_cut(struct ss_backups *backups)
{
    pthread_mutex_lock(&backups->lock);
    while (!backups->answered && !backups->left) {
        pthread_cond_wait(&backups->changed, &backups->lock);
    }
    bool answered = backups->answered;
    backups->answered = false;
    pthread_mutex_unlock(&backups->lock);
    return answered;
}

/* SS_E_CLOSED: the message is still the caller's. */
static int post(struct ss_backups *backups, uint32_t shard, struct ss_msg_cut *msg)
{
    pthread_mutex_lock(&backups->lock);
    int err = backups->left ? SS_E_CLOSED
                            : ss__inbox_post(backups->router->shards[shard], &msg->base.node,
                                             SS_POST_INSIDE);
    pthread_mutex_unlock(&backups->lock);
    return err;
}

static int copy_shard(struct ss_backups *backups, struct ss_backup *backup, uint32_t shard,
                      struct ss_failure *failure)
{
    struct ss_msg_cut *msg = ss__msg_new(SS_MSG_CUT, sizeof *msg);
    if (msg == NULL) {
        return ss__fail(failure, SS_E_NOMEM, "out of memory");
    }
    msg->made = on_made;
    msg->ctx = backups;
    int err = post(backups, shard, msg);
    if (err == 0 && !await_cut(backups)) {
        return SS_E_CANCELED;
    }
    err = err != 0 ? err : msg->err;
    if (err != 0) {
        ss__msg_free(&msg->base);
        return ss__fail(failure, err, "shard %u gives no copy of itself: %s", shard,
                        ss_error_text(err));
    }
    show_shard(backups, shard, msg->cut);
    err = ss__backup_shard(backup, shard, msg->cut, failure);
    show_shard(backups, shard, NULL);
    ss__cut_put(msg->cut);
    msg->over = true;
    if (post(backups, shard, msg) != 0) {
        ss__msg_free(&msg->base);    /* the store ends the cut when it is closed */
    }
    return err;
}

static int make_backup(struct ss_backups *backups, struct ss_failure *failure)
{
    struct ss_backup *backup = malloc(sizeof *backup);
    struct ss_copier copier = { .rate = backups->rate, .min_free_bytes = backups->min_free_bytes,
                                .step = on_step, .ctx = backups };
    if (backup == NULL) {
        return ss__fail(failure, SS_E_NOMEM, "out of memory");
    }
    int err = ss__backup_begin(backup, backups->dir, backups->status.name, &backups->directory,
                               &copier, failure);
    if (err == 0) {
        for (uint32_t i = 0; i < backups->directory.shard_count && err == 0; i++) {
            err = copy_shard(backups, backup, i, failure);
        }
        err = err != 0 ? err : ss__backup_finish(backup, failure);
        ss__backup_end(backup);
    }
    free(backup);
    return err;
}

static const char *explain(int err)
{
    switch (err) {
    case SS_E_CANCELED:
        return "it was canceled";
    case SS_E_LIMIT:
        return "the store grew too much, or ran short of room, while it was copied: raise the "
               "rate, or make backups when less is written";
    default:
        return ss_error_text(err);
    }
}

static void destroy(struct ss_backups *backups)
{
    pthread_cond_destroy(&backups->changed);
    pthread_mutex_destroy(&backups->lock);
    free(backups->dir);
    free(backups);
}

static void *run(void *ctx)
{
    struct ss_backups *backups = ctx;
    struct ss_failure failure = { 0 };
    int err = make_backup(backups, &failure);
    pthread_mutex_lock(&backups->lock);
    struct ss_backup_status *status = &backups->status;
    status->err = err;
    status->took_us = (ss__clock_monotonic_ns(&ss__system_clock) - backups->begun_ns) / 1000;
    status->state = err == 0 ? SS_BACKUP_DONE : SS_BACKUP_FAILED;
    if (err != 0) {
        (void)snprintf(status->text, sizeof status->text, "%s",
                       failure.text[0] != '\0' ? failure.text : explain(err));
    }
    struct ss_backup_status copy = *status;
    ss__count(err == 0 ? &backups->stats.done : &backups->stats.failed, 1);
    if (err == 0) {
        ss__gauge_set(&backups->stats.success_s,
                      ss__clock_wall_us(&ss__system_clock) / 1000000);
    }
    ss__gauge_set(&backups->stats.running, 0);
    backups->running = false;
    bool orphaned = backups->orphaned;
    pthread_cond_broadcast(&backups->changed);
    pthread_mutex_unlock(&backups->lock);    /* from here on it may be freed */
    if (orphaned) {
        destroy(backups);
    }
    if (err == 0) {
        ss__log(SS_LOG_INFO, "backup complete", "name=%s bytes=%llu ms=%llu", copy.name,
                (unsigned long long)copy.copied, (unsigned long long)(copy.took_us / 1000));
    } else {
        char reason[2 * sizeof copy.text];
        ss__log(SS_LOG_WARN, "backup failed", "name=%s error=%s reason=%s", copy.name,
                ss_error_name(err), ss__log_quote(reason, sizeof reason, ss_str(copy.text)));
    }
    return NULL;
}

/* ---- from any thread ---- */

/* With the lock. The thread of the one before has nothing left to do. */
static int start_thread(struct ss_backups *backups)
{
    if (backups->joinable) {
        (void)pthread_join(backups->thread, NULL);
        backups->joinable = false;
    }
    backups->running = pthread_create(&backups->thread, NULL, run, backups) == 0;
    backups->joinable = backups->running;
    ss__gauge_set(&backups->stats.running, backups->running);
    return backups->running ? 0 : SS_E_NOMEM;
}

static int start(void *ctx, struct ss_str name, uint64_t rate, struct ss_failure *failure)
{
    struct ss_backups *backups = ctx;
    int err = ss__backup_check_name(name, failure);
    if (err != 0) {
        return err;
    }
    pthread_mutex_lock(&backups->lock);
    if (backups->stopping || backups->status.state == SS_BACKUP_RUNNING) {
        err = backups->stopping ? SS_E_STOPPING : SS_E_BUSY;
        (void)ss__fail(failure, err, backups->stopping ? "the server is stopping"
                                                       : "a backup is running: \"%s\"",
                       backups->status.name);
    } else {
        struct ss_backup_status before = backups->status;
        backups->status = (struct ss_backup_status){
            .state = SS_BACKUP_RUNNING,
            .shards = backups->directory.shard_count,
            .begun_us = ss__clock_wall_us(&ss__system_clock),
        };
        memcpy(backups->status.name, name.data, name.len);
        backups->begun_ns = ss__clock_monotonic_ns(&ss__system_clock);
        backups->rate = rate;
        backups->canceled = false;
        err = start_thread(backups);
        if (err != 0) {
            backups->status = before;
            (void)ss__fail(failure, err, "no thread can be started");
        }
    }
    pthread_mutex_unlock(&backups->lock);
    return err;
}

static void status_of(void *ctx, struct ss_backup_status *ret_status)
{
    struct ss_backups *backups = ctx;
    pthread_mutex_lock(&backups->lock);
    *ret_status = backups->status;
    if (ret_status->state == SS_BACKUP_RUNNING) {
        ret_status->took_us =
            (ss__clock_monotonic_ns(&ss__system_clock) - backups->begun_ns) / 1000;
    }
    pthread_mutex_unlock(&backups->lock);
}

static int cancel(void *ctx)
{
    struct ss_backups *backups = ctx;
    pthread_mutex_lock(&backups->lock);
    int err = backups->status.state == SS_BACKUP_RUNNING ? 0 : SS_E_NOTFOUND;
    backups->canceled = err == 0;
    pthread_mutex_unlock(&backups->lock);
    return err;
}

/* Deadlines are of the clock that nobody sets. */
static void init_condition(pthread_cond_t *condition)
{
    pthread_condattr_t monotonic;
    (void)pthread_condattr_init(&monotonic);    /* none of these fails on Linux */
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_cond_init(condition, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
}

/* Whoever has mistyped it would learn that with the first backup. It may be mounted later, so that
 * nothing is refused for it. */
static void look_at(const char *dir)
{
    struct stat info;
    char quoted[512];
    const char *reason = NULL;
    if (stat(dir, &info) != 0) {
        reason = strerror(errno);
    } else if (!S_ISDIR(info.st_mode)) {
        reason = "it is no directory";
    } else if (access(dir, W_OK | X_OK) != 0) {
        reason = strerror(errno);
    }
    if (reason != NULL) {
        ss__log(SS_LOG_WARN, "no backup can be made while the directory for them cannot be used",
                "dir=%s reason=\"%s\"", ss__log_quote(quoted, sizeof quoted, ss_str(dir)), reason);
    }
}

int ss__backups_new(const char *dir, const struct ss_router *router,
                    const struct ss_directory *directory, uint64_t min_free_bytes,
                    struct ss_backups **ret_backups)
{
    struct ss_backups *backups = calloc(1, sizeof *backups);
    if (backups == NULL || (backups->dir = strdup(dir)) == NULL) {
        free(backups);
        return SS_E_NOMEM;
    }
    backups->control = (struct ss_backup_control){ start, status_of, cancel, backups };
    backups->router = router;
    backups->directory = (struct ss_directory){ .lock_fd = -1,
                                                .format = directory->format,
                                                .shard_count = directory->shard_count,
                                                .directory_id = directory->directory_id,
                                                .routing_key = directory->routing_key };
    backups->min_free_bytes = min_free_bytes;
    (void)pthread_mutex_init(&backups->lock, NULL);       /* the default kind cannot fail */
    init_condition(&backups->changed);
    look_at(dir);
    *ret_backups = backups;
    return 0;
}

const struct ss_backup_control *ss__backups_control(struct ss_backups *backups)
{
    return &backups->control;
}

const struct ss_backup_stats *ss__backups_stats(const struct ss_backups *backups)
{
    return &backups->stats;
}

void ss__backups_cancel(struct ss_backups *backups)
{
    if (backups != NULL) {
        pthread_mutex_lock(&backups->lock);
        backups->stopping = backups->canceled = true;
        pthread_mutex_unlock(&backups->lock);
    }
}

bool ss__backups_await(struct ss_backups *backups, uint64_t until_ns)
{
    if (backups == NULL || !backups->joinable) {
        return true;
    }
    struct timespec until = { (time_t)(until_ns / 1000000000), (long)(until_ns % 1000000000) };
    int code = 0;
    pthread_mutex_lock(&backups->lock);
    while (backups->running && code == 0) {
        code = pthread_cond_timedwait(&backups->changed, &backups->lock, &until);
    }
    bool ended = !backups->running;
    pthread_mutex_unlock(&backups->lock);
    if (ended) {
        (void)pthread_join(backups->thread, NULL);
        backups->joinable = false;
    }
    return ended;
}

/* A disk that hangs cannot be told to give up. What the thread uses outlives it: its descriptors,
 * the cut that it holds, and this. */
void ss__backups_leave(struct ss_backups *backups)
{
    if (backups == NULL || !backups->joinable) {
        return;
    }
    pthread_mutex_lock(&backups->lock);
    backups->left = true;
    pthread_cond_broadcast(&backups->changed);
    pthread_mutex_unlock(&backups->lock);
    ss__log(SS_LOG_WARN, "the disk of the backup does not answer: the stop goes on without its end",
            "name=%s dir=%s", backups->status.name, backups->dir);
    (void)pthread_detach(backups->thread);
    backups->joinable = false;
}

void ss__backups_free(struct ss_backups *backups)
{
    if (backups == NULL) {
        return;
    }
    pthread_mutex_lock(&backups->lock);
    backups->orphaned = backups->running;
    bool orphaned = backups->orphaned;
    pthread_mutex_unlock(&backups->lock);
    if (!orphaned) {
        destroy(backups);
    }
}

/* ---- public ---- */

int ss_engine_backup(struct ss_engine *engine, const char *name, uint64_t rate)
{
    const struct ss_backup_control *control = ss__engine_backups(engine);
    return control == NULL ? SS_E_NOTFOUND : control->start(control->ctx, ss_str(name), rate, NULL);
}

int ss_engine_backup_status(struct ss_engine *engine, struct ss_backup_status *ret_status)
{
    const struct ss_backup_control *control = ss__engine_backups(engine);
    if (control == NULL) {
        return SS_E_NOTFOUND;
    }
    control->status(control->ctx, ret_status);
    return 0;
}

int ss_engine_backup_cancel(struct ss_engine *engine)
{
    const struct ss_backup_control *control = ss__engine_backups(engine);
    return control == NULL ? SS_E_NOTFOUND : control->cancel(control->ctx);
}
