#include "server/options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/option_file.h"
#include "server/option_value.h"

static int set_text(char **field, struct ss_str text)
{
    char *copy = strndup(text.data, text.len);
    if (copy == NULL) {
        return SS_E_NOMEM;
    }
    free(*field);
    *field = copy;
    return 0;
}

static void clear_list(struct ss_option_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        free(list->items[i]);
    }
    free(list->items);
    free(list->origins);
    *list = (struct ss_option_list){ 0 };
}

static int append_item(struct ss_option_list *list, struct ss_str text,
                       struct ss_option_origin origin)
{
    char **items = reallocarray(list->items, list->count + 1, sizeof *items);
    if (items != NULL) {
        list->items = items;
    }
    struct ss_option_origin *origins =
        reallocarray(list->origins, list->count + 1, sizeof *origins);
    if (origins != NULL) {
        list->origins = origins;
    }
    char *copy = strndup(text.data, text.len);
    if (items == NULL || origins == NULL || copy == NULL) {
        free(copy);
        return SS_E_NOMEM;
    }
    list->items[list->count] = copy;
    list->origins[list->count] = origin;
    list->count++;
    return 0;
}

static int set_list_item(struct ss_option_list *list, struct ss_str text,
                         struct ss_option_origin origin)
{
    if (list->count > 0 && list->origins[0].layer < origin.layer) {
        clear_list(list);
    }
    return append_item(list, text, origin);
}

static int set_map_item(struct ss_option_list *map, struct ss_str text,
                        struct ss_option_origin origin, struct ss_failure *failure)
{
    const char *equals = memchr(text.data, '=', text.len);
    if (equals == NULL || equals == text.data) {
        return ss__fail(failure, SS_E_CONFIG, "\"%.*s\" is not KEY=VALUE",
                        (int)(text.len < 60 ? text.len : 60), text.data);
    }
    size_t key_len = (size_t)(equals - text.data) + 1;
    for (size_t i = 0; i < map->count; i++) {
        if (strncmp(map->items[i], text.data, key_len) == 0) {
            map->origins[i] = origin;
            return set_text(&map->items[i], text);
        }
    }
    return append_item(map, text, origin);
}

static int check_text(const struct ss_option *option, struct ss_str text,
                      struct ss_failure *failure)
{
    if (text.len < option->min || text.len > option->max) {
        return ss__fail(failure, SS_E_CONFIG, "needs a value of %llu to %llu bytes",
                        (unsigned long long)option->min, (unsigned long long)option->max);
    }
    if (memchr(text.data, '\0', text.len) != NULL) {
        return ss__fail(failure, SS_E_CONFIG, "may not contain a NUL character");
    }
    return 0;
}

static int set_address(struct ss_server_options *options, struct ss_str text,
                       struct ss_failure *failure)
{
    struct ss_str host;
    uint16_t port;
    int err = ss__option_parse_address(text, &host, &port, failure);
    if (err == 0) {
        err = set_text(&options->listen_host, host);
    }
    if (err == 0) {
        options->listen_port = port;
    }
    return err;
}

static int set_number(const struct ss_option *option, struct ss_str text, void *field,
                      struct ss_failure *failure)
{
    uint64_t value = 0;
    int err = 0;
    if (option->has_auto && ss_str_equal(text, ss_str("auto"))) {
        value = 0;
    } else if (option->kind == SS_OPTION_KIND_NUMBER) {
        err = ss__option_parse_number(text, option->min, option->max, &value, failure);
    } else if (option->kind == SS_OPTION_KIND_BYTES) {
        err = ss__option_parse_bytes(text, option->min, option->max, &value, failure);
    } else {
        err = ss__option_parse_duration(text, option->min, option->max, &value, failure);
    }
    if (err != 0) {
        return err;
    }
    if (option->width == sizeof(uint32_t)) {
        *(uint32_t *)field = (uint32_t)value;
    } else {
        *(uint64_t *)field = value;
    }
    return 0;
}

static int set_value(struct ss_server_options *options, const struct ss_option *option,
                     struct ss_str text, struct ss_option_origin origin,
                     struct ss_failure *failure)
{
    void *field = (char *)options + option->offset;
    int err;
    switch (option->kind) {
    case SS_OPTION_KIND_TEXT:
        err = check_text(option, text, failure);
        return err != 0 ? err : set_text(field, text);
    case SS_OPTION_KIND_LIST:
        err = check_text(option, text, failure);
        return err != 0 ? err : set_list_item(field, text, origin);
    case SS_OPTION_KIND_MAP:
        err = check_text(option, text, failure);
        return err != 0 ? err : set_map_item(field, text, origin, failure);
    case SS_OPTION_KIND_ADDRESS:
        return set_address(options, text, failure);
    case SS_OPTION_KIND_NUMBER:
    case SS_OPTION_KIND_BYTES:
    case SS_OPTION_KIND_DURATION:
        return set_number(option, text, field, failure);
    case SS_OPTION_KIND_DURABILITY:
        return ss__option_parse_durability(text, &options->engine.durability,
                                           &options->engine.durability_interval_ms, failure);
    case SS_OPTION_KIND_POLICY:
        return ss__option_parse_policy(text, (enum ss_projection_policy)option->max, field,
                                       failure);
    case SS_OPTION_KIND_VERIFY:
        return ss__option_parse_verify(text, &options->engine.verify, failure);
    case SS_OPTION_KIND_LOG_LEVEL:
        return ss__option_parse_log_level(text, &options->log_level, failure);
    }
    return SS_E_INTERNAL;
}

int ss__server_options_set(struct ss_server_options *options, enum ss_option_id id,
                           struct ss_str text, struct ss_option_origin origin,
                           struct ss_failure *failure)
{
    int err = set_value(options, &ss__options[id], text, origin, failure);
    if (err == SS_E_NOMEM) {
        return ss__fail(failure, err, "out of memory");
    }
    if (err == 0) {
        options->origins[id] = origin;
    }
    return err;
}

int ss__server_options_init(struct ss_server_options *options)
{
    *options = (struct ss_server_options){ .log_level = SS_LOG_INFO };
    ss_engine_options_init(&options->engine);
    for (int i = 0; i < SS_OPTION_COUNT; i++) {
        if (ss__options[i].fallback == NULL) {
            continue;
        }
        int err = ss__server_options_set(options, (enum ss_option_id)i,
                                         ss_str(ss__options[i].fallback),
                                         (struct ss_option_origin){ 0 }, NULL);
        if (err != 0) {
            ss__server_options_deinit(options);
            return err;
        }
    }
    return 0;
}

void ss__server_options_deinit(struct ss_server_options *options)
{
    free(options->listen_host);
    free(options->data);
    free(options->app);
    free(options->backup_dir);
    free(options->config);
    clear_list(&options->app_options);
    clear_list(&options->schemas);
    *options = (struct ss_server_options){ 0 };
}

/* ---- flags ---- */

struct flag {
    int id;          /* option, or -1: an action */
    int action;
    struct ss_str value;
};

static int unknown_flag(const char *arg, struct ss_str name, struct ss_options_error *ret_error)
{
    const char *nearest = ss__option_nearest(name);
    (void)snprintf(ret_error->place, sizeof ret_error->place, "%s", arg);
    if (nearest != NULL) {
        return ss__fail(&ret_error->failure, SS_E_CONFIG,
                        "unknown option, did you mean --%s? --help lists all", nearest);
    }
    return ss__fail(&ret_error->failure, SS_E_CONFIG, "unknown option, --help lists all");
}

static bool find_action(struct ss_str name, int *ret_action)
{
    for (size_t i = 0; i < ss__option_action_count; i++) {
        if (ss_str_equal(ss_str(ss__option_actions[i].name), name)) {
            *ret_action = ss__option_actions[i].action;
            return true;
        }
    }
    return false;
}

/* Reads the argument at argv[*at] and moves behind it and its value. */
static int next_flag(char *const *argv, size_t *at, struct flag *ret_flag,
                     struct ss_options_error *ret_error)
{
    const char *arg = argv[(*at)++];
    struct flag flag = { .id = -1 };
    if (strcmp(arg, "-h") == 0) {
        arg = "--help";
    }
    if (strncmp(arg, "--", 2) != 0 || arg[2] == '\0') {
        (void)snprintf(ret_error->place, sizeof ret_error->place, "%s", arg);
        return ss__fail(&ret_error->failure, SS_E_CONFIG,
                        "not an option; options begin with --, see --help");
    }
    const char *equals = strchr(arg, '=');
    size_t name_len = equals == NULL ? strlen(arg) - 2 : (size_t)(equals - arg) - 2;
    struct ss_str name = ss_str_of(arg + 2, name_len);
    if (equals == NULL && find_action(name, &flag.action)) {
        *ret_flag = flag;
        return 0;
    }
    flag.id = ss__option_by_flag(name);
    if (flag.id < 0) {
        return unknown_flag(arg, name, ret_error);
    }
    if (equals != NULL) {
        flag.value = ss_str(equals + 1);
    } else if (argv[*at] != NULL) {
        flag.value = ss_str(argv[(*at)++]);
    } else {
        (void)snprintf(ret_error->place, sizeof ret_error->place, "%s", arg);
        return ss__fail(&ret_error->failure, SS_E_CONFIG, "needs a value: %s %s", arg,
                        ss__options[flag.id].placeholder);
    }
    *ret_flag = flag;
    return 0;
}

static int place_failure(struct ss_server_options *options, enum ss_option_id id,
                         struct ss_option_origin origin, int err,
                         struct ss_options_error *ret_error)
{
    if (err != 0) {
        ss__server_options_place(options, id, origin, ret_error->place,
                                 sizeof ret_error->place);
    }
    return err;
}

/* Sets one option; a failure gets its place. */
static int set_placed(struct ss_server_options *options, enum ss_option_id id, struct ss_str text,
                      enum ss_option_layer layer, struct ss_options_error *ret_error)
{
    struct ss_option_origin origin = { .layer = layer };
    int err = ss__server_options_set(options, id, text, origin, &ret_error->failure);
    return place_failure(options, id, origin, err, ret_error);
}

/* First pass: is every flag well-formed, what is to be done, which file is to be read, and for
 * --help: which application? */
static int scan_flags(struct ss_server_options *options, char *const *argv,
                      struct ss_options_error *ret_error)
{
    for (size_t at = 1; argv[at] != NULL;) {
        struct flag flag = { 0 };
        int err = next_flag(argv, &at, &flag, ret_error);
        if (err != 0) {
            return err;
        }
        if (flag.id < 0) {
            if (options->action == SS_ACTION_RUN) {
                options->action = (enum ss_server_action)flag.action;
            }
        } else if (flag.id == SS_OPTION_CONFIG || flag.id == SS_OPTION_APP) {
            err = set_placed(options, (enum ss_option_id)flag.id, flag.value, SS_LAYER_FLAG,
                             ret_error);
            if (err != 0) {
                return err;
            }
        }
    }
    return 0;
}

static int apply_flags(struct ss_server_options *options, char *const *argv,
                       struct ss_options_error *ret_error)
{
    for (size_t at = 1; argv[at] != NULL;) {
        struct flag flag = { 0 };
        int err = next_flag(argv, &at, &flag, ret_error);
        if (err == 0 && flag.id >= 0) {
            err = set_placed(options, (enum ss_option_id)flag.id, flag.value, SS_LAYER_FLAG,
                             ret_error);
        }
        if (err != 0) {
            return err;
        }
    }
    return 0;
}

/* ---- environment ---- */

/* Sets each part of "a,b,c"; an empty text gives none. */
static int apply_parts(struct ss_server_options *options, enum ss_option_id id,
                       struct ss_str text, struct ss_options_error *ret_error)
{
    while (text.len > 0) {
        const char *comma = memchr(text.data, ',', text.len);
        size_t len = comma == NULL ? text.len : (size_t)(comma - text.data);
        int err = set_placed(options, id, ss_str_of(text.data, len), SS_LAYER_ENVIRONMENT,
                             ret_error);
        if (err != 0 || comma == NULL) {
            return err;
        }
        text = ss_str_of(text.data + len + 1, text.len - len - 1);
    }
    return 0;
}

static int apply_variable(struct ss_server_options *options, enum ss_option_id id,
                          struct ss_str value, struct ss_options_error *ret_error)
{
    enum ss_option_kind kind = ss__options[id].kind;
    if (kind == SS_OPTION_KIND_LIST || kind == SS_OPTION_KIND_MAP) {
        return apply_parts(options, id, value, ret_error);
    }
    return set_placed(options, id, value, SS_LAYER_ENVIRONMENT, ret_error);
}

/* What a cluster sets for its services: one called "sessionstream" would look like ours. */
static bool is_of_a_service(struct ss_str name)
{
    static const char *const begins[] = { "SERVICE_HOST", "SERVICE_PORT", "PORT_" };
    struct ss_str rest = ss_str_of(name.data + strlen(SS_OPTION_ENVIRONMENT_PREFIX),
                                   name.len - strlen(SS_OPTION_ENVIRONMENT_PREFIX));
    bool found = ss_str_equal(rest, ss_str("PORT"));
    for (size_t i = 0; i < sizeof begins / sizeof *begins; i++) {
        size_t len = strlen(begins[i]);
        found = found || (rest.len >= len && memcmp(rest.data, begins[i], len) == 0);
    }
    return found;
}

/* With @only_config the variable of --config and the names of all others, else the rest. */
static int apply_environment(struct ss_server_options *options, char *const *environment,
                             bool only_config, struct ss_options_error *ret_error)
{
    const size_t prefix_len = strlen(SS_OPTION_ENVIRONMENT_PREFIX);
    for (; *environment != NULL; environment++) {
        const char *equals = strchr(*environment, '=');
        if (strncmp(*environment, SS_OPTION_ENVIRONMENT_PREFIX, prefix_len) != 0 ||
            equals == NULL) {
            continue;
        }
        struct ss_str name = ss_str_of(*environment, (size_t)(equals - *environment));
        int id = ss__option_by_environment(name);
        if (id < 0 && is_of_a_service(name)) {
            continue;
        }
        if (id < 0) {
            (void)snprintf(ret_error->place, sizeof ret_error->place, "%.*s", (int)name.len,
                           name.data);
            return ss__fail(&ret_error->failure, SS_E_CONFIG,
                            "unknown variable; unset it or see --help for the names");
        }
        if ((id == SS_OPTION_CONFIG) != only_config ||
            (only_config && options->config != NULL)) {
            continue;
        }
        int err = apply_variable(options, (enum ss_option_id)id, ss_str(equals + 1), ret_error);
        if (err != 0) {
            return err;
        }
    }
    return 0;
}

/* ---- all of it ---- */

int ss__server_options_read(struct ss_server_options *options, char *const *argv,
                            char *const *environment, struct ss_options_error *ret_error)
{
    *ret_error = (struct ss_options_error){ 0 };
    int err = scan_flags(options, argv, ret_error);
    if (err != 0) {
        return err;
    }
    if (options->action == SS_ACTION_HELP || options->action == SS_ACTION_VERSION ||
        options->action == SS_ACTION_PRINT_REFERENCE) {
        return 0;
    }
    err = apply_environment(options, environment, true, ret_error);
    if (err == 0 && options->config != NULL) {
        err = ss__option_file_read(options, ret_error);
    }
    if (err == 0) {
        err = apply_environment(options, environment, false, ret_error);
    }
    if (err == 0) {
        err = apply_flags(options, argv, ret_error);
    }
    if (err == 0) {
        err = ss__server_options_check(options, ret_error);
    }
    return err;
}

int ss__server_options_check(const struct ss_server_options *options,
                             struct ss_options_error *ret_error)
{
    const struct ss_engine_options *engine = &options->engine;
    if (engine->dead_timeout_ms <= engine->ping_interval_ms) {
        enum ss_option_id later = options->origins[SS_OPTION_PING_INTERVAL].layer >
                                          options->origins[SS_OPTION_DEAD_TIMEOUT].layer
                                      ? SS_OPTION_PING_INTERVAL
                                      : SS_OPTION_DEAD_TIMEOUT;
        ss__server_options_place(options, later, options->origins[later], ret_error->place,
                                 sizeof ret_error->place);
        return ss__fail(&ret_error->failure, SS_E_CONFIG,
                        "dead-timeout (%u ms) must be longer than ping-interval (%u ms)",
                        engine->dead_timeout_ms, engine->ping_interval_ms);
    }
    return 0;
}

void ss__server_options_place(const struct ss_server_options *options, enum ss_option_id id,
                              struct ss_option_origin origin, char *out, size_t out_bytes)
{
    char variable[SS_OPTION_NAME_BYTES_MAX];
    switch (origin.layer) {
    case SS_LAYER_FLAG:
        (void)snprintf(out, out_bytes, "--%s", ss__options[id].name);
        return;
    case SS_LAYER_ENVIRONMENT:
        ss__option_environment_name(&ss__options[id], variable);
        (void)snprintf(out, out_bytes, "%s", variable);
        return;
    case SS_LAYER_FILE:
        (void)snprintf(out, out_bytes, "%s:%zu:%zu",
                       options->config == NULL ? "configuration" : options->config, origin.line,
                       origin.column);
        return;
    case SS_LAYER_DEFAULT:
        (void)snprintf(out, out_bytes, "default");
        return;
    }
}

void ss__server_options_engine(const struct ss_server_options *options,
                               struct ss_engine_options *ret_engine)
{
    *ret_engine = options->engine;
    ret_engine->data_dir = options->data;
    ret_engine->listen_host = options->listen_host;
    ret_engine->listen_port = options->listen_port;
    ret_engine->backup_dir = options->backup_dir;
}
