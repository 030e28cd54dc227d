#include "server/http_exchange.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "server/client_socket.h"
#include "server/option_value.h"

#define HEAD_BYTES_MAX 65536

void ss__http_request_write(struct ss_bytes *out, const char *method, struct ss_str target,
                            const struct ss_url *url, const char *key, struct ss_str body)
{
    ss__bytes_text(out, method);
    ss__bytes_byte(out, ' ');
    ss__bytes_str(out, target);
    ss__bytes_text(out, " HTTP/1.1\r\nHost: ");
    ss__bytes_text(out, url->authority);
    ss__bytes_text(out, "\r\nUser-Agent: ssctl\r\nAccept: application/json\r\n"
                        "Connection: close\r\n");
    if (key != NULL) {
        ss__bytes_text(out, "Idempotency-Key: ");
        ss__bytes_text(out, key);
        ss__bytes_text(out, "\r\n");
    }
    if (body.data != NULL) {
        ss__bytes_text(out, "Content-Type: application/json\r\nContent-Length: ");
        ss__bytes_u64(out, body.len);
        ss__bytes_text(out, "\r\n");
    }
    ss__bytes_text(out, "\r\n");
    ss__bytes_str(out, body);
}

static struct ss_str trim(struct ss_str text)
{
    while (text.len > 0 && (text.data[0] == ' ' || text.data[0] == '\t')) {
        text = ss_str_of(text.data + 1, text.len - 1);
    }
    while (text.len > 0 &&
           (text.data[text.len - 1] == ' ' || text.data[text.len - 1] == '\t')) {
        text.len--;
    }
    return text;
}

/* Cuts the next line off @rest, without CRLF. */
static struct ss_str take_line(struct ss_str *rest)
{
    const char *end = memmem(rest->data, rest->len, "\r\n", 2);
    size_t len = end == NULL ? rest->len : (size_t)(end - rest->data);
    struct ss_str line = ss_str_of(rest->data, len);
    size_t used = end == NULL ? len : len + 2;
    *rest = ss_str_of(rest->data + used, rest->len - used);
    return line;
}

static bool is_field(struct ss_str line, const char *name, struct ss_str *ret_value)
{
    size_t len = strlen(name);
    if (line.len <= len || strncasecmp(line.data, name, len) != 0 || line.data[len] != ':') {
        return false;
    }
    *ret_value = trim(ss_str_of(line.data + len + 1, line.len - len - 1));
    return true;
}

struct head {
    unsigned status;
    bool has_length;
    uint64_t length;
    struct ss_str content_type;
};

static int read_status(struct ss_str line, struct head *head, struct ss_failure *failure)
{
    uint64_t status;
    if (line.len < 12 || strncmp(line.data, "HTTP/1.", 7) != 0 || line.data[8] != ' ' ||
        (line.len > 12 && line.data[12] != ' ') ||
        ss__option_parse_number(ss_str_of(line.data + 9, 3), 100, 599, &status, NULL) != 0) {
        return ss__fail(failure, SS_E_PROTO, "the answer is not HTTP/1.1: \"%.*s\"",
                        (int)(line.len < 60 ? line.len : 60), line.data);
    }
    head->status = (unsigned)status;
    return 0;
}

/* @text is the head without the empty line. */
static int read_head(struct ss_str text, struct head *head, struct ss_failure *failure)
{
    int err = read_status(take_line(&text), head, failure);
    while (err == 0 && text.len > 0) {
        struct ss_str line = take_line(&text);
        struct ss_str value;
        if (is_field(line, "Content-Length", &value)) {
            head->has_length = true;
            if (ss__option_parse_number(value, 0, SS_HTTP_ANSWER_BYTES_MAX, &head->length,
                                        NULL) != 0) {
                err = ss__fail(failure, SS_E_PROTO, "the answer's Content-Length is unusable");
            }
        } else if (is_field(line, "Transfer-Encoding", &value)) {
            err = ss__fail(failure, SS_E_PROTO, "the answer has a transfer coding; is a proxy "
                                                "in between?");
        } else if (is_field(line, "Content-Type", &value)) {
            const char *semicolon = memchr(value.data, ';', value.len);
            head->content_type = semicolon == NULL
                                     ? value
                                     : trim(ss_str_of(value.data,
                                                      (size_t)(semicolon - value.data)));
        }
    }
    return err;
}

int ss__http_answer_read(struct ss_str in, bool at_end, struct ss_http_answer *ret_answer,
                         struct ss_failure *failure)
{
    for (;;) {
        const char *end = in.len == 0 ? NULL : memmem(in.data, in.len, "\r\n\r\n", 4);
        if (end == NULL && in.len > HEAD_BYTES_MAX) {
            return ss__fail(failure, SS_E_PROTO, "the answer's head is too large");
        }
        if (end == NULL) {
            return at_end ? ss__fail(failure, SS_E_PROTO, "the answer ends too early") : 0;
        }
        struct head head = { 0 };
        size_t head_len = (size_t)(end - in.data) + 4;
        int err = read_head(ss_str_of(in.data, head_len - 4), &head, failure);
        if (err != 0) {
            return err;
        }
        in = ss_str_of(in.data + head_len, in.len - head_len);
        if (head.status < 200) {
            continue;
        }
        if (head.has_length ? in.len < head.length : !at_end) {
            return at_end ? ss__fail(failure, SS_E_PROTO, "the answer ends too early") : 0;
        }
        ret_answer->status = head.status;
        ret_answer->content_type = head.content_type;
        ret_answer->body = ss_str_of(in.data, head.has_length ? head.length : in.len);
        return 1;
    }
}

static int receive_answer(int fd, uint32_t timeout_ms, struct ss_bytes *in,
                          struct ss_http_answer *ret_answer, struct ss_failure *failure)
{
    char chunk[16384];
    for (;;) {
        ptrdiff_t len = ss__client_receive(fd, chunk, sizeof chunk, timeout_ms, failure);
        if (len < 0) {
            return (int)len;
        }
        ss__bytes_append(in, chunk, (size_t)len);
        if (in->err != 0) {
            return ss__fail(failure, in->err, "the answer is too large");
        }
        int got = ss__http_answer_read(ss__bytes_view(in), len == 0, ret_answer, failure);
        if (got != 0) {
            return got < 0 ? got : 0;
        }
    }
}

int ss__http_exchange(const struct ss_url *url, struct ss_str request, uint32_t timeout_ms,
                      struct ss_bytes *in, struct ss_http_answer *ret_answer,
                      struct ss_failure *failure)
{
    int fd;
    int err = ss__client_connect(url, timeout_ms, &fd, failure);
    if (err != 0) {
        return err;
    }
    in->max = SS_HTTP_ANSWER_BYTES_MAX;
    err = ss__client_send(fd, request, timeout_ms, failure);
    if (err == 0) {
        err = receive_answer(fd, timeout_ms, in, ret_answer, failure);
    }
    (void)close(fd);    /* everything that matters was received */
    return err;
}
