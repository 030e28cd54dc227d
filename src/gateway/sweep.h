/* sweep.h - what happens because time passes: deadlines, pings, catching up. Gateway thread. */
#ifndef SS_GATEWAY_SWEEP_H
#define SS_GATEWAY_SWEEP_H

#include "gateway/state.h"

/* Looks at connections that are due, for as long as a slice, and plans the next call. True: some
 * are left, and it is to be called again after the sockets had their turn. */
bool ss__sweep(struct ss_gateway *gateway);

#endif
