/* command_fixture.h - results of keyed commands, for tests of the store. */
#ifndef SS_TESTS_COMMAND_FIXTURE_H
#define SS_TESTS_COMMAND_FIXTURE_H

#include "store_fixture.h"

#include "store/command.h"
#include "store/store_state.h"

static inline struct ss_command_value fixture_command(struct fixture *f, const char *session,
                                                      const char *key, uint64_t ordinal)
{
    return (struct ss_command_value){ .time_us = test_clock_us(&f->clock.clock),
                                      .ordinal = ordinal,
                                      .session_id = ss_str(session),
                                      .key = ss_str(key) };
}

static inline void fixture_stage_command(struct fixture *f, const char *session, const char *key,
                                         uint64_t ordinal)
{
    struct ss_command_value value = fixture_command(f, session, key, ordinal);
    ss_check(ss__store_stage_command(f->store, &value) == 0);
}

static inline void fixture_keep_command(struct fixture *f, const char *session, const char *key,
                                        uint64_t ordinal)
{
    fixture_stage_command(f, session, key, ordinal);
    ss_check(ss__store_commit(f->store) == 0);
}

/* The ordinal of the result that is found, -1 if there is none. */
static inline int64_t fixture_find_command(struct fixture *f, const char *session, const char *key)
{
    const struct ss_command_value *value = ss__store_find_command(
        f->store, ss_str(session), 0, ss_str(key), test_clock_us(&f->clock.clock));
    return value == NULL ? -1 : (int64_t)value->ordinal;
}

static inline uint64_t fixture_commands_kept(struct fixture *f)
{
    struct ss_command_stats stats;
    ss__store_command_stats(f->store, &stats);
    return stats.kept;
}

/* Records in the log that are nowhere else. */
static inline uint64_t fixture_live(struct fixture *f)
{
    uint64_t live = 0;
    for (size_t i = 0; i < f->store->log.count; i++) {
        live += f->store->log.files[i]->live;
    }
    return live;
}

/* Rows in LMDB, of a closed store. */
static inline uint64_t fixture_command_rows(struct fixture *f)
{
    struct ss_env env;
    MDB_txn *txn;
    MDB_stat stat;
    ss_check(ss__env_open(f->shard_dir, 64u << 20, true, &env, NULL) == 0);
    ss_check(mdb_txn_begin(env.env, NULL, MDB_RDONLY, &txn) == 0);
    ss_check(mdb_stat(txn, env.dbi[SS_DB_COMMAND], &stat) == 0);
    mdb_txn_abort(txn);
    ss__env_close(&env);
    return stat.ms_entries;
}

#endif
