/* An application with one mistake of each sort, as a module. */
#include <sessionstream/app.h>

#include "style.h"

static int handle(struct ss_context *context, const struct ss_command *command, void *ctx)
{
    (void)context;
    (void)command;
    (void)ctx;
    return 0;
}

static int init(struct ss_registry *registry, const struct ss_app_settings *settings,
                void **ret_state)
{
    (void)settings;
    int err = ss_registry_load_descriptors(registry, style_set, style_set_len);
    err = err != 0 ? err : ss_register_command(registry, "Good", "style.GoodCommand", handle, NULL);
    err = err != 0 ? err : ss_register_event(registry, "Good", "style.GoodEvent");
    err = err != 0 ? err : ss_register_event(registry, "Good", "style.OpenEvent");
    err = err != 0 ? err : ss_register_event(registry, "Lost", "style.LostEvent");
    err = err != 0 ? err : ss_register_event(registry, "Loose", "google.protobuf.Struct");
    err = err != 0 ? err : ss_register_ui_event(registry, "Open", "google.protobuf.Any");
    err = err != 0 ? err : ss_register_entity(registry, "Good", "style.GoodEntity", "timeline");
    *ret_state = NULL;
    return err;
}

const struct ss_app ss_app_v1 = {
    .abi = SS_APP_ABI,
    .name = "mistakes",
    .summary = "one mistake of each sort",
    .init = init,
};
