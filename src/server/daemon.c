#include "server/daemon.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "core/clock.h"
#include "core/log.h"
#include "engine/app_settings.h"
#include "server/app_module.h"
#include "server/apps.h"
#include "server/crash.h"
#include "server/docs_site.h"
#include "server/option_value.h"
#include "server/schema_file.h"
#include "server/signals.h"

/* Room after stop_timeout_ms for the last commit, so that a normal stop never meets the limit. */
#define STOP_SLACK_S 5

struct daemon {
    const struct ss_server_options *options;
    const struct ss_app *app;
    struct ss_app_settings *settings;
    struct ss_registry *registry;
    void *app_state;
    bool app_ready;
    struct ss_engine *engine;
};

/* Connections are file descriptors; the soft limit is a leftover of select(2). */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max) {
        return;
    }
    struct rlimit raised = { .rlim_cur = limit.rlim_max, .rlim_max = limit.rlim_max };
    if (setrlimit(RLIMIT_NOFILE, &raised) != 0) {
        ss__log(SS_LOG_WARN, "cannot raise the limit of open files", "soft=%ju",
                (uintmax_t)limit.rlim_cur);
    }
}

static int open_app(struct daemon *daemon, struct ss_failure *failure)
{
    const struct ss_server_options *options = daemon->options;
    int err = ss__app_find(options->app, &daemon->app, failure);
    if (err != 0) {
        return err;
    }
    return ss__app_settings_new(daemon->app, options->app_options.items,
                                options->app_options.count, &daemon->settings, failure);
}

static int fail_init(const struct daemon *daemon, int err, struct ss_failure *failure)
{
    const char *path = daemon->options->app;
    const char *reason = ss_registry_error(daemon->registry);
    bool from_file = ss__app_module_is_path(path);
    char unknown[40];
    if (reason[0] == '\0') {
        reason = ss_error_text(err);
        if (strcmp(ss_error_name(err), "SS_E_?") == 0) {
            (void)snprintf(unknown, sizeof unknown, "its init returned %d", err);
            reason = unknown;
        }
    }
    return ss__fail(failure, err, "the application %s%s%.80s%s cannot start: %s",
                    daemon->app->name, from_file ? " (" : "", from_file ? path : "",
                    from_file ? ")" : "", reason);
}

static int fill_registry(struct daemon *daemon, struct ss_failure *failure)
{
    const struct ss_server_options *options = daemon->options;
    daemon->registry = ss_registry_new();
    if (daemon->registry == NULL) {
        return ss__fail(failure, SS_E_NOMEM, "out of memory");
    }
    for (size_t i = 0; i < options->schemas.count; i++) {
        int err = ss__schema_file_load(options->schemas.items[i], daemon->registry, failure);
        if (err != 0) {
            return err;
        }
    }
    int err = daemon->app->init(daemon->registry, daemon->settings, &daemon->app_state);
    if (err != 0) {
        return fail_init(daemon, err, failure);
    }
    daemon->app_ready = true;
    err = ss__docs_register(daemon->registry);
    if (err != 0) {
        return ss__fail(failure, err, "%s", ss_registry_error(daemon->registry));
    }
    return 0;
}

static int make_engine(struct daemon *daemon, struct ss_failure *failure)
{
    struct ss_engine_options engine_options;
    ss__server_options_engine(daemon->options, &engine_options);
    int err = ss_engine_new(&engine_options, daemon->registry, &daemon->engine);
    if (err != 0) {
        const char *reason = ss_registry_error(daemon->registry);
        return ss__fail(failure, err, "the engine refuses to start: %s",
                        reason[0] != '\0' ? reason : ss_error_text(err));
    }
    return 0;
}

static int start_engine(struct daemon *daemon, struct ss_failure *failure)
{
    int err = ss_engine_start(daemon->engine);
    if (err != 0) {
        const char *reason = ss_engine_error(daemon->engine);
        return ss__fail(failure, err, "%s", reason[0] != '\0' ? reason : ss_error_text(err));
    }
    return 0;
}

static void log_start(const struct daemon *daemon)
{
    const struct ss_server_options *options = daemon->options;
    const struct ss_engine *engine = daemon->engine;
    char address[SS_OPTION_ADDRESS_BYTES];
    char durability[SS_OPTION_VALUE_BYTES];
    char data[512];
    ss__option_format_address(options->listen_host, ss_engine_port(engine), address);
    ss__option_format_durability(options->engine.durability,
                                 options->engine.durability_interval_ms, durability);
    ss__log(SS_LOG_INFO, "started",
            "version=" SS_VERSION " url=http://%s/ app=%s data=%s shards=%" PRIu32
            " gateways=%" PRIu32 " durability=%s sessions=%" PRIu64 " recovery_ms=%" PRIu64 ".%03u",
            address, daemon->app->name, ss__log_quote(data, sizeof data, ss_str(options->data)),
            ss_engine_shard_count(engine), options->engine.gateway_count, durability,
            ss_engine_sessions_found(engine), ss_engine_recovery_us(engine) / 1000,
            (unsigned)(ss_engine_recovery_us(engine) % 1000));
    if (options->engine.durability == SS_DURABILITY_NONE) {
        ss__log(SS_LOG_WARN, "a power loss may lose acknowledged events", "durability=none");
    }
}

static void serve(struct daemon *daemon)
{
    int number = ss__signals_wait();
    uint64_t began_ns = ss__clock_monotonic_ns(&ss__system_clock);
    ss__signals_limit(daemon->options->engine.stop_timeout_ms / 1000 + STOP_SLACK_S);
    ss__log(SS_LOG_INFO, "stopping", "signal=%s", sigabbrev_np(number));
    ss_engine_stop(daemon->engine);
    ss__log(SS_LOG_INFO, "stopped", "ms=%" PRIu64,
            (ss__clock_monotonic_ns(&ss__system_clock) - began_ns) / 1000000);
}

static void close_daemon(struct daemon *daemon)
{
    ss_engine_free(daemon->engine);
    if (daemon->app_ready && daemon->app->deinit != NULL) {
        daemon->app->deinit(daemon->app_state);
    }
    ss_registry_free(daemon->registry);
    ss__app_settings_free(daemon->settings);
}

int ss__daemon_check(const struct ss_server_options *options, struct ss_failure *failure)
{
    struct daemon daemon = { .options = options };
    int err = open_app(&daemon, failure);
    if (err == 0) {
        err = fill_registry(&daemon, failure);
    }
    if (err == 0) {
        err = make_engine(&daemon, failure);    /* what has to fit together is judged here */
    }
    close_daemon(&daemon);
    return err;
}

int ss__daemon_run(const struct ss_server_options *options, struct ss_failure *failure)
{
    struct daemon daemon = { .options = options };
    ss__log_set_level(options->log_level);
    raise_descriptor_limit();
    int err = ss__signals_watch();
    if (err != 0) {
        return ss__fail(failure, err, "cannot set up signals");
    }
    err = ss__crash_watch(options->data);
    if (err != 0) {
        return ss__fail(failure, err, "cannot set up signals");
    }
    err = open_app(&daemon, failure);
    if (err == 0) {
        err = fill_registry(&daemon, failure);
    }
    if (err == 0) {
        err = make_engine(&daemon, failure);
    }
    if (err == 0) {
        err = start_engine(&daemon, failure);
    }
    if (err == 0) {
        ss__signals_serve();
        log_start(&daemon);
        serve(&daemon);
    }
    close_daemon(&daemon);
    return err;
}
