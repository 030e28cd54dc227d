#include "http/response.h"

#include <sessionstream/error.h>

#include "core/contract.h"
#include "core/utf8.h"

const char *ss__http_reason(unsigned status)
{
    switch (status) {
    case 100: return "Continue";
    case 101: return "Switching Protocols";
    case 200: return "OK";
    case 202: return "Accepted";
    case 204: return "No Content";
    case 304: return "Not Modified";
    case 308: return "Permanent Redirect";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 408: return "Request Timeout";
    case 409: return "Conflict";
    case 410: return "Gone";
    case 413: return "Content Too Large";
    case 414: return "URI Too Long";
    case 415: return "Unsupported Media Type";
    case 417: return "Expectation Failed";
    case 422: return "Unprocessable Content";
    case 426: return "Upgrade Required";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 503: return "Service Unavailable";
    case 505: return "HTTP Version Not Supported";
    case 507: return "Insufficient Storage";
    default: return "Unknown";
    }
}

unsigned ss__http_status_of(int err)
{
    switch (err) {
    case 0:
        return 200;
    case SS_E_INVAL:
    case SS_E_PROTO:
    case SS_E_BADFRAME:
    case SS_E_PAYLOAD:
    case SS_E_TYPE:
    case SS_E_SESSION_ID:
    case SS_E_JSON:
    case SS_E_UTF8:
        return 400;
    case SS_E_NOTFOUND:
    case SS_E_UNKNOWN_COMMAND:
    case SS_E_UNKNOWN_EVENT:
    case SS_E_UNKNOWN_TYPE:
        return 404;
    case SS_E_EXISTS:
    case SS_E_IN_USE:
    case SS_E_CONFLICT:
        return 409;
    case SS_E_DELETED:
    case SS_E_GONE:
        return 410;
    case SS_E_TOOBIG:
    case SS_E_SNAPSHOT_SIZE:
        return 413;
    case SS_E_HANDLER:
    case SS_E_PROJECTION:
        return 422;
    case SS_E_LIMIT:
    case SS_E_SUBSCRIPTIONS:
        return 429;
    case SS_E_BUSY:
    case SS_E_STOPPING:
    case SS_E_NOMEM:
    case SS_E_STOREIO:
    case SS_E_TIMEOUT:
        return 503;
    case SS_E_STOREFULL:
        return 507;
    default:
        return 500;
    }
}

static void write_field(struct ss_bytes *out, const char *name, struct ss_str value)
{
    ss__bytes_text(out, name);
    ss__bytes_text(out, ": ");
    for (size_t i = 0; i < value.len; i++) {
        uint8_t byte = (uint8_t)value.data[i];
        ss__bytes_byte(out, byte < 0x20 || byte == 0x7F ? ' ' : byte);
    }
    ss__bytes_text(out, "\r\n");
}

static void write_status(struct ss_bytes *out, unsigned status)
{
    ss__bytes_text(out, "HTTP/1.1 ");
    ss__bytes_u64(out, status);
    ss__bytes_byte(out, ' ');
    ss__bytes_text(out, ss__http_reason(status));
    ss__bytes_text(out, "\r\n");
}

void ss__http_response_write(struct ss_bytes *out, const struct ss_http_response *response)
{
    write_status(out, response->status);
    if (response->content_type != NULL) {
        write_field(out, "Content-Type", ss_str(response->content_type));
        write_field(out, "X-Content-Type-Options", ss_str("nosniff"));
    }
    const char *cache = response->cache_control == NULL ? "no-store" : response->cache_control;
    write_field(out, "Cache-Control", ss_str(cache));
    for (size_t i = 0; i < response->extra_count; i++) {
        write_field(out, response->extra[i].name, response->extra[i].value);
    }
    if (!response->keep_alive) {
        write_field(out, "Connection", ss_str("close"));
    }
    bool bodiless = response->status < 200 || response->status == 204 || response->status == 304;
    if (!bodiless) {
        ss__bytes_text(out, "Content-Length: ");
        ss__bytes_u64(out, response->body.len);
        ss__bytes_text(out, "\r\n");
    }
    ss__bytes_text(out, "\r\n");
    if (!bodiless && !response->head_only) {
        ss__bytes_str(out, response->body);
    }
}

void ss__http_stream_head_write(struct ss_bytes *out, unsigned status, const char *content_type)
{
    write_status(out, status);
    write_field(out, "Content-Type", ss_str(content_type));
    write_field(out, "Cache-Control", ss_str("no-cache, no-transform"));
    write_field(out, "Connection", ss_str("close"));
    ss__bytes_text(out, "\r\n");
}

/* A JSON string; bytes that are no UTF-8 become U+FFFD. */
static void write_json_string(struct ss_bytes *out, struct ss_str text)
{
    static const char hex[] = "0123456789abcdef";
    ss__bytes_byte(out, '"');
    for (size_t i = 0; i < text.len;) {
        const uint8_t *at = (const uint8_t *)text.data + i;
        size_t len = ss__utf8_char_len(at, text.len - i);
        if (len == 0) {
            ss__bytes_text(out, "\xEF\xBF\xBD");
            len = 1;
        } else if (*at == '"' || *at == '\\') {
            ss__bytes_byte(out, '\\');
            ss__bytes_byte(out, *at);
        } else if (*at < 0x20) {
            ss__bytes_text(out, "\\u00");
            ss__bytes_byte(out, (uint8_t)hex[*at >> 4]);
            ss__bytes_byte(out, (uint8_t)hex[*at & 15]);
        } else {
            ss__bytes_append(out, at, len);
        }
        i += len;
    }
    ss__bytes_byte(out, '"');
}

static void write_problem_body(struct ss_bytes *out, const struct ss_http_problem *problem)
{
    ss__bytes_text(out, "{\"type\":\"about:blank\",\"title\":");
    write_json_string(out, ss_str(ss__http_reason(problem->status)));
    ss__bytes_text(out, ",\"status\":");
    ss__bytes_u64(out, problem->status);
    if (problem->detail.len > 0) {
        ss__bytes_text(out, ",\"detail\":");
        write_json_string(out, problem->detail);
    }
    ss__bytes_text(out, ",\"code\":");
    write_json_string(out, ss_str(problem->code));
    if (problem->session_id.len > 0) {
        ss__bytes_text(out, ",\"sessionId\":");
        write_json_string(out, problem->session_id);
    }
    if (problem->first_retained > 0) {
        ss__bytes_text(out, ",\"firstRetained\":\"");
        ss__bytes_u64(out, problem->first_retained);
        ss__bytes_byte(out, '"');
    }
    ss__bytes_byte(out, '}');
}

void ss__http_problem_write(struct ss_bytes *out, const struct ss_http_problem *problem)
{
    SS_REQUIRE(problem->extra_count <= SS_HTTP_PROBLEM_EXTRA_MAX);
    struct ss_http_extra extra[SS_HTTP_PROBLEM_EXTRA_MAX + 1];
    size_t count = 0;
    for (; count < problem->extra_count; count++) {
        extra[count] = problem->extra[count];
    }
    if (problem->status == 503 || problem->status == 429) {
        extra[count++] = (struct ss_http_extra){ "Retry-After", ss_str("1") };
    }
    struct ss_bytes body;
    ss__bytes_init(&body, 0);
    write_problem_body(&body, problem);
    struct ss_http_response response = { .status = problem->status,
                                         .content_type = "application/problem+json",
                                         .keep_alive = problem->keep_alive,
                                         .head_only = problem->head_only,
                                         .extra = extra,
                                         .extra_count = count,
                                         .body = ss__bytes_view(&body) };
    ss__http_response_write(out, &response);
    if (body.err != 0 && out->err == 0) {
        out->err = body.err;
    }
    ss__bytes_deinit(&body);
}

void ss__http_problem_of(struct ss_bytes *out, int err, struct ss_str detail,
                         struct ss_str session_id, bool keep_alive)
{
    struct ss_http_problem problem = { .status = ss__http_status_of(err),
                                       .code = ss_error_wire_name(err),
                                       .detail = detail.len > 0 ? detail
                                                                : ss_str(ss_error_text(err)),
                                       .session_id = session_id,
                                       .keep_alive = keep_alive };
    ss__http_problem_write(out, &problem);
}
