#include "server/reference.h"

#include <stdio.h>
#include <string.h>

#include <sessionstream/error.h>

#include "message/metrics.h"
#include "server/option_table.h"
#include "ss_test.h"

static const char *const constants[] = {
#define ERROR_CONSTANT(name, number, wire, text) "`SS_E_" #name "`",
    SS_ERROR_MAP(ERROR_CONSTANT)
#undef ERROR_CONSTANT
};

static void check_has(const char *page, const char *part)
{
    ss_check_msg(strstr(page, part) != NULL, "no %s", part);
}

SS_TEST(reference, has_every_row_of_the_tables)
{
    struct ss_bytes out;
    char part[128];
    ss__bytes_init(&out, 0);
    ss__reference_print(&out);
    ss__bytes_byte(&out, 0);
    ss_check(out.err == 0);
    const char *page = (const char *)out.data;
    for (size_t i = 0; i < SS_OPTION_COUNT; i++) {
        snprintf(part, sizeof part, "| `--%s ", ss__options[i].name);
        check_has(page, part);
    }
    for (size_t i = 0; i < ss__metrics_count; i++) {
        snprintf(part, sizeof part, "| `sessionstream_%s` | %s", ss__metrics[i].name,
                 ss__metrics[i].help);
        check_has(page, part);
    }
    for (size_t i = 0; i < sizeof constants / sizeof constants[0]; i++) {
        check_has(page, constants[i]);
    }
    check_has(page, " | 503 | `SS_E_BUSY` | -10003 |");
    check_has(page, "| `SS_SESSION_ID_BYTES_MAX` | 255 bytes |");
    check_has(page, "| `SS_CLIENT_FRAME_BYTES_MAX` | 1 MiB |");
    check_has(page, "| `chunk_ms` | `20` |");
    check_has(page, "| `ssctl store check DIR` |");
    check_has(page, "| `--no-reconnect` |");
    ss__bytes_deinit(&out);
}

/* A row with more or fewer cells than its head is cut off or padded by readers of Markdown. */
SS_TEST(reference, the_rows_of_a_table_have_the_cells_of_its_head)
{
    struct ss_bytes out;
    size_t bars = 0;
    ss__bytes_init(&out, 0);
    ss__reference_print(&out);
    ss__bytes_byte(&out, 0);
    char *rest = (char *)out.data;
    for (char *line; (line = strsep(&rest, "\n")) != NULL;) {
        size_t count = 0;
        for (char *at = line; *at != '\0'; at++) {
            count += *at == '|' && (at == line || at[-1] != '\\');
        }
        if (line[0] != '|') {
            bars = 0;
        } else {
            bars = bars == 0 ? count : bars;
            ss_check_msg(count == bars, "%s", line);
        }
    }
    ss__bytes_deinit(&out);
}
