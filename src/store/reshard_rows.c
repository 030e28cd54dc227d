/* Results of commands and error records: those of all shards, oldest first, in the new ones. */
#include <stdlib.h>
#include <string.h>

#include <sessionstream/limits.h>

#include "core/contract.h"
#include "store/bytes_order.h"
#include "store/command_value.h"
#include "store/error_value.h"
#include "store/reshard_state.h"

static int add_row(struct ss_reshard *reshard, struct ss_reshard_rows *rows,
                   const struct ss_reshard_row *row)
{
    if (rows->count == rows->slots) {
        size_t slots = rows->slots == 0 ? 64 : rows->slots * 2;
        struct ss_reshard_row *grown = realloc(rows->rows, slots * sizeof *grown);
        if (grown == NULL) {
            return SS_E_NOMEM;
        }
        rows->rows = grown;
        rows->slots = slots;
    }
    struct ss_reshard_row *copy = &rows->rows[rows->count];
    *copy = *row;
    copy->order = rows->count++;
    copy->value = ss__arena_str(&reshard->arena, row->value);
    copy->session_id = ss__arena_str(&reshard->arena, row->session_id);
    return copy->value.data == NULL || copy->session_id.data == NULL ? SS_E_NOMEM : 0;
}

/* The number of the session that has this id now; 0: there is none. */
static int find_session(const struct ss_env *env, MDB_txn *txn, struct ss_str id,
                        uint64_t *ret_sid)
{
    uint8_t key_bytes[SS_CATALOG_KEY_BYTES_MAX];
    MDB_val key = ss__val_of(key_bytes, ss__catalog_key(key_bytes, id));
    MDB_val value;
    *ret_sid = 0;
    int err = ss__err_from_lmdb(mdb_get(txn, env->dbi[SS_DB_CATALOG], &key, &value));
    return err == SS_E_NOTFOUND
               ? 0
               : err != 0 ? err
                          : ss__catalog_decode(ss__str_of_val(key), ss__str_of_val(value), ret_sid);
}

static int collect_command(struct ss_str key, struct ss_str value, void *ctx)
{
    struct ss_reshard *reshard = ctx;
    const struct ss_reshard_source *source = &reshard->source;
    struct ss_command_value command;
    uint64_t sid;
    int err = ss__command_row_decode(key, value, &command);
    err = err != 0 ? err : find_session(&source->env, source->txn, command.session_id, &sid);
    if (err != 0 || (command.sid != 0 && command.sid != sid)) {
        return err;    /* of a session that was deleted: nobody asks for it */
    }
    struct ss_reshard_row row = {
        .time_us = command.time_us,
        .target = ss__reshard_target(reshard, command.session_id),
        .session_id = command.session_id,
        .value = value,
        .key = ss__get_be64((const uint8_t *)key.data),
    };
    return add_row(reshard, &reshard->commands, &row);
}

static int collect_error(struct ss_str key, struct ss_str value, void *ctx)
{
    struct ss_reshard *reshard = ctx;
    struct ss_error_record record;
    uint64_t number = key.len == 8 ? ss__get_be64((const uint8_t *)key.data) : 0;
    if (ss__error_value_decode(number, value, &record) != 0) {
        return 0;    /* the check has named it */
    }
    bool of_session = record.session_id.len > 0;
    struct ss_reshard_row row = {
        .time_us = record.time_us,
        .target = of_session ? ss__reshard_target(reshard, record.session_id) : 0,
        .session_id = of_session ? record.session_id : ss_str(""),
        .value = value,
        .key = number,
    };
    return add_row(reshard, &reshard->errors, &row);
}

int ss__reshard_collect(struct ss_reshard *reshard)
{
    const struct ss_reshard_source *source = &reshard->source;
    int err = ss__env_each(&source->env, source->txn, SS_DB_COMMAND, ss_str(NULL), 0,
                           collect_command, reshard);
    return err != 0 ? err
                    : ss__env_each(&source->env, source->txn, SS_DB_ERROR, ss_str(NULL), 0,
                                   collect_error, reshard);
}

static int by_time(const void *a, const void *b)
{
    const struct ss_reshard_row *first = a;
    const struct ss_reshard_row *second = b;
    return first->time_us != second->time_us
               ? (first->time_us > second->time_us) - (first->time_us < second->time_us)
               : (first->order > second->order) - (first->order < second->order);
}

static void sort_rows(struct ss_reshard_rows *rows)
{
    if (rows->count > 1) {
        qsort(rows->rows, rows->count, sizeof *rows->rows, by_time);
    }
}

/* Their keys are places in the log; none of the new one is that early. */
static int put_command(struct ss_reshard *reshard, const struct ss_reshard_row *row)
{
    struct ss_reshard_target *target = &reshard->targets[row->target];
    struct ss_command_value command;
    uint8_t key[8];
    ss__put_be64(key, row->key);
    /* Ours since it was judged. */
    SS_INSIST(ss__command_row_decode(ss_str_of(key, sizeof key), row->value, &command) == 0);
    int err = 0;
    if (command.sid != 0) {
        MDB_txn *txn;
        err = ss__env_read_begin(&target->env, &txn);    /* all sessions are committed */
        if (err == 0) {
            err = find_session(&target->env, txn, row->session_id, &command.sid);
            ss__env_read_end(&target->env, txn);
        }
    }
    if (err != 0) {
        return err;
    }
    size_t row_bytes = ss__command_row_bytes(&command);
    uint8_t *out = ss__reshard_row(reshard, row_bytes);
    if (out == NULL) {
        return SS_E_NOMEM;
    }
    ss__put_be64(key, ++target->next_command);
    ss__command_row_encode(out, ss_str_of(key, sizeof key), &command);
    return ss__reshard_put(target, SS_DB_COMMAND, key, sizeof key, ss_str_of(out, row_bytes));
}

static int put_commands(struct ss_reshard *reshard)
{
    int err = 0;
    sort_rows(&reshard->commands);
    for (size_t i = 0; i < reshard->commands.count && err == 0; i++) {
        err = put_command(reshard, &reshard->commands.rows[i]);
    }
    return err;
}

static int put_error(struct ss_reshard *reshard, const struct ss_reshard_row *row, uint64_t number)
{
    struct ss_error_record record;
    uint8_t key[8];
    SS_INSIST(ss__error_value_decode(row->key, row->value, &record) == 0);    /* it was before */
    record.number = number;
    struct ss_buf *value = ss__error_value_new(&record);
    if (value == NULL) {
        return SS_E_NOMEM;
    }
    ss__put_be64(key, number);
    int err = ss__reshard_put(&reshard->targets[row->target], SS_DB_ERROR, key, sizeof key,
                          ss_str_of(value->data, value->len));
    ss__buf_unref(value);
    return err;
}

/* A shard keeps the newest. */
static int put_errors(struct ss_reshard *reshard, uint32_t target)
{
    uint64_t count = 0;
    uint64_t number = 0;
    int err = 0;
    for (size_t i = 0; i < reshard->errors.count; i++) {
        count += reshard->errors.rows[i].target == target;
    }
    uint64_t passed = count > SS_ERROR_RECORDS_MAX ? count - SS_ERROR_RECORDS_MAX : 0;
    for (size_t i = 0; i < reshard->errors.count && err == 0; i++) {
        const struct ss_reshard_row *row = &reshard->errors.rows[i];
        if (row->target != target) {
            continue;
        }
        if (passed > 0) {
            passed--;
        } else {
            err = put_error(reshard, row, ++number);
        }
    }
    return err;
}

int ss__reshard_put_rows(struct ss_reshard *reshard)
{
    int err = put_commands(reshard);
    sort_rows(&reshard->errors);
    for (uint32_t i = 0; i < reshard->to->shard_count && err == 0; i++) {
        err = put_errors(reshard, i);
    }
    return err;
}
