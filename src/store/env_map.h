/* env_map.h - where LMDB has mapped a data file, which it does not tell. For env.c. */
#ifndef SS_STORE_ENV_MAP_H
#define SS_STORE_ENV_MAP_H

#include <lmdb.h>

/* Notes the file of @env for the handler of a fault (core/mapped.h), in @slot if that is one
 * already. Returns the slot; -1: it was not found, which costs the handler a name. */
int ss__env_map_note(MDB_env *env, int slot);

#endif
