/* engine_router.h - the way to an engine's shards, for the other files of src/engine. */
#ifndef SS_ENGINE_ENGINE_ROUTER_H
#define SS_ENGINE_ENGINE_ROUTER_H

#include <sessionstream/engine.h>

#include "message/message.h"
#include "message/router.h"

/* NULL unless the engine is started. Any thread. */
const struct ss_router *ss__engine_router(const struct ss_engine *engine);

#endif
