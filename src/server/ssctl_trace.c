/* trace: what the debug rings of the server have of one session, a line for each record. */
#include "server/client_socket.h"
#include "server/columns.h"
#include "server/http_exchange.h"
#include "server/interrupts.h"
#include "server/json_members.h"
#include "server/ssctl.h"

#include <string.h>
#include <unistd.h>

#define POLL_MS 300

/* Of a shard or gateway in one answer: with fewer there are no more. */
#define PAGE_RECORDS 256

#define RED "\x1b[31m"
#define DIM "\x1b[2m"
#define PLAIN "\x1b[0m"

struct trace {
    const struct ss_ctl *ctl;
    bool colours;
    struct ss_bytes in;
    struct ss_bytes line;
    struct ss_bytes cell;
    struct ss_bytes next;      /* the number to ask behind */
};

/* The member as text; numbers and booleans as they are written. */
static struct ss_str member(struct trace *trace, struct ss_str record, const char *name)
{
    struct ss_str raw;
    ss__bytes_clear(&trace->cell);
    if (!ss__json_string_member(record, name, &trace->cell) &&
        ss__json_member(record, name, &raw)) {
        ss__bytes_str(&trace->cell, raw);
    }
    return ss__bytes_view(&trace->cell);
}

static void add_column(struct trace *trace, struct ss_str record, const char *name, size_t width)
{
    ss__columns_cell(&trace->line, member(trace, record, name), width);
}

/* " NAME=VALUE" if there is such a member. */
static void add_detail(struct trace *trace, struct ss_str record, const char *name)
{
    struct ss_str value = member(trace, record, name);
    if (value.len > 0) {
        ss__bytes_text(&trace->line, name);
        ss__bytes_byte(&trace->line, '=');
        ss__columns_cell(&trace->line, value, 0);
        ss__bytes_byte(&trace->line, ' ');
    }
}

static void write_line(struct trace *trace, struct ss_str record)
{
    static const char *const details[] = {
        "frameType", "bytes",    "queueLen", "targets", "uiEvents", "entities",     "applied",
        "fanout",    "appended", "failed",   "code",    "connectionId",
    };
    bool failed = member(trace, record, "code").len > 0;
    bool transport = ss_str_equal(member(trace, record, "type"), ss_str("transport"));
    const char *colour = failed ? RED : transport ? DIM : "";
    ss__bytes_clear(&trace->line);
    if (trace->colours) {
        ss__bytes_text(&trace->line, colour);
    }
    add_column(trace, record, "number", 6);
    add_column(trace, record, "time", 27);
    add_column(trace, record, "type", 9);
    add_column(trace, record, "what", 24);
    add_column(trace, record, "ordinal", 7);
    add_column(trace, record, "event", 20);
    for (size_t i = 0; i < sizeof details / sizeof details[0]; i++) {
        add_detail(trace, record, details[i]);
    }
    while (trace->line.len > 0 && trace->line.data[trace->line.len - 1] == ' ') {
        trace->line.len--;
    }
    if (trace->colours && colour[0] != '\0') {
        ss__bytes_text(&trace->line, PLAIN);
    }
    ss__bytes_byte(&trace->line, '\n');
}

static int print_line(struct trace *trace)
{
    struct ss_failure failure;
    FILE *out = trace->ctl->out;
    int err = trace->line.err != 0 ? trace->line.err : trace->cell.err;
    if (err != 0) {
        (void)ss__fail(&failure, err, "out of memory");
        return ss__ctl_fail(trace->ctl, &failure);
    }
    if (fwrite(trace->line.data, 1, trace->line.len, out) != trace->line.len ||
        fflush(out) != 0) {
        (void)ss__fail(&failure, SS_E_IO, "cannot write to standard output");
        return ss__ctl_fail(trace->ctl, &failure);
    }
    return SS_CTL_OK;
}

static int print_records(struct trace *trace, struct ss_str records, size_t *ret_count)
{
    struct ss_str record;
    int status = SS_CTL_OK;
    *ret_count = 0;
    for (size_t at = 0; status == SS_CTL_OK && ss__json_element(records, &at, &record);) {
        if (trace->ctl->json) {
            ss__bytes_clear(&trace->line);
            ss__json_line(&trace->line, record);
            ss__bytes_byte(&trace->line, '\n');
        } else {
            write_line(trace, record);
        }
        status = print_line(trace);
        ++*ret_count;
    }
    return status;
}

/* One answer of the server: what is new since the last. */
static int poll_once(struct trace *trace, size_t *ret_count)
{
    struct ss_bytes target;
    struct ss_str answer;
    struct ss_str records;
    struct ss_failure failure;
    ss__bytes_init(&target, 0);
    ss__bytes_text(&target, "/debug/sessions/");
    ss__url_segment(&target, ss_str(trace->ctl->args[0]));
    ss__bytes_text(&target, "?after=");
    ss__bytes_str(&target, ss__bytes_view(&trace->next));
    ss__bytes_clear(&trace->in);
    int status = ss__ctl_get(trace->ctl, ss__bytes_view(&target), &trace->in, &answer);
    ss__bytes_deinit(&target);
    if (status != SS_CTL_OK) {
        return status;
    }
    if (!ss__json_member(answer, "records", &records)) {
        (void)ss__fail(&failure, SS_E_PROTO, "the answer has no records");
        return ss__ctl_fail(trace->ctl, &failure);
    }
    if (ss_str_equal(records, ss_str("null"))) {
        (void)ss__fail(&failure, SS_E_CONFIG,
                       "the server keeps no records: start it with --debug-ring N");
        return ss__ctl_fail(trace->ctl, &failure);
    }
    ss__bytes_clear(&trace->next);
    if (!ss__json_string_member(answer, "next", &trace->next)) {
        ss__bytes_byte(&trace->next, '0');
    }
    return print_records(trace, records, ret_count);
}

int ss__ctl_trace(const struct ss_ctl *ctl)
{
    int descriptor = fileno(ctl->out);
    struct trace trace = { .ctl = ctl, .colours = descriptor >= 0 && isatty(descriptor) != 0 };
    ss__bytes_init(&trace.in, 0);
    ss__bytes_init(&trace.line, 0);
    ss__bytes_init(&trace.cell, 0);
    ss__bytes_init(&trace.next, 0);
    ss__bytes_byte(&trace.next, '0');
    if (ctl->follow) {
        ss__interrupts_catch();
    }
    size_t count = 0;
    int status = poll_once(&trace, &count);
    while (status == SS_CTL_OK && (count >= PAGE_RECORDS || ctl->follow) && !ss__interrupted()) {
        if (count < PAGE_RECORDS) {
            ss__client_pause(POLL_MS);
        }
        if (!ss__interrupted()) {
            status = poll_once(&trace, &count);
        }
    }
    ss__bytes_deinit(&trace.in);
    ss__bytes_deinit(&trace.line);
    ss__bytes_deinit(&trace.cell);
    ss__bytes_deinit(&trace.next);
    return ss__interrupted() ? SS_CTL_OK : status;
}
