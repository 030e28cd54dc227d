/* Results of keyed commands: from the log to LMDB, out of it, and back at an open. */
#include <stdlib.h>
#include <string.h>

#include "core/contract.h"
#include "core/kill_point.h"
#include "core/log.h"
#include "store/bytes_order.h"
#include "store/command_flush.h"
#include "store/commands.h"
#include "store/flush.h"

#define DUE_LOGGED 2048u
#define DUE_DOOMED 1024u
#define REMOVED_MAX 1024u    /* rows in one flush */

/* ---- planning and settling: owner thread ---- */

bool ss__commands_waiting(const struct ss_store *store)
{
    const struct ss_commands *commands = &store->commands;
    if (commands->logged_count > 0 || commands->doomed_count > 0) {
        return true;
    }
    if (ss__list_empty(&commands->age)) {
        return false;
    }
    const struct ss_kept_command *oldest =
        ss__container_of(commands->age.next, struct ss_kept_command, age);
    return ss__commands_expired(store, &oldest->value, ss__clock_wall_us(store->options.clock));
}

bool ss__commands_due(const struct ss_store *store)
{
    return store->commands.logged_count >= DUE_LOGGED ||
           store->commands.doomed_count >= DUE_DOOMED;
}

static void drop_expired(struct ss_store *store)
{
    struct ss_list *age = &store->commands.age;
    uint64_t now_us = ss__clock_wall_us(store->options.clock);
    for (unsigned i = 0; i < REMOVED_MAX && !ss__list_empty(age); i++) {
        struct ss_kept_command *oldest = ss__container_of(age->next, struct ss_kept_command, age);
        if (!ss__commands_expired(store, &oldest->value, now_us)) {
            return;
        }
        ss__commands_drop(store, oldest);
    }
}

static int encode(struct ss_flush *flush, const struct ss_kept_command *command,
                  struct ss_command_put *ret_put)
{
    size_t len = ss__command_row_bytes(&command->value);
    uint8_t *row = ss__arena_alloc(&flush->arena, len);
    if (row == NULL) {
        return SS_E_NOMEM;
    }
    ss__put_be64(ret_put->key, command->position);
    ss__command_row_encode(row, ss_str_of(ret_put->key, sizeof ret_put->key), &command->value);
    ret_put->row = ss_str_of(row, len);
    return 0;
}

static int plan_removals(struct ss_store *store, struct ss_flush *flush)
{
    struct ss_commands *commands = &store->commands;
    uint32_t count = commands->doomed_count;
    if (count > REMOVED_MAX && store->dead_count == 0) {
        count = REMOVED_MAX;
    }
    uint64_t *doomed = ss__arena_alloc(&flush->arena, count * sizeof *doomed + 1);
    if (doomed == NULL) {
        return SS_E_NOMEM;
    }
    if (count > 0) {
        memcpy(doomed, commands->doomed, count * sizeof *doomed);
    }
    flush->commands.doomed = doomed;
    flush->commands.doomed_count = count;
    return 0;
}

int ss__commands_plan(struct ss_store *store, struct ss_flush *flush)
{
    struct ss_commands *commands = &store->commands;
    struct ss_command_flush *plan = &flush->commands;
    drop_expired(store);
    if (commands->logged_count > 0 || commands->ended > commands->through) {
        const struct ss_log_file *file = ss__log_current(&store->log);
        plan->through = ss__log_position(file->head.serial, file->end);
    }
    if (commands->logged_count == 0 && commands->doomed_count == 0) {
        return 0;
    }
    int err = ss__commands_reserve(commands, 0);
    err = err != 0 ? err : plan_removals(store, flush);
    struct ss_command_put *puts = ss__arena_alloc(
        &flush->arena, commands->logged_count * sizeof *puts + 1);
    if (err != 0 || puts == NULL) {
        return SS_E_NOMEM;
    }
    plan->puts = puts;
    while (err == 0 && !ss__list_empty(&commands->logged)) {
        struct ss_kept_command *command =
            ss__container_of(commands->logged.next, struct ss_kept_command, flush);
        err = encode(flush, command, &puts[plan->puts_count]);
        if (err == 0) {
            plan->puts_count++;
            command->place = SS_COMMAND_LEAVING;
            ss__list_remove(&command->flush);
            ss__list_push_back(&commands->leaving, &command->flush);
            commands->logged_count--;
            ss__log_file_at(&store->log, command->position)->leaving++;
        }
    }
    return err;
}

/* Puts back what the flush did not move, in front of what has been logged since. */
static void return_to_log(struct ss_store *store, struct ss_kept_command *command)
{
    command->place = SS_COMMAND_LOGGED;
    ss__list_push_front(&store->commands.logged, &command->flush);
    store->commands.logged_count++;
}

static void settle_command(struct ss_store *store, struct ss_kept_command *command, int err)
{
    struct ss_log_file *file = ss__log_file_at(&store->log, command->position);
    ss__list_remove(&command->flush);
    if (err == 0 || command->gone) {
        file->live--;
    }
    if (err == 0 && command->gone) {
        ss__commands_doom(store, command->position);
    }
    if (err != 0 && command->gone) {
        ss__commands_end(&store->commands, command->position);
    }
    if (command->gone) {
        free(command);
    } else if (err == 0) {
        command->place = SS_COMMAND_STORED;
    } else {
        return_to_log(store, command);
    }
}

bool ss__commands_flushed(struct ss_store *store, const struct ss_flush *flush, int err)
{
    struct ss_commands *commands = &store->commands;
    const struct ss_command_flush *plan = &flush->commands;
    while (!ss__list_empty(&commands->leaving)) {    /* from the newest on: see return_to_log */
        settle_command(store, ss__container_of(commands->leaving.prev, struct ss_kept_command,
                                               flush), err);
    }
    if (err != 0) {
        return false;
    }
    if (plan->doomed_count > 0) {
        commands->doomed_count -= plan->doomed_count;
        memmove(commands->doomed, commands->doomed + plan->doomed_count,
                commands->doomed_count * sizeof *commands->doomed);
    }
    if (plan->through != 0) {
        commands->through = plan->through;
    }
    return ss__command_flush_works(plan);
}

/* ---- running: any thread ---- */

static int put_through(const struct ss_env *env, MDB_txn *txn, uint64_t through)
{
    uint8_t bytes[SS_META_BYTES_MAX];
    MDB_val key = ss__val_of(META_COMMAND, sizeof META_COMMAND - 1);
    MDB_val value = ss__val_of(bytes, ss__meta_sid_encode(bytes, through));
    return ss__err_from_lmdb(mdb_put(txn, env->dbi[SS_DB_META], &key, &value, 0));
}

static int remove_row(const struct ss_env *env, MDB_txn *txn, uint64_t position)
{
    uint8_t key_bytes[8];
    ss__put_be64(key_bytes, position);
    MDB_val key = ss__val_of(key_bytes, sizeof key_bytes);
    int code = mdb_del(txn, env->dbi[SS_DB_COMMAND], &key, NULL);
    return code == MDB_NOTFOUND ? 0 : ss__err_from_lmdb(code);
}

int ss__command_flush_run(const struct ss_env *env, MDB_txn *txn,
                          const struct ss_command_flush *plan)
{
    int err = 0;
    for (uint32_t i = 0; i < plan->doomed_count && err == 0; i++) {
        err = remove_row(env, txn, plan->doomed[i]);
    }
    for (uint32_t i = 0; i < plan->puts_count && err == 0; i++) {
        const struct ss_command_put *put = &plan->puts[i];
        MDB_val key = ss__val_of(put->key, sizeof put->key);
        MDB_val value = ss__val_of(put->row.data, put->row.len);
        err = ss__err_from_lmdb(mdb_put(txn, env->dbi[SS_DB_COMMAND], &key, &value, 0));
        SS_KILL_POINT(COMMAND_ROWS);
    }
    return err != 0 || plan->through == 0 ? err : put_through(env, txn, plan->through);
}

/* ---- recovery ---- */

static int load_row(struct ss_store *store, MDB_val key, MDB_val row)
{
    struct ss_command_value value;
    uint64_t position = key.mv_size == 8 ? ss__get_be64(key.mv_data) : 0;
    if (ss__command_row_decode(ss__str_of_val(key), ss__str_of_val(row), &value) != 0) {
        ss__log(SS_LOG_ERROR, "a stored command result is damaged; run `ssctl store check`",
                "shard=%u position=%llu", store->options.shard_index,
                (unsigned long long)position);
        return 0;
    }
    int err = ss__commands_reserve(&store->commands, 1);
    if (err != 0) {
        return err;
    }
    if (ss__commands_expired(store, &value, ss__clock_wall_us(store->options.clock))) {
        ss__commands_doom(store, position);
        return 0;
    }
    return ss__commands_add(store, &value, position, SS_COMMAND_STORED);
}

static int load_through(struct ss_store *store, MDB_txn *txn)
{
    MDB_val key = ss__val_of(META_COMMAND, sizeof META_COMMAND - 1);
    MDB_val value;
    int err = ss__err_from_lmdb(mdb_get(txn, store->env.dbi[SS_DB_META], &key, &value));
    if (err != 0) {
        return err == SS_E_NOTFOUND ? 0 : err;
    }
    return ss__meta_sid_decode(ss__str_of_val(value), &store->commands.through);
}

int ss__commands_load(struct ss_store *store)
{
    MDB_txn *txn;
    MDB_cursor *cursor;
    MDB_val key;
    MDB_val row;
    int err = ss__env_reader(&store->env, &txn);
    err = err != 0 ? err : load_through(store, txn);
    err = err != 0 ? err
                   : ss__err_from_lmdb(mdb_cursor_open(txn, store->env.dbi[SS_DB_COMMAND],
                                                       &cursor));
    if (err != 0) {
        ss__env_reader_stale(&store->env);
        return err;
    }
    int code = mdb_cursor_get(cursor, &key, &row, MDB_FIRST);
    while (code == 0 && err == 0) {
        err = load_row(store, key, row);
        code = mdb_cursor_get(cursor, &key, &row, MDB_NEXT);
    }
    mdb_cursor_close(cursor);
    ss__env_reader_stale(&store->env);
    ss__commands_bound(store);
    return err != 0 ? err : code == MDB_NOTFOUND ? 0 : ss__err_from_lmdb(code);
}

int ss__commands_take(struct ss_store *store, struct ss_log_file *file, uint64_t position,
                      const struct ss_command_value *value)
{
    if (position <= store->commands.through ||
        ss__commands_expired(store, value, ss__clock_wall_us(store->options.clock))) {
        return 0;
    }
    file->live++;
    int err = ss__commands_add(store, value, position, SS_COMMAND_LOGGED);
    if (err != 0) {
        file->live--;
    }
    return err;
}
