#include <sessionstream/engine.h>

#include "engine/engine_router.h"
#include "message/import.h"
#include "schema/registry.h"
#include "schema/validate.h"

static int make_import(const struct ss_name *name, uint64_t ordinal, uint64_t time_us,
                       struct ss_str payload, struct ss_import **ret_import)
{
    if (payload.len > SS_PAYLOAD_BYTES_MAX) {
        return SS_E_TOOBIG;
    }
    int err = ss__validate(name->type, payload, NULL);
    struct ss_import *import = err != 0 ? NULL : ss__import_new();
    if (import == NULL) {
        return err != 0 ? err : SS_E_NOMEM;
    }
    err = ss__import_add(import, ordinal, time_us, name, payload, NULL);
    if (err != 0) {
        ss__import_free(import);
        return err;
    }
    *ret_import = import;
    return 0;
}

int ss_engine_import(struct ss_engine *engine, struct ss_str session_id, uint64_t ordinal,
                     uint64_t time_us, const char *event, struct ss_str payload,
                     ss_done_fn *done, void *ctx)
{
    int err = ss__engine_check_session(engine, session_id);
    if (err != 0) {
        return err;
    }
    const struct ss_name *name =
        ss__registry_find(ss__engine_registry(engine), SS_SPACE_EVENT, ss_str(event));
    if (name == NULL) {
        return SS_E_UNKNOWN_EVENT;
    }
    struct ss_import *import;
    err = make_import(name, ordinal, time_us, payload, &import);
    struct ss_request *request = err != 0 ? NULL : ss__request_new_import(session_id, import);
    if (request == NULL) {
        if (err == 0) {
            ss__import_free(import);
        }
        return err != 0 ? err : SS_E_NOMEM;
    }
    request->done = done;
    request->ctx = ctx;
    return ss__engine_post(engine, request);
}
