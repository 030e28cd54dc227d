#include <sessionstream/history.h>
#include <sessionstream/limits.h>

#include "engine/engine_router.h"
#include "message/message.h"

int ss_engine_events(struct ss_engine *engine, struct ss_str session_id, uint64_t after,
                     uint32_t limit, ss_events_fn *done, void *ctx)
{
    int err = limit > SS_EVENT_PAGE_MAX ? SS_E_INVAL
                                        : ss__engine_check_session(engine, session_id);
    if (err != 0) {
        return err;
    }
    struct ss_str none = { NULL, 0 };
    struct ss_request *request = ss__request_new(SS_REQUEST_EVENTS, session_id, none, none);
    if (request == NULL) {
        return SS_E_NOMEM;
    }
    request->at = after;
    request->limit = limit == 0 ? SS_EVENT_PAGE_MAX : limit;
    request->events_done = done;
    request->ctx = ctx;
    return ss__engine_post(engine, request);
}
