#include "server/option_print.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/utf8.h"
#include "server/option_value.h"

#define HELP_COLUMN 32
#define HELP_WIDTH 92
#define ORIGIN_COLUMN 32
#define RANGE_BYTES (2 * SS_OPTION_VALUE_BYTES + 16)

static void pad(struct ss_bytes *out, size_t line_start, size_t column)
{
    do {
        ss__bytes_byte(out, ' ');
    } while (out->err == 0 && out->len - line_start < column);
}

/* ---- help ---- */

/* Appends @text from the current column on, broken at spaces, later lines indented. */
static void wrap(struct ss_bytes *out, size_t line_start, const char *text)
{
    while (*text != '\0' && out->err == 0) {
        size_t word = strcspn(text, " ");
        if (out->len - line_start + 1 + word > HELP_WIDTH) {
            ss__bytes_byte(out, '\n');
            line_start = out->len;
            pad(out, line_start, HELP_COLUMN);
        } else if (out->len - line_start > HELP_COLUMN) {
            ss__bytes_byte(out, ' ');
        }
        ss__bytes_append(out, text, word);
        text += word;
        text += strspn(text, " ");
    }
    ss__bytes_byte(out, '\n');
}

/* "1 to 256", "64KiB to 1GiB"; false for kinds without a range. */
static bool write_range(const struct ss_option *option, char *out, size_t out_bytes)
{
    char low[SS_OPTION_VALUE_BYTES];
    char high[SS_OPTION_VALUE_BYTES];
    switch (option->kind) {
    case SS_OPTION_KIND_NUMBER:
        (void)snprintf(low, sizeof low, "%" PRIu64, option->min);
        (void)snprintf(high, sizeof high, "%" PRIu64, option->max);
        break;
    case SS_OPTION_KIND_BYTES:
        ss__option_format_bytes(option->min, low);
        ss__option_format_bytes(option->max, high);
        break;
    case SS_OPTION_KIND_DURATION:
        ss__option_format_duration(option->min, low);
        ss__option_format_duration(option->max, high);
        break;
    default:
        return false;
    }
    (void)snprintf(out, out_bytes, "%s%s to %s", option->has_auto ? "auto, or " : "", low, high);
    return true;
}

static void print_option_help(struct ss_bytes *out, const struct ss_option *option)
{
    char range[RANGE_BYTES];
    char note[RANGE_BYTES + 64];
    size_t line_start = out->len;
    ss__bytes_text(out, "  --");
    ss__bytes_text(out, option->name);
    ss__bytes_byte(out, ' ');
    ss__bytes_text(out, option->placeholder);
    pad(out, line_start, HELP_COLUMN);
    wrap(out, line_start, option->help);
    bool ranged = write_range(option, range, sizeof range);
    if (!ranged && option->fallback == NULL) {
        return;
    }
    (void)snprintf(note, sizeof note, "[%s%s%s%s]", option->fallback == NULL ? "" : "default ",
                   option->fallback == NULL ? "" : option->fallback, ranged ? "; " : "",
                   ranged ? range : "");
    line_start = out->len;
    pad(out, line_start, HELP_COLUMN);
    wrap(out, line_start, note);
}

void ss__option_print_help(struct ss_bytes *out)
{
    ss__bytes_text(out, "Usage: sessionstreamd [OPTION]...\n"
                        "Serves sessions of an application over HTTP and websockets.\n\n");
    for (int i = 0; i < SS_OPTION_COUNT; i++) {
        print_option_help(out, &ss__options[i]);
    }
    ss__bytes_byte(out, '\n');
    for (size_t i = 0; i < ss__option_action_count; i++) {
        size_t line_start = out->len;
        ss__bytes_text(out, "  --");
        ss__bytes_text(out, ss__option_actions[i].name);
        pad(out, line_start, HELP_COLUMN);
        wrap(out, line_start, ss__option_actions[i].help);
    }
    ss__bytes_text(out,
                   "\nEach option is also a variable (--log-level: SESSIONSTREAM_LOG_LEVEL) and "
                   "a key of\nthe YAML file of --config (log_level). Exit status: 0 after an "
                   "orderly stop, 1 on a\nfailure, 2 on a wrong option.\n");
}

/* ---- --print-config ---- */

/* YAML 1.1 takes these as line ends or not at all (section 5.1); bytes that are no UTF-8 it cannot
 * say, and they stand as they are. */
static bool needs_escape(uint32_t code_point)
{
    return code_point < 0x20 || (code_point >= 0x7F && code_point < 0xA0) ||
           code_point == 0x2028 || code_point == 0x2029 || code_point == 0xFEFF ||
           code_point == 0xFFFE || code_point == 0xFFFF;
}

static uint32_t code_point_of(const uint8_t *at, size_t len)
{
    static const uint8_t masks[] = { 0, 0x7F, 0x1F, 0x0F, 0x07 };
    uint32_t code_point = at[0] & masks[len];
    for (size_t i = 1; i < len; i++) {
        code_point = code_point << 6 | (at[i] & 0x3F);
    }
    return code_point;
}

static void print_quoted(struct ss_bytes *out, const char *text)
{
    const uint8_t *at = (const uint8_t *)text;
    size_t left = strlen(text);
    ss__bytes_byte(out, '"');
    while (left > 0) {
        char escape[8];
        size_t len = ss__utf8_char_len(at, left);
        uint32_t code_point = len == 0 ? 0x20 : code_point_of(at, len);
        len = len == 0 ? 1 : len;
        if (needs_escape(code_point)) {
            (void)snprintf(escape, sizeof escape, "\\u%04x", code_point);    /* it fits */
            ss__bytes_text(out, escape);
        } else {
            if (*at == '"' || *at == '\\') {
                ss__bytes_byte(out, '\\');
            }
            ss__bytes_append(out, at, len);
        }
        at += len;
        left -= len;
    }
    ss__bytes_byte(out, '"');
}

static void print_origin(struct ss_bytes *out, const struct ss_server_options *options,
                         enum ss_option_id id, struct ss_option_origin origin,
                         size_t line_start)
{
    char place[512];
    ss__server_options_place(options, id, origin, place, sizeof place);
    uint8_t *at = (uint8_t *)place;
    for (size_t left = strlen(place), len; left > 0; left -= len, at += len) {
        len = ss__utf8_char_len(at, left);
        bool ends_line = len > 0 && needs_escape(code_point_of(at, len));
        len = len == 0 ? 1 : len;
        if (ends_line) {
            memset(at, '?', len);    /* a comment ends with its line */
        }
    }
    pad(out, line_start, ORIGIN_COLUMN);
    ss__bytes_text(out, "# ");
    ss__bytes_text(out, place);
    ss__bytes_byte(out, '\n');
}

static const char *text_of(const struct ss_server_options *options,
                           const struct ss_option *option)
{
    return *(char *const *)(const void *)((const char *)options + option->offset);
}

static void print_number(struct ss_bytes *out, const struct ss_server_options *options,
                         const struct ss_option *option)
{
    const void *field = (const char *)options + option->offset;
    uint64_t value = option->width == sizeof(uint32_t) ? *(const uint32_t *)field
                                                       : *(const uint64_t *)field;
    char text[SS_OPTION_VALUE_BYTES];
    if (option->has_auto && value == 0) {
        ss__bytes_text(out, "auto");
    } else if (option->kind == SS_OPTION_KIND_NUMBER) {
        ss__bytes_u64(out, value);
    } else if (option->kind == SS_OPTION_KIND_BYTES) {
        ss__option_format_bytes(value, text);
        ss__bytes_text(out, text);
    } else {
        ss__option_format_duration(value, text);
        ss__bytes_text(out, text);
    }
}

static void print_value(struct ss_bytes *out, const struct ss_server_options *options,
                        const struct ss_option *option)
{
    char text[SS_OPTION_ADDRESS_BYTES];
    switch (option->kind) {
    case SS_OPTION_KIND_TEXT:
        print_quoted(out, text_of(options, option));
        break;
    case SS_OPTION_KIND_ADDRESS:
        ss__option_format_address(options->listen_host, options->listen_port, text);
        print_quoted(out, text);
        break;
    case SS_OPTION_KIND_DURABILITY:
        ss__option_format_durability(options->engine.durability,
                                     options->engine.durability_interval_ms, text);
        ss__bytes_text(out, text);
        break;
    case SS_OPTION_KIND_POLICY:
        ss__bytes_text(out, ss__option_policy_name(
                                *(const enum ss_projection_policy *)(const void *)(
                                    (const char *)options + option->offset)));
        break;
    case SS_OPTION_KIND_VERIFY:
        ss__bytes_text(out, ss__option_verify_name(options->engine.verify));
        break;
    case SS_OPTION_KIND_LOG_LEVEL:
        ss__bytes_text(out, ss__option_log_level_name(options->log_level));
        break;
    default:
        print_number(out, options, option);
        break;
    }
}

/* "key: []", or a line for each item: "  - item" or "  key: value". */
static void print_list(struct ss_bytes *out, const struct ss_server_options *options,
                       enum ss_option_id id)
{
    const struct ss_option *option = &ss__options[id];
    const struct ss_option_list *list =
        (const void *)((const char *)options + option->offset);
    bool is_map = option->kind == SS_OPTION_KIND_MAP;
    if (list->count == 0) {
        ss__bytes_text(out, is_map ? " {}\n" : " []\n");
        return;
    }
    ss__bytes_byte(out, '\n');
    for (size_t i = 0; i < list->count && out->err == 0; i++) {
        size_t line_start = out->len;
        const char *value = list->items[i];
        ss__bytes_text(out, is_map ? "  " : "  - ");
        if (is_map) {
            char *key = strndup(value, strcspn(value, "="));
            if (key == NULL) {
                out->err = SS_E_NOMEM;
                return;
            }
            print_quoted(out, key);
            ss__bytes_text(out, ": ");
            value += strlen(key) + 1;
            free(key);
        }
        print_quoted(out, value);
        print_origin(out, options, id, list->origins[i], line_start);
    }
}

void ss__option_print_config(const struct ss_server_options *options, struct ss_bytes *out)
{
    for (int i = 0; i < SS_OPTION_COUNT && out->err == 0; i++) {
        const struct ss_option *option = &ss__options[i];
        char key[SS_OPTION_NAME_BYTES_MAX];
        if (i == SS_OPTION_CONFIG) {
            continue;    /* its contents are already in the other lines */
        }
        if (option->kind == SS_OPTION_KIND_TEXT && text_of(options, option) == NULL) {
            continue;    /* nothing that could be written there means none */
        }
        size_t line_start = out->len;
        ss__option_yaml_key(option, key);
        ss__bytes_text(out, key);
        ss__bytes_byte(out, ':');
        if (option->kind == SS_OPTION_KIND_LIST || option->kind == SS_OPTION_KIND_MAP) {
            print_list(out, options, (enum ss_option_id)i);
            continue;
        }
        ss__bytes_byte(out, ' ');
        print_value(out, options, option);
        print_origin(out, options, (enum ss_option_id)i, options->origins[i], line_start);
    }
}

/* ---- reference page ---- */

void ss__option_print_markdown(struct ss_bytes *out)
{
    ss__bytes_text(out,
                   "Each is a flag (`--log-level`), a variable (`SESSIONSTREAM_LOG_LEVEL`) and a "
                   "key of the YAML\nfile of `--config` (`log_level`). `--app-option` is a mapping "
                   "there, `app_options`, and `--config`\nis no key. A flag wins over its "
                   "variable, the variable over the file, the file over the default.\nSizes take "
                   "KiB, MiB, GiB and TiB, times ms, s and h.\n\n"
                   "| flag | meaning | default | accepted |\n"
                   "| --- | --- | --- | --- |\n");
    for (int i = 0; i < SS_OPTION_COUNT; i++) {
        const struct ss_option *option = &ss__options[i];
        char range[RANGE_BYTES];
        char row[1024];
        if (!write_range(option, range, sizeof range)) {
            (void)snprintf(range, sizeof range, "–");
        }
        (void)snprintf(row, sizeof row, "| `--%s %s` | %s | %s%s%s | %s |\n", option->name,
                       option->placeholder, option->help, option->fallback == NULL ? "" : "`",
                       option->fallback == NULL ? "–" : option->fallback,
                       option->fallback == NULL ? "" : "`", range);
        ss__bytes_text(out, row);
    }
    ss__bytes_text(out, "\n| flag | meaning |\n| --- | --- |\n");
    for (size_t i = 0; i < ss__option_action_count; i++) {
        ss__bytes_text(out, "| `--");
        ss__bytes_text(out, ss__option_actions[i].name);
        ss__bytes_text(out, "` | ");
        ss__bytes_text(out, ss__option_actions[i].help);
        ss__bytes_text(out, " |\n");
    }
}
