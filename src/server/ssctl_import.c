/* session import: a file of JSON lines, some hundred lines in one request. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/http_exchange.h"
#include "server/json_members.h"
#include "server/ssctl.h"

#define LINES_MAX 500u
#define BODY_BYTES_MAX (256u << 10)

struct sending {
    const struct ss_ctl *ctl;
    FILE *file;
    char *line;
    size_t line_slots;
    struct ss_str kept;        /* it had no room in the request before; empty: none */
    uint64_t lines;            /* read so far, empty ones too */
    uint64_t events;           /* taken by the server */
    struct ss_bytes target;
    struct ss_bytes body;
    struct ss_bytes ordinal;   /* the newest the server has told */
};

/* One more line of the file; false at its end. */
static bool next_line(struct sending *sending, struct ss_str *ret_line)
{
    if (sending->kept.len > 0) {
        *ret_line = sending->kept;
        sending->kept.len = 0;
        sending->lines++;
        return true;
    }
    ssize_t len = getline(&sending->line, &sending->line_slots, sending->file);
    if (len < 0) {
        return false;
    }
    while (len > 0 && strchr("\r\n \t", sending->line[len - 1]) != NULL) {
        len--;
    }
    sending->lines++;
    *ret_line = ss_str_of(sending->line, (size_t)len);
    return true;
}

/* Beside the bytes as stored the payload is for people: it need not be sent. */
static void put_line(struct ss_bytes *body, struct ss_str line)
{
    struct ss_str raw;
    struct ss_str payload;
    if (!ss__json_member(line, "raw", &raw) || !ss__json_member(line, "payload", &payload)) {
        ss__bytes_str(body, line);
        return;
    }
    const char *begin = line.data;
    const char *at = payload.data;
    ss__bytes_append(body, begin, (size_t)(at - begin));
    ss__bytes_text(body, "{}");
    ss__bytes_append(body, at + payload.len, line.len - (size_t)(at - begin) - payload.len);
}

/* Fills the body with lines, a large one alone: what a request may have is the server's to say.
 * Returns their number, 0 at the end of the file. */
static unsigned fill_body(struct sending *sending)
{
    struct ss_bytes *body = &sending->body;
    struct ss_str line;
    unsigned count = 0;
    ss__bytes_clear(body);
    while (count < LINES_MAX && body->len < BODY_BYTES_MAX && next_line(sending, &line)) {
        size_t before = body->len;
        if (line.len > 0) {
            ss__bytes_byte(body, count == 0 ? '[' : ',');
            put_line(body, line);
            count++;
        }
        if (count > 1 && body->len > BODY_BYTES_MAX) {
            body->len = before;
            sending->kept = line;
            sending->lines--;
            count--;
            break;
        }
    }
    ss__bytes_byte(body, ']');
    return count;
}

static void show_progress(const struct sending *sending, bool last)
{
    FILE *err = sending->ctl->err;
    bool terminal = fileno(err) >= 0 && isatty(fileno(err)) == 1;
    if (terminal || last) {
        fprintf(err, "%s%llu events, up to ordinal %.*s%s", terminal ? "\r" : "",
                (unsigned long long)sending->events, (int)sending->ordinal.len,
                (const char *)sending->ordinal.data, last ? "\n" : "");
        (void)fflush(err);    /* a lost line of progress is no failure */
    }
}

/* Takes what the server said of one request. */
static int take_answer(struct sending *sending, const struct ss_http_answer *answer,
                       uint64_t first_line, unsigned count)
{
    if (answer->status >= 300) {
        (void)ss__ctl_fail_answer(sending->ctl, answer);
        fprintf(sending->ctl->err, "ssctl: lines %llu to %llu were not imported; %llu events "
                "before them were\n", (unsigned long long)first_line,
                (unsigned long long)sending->lines, (unsigned long long)sending->events);
        return SS_CTL_FAILED;
    }
    sending->events += count;
    ss__bytes_clear(&sending->ordinal);
    (void)ss__json_string_member(answer->body, "ordinal", &sending->ordinal);
    return SS_CTL_OK;
}

static int send_body(struct sending *sending, uint64_t first_line, unsigned count)
{
    const struct ss_ctl *ctl = sending->ctl;
    struct ss_failure failure = { 0 };
    struct ss_http_answer answer;
    struct ss_bytes request;
    struct ss_bytes in;
    ss__bytes_init(&request, 0);
    ss__bytes_init(&in, 0);
    ss__http_request_write(&request, "POST", ss__bytes_view(&sending->target), &ctl->url, NULL,
                           ss__bytes_view(&sending->body));
    int err = sending->body.err != 0 ? sending->body.err : request.err;
    if (err != 0) {
        (void)ss__fail(&failure, err, "out of memory");
    } else {
        err = ss__http_exchange(&ctl->url, ss__bytes_view(&request), SS_CTL_ANSWER_TIMEOUT_MS,
                                &in, &answer, &failure);
    }
    int status = err != 0 ? ss__ctl_fail(ctl, &failure)
                          : take_answer(sending, &answer, first_line, count);
    ss__bytes_deinit(&request);
    ss__bytes_deinit(&in);
    return status;
}

static int send_all(struct sending *sending)
{
    struct ss_failure failure = { 0 };
    int status = SS_CTL_OK;
    for (;;) {
        uint64_t first_line = sending->lines + 1;
        unsigned count = fill_body(sending);
        if (count == 0) {
            break;
        }
        status = send_body(sending, first_line, count);
        if (status != SS_CTL_OK) {
            return status;
        }
        show_progress(sending, false);
    }
    if (ferror(sending->file) != 0) {
        (void)ss__fail(&failure, SS_E_IO, "\"%.200s\" cannot be read", sending->ctl->args[1]);
        return ss__ctl_fail(sending->ctl, &failure);
    }
    if (sending->events > 0) {
        show_progress(sending, true);
    }
    return status;
}

int ss__ctl_session_import(const struct ss_ctl *ctl)
{
    struct ss_failure failure = { 0 };
    bool standard = strcmp(ctl->args[1], "-") == 0;
    struct sending sending = { .ctl = ctl,
                               .file = standard ? stdin : fopen(ctl->args[1], "re") };
    if (sending.file == NULL) {
        (void)ss__fail(&failure, SS_E_IO, "\"%.200s\" cannot be opened", ctl->args[1]);
        return ss__ctl_fail(ctl, &failure);
    }
    ss__bytes_init(&sending.target, 0);
    ss__bytes_init(&sending.body, 0);
    ss__bytes_init(&sending.ordinal, 0);
    ss__ctl_session_path(&sending.target, ctl->args[0]);
    ss__bytes_text(&sending.target, "import");
    int status = send_all(&sending);
    if (!standard) {
        (void)fclose(sending.file);    /* nothing was written */
    }
    free(sending.line);
    ss__bytes_deinit(&sending.target);
    ss__bytes_deinit(&sending.body);
    ss__bytes_deinit(&sending.ordinal);
    return status;
}
