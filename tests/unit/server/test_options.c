#include "ss_test.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sessionstream/error.h>

#include "server/options.h"

struct fixture {
    struct ss_server_options options;
    struct ss_options_error error;
    char *argv[16];
    char *environment[16];
    char path[64];
};

static void open_fixture(struct fixture *fixture)
{
    memset(fixture, 0, sizeof *fixture);
    ss_check(ss__server_options_init(&fixture->options) == 0);
    fixture->argv[0] = (char *)(uintptr_t)"sessionstreamd";
}

static void close_fixture(struct fixture *fixture)
{
    ss__server_options_deinit(&fixture->options);
    if (fixture->path[0] != '\0') {
        ss_check(unlink(fixture->path) == 0);
    }
}

static void add(char **list, const char *text)
{
    size_t count = 0;
    while (list[count] != NULL) {
        count++;
    }
    list[count] = (char *)(uintptr_t)text;
}

static void add_flag(struct fixture *fixture, const char *text)
{
    add(fixture->argv, text);
}

static void add_variable(struct fixture *fixture, const char *text)
{
    add(fixture->environment, text);
}

static void write_file(struct fixture *fixture, const char *yaml)
{
    strcpy(fixture->path, "/tmp/ss_options_XXXXXX");
    int fd = mkstemp(fixture->path);
    ss_check(fd >= 0);
    ss_check(write(fd, yaml, strlen(yaml)) == (ssize_t)strlen(yaml));
    ss_check(close(fd) == 0);
    add_flag(fixture, "--config");
    add_flag(fixture, fixture->path);
}

static int read_all(struct fixture *fixture)
{
    return ss__server_options_read(&fixture->options, fixture->argv, fixture->environment,
                                   &fixture->error);
}

SS_TEST(options, defaults_are_those_of_the_engine)
{
    struct fixture fixture;
    struct ss_engine_options engine;
    struct ss_engine_options expected;
    open_fixture(&fixture);
    ss_check(read_all(&fixture) == 0);
    ss__server_options_engine(&fixture.options, &engine);
    ss_engine_options_init(&expected);
    ss_check(strcmp(engine.data_dir, expected.data_dir) == 0);
    ss_check(strcmp(engine.listen_host, expected.listen_host) == 0);
    engine.data_dir = expected.data_dir;
    engine.listen_host = expected.listen_host;
    ss_check(engine.shard_count == expected.shard_count);
    ss_check(engine.gateway_count == expected.gateway_count);
    ss_check(engine.listen_port == expected.listen_port);
    ss_check(engine.durability == expected.durability);
    ss_check(engine.durability_interval_ms == expected.durability_interval_ms);
    ss_check(engine.store_map_bytes == expected.store_map_bytes);
    ss_check(engine.log_window_bytes == expected.log_window_bytes);
    ss_check(engine.min_free_bytes == expected.min_free_bytes);
    ss_check(engine.session_cache_bytes == expected.session_cache_bytes);
    ss_check(engine.client_queue_bytes == expected.client_queue_bytes);
    ss_check(engine.slow_client_rounds == expected.slow_client_rounds);
    ss_check(engine.snapshot_frame_bytes == expected.snapshot_frame_bytes);
    ss_check(engine.client_frame_bytes == expected.client_frame_bytes);
    ss_check(engine.connections_max == expected.connections_max);
    ss_check(engine.subscriptions_max == expected.subscriptions_max);
    ss_check(engine.handshake_timeout_ms == expected.handshake_timeout_ms);
    ss_check(engine.ping_interval_ms == expected.ping_interval_ms);
    ss_check(engine.dead_timeout_ms == expected.dead_timeout_ms);
    ss_check(engine.stop_timeout_ms == expected.stop_timeout_ms);
    ss_check(strcmp(fixture.options.app, "chat") == 0);
    ss_check(fixture.options.log_level == SS_LOG_INFO);
    ss_check(fixture.options.action == SS_ACTION_RUN);
    close_fixture(&fixture);
}

SS_TEST(options, flags_take_their_value_in_both_forms)
{
    struct fixture fixture;
    open_fixture(&fixture);
    add_flag(&fixture, "--shards");
    add_flag(&fixture, "3");
    add_flag(&fixture, "--listen=[::1]:9000");
    add_flag(&fixture, "--data=");
    ss_check(read_all(&fixture) == SS_E_CONFIG);
    ss_check(strcmp(fixture.error.place, "--data") == 0);
    fixture.argv[4] = (char *)(uintptr_t)"--data=/x=y";
    ss_check(read_all(&fixture) == 0);
    ss_check(fixture.options.engine.shard_count == 3);
    ss_check(strcmp(fixture.options.listen_host, "::1") == 0);
    ss_check(fixture.options.listen_port == 9000);
    ss_check(strcmp(fixture.options.data, "/x=y") == 0);
    close_fixture(&fixture);
}

SS_TEST(options, a_flag_wins_over_a_variable_over_the_file_over_the_default)
{
    struct fixture fixture;
    open_fixture(&fixture);
    write_file(&fixture, "shards: 2\ngateways: 2\nlog_level: debug\n");
    add_variable(&fixture, "HOME=/");
    add_variable(&fixture, "SESSIONSTREAM_SHARDS=3");
    add_variable(&fixture, "SESSIONSTREAM_GATEWAYS=3");
    add_flag(&fixture, "--shards=4");
    ss_check(read_all(&fixture) == 0);
    const struct ss_option_origin *origins = fixture.options.origins;
    ss_check(fixture.options.engine.shard_count == 4);
    ss_check(origins[SS_OPTION_SHARDS].layer == SS_LAYER_FLAG);
    ss_check(fixture.options.engine.gateway_count == 3);
    ss_check(origins[SS_OPTION_GATEWAYS].layer == SS_LAYER_ENVIRONMENT);
    ss_check(fixture.options.log_level == SS_LOG_DEBUG);
    ss_check(origins[SS_OPTION_LOG_LEVEL].layer == SS_LAYER_FILE);
    ss_check(origins[SS_OPTION_LOG_LEVEL].line == 3);
    ss_check(origins[SS_OPTION_LOG_LEVEL].column == 12);
    ss_check(origins[SS_OPTION_APP].layer == SS_LAYER_DEFAULT);
    close_fixture(&fixture);
}

SS_TEST(options, the_file_may_be_named_by_a_variable_and_a_flag_wins)
{
    struct fixture fixture;
    open_fixture(&fixture);
    add_variable(&fixture, "SESSIONSTREAM_CONFIG=/nonexistent/a.yaml");
    ss_check(read_all(&fixture) == SS_E_CONFIG);
    ss_check(strcmp(fixture.error.place, "/nonexistent/a.yaml") == 0);
    ss_check(strstr(fixture.error.failure.text, "cannot be opened") != NULL);
    close_fixture(&fixture);
    open_fixture(&fixture);
    add_variable(&fixture, "SESSIONSTREAM_CONFIG=/nonexistent/a.yaml");
    write_file(&fixture, "shards: 5\n");
    ss_check(read_all(&fixture) == 0);
    ss_check(fixture.options.engine.shard_count == 5);
    close_fixture(&fixture);
}

SS_TEST(options, unknown_flags_are_refused_with_a_hint)
{
    struct fixture fixture;
    open_fixture(&fixture);
    add_flag(&fixture, "--shard=3");
    ss_check(read_all(&fixture) == SS_E_CONFIG);
    ss_check(strcmp(fixture.error.place, "--shard=3") == 0);
    ss_check(strstr(fixture.error.failure.text, "did you mean --shards?") != NULL);
    fixture.argv[1] = (char *)(uintptr_t)"shards";
    ss_check(read_all(&fixture) == SS_E_CONFIG);
    ss_check(strstr(fixture.error.failure.text, "not an option") != NULL);
    fixture.argv[1] = (char *)(uintptr_t)"--";
    ss_check(read_all(&fixture) == SS_E_CONFIG);
    fixture.argv[1] = (char *)(uintptr_t)"--help=yes";
    ss_check(read_all(&fixture) == SS_E_CONFIG);
    close_fixture(&fixture);
}

SS_TEST(options, a_flag_without_its_value_is_refused)
{
    struct fixture fixture;
    open_fixture(&fixture);
    add_flag(&fixture, "--shards");
    ss_check(read_all(&fixture) == SS_E_CONFIG);
    ss_check(strstr(fixture.error.failure.text, "--shards N") != NULL);
    close_fixture(&fixture);
}

SS_TEST(options, unknown_variables_with_our_prefix_are_refused)
{
    struct fixture fixture;
    open_fixture(&fixture);
    add_variable(&fixture, "SESSIONSTREAM_SHRDS=3");
    ss_check(read_all(&fixture) == SS_E_CONFIG);
    ss_check(strcmp(fixture.error.place, "SESSIONSTREAM_SHRDS") == 0);
    close_fixture(&fixture);
}

SS_TEST(options, variables_that_a_cluster_sets_for_a_service_are_none_of_ours)
{
    struct fixture fixture;
    open_fixture(&fixture);
    add_variable(&fixture, "SESSIONSTREAM_PORT=tcp://10.0.0.1:8080");
    add_variable(&fixture, "SESSIONSTREAM_PORT_8080_TCP_ADDR=10.0.0.1");
    add_variable(&fixture, "SESSIONSTREAM_SERVICE_HOST=10.0.0.1");
    add_variable(&fixture, "SESSIONSTREAM_SERVICE_PORT_HTTP=8080");
    ss_check(read_all(&fixture) == 0);
    add_variable(&fixture, "SESSIONSTREAM_PORTS=8080");
    ss_check(read_all(&fixture) == SS_E_CONFIG);
    ss_check(strcmp(fixture.error.place, "SESSIONSTREAM_PORTS") == 0);
    close_fixture(&fixture);
}

SS_TEST(options, bad_values_name_their_place_and_the_range)
{
    struct fixture fixture;
    open_fixture(&fixture);
    add_variable(&fixture, "SESSIONSTREAM_SHARDS=1000");
    ss_check(read_all(&fixture) == SS_E_CONFIG);
    ss_check(strcmp(fixture.error.place, "SESSIONSTREAM_SHARDS") == 0);
    ss_check(strstr(fixture.error.failure.text, "from 1 to 256") != NULL);
    close_fixture(&fixture);

    open_fixture(&fixture);
    add_flag(&fixture, "--client-queue=1KiB");
    ss_check(read_all(&fixture) == SS_E_CONFIG);
    ss_check(strcmp(fixture.error.place, "--client-queue") == 0);
    ss_check(strstr(fixture.error.failure.text, "64KiB to 1GiB") != NULL);
    close_fixture(&fixture);
}

SS_TEST(options, auto_is_accepted_only_where_it_means_something)
{
    struct fixture fixture;
    open_fixture(&fixture);
    add_flag(&fixture, "--shards=auto");
    add_flag(&fixture, "--store-map=auto");
    ss_check(read_all(&fixture) == 0);
    ss_check(fixture.options.engine.shard_count == 0);
    add_flag(&fixture, "--gateways=auto");
    ss_check(read_all(&fixture) == SS_E_CONFIG);
    close_fixture(&fixture);
}

SS_TEST(options, application_options_merge_by_key)
{
    struct fixture fixture;
    open_fixture(&fixture);
    write_file(&fixture, "app_options:\n  chunk_ms: 5\n  model: slow\n");
    add_variable(&fixture, "SESSIONSTREAM_APP_OPTION=model=fast,extra=1");
    add_flag(&fixture, "--app-option=chunk_ms=9");
    ss_check(read_all(&fixture) == 0);
    const struct ss_option_list *map = &fixture.options.app_options;
    ss_check(map->count == 3);
    ss_check(strcmp(map->items[0], "chunk_ms=9") == 0);
    ss_check(map->origins[0].layer == SS_LAYER_FLAG);
    ss_check(strcmp(map->items[1], "model=fast") == 0);
    ss_check(strcmp(map->items[2], "extra=1") == 0);
    add_flag(&fixture, "--app-option==1");
    ss_check(read_all(&fixture) == SS_E_CONFIG);
    ss_check(strstr(fixture.error.failure.text, "KEY=VALUE") != NULL);
    close_fixture(&fixture);
}

SS_TEST(options, a_key_that_begins_another_key_stays_its_own)
{
    struct fixture fixture;
    open_fixture(&fixture);
    add_flag(&fixture, "--app-option=chunk=1");
    add_flag(&fixture, "--app-option=chunk_ms=2");
    ss_check(read_all(&fixture) == 0);
    ss_check(fixture.options.app_options.count == 2);
    close_fixture(&fixture);
}

SS_TEST(options, a_higher_layer_replaces_a_list_and_one_layer_adds_to_it)
{
    struct fixture fixture;
    open_fixture(&fixture);
    write_file(&fixture, "schema: [a.binpb, b.binpb]\n");
    ss_check(read_all(&fixture) == 0);
    ss_check(fixture.options.schemas.count == 2);
    add_variable(&fixture, "SESSIONSTREAM_SCHEMA=c.binpb");
    add_flag(&fixture, "--schema=d.binpb");
    add_flag(&fixture, "--schema=e.binpb");
    ss_check(read_all(&fixture) == 0);
    ss_check(fixture.options.schemas.count == 2);
    ss_check(strcmp(fixture.options.schemas.items[0], "d.binpb") == 0);
    ss_check(strcmp(fixture.options.schemas.items[1], "e.binpb") == 0);
    close_fixture(&fixture);
}

SS_TEST(options, help_ignores_mistakes_elsewhere)
{
    struct fixture fixture;
    open_fixture(&fixture);
    add_variable(&fixture, "SESSIONSTREAM_NONSENSE=1");
    add_flag(&fixture, "-h");
    ss_check(read_all(&fixture) == 0);
    ss_check(fixture.options.action == SS_ACTION_HELP);
    close_fixture(&fixture);
}

SS_TEST(options, help_knows_the_application_on_either_side_of_it)
{
    for (int before = 0; before < 2; before++) {
        struct fixture fixture;
        open_fixture(&fixture);
        if (before) {
            add_flag(&fixture, "--app=./shopping.so");
        }
        add_flag(&fixture, "--help");
        if (!before) {
            add_flag(&fixture, "--app=./shopping.so");
        }
        ss_check(read_all(&fixture) == 0);
        ss_check(fixture.options.action == SS_ACTION_HELP);
        ss_check(strcmp(fixture.options.app, "./shopping.so") == 0);
        close_fixture(&fixture);
    }
}

SS_TEST(options, check_config_and_print_config_read_everything)
{
    struct fixture fixture;
    open_fixture(&fixture);
    add_flag(&fixture, "--check-config");
    add_flag(&fixture, "--shards=x");
    ss_check(read_all(&fixture) == SS_E_CONFIG);
    ss_check(fixture.options.action == SS_ACTION_CHECK_CONFIG);
    close_fixture(&fixture);
}

SS_TEST(options, the_dead_timeout_must_be_longer_than_the_ping_interval)
{
    struct fixture fixture;
    open_fixture(&fixture);
    add_flag(&fixture, "--ping-interval=60s");
    ss_check(read_all(&fixture) == SS_E_CONFIG);
    ss_check(strcmp(fixture.error.place, "--ping-interval") == 0);
    ss_check(strstr(fixture.error.failure.text, "dead-timeout (60000 ms)") != NULL);
    add_flag(&fixture, "--dead-timeout=61s");
    ss_check(read_all(&fixture) == 0);
    close_fixture(&fixture);
}
