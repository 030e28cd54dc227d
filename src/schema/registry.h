/* registry.h - the frozen application as shards and gateways see it.
 *
 * Filled through include/sessionstream/registry.h by one thread; read-only after
 * ss__registry_freeze, then any thread. */
#ifndef SS_SCHEMA_REGISTRY_H
#define SS_SCHEMA_REGISTRY_H

#include <stdbool.h>

#include <sessionstream/metadata.h>
#include <sessionstream/observer.h>
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
    const char *projection;      /* entity kinds: its owner */
    uint32_t timeline;           /* the same as index in registry->timelines, once frozen */
};

struct ss_ui_projection {
    const char *name;            /* borrowed, as below */
    ss_ui_fn *project;
    void *ctx;
};

struct ss_timeline_projection {
    const char *name;
    uint32_t version;
    ss_timeline_fn *project;
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
    struct ss_ui_projection uis[SS_PROJECTIONS_MAX];    /* in order of registration */
    uint32_t uis_count;
    struct ss_timeline_projection timelines[SS_PROJECTIONS_MAX];
    uint32_t timelines_count;
    struct ss_session_hooks hooks;
    void *hooks_ctx;
    bool has_hooks;
    struct ss_metadata_ops metadata;  /* create NULL: none */
    void *metadata_ctx;
    struct ss_asset *assets;
    bool frozen;
    struct ss_observer observers[SS_OBSERVERS_MAX];
    uint32_t observers_count;
    bool observes_pipeline;           /* some observer does */
    bool observes_transport;
    const struct ss_registry_watch *watch;    /* borrowed; NULL but in tools */
    struct ss_failure failure;
};

/* The registration of @name, or NULL. */
const struct ss_name *ss__registry_find(const struct ss_registry *registry,
                                        enum ss_name_space space, struct ss_str name);

/* Iteration as ss__map_next. */
const struct ss_name *ss__registry_next(const struct ss_registry *registry,
                                        enum ss_name_space space, size_t *at);

/* 0, or SS_E_FROZEN; forgets the last failure. */
int ss__registry_check_open(struct ss_registry *registry);

/* Index of a timeline projection, or -1. */
int ss__registry_timeline(const struct ss_registry *registry, struct ss_str name);

/* Gives every entity kind its owner's index. SS_E_INVAL: one is not registered. */
int ss__registry_own_kinds(struct ss_registry *registry);

/* Checks that every entity kind names a registered projection and forbids changes. SS_E_INVAL. */
int ss__registry_freeze(struct ss_registry *registry);

#endif
