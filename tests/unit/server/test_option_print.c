#include "ss_test.h"

#include <stdio.h>
#include <string.h>

#include "server/option_file.h"
#include "server/option_print.h"

static char *print_to_text(struct ss_bytes *out)
{
    ss__bytes_byte(out, 0);
    ss_check(out->err == 0);
    return (char *)out->data;
}

SS_TEST(option_print, help_names_every_option_once_and_fits_the_terminal)
{
    struct ss_bytes out;
    ss__bytes_init(&out, 0);
    ss__option_print_help(&out);
    char *text = print_to_text(&out);
    for (int i = 0; i < SS_OPTION_COUNT; i++) {
        char flag[SS_OPTION_NAME_BYTES_MAX + 8];
        snprintf(flag, sizeof flag, "\n  --%s ", ss__options[i].name);
        const char *at = strstr(text, flag);
        ss_check_msg(at != NULL && strstr(at + 1, flag) == NULL, "%s", flag);
    }
    for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        ss_check_msg(strlen(line) <= 100, "%s", line);
    }
    ss__bytes_deinit(&out);
}

SS_TEST(option_print, help_shows_default_and_range)
{
    struct ss_bytes out;
    ss__bytes_init(&out, 0);
    ss__option_print_help(&out);
    const char *text = print_to_text(&out);
    ss_check(strstr(text, "[default auto; auto, or 1 to 256]") != NULL);
    ss_check(strstr(text, "[default 512MiB; 1MiB to 64GiB]") != NULL);
    ss_check(strstr(text, "[default 25s; 100ms to 1h]") != NULL);
    ss__bytes_deinit(&out);
}

static void set(struct ss_server_options *options, enum ss_option_id id, const char *text)
{
    struct ss_option_origin origin = { .layer = SS_LAYER_FLAG };
    ss_check(ss__server_options_set(options, id, ss_str(text), origin, NULL) == 0);
}

SS_TEST(option_print, the_printed_configuration_reads_back_the_same)
{
    struct ss_server_options options;
    struct ss_server_options back;
    struct ss_options_error error = { 0 };
    struct ss_bytes first;
    struct ss_bytes second;
    ss__bytes_init(&first, 0);
    ss__bytes_init(&second, 0);
    ss_check(ss__server_options_init(&options) == 0);
    ss_check(ss__server_options_init(&back) == 0);
    set(&options, SS_OPTION_LISTEN, "[::1]:0");
    set(&options, SS_OPTION_DATA, "a \"b\" \\ \x01 # c: \xc3\xa4");
    set(&options, SS_OPTION_SHARDS, "7");
    set(&options, SS_OPTION_DURABILITY, "interval:1500ms");
    set(&options, SS_OPTION_LOG_WINDOW, "1048577");
    set(&options, SS_OPTION_PING_INTERVAL, "1234ms");
    set(&options, SS_OPTION_SCHEMA, "x: y");
    set(&options, SS_OPTION_SCHEMA, "- z");
    set(&options, SS_OPTION_APP_OPTION, "k: 1=v=w\n");
    ss__option_print_config(&options, &first);
    ss_check(first.err == 0);
    int err = ss__option_file_parse(&back, ss__bytes_view(&first), &error);
    ss_check_msg(err == 0, "%s: %s", error.place, error.failure.text);
    ss_check(strcmp(back.data, options.data) == 0);
    ss_check(back.schemas.count == 2 && strcmp(back.schemas.items[1], "- z") == 0);
    ss_check(strcmp(back.app_options.items[0], "k: 1=v=w\n") == 0);
    memset(back.origins, 0, sizeof back.origins);
    memset(options.origins, 0, sizeof options.origins);
    memset(back.schemas.origins, 0, 2 * sizeof back.schemas.origins[0]);
    memset(options.schemas.origins, 0, 2 * sizeof back.schemas.origins[0]);
    memset(back.app_options.origins, 0, sizeof back.app_options.origins[0]);
    memset(options.app_options.origins, 0, sizeof back.app_options.origins[0]);
    ss__bytes_clear(&first);
    ss__option_print_config(&options, &first);
    ss__option_print_config(&back, &second);
    ss_check(ss_str_equal(ss__bytes_view(&first), ss__bytes_view(&second)));
    ss__server_options_deinit(&options);
    ss__server_options_deinit(&back);
    ss__bytes_deinit(&first);
    ss__bytes_deinit(&second);
}

/* U+0085, U+2028 and U+2029 end a line in YAML 1.1, others it does not take as they are. */
SS_TEST(option_print, characters_that_yaml_reads_otherwise_are_escaped)
{
    static const char *const texts[] = { "a\xC2\x85z", "a\xE2\x80\xA8z", "a\xE2\x80\xA9z",
                                         "\xEF\xBB\xBFz", "a\xC2\x80\xC2\x9Fz", "\x7F",
                                         "\xEF\xBF\xBE\xEF\xBF\xBF",
                                         "\xC2\xA0\xED\x9F\xBF\xEE\x80\x80\xF4\x8F\xBF\xBF" };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct ss_server_options options;
        struct ss_server_options back;
        struct ss_options_error error = { 0 };
        struct ss_bytes out;
        char assignment[40];
        ss__bytes_init(&out, 0);
        ss_check(ss__server_options_init(&options) == 0 && ss__server_options_init(&back) == 0);
        (void)snprintf(assignment, sizeof assignment, "k=%s", texts[i]);    /* it fits */
        set(&options, SS_OPTION_DATA, texts[i]);
        set(&options, SS_OPTION_APP_OPTION, assignment);
        options.config = strdup(texts[i]);
        for (int id = 0; id < SS_OPTION_COUNT; id++) {
            options.origins[id].layer = SS_LAYER_FILE;    /* its name is in the comments */
        }
        ss__option_print_config(&options, &out);
        int err = ss__option_file_parse(&back, ss__bytes_view(&out), &error);
        ss_check_msg(err == 0, "text %zu: %s: %s", i, error.place, error.failure.text);
        ss_check_msg(strcmp(back.data, texts[i]) == 0, "text %zu: %s", i, back.data);
        ss_check(strcmp(back.app_options.items[0], assignment) == 0);
        ss__server_options_deinit(&options);
        ss__server_options_deinit(&back);
        ss__bytes_deinit(&out);
    }
}

SS_TEST(option_print, each_value_has_its_origin)
{
    struct ss_server_options options;
    struct ss_options_error error = { 0 };
    struct ss_bytes out;
    ss__bytes_init(&out, 0);
    ss_check(ss__server_options_init(&options) == 0);
    options.config = strdup("a\nb.yaml");
    ss_check(ss__option_file_parse(&options, ss_str("gateways: 2\n"), &error) == 0);
    set(&options, SS_OPTION_SHARDS, "7");
    ss__option_print_config(&options, &out);
    const char *text = print_to_text(&out);
    ss_check(strstr(text, "shards: 7                       # --shards\n") != NULL);
    ss_check(strstr(text, "gateways: 2                     # a?b.yaml:1:11\n") != NULL);
    ss_check(strstr(text, "log_level: info                 # default\n") != NULL);
    ss__server_options_deinit(&options);
    ss__bytes_deinit(&out);
}

SS_TEST(option_print, the_reference_page_has_a_row_for_each_option)
{
    struct ss_bytes out;
    ss__bytes_init(&out, 0);
    ss__option_print_markdown(&out);
    const char *text = print_to_text(&out);
    for (int i = 0; i < SS_OPTION_COUNT; i++) {
        char row[SS_OPTION_NAME_BYTES_MAX + 8];
        snprintf(row, sizeof row, "| `--%s ", ss__options[i].name);
        ss_check_msg(strstr(text, row) != NULL, "%s", row);
    }
    ss_check(strstr(text, "`SESSIONSTREAM_LOG_LEVEL`") != NULL);
    ss__bytes_deinit(&out);
}
