/* send.h - commands from one session to another. Shard thread. */
#ifndef SS_SHARD_SEND_H
#define SS_SHARD_SEND_H

#include "message/message.h"

struct ss_shard;

/* What one batch may send: the other inboxes are looked at before, not when it leaves. */
#define SS_BATCH_SENDS_MAX 16384

/* The commit returned: the command leaves; lost if the other shard has ended. */
void ss__send_release(struct ss_shard *shard, struct ss_request *request);

#endif
