#include "store/cut.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/contract.h"
#include "core/fault.h"
#include "core/log.h"
#include "store/flush.h"

#define DATA_NAME "data.mdb"
#define META_PAGES 2u    /* LMDB's own: it writes them in turn */

static int read_head(struct ss_cut *cut, int fd)
{
    uint64_t at = 0;
    while (at < cut->head_bytes) {
        ssize_t got = pread(fd, cut->head + at, cut->head_bytes - at, (off_t)at);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            return SS_E_STOREIO;
        }
        at += (uint64_t)got;
    }
    return 0;
}

/* The last pages may never have been written: they are free. */
static int take_data(struct ss_store *store, struct ss_cut *cut)
{
    struct ss_cut_file *file = &cut->files[0];
    MDB_envinfo info;
    int env_fd;
    memcpy(file->name, DATA_NAME, sizeof DATA_NAME);
    file->fd = mdb_env_get_fd(store->env.env, &env_fd) == 0 ? fcntl(env_fd, F_DUPFD_CLOEXEC, 0)
                                                            : -1;
    cut->files_count = 1;
    if (file->fd < 0 || mdb_env_info(store->env.env, &info) != 0) {
        return SS_E_STOREIO;
    }
    struct stat data;
    if (fstat(file->fd, &data) != 0) {
        return SS_E_STOREIO;
    }
    uint64_t size = (uint64_t)data.st_size;
    uint64_t used = ((uint64_t)info.me_last_pgno + 1) * store->env.page_bytes;
    file->used = used < size ? used : size;
    file->bytes = file->used;
    cut->grown_from = used;
    cut->head_bytes = META_PAGES * store->env.page_bytes;
    cut->head = malloc(cut->head_bytes);
    return cut->head == NULL ? SS_E_NOMEM : read_head(cut, file->fd);
}

static int take_log(struct ss_store *store, struct ss_cut *cut)
{
    for (size_t i = 0; i < store->log.count; i++) {
        const struct ss_log_file *log_file = store->log.files[i];
        struct ss_cut_file *file = &cut->files[cut->files_count];
        file->fd = fcntl(log_file->fd, F_DUPFD_CLOEXEC, 0);
        if (file->fd < 0) {
            return SS_E_STOREIO;
        }
        cut->files_count++;
        ss__log_file_name(file->name, log_file->head.serial);
        bool whole = log_file->damaged || log_file->kept;    /* evidence is copied as it is */
        file->bytes = log_file->head.bytes;
        file->used = whole ? log_file->head.bytes : log_file->end;
    }
    return 0;
}

static void end_read(struct ss_cut *cut)
{
    if (cut->txn != NULL) {
        ss__env_read_end(cut->env, cut->txn);
        cut->txn = NULL;
    }
}

static void free_cut(struct ss_cut *cut)
{
    for (size_t i = 0; i < cut->files_count; i++) {
        if (cut->files[i].fd >= 0) {
            (void)close(cut->files[i].fd);    /* only read */
        }
    }
    free(cut->head);
    free(cut);
}

void ss__cut_hold(struct ss_cut *cut)
{
    atomic_fetch_add(&cut->holders, 1);
}

void ss__cut_put(struct ss_cut *cut)
{
    if (atomic_fetch_sub(&cut->holders, 1) == 1) {
        free_cut(cut);
    }
}

int ss__store_cut(struct ss_store *store, struct ss_cut **ret_cut)
{
    SS_REQUIRE(store->batch.len == 0 && !store->flushing && store->cut == NULL);
    size_t bytes = sizeof(struct ss_cut) + (store->log.count + 1) * sizeof(struct ss_cut_file);
    struct ss_cut *cut = SS_FAULT("store.cut") != 0 ? NULL : calloc(1, bytes);
    if (cut == NULL) {
        return SS_E_NOMEM;
    }
    MDB_txn *txn;
    int err = ss__env_read_begin(&store->env, &txn);
    if (err != 0) {
        free(cut);
        return err;
    }
    cut->env = &store->env;
    cut->txn = txn;
    atomic_store(&cut->holders, 1);
    err = take_data(store, cut);
    err = err != 0 ? err : take_log(store, cut);
    if (err != 0) {
        end_read(cut);
        free_cut(cut);
        return err;
    }
    cut->log_from = ss__log_bytes(&store->log);
    store->cut = cut;
    store->log.pinned = true;
    *ret_cut = cut;
    return 0;
}

/* Files that became free meanwhile go now, for a quiet store flushes no more. Those that a flush
 * still reads go when it is settled. */
static void let_go(struct ss_store *store)
{
    end_read(store->cut);
    store->log.pinned = false;
    if (!store->flushing && store->batch.len == 0) {
        store->stats.records_trimmed += ss__log_trim(&store->log, store->log_told);
    }
}

void ss__store_uncut(struct ss_store *store)
{
    SS_REQUIRE(store->cut != NULL);
    atomic_store(&store->cut->stop, true);
    let_go(store);
    ss__cut_put(store->cut);
    store->cut = NULL;
}

bool ss__cut_stopped(const struct ss_cut *cut)
{
    return atomic_load(&cut->stop);
}

/* Whoever copies may hang in a write and never look: nothing is left to wait for it. It reads from
 * descriptors of its own and then finds that what it has copied does not count. */
void ss__cut_stop(struct ss_store *store, const char *why)
{
    if (store->cut != NULL && !atomic_exchange(&store->cut->stop, true)) {
        let_go(store);
        ss__log(SS_LOG_WARN, "the backup of a shard is given up", "shard=%u reason=\"%s\"",
                store->options.shard_index, why);
    }
}

/* What is written until the next look must not reach the limit at which publishes are refused. */
static bool near_full(const struct ss_store *store)
{
    uint64_t margin = store->options.min_free_bytes / 4 + 2 * store->log.file_bytes_max;
    return ss__env_free_disk(&store->env) < store->options.min_free_bytes + margin;
}

void ss__cut_judge(struct ss_store *store)
{
    const struct ss_cut *cut = store->cut;
    if (cut == NULL || ss__cut_stopped(cut)) {
        return;
    }
    uint64_t growth = store->options.backup_growth_bytes;
    if (ss__env_used(&store->env) - cut->grown_from > growth) {
        ss__cut_stop(store, "the data file has grown too much meanwhile");
    } else if (ss__log_bytes(&store->log) > cut->log_from + store->options.log_window_bytes +
                                            growth) {
        ss__cut_stop(store, "the log has grown too much meanwhile");
    } else if (near_full(store)) {
        ss__cut_stop(store, "the disk of the store is nearly full");
    }
}

bool ss__store_flush_can_wait(const struct ss_store *store)
{
    return store->cut != NULL && !ss__cut_stopped(store->cut) &&
           store->unflushed_bytes < store->options.log_window_bytes && store->long_tails == 0 &&
           !ss__log_over_window(store) && !ss__store_crowded(store);
}
