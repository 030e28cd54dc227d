/* errors: the error records of the server as a table, or as the JSON that it sent. */
#include "server/columns.h"
#include "server/http_exchange.h"
#include "server/json_members.h"
#include "server/ssctl.h"

#include <string.h>

struct column {
    const char *title;
    const char *member;
    bool is_last;
};

static const struct column columns[] = {
    { "TIME", "time", false },         { "KIND", "kind", false },
    { "SESSION", "sessionId", false }, { "ORDINAL", "ordinal", false },
    { "EVENT", "event", false },       { "PROJECTION", "projection", false },
    { "CODE", "code", false },         { "TEXT", "text", true },
};

#define COLUMNS_COUNT (sizeof columns / sizeof columns[0])

static void write_row(struct ss_bytes *out, struct ss_str record, const size_t *widths,
                      struct ss_bytes *cell)
{
    for (size_t i = 0; i < COLUMNS_COUNT; i++) {
        ss__bytes_clear(cell);
        (void)ss__json_string_member(record, columns[i].member, cell);    /* without: empty */
        ss__columns_cell(out, ss__bytes_view(cell), columns[i].is_last ? 0 : widths[i]);
    }
    ss__bytes_byte(out, '\n');
}

static void measure(struct ss_str record, size_t *widths, struct ss_bytes *cell)
{
    for (size_t i = 0; i < COLUMNS_COUNT; i++) {
        ss__bytes_clear(cell);
        (void)ss__json_string_member(record, columns[i].member, cell);
        size_t width = ss__columns_width(ss__bytes_view(cell));
        widths[i] = width > widths[i] ? width : widths[i];
    }
}

/* False if the answer is no list of records. */
static bool write_table(struct ss_bytes *out, struct ss_str answer, struct ss_bytes *cell)
{
    struct ss_str list;
    struct ss_str record;
    size_t widths[COLUMNS_COUNT];
    size_t count = 0;
    if (!ss__json_member(answer, "errors", &list)) {
        return false;
    }
    for (size_t i = 0; i < COLUMNS_COUNT; i++) {
        widths[i] = strlen(columns[i].title);
    }
    for (size_t at = 0; ss__json_element(list, &at, &record); count++) {
        measure(record, widths, cell);
    }
    if (count == 0) {
        ss__bytes_text(out, "no errors\n");
        return true;
    }
    for (size_t i = 0; i < COLUMNS_COUNT; i++) {
        ss__columns_cell(out, ss_str(columns[i].title), columns[i].is_last ? 0 : widths[i]);
    }
    ss__bytes_byte(out, '\n');
    for (size_t at = 0; ss__json_element(list, &at, &record);) {
        write_row(out, record, widths, cell);
    }
    return true;
}

static int print(const struct ss_ctl *ctl, struct ss_str answer)
{
    struct ss_failure failure = { 0 };
    struct ss_bytes out;
    struct ss_bytes cell;
    ss__bytes_init(&out, 0);
    ss__bytes_init(&cell, 0);
    if (ctl->json) {
        ss__json_line(&out, answer);
        ss__bytes_byte(&out, '\n');
    } else if (!write_table(&out, answer, &cell)) {
        (void)ss__fail(&failure, SS_E_PROTO, "the answer is no list of error records");
    }
    int err = out.err != 0 ? out.err : cell.err;
    if (err != 0) {
        (void)ss__fail(&failure, err, "out of memory");
    } else if (failure.code == 0 && (fwrite(out.data, 1, out.len, ctl->out) != out.len ||
                                     fflush(ctl->out) != 0)) {
        (void)ss__fail(&failure, SS_E_IO, "cannot write to standard output");
    }
    ss__bytes_deinit(&out);
    ss__bytes_deinit(&cell);
    return failure.code != 0 ? ss__ctl_fail(ctl, &failure) : SS_CTL_OK;
}

static void write_parameter(struct ss_bytes *out, const char *name, const char *value)
{
    if (value != NULL) {
        ss__bytes_byte(out, memchr(out->data, '?', out->len) == NULL ? '?' : '&');
        ss__bytes_text(out, name);
        ss__bytes_byte(out, '=');
        ss__url_segment(out, ss_str(value));
    }
}

int ss__ctl_errors(const struct ss_ctl *ctl)
{
    struct ss_bytes target;
    struct ss_bytes in;
    struct ss_str answer;
    ss__bytes_init(&target, 0);
    ss__bytes_init(&in, 0);
    ss__bytes_text(&target, "/v1/errors");
    write_parameter(&target, "session", ctl->args[0]);
    write_parameter(&target, "kind", ctl->kind);
    write_parameter(&target, "limit", ctl->limit);
    int status = ss__ctl_get(ctl, ss__bytes_view(&target), &in, &answer);
    status = status != SS_CTL_OK ? status : print(ctl, answer);
    ss__bytes_deinit(&target);
    ss__bytes_deinit(&in);
    return status;
}
