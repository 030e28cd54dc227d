#include "schema/registry.h"

#include <stdio.h>

#include "kinds.descriptor.h"
#include "ss_test.h"

#define INNER "sessionstream.test.Inner"

static int handle(struct ss_context *context, const struct ss_command *command, void *ctx)
{
    (void)context;
    (void)command;
    (void)ctx;
    return 0;
}

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
    ss_check(ss_registry_error(registry)[0] == '\0');
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

SS_TEST(registry, names_of_each_space_are_found_with_their_type)
{
    struct ss_registry *registry = open_registry();
    int ctx = 0;
    ss_check(ss_register_command(registry, "Do", INNER, handle, &ctx) == 0);
    ss_check(ss_register_command(registry, "Undo", "sessionstream.test.Nothing", handle, NULL) ==
             0);
    ss_check(ss_register_event(registry, "Do", INNER) == 0);    /* another space */
    ss_check(ss_register_ui_event(registry, "Do", INNER) == 0);
    ss_check(ss_register_timeline_projection(registry, "main", 3, project_timeline, &ctx) == 0);
    ss_check(ss_register_entity(registry, "Do", INNER, "main") == 0);
    const struct ss_type *inner = ss__schema_find(registry->schema, ss_str(INNER));
    for (int space = 0; space < SS_SPACE_COUNT; space++) {
        const struct ss_name *name =
            ss__registry_find(registry, (enum ss_name_space)space, ss_str("Do"));
        ss_check(name != NULL && name->type == inner && name->index == 0);
        ss_check(ss_str_equal(name->name, ss_str("Do")));
        ss_check((name->handler == handle && name->ctx == &ctx) == (space == SS_SPACE_COMMAND));
    }
    ss_check(ss__registry_find(registry, SS_SPACE_COMMAND, ss_str("Undo"))->index == 1);
    ss_check(ss__registry_find(registry, SS_SPACE_EVENT, ss_str("Undo")) == NULL);
    ss_check(ss__registry_find(registry, SS_SPACE_COMMAND, ss_str("do")) == NULL);
    ss_check(ss__registry_find(registry, SS_SPACE_COMMAND, ss_str("")) == NULL);
    ss_registry_free(registry);
}

SS_TEST(registry, all_names_are_stepped_through)
{
    struct ss_registry *registry = open_registry();
    uint64_t seen = 0;
    for (unsigned i = 0; i < 64; i++) {
        char name[16];
        ss_check(snprintf(name, sizeof name, "Event%u", i) > 0);
        ss_check(ss_register_event(registry, name, INNER) == 0);
        memset(name, 'x', sizeof name);    /* names are copied */
    }
    size_t at = 0;
    for (const struct ss_name *name;
         (name = ss__registry_next(registry, SS_SPACE_EVENT, &at)) != NULL;) {
        ss_check(name->index < 64 && (seen & UINT64_C(1) << name->index) == 0);
        seen |= UINT64_C(1) << name->index;
    }
    ss_check(seen == UINT64_MAX && registry->names_count[SS_SPACE_EVENT] == 64);
    ss_registry_free(registry);
}

SS_TEST(registry, a_name_is_taken_once_in_its_space)
{
    struct ss_registry *registry = open_registry();
    ss_check(ss_register_command(registry, "Do", INNER, handle, NULL) == 0);
    check_refused(registry, ss_register_command(registry, "Do", INNER, handle, NULL), SS_E_EXISTS,
                  "command \"Do\"", "already registered");
    ss_check(ss_register_event(registry, "Done", INNER) == 0);
    check_refused(registry, ss_register_event(registry, "Done", INNER), SS_E_EXISTS,
                  "event \"Done\"", "already registered");
    ss_check(ss_register_ui_event(registry, "Shown", INNER) == 0);
    ss_check(ss_registry_error(registry)[0] == '\0');
    check_refused(registry, ss_register_ui_event(registry, "Shown", INNER), SS_E_EXISTS,
                  "UI event \"Shown\"", "already registered");
    ss_registry_free(registry);
}

SS_TEST(registry, names_have_1_to_64_bytes_of_utf8)
{
    struct ss_registry *registry = open_registry();
    char name[SS_NAME_BYTES_MAX + 2];
    memset(name, 'n', sizeof name);
    name[SS_NAME_BYTES_MAX] = '\0';
    ss_check(ss_register_event(registry, name, INNER) == 0);
    ss_check(ss_register_event(registry, "\xC3\xA9v\xC3\xA9nement", INNER) == 0);
    name[SS_NAME_BYTES_MAX] = 'n';
    name[SS_NAME_BYTES_MAX + 1] = '\0';
    check_refused(registry, ss_register_event(registry, name, INNER), SS_E_INVAL, "event name",
                  "1 to 64 bytes of UTF-8");
    check_refused(registry, ss_register_event(registry, "", INNER), SS_E_INVAL, "event name \"\"",
                  "1 to 64 bytes");
    check_refused(registry, ss_register_event(registry, NULL, INNER), SS_E_INVAL, "event name",
                  "1 to 64 bytes");
    check_refused(registry, ss_register_event(registry, "\xFF", INNER), SS_E_INVAL, "event name",
                  "UTF-8");
    check_refused(registry, ss_register_command(registry, "", INNER, handle, NULL), SS_E_INVAL,
                  "command name", "1 to 64 bytes");
    ss_registry_free(registry);
}

SS_TEST(registry, types_must_be_loaded_and_have_a_schema)
{
    struct ss_registry *registry = open_registry();
    check_refused(registry, ss_register_event(registry, "E", "sessionstream.test.Missing"),
                  SS_E_UNKNOWN_TYPE, "event \"E\"", "\"sessionstream.test.Missing\"");
    check_refused(registry, ss_register_event(registry, "E", NULL), SS_E_UNKNOWN_TYPE,
                  "event \"E\"", "no loaded descriptor set");
    check_refused(registry, ss_register_event(registry, "E", "." INNER), SS_E_UNKNOWN_TYPE,
                  "event \"E\"", INNER);
    check_refused(registry, ss_register_event(registry, "E", "google.protobuf.Struct"), SS_E_INVAL,
                  "event \"E\"", "message type of your own");
    ss_check(ss__registry_find(registry, SS_SPACE_EVENT, ss_str("E")) == NULL);
    ss_check(ss_register_event(registry, "E", "google.protobuf.Timestamp") == 0);
    ss_registry_free(registry);
}

SS_TEST(registry, a_command_needs_a_handler)
{
    struct ss_registry *registry = open_registry();
    check_refused(registry, ss_register_command(registry, "Do", INNER, NULL, NULL), SS_E_INVAL,
                  "command \"Do\"", "no handler");
    ss_check(ss_register_command(registry, "Do", INNER, handle, NULL) == 0);
    ss_registry_free(registry);
}

SS_TEST(registry, there_is_one_set_of_hooks)
{
    static const struct ss_session_hooks hooks = { NULL };
    struct ss_registry *registry = open_registry();
    check_refused(registry, ss_register_session_hooks(registry, NULL, NULL), SS_E_INVAL, "hooks",
                  "NULL");
    ss_check(ss_register_session_hooks(registry, &hooks, NULL) == 0 && registry->has_hooks);
    check_refused(registry, ss_register_session_hooks(registry, &hooks, NULL), SS_E_EXISTS,
                  "hooks", "already registered");
    ss_registry_free(registry);
}

static int create_metadata(struct ss_metadata_call *call, struct ss_str session_id, void *ctx,
                           void **ret_metadata)
{
    (void)call;
    (void)session_id;
    (void)ctx;
    (void)ret_metadata;
    return 0;
}

SS_TEST(registry, there_is_one_metadata_factory)
{
    static const struct ss_metadata_ops none = { NULL, NULL };
    static const struct ss_metadata_ops ops = { create_metadata, NULL };
    struct ss_registry *registry = open_registry();
    check_refused(registry, ss_register_session_metadata(registry, NULL, NULL), SS_E_INVAL,
                  "session metadata", "create");
    check_refused(registry, ss_register_session_metadata(registry, &none, NULL), SS_E_INVAL,
                  "session metadata", "create");
    ss_check(registry->metadata.create == NULL);
    ss_check(ss_register_session_metadata(registry, &ops, registry) == 0);
    ss_check(registry->metadata.create == create_metadata && registry->metadata_ctx == registry);
    check_refused(registry, ss_register_session_metadata(registry, &ops, NULL), SS_E_EXISTS,
                  "session metadata", "already registered");
    ss_registry_free(registry);
}

SS_TEST(registry, assets_have_paths_of_their_own)
{
    static const uint8_t page[] = "<p>";
    static const char *const taken[] = { "/v1/sessions", "/v1/", "/healthz", "/readyz",
                                         "/metrics" };
    struct ss_registry *registry = open_registry();
    for (size_t i = 0; i < sizeof taken / sizeof taken[0]; i++) {
        check_refused(registry, ss_register_asset(registry, taken[i], "text/html", page, 3),
                      SS_E_EXISTS, taken[i], "belongs to the server");
    }
    check_refused(registry, ss_register_asset(registry, "page", "text/html", page, 3), SS_E_INVAL,
                  "asset path", "begin with '/'");
    check_refused(registry, ss_register_asset(registry, NULL, "text/html", page, 3), SS_E_INVAL,
                  "asset path", "begin with '/'");
    check_refused(registry, ss_register_asset(registry, "/a", NULL, page, 3), SS_E_INVAL, "\"/a\"",
                  "without type or data");
    check_refused(registry, ss_register_asset(registry, "/a", "text/html", NULL, 3), SS_E_INVAL,
                  "\"/a\"", "without type or data");
    ss_check(registry->assets == NULL);
    ss_check(ss_register_asset(registry, "/", "text/html", page, 3) == 0);
    ss_check(ss_register_asset(registry, "/empty", "text/plain", NULL, 0) == 0);
    check_refused(registry, ss_register_asset(registry, "/", "text/html", page, 3), SS_E_EXISTS,
                  "\"/\"", "already registered");
    const struct ss_asset *first = registry->assets->next;
    ss_check(ss_str_equal(first->path, ss_str("/")) && first->data.data == (const char *)page);
    ss_check(first->data.len == 3 && first->next == NULL);
    ss_registry_free(registry);
}

SS_TEST(registry, nothing_changes_once_frozen)
{
    static const struct ss_session_hooks hooks = { NULL };
    static const uint8_t page[] = "<p>";
    struct ss_registry *registry = open_registry();
    ss_check(ss_register_timeline_projection(registry, "main", 1, project_timeline, NULL) == 0);
    ss_check(ss__registry_freeze(registry) == 0);
    const int errors[] = {
        ss_registry_load_descriptors(registry, kinds_descriptor_set, kinds_descriptor_set_len),
        ss_registry_attach(registry, NULL),
        ss_register_command(registry, "Do", INNER, handle, NULL),
        ss_register_event(registry, "E", INNER),
        ss_register_ui_event(registry, "U", INNER),
        ss_register_entity(registry, "K", INNER, "main"),
        ss_register_ui_projection(registry, "ui", project_ui, NULL),
        ss_register_timeline_projection(registry, "main", 1, project_timeline, NULL),
        ss_register_session_hooks(registry, &hooks, NULL),
        ss_register_session_metadata(registry, NULL, NULL),
        ss_register_asset(registry, "/a", "text/html", page, 3),
        ss__registry_freeze(registry),
    };
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        check_refused(registry, errors[i], SS_E_FROZEN, "in use by an engine", "cannot change");
    }
    ss_check(ss__registry_find(registry, SS_SPACE_EVENT, ss_str("E")) == NULL);
    ss_registry_free(registry);
}

SS_TEST(registry, errors_of_the_schema_pass_through)
{
    struct ss_registry *registry = open_registry();
    static const uint8_t broken[] = { 0x0A, 0x05, 'a' };
    ss_check(ss_registry_load_descriptors(registry, broken, sizeof broken) == SS_E_SCHEMA);
    ss_check(ss_registry_error(registry)[0] != '\0');
    ProtobufCMessageDescriptor missing = {
        .magic = PROTOBUF_C__MESSAGE_DESCRIPTOR_MAGIC, .name = "t.Missing",
    };
    check_refused(registry, ss_registry_attach(registry, &missing), SS_E_NOTFOUND, "t.Missing", "");
    ss_check(ss_register_event(registry, "E", INNER) == 0);    /* and the old is still there */
    ss_check(ss_registry_error(registry)[0] == '\0');
    ss_registry_free(registry);
}

SS_TEST(registry, an_application_says_why_it_cannot_register)
{
    struct ss_registry *registry = open_registry();
    ss_check(ss_registry_fail(registry, SS_E_CONFIG, "no %s given", "key") == SS_E_CONFIG);
    ss_check(strcmp(ss_registry_error(registry), "no key given") == 0);
    ss_registry_free(registry);
    ss_registry_free(NULL);
}

static void watch_loaded(void *ctx, struct ss_str descriptor_set)
{
    *(size_t *)ctx += descriptor_set.len;
}

static int watched[8];
static size_t watched_count;

static void watch_named(void *ctx, enum ss_name_space space, const char *name, const char *type,
                        int err)
{
    (void)ctx;
    (void)space;
    (void)name;
    (void)type;
    ss_check(watched_count < sizeof watched / sizeof *watched);
    watched[watched_count++] = err;
}

SS_TEST(registry, a_watcher_hears_of_every_name_and_the_application_of_no_refusal)
{
    size_t loaded = 0;
    const struct ss_registry_watch watch = { &loaded, watch_loaded, watch_named };
    struct ss_registry *registry = ss_registry_new();
    ss_check(registry != NULL);
    registry->watch = &watch;
    ss_check(ss_registry_load_descriptors(registry, kinds_descriptor_set,
                                          kinds_descriptor_set_len) == 0);
    ss_check(loaded == kinds_descriptor_set_len);
    ss_check(ss_register_command(registry, "C", INNER, handle, NULL) == 0);
    ss_check(ss_register_command(registry, "C", INNER, handle, NULL) == 0);
    ss_check(ss_register_event(registry, "E", "no.such.Type") == 0);
    ss_check(ss_register_ui_event(registry, "", INNER) == 0);
    ss_check(ss_register_entity(registry, "K", INNER, "t") == 0);
    ss_check(watched_count == 5 && watched[0] == 0 && watched[1] == SS_E_EXISTS &&
             watched[2] == SS_E_UNKNOWN_TYPE && watched[3] == SS_E_INVAL && watched[4] == 0);
    ss_check(ss__registry_find(registry, SS_SPACE_COMMAND, ss_str("C"))->handler == handle);
    ss_check(ss__registry_find(registry, SS_SPACE_EVENT, ss_str("E")) == NULL);
    ss_check(ss_register_command(registry, "D", INNER, NULL, NULL) == SS_E_INVAL);
    ss_registry_free(registry);
}
