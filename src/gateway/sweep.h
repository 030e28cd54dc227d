/* sweep.h - what happens because time passes: deadlines, pings, catching up. Gateway thread. */
#ifndef SS_GATEWAY_SWEEP_H
#define SS_GATEWAY_SWEEP_H

#include "gateway/state.h"

/* A client may take so long for one websocket message, and no longer than the dead timeout. */
#define SS_UNFINISHED_MS 30000

/* The gateway's timer: looks at every connection that is due and plans the next call. */
void ss__sweep(struct ss_gateway *gateway);

#endif
