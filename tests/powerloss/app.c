/* The application that is recorded. Two timeline projections: "latest" keeps the newest write of
 * each entity, "sums" adds all numbers but those that it refuses, so that errors are noted too. */
#include <stdio.h>
#include <stdlib.h>

#include <sessionstream/sessionstream.h>

#include "app.descriptor.h"
#include "app.pb-c.h"

#define REFUSED_EVERY 61u    /* as in powerloss/judge.py */

static int on_write(struct ss_context *context, const struct ss_command *command, void *ctx)
{
    (void)ctx;
    return ss_publish_packed(context, "Written", command->packed);
}

static int project_latest(struct ss_timeline *timeline, const struct ss_event *event,
                          const struct ss_view *view, void *ctx)
{
    const Powerloss__Write *written = (const Powerloss__Write *)ss_event_payload(event);
    char id[16];
    (void)view;
    (void)ctx;
    if (written == NULL) {
        return SS_E_NOMEM;
    }
    (void)snprintf(id, sizeof id, "%u", written->entity);
    return ss_put_entity_packed(timeline, "Latest", ss_str(id), event->packed);
}

static int project_sums(struct ss_timeline *timeline, const struct ss_event *event,
                        const struct ss_view *view, void *ctx)
{
    const Powerloss__Write *written = (const Powerloss__Write *)ss_event_payload(event);
    const struct ss_entity *old = ss_view_get(view, "Sum", ss_str("sum"));
    Powerloss__Sum sum = POWERLOSS__SUM__INIT;
    (void)ctx;
    if (written == NULL) {
        return SS_E_NOMEM;
    }
    if (written->number % REFUSED_EVERY == 0) {
        return SS_E_HANDLER;
    }
    if (old != NULL) {
        const Powerloss__Sum *before = (const Powerloss__Sum *)ss_entity_payload(view, old);
        if (before == NULL) {
            return SS_E_NOMEM;
        }
        sum = *before;
    }
    sum.numbers += written->number;
    sum.events++;
    return ss_put_entity(timeline, "Sum", ss_str("sum"), &sum.base);
}

static int init(struct ss_registry *registry, const struct ss_app_settings *settings,
                void **ret_state)
{
    const char *type = "powerloss.Write";
    (void)settings;
    int failed = ss_registry_load_descriptors(registry, app_descriptor_set, app_descriptor_set_len);
    failed |= ss_registry_attach(registry, &powerloss__write__descriptor);
    failed |= ss_registry_attach(registry, &powerloss__sum__descriptor);
    failed |= ss_register_command(registry, "Write", type, on_write, NULL);
    failed |= ss_register_event(registry, "Written", type);
    failed |= ss_register_entity(registry, "Latest", type, "latest");
    failed |= ss_register_entity(registry, "Sum", "powerloss.Sum", "sums");
    failed |= ss_register_timeline_projection(registry, "latest", 1, project_latest, NULL);
    failed |= ss_register_timeline_projection(registry, "sums", 1, project_sums, NULL);
    *ret_state = NULL;
    return failed != 0 ? SS_E_CONFIG : 0;
}

const struct ss_app ss_app_v1 = {
    .abi = SS_APP_ABI,
    .name = "powerloss",
    .summary = "writes that are recorded",
    .options = NULL,
    .init = init,
    .deinit = NULL,
};
