/* A module with two timeline projections: "total" keeps a sum, "entries" a list. Its options say
 * which versions they have, which number the list refuses, and whether there is a list. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sessionstream/sessionstream.h>

#include "counter.descriptor.h"
#include "counter.pb-c.h"

struct state {
    int32_t refused;    /* 0: none */
};

static int on_book(struct ss_context *context, const struct ss_command *command, void *ctx)
{
    (void)ctx;
    return ss_publish(context, "Booked", command->payload);
}

static int project_total(struct ss_timeline *timeline, const struct ss_event *event,
                         const struct ss_view *view, void *ctx)
{
    const Counter__Count *booked = (const Counter__Count *)ss_event_payload(event);
    const struct ss_entity *old = ss_view_get(view, "Total", ss_str("total"));
    Counter__Count total = COUNTER__COUNT__INIT;
    (void)ctx;
    if (old != NULL) {
        total.value = ((const Counter__Count *)ss_entity_payload(view, old))->value;
    }
    total.value += booked->value;
    return ss_put_entity(timeline, "Total", ss_str("total"), &total.base);
}

static int project_entries(struct ss_timeline *timeline, const struct ss_event *event,
                           const struct ss_view *view, void *ctx)
{
    const Counter__Count *booked = (const Counter__Count *)ss_event_payload(event);
    const struct state *state = ctx;
    char id[24];
    (void)view;
    if (booked->value == state->refused) {
        return SS_E_HANDLER;
    }
    (void)snprintf(id, sizeof id, "%llu", (unsigned long long)event->ordinal);
    return ss_put_entity_packed(timeline, "Entry", ss_str(id), event->packed);
}

static int project_booked(struct ss_ui *ui, const struct ss_event *event,
                          const struct ss_view *view, void *ctx)
{
    (void)view;
    (void)ctx;
    return ss_emit_ui_packed(ui, "Booked", event->packed);
}

/* The first UI projection sees what both timelines have made before. */
static int project_before(struct ss_ui *ui, const struct ss_event *event,
                          const struct ss_view *view, void *ctx)
{
    const struct ss_entity *total = ss_view_get(view, "Total", ss_str("total"));
    (void)event;
    (void)ctx;
    return total == NULL ? 0 : ss_emit_ui_packed(ui, "Before", total->packed);
}

static int add_entries(struct ss_registry *registry, struct state *state, const char *version)
{
    int failed = ss_register_entity(registry, "Entry", "counter.Count", "entries");
    return failed | ss_register_timeline_projection(registry, "entries", (uint32_t)atoi(version),
                                                    project_entries, state);
}

static int init(struct ss_registry *registry, const struct ss_app_settings *settings,
                void **ret_state)
{
    const char *type = "counter.Count";
    const char *entries = ss_app_setting(settings, "entries");
    struct state *state = calloc(1, sizeof *state);
    if (state == NULL) {
        return SS_E_NOMEM;
    }
    state->refused = atoi(ss_app_setting(settings, "refused"));
    int failed = ss_registry_load_descriptors(registry, counter_descriptor_set,
                                              counter_descriptor_set_len);
    failed |= ss_registry_attach(registry, &counter__count__descriptor);
    failed |= ss_register_command(registry, "Book", type, on_book, NULL);
    failed |= ss_register_event(registry, "Booked", type);
    failed |= ss_register_ui_event(registry, "Before", type);
    failed |= ss_register_ui_event(registry, "Booked", type);
    failed |= ss_register_ui_projection(registry, "before", project_before, NULL);
    failed |= ss_register_ui_projection(registry, "booked", project_booked, NULL);
    if (strcmp(entries, "0") != 0) {
        failed |= add_entries(registry, state, entries);
    }
    failed |= ss_register_entity(registry, "Total", type, "total");
    failed |= ss_register_timeline_projection(registry, "total", 1, project_total, NULL);
    if (failed != 0) {
        free(state);
        return SS_E_CONFIG;
    }
    *ret_state = state;
    return 0;
}

static const struct ss_app_option options[] = {
    { "refused", "0", "the number that the list cannot take" },
    { "entries", "1", "the version of the list; 0: there is none" },
    { NULL, NULL, NULL },
};

const struct ss_app ss_app_v1 = {
    .abi = SS_APP_ABI,
    .name = "ledger",
    .summary = "keeps a total and a list",
    .options = options,
    .init = init,
    .deinit = free,
};
