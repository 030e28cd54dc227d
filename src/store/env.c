#include "store/env.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "core/contract.h"
#include "core/fault.h"
#include "core/kill_point.h"
#include "core/log.h"
#include "core/mapped.h"
#include "store/env_map.h"

#define MAP_BYTES_MAX (UINT64_C(64) << 30)
#define MAP_ROOM_MIN (UINT64_C(1) << 30)    /* above what there is, however much */
#define MAP_BYTES_MIN (UINT64_C(16) << 20)
#define GROW_STEP_MAX (UINT64_C(16) << 30)
#define PROBE_BYTES (UINT64_C(16) << 20)
#define METAS 2
#define META_SECTOR 512u    /* their content is smaller */
#define FREE_DBI 0    /* LMDB's own list of free pages: transaction -> count, page numbers */

static const char *const db_names[SS_DB_COUNT] = { "meta",   "catalog", "session", "segment",
                                                   "entity", "types",   "running", "trash",
                                                   "command", "error", "checkpoint" };

const char *ss__env_database_name(enum ss_db db)
{
    return db_names[db];
}

int ss__err_from_lmdb(int code)
{
    switch (code) {
    case 0:
        return 0;
    case MDB_NOTFOUND:
        return SS_E_NOTFOUND;
    case MDB_KEYEXIST:
        return SS_E_EXISTS;
    case MDB_MAP_FULL:
    case MDB_TXN_FULL:
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return SS_E_STOREFULL;
    case ENOMEM:
        return SS_E_NOMEM;
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
    case MDB_INVALID:
    case MDB_INCOMPATIBLE:
        return SS_E_CORRUPT;
    case MDB_VERSION_MISMATCH:
        return SS_E_VERSION;
    default:
        return SS_E_STOREIO;
    }
}

static uint64_t free_disk(const char *path)
{
    struct statvfs info;
    if (statvfs(path, &info) != 0) {
        return UINT64_MAX;
    }
    return (uint64_t)info.f_bavail * info.f_frsize;
}

static uint64_t choose_map_bytes(const char *dir, uint64_t wanted)
{
    char path[4096];
    struct stat data;
    uint64_t current = 0;
    int len = snprintf(path, sizeof path, "%s/data.mdb", dir);
    if (len > 0 && (size_t)len < sizeof path && stat(path, &data) == 0) {
        current = (uint64_t)data.st_size;
    }
    uint64_t bytes = wanted;
    if (bytes == 0) {
        uint64_t room = free_disk(dir);
        uint64_t cap = current + MAP_ROOM_MIN > MAP_BYTES_MAX ? current + MAP_ROOM_MIN
                                                              : MAP_BYTES_MAX;
        bytes = room == UINT64_MAX ? cap : room / 4 + current;
        bytes = bytes > cap ? cap : bytes;
    }
    bytes = bytes < MAP_BYTES_MIN ? MAP_BYTES_MIN : bytes;
    bytes = bytes < current ? current : bytes;
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    return (bytes + page - 1) / page * page;
}

static int open_databases(struct ss_env *env, bool read_only)
{
    MDB_txn *txn;
    int code = mdb_txn_begin(env->env, NULL, read_only ? MDB_RDONLY : 0, &txn);
    if (code != 0) {
        return code;
    }
    for (int i = 0; i < SS_DB_COUNT && code == 0; i++) {
        code = mdb_dbi_open(txn, db_names[i], read_only ? 0 : MDB_CREATE, &env->dbi[i]);
        if (code == MDB_NOTFOUND && i >= SS_DB_TRASH) {
            code = 0;    /* last used by a program that did not know it: its number is 0 */
        }
    }
    if (code != 0) {
        mdb_txn_abort(txn);
        return code;
    }
    SS_KILL_POINT(ENV_DATABASES);
    return mdb_txn_commit(txn);
}

/* LMDB met what cannot be and ends the process when this returns. */
static void on_assert(MDB_env *env, const char *message)
{
    const char *dir = "";
    char quoted[512];
    (void)mdb_env_get_path(env, &dir);    /* leaves it */
    ss__log(SS_LOG_ERROR, "the store is damaged and the process ends: run `ssctl store check`, and "
            "put the data directory back from a backup", "file=\"%s/data.mdb\" reason=%s", dir,
            ss__log_quote(quoted, sizeof quoted, ss_str(message)));
}

/* A write of a meta page that was answered with an error may be on the disk, while LMDB has put the
 * older one back in memory and would write over pages that the newer one needs. The same bytes
 * again, one sector of each page, and the disk has what is seen here. */
static int secure_metas(MDB_env *env)
{
    uint8_t sector[META_SECTOR];
    MDB_stat stat;
    int fd;
    int code = mdb_env_get_fd(env, &fd);
    code = code != 0 ? code : mdb_env_stat(env, &stat);
    for (off_t page = 0; page < METAS && code == 0;) {
        off_t at = page * (off_t)stat.ms_psize;
        int fault = SS_FAULT("env.metas");    /* an errno */
        errno = fault != 0 ? fault : EIO;    /* of what is cut short */
        bool done = fault == 0 &&
                    pread(fd, sector, sizeof sector, at) == (ssize_t)sizeof sector &&
                    pwrite(fd, sector, sizeof sector, at) == (ssize_t)sizeof sector;
        page += done;
        code = done || errno == EINTR ? 0 : errno;
    }
    return code == 0 && fdatasync(fd) != 0 ? errno : code;
}

/* Transactions are few and always synced, in every durability mode: a power failure may cost the
 * log its end, never LMDB its structure. */
static int open_env(const char *path, uint64_t map_bytes, unsigned flags, struct ss_env *ret_env,
                    struct ss_failure *failure)
{
    struct ss_env env = { .map_bytes = map_bytes };
    int code = mdb_env_create(&env.env);
    if (code == 0) {
        code = mdb_env_set_assert(env.env, on_assert);
    }
    if (code == 0) {
        code = mdb_env_set_mapsize(env.env, env.map_bytes);
    }
    if (code == 0) {
        code = mdb_env_set_maxdbs(env.env, SS_DB_MAX);
    }
    if (code == 0) {
        code = mdb_env_open(env.env, path, flags | MDB_NOTLS, 0640);
    }
    if (code == 0 && (flags & MDB_RDONLY) == 0) {
        code = secure_metas(env.env);
    }
    if (code == 0) {
        code = open_databases(&env, (flags & MDB_RDONLY) != 0);
    }
    MDB_stat stat;
    if (code == 0) {
        code = mdb_env_stat(env.env, &stat);
    }
    if (code != 0) {
        mdb_env_close(env.env);
        int err = ss__err_from_lmdb(code);
        return ss__fail(failure, err, "the store in \"%s\" cannot be opened: %s%s", path,
                        mdb_strerror(code), err == SS_E_CORRUPT ? "; run `ssctl store check`" : "");
    }
    env.page_bytes = stat.ms_psize;
    env.mapped = ss__env_map_note(env.env, -1);
    *ret_env = env;
    return 0;
}

int ss__env_open(const char *dir, uint64_t map_bytes, bool read_only, struct ss_env *ret_env,
                 struct ss_failure *failure)
{
    return open_env(dir, choose_map_bytes(dir, map_bytes), read_only ? (unsigned)MDB_RDONLY : 0,
                    ret_env, failure);
}

int ss__env_create(const char *file, struct ss_env *ret_env, struct ss_failure *failure)
{
    return open_env(file, MAP_BYTES_MIN, MDB_NOSUBDIR | MDB_NOLOCK, ret_env, failure);
}

void ss__env_close(struct ss_env *env)
{
    if (env->env == NULL) {
        return;
    }
    if (env->reader != NULL) {
        mdb_txn_abort(env->reader);
    }
    ss__mapped_remove(env->mapped);
    mdb_env_close(env->env);
    *env = (struct ss_env){ 0 };
}

int ss__env_reader(struct ss_env *env, MDB_txn **ret_txn)
{
    int code = 0;
    if (!env->reader_live) {
        code = env->reader == NULL ? mdb_txn_begin(env->env, NULL, MDB_RDONLY, &env->reader)
                                   : mdb_txn_renew(env->reader);
    }
    if (code != 0) {
        return ss__err_from_lmdb(code);
    }
    env->reader_live = true;
    *ret_txn = env->reader;
    return 0;
}

void ss__env_reader_stale(struct ss_env *env)
{
    if (env->reader_live) {
        mdb_txn_reset(env->reader);
        env->reader_live = false;
    }
}

int ss__env_read_begin(struct ss_env *env, MDB_txn **ret_txn)
{
    for (;;) {
        atomic_fetch_add(&env->readers, 1);
        if (!atomic_load(&env->gate_closed)) {
            break;
        }
        atomic_fetch_sub(&env->readers, 1);
        sched_yield();
    }
    int code = mdb_txn_begin(env->env, NULL, MDB_RDONLY, ret_txn);
    if (code != 0) {
        atomic_fetch_sub(&env->readers, 1);
    }
    return ss__err_from_lmdb(code);
}

void ss__env_read_end(struct ss_env *env, MDB_txn *txn)
{
    mdb_txn_abort(txn);
    atomic_fetch_sub(&env->readers, 1);
}

uint64_t ss__env_used(const struct ss_env *env)
{
    MDB_envinfo info;
    if (mdb_env_info(env->env, &info) != 0) {
        return 0;
    }
    return ((uint64_t)info.me_last_pgno + 1) * env->page_bytes;
}

static uint64_t count_free(const struct ss_env *env, MDB_cursor *cursor, uint64_t enough)
{
    uint64_t pages = 0;
    MDB_val key;
    MDB_val value;
    int code = mdb_cursor_get(cursor, &key, &value, MDB_FIRST);
    while (code == 0 && pages * env->page_bytes < enough) {
        size_t count = 0;
        if (value.mv_size >= sizeof count) {
            memcpy(&count, value.mv_data, sizeof count);
            size_t listed = value.mv_size / sizeof count - 1;
            pages += count < listed ? count : listed;
        }
        code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
    }
    return pages * env->page_bytes;
}

uint64_t ss__env_free_bytes(const struct ss_env *env, uint64_t enough)
{
    MDB_txn *txn;
    MDB_cursor *cursor;
    if (mdb_txn_begin(env->env, NULL, MDB_RDONLY, &txn) != 0) {
        return 0;
    }
    uint64_t bytes = 0;
    if (mdb_cursor_open(txn, FREE_DBI, &cursor) == 0) {
        bytes = count_free(env, cursor, enough);
        mdb_cursor_close(cursor);
    }
    mdb_txn_abort(txn);
    return bytes;
}

/* LMDB has it for every environment there is. */
static const char *path_of(const struct ss_env *env)
{
    const char *path = NULL;
    SS_INSIST(mdb_env_get_path(env->env, &path) == 0);
    return path;
}

/* A limit of the process, which statvfs does not know. */
static bool at_file_limit(const struct ss_env *env)
{
    struct rlimit limit;
    struct stat data;
    int fd;
    if (getrlimit(RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY ||
        mdb_env_get_fd(env->env, &fd) != 0 || fstat(fd, &data) != 0) {
        return false;
    }
    return (uint64_t)data.st_size + PROBE_BYTES > limit.rlim_cur;
}

bool ss__env_disk_full(const struct ss_env *env)
{
    char path[4096];
    if (at_file_limit(env)) {
        return true;
    }
    /* create.h has judged the length. */
    int len = snprintf(path, sizeof path, "%s/space.probe", path_of(env));
    SS_INSIST(len > 0 && (size_t)len < sizeof path);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    if (fd < 0) {
        return errno == ENOSPC || errno == EDQUOT;
    }
    int code = posix_fallocate(fd, 0, (off_t)PROBE_BYTES);    /* a quota shows only here */
    (void)unlink(path);    /* if it stays, the next probe uses it */
    (void)close(fd);       /* holds nothing anyone reads */
    return code == ENOSPC || code == EDQUOT;
}

int ss__env_grow(struct ss_env *env)
{
    uint64_t step = env->map_bytes > GROW_STEP_MAX ? GROW_STEP_MAX : env->map_bytes;
    ss__env_reader_stale(env);
    atomic_store(&env->gate_closed, true);
    while (atomic_load(&env->readers) != 0) {
        sched_yield();
    }
    int code = mdb_env_set_mapsize(env->env, env->map_bytes + step);
    if (code == 0) {
        env->map_bytes += step;
        env->mapped = ss__env_map_note(env->env, env->mapped);
    }
    atomic_store(&env->gate_closed, false);
    return ss__err_from_lmdb(code);
}

bool ss__env_is_dead(const struct ss_env *env)
{
    MDB_txn *txn;
    int code = mdb_txn_begin(env->env, NULL, MDB_RDONLY, &txn);
    if (code == 0) {
        mdb_txn_abort(txn);
    }
    return code == MDB_PANIC;
}

/* The new one takes no locks: nobody writes any more, and the locks of a process end with the first
 * of its descriptors. */
int ss__env_revive(struct ss_env *env)
{
    const char *dir;
    struct ss_env fresh;
    ss__env_reader_stale(env);
    atomic_store(&env->gate_closed, true);
    while (atomic_load(&env->readers) != 0) {
        sched_yield();
    }
    int err = SS_FAULT("env.revive");
    err = err != 0 ? err : ss__err_from_lmdb(mdb_env_get_path(env->env, &dir));
    err = err != 0 ? err : open_env(dir, env->map_bytes, MDB_RDONLY | MDB_NOLOCK, &fresh, NULL);
    if (err == 0) {
        if (env->reader != NULL) {
            mdb_txn_abort(env->reader);
        }
        ss__mapped_remove(env->mapped);
        mdb_env_close(env->env);
        env->env = fresh.env;
        memcpy(env->dbi, fresh.dbi, sizeof env->dbi);
        env->mapped = ss__env_map_note(env->env, fresh.mapped);    /* both were maps of one file */
        env->reader = NULL;
    }
    atomic_store(&env->gate_closed, false);
    return err;
}

uint64_t ss__env_free_disk(const struct ss_env *env)
{
    return free_disk(path_of(env));
}

int ss__env_each(const struct ss_env *env, MDB_txn *txn, enum ss_db db, struct ss_str from,
                 size_t prefix_bytes, ss_env_visit_fn *visit, void *ctx)
{
    MDB_cursor *cursor;
    MDB_val key = ss__val_of(from.data, from.len);
    MDB_val value;
    int err = ss__err_from_lmdb(mdb_cursor_open(txn, env->dbi[db], &cursor));
    if (err != 0) {
        return err;
    }
    int code = mdb_cursor_get(cursor, &key, &value, from.len == 0 ? MDB_FIRST : MDB_SET_RANGE);
    while (code == 0 && err == 0 && key.mv_size >= prefix_bytes &&
           (prefix_bytes == 0 || memcmp(key.mv_data, from.data, prefix_bytes) == 0)) {
        err = visit(ss__str_of_val(key), ss__str_of_val(value), ctx);
        code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
    }
    mdb_cursor_close(cursor);
    return err != 0 || code == 0 || code == MDB_NOTFOUND ? err : ss__err_from_lmdb(code);
}
