#include "store/restored.h"

#include <string.h>

#include "core/contract.h"
#include "core/hash.h"
#include "store/create.h"
#include "store/directory.h"
#include "store/env.h"
#include "store/layout.h"

#define PATH_BYTES SS_PATH_BYTES
#define STEP_SHIFT 16    /* leaves room for what a running store adds one by one */

static int get_meta(struct ss_env *env, MDB_txn *txn, const char *name, struct ss_str *ret_value)
{
    MDB_val key = ss__val_of(name, strlen(name));
    MDB_val value;
    int err = ss__err_from_lmdb(mdb_get(txn, env->dbi[SS_DB_META], &key, &value));
    if (err == 0) {
        *ret_value = ss__str_of_val(value);
    }
    return err;
}

/* SS_E_SHARDS: of another directory. */
static int check_identity(struct ss_env *env, MDB_txn *txn, const struct ss_directory *directory,
                          uint32_t index)
{
    struct ss_str value;
    struct ss_meta_shard shard;
    int err = get_meta(env, txn, META_SHARD, &value);
    err = err == SS_E_NOTFOUND ? SS_E_CORRUPT : err;
    err = err != 0 ? err : ss__meta_shard_decode(value, &shard);
    if (err == 0 && (shard.index != index || shard.count != directory->shard_count ||
                     shard.directory_id != directory->directory_id)) {
        err = SS_E_SHARDS;
    }
    return err;
}

/* Adds @step to the incarnation; 0 changes nothing. */
static int raise_in(struct ss_env *env, MDB_txn *txn, uint64_t step, struct ss_meta_run *ret_run)
{
    struct ss_str value;
    uint8_t bytes[SS_META_BYTES_MAX];
    struct ss_meta_run run = { .clean = true, .incarnation = 1 };
    int err = get_meta(env, txn, META_RUN, &value);
    err = err == 0 ? ss__meta_run_decode(value, &run) : err == SS_E_NOTFOUND ? 0 : err;
    if (err == 0 && step != 0) {
        run.incarnation += step;
        MDB_val key = ss__val_of(META_RUN, strlen(META_RUN));
        MDB_val changed = ss__val_of(bytes, ss__meta_run_encode(bytes, &run));
        err = ss__err_from_lmdb(mdb_put(txn, env->dbi[SS_DB_META], &key, &changed, 0));
    }
    if (err == 0) {
        *ret_run = run;
    }
    return err;
}

static int visit_shard(const struct ss_directory *directory, uint32_t index, uint64_t step,
                       uint64_t *ret_incarnation, struct ss_failure *failure)
{
    char path[PATH_BYTES];
    struct ss_env env;
    MDB_txn *txn;
    struct ss_meta_run run = { 0 };
    SS_INSIST(ss__directory_shard_path(directory, index, path, sizeof path) == 0);
    int err = ss__create_verify(path, index, failure);
    err = err != 0 ? err : ss__env_open(path, 0, false, &env, failure);
    if (err != 0) {
        return err;
    }
    err = ss__err_from_lmdb(mdb_txn_begin(env.env, NULL, 0, &txn));
    if (err == 0) {
        err = check_identity(&env, txn, directory, index);
        err = err != 0 ? err : raise_in(&env, txn, step, &run);
        if (err != 0 || step == 0) {
            mdb_txn_abort(txn);
        } else {
            err = ss__err_from_lmdb(mdb_txn_commit(txn));
        }
    }
    ss__env_close(&env);
    if (err == 0) {
        *ret_incarnation = run.incarnation;
        return 0;
    }
    return ss__fail(failure, err, "shard %04u (\"%s\") cannot be marked as restored: %s", index,
                    path, err == SS_E_SHARDS ? "it is of another data directory"
                                             : ss_error_text(err));
}

int ss__restored_raise(const struct ss_directory *directory, ss_restored_fn *visit, void *ctx,
                       struct ss_failure *failure)
{
    uint32_t lot;
    uint64_t incarnation;
    int err = 0;
    if (ss__random_bytes(&lot, sizeof lot) != 0) {
        err = ss__fail(failure, SS_E_IO, "the kernel gives no random bytes");
    }
    for (uint32_t i = 0; i < directory->shard_count && err == 0; i++) {
        err = visit_shard(directory, i, 0, &incarnation, failure);
    }
    uint64_t step = ((uint64_t)lot + 1) << STEP_SHIFT;
    for (uint32_t i = 0; i < directory->shard_count && err == 0; i++) {
        err = visit_shard(directory, i, step, &incarnation, failure);
        if (err == 0) {
            visit(i, incarnation - step, incarnation, ctx);
        }
    }
    return err;
}

int ss__store_restored(const char *data_dir, ss_restored_fn *visit, void *ctx,
                       struct ss_failure *failure)
{
    struct ss_directory *directory;
    int err = ss__directory_open_existing(data_dir, &directory, failure);
    if (err != 0) {
        return err;
    }
    err = ss__restored_raise(directory, visit, ctx, failure);
    ss__directory_close(directory);
    return err;
}
