#include <sessionstream/limits.h>

#include "shard/context.h"
#include "shard/shard_state.h"

struct checked {
    const struct ss_name *name;
    struct ss_str packed;
};

/* What is wrong with any of the events, before the first is staged. */
static int check(struct ss_context *context, const struct ss_batch_event *events, size_t count,
                 struct checked *ret_checked)
{
    size_t bytes = 0;
    for (size_t i = 0; i < count; i++) {
        const struct ss_name *name = ss__context_find_event(context, events[i].event);
        if (name == NULL) {
            return SS_E_UNKNOWN_EVENT;
        }
        int err = ss__pack(context->view.shard, name, "event", events[i].payload,
                           &ret_checked[i].packed, &context->failure);
        if (err != 0) {
            return err;
        }
        ret_checked[i].name = name;
        bytes += ret_checked[i].packed.len;
    }
    return ss__context_allow(context, events[0].event, (uint32_t)count, bytes);
}

static int publish(struct ss_context *context, const struct checked *checked, size_t count)
{
    struct ss_shard *shard = context->view.shard;
    int projection_err = 0;
    for (size_t i = 0; i < count; i++) {
        int err = ss__context_publish(context, checked[i].name, checked[i].packed);
        if (err == SS_E_PROJECTION) {
            projection_err = err;    /* it is stored all the same */
        } else if (err != 0) {
            /* Some events are staged and cannot be taken back alone. */
            shard->spoiled = i > 0 ? err : shard->spoiled;
            return err;
        }
    }
    return projection_err;
}

int ss_publish_batch(struct ss_context *context, const struct ss_batch_event *events,
                     size_t count)
{
    ss__context_check(context);
    if (count == 0) {
        return 0;
    }
    if (count > SS_HANDLER_EVENTS_MAX) {
        return ss__fail(&context->failure, SS_E_LIMIT, "one call may publish %d events",
                        SS_HANDLER_EVENTS_MAX);
    }
    struct checked *checked =
        ss__arena_alloc(&context->view.shard->arena, count * sizeof *checked);
    if (checked == NULL) {
        return ss__fail(&context->failure, SS_E_NOMEM, "out of memory");
    }
    int err = check(context, events, count, checked);
    return err != 0 ? err : publish(context, checked, count);
}
