/* fake_registry.h - a registry that notes what an application registers, for tests without an
 * engine. Implements the ss_registry_* and ss_register_* functions. */
#ifndef SS_TESTS_APPS_FAKE_REGISTRY_H
#define SS_TESTS_APPS_FAKE_REGISTRY_H

#include <sessionstream/registry.h>

struct fake_registry {
    int error_at;              /* registrations until one fails with SS_E_NOMEM; -1: none does */
    char registered[4096];     /* a line "what name" for each */
    char error[256];           /* of ss_registry_fail */
    ss_command_fn *command;    /* the last of each */
    void *command_ctx;
    const char *entity_projection;
    ss_ui_fn *project_ui;
    ss_timeline_fn *project_timeline;
    const struct ss_session_hooks *hooks;
    const char *asset_type;
    struct ss_str asset;
};

extern struct fake_registry fake_registry;

#endif
