/* engine_router.h - the way to an engine's shards, for the other files of src/engine. */
#ifndef SS_ENGINE_ENGINE_ROUTER_H
#define SS_ENGINE_ENGINE_ROUTER_H

#include <sessionstream/engine.h>

#include "message/message.h"
#include "message/router.h"

/* NULL unless the engine is started. Any thread. */
const struct ss_router *ss__engine_router(const struct ss_engine *engine);

/* Frozen. Any thread. */
const struct ss_registry *ss__engine_registry(const struct ss_engine *engine);

/* Whether a call for this session can be taken. SS_E_STOPPING, SS_E_SESSION_ID. */
int ss__engine_check_session(const struct ss_engine *engine, struct ss_str id);

/* Takes the request in every case. SS_E_BUSY, SS_E_STOPPING. */
int ss__engine_post(struct ss_engine *engine, struct ss_request *request);

/* NULL: there is no backup_dir, or the engine is not started. Any thread. */
struct ss_backup_control;
const struct ss_backup_control *ss__engine_backups(const struct ss_engine *engine);

#endif
