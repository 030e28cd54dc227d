/* submit, snapshot and the session commands: one HTTP request each. */
#include "server/file_bytes.h"
#include "server/http_exchange.h"
#include "server/json_members.h"
#include "server/ssctl.h"

#include <string.h>

#include <sessionstream/limits.h>

/* From a problem document (RFC 9457) or from whatever a proxy sent. */
int ss__ctl_fail_answer(const struct ss_ctl *ctl, const struct ss_http_answer *answer)
{
    struct ss_bytes code;
    struct ss_bytes detail;
    ss__bytes_init(&code, 0);
    ss__bytes_init(&detail, 0);
    if (!ss__json_string_member(answer->body, "code", &code)) {
        ss__bytes_text(&code, "http_");
        ss__bytes_u64(&code, answer->status);
    }
    if (!ss__json_string_member(answer->body, "detail", &detail) &&
        !ss__json_string_member(answer->body, "title", &detail)) {
        ss__bytes_text(&detail, "the server answered with status ");
        ss__bytes_u64(&detail, answer->status);
    }
    fprintf(ctl->err, "ssctl: %.*s: %.*s\n", (int)code.len, (const char *)code.data,
            (int)detail.len, (const char *)detail.data);
    ss__bytes_deinit(&code);
    ss__bytes_deinit(&detail);
    return SS_CTL_FAILED;
}

static int print_answer(const struct ss_ctl *ctl, const struct ss_http_answer *answer)
{
    if (answer->status >= 300) {
        return ss__ctl_fail_answer(ctl, answer);
    }
    struct ss_str body = answer->body;
    bool ended = body.len > 0 && body.data[body.len - 1] == '\n';
    if (fwrite(body.data, 1, body.len, ctl->out) != body.len ||
        (!ended && fputc('\n', ctl->out) == EOF) || fflush(ctl->out) != 0) {
        struct ss_failure failure;
        (void)ss__fail(&failure, SS_E_IO, "cannot write to standard output");
        return ss__ctl_fail(ctl, &failure);
    }
    return SS_CTL_OK;
}

/* SS_CTL_OK and an answer in @in, or the exit status of an error that has been printed. */
static int ask(const struct ss_ctl *ctl, const char *method, struct ss_str target,
               struct ss_str body, struct ss_bytes *in, struct ss_http_answer *ret_answer)
{
    struct ss_failure failure = { 0 };
    struct ss_bytes request;
    ss__bytes_init(&request, 0);
    ss__http_request_write(&request, method, target, &ctl->url, ctl->key, body);
    int err = request.err;
    if (err != 0) {
        (void)ss__fail(&failure, err, "out of memory");
    } else {
        err = ss__http_exchange(&ctl->url, ss__bytes_view(&request), SS_CTL_ANSWER_TIMEOUT_MS,
                                in, ret_answer, &failure);
    }
    ss__bytes_deinit(&request);
    return err != 0 ? ss__ctl_fail(ctl, &failure) : SS_CTL_OK;
}

static int exchange(const struct ss_ctl *ctl, const char *method, struct ss_str target,
                    struct ss_str body)
{
    struct ss_http_answer answer;
    struct ss_bytes in;
    ss__bytes_init(&in, 0);
    int status = ask(ctl, method, target, body, &in, &answer);
    status = status != SS_CTL_OK ? status : print_answer(ctl, &answer);
    ss__bytes_deinit(&in);
    return status;
}

int ss__ctl_get(const struct ss_ctl *ctl, struct ss_str target, struct ss_bytes *in,
                struct ss_str *ret_body)
{
    struct ss_http_answer answer;
    int status = ask(ctl, "GET", target, (struct ss_str){ 0 }, in, &answer);
    if (status == SS_CTL_OK && answer.status >= 300) {
        return ss__ctl_fail_answer(ctl, &answer);
    }
    if (status == SS_CTL_OK) {
        *ret_body = answer.body;
    }
    return status;
}

void ss__ctl_session_path(struct ss_bytes *out, const char *session_id)
{
    ss__bytes_text(out, "/v1/sessions/");
    ss__url_segment(out, ss_str(session_id));
    ss__bytes_byte(out, '/');
}

int ss__ctl_submit(const struct ss_ctl *ctl)
{
    struct ss_failure failure = { 0 };
    struct ss_bytes target;
    struct ss_bytes payload;
    ss__bytes_init(&target, 0);
    ss__bytes_init(&payload, SS_PAYLOAD_BYTES_MAX * 4ull);    /* JSON is wider */
    ss__ctl_session_path(&target, ctl->args[0]);
    ss__bytes_text(&target, "commands/");
    ss__url_segment(&target, ss_str(ctl->args[1]));
    int err = 0;
    if (strcmp(ctl->args[2], "-") == 0) {
        struct ss_failure reason = { 0 };
        err = ss__file_bytes_read(stdin, &payload, &reason);
        if (err != 0) {
            (void)ss__fail(&failure, err, "standard input %.200s", reason.text);
        }
    } else {
        ss__bytes_text(&payload, ctl->args[2]);
    }
    if (err == 0 && payload.len == 0) {
        err = ss__fail(&failure, SS_E_JSON, "the payload is empty; {} is an empty message");
    }
    int status = err != 0 ? ss__ctl_fail(ctl, &failure)
                          : exchange(ctl, "POST", ss__bytes_view(&target),
                                     ss__bytes_view(&payload));
    ss__bytes_deinit(&target);
    ss__bytes_deinit(&payload);
    return status;
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

static int ask_session(const struct ss_ctl *ctl, const char *method, const char *what)
{
    struct ss_bytes target;
    ss__bytes_init(&target, 0);
    ss__ctl_session_path(&target, ctl->args[0]);
    ss__bytes_text(&target, what);
    write_parameter(&target, "projection", ctl->projection);
    write_parameter(&target, "at", ctl->at);
    write_parameter(&target, "from", ctl->from);
    int status = exchange(ctl, method, ss__bytes_view(&target), (struct ss_str){ 0 });
    ss__bytes_deinit(&target);
    return status;
}

int ss__ctl_session_list(const struct ss_ctl *ctl)
{
    struct ss_bytes target;
    ss__bytes_init(&target, 0);
    ss__bytes_text(&target, "/v1/sessions");
    write_parameter(&target, "prefix", ctl->prefix);
    write_parameter(&target, "after", ctl->after);
    write_parameter(&target, "limit", ctl->limit);
    int status = exchange(ctl, "GET", ss__bytes_view(&target), (struct ss_str){ 0 });
    ss__bytes_deinit(&target);
    return status;
}

int ss__ctl_snapshot(const struct ss_ctl *ctl)
{
    return ask_session(ctl, "GET", "snapshot");
}

int ss__ctl_session_cursors(const struct ss_ctl *ctl)
{
    return ask_session(ctl, "GET", "cursors");
}

int ss__ctl_session_retry(const struct ss_ctl *ctl)
{
    return ask_session(ctl, "POST", "retry");
}

int ss__ctl_session_close(const struct ss_ctl *ctl)
{
    return ask_session(ctl, "POST", "close");
}

int ss__ctl_session_delete(const struct ss_ctl *ctl)
{
    struct ss_bytes target;
    ss__bytes_init(&target, 0);
    ss__bytes_text(&target, "/v1/sessions/");
    ss__url_segment(&target, ss_str(ctl->args[0]));
    int status = exchange(ctl, "DELETE", ss__bytes_view(&target), (struct ss_str){ 0 });
    ss__bytes_deinit(&target);
    return status;
}

int ss__ctl_session_rebuild(const struct ss_ctl *ctl)
{
    return ask_session(ctl, "POST", "rebuild");
}
