#include "server/reference.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <sessionstream/error.h>
#include <sessionstream/limits.h>

#include "http/response.h"
#include "message/metrics.h"
#include "server/apps.h"
#include "server/option_print.h"
#include "server/ssctl.h"

struct limit {
    const char *name;
    uint64_t value;
    const char *unit;
    const char *what;
    const char *reason;
};

static const struct limit limits[] = {
#define LIMIT_ROW(name, unit, what, reason) { "SS_" #name, SS_##name, unit, what, reason },
    SS_LIMIT_MAP(LIMIT_ROW)
#undef LIMIT_ROW
};

struct error_row {
    int code;
    const char *constant;
};

static const struct error_row errors[] = {
#define ERROR_ROW(name, number, wire, text) { number, "SS_E_" #name },
    SS_ERROR_MAP(ERROR_ROW)
#undef ERROR_ROW
};

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* A cell ends at a bar, a row at a line end. */
static void cell(struct ss_bytes *out, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '|') {
            ss__bytes_byte(out, '\\');
        }
        ss__bytes_byte(out, *text == '\n' ? ' ' : (uint8_t)*text);
    }
}

/* Cells of a row: one that begins with '`' is closed by another. */
static void row(struct ss_bytes *out, const char *const *cells, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        ss__bytes_text(out, i == 0 ? "| " : " | ");
        cell(out, cells[i]);
        if (cells[i][0] == '`') {
            ss__bytes_byte(out, '`');
        }
    }
    ss__bytes_text(out, " |\n");
}

#define ROW(out, ...)                                                        \
    row(out, (const char *const[]){ __VA_ARGS__ },                           \
        sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(const char *))

static void print_apps(struct ss_bytes *out)
{
    ss__bytes_text(out, "\n## Applications\n\nBuilt in, for `--app`; their options go to "
                        "`--app-option KEY=VALUE`.\n\n"
                        "| application | meaning | option | default |\n"
                        "| --- | --- | --- | --- |\n");
    for (size_t i = 0; ss__apps[i] != NULL; i++) {
        char name[80];
        const struct ss_app_option *option = ss__apps[i]->options;
        (void)snprintf(name, sizeof name, "`%s", ss__apps[i]->name);
        ROW(out, name, ss__apps[i]->summary, "–", "–");
        for (; option != NULL && option->name != NULL; option++) {
            char key[80];
            char value[80];
            (void)snprintf(key, sizeof key, "`%s", option->name);
            (void)snprintf(value, sizeof value, "`%s", option->default_value);
            ROW(out, name, option->help, key, value);
        }
    }
}

static void print_metrics(struct ss_bytes *out)
{
    ss__bytes_text(out, "\n## Metrics\n\n`GET /metrics`, in the text format of Prometheus. Each "
                        "series has the number of its shard\nor gateway as a label. What to watch "
                        "is in [Operations](operations.md#metrics-and-alerts).\n\n"
                        "| metric | meaning | type | unit | labels |\n"
                        "| --- | --- | --- | --- | --- |\n");
    for (size_t i = 0; i < ss__metrics_count; i++) {
        const struct ss_metric *metric = &ss__metrics[i];
        char name[96];
        (void)snprintf(name, sizeof name, "`" SS_METRIC_PREFIX "%s", metric->name);
        ROW(out, name, metric->help, metric->type, ss__metric_unit(metric), metric->labels);
    }
}

static void print_errors(struct ss_bytes *out)
{
    ss__bytes_text(out, "\n## Error codes\n\nThe wire code is `code` of an error frame and of a "
                        "problem document, which comes with the\nHTTP status; ssctl prints it "
                        "too. The constant and the number are those of the C interface.\n\n"
                        "| wire code | meaning | HTTP | constant | number |\n"
                        "| --- | --- | --- | --- | --- |\n");
    for (size_t i = 0; i < COUNT_OF(errors); i++) {
        char wire[64];
        char constant[64];
        char status[16];
        char number[16];
        (void)snprintf(wire, sizeof wire, "`%s", ss_error_wire_name(errors[i].code));
        (void)snprintf(constant, sizeof constant, "`%s", errors[i].constant);
        (void)snprintf(status, sizeof status, "%u", ss__http_status_of(errors[i].code));
        (void)snprintf(number, sizeof number, "%d", errors[i].code);
        ROW(out, wire, ss_error_text(errors[i].code), status, constant, number);
    }
}

/* "64 levels"; bytes in the largest unit that divides them: "1 MiB". */
static void format_limit(const struct limit *limit, char *out, size_t out_bytes)
{
    static const char *const units[] = { "bytes", "KiB", "MiB" };
    uint64_t value = limit->value;
    size_t unit = 0;
    bool bytes = strcmp(limit->unit, "bytes") == 0;
    while (bytes && unit + 1 < COUNT_OF(units) && value % 1024 == 0 && value > 0) {
        value /= 1024;
        unit++;
    }
    (void)snprintf(out, out_bytes, "%" PRIu64 " %s", value, bytes ? units[unit] : limit->unit);
}

static void print_limits(struct ss_bytes *out)
{
    ss__bytes_text(out, "\n## Limits\n\nOf `include/sessionstream/limits.h`. Where an option is "
                        "named it changes the limit.\n\n"
                        "| limit | value | of | reason |\n"
                        "| --- | --- | --- | --- |\n");
    for (size_t i = 0; i < COUNT_OF(limits); i++) {
        char name[80];
        char value[64];
        (void)snprintf(name, sizeof name, "`%s", limits[i].name);
        format_limit(&limits[i], value, sizeof value);
        ROW(out, name, value, limits[i].what, limits[i].reason);
    }
}

void ss__reference_print(struct ss_bytes *out)
{
    ss__bytes_text(out, "# Reference\n\nMade by `sessionstreamd --print-reference` from the tables "
                        "in the code; do not edit.\n\n## Options of sessionstreamd\n\n");
    ss__option_print_markdown(out);
    print_apps(out);
    ss__bytes_text(out, "\n## Commands of ssctl\n\n");
    ss__ctl_print_markdown(out);
    print_metrics(out);
    print_errors(out);
    print_limits(out);
}
