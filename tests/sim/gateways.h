/* gateways.h - the modelled gateways; see src/gateway/follow.c for the real ones. */
#ifndef SS_SIM_GATEWAYS_H
#define SS_SIM_GATEWAYS_H

#include "world.h"

/* The process is gone, and with it every connection. Clients keep their cursors. */
void gateways_lost(struct world *world);

#endif
