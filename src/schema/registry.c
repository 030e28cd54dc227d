#include "schema/registry.h"

#include <stdlib.h>
#include <string.h>

#include <sessionstream/limits.h>

#include "core/utf8.h"

static const char *const space_words[SS_SPACE_COUNT] = { "command", "event", "UI event",
                                                         "entity kind" };

static bool name_matches(const void *value, struct ss_str key)
{
    return ss_str_equal(((const struct ss_name *)value)->name, key);
}

struct ss_registry *ss_registry_new(void)
{
    struct ss_registry *registry = calloc(1, sizeof *registry);
    if (registry == NULL) {
        return NULL;
    }
    if (ss__schema_new(&registry->schema) != 0) {
        free(registry);
        return NULL;
    }
    for (int space = 0; space < SS_SPACE_COUNT; space++) {
        ss__map_init(&registry->names[space], name_matches);
    }
    return registry;
}

void ss_registry_free(struct ss_registry *registry)
{
    if (registry == NULL) {
        return;
    }
    for (int space = 0; space < SS_SPACE_COUNT; space++) {
        size_t at = 0;
        for (void *name; (name = ss__map_next(&registry->names[space], &at)) != NULL;) {
            free(name);
        }
        ss__map_deinit(&registry->names[space]);
    }
    while (registry->assets != NULL) {
        struct ss_asset *next = registry->assets->next;
        free(registry->assets);
        registry->assets = next;
    }
    ss__schema_free(registry->schema);
    free(registry);
}

const char *ss_registry_error(const struct ss_registry *registry)
{
    return registry->failure.text;
}

int ss_registry_fail(struct ss_registry *registry, int err, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)ss__vfail(&registry->failure, err, format, args);
    va_end(args);
    return err;
}

int ss__registry_check_open(struct ss_registry *registry)
{
    registry->failure = (struct ss_failure){ 0 };
    if (registry->frozen) {
        return ss__fail(&registry->failure, SS_E_FROZEN,
                        "the registry is in use by an engine and cannot change any more");
    }
    return 0;
}

int ss_registry_load_descriptors(struct ss_registry *registry, const uint8_t *set, size_t len)
{
    int err = ss__registry_check_open(registry);
    if (err == 0) {
        err = ss__schema_load(registry->schema, set, len, &registry->failure);
    }
    if (err == 0 && registry->watch != NULL) {
        registry->watch->loaded(registry->watch->ctx, ss_str_of(set, len));
    }
    return err;
}

int ss_registry_attach(struct ss_registry *registry, const ProtobufCMessageDescriptor *generated)
{
    int err = ss__registry_check_open(registry);
    return err != 0 ? err : ss__schema_attach(registry->schema, generated, &registry->failure);
}

static int check_name(struct ss_registry *registry, enum ss_name_space space, const char *name)
{
    size_t len = name == NULL ? 0 : strlen(name);
    if (len == 0 || len > SS_NAME_BYTES_MAX || !ss__utf8_valid(name, len)) {
        return ss__fail(&registry->failure, SS_E_INVAL,
                        "%s name \"%s\" must be 1 to %d bytes of UTF-8", space_words[space],
                        name == NULL ? "" : name, SS_NAME_BYTES_MAX);
    }
    if (ss__registry_find(registry, space, ss_str(name)) != NULL) {
        return ss__fail(&registry->failure, SS_E_EXISTS, "%s \"%s\" is already registered",
                        space_words[space], name);
    }
    return 0;
}

static int find_type(struct ss_registry *registry, enum ss_name_space space, const char *name,
                     const char *type_name, const struct ss_type **ret_type)
{
    const struct ss_type *type = ss__schema_find(registry->schema, ss_str(type_name));
    if (type == NULL) {
        return ss__fail(&registry->failure, SS_E_UNKNOWN_TYPE,
                        "%s \"%s\": type \"%s\" is in no loaded descriptor set",
                        space_words[space], name, type_name == NULL ? "" : type_name);
    }
    if (strcmp(type_name, "google.protobuf.Struct") == 0) {
        return ss__fail(&registry->failure, SS_E_INVAL,
                        "%s \"%s\": google.protobuf.Struct has no schema to check; use a message "
                        "type of your own",
                        space_words[space], name);
    }
    *ret_type = type;
    return 0;
}

static int put_name(struct ss_registry *registry, enum ss_name_space space, const char *name,
                    const char *type_name, struct ss_name **ret_name)
{
    const struct ss_type *type = NULL;
    int err = ss__registry_check_open(registry);
    if (err == 0) {
        err = check_name(registry, space, name);
    }
    if (err == 0) {
        err = find_type(registry, space, name, type_name, &type);
    }
    if (err != 0) {
        return err;
    }
    size_t len = strlen(name);
    struct ss_name *entry = calloc(1, sizeof *entry + len + 1);
    if (entry == NULL) {
        return ss__fail(&registry->failure, SS_E_NOMEM, "out of memory");
    }
    char *copy = (char *)(entry + 1);
    memcpy(copy, name, len);
    entry->name = ss_str_of(copy, len);
    entry->type = type;
    entry->index = registry->names_count[space];
    err = ss__map_put(&registry->names[space], ss__map_hash(entry->name), entry);
    if (err != 0) {
        free(entry);
        return ss__fail(&registry->failure, err, "out of memory");
    }
    registry->names_count[space]++;
    *ret_name = entry;
    return 0;
}

/* *@ret_name may stay NULL: see struct ss_registry_watch. */
static int add_name(struct ss_registry *registry, enum ss_name_space space, const char *name,
                    const char *type_name, struct ss_name **ret_name)
{
    int err = put_name(registry, space, name, type_name, ret_name);
    if (registry->watch == NULL || err == SS_E_FROZEN || err == SS_E_NOMEM) {
        return err;
    }
    registry->watch->named(registry->watch->ctx, space, name, type_name, err);
    return 0;
}

int ss_register_command(struct ss_registry *registry, const char *name, const char *type,
                        ss_command_fn *handler, void *ctx)
{
    if (handler == NULL) {
        return ss__fail(&registry->failure, SS_E_INVAL, "command \"%s\" has no handler",
                        name == NULL ? "" : name);
    }
    struct ss_name *entry = NULL;
    int err = add_name(registry, SS_SPACE_COMMAND, name, type, &entry);
    if (entry != NULL) {
        entry->handler = handler;
        entry->ctx = ctx;
    }
    return err;
}

int ss_register_event(struct ss_registry *registry, const char *name, const char *type)
{
    struct ss_name *entry = NULL;
    return add_name(registry, SS_SPACE_EVENT, name, type, &entry);
}

int ss_register_ui_event(struct ss_registry *registry, const char *name, const char *type)
{
    struct ss_name *entry = NULL;
    return add_name(registry, SS_SPACE_UI, name, type, &entry);
}

int ss_register_entity(struct ss_registry *registry, const char *kind, const char *type,
                       const char *projection)
{
    if (projection == NULL || projection[0] == '\0') {
        return ss__fail(&registry->failure, SS_E_INVAL,
                        "entity kind \"%s\" names no timeline projection",
                        kind == NULL ? "" : kind);
    }
    struct ss_name *entry = NULL;
    int err = add_name(registry, SS_SPACE_ENTITY, kind, type, &entry);
    if (entry != NULL) {
        entry->projection = projection;
    }
    return err;
}

int ss_register_session_hooks(struct ss_registry *registry, const struct ss_session_hooks *hooks,
                              void *ctx)
{
    int err = ss__registry_check_open(registry);
    if (err != 0) {
        return err;
    }
    if (hooks == NULL) {
        return ss__fail(&registry->failure, SS_E_INVAL, "session hooks are NULL");
    }
    if (registry->has_hooks) {
        return ss__fail(&registry->failure, SS_E_EXISTS, "session hooks are already registered");
    }
    registry->hooks = *hooks;
    registry->hooks_ctx = ctx;
    registry->has_hooks = true;
    return 0;
}

int ss_register_session_metadata(struct ss_registry *registry, const struct ss_metadata_ops *ops,
                                 void *ctx)
{
    int err = ss__registry_check_open(registry);
    if (err != 0) {
        return err;
    }
    if (ops == NULL || ops->create == NULL) {
        return ss__fail(&registry->failure, SS_E_INVAL, "session metadata has no create");
    }
    if (registry->metadata.create != NULL) {
        return ss__fail(&registry->failure, SS_E_EXISTS, "session metadata is already registered");
    }
    registry->metadata = *ops;
    registry->metadata_ctx = ctx;
    return 0;
}

static int check_asset_path(struct ss_registry *registry, const char *path)
{
    static const char *const taken[] = { "/v1/", "/healthz", "/readyz", "/metrics" };
    if (path == NULL || path[0] != '/') {
        return ss__fail(&registry->failure, SS_E_INVAL, "asset path must begin with '/'");
    }
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++) {
        if (strncmp(path, taken[i], strlen(taken[i])) == 0) {
            return ss__fail(&registry->failure, SS_E_EXISTS,
                            "asset path \"%s\" belongs to the server", path);
        }
    }
    for (const struct ss_asset *at = registry->assets; at != NULL; at = at->next) {
        if (ss_str_equal(at->path, ss_str(path))) {
            return ss__fail(&registry->failure, SS_E_EXISTS,
                            "asset path \"%s\" is already registered", path);
        }
    }
    return 0;
}

int ss_register_asset(struct ss_registry *registry, const char *path, const char *content_type,
                      const uint8_t *data, size_t len)
{
    int err = ss__registry_check_open(registry);
    if (err == 0) {
        err = check_asset_path(registry, path);
    }
    if (err != 0) {
        return err;
    }
    if (content_type == NULL || (data == NULL && len > 0)) {
        return ss__fail(&registry->failure, SS_E_INVAL, "asset \"%s\" without type or data", path);
    }
    struct ss_asset *asset = malloc(sizeof *asset);
    if (asset == NULL) {
        return ss__fail(&registry->failure, SS_E_NOMEM, "out of memory");
    }
    *asset = (struct ss_asset){ ss_str(path), ss_str(content_type), ss_str_of(data, len),
                                registry->assets, ss_str(NULL) };
    registry->assets = asset;
    return 0;
}

const struct ss_name *ss__registry_find(const struct ss_registry *registry,
                                        enum ss_name_space space, struct ss_str name)
{
    return ss__map_get(&registry->names[space], ss__map_hash(name), name);
}

const struct ss_name *ss__registry_next(const struct ss_registry *registry,
                                        enum ss_name_space space, size_t *at)
{
    return ss__map_next(&registry->names[space], at);
}

int ss__registry_freeze(struct ss_registry *registry)
{
    int err = ss__registry_check_open(registry);
    if (err != 0) {
        return err;
    }
    err = ss__registry_own_kinds(registry);
    if (err != 0) {
        return err;
    }
    registry->frozen = true;
    return 0;
}
