/* role.h - which kind of thread this is; checked at every entry a callback can reach. */
#ifndef SS_CORE_ROLE_H
#define SS_CORE_ROLE_H

#include <stdint.h>

enum ss_role { SS_ROLE_OTHER, SS_ROLE_SHARD, SS_ROLE_GATEWAY };

/* Names the calling thread; @index counts from 0 within the role. */
void ss__role_set(enum ss_role role, uint32_t index);

/* Aborts unless the calling thread has this role and index. */
void ss__role_assert(enum ss_role role, uint32_t index);

#endif
