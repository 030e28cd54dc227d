/* The application of the crash tests: a command publishes a few events, a board shows the newest
 * event of each place, and a tally counts events. With the option broken=1 the tally cannot take
 * odd ones, so that there is something to mend. */
#include <stdio.h>
#include <stdlib.h>

#include <sessionstream/sessionstream.h>

#include "torture.descriptor.h"
#include "torture.pb-c.h"

#define PARTS_MAX 16u

struct state {
    bool broken;
};

/* The events of one command are stored all or none, whichever way they are published. */
static int on_put(struct ss_context *context, const struct ss_command *command, void *ctx)
{
    const Torture__Put *wanted = (const Torture__Put *)command->payload;
    size_t parts = wanted->parts == 0 || wanted->parts > PARTS_MAX ? 1 : wanted->parts;
    Torture__Put puts[PARTS_MAX];
    struct ss_batch_event events[PARTS_MAX];
    int err = 0;
    (void)ctx;
    for (size_t i = 0; i < parts; i++) {
        puts[i] = *wanted;
        puts[i].part = (uint32_t)i;
        events[i] = (struct ss_batch_event){ "Put", &puts[i].base };
    }
    if (parts > 1 && wanted->number % 2 == 0) {
        return ss_publish_batch(context, events, parts);
    }
    for (size_t i = 0; i < parts && err == 0; i++) {
        err = ss_publish(context, "Put", events[i].payload);
    }
    return err;
}

static int project_board(struct ss_timeline *timeline, const struct ss_event *event,
                         const struct ss_view *view, void *ctx)
{
    const Torture__Put *put = (const Torture__Put *)ss_event_payload(event);
    char id[16];
    (void)view;
    (void)ctx;
    (void)snprintf(id, sizeof id, "%u", put->place);
    return put->removes ? ss_tombstone(timeline, "Place", ss_str(id))
                        : ss_put_entity_packed(timeline, "Place", ss_str(id), event->packed);
}

static int project_tally(struct ss_timeline *timeline, const struct ss_event *event,
                         const struct ss_view *view, void *ctx)
{
    const Torture__Put *put = (const Torture__Put *)ss_event_payload(event);
    const struct ss_entity *old = ss_view_get(view, "Tally", ss_str("tally"));
    const struct state *state = ctx;
    Torture__Tally tally = TORTURE__TALLY__INIT;
    if (put->odd && state->broken) {
        return SS_E_HANDLER;
    }
    if (old != NULL) {
        tally = *(const Torture__Tally *)ss_entity_payload(view, old);
    }
    tally.count++;
    tally.sum += put->number;
    return ss_put_entity(timeline, "Tally", ss_str("tally"), &tally.base);
}

static int project_put(struct ss_ui *ui, const struct ss_event *event, const struct ss_view *view,
                       void *ctx)
{
    (void)view;
    (void)ctx;
    return ss_emit_ui_packed(ui, "Put", event->packed);
}

static int init(struct ss_registry *registry, const struct ss_app_settings *settings,
                void **ret_state)
{
    struct state *state = calloc(1, sizeof *state);
    if (state == NULL) {
        return SS_E_NOMEM;
    }
    state->broken = ss_app_setting(settings, "broken")[0] == '1';
    int failed = ss_registry_load_descriptors(registry, torture_descriptor_set,
                                              torture_descriptor_set_len);
    failed |= ss_registry_attach(registry, &torture__put__descriptor);
    failed |= ss_registry_attach(registry, &torture__tally__descriptor);
    failed |= ss_register_command(registry, "Put", "torture.Put", on_put, NULL);
    failed |= ss_register_event(registry, "Put", "torture.Put");
    failed |= ss_register_ui_event(registry, "Put", "torture.Put");
    failed |= ss_register_ui_projection(registry, "put", project_put, NULL);
    failed |= ss_register_entity(registry, "Place", "torture.Put", "board");
    failed |= ss_register_timeline_projection(registry, "board", 1, project_board, NULL);
    failed |= ss_register_entity(registry, "Tally", "torture.Tally", "tally");
    failed |= ss_register_timeline_projection(registry, "tally", 1, project_tally, state);
    if (failed != 0) {
        free(state);
        return SS_E_CONFIG;
    }
    *ret_state = state;
    return 0;
}

static const struct ss_app_option options[] = {
    { "broken", "0", "1: the tally refuses odd events" },
    { NULL, NULL, NULL },
};

const struct ss_app ss_app_v1 = {
    .abi = SS_APP_ABI,
    .name = "torture",
    .summary = "what the crash tests store",
    .options = options,
    .init = init,
    .deinit = free,
};
