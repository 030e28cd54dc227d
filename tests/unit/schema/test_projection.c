/* Projections of a registry, and the entity kinds that belong to them. */
#include "schema/registry.h"

#include <stdio.h>
#include <string.h>

#include <sessionstream/limits.h>

#include "kinds.descriptor.h"
#include "ss_test.h"

#define INNER "sessionstream.test.Inner"

static int project_ui(struct ss_ui *ui, const struct ss_event *event, const struct ss_view *view,
                      void *ctx)
{
    (void)ui;
    (void)event;
    (void)view;
    (void)ctx;
    return 0;
}

static int project_timeline(struct ss_timeline *timeline, const struct ss_event *event,
                            const struct ss_view *view, void *ctx)
{
    (void)timeline;
    (void)event;
    (void)view;
    (void)ctx;
    return 0;
}

static struct ss_registry *open_registry(void)
{
    struct ss_registry *registry = ss_registry_new();
    ss_check(registry != NULL);
    ss_check(ss_registry_load_descriptors(registry, kinds_descriptor_set,
                                          kinds_descriptor_set_len) == 0);
    return registry;
}

/* The error of a refused registration says all of these. */
static void check_refused(const struct ss_registry *registry, int err, int expected,
                          const char *first, const char *second)
{
    const char *text = ss_registry_error(registry);
    ss_check_msg(err == expected, "%d: %s", err, text);
    ss_check_msg(strstr(text, first) != NULL && strstr(text, second) != NULL, "%s", text);
}

static int add_timeline(struct ss_registry *registry, const char *name, uint32_t version)
{
    return ss_register_timeline_projection(registry, name, version, project_timeline, registry);
}

static int add_ui(struct ss_registry *registry, const char *name)
{
    return ss_register_ui_projection(registry, name, project_ui, registry);
}

SS_TEST(projection, a_name_is_taken_once_among_those_of_its_kind)
{
    struct ss_registry *registry = open_registry();
    check_refused(registry, add_ui(registry, ""), SS_E_INVAL, "UI projection", "without name");
    check_refused(registry, add_ui(registry, NULL), SS_E_INVAL, "UI projection", "without name");
    check_refused(registry, add_ui(registry, "\xFF"), SS_E_INVAL, "UI projection", "UTF-8");
    check_refused(registry, ss_register_ui_projection(registry, "ui", NULL, NULL), SS_E_INVAL,
                  "UI projection", "function");
    ss_check(add_ui(registry, "main") == 0 && add_ui(registry, "more") == 0);
    check_refused(registry, add_ui(registry, "more"), SS_E_EXISTS, "UI projection \"more\"",
                  "already registered");
    check_refused(registry, add_timeline(registry, "", 1), SS_E_INVAL, "timeline projection",
                  "without name");
    check_refused(registry, ss_register_timeline_projection(registry, "main", 1, NULL, NULL),
                  SS_E_INVAL, "timeline projection", "function");
    ss_check(add_timeline(registry, "main", 1) == 0 && add_timeline(registry, "more", 3) == 0);
    check_refused(registry, add_timeline(registry, "main", 1), SS_E_EXISTS,
                  "timeline projection \"main\"", "already registered");
    ss_check(registry->uis_count == 2 && registry->timelines_count == 2);
    ss_check(strcmp(registry->uis[0].name, "main") == 0 && registry->uis[1].ctx == registry);
    ss_check(registry->timelines[1].version == 3);
    ss_check(ss__registry_timeline(registry, ss_str("more")) == 1);
    ss_check(ss__registry_timeline(registry, ss_str("mor")) == -1);
    ss_registry_free(registry);
}

SS_TEST(projection, there_is_room_for_so_many_and_no_more)
{
    static char names[SS_PROJECTIONS_MAX + 1][16];
    struct ss_registry *registry = open_registry();
    for (unsigned i = 0; i < SS_PROJECTIONS_MAX; i++) {
        (void)snprintf(names[i], sizeof names[i], "p%u", i);
        ss_check(add_ui(registry, names[i]) == 0 && add_timeline(registry, names[i], 1) == 0);
    }
    check_refused(registry, add_ui(registry, "more"), SS_E_LIMIT, "\"more\"", "the most");
    check_refused(registry, add_timeline(registry, "more", 1), SS_E_LIMIT, "\"more\"", "the most");
    ss_registry_free(registry);
}

SS_TEST(projection, every_kind_has_an_owner_which_may_come_later)
{
    struct ss_registry *registry = open_registry();
    check_refused(registry, ss_register_entity(registry, "Note", INNER, NULL), SS_E_INVAL,
                  "entity kind \"Note\"", "names no timeline projection");
    ss_check(ss_register_entity(registry, "Note", INNER, "late") == 0);
    check_refused(registry, ss_register_entity(registry, "Note", INNER, "main"), SS_E_EXISTS,
                  "entity kind \"Note\"", "already registered");
    ss_check(add_timeline(registry, "main", 1) == 0);
    ss_check(ss_register_entity(registry, "Mark", INNER, "main") == 0);
    check_refused(registry, ss__registry_freeze(registry), SS_E_INVAL, "entity kind \"Note\"",
                  "\"late\", which is not registered");
    ss_check(add_timeline(registry, "late", 1) == 0);
    ss_check(ss__registry_freeze(registry) == 0);
    ss_check(ss__registry_find(registry, SS_SPACE_ENTITY, ss_str("Note"))->timeline == 1);
    ss_check(ss__registry_find(registry, SS_SPACE_ENTITY, ss_str("Mark"))->timeline == 0);
    check_refused(registry, add_ui(registry, "ui"), SS_E_FROZEN, "in use by an engine", "");
    check_refused(registry, add_timeline(registry, "t", 1), SS_E_FROZEN, "in use", "");
    ss_registry_free(registry);
}
