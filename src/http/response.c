#include "http/response.h"

#include <sessionstream/error.h>

#include "core/contract.h"
#include "core/utf8.h"

const char *ss__http_reason(unsigned status)
{
    static const struct {
        unsigned status;
        const char *text;
    } reasons[] = {
        { 100, "Continue" }, { 101, "Switching Protocols" }, { 200, "OK" }, { 201, "Created" },
        { 202, "Accepted" }, { 204, "No Content" }, { 304, "Not Modified" },
        { 400, "Bad Request" }, { 401, "Unauthorized" }, { 403, "Forbidden" },
        { 404, "Not Found" }, { 405, "Method Not Allowed" }, { 408, "Request Timeout" },
        { 409, "Conflict" }, { 413, "Content Too Large" }, { 414, "URI Too Long" },
        { 415, "Unsupported Media Type" }, { 417, "Expectation Failed" },
        { 426, "Upgrade Required" }, { 429, "Too Many Requests" },
        { 431, "Request Header Fields Too Large" }, { 500, "Internal Server Error" },
        { 501, "Not Implemented" }, { 503, "Service Unavailable" }, { 504, "Gateway Timeout" },
        { 505, "HTTP Version Not Supported" }, { 507, "Insufficient Storage" }
    };
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++) {
        if (reasons[i].status == status) {
            return reasons[i].text;
        }
    }
    return "Unknown";
}

unsigned ss__http_status_of(int err)
{
    switch (err) {
    case SS_OK:
        return 200;
    case SS_E_INVAL:
    case SS_E_PROTO:
    case SS_E_BADFRAME:
    case SS_E_UNKNOWN_EVENT:
    case SS_E_UNKNOWN_TYPE:
    case SS_E_TYPE:
    case SS_E_PAYLOAD:
    case SS_E_SESSION_ID:
    case SS_E_JSON:
    case SS_E_UTF8:
        return 400;
    case SS_E_NOTFOUND:
    case SS_E_UNKNOWN_COMMAND:
        return 404;
    case SS_E_EXISTS:
        return 409;
    case SS_E_TOOBIG:
        return 413;
    case SS_E_LIMIT:
    case SS_E_SUBSCRIPTIONS:
        return 429;
    case SS_E_NOMEM:
    case SS_E_BUSY:
    case SS_E_STOPPING:
    case SS_E_CLOSED:
    case SS_E_CANCELED:
        return 503;
    case SS_E_TIMEOUT:
        return 504;
    case SS_E_STOREFULL:
        return 507;
    default:
        return 500;
    }
}

static void write_field(struct ss_bytes *out, const char *name, struct ss_str value)
{
    for (size_t i = 0; i < value.len; i++) {
        SS_REQUIRE((uint8_t)value.data[i] >= 0x20 || value.data[i] == '\t');
    }
    ss__bytes_text(out, name);
    ss__bytes_text(out, ": ");
    ss__bytes_str(out, value);
    ss__bytes_text(out, "\r\n");
}

static void write_status_line(struct ss_bytes *out, unsigned status)
{
    ss__bytes_text(out, "HTTP/1.1 ");
    ss__bytes_u64(out, status);
    ss__bytes_byte(out, ' ');
    ss__bytes_text(out, ss__http_reason(status));
    ss__bytes_text(out, "\r\n");
}

void ss__http_response_write(struct ss_bytes *out, const struct ss_http_response *response)
{
    bool bodiless = response->status < 200 || response->status == 204 || response->status == 304;
    write_status_line(out, response->status);
    if (response->content_type != NULL) {
        write_field(out, "Content-Type", ss_str(response->content_type));
    }
    if (!bodiless) {
        ss__bytes_text(out, "Content-Length: ");
        ss__bytes_u64(out, response->body.len);
        ss__bytes_text(out, "\r\n");
    }
    write_field(out, "Cache-Control",
                ss_str(response->cache_control == NULL ? "no-store" : response->cache_control));
    for (size_t i = 0; i < response->extra_count; i++) {
        write_field(out, response->extra[i].name, response->extra[i].value);
    }
    /* An Upgrade field must be listed here too (RFC 9110 section 7.8). */
    const char *connection = response->status == 426 ? "Upgrade, close"
                             : response->keep_alive  ? "keep-alive"
                                                     : "close";
    write_field(out, "Connection", ss_str(connection));
    ss__bytes_text(out, "\r\n");
    if (!bodiless && !response->head_only) {
        ss__bytes_str(out, response->body);
    }
}

void ss__http_stream_head_write(struct ss_bytes *out, unsigned status, const char *content_type)
{
    write_status_line(out, status);
    write_field(out, "Content-Type", ss_str(content_type));
    write_field(out, "Cache-Control", ss_str("no-store"));
    write_field(out, "Connection", ss_str("close"));
    ss__bytes_text(out, "\r\n");
}

static void write_escape(struct ss_bytes *out, uint8_t byte)
{
    static const char hex[] = "0123456789abcdef";
    ss__bytes_text(out, "\\u00");
    ss__bytes_byte(out, (uint8_t)hex[byte >> 4]);
    ss__bytes_byte(out, (uint8_t)hex[byte & 15]);
}

/* The text may come from a request and be anything: bad UTF-8 becomes U+FFFD. */
static void write_json_string(struct ss_bytes *out, struct ss_str text)
{
    ss__bytes_byte(out, '"');
    const uint8_t *at = (const uint8_t *)text.data;
    for (size_t i = 0; i < text.len;) {
        size_t len = ss__utf8_char_len(at + i, text.len - i);
        if (len == 0) {
            ss__bytes_text(out, "\xEF\xBF\xBD");
            i++;
            continue;
        }
        if (at[i] == '"' || at[i] == '\\') {
            ss__bytes_byte(out, '\\');
        }
        if (at[i] < 0x20) {
            write_escape(out, at[i]);
        } else {
            ss__bytes_append(out, at + i, len);
        }
        i += len;
    }
    ss__bytes_byte(out, '"');
}

static void write_member(struct ss_bytes *out, const char *name, struct ss_str value)
{
    if (value.len == 0) {
        return;
    }
    ss__bytes_text(out, ",\"");
    ss__bytes_text(out, name);
    ss__bytes_text(out, "\":");
    write_json_string(out, value);
}

static void write_document(struct ss_bytes *out, const struct ss_http_problem *problem)
{
    ss__bytes_text(out, "{\"type\":\"about:blank\"");
    write_member(out, "title", ss_str(ss__http_reason(problem->status)));
    ss__bytes_text(out, ",\"status\":");
    ss__bytes_u64(out, problem->status);
    write_member(out, "detail", problem->detail);
    write_member(out, "code", ss_str(problem->code));
    write_member(out, "sessionId", problem->session_id);
    ss__bytes_byte(out, '}');
}

void ss__http_problem_write(struct ss_bytes *out, const struct ss_http_problem *problem)
{
    SS_REQUIRE(problem->extra_count < 8);
    struct ss_bytes document;
    ss__bytes_init(&document, 0);
    write_document(&document, problem);
    struct ss_http_extra extra[8];
    size_t extra_count = problem->extra_count;
    if (extra_count > 0) {
        memcpy(extra, problem->extra, extra_count * sizeof extra[0]);
    }
    if (problem->status == 503 || problem->status == 429) {
        extra[extra_count++] = (struct ss_http_extra){ "Retry-After", ss_str("1") };
    }
    struct ss_http_response response = {
        .status = problem->status,
        .content_type = "application/problem+json",
        .keep_alive = problem->keep_alive,
        .head_only = problem->head_only,
        .extra = extra,
        .extra_count = extra_count,
        .body = ss__bytes_view(&document)
    };
    if (document.err != 0) {
        /* Without its body the answer is still true. */
        response.content_type = NULL;
        response.body = ss_str("");
    }
    ss__http_response_write(out, &response);
    ss__bytes_deinit(&document);
}

void ss__http_problem_of(struct ss_bytes *out, int err, struct ss_str detail,
                         struct ss_str session_id, bool keep_alive)
{
    struct ss_http_problem problem = {
        .status = ss__http_status_of(err),
        .code = ss_error_wire_name(err),
        .detail = detail.len > 0 ? detail : ss_str(ss_error_text(err)),
        .session_id = session_id,
        .keep_alive = keep_alive
    };
    ss__http_problem_write(out, &problem);
}
