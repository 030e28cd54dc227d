/* The projections of a registry, and which entity kinds belong to which. */
#include <string.h>

#include <sessionstream/limits.h>

#include "core/utf8.h"
#include "schema/registry.h"

static int check_name(struct ss_registry *registry, const char *what, const char *name,
                      bool has_function)
{
    size_t len = name == NULL ? 0 : strlen(name);
    if (len == 0 || !has_function) {
        return ss__fail(&registry->failure, SS_E_INVAL, "%s projection without name or function",
                        what);
    }
    return len <= SS_NAME_BYTES_MAX && ss__utf8_valid(name, len)
               ? 0
               : ss__fail(&registry->failure, SS_E_INVAL,
                          "%s projection \"%s\": a name has 1 to %d bytes of UTF-8", what, name,
                          SS_NAME_BYTES_MAX);
}

static int check_place(struct ss_registry *registry, const char *what, const char *name,
                       bool is_taken, uint32_t count)
{
    if (is_taken) {
        return ss__fail(&registry->failure, SS_E_EXISTS,
                        "%s projection \"%s\" is already registered", what, name);
    }
    return count < SS_PROJECTIONS_MAX
               ? 0
               : ss__fail(&registry->failure, SS_E_LIMIT,
                          "%s projection \"%s\": %d are registered already, which is the most",
                          what, name, SS_PROJECTIONS_MAX);
}

static bool has_ui(const struct ss_registry *registry, const char *name)
{
    for (uint32_t i = 0; i < registry->uis_count; i++) {
        if (strcmp(registry->uis[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

int ss_register_ui_projection(struct ss_registry *registry, const char *name, ss_ui_fn *project,
                              void *ctx)
{
    int err = ss__registry_check_open(registry);
    err = err != 0 ? err : check_name(registry, "UI", name, project != NULL);
    err = err != 0 ? err
                   : check_place(registry, "UI", name, has_ui(registry, name),
                                 registry->uis_count);
    if (err == 0) {
        registry->uis[registry->uis_count++] = (struct ss_ui_projection){ name, project, ctx };
    }
    return err;
}

int ss_register_timeline_projection(struct ss_registry *registry, const char *name,
                                    uint32_t version, ss_timeline_fn *project, void *ctx)
{
    int err = ss__registry_check_open(registry);
    err = err != 0 ? err : check_name(registry, "timeline", name, project != NULL);
    err = err != 0 ? err
                   : check_place(registry, "timeline", name,
                                 ss__registry_timeline(registry, ss_str(name)) >= 0,
                                 registry->timelines_count);
    if (err == 0) {
        registry->timelines[registry->timelines_count++] =
            (struct ss_timeline_projection){ name, version, project, ctx };
    }
    return err;
}

int ss__registry_timeline(const struct ss_registry *registry, struct ss_str name)
{
    for (uint32_t i = 0; i < registry->timelines_count; i++) {
        if (ss_str_equal(ss_str(registry->timelines[i].name), name)) {
            return (int)i;
        }
    }
    return -1;
}

int ss__registry_own_kinds(struct ss_registry *registry)
{
    size_t at = 0;
    for (struct ss_name *kind;
         (kind = ss__map_next(&registry->names[SS_SPACE_ENTITY], &at)) != NULL;) {
        int index = ss__registry_timeline(registry, ss_str(kind->projection));
        if (index < 0) {
            return ss__fail(&registry->failure, SS_E_INVAL,
                            "entity kind \"%s\" belongs to timeline projection \"%s\", which is "
                            "not registered",
                            kind->name.data, kind->projection);
        }
        kind->timeline = (uint32_t)index;
    }
    return 0;
}
