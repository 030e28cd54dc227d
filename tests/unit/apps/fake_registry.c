#include "unit/apps/fake_registry.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "ss_test.h"

struct fake_registry fake_registry = { .error_at = -1 };

int ss_registry_fail(struct ss_registry *registry, int err, const char *format, ...)
{
    (void)registry;
    va_list args;
    va_start(args, format);
    (void)vsnprintf(fake_registry.error, sizeof fake_registry.error, format, args);
    va_end(args);
    return err;
}

static int note(const char *what, const char *name)
{
    if (fake_registry.error_at == 0) {
        return SS_E_NOMEM;
    }
    fake_registry.error_at--;
    size_t len = strlen(fake_registry.registered);
    (void)snprintf(fake_registry.registered + len, sizeof fake_registry.registered - len,
                   "%s %s\n", what, name);
    return 0;
}

int ss_registry_load_descriptors(struct ss_registry *registry, const uint8_t *set, size_t len)
{
    (void)registry;
    ss_check(set != NULL && len > 0);
    return note("load", "descriptors");
}

int ss_registry_attach(struct ss_registry *registry, const ProtobufCMessageDescriptor *descriptor)
{
    (void)registry;
    return note("attach", descriptor->name);
}

int ss_register_command(struct ss_registry *registry, const char *name, const char *type,
                        ss_command_fn *handler, void *ctx)
{
    (void)registry;
    (void)type;
    fake_registry.command = handler;
    fake_registry.command_ctx = ctx;
    return note("command", name);
}

int ss_register_event(struct ss_registry *registry, const char *name, const char *type)
{
    (void)registry;
    (void)type;
    return note("event", name);
}

int ss_register_ui_event(struct ss_registry *registry, const char *name, const char *type)
{
    (void)registry;
    (void)type;
    return note("ui", name);
}

int ss_register_entity(struct ss_registry *registry, const char *kind, const char *type,
                       const char *projection)
{
    (void)registry;
    (void)type;
    fake_registry.entity_projection = projection;
    return note("entity", kind);
}

int ss_register_ui_projection(struct ss_registry *registry, const char *name, ss_ui_fn *project,
                              void *ctx)
{
    (void)registry;
    (void)ctx;
    fake_registry.project_ui = project;
    return note("ui projection", name);
}

int ss_register_timeline_projection(struct ss_registry *registry, const char *name,
                                    uint32_t version, ss_timeline_fn *project, void *ctx)
{
    (void)registry;
    (void)version;
    (void)ctx;
    fake_registry.project_timeline = project;
    return note("timeline projection", name);
}

int ss_register_session_hooks(struct ss_registry *registry, const struct ss_session_hooks *hooks,
                              void *ctx)
{
    (void)registry;
    (void)ctx;
    fake_registry.hooks = hooks;
    return note("hooks", "recover");
}

int ss_register_asset(struct ss_registry *registry, const char *path, const char *content_type,
                      const uint8_t *data, size_t len)
{
    (void)registry;
    fake_registry.asset_type = content_type;
    fake_registry.asset = ss_str_of(data, len);
    return note("asset", path);
}
