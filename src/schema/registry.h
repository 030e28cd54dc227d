/* registry.h - the frozen application as shards and gateways see it.
 *
 * Filled through include/sessionstream/registry.h by one thread; read-only after
 * ss__registry_freeze, then any thread. */
#ifndef SS_SCHEMA_REGISTRY_H
#define SS_SCHEMA_REGISTRY_H

#include <stdbool.h>

#include <sessionstream/registry.h>

#include "core/failure.h"
#include "core/map.h"
#include "schema/type.h"

enum ss_name_space { SS_SPACE_COMMAND, SS_SPACE_EVENT, SS_SPACE_UI, SS_SPACE_ENTITY,
                     SS_SPACE_COUNT };

/* One registered name; its address is its identity. */
struct ss_name {
    struct ss_str name;
    const struct ss_type *type;
    uint32_t index;              /* within its name space, from 0 */
    ss_command_fn *handler;      /* commands */
    void *ctx;
};

struct ss_asset {
    struct ss_str path;
    struct ss_str content_type;
    struct ss_str data;
    struct ss_asset *next;
    struct ss_str policy;    /* Content-Security-Policy; empty: none is sent */
};

/* For a tool that wants to see everything an application registers. Of refused names (SS_E_INVAL,
 * SS_E_EXISTS, SS_E_UNKNOWN_TYPE) the application hears nothing, so that it goes on to the next. */
struct ss_registry_watch {
    void *ctx;
    void (*loaded)(void *ctx, struct ss_str descriptor_set);
    /* @name and @type as they were given: maybe NULL. @err: 0, or why the name was refused. */
    void (*named)(void *ctx, enum ss_name_space space, const char *name, const char *type,
                  int err);
};

struct ss_registry {
    struct ss_schema *schema;
    struct ss_map names[SS_SPACE_COUNT];
    uint32_t names_count[SS_SPACE_COUNT];
    const char *ui_name;
    ss_ui_fn *ui;
    void *ui_ctx;
    const char *timeline_name;
    uint32_t timeline_version;
    ss_timeline_fn *timeline;
    void *timeline_ctx;
    const char *entity_projection;    /* named by the entity kinds; checked when frozen */
    struct ss_session_hooks hooks;
    void *hooks_ctx;
    bool has_hooks;
    struct ss_asset *assets;
    bool frozen;
    const struct ss_registry_watch *watch;    /* borrowed; NULL but in tools */
    struct ss_failure failure;
};

/* The registration of @name, or NULL. */
const struct ss_name *ss__registry_find(const struct ss_registry *registry,
                                        enum ss_name_space space, struct ss_str name);

/* Iteration as ss__map_next. */
const struct ss_name *ss__registry_next(const struct ss_registry *registry,
                                        enum ss_name_space space, size_t *at);

/* Checks that every entity kind names a registered projection and forbids changes. SS_E_INVAL. */
int ss__registry_freeze(struct ss_registry *registry);

#endif
