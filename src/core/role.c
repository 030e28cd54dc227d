#include "core/role.h"

#include "core/contract.h"

static _Thread_local enum ss_role this_role = SS_ROLE_OTHER;
static _Thread_local uint32_t this_index;

void ss__role_set(enum ss_role role, uint32_t index)
{
    this_role = role;
    this_index = index;
}

void ss__role_assert(enum ss_role role, uint32_t index)
{
    SS_REQUIRE(this_role == role && this_index == index);
}
