/* actions.h - what may happen next in a simulated world; each seed prefers others. */
#ifndef SS_SIM_ACTIONS_H
#define SS_SIM_ACTIONS_H

#include "world.h"

#define SIM_ACTIONS 26

struct weights {
    uint32_t of[SIM_ACTIONS];
    uint32_t sum;
};

void actions_weigh(struct weights *weights, struct world *world);

/* Does one thing. */
void actions_do(struct world *world, const struct weights *weights);

#endif
