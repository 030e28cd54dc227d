/* kill_point.h - named places where a test ends the process as kill -9 does.
 *
 * Without SS_FAULTS (release) a point is nothing. With it the variable SS_KILL_AT=NAME:N:MS ends
 * the process at the N-th pass of point NAME with SIGKILL, after one line on standard error that
 * says so; anything else in it aborts. For MS milliseconds before that the thread stands still and
 * the others go on, so that what was told too early gets out. Left out, N is 1 and MS is 0.
 *
 * tools/torture goes through the list and fails when a point is never reached, so a point comes
 * with its line here and a place that the workload of tests/crash passes. Those of "other" are left
 * to the tests of backups and of resharding.
 *
 * Any thread. */
#ifndef SS_CORE_KILL_POINT_H
#define SS_CORE_KILL_POINT_H

/* When a point is passed: by the first start of a data directory, by each later one, under load, by
 * an orderly stop. One of a later column may be passed earlier as well. "other": by what only some
 * tests ask for. */
#define SS_KILL_POINT_MAP(X)                                                                      \
    X(DIRECTORY_MADE, "directory.made", "create", "a directory has no durable entry yet")         \
    X(DIRECTORY_LOCKED, "directory.locked", "create", "LOCK is there and held")                   \
    X(ENV_DATABASES, "env.databases", "create", "LMDB's tables are made, not committed")          \
    X(SHARD_MADE, "shard.made", "create", "the directory of a shard is empty")                    \
    X(SHARD_BEGUN, "shard.begun", "create", "whose shard it is is not committed")                 \
    X(SHARD_FILLED, "shard.filled", "create", "a shard is complete, its file has another name")   \
    X(SHARD_WRITTEN, "shard.written", "create", "a shard is complete, its entries not synced")    \
    X(IDENTITY_BEFORE, "identity.before", "create", "all shards are there, no identity file")     \
    X(IDENTITY_WRITTEN, "identity.written", "create", "the identity file has not got its name")   \
    X(IDENTITY_NAMED, "identity.named", "create", "it has, its entry is not synced")              \
    X(RUN_BEFORE, "run.before", "start", "that a process runs is not committed")                  \
    X(RUN_AFTER, "run.after", "start", "it is")                                                   \
    X(RECOVER_RECORD, "recover.record", "start", "a record of the log is read")                   \
    X(RECOVER_AFTER, "recover.after", "start", "all have been read")                              \
    X(BEGIN_LOG_AFTER, "begin-log.after", "start", "this process has a log file of its own")      \
    X(FORGET_BEFORE, "forget.before", "start", "which log files are needed is not committed")     \
    X(FORGET_AFTER, "forget.after", "start", "it is, the others are there")                       \
    X(COMMIT_BEFORE, "commit.before", "run", "a batch is staged")                                 \
    X(COMMIT_MOVED, "commit.moved", "run", "a batch has got the next log file")                   \
    X(COMMIT_AFTER, "commit.after", "run", "a batch is durable, nobody knows")                    \
    X(COMMIT_RELEASED, "commit.released", "run", "its answers are on their way")                  \
    X(APPEND_BEFORE, "log.append.before", "run", "nothing of a batch is written")                 \
    X(APPEND_TORN, "log.append.torn", "run", "half of it is")                                     \
    X(APPEND_AFTER, "log.append.after", "run", "all of it is, not synced")                        \
    X(SYNC_BEFORE, "log.sync.before", "run", "the log has something to sync")                     \
    X(SYNC_AFTER, "log.sync.after", "run", "it has been synced")                                  \
    X(ROLL_BEFORE, "log.roll.before", "run", "a log file is synced, its end is not written")      \
    X(ROLL_MARKED, "log.roll.marked", "run", "a log file has its end, not synced")                \
    X(ROLL_SYNCED, "log.roll.synced", "run", "it has, and there is no next one")                  \
    X(CREATE_BEFORE, "log.create.before", "run", "the next log file is about to be made")         \
    X(CREATE_FILLED, "log.create.filled", "run", "its blocks are in place")                       \
    X(CREATE_SYNCED, "log.create.synced", "run", "its head is durable, it has no name")           \
    X(CREATE_NAMED, "log.create.named", "run", "it has its name, the entry is not synced")        \
    X(FILL_WITHIN, "log.fill.within", "run", "a spare file is being filled")                      \
    X(FILL_AFTER, "log.fill.after", "run", "it is full, nobody knows of it")                      \
    X(RETIRE_BEFORE, "log.retire.before", "run", "a log file is no longer needed")                \
    X(RETIRE_SPARE, "log.retire.spare", "run", "it has been renamed to a spare")                  \
    X(RETIRE_GONE, "log.retire.gone", "run", "it has been removed")                               \
    X(FLUSH_PLANNED, "flush.planned", "run", "what a flush moves is known")                       \
    X(FLUSH_BEGUN, "flush.begun", "run", "its transaction has begun")                             \
    X(FLUSH_ITEM, "flush.item", "run", "one session of it is moved")                              \
    X(FLUSH_REMOVED, "flush.removed", "run", "a deleted session has left the catalog")            \
    X(FLUSH_MOVED, "flush.moved", "run", "all is moved, not committed")                           \
    X(FLUSH_COMMITTED, "flush.committed", "run", "it is committed, the shard does not know")      \
    X(FLUSH_SETTLED, "flush.settled", "run", "it does")                                           \
    X(TRASH_SWEPT, "trash.swept", "run", "keys of a deleted session are removed")                 \
    X(TRASH_FORGOTTEN, "trash.forgotten", "run", "its number is forgotten")                       \
    X(DELETE_STAGED, "delete.staged", "run", "a deletion is in the batch")                        \
    X(CHECKPOINT_STAGED, "checkpoint.staged", "run", "a checkpoint waits for its flush")          \
    X(CHECKPOINT_ENTITY, "checkpoint.entity", "run", "one of its entities is put")                \
    X(CHECKPOINT_ANEW, "checkpoint.anew", "run", "the old entities are removed, no new ones put") \
    X(PAST_PART, "past.part", "run", "a part of a checkpoint of the past is put")                 \
    X(CUT_RAISED, "cut.raised", "run", "the pasts of removed events are removed, no base put")    \
    X(CUT_BASED, "cut.based", "run", "its base is put, its row is not")                           \
    X(CUT_SWEPT, "cut.swept", "run", "a segment of removed events is removed")                    \
    X(COMMAND_ROWS, "command.rows", "run", "results of commands are put")                         \
    X(ERROR_ROWS, "error.rows", "run", "error records are put")                                   \
    X(REBUILD_BEFORE, "rebuild.before", "run", "what a rebuild has made is complete")             \
    X(REBUILD_SHOWN, "rebuild.shown", "run", "it is shown, not on disk")                          \
    X(REBUILD_SETTLED, "rebuild.settled", "run", "it is on disk, nobody has been told")           \
    X(CLOSE_BEFORE, "close.before", "stop", "everything is flushed")                              \
    X(CLOSE_SYNCED, "close.synced", "stop", "the log is synced, there is no clean mark")          \
    X(CLOSE_AFTER, "close.after", "stop", "there is")                                             \
    X(COPY_CHUNK, "copy.chunk", "other", "a piece of a file is copied, not synced")               \
    X(BACKUP_BEGUN, "backup.begun", "other", "there is nothing in a backup")                      \
    X(BACKUP_DATA, "backup.data", "other", "the data file of a shard is copied, not its log")     \
    X(BACKUP_LOG, "backup.log", "other", "a file of its log is")                                  \
    X(BACKUP_SHARD, "backup.shard", "other", "a shard of it is durable")                          \
    X(BACKUP_UNLISTED, "backup.unlisted", "other", "all are, there is no manifest")               \
    X(BACKUP_LISTED, "backup.listed", "other", "its manifest is written, not synced")             \
    X(BACKUP_COMPLETE, "backup.complete", "other", "all of a backup is durable, it has no name")  \
    X(BACKUP_NAMED, "backup.named", "other", "it has, the entry is not synced")                   \
    X(RESHARD_BEGUN, "reshard.begun", "other", "a copy has nothing but the mark of one")          \
    X(RESHARD_EMPTY, "reshard.empty", "other", "its shards are made, nothing is moved")           \
    X(RESHARD_COPIED, "reshard.copied", "other", "a shard is copied, to be taken apart")          \
    X(RESHARD_SETTLED, "reshard.settled", "other", "all of it is out of its log")                 \
    X(RESHARD_MOVED, "reshard.moved", "other", "its sessions are committed, not compared")        \
    X(RESHARD_COMPARED, "reshard.compared", "other", "they are as they were")                     \
    X(RESHARD_FILLED, "reshard.filled", "other", "all shards are, the copy is not checked")       \
    X(RESHARD_CHECKED, "reshard.checked", "other", "the copy is, it has no identity")             \
    X(RESHARD_COMPLETE, "reshard.complete", "other", "a copy is, not in its place")               \
    X(RESHARD_EXCHANGED, "reshard.exchanged", "other", "it is, the old one has no name yet")      \
    X(RESHARD_NAMED, "reshard.named", "other", "both have theirs, the entries are not synced")

#define SS_KILL_POINT_ID_(id, name, when, what) SS_KILL_##id,
enum ss_kill_point { SS_KILL_POINT_MAP(SS_KILL_POINT_ID_) SS_KILL_POINT_COUNT };
#undef SS_KILL_POINT_ID_

#ifdef SS_FAULTS
#include <stdbool.h>
#include <stdio.h>

/* Counts a pass of @point; true: it is the one at which the process ends. */
bool ss__kill_due(enum ss_kill_point point);

/* Ends the process, saying where. */
_Noreturn void ss__kill_now(enum ss_kill_point point);

/* One point per line: name, when, what; separated by tabs. */
void ss__kill_points_print(FILE *out);

#define SS_KILL_DUE(id) ss__kill_due(SS_KILL_##id)
#define SS_KILL_NOW(id) ss__kill_now(SS_KILL_##id)
#define SS_KILL_POINT(id) (SS_KILL_DUE(id) ? SS_KILL_NOW(id) : (void)0)
#else
#define SS_KILL_DUE(id) 0
#define SS_KILL_NOW(id) ((void)0)
#define SS_KILL_POINT(id) ((void)0)
#endif

#endif
