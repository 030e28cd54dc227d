/* keyed.h - commands with an idempotency key run once. Shard thread.
 *
 * The result of the first execution is staged with what its handler published and kept by the
 * store (store/command.h); a retry gets it. One that comes while the first is in the open batch is
 * answered after the commit, like the first. */
#ifndef SS_SHARD_KEYED_H
#define SS_SHARD_KEYED_H

#include <stdbool.h>
#include <stdint.h>

#include <sessionstream/handler.h>

#include "message/message.h"
#include "shard/session.h"
#include "store/command_value.h"

struct ss_effect;

struct ss_keyed {
    uint8_t digest[SS_COMMAND_DIGEST_BYTES];
    struct ss_effect **effects;    /* their end when the handler began */
};

/* True: the request has its answer, the handler does not run: the result of an earlier execution,
 * or SS_E_CONFLICT (the key was used for another command or payload), or why the result could not
 * be kept (SS_E_STOREFULL, SS_E_STOREIO, SS_E_NOMEM). */
bool ss__keyed_begin(struct ss_shard *shard, struct ss_channel *channel,
                     struct ss_request *request, const struct ss_command *command,
                     struct ss_keyed *ret_keyed);

/* Keeps what the handler answered, which stands in the request. An error that says that the machine
 * could not is not kept if the command had no effect. Without memory the batch is given up. */
void ss__keyed_end(struct ss_shard *shard, struct ss_channel *channel,
                   const struct ss_request *request, const struct ss_keyed *keyed);

/* Gauges of what is kept. For a batch whose commit has ended: before that its own results count,
 * which may be undone and push out others. */
void ss__keyed_show(struct ss_shard *shard);

#endif
