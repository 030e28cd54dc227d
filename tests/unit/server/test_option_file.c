#include "ss_test.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sessionstream/error.h>

#include "server/option_file.h"

static int parse(struct ss_server_options *options, const char *yaml,
                 struct ss_options_error *error)
{
    *error = (struct ss_options_error){ 0 };
    ss_check(ss__server_options_init(options) == 0);
    return ss__option_file_parse(options, ss_str(yaml), error);
}

static bool accepts(const char *yaml)
{
    struct ss_server_options options;
    struct ss_options_error error;
    int err = parse(&options, yaml, &error);
    ss__server_options_deinit(&options);
    return err == 0;
}

/* True if @yaml is refused at @place with a sentence that holds @part. */
static bool refused(const char *yaml, const char *place, const char *part)
{
    struct ss_server_options options;
    struct ss_options_error error;
    int err = parse(&options, yaml, &error);
    ss__server_options_deinit(&options);
    bool as_expected = err == SS_E_CONFIG && strstr(error.place, place) != NULL &&
                       strstr(error.failure.text, part) != NULL;
    if (!as_expected) {
        fprintf(stderr, "got %d at %s: %s\n", err, error.place, error.failure.text);
    }
    return as_expected;
}

SS_TEST(option_file, sets_every_kind_of_value)
{
    struct ss_server_options options;
    struct ss_options_error error;
    int err = parse(&options,
                    "# comment\n"
                    "listen: \"[::]:80\"\n"
                    "data: 'my dir'\n"
                    "durability: interval:20ms\n"
                    "log_window: 64MiB\n"
                    "dead_timeout: 90s\n"
                    "schema:\n  - a\n  - b\n"
                    "app_options: {chunk_ms: 3, note: \"a=b\"}\n",
                    &error);
    ss_check_msg(err == 0, "%s: %s", error.place, error.failure.text);
    ss_check(strcmp(options.listen_host, "::") == 0 && options.listen_port == 80);
    ss_check(strcmp(options.data, "my dir") == 0);
    ss_check(options.engine.durability == SS_DURABILITY_INTERVAL);
    ss_check(options.engine.durability_interval_ms == 20);
    ss_check(options.engine.log_window_bytes == 64u << 20);
    ss_check(options.engine.dead_timeout_ms == 90000);
    ss_check(options.schemas.count == 2 && strcmp(options.schemas.items[1], "b") == 0);
    ss_check(options.app_options.count == 2);
    ss_check(strcmp(options.app_options.items[1], "note=a=b") == 0);
    ss__server_options_deinit(&options);
}

SS_TEST(option_file, an_empty_file_is_fine)
{
    ss_check(accepts(""));
    ss_check(accepts("# nothing\n"));
    ss_check(accepts("---\n"));
    ss_check(accepts("{}\n"));
    ss_check(accepts("schema: one.binpb\n"));
    ss_check(accepts("schema: []\napp_options: {}\n"));
}

SS_TEST(option_file, names_line_and_column_of_a_bad_value)
{
    ss_check(refused("data: x\nshards: many\n", ":2:9", "from 1 to 256"));
    ss_check(refused("schema:\n  - a\n  - \"\"\n", ":3:5", "1 to 4000"));
    ss_check(refused("data: \"a\\0b\"\n", ":1:7", "NUL"));
    ss_check(refused("shards:\n", ":1:8", "from 1 to 256"));
}

SS_TEST(option_file, unknown_keys_are_refused_with_a_hint)
{
    ss_check(refused("shrds: 2\n", ":1:1", "did you mean shards?"));
    ss_check(refused("a: 1\nfoo_bar: 2\n", ":1:1", "unknown key \"a\""));
    ss_check(refused("log-level: info\n", ":1:1", "did you mean log_level?"));
    ss_check(refused("config: b.yaml\n", ":1:1", "another one"));
}

SS_TEST(option_file, a_key_counts_once)
{
    ss_check(refused("shards: 2\nshards: 3\n", ":2:1", "twice"));
    ss_check(refused("app_options:\n  a: 1\n  a: 2\n", ":3:3", "twice"));
}

SS_TEST(option_file, wrong_shapes_are_refused)
{
    ss_check(refused("- a\n", ":1:1", "key: value"));
    ss_check(refused("just text\n", ":1:1", "key: value"));
    ss_check(refused("shards: [1]\n", ":1:9", "single value"));
    ss_check(refused("shards: {a: 1}\n", ":1:9", "single value"));
    ss_check(refused("schema: {a: 1}\n", ":1:9", "single value"));
    ss_check(refused("schema: [[a]]\n", ":1:10", "single value"));
    ss_check(refused("app_options: text\n", ":1:14", "mapping"));
    ss_check(refused("app_options: [a]\n", ":1:14", "mapping"));
    ss_check(refused("app_options: {a: {b: 1}}\n", ":1:18", "single value"));
    ss_check(refused("app_options: {[a]: 1}\n", ":1:15", "single value"));
    ss_check(refused("app_options: {a=b: 1}\n", ":1:15", "'='"));
    ss_check(refused("? [a]\n: 1\n", ":1:3", "single value"));
    ss_check(refused("shards: 1\n---\nshards: 2\n", ":2:1", "one document"));
}

SS_TEST(option_file, anchors_aliases_and_tags_are_refused)
{
    ss_check(refused("shards: &a 2\n", ":1:9", "anchors"));
    ss_check(refused("shards: !!int 2\n", ":1:9", "tags"));
    ss_check(refused("app_options: &m {a: 1}\n", ":1:14", "anchors"));
    ss_check(refused("schema: !x [a]\n", ":1:9", "tags"));
    ss_check(refused("data: *a\n", ":1:7", "aliases"));
}

SS_TEST(option_file, broken_yaml_names_its_place)
{
    ss_check(refused("schema: [1\n", "configuration:", "not valid YAML"));
    ss_check(refused("data: \"x\n", "configuration:", "not valid YAML"));
    ss_check(refused("a\tb: \xff\n", "configuration:", "not valid YAML"));
}

SS_TEST(option_file, deep_nesting_is_refused_early)
{
    char yaml[4096];
    memset(yaml, '[', sizeof yaml);
    memcpy(yaml, "schema: ", 8);
    yaml[sizeof yaml - 1] = '\0';
    ss_check(refused(yaml, ":1:10", "single value"));
}

SS_TEST(option_file, a_file_over_the_limit_is_refused)
{
    char path[] = "/tmp/ss_option_file_XXXXXX";
    int fd = mkstemp(path);
    ss_check(fd >= 0 && ftruncate(fd, SS_OPTION_FILE_BYTES_MAX + 1) == 0 && close(fd) == 0);
    struct ss_server_options options;
    struct ss_options_error error = { 0 };
    ss_check(ss__server_options_init(&options) == 0);
    options.config = strdup(path);
    ss_check(ss__option_file_read(&options, &error) == SS_E_CONFIG);
    ss_check(strcmp(error.place, path) == 0);
    ss_check(strstr(error.failure.text, "larger") != NULL);
    ss__server_options_deinit(&options);
    ss_check(unlink(path) == 0);
}
