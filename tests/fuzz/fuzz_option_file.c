/* Configuration. The first byte says where it comes from: 'f' flags, one a line; 'e' variables, one
 * a line; anything else is a YAML file.
 *
 * A refusal has its place and a text. What is taken is within its bounds; printed as --print-config
 * does, it reads back as the same, as far as its texts are UTF-8. Files that options name are not
 * read: inputs with "config" are only read as YAML. */
#include "fuzz.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include <sessionstream/error.h>

#include "core/utf8.h"
#include "server/option_file.h"
#include "server/option_print.h"

#define WORDS_MAX 64

static bool is_same_text(const char *a, const char *b)
{
    return (a == NULL) == (b == NULL) && (a == NULL || strcmp(a, b) == 0);
}

static bool is_same_list(const struct ss_option_list *a, const struct ss_option_list *b)
{
    bool same = a->count == b->count;
    for (size_t i = 0; same && i < a->count; i++) {
        same = strcmp(a->items[i], b->items[i]) == 0;
    }
    return same;
}

static bool is_same_field(const struct ss_server_options *a, const struct ss_server_options *b,
                          const struct ss_option *option)
{
    const char *left = (const char *)a + option->offset;
    const char *right = (const char *)b + option->offset;
    switch (option->kind) {
    case SS_OPTION_KIND_TEXT:
        return is_same_text(*(char *const *)left, *(char *const *)right);
    case SS_OPTION_KIND_ADDRESS:
        return is_same_text(a->listen_host, b->listen_host) && a->listen_port == b->listen_port;
    case SS_OPTION_KIND_DURABILITY:
        return a->engine.durability == b->engine.durability &&
               a->engine.durability_interval_ms == b->engine.durability_interval_ms;
    case SS_OPTION_KIND_LOG_LEVEL:
        return a->log_level == b->log_level;
    case SS_OPTION_KIND_LIST:
    case SS_OPTION_KIND_MAP:
        return is_same_list((const struct ss_option_list *)left,
                            (const struct ss_option_list *)right);
    case SS_OPTION_KIND_NUMBER:
    case SS_OPTION_KIND_BYTES:
    case SS_OPTION_KIND_DURATION:
    case SS_OPTION_KIND_POLICY:
    case SS_OPTION_KIND_VERIFY:
        break;
    }
    return memcmp(left, right, option->width) == 0;
}

static void check_bounds(const struct ss_server_options *options)
{
    for (int i = 0; i < SS_OPTION_COUNT; i++) {
        const struct ss_option *option = &ss__options[i];
        const char *field = (const char *)options + option->offset;
        if (option->kind != SS_OPTION_KIND_NUMBER && option->kind != SS_OPTION_KIND_BYTES &&
            option->kind != SS_OPTION_KIND_DURATION) {
            continue;
        }
        uint64_t value = option->width == sizeof(uint32_t) ? *(const uint32_t *)field
                                                           : *(const uint64_t *)field;
        ss_check_msg((option->has_auto && value == 0) ||
                         (value >= option->min && value <= option->max), "--%s is %llu\n",
                     option->name, (unsigned long long)value);
    }
}

static bool is_utf8(struct ss_str text)
{
    return ss__utf8_valid(text.data, text.len);
}

/* Printed and read, nothing changes. */
static void check_printed(const struct ss_server_options *options, bool utf8)
{
    struct ss_server_options again;
    struct ss_options_error error = { 0 };
    struct ss_bytes yaml;
    ss__bytes_init(&yaml, 0);
    ss__option_print_config(options, &yaml);
    ss_check(yaml.err == 0 && ss__server_options_init(&again) == 0);
    int err = ss__option_file_parse(&again, ss__bytes_view(&yaml), &error);
    ss_check_msg(err == 0 || !utf8, "%s: %s\n%.*s\n", error.place, error.failure.text,
                 (int)yaml.len, (const char *)yaml.data);
    for (int i = 0; err == 0 && i < SS_OPTION_COUNT; i++) {
        ss_check_msg(i == SS_OPTION_CONFIG || is_same_field(options, &again, &ss__options[i]),
                     "%s changes:\n%.*s\n", ss__options[i].name, (int)yaml.len,
                     (const char *)yaml.data);
    }
    ss__server_options_deinit(&again);
    ss__bytes_deinit(&yaml);
}

static void check_refused(int err, const struct ss_options_error *error)
{
    ss_check(err == SS_E_CONFIG && error->failure.code == SS_E_CONFIG);
    ss_check(error->failure.text[0] != '\0');
    ss_check(memchr(error->place, '\0', sizeof error->place) != NULL);
}

static void check_file(struct ss_str yaml)
{
    struct ss_server_options options;
    struct ss_options_error error = { 0 };
    ss_check(ss__server_options_init(&options) == 0);
    int err = ss__option_file_parse(&options, yaml, &error);
    if (err == 0) {
        check_bounds(&options);
        check_printed(&options, true);
    } else {
        check_refused(err, &error);
        ss_check(error.place[0] != '\0');
    }
    ss__server_options_deinit(&options);
}

/* Cuts @text, which is changed, into its lines. */
static void cut(char *text, char **ret_words, size_t begin)
{
    size_t count = begin;
    char *rest = NULL;
    for (char *word = strtok_r(text, "\n", &rest); word != NULL && count + 1 < WORDS_MAX;
         word = strtok_r(NULL, "\n", &rest)) {
        ret_words[count++] = word;
    }
    ret_words[count] = NULL;
}

static void check_words(struct ss_str text, bool flags)
{
    static char program[] = "sessionstreamd";
    char *words[WORDS_MAX] = { program };
    char *none[] = { program, NULL };
    struct ss_server_options options;
    struct ss_options_error error = { 0 };
    char *copy = strndup(text.len == 0 ? "" : text.data, text.len);
    ss_check(copy != NULL && ss__server_options_init(&options) == 0);
    cut(copy, words, flags ? 1 : 0);
    int err = ss__server_options_read(&options, flags ? words : none, flags ? none + 1 : words,
                                      &error);
    if (err != 0) {
        check_refused(err, &error);
    } else if (options.action == SS_ACTION_RUN) {
        check_bounds(&options);
        check_printed(&options, is_utf8(text));
    }
    ss__server_options_deinit(&options);
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (len == 0) {
        return 0;
    }
    struct ss_str text = ss_str_of(data + 1, len - 1);
    if (data[0] != 'f' && data[0] != 'e') {
        check_file(text);
        return 0;
    }
    char *copy = strndup(text.len == 0 ? "" : text.data, text.len);
    ss_check(copy != NULL);
    if (strcasestr(copy, "config") == NULL) {
        check_words(text, data[0] == 'f');
    }
    free(copy);
    return 0;
}
