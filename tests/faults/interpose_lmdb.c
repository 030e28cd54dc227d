/* Functions of LMDB that fail before they have done anything. What they leave to their caller is
 * what LMDB's own errors leave: a transaction whose commit failed is gone. */
#define _GNU_SOURCE 1
#include <lmdb.h>

#include "interpose_real.h"

int mdb_txn_begin(MDB_env *env, MDB_txn *parent, unsigned flags, MDB_txn **ret_txn)
{
    REAL(mdb_txn_begin)
    int code = faults_strike(CALL_LMDB_READ);
    return code != 0 ? code : real(env, parent, flags, ret_txn);
}

int mdb_txn_renew(MDB_txn *txn)
{
    REAL(mdb_txn_renew)
    int code = faults_strike(CALL_LMDB_READ);
    return code != 0 ? code : real(txn);
}

int mdb_get(MDB_txn *txn, MDB_dbi dbi, MDB_val *key, MDB_val *ret_value)
{
    REAL(mdb_get)
    int code = faults_strike(CALL_LMDB_READ);
    return code != 0 ? code : real(txn, dbi, key, ret_value);
}

int mdb_cursor_open(MDB_txn *txn, MDB_dbi dbi, MDB_cursor **ret_cursor)
{
    REAL(mdb_cursor_open)
    int code = faults_strike(CALL_LMDB_READ);
    return code != 0 ? code : real(txn, dbi, ret_cursor);
}

int mdb_cursor_get(MDB_cursor *cursor, MDB_val *key, MDB_val *value, MDB_cursor_op op)
{
    REAL(mdb_cursor_get)
    int code = faults_strike(CALL_LMDB_READ);
    return code != 0 ? code : real(cursor, key, value, op);
}

int mdb_stat(MDB_txn *txn, MDB_dbi dbi, MDB_stat *ret_stat)
{
    REAL(mdb_stat)
    int code = faults_strike(CALL_LMDB_READ);
    return code != 0 ? code : real(txn, dbi, ret_stat);
}

int mdb_put(MDB_txn *txn, MDB_dbi dbi, MDB_val *key, MDB_val *value, unsigned flags)
{
    REAL(mdb_put)
    int code = faults_strike(CALL_LMDB_WRITE);
    return code != 0 ? code : real(txn, dbi, key, value, flags);
}

int mdb_del(MDB_txn *txn, MDB_dbi dbi, MDB_val *key, MDB_val *value)
{
    REAL(mdb_del)
    int code = faults_strike(CALL_LMDB_WRITE);
    return code != 0 ? code : real(txn, dbi, key, value);
}

int mdb_cursor_del(MDB_cursor *cursor, unsigned flags)
{
    REAL(mdb_cursor_del)
    int code = faults_strike(CALL_LMDB_WRITE);
    return code != 0 ? code : real(cursor, flags);
}

int mdb_txn_commit(MDB_txn *txn)
{
    REAL(mdb_txn_commit)
    int code = faults_strike(CALL_LMDB_WRITE);
    if (code != 0) {
        mdb_txn_abort(txn);
        return code;
    }
    return real(txn);
}

int mdb_dbi_open(MDB_txn *txn, const char *name, unsigned flags, MDB_dbi *ret_dbi)
{
    REAL(mdb_dbi_open)
    int code = faults_strike(CALL_LMDB_WRITE);
    return code != 0 ? code : real(txn, name, flags, ret_dbi);
}

int mdb_env_create(MDB_env **ret_env)
{
    REAL(mdb_env_create)
    int code = faults_strike(CALL_LMDB_WRITE);
    return code != 0 ? code : real(ret_env);
}

int mdb_env_open(MDB_env *env, const char *path, unsigned flags, mdb_mode_t mode)
{
    REAL(mdb_env_open)
    int code = faults_strike(CALL_LMDB_WRITE);
    return code != 0 ? code : real(env, path, flags, mode);
}

int mdb_env_set_mapsize(MDB_env *env, size_t bytes)
{
    REAL(mdb_env_set_mapsize)
    int code = faults_strike(CALL_LMDB_WRITE);
    return code != 0 ? code : real(env, bytes);
}

int mdb_env_info(MDB_env *env, MDB_envinfo *ret_info)
{
    REAL(mdb_env_info)
    int code = faults_strike(CALL_LMDB_LOOK);
    return code != 0 ? code : real(env, ret_info);
}

int mdb_env_stat(MDB_env *env, MDB_stat *ret_stat)
{
    REAL(mdb_env_stat)
    int code = faults_strike(CALL_LMDB_LOOK);
    return code != 0 ? code : real(env, ret_stat);
}

int mdb_env_get_fd(MDB_env *env, mdb_filehandle_t *ret_fd)
{
    REAL(mdb_env_get_fd)
    int code = faults_strike(CALL_LMDB_LOOK);
    return code != 0 ? code : real(env, ret_fd);
}
