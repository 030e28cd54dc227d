#include "store/reshard.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/fault.h"
#include "core/hash.h"
#include "core/kill_point.h"
#include "store/copy.h"
#include "store/create.h"
#include "store/entries.h"
#include "store/reshard_state.h"
#include "store/store_state.h"

#define PATH_BYTES SS_RESHARD_PATH_BYTES
#define WORK_NAME "shard-work"    /* goes with the shards of a directory that was not finished */
#define COMMIT_BYTES (4u << 20)
#define FLUSH_TAILS 1024u
#define MAP_ROOM (UINT64_C(256) << 20)

static int join(char out[PATH_BYTES], const char *dir, const char *name,
                struct ss_failure *failure)
{
    int len = snprintf(out, PATH_BYTES, "%s%s", dir, name);
    return len < 0 || (size_t)len >= PATH_BYTES
               ? ss__fail(failure, SS_E_TOOBIG, "a path is too long")
               : 0;
}

static int fail(struct ss_reshard *reshard, int err, const char *what)
{
    return err == 0 || reshard->failure->code != 0
               ? err
               : ss__fail(reshard->failure, err, "%s: %s", what, ss_error_text(err));
}

/* ---- for the other files ---- */

uint32_t ss__reshard_target(const struct ss_reshard *reshard, struct ss_str session_id)
{
    return ss__hash_scale(ss__hash(&reshard->to->routing_key, session_id),
                          reshard->to->shard_count);
}

int ss__reshard_type(const struct ss_reshard_source *source, uint32_t type, uint32_t *ret_type)
{
    if (type == 0 || type > source->types.count) {
        return SS_E_CORRUPT;
    }
    *ret_type = source->map[type - 1];
    return 0;
}

int ss__reshard_commit(struct ss_reshard_target *target)
{
    if (target->txn == NULL) {
        return 0;
    }
    MDB_txn *txn = target->txn;
    target->txn = NULL;
    target->waiting = 0;
    int code = SS_FAULT("reshard.commit");    /* an errno */
    if (code != 0) {
        mdb_txn_abort(txn);
        return ss__err_from_lmdb(code);
    }
    return ss__err_from_lmdb(mdb_txn_commit(txn));
}

int ss__reshard_begin(struct ss_reshard_target *target)
{
    return target->txn != NULL
               ? 0
               : ss__err_from_lmdb(mdb_txn_begin(target->env.env, NULL, 0, &target->txn));
}

int ss__reshard_put(struct ss_reshard_target *target, enum ss_db db, const void *key,
                    size_t key_len, struct ss_str value)
{
    MDB_val key_val = ss__val_of(key, key_len);
    MDB_val value_val = ss__val_of(value.data, value.len);
    int err = ss__reshard_begin(target);
    err = err != 0 ? err
                   : ss__err_from_lmdb(mdb_put(target->txn, target->env.dbi[db], &key_val,
                                               &value_val, MDB_NOOVERWRITE));
    target->waiting += key_len + value.len;
    return err != 0 || target->waiting < COMMIT_BYTES ? err : ss__reshard_commit(target);
}

uint8_t *ss__reshard_row(struct ss_reshard *reshard, size_t len)
{
    ss__bytes_clear(&reshard->scratch);
    return SS_FAULT_MEMORY() ? NULL : ss__bytes_extend(&reshard->scratch, len);
}

int ss__reshard_step(struct ss_reshard *reshard, const char *what, uint64_t more)
{
    const struct ss_reshard_options *options = reshard->options;
    reshard->done += more;
    return options->step == NULL
               ? 0
               : options->step(what, reshard->done, reshard->total, options->ctx);
}

/* ---- the working copy of a shard ---- */

static bool is_of_store(const char *name)
{
    return strcmp(name, "data.mdb") == 0 ||
           (strncmp(name, "log-", 4) == 0 && strlen(name) == sizeof "log-00000000" - 1);
}

static int copy_step(uint64_t bytes, void *ctx)
{
    return ss__reshard_step(ctx, "copied", bytes);
}

static int copy_file(struct ss_copier *copier, int from_dir, int to_dir, const char *name,
                     struct ss_failure *failure)
{
    struct stat info;
    uint64_t sum;
    int from = openat(from_dir, name, O_RDONLY | O_CLOEXEC);
    int to = from < 0 ? -1 : openat(to_dir, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
    int err = to < 0 || fstat(from, &info) != 0
                  ? ss__fail(failure, SS_E_IO, "\"%s\" cannot be copied: %s", name,
                             strerror(errno))
                  : 0;
    err = err != 0 ? err
                   : ss__copy(copier, from, to, (uint64_t)info.st_size, (uint64_t)info.st_size,
                              &sum, failure);
    if (from >= 0) {
        (void)close(from);    /* only read */
    }
    if (to >= 0) {
        (void)close(to);    /* synced already */
    }
    return err;
}

static int copy_files(struct ss_reshard *reshard, DIR *from, int to_dir)
{
    struct ss_copier copier = { .step = copy_step, .ctx = reshard };
    const char *name = "";
    int err = ss__copier_init(&copier);
    while (err == 0 && name != NULL) {
        if (is_of_store(name)) {
            err = copy_file(&copier, dirfd(from), to_dir, name, reshard->failure);
        }
        int code = err != 0 ? 0 : ss__entries_next(from, &name);
        err = code == 0 ? err
                        : ss__fail(reshard->failure, SS_E_IO, "a shard cannot be read: %s",
                                   strerror(code));
    }
    ss__copier_deinit(&copier);
    return err;
}

static int copy_shard(struct ss_reshard *reshard, uint32_t shard, const char *work)
{
    char path[PATH_BYTES];
    int err = ss__directory_shard_path(reshard->from, shard, path, sizeof path);
    err = err != 0 ? err : ss__remove_tree(work, reshard->failure);
    err = err != 0 ? err : ss__create_directories(work, reshard->failure);
    if (err != 0) {
        return err;
    }
    DIR *from = opendir(path);
    int to_dir = open(work, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (from == NULL || to_dir < 0) {
        err = ss__fail(reshard->failure, SS_E_IO, "\"%s\" cannot be opened: %s",
                       from == NULL ? path : work, strerror(errno));
    } else {
        err = copy_files(reshard, from, to_dir);
    }
    if (from != NULL) {
        (void)closedir(from);    /* only read */
    }
    if (to_dir >= 0) {
        (void)close(to_dir);    /* of a directory */
    }
    return err;
}

/* Whether something stays in the log for good. */
static bool has_damage(struct ss_store *store)
{
    size_t at = 0;
    bool found = false;
    for (struct ss_store_session *session;
         (session = ss__map_next(&store->by_sid, &at)) != NULL;) {
        found |= session->now.row.quarantined || session->now.tail_count > 0;
    }
    return found;
}

static uint64_t monotonic_ns(struct ss_clock *clock)
{
    (void)clock;
    return ss__clock_monotonic_ns(&ss__system_clock);
}

static uint64_t no_wall_us(struct ss_clock *clock)
{
    (void)clock;
    return 0;
}

/* For which no result of a command is too old: the daemon decides. */
static struct ss_clock timeless = { monotonic_ns, no_wall_us };

/* As the daemon does at its start and while it rests. */
static int settle(struct ss_reshard *reshard, uint32_t shard, const char *work)
{
    struct ss_store_options options;
    struct ss_store_report report;
    struct ss_store *store;
    ss__store_options_init(&options);
    options.dir = work;
    options.must_exist = true;
    options.shard_index = shard;
    options.shard_count = reshard->from->shard_count;
    options.directory_id = reshard->from->directory_id;
    options.min_free_bytes = 0;
    options.command_ttl_ms = UINT32_MAX;
    options.clock = &timeless;
    int err = ss__store_open(&options, &store, &report, reshard->failure);
    if (err != 0) {
        return err;
    }
    int more;
    do {
        more = ss__store_flush(store, FLUSH_TAILS);
        err = more < 0 ? more : ss__reshard_step(reshard, "settled", 0);
    } while (more > 0 && err == 0);
    if (err == 0 && (report.damaged_records > 0 || has_damage(store))) {
        err = ss__fail(reshard->failure, SS_E_CORRUPT, "shard %u is damaged; run `ssctl store "
                       "check`", shard);
    }
    ss__store_close(store);
    return err;
}

/* ---- from one shard to all ---- */

static int open_source(struct ss_reshard *reshard, const char *work)
{
    struct ss_reshard_source *source = &reshard->source;
    int err = ss__env_open(work, 0, false, &source->env, reshard->failure);
    err = err != 0 ? err : ss__env_read_begin(&source->env, &source->txn);
    ss__type_table_init(&source->types);
    err = err != 0 ? err : ss__type_table_load(&source->types, &source->env, source->txn);
    err = err != 0 ? err
                   : ss__type_table_merge(&reshard->types, &source->types, &source->map);
    source->same = err == 0;
    for (uint32_t i = 0; i < source->types.count && source->same; i++) {
        source->same = source->map[i] == i + 1;
    }
    return err;
}

static void close_source(struct ss_reshard *reshard)
{
    struct ss_reshard_source *source = &reshard->source;
    if (source->txn != NULL) {
        ss__env_read_end(&source->env, source->txn);
    }
    ss__env_close(&source->env);
    ss__type_table_deinit(&source->types);
    free(source->map);
    *source = (struct ss_reshard_source){ 0 };
}

static int commit_all(struct ss_reshard *reshard)
{
    int err = 0;
    for (uint32_t i = 0; i < reshard->to->shard_count && err == 0; i++) {
        err = ss__reshard_commit(&reshard->targets[i]);
    }
    return err;
}

static int move_shard(struct ss_reshard *reshard, uint32_t shard, const char *work)
{
    int err = copy_shard(reshard, shard, work);
    SS_KILL_POINT(RESHARD_COPIED);
    err = err != 0 ? err : settle(reshard, shard, work);
    if (err != 0) {
        return fail(reshard, err, "a working copy of a shard cannot be made");
    }
    SS_KILL_POINT(RESHARD_SETTLED);
    err = open_source(reshard, work);
    err = err != 0 ? err : ss__reshard_move(reshard);
    err = err != 0 ? err : commit_all(reshard);
    SS_KILL_POINT(RESHARD_MOVED);
    err = err != 0 ? err : ss__reshard_collect(reshard);
    err = err != 0 ? err : ss__reshard_compare(reshard);
    SS_KILL_POINT(RESHARD_COMPARED);
    close_source(reshard);
    err = fail(reshard, err, "the sessions of a shard cannot be moved");
    return err != 0 ? err : ss__remove_tree(work, reshard->failure);
}

/* ---- the new directory ---- */

static int add_bytes(DIR *dir, uint64_t *bytes)
{
    const char *name;
    int code = ss__entries_next(dir, &name);
    while (code == 0 && name != NULL) {
        struct stat info;
        if (is_of_store(name)) {
            code = fstatat(dirfd(dir), name, &info, 0) == 0 ? 0 : errno;
            *bytes += code == 0 ? (uint64_t)info.st_size : 0;
        }
        code = code != 0 ? code : ss__entries_next(dir, &name);
    }
    return code == 0 ? 0 : SS_E_IO;
}

static int count_bytes(const struct ss_directory *directory, uint64_t *ret_bytes)
{
    *ret_bytes = 0;
    for (uint32_t i = 0; i < directory->shard_count; i++) {
        char path[PATH_BYTES];
        int err = ss__directory_shard_path(directory, i, path, sizeof path);
        DIR *dir = err != 0 ? NULL : opendir(path);
        if (dir == NULL) {
            return err != 0 ? err : SS_E_IO;
        }
        err = add_bytes(dir, ret_bytes);
        (void)closedir(dir);    /* only read */
        if (err != 0) {
            return err;
        }
    }
    return 0;
}

static int open_targets(struct ss_reshard *reshard)
{
    uint32_t count = reshard->to->shard_count;
    int err = 0;
    reshard->targets = calloc(count, sizeof *reshard->targets);
    if (reshard->targets == NULL) {
        return SS_E_NOMEM;
    }
    for (uint32_t i = 0; i < count && err == 0; i++) {
        char path[PATH_BYTES];
        struct ss_meta_shard identity = { i, count, reshard->to->directory_id };
        reshard->targets[i].next_sid = 1;
        err = ss__directory_shard_path(reshard->to, i, path, sizeof path);
        err = err != 0 ? err : ss__create_shard(path, &identity, reshard->failure);
        err = err != 0 ? err
                       : ss__env_open(path, reshard->total * 2 + MAP_ROOM, false,
                                      &reshard->targets[i].env, reshard->failure);
    }
    return err;
}

static int put_meta(struct ss_reshard_target *target, MDB_txn *txn, const char *name,
                    const uint8_t *bytes, size_t len)
{
    MDB_val key = ss__val_of(name, strlen(name));
    MDB_val value = ss__val_of(bytes, len);
    return ss__err_from_lmdb(mdb_put(txn, target->env.dbi[SS_DB_META], &key, &value, 0));
}

/* What an open store keeps in its head, last. */
static int finish_target(struct ss_reshard *reshard, struct ss_reshard_target *target)
{
    MDB_txn *txn;
    uint8_t bytes[SS_META_BYTES_MAX];
    struct ss_meta_run run = { .clean = true, .durability = SS_DURABILITY_FSYNC,
                               .incarnation = 1 };
    int err = ss__reshard_commit(target);
    err = err != 0 ? err : ss__err_from_lmdb(mdb_txn_begin(target->env.env, NULL, 0, &txn));
    if (err != 0) {
        return err;
    }
    err = ss__type_table_put(&reshard->types, &target->env, txn);
    err = err != 0 ? err
                   : put_meta(target, txn, META_RUN, bytes, ss__meta_run_encode(bytes, &run));
    err = err != 0 ? err
                   : put_meta(target, txn, META_SID, bytes,
                              ss__meta_sid_encode(bytes, target->next_sid));
    err = err != 0 ? err
                   : put_meta(target, txn, META_COMMAND, bytes,
                              ss__meta_sid_encode(bytes, target->next_command));
    if (err != 0) {
        mdb_txn_abort(txn);
        return err;
    }
    return ss__err_from_lmdb(mdb_txn_commit(txn));
}

static void close_targets(struct ss_reshard *reshard)
{
    for (uint32_t i = 0; reshard->targets != NULL && i < reshard->to->shard_count; i++) {
        if (reshard->targets[i].txn != NULL) {
            mdb_txn_abort(reshard->targets[i].txn);
        }
        ss__env_close(&reshard->targets[i].env);
    }
    free(reshard->targets);
    reshard->targets = NULL;
}

static int check(struct ss_reshard *reshard, const struct ss_directory *directory,
                 struct ss_check_summary *ret_summary)
{
    int err = ss__store_check_open(directory, reshard->options->report, NULL, reshard->options->ctx,
                                   ret_summary, reshard->failure);
    return err != 0 || ret_summary->findings == 0
               ? err
               : ss__fail(reshard->failure, SS_E_CORRUPT, "the check of \"%s\" has %" PRIu64
                          " findings; nothing was changed%s", directory->path,
                          ret_summary->findings,
                          directory == reshard->from
                              ? ". If the daemon was killed, start and stop it once"
                              : "");
}

static int fill(struct ss_reshard *reshard)
{
    char work[PATH_BYTES];
    int err = join(work, reshard->to->path, "/" WORK_NAME, reshard->failure);
    err = err != 0 ? err : open_targets(reshard);
    SS_KILL_POINT(RESHARD_EMPTY);
    for (uint32_t i = 0; i < reshard->from->shard_count && err == 0; i++) {
        err = move_shard(reshard, i, work);
    }
    err = err != 0 ? err : ss__reshard_put_rows(reshard);
    for (uint32_t i = 0; i < reshard->to->shard_count && err == 0; i++) {
        err = finish_target(reshard, &reshard->targets[i]);
    }
    SS_KILL_POINT(RESHARD_FILLED);
    close_targets(reshard);
    return fail(reshard, err, "the new directory cannot be written");
}

static int make(struct ss_reshard *reshard, struct ss_reshard_result *result)
{
    struct ss_check_summary before = { 0 };
    struct ss_check_summary after = { 0 };
    int err = check(reshard, reshard->from, &before);
    err = err != 0 ? err : fill(reshard);
    err = err != 0 ? err : check(reshard, reshard->to, &after);
    if (err == 0 && before.sessions != after.sessions) {
        err = ss__fail(reshard->failure, SS_E_CORRUPT, "there are %" PRIu64 " sessions in the copy "
                       "instead of %" PRIu64 "; the old directory is as it was", after.sessions,
                       before.sessions);
    }
    result->sessions = after.sessions;
    result->events = after.events;
    result->entities = after.entities;
    SS_KILL_POINT(RESHARD_CHECKED);
    return err != 0 ? err : ss__directory_finish(reshard->to, reshard->failure);
}

/* ---- whose place it takes ---- */

/* Without the slashes at its end: names are made of it. */
static int plain_path(const char *path, char out[PATH_BYTES], struct ss_failure *failure)
{
    int err = join(out, path, "", failure);
    for (size_t len = strlen(out); err == 0 && len > 1 && out[len - 1] == '/'; len--) {
        out[len - 1] = '\0';
    }
    return err;
}

/* Renaming would exchange the link, perhaps across file systems. */
static int is_no_link(const char *path, struct ss_failure *failure)
{
    struct stat info;
    return lstat(path, &info) != 0 || !S_ISLNK(info.st_mode)
               ? 0
               : ss__fail(failure, SS_E_INVAL, "\"%s\" is a symbolic link; give the directory it "
                          "leads to, or --to", path);
}

static int is_free(const char *path, struct ss_failure *failure)
{
    struct stat info;
    return lstat(path, &info) != 0
               ? 0
               : ss__fail(failure, SS_E_EXISTS, "there is a \"%s\" already; move it away", path);
}

/* A name that is not durable may be the old one again after a power loss. */
static int sync_parent(const char *dir, struct ss_failure *failure)
{
    char parent[PATH_BYTES];
    const char *slash = strrchr(dir, '/');
    size_t len = slash == NULL ? 0 : slash == dir ? 1 : (size_t)(slash - dir);
    memcpy(parent, dir, len);
    parent[len] = '\0';
    int fd = open(len == 0 ? "." : parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool good = fd >= 0 && SS_FAULT("reshard.sync") == 0 && fsync(fd) == 0;
    int err = good ? 0
                   : ss__fail(failure, SS_E_IO, "the new directory has taken the place of \"%s\", "
                              "but its name cannot be made durable (%s): run sync, and look which "
                              "one it is before the daemon is started", dir, strerror(errno));
    if (fd >= 0) {
        (void)close(fd);    /* of a directory */
    }
    return err;
}

/* At no time is there no directory of this name, where the file system can exchange two. */
static int swap(const char *dir, struct ss_reshard_result *result, struct ss_failure *failure)
{
    SS_KILL_POINT(RESHARD_COMPLETE);
    bool exchanged = SS_FAULT("reshard.exchange") == 0 &&
                     renameat2(AT_FDCWD, dir, AT_FDCWD, result->path, RENAME_EXCHANGE) == 0;
    SS_KILL_POINT(RESHARD_EXCHANGED);
    if (exchanged && rename(result->path, result->kept) != 0) {
        return ss__fail(failure, SS_E_IO, "the new directory has taken the place of \"%s\", and "
                        "the old one is \"%s\": it cannot be renamed to \"%s\" (%s)", dir,
                        result->path, result->kept, strerror(errno));
    }
    if (!exchanged && rename(dir, result->kept) != 0) {
        return ss__fail(failure, SS_E_IO, "the new directory \"%s\" is complete, but cannot take "
                        "the place of \"%s\": %s", result->path, dir, strerror(errno));
    }
    if (!exchanged && rename(result->path, dir) != 0) {
        int reason = errno;
        bool back = rename(result->kept, dir) == 0;
        return ss__fail(failure, SS_E_IO, "the new directory \"%s\" is complete, but cannot take "
                        "the place of \"%s\" (%s); the old one is \"%s\"", result->path, dir,
                        strerror(reason), back ? dir : result->kept);
    }
    SS_KILL_POINT(RESHARD_NAMED);
    (void)join(result->path, dir, "", NULL);    /* it fits: it did before */
    return sync_parent(dir, failure);
}

static int begin(struct ss_reshard *reshard, const char *path)
{
    struct ss_directory identity = { .shard_count = reshard->options->shards };
    if (ss__random_bytes(&identity.directory_id, sizeof identity.directory_id) != 0 ||
        ss__random_bytes(identity.routing_key.bytes, SS_HASH_KEY_BYTES) != 0) {
        return ss__fail(reshard->failure, SS_E_IO, "the kernel gives no random bytes");
    }
    if (reshard->from->shard_count == reshard->options->shards) {
        return ss__fail(reshard->failure, SS_E_INVAL, "\"%s\" has %u shards already",
                        reshard->from->path, reshard->options->shards);
    }
    int err = count_bytes(reshard->from, &reshard->total);
    err = fail(reshard, err, "the old directory cannot be read");
    err = err != 0 ? err : ss__directory_begin(path, &identity, &reshard->to, reshard->failure);
    /* Which of the two it is cannot be told, so it is not removed. */
    return err != SS_E_EXISTS || reshard->options->to != NULL
               ? err
               : ss__fail(reshard->failure, err, "\"%s\" is in the way: the complete copy of an "
                          "attempt that was cut off, or, if \"%s\" has taken its new form, the "
                          "old directory; move it away", path, reshard->from->path);
}

static void take_back(const struct ss_directory *directory)
{
    (void)ss__remove_tree(directory->path, NULL);    /* if it stays, its mark says what it is */
}

static int run(struct ss_reshard *reshard, struct ss_reshard_result *result)
{
    int err = begin(reshard, result->path);
    if (err != 0) {
        return err;
    }
    SS_KILL_POINT(RESHARD_BEGUN);
    ss__type_table_init(&reshard->types);
    ss__arena_init(&reshard->arena, 64u << 10);
    ss__bytes_init(&reshard->scratch, 0);
    result->shards_before = reshard->from->shard_count;
    err = make(reshard, result);
    if (err != 0) {
        take_back(reshard->to);
    }
    ss__type_table_deinit(&reshard->types);
    ss__arena_deinit(&reshard->arena);
    ss__bytes_deinit(&reshard->scratch);
    free(reshard->commands.rows);
    free(reshard->errors.rows);
    ss__directory_close(reshard->to);
    return err;
}

int ss__reshard(const struct ss_reshard_options *options, struct ss_reshard_result *ret_result,
                struct ss_failure *failure)
{
    struct ss_failure own = { 0 };
    struct ss_reshard reshard = { .options = options, .failure = failure == NULL ? &own : failure };
    struct ss_reshard_result result = { 0 };
    char dir[PATH_BYTES];
    int err = plain_path(options->dir, dir, reshard.failure);
    if (options->to != NULL) {
        err = err != 0 ? err : plain_path(options->to, result.path, reshard.failure);
        err = err != 0 ? err : join(result.kept, dir, "", reshard.failure);
    } else {
        err = err != 0 ? err : join(result.path, dir, SS_RESHARD_ENDING, reshard.failure);
        err = err != 0 ? err : join(result.kept, dir, SS_RESHARD_KEPT, reshard.failure);
        err = err != 0 ? err : is_no_link(dir, reshard.failure);
        err = err != 0 ? err : is_free(result.kept, reshard.failure);
    }
    err = err != 0 ? err : ss__directory_open_existing(dir, &reshard.from, reshard.failure);
    if (err != 0) {
        return err;
    }
    err = run(&reshard, &result);
    if (err == 0 && options->to == NULL) {
        err = swap(dir, &result, reshard.failure);    /* nobody starts on the old one: locked */
    }
    ss__directory_close(reshard.from);
    if (err == 0) {
        *ret_result = result;
    }
    return err;
}
