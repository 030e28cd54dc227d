/* A module outside the project: adds what it is sent, times its option. It uses the installed
 * headers only. */
#include <stdlib.h>
#include <string.h>

#include <sessionstream/sessionstream.h>

#include "counter.descriptor.h"
#include "counter.pb-c.h"
#include "hello_txt.h"

struct state {
    int32_t factor;
};

static int on_add(struct ss_context *context, const struct ss_command *command, void *ctx)
{
    const Counter__Count *given = (const Counter__Count *)command->payload;
    const struct state *state = ctx;
    Counter__Count event = COUNTER__COUNT__INIT;
    event.value = given->value * state->factor;
    return ss_publish(context, "Added", &event.base);
}

static int sum(const struct ss_event *event, const struct ss_view *view, Counter__Count *ret_sum)
{
    const Counter__Count *added = (const Counter__Count *)ss_event_payload(event);
    const struct ss_entity *entity = ss_view_get(view, "Sum", ss_str("sum"));
    const Counter__Count *before =
        entity == NULL ? NULL : (const Counter__Count *)ss_entity_payload(view, entity);
    if (added == NULL || (entity != NULL && before == NULL)) {
        return SS_E_NOMEM;
    }
    counter__count__init(ret_sum);
    ret_sum->value = added->value + (before == NULL ? 0 : before->value);
    return 0;
}

static int project_ui(struct ss_ui *ui, const struct ss_event *event, const struct ss_view *view,
                      void *ctx)
{
    Counter__Count count;
    (void)ctx;
    int err = sum(event, view, &count);
    return err != 0 ? err : ss_emit_ui(ui, "Sum", &count.base);
}

static int project_timeline(struct ss_timeline *timeline, const struct ss_event *event,
                            const struct ss_view *view, void *ctx)
{
    Counter__Count count;
    (void)ctx;
    int err = sum(event, view, &count);
    return err != 0 ? err : ss_put_entity(timeline, "Sum", ss_str("sum"), &count.base);
}

static int fill(struct ss_registry *registry, struct state *state)
{
    int failed = 0;
    failed |= ss_registry_load_descriptors(registry, counter_descriptor_set,
                                           counter_descriptor_set_len);
    failed |= ss_registry_attach(registry, &counter__count__descriptor);
    failed |= ss_register_command(registry, "Add", "counter.Count", on_add, state);
    failed |= ss_register_event(registry, "Added", "counter.Count");
    failed |= ss_register_ui_event(registry, "Sum", "counter.Count");
    failed |= ss_register_entity(registry, "Sum", "counter.Count", "timeline");
    failed |= ss_register_ui_projection(registry, "ui", project_ui, NULL);
    failed |= ss_register_timeline_projection(registry, "timeline", 1, project_timeline, NULL);
    failed |= ss_register_asset(registry, "/", "text/plain", hello_txt, hello_txt_len);
    return failed;
}

static int init(struct ss_registry *registry, const struct ss_app_settings *settings,
                void **ret_state)
{
    const char *factor = ss_app_setting(settings, "factor");
    if (strcmp(factor, "none") == 0) {
        return 7;    /* no code of sessionstream's, and no sentence */
    }
    if (strcmp(factor, "unowned") == 0) {
        return ss_registry_load_descriptors(registry, counter_descriptor_set,
                                            counter_descriptor_set_len) != 0 ||
               ss_register_entity(registry, "Sum", "counter.Count", "nobody") != 0;
    }
    if (atoi(factor) <= 0) {
        return ss_registry_fail(registry, SS_E_CONFIG, "option factor is \"%s\"; give a number "
                                "from 1", factor);
    }
    struct state *state = malloc(sizeof *state);
    if (state == NULL) {
        return SS_E_NOMEM;
    }
    state->factor = atoi(factor);
    if (fill(registry, state) != 0) {
        free(state);
        return SS_E_CONFIG;
    }
    *ret_state = state;
    return 0;
}

static const struct ss_app_option options[] = {
    { "factor", "1", "what every number is multiplied with" },
    { NULL, NULL, NULL },
};

const struct ss_app ss_app_v1 = {
    .abi = SS_APP_ABI,
    .name = "counter",
    .summary = "adds numbers",
    .options = options,
    .init = init,
    .deinit = free,
};
