#include "bench_app.h"

#include <stdio.h>

#include "bench.descriptor.h"
#include "bench.h"
#include "bench.pb-c.h"

static int project_ui(struct ss_ui *ui, const struct ss_event *event, const struct ss_view *view,
                      void *ctx)
{
    (void)view;
    (void)ctx;
    const Sessionstream__Bench__Publish *publish =
        (const Sessionstream__Bench__Publish *)ss_event_payload(event);
    Sessionstream__Bench__Update update = SESSIONSTREAM__BENCH__UPDATE__INIT;
    if (publish == NULL) {
        return SS_E_NOMEM;
    }
    update.entity = publish->entity;
    update.text = publish->text;
    return ss_emit_ui(ui, "Updated", &update.base);
}

static int project_timeline(struct ss_timeline *timeline, const struct ss_event *event,
                            const struct ss_view *view, void *ctx)
{
    (void)view;
    (void)ctx;
    const Sessionstream__Bench__Publish *publish =
        (const Sessionstream__Bench__Publish *)ss_event_payload(event);
    Sessionstream__Bench__Entity entity = SESSIONSTREAM__BENCH__ENTITY__INIT;
    char id[16];
    if (publish == NULL) {
        return SS_E_NOMEM;
    }
    entity.entity = publish->entity;
    entity.text = publish->text;
    int len = snprintf(id, sizeof id, "e%u", publish->entity);
    return ss_put_entity(timeline, "Entity", ss_str_of(id, (size_t)len), &entity.base);
}

static struct ss_registry *make_registry(void)
{
    struct ss_registry *registry = ss_registry_new();
    if (registry == NULL ||
        ss_registry_load_descriptors(registry, bench_descriptor_set, bench_descriptor_set_len) ||
        ss_registry_attach(registry, &sessionstream__bench__publish__descriptor) ||
        ss_registry_attach(registry, &sessionstream__bench__update__descriptor) ||
        ss_registry_attach(registry, &sessionstream__bench__entity__descriptor) ||
        ss_register_event(registry, "Published", "sessionstream.bench.Publish") ||
        ss_register_ui_event(registry, "Updated", "sessionstream.bench.Update") ||
        ss_register_ui_projection(registry, "ui", project_ui, NULL) ||
        ss_register_timeline_projection(registry, "timeline", 1, project_timeline, NULL) ||
        ss_register_entity(registry, "Entity", "sessionstream.bench.Entity", "timeline")) {
        ss__bench_fail("application: %s",
                       registry == NULL ? "out of memory" : ss_registry_error(registry));
    }
    return registry;
}

struct ss_registry *ss__bench_registry(struct ss_transport *ret_transport)
{
    struct ss_registry *registry = make_registry();
    struct ss_failure failure = { 0 };
    if (ss__transport_load(registry->schema, &failure) || ss__registry_freeze(registry) ||
        ss__transport_init(ret_transport, registry->schema, &failure)) {
        ss__bench_fail("application: %s%s", ss_registry_error(registry), failure.text);
    }
    return registry;
}

struct ss_registry *ss__bench_command_registry(void)
{
    struct ss_registry *registry = make_registry();
    if (ss_register_command(registry, "Publish", "sessionstream.bench.Publish",
                            ss__bench_on_publish, NULL) != 0) {
        ss__bench_fail("application: %s", ss_registry_error(registry));
    }
    return registry;
}
