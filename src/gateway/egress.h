/* egress.h - what shards send: to whom it goes. Gateway thread. */
#ifndef SS_GATEWAY_EGRESS_H
#define SS_GATEWAY_EGRESS_H

#include "gateway/state.h"
#include "message/message.h"

/* Handles and frees a REPLY, FRAME or RESYNC. */
void ss__egress_message(struct ss_gateway *gateway, struct ss_msg *msg);

#endif
