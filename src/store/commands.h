/* commands.h - the results of keyed commands in memory, for src/store only; others use command.h.
 * Owner thread.
 *
 * A result is staged, then logged (committed, in the log only), then leaving (in a flush that is
 * planned and not settled), then stored (in LMDB). The age list has the committed ones in the order
 * of their log positions, which are their keys in LMDB.
 *
 * A staged one that has the name of a committed one hides it: the older is not found any more, and
 * goes when the batch is committed or is found again when that fails. */
#ifndef SS_STORE_COMMANDS_H
#define SS_STORE_COMMANDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/list.h"
#include "core/map.h"
#include "store/command_value.h"

struct ss_flush;
struct ss_store;
struct ss_log_file;
struct ss_log_record;

enum ss_command_place {
    SS_COMMAND_STAGED,
    SS_COMMAND_LOGGED,
    SS_COMMAND_LEAVING,
    SS_COMMAND_STORED,
};

/* The results of one session. */
struct ss_command_owner {
    struct ss_list commands;     /* oldest first */
    uint64_t hash;
    uint64_t bytes;
    uint32_t count;
    uint32_t id_len;
    char id[];
};

struct ss_kept_command {
    struct ss_list age;          /* in commands->age or ->staged */
    struct ss_list own;          /* in the owner's */
    struct ss_list flush;        /* in commands->logged or ->leaving */
    struct ss_command_owner *owner;
    struct ss_kept_command *hides;    /* of a staged one: the committed one of that name, or NULL */
    struct ss_kept_command *hidden_by;
    struct ss_command_value value;
    uint64_t hash;
    uint64_t position;           /* in the log */
    enum ss_command_place place;
    uint32_t bytes;              /* of memory */
    uint32_t name_len;
    bool gone;                   /* forgotten while leaving */
    char memory[];               /* name (length and bytes of the session id, key), then text */
};

struct ss_commands {
    struct ss_map owners;        /* by session id */
    struct ss_map by_name;
    struct ss_list staged;
    struct ss_list age;
    struct ss_list logged;
    struct ss_list leaving;
    uint64_t through;            /* log position: LMDB has had all up to here, or they ended */
    uint64_t ended;              /* of the newest that went and was only in the log */
    uint64_t count;
    uint64_t bytes;
    uint64_t evicted;
    uint32_t logged_count;
    uint32_t replaced;           /* staged records that no result stands for any more */
    uint32_t doomed_count;
    uint32_t doomed_slots;       /* room for all that are in LMDB or on their way */
    uint64_t *doomed;            /* keys in LMDB that go with the next flushes */
};

void ss__commands_init(struct ss_commands *commands);
void ss__commands_free(struct ss_commands *commands);

/* ---- the open batch ---- */

/* Its records begin @distance further on in the log than was thought. */
void ss__commands_move(struct ss_store *store, uint64_t distance);

/* It was committed, or undone. */
void ss__commands_settle(struct ss_store *store);
void ss__commands_abort(struct ss_store *store);

/* ---- recovery ---- */

/* Reads the table; before the log. SS_E_STOREIO, SS_E_NOMEM; damage is logged and passed over. */
int ss__commands_load(struct ss_store *store);

/* A record of the log; counts itself in @file if it is only there. SS_E_NOMEM. */
int ss__commands_take(struct ss_store *store, struct ss_log_file *file, uint64_t position,
                      const struct ss_command_value *value);

/* ---- flushes: see flush.h ---- */

bool ss__commands_waiting(const struct ss_store *store);
bool ss__commands_due(const struct ss_store *store);

/* Plans to copy what is logged and to remove a slice of what is doomed or expired; all of it when a
 * deleted session leaves, and with it what told that its results have ended. SS_E_NOMEM. */
int ss__commands_plan(struct ss_store *store, struct ss_flush *flush);

/* It has ended; @err 0: it was committed. Returns whether it did anything. */
bool ss__commands_flushed(struct ss_store *store, const struct ss_flush *flush, int err);

/* ---- commands.c to command_flush.c ---- */

/* Adds a committed result; bounds are judged by the caller. SS_E_NOMEM. */
int ss__commands_add(struct ss_store *store, const struct ss_command_value *value,
                     uint64_t position, enum ss_command_place place);
void ss__commands_drop(struct ss_store *store, struct ss_kept_command *command);

/* Its row goes with one of the next flushes; there is room (ss__commands_reserve). */
void ss__commands_doom(struct ss_store *store, uint64_t position);

/* Room to doom all that is there now, and @more. SS_E_NOMEM. */
int ss__commands_reserve(struct ss_commands *commands, uint32_t more);

/* The record of a result that is only in the log stands for nothing any more. */
void ss__commands_end(struct ss_commands *commands, uint64_t position);
bool ss__commands_expired(const struct ss_store *store, const struct ss_command_value *value,
                          uint64_t now_us);

/* Evicts the oldest until the limits hold. */
void ss__commands_bound(struct ss_store *store);

#endif
