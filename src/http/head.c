#include "http/head.h"

#include <http_parser.h>

#include <sessionstream/error.h>

#if !HTTP_PARSER_STRICT
#error "http_parser must be used in strict mode"
#endif

static int fail(struct ss_http_head *head, int err, unsigned status, const char *text)
{
    head->status = status;
    head->error = text;
    return err;
}

static struct ss_http_field *last_field(struct ss_http_request *request)
{
    return &request->fields[request->field_count - 1];
}

static int on_field_name(http_parser *parser, const char *at, size_t len)
{
    struct ss_http_head *head = parser->data;
    struct ss_http_request *request = head->request;
    if (request->field_count == SS_HTTP_FIELDS_MAX) {
        return fail(head, SS_E_TOOBIG, 431, "more than 64 header fields");
    }
    request->fields[request->field_count++] =
        (struct ss_http_field){ ss_str_of(at, len), ss_str_of(at, 0) };
    return 0;
}

static int on_field_value(http_parser *parser, const char *at, size_t len)
{
    struct ss_http_head *head = parser->data;
    while (len > 0 && (at[len - 1] == ' ' || at[len - 1] == '\t')) {
        len--;
    }
    last_field(head->request)->value = ss_str_of(at, len);
    return 0;
}

static int on_target(http_parser *parser, const char *at, size_t len)
{
    struct ss_http_head *head = parser->data;
    head->request->path = ss_str_of(at, len);
    return 0;
}

static int on_head_end(http_parser *parser)
{
    struct ss_http_head *head = parser->data;
    struct ss_http_request *request = head->request;
    request->keep_alive = http_should_keep_alive(parser) != 0;
    request->content_length =
        (parser->flags & F_CONTENTLENGTH) != 0 ? parser->content_length : 0;
    return 0;
}

/* What http_parser refused, as our status; a callback's own error stands. */
static int translate_error(struct ss_http_head *head, const http_parser *parser)
{
    if (head->status != 0) {
        return head->status == 431 ? SS_E_TOOBIG : SS_E_PROTO;
    }
    switch (HTTP_PARSER_ERRNO(parser)) {
    case HPE_INVALID_METHOD:
        return fail(head, SS_E_PROTO, 501, "the method is not implemented");
    case HPE_INVALID_TRANSFER_ENCODING:
        return fail(head, SS_E_PROTO, 501, "the only transfer coding is chunked");
    case HPE_UNEXPECTED_CONTENT_LENGTH:
        return fail(head, SS_E_PROTO, 400,
                    "Content-Length stands twice or beside Transfer-Encoding");
    case HPE_INVALID_CONTENT_LENGTH:
        return fail(head, SS_E_PROTO, 400, "Content-Length is not a number");
    case HPE_INVALID_VERSION:
        return fail(head, SS_E_PROTO, 400, "the protocol version is malformed");
    case HPE_HEADER_OVERFLOW:
        return fail(head, SS_E_TOOBIG, 431, "the header is too large");
    default:
        return fail(head, SS_E_PROTO, 400, "the request line or a header field is malformed");
    }
}

static int run_parser(struct ss_http_head *head, http_parser *parser, struct ss_str text)
{
    static const http_parser_settings settings = {
        .on_url = on_target,
        .on_header_field = on_field_name,
        .on_header_value = on_field_value,
        .on_headers_complete = on_head_end
    };
    http_parser_init(parser, HTTP_REQUEST);
    parser->data = head;
    (void)http_parser_execute(parser, &settings, text.data, text.len);   /* errno tells */
    if (HTTP_PARSER_ERRNO(parser) != HPE_OK) {
        return translate_error(head, parser);
    }
    return 0;
}

static int take_request_line(struct ss_http_head *head, const http_parser *parser)
{
    struct ss_http_request *request = head->request;
    if (parser->http_major != 1) {
        return fail(head, SS_E_PROTO, 505, "only HTTP/1.1 and HTTP/1.0 are spoken here");
    }
    request->version_minor = parser->http_minor == 0 ? 0 : 1;
    request->method_name = ss_str(http_method_str((enum http_method)parser->method));
    switch ((enum http_method)parser->method) {
    case HTTP_GET:
        request->method = SS_HTTP_GET;
        break;
    case HTTP_POST:
        request->method = SS_HTTP_POST;
        break;
    case HTTP_HEAD:
        request->method = SS_HTTP_HEAD;
        break;
    case HTTP_CONNECT:
        return fail(head, SS_E_PROTO, 501, "the method is not implemented");
    default:
        request->method = SS_HTTP_OTHER;
        break;
    }
    return 0;
}

static struct ss_str url_part(struct ss_str target, const struct http_parser_url *url,
                              enum http_parser_url_fields field)
{
    if ((url->field_set & (1u << field)) == 0) {
        return ss_str_of(target.data, 0);
    }
    return ss_str_of(target.data + url->field_data[field].off, url->field_data[field].len);
}

/* Splits origin-form, absolute-form and "*" (RFC 9112 section 3.2) into path and query. */
static int split_target(struct ss_http_head *head, bool options_method)
{
    struct ss_http_request *request = head->request;
    struct ss_str target = request->path;
    if (target.len > SS_HTTP_TARGET_BYTES_MAX) {
        return fail(head, SS_E_TOOBIG, 414, "the request target is too long");
    }
    if (ss_str_equal(target, ss_str("*")) && options_method) {
        return 0;
    }
    struct http_parser_url url;
    http_parser_url_init(&url);
    if (http_parser_parse_url(target.data, target.len, 0, &url) != 0 ||
        (url.field_set & (1u << UF_FRAGMENT | 1u << UF_USERINFO)) != 0) {
        return fail(head, SS_E_PROTO, 400, "the request target is malformed");
    }
    request->path = url_part(target, &url, UF_PATH);
    request->query = url_part(target, &url, UF_QUERY);
    if (request->path.len == 0 && target.data[0] != '/') {
        request->path = ss_str("/");
    }
    if (request->path.len == 0 || request->path.data[0] != '/') {
        return fail(head, SS_E_PROTO, 400, "the request target is malformed");
    }
    return 0;
}

static int decode_segments(struct ss_http_head *head, uint8_t *room)
{
    struct ss_http_request *request = head->request;
    struct ss_str rest = request->path;
    if (rest.len <= 1) {
        return 0;
    }
    while (rest.len > 0) {
        rest = ss_str_of(rest.data + 1, rest.len - 1);
        const char *slash = rest.len == 0 ? NULL : memchr(rest.data, '/', rest.len);
        struct ss_str raw = ss_str_of(rest.data, slash == NULL ? rest.len
                                                               : (size_t)(slash - rest.data));
        if (request->segment_count == SS_HTTP_SEGMENTS_MAX) {
            return fail(head, SS_E_TOOBIG, 414, "the path has more than 16 segments");
        }
        ptrdiff_t len = ss__http_percent_decode(raw, room);
        if (len < 0) {
            return fail(head, SS_E_PROTO, 400, "the path holds a malformed percent escape");
        }
        request->segments[request->segment_count++] = ss_str_of(room, (size_t)len);
        room += len;
        rest = ss_str_of(raw.data + raw.len, rest.len - raw.len);
    }
    return 0;
}

static bool is_host_text(struct ss_str host)
{
    static const char others[] = "-._~!$&'()*+,;=:[]%";
    for (size_t i = 0; i < host.len; i++) {
        char byte = host.data[i];
        bool letter = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
        bool digit = byte >= '0' && byte <= '9';
        if (!letter && !digit && memchr(others, byte, sizeof others - 1) == NULL) {
            return false;
        }
    }
    return true;
}

static int check_host(struct ss_http_head *head)
{
    size_t at = 0;
    struct ss_str host;
    if (!ss__http_field_next(head->request, "Host", &at, &host)) {
        return head->request->version_minor == 0
                   ? 0
                   : fail(head, SS_E_PROTO, 400, "the Host field is missing");
    }
    struct ss_str second;
    if (ss__http_field_next(head->request, "Host", &at, &second)) {
        return fail(head, SS_E_PROTO, 400, "the Host field stands twice");
    }
    if (!is_host_text(host)) {
        return fail(head, SS_E_PROTO, 400, "the Host field is malformed");
    }
    return 0;
}

static int check_coding(struct ss_http_head *head)
{
    struct ss_http_request *request = head->request;
    size_t at = 0;
    struct ss_str coding;
    if (!ss__http_field_next(request, "Transfer-Encoding", &at, &coding)) {
        return 0;
    }
    struct ss_str length;
    if (ss__http_field(request, "Content-Length", &length)) {
        return fail(head, SS_E_PROTO, 400, "Content-Length stands beside Transfer-Encoding");
    }
    if (request->version_minor == 0) {
        return fail(head, SS_E_PROTO, 400, "HTTP/1.0 has no Transfer-Encoding");
    }
    struct ss_str second;
    if (!ss__http_equal_nocase(coding, ss_str("chunked")) ||
        ss__http_field_next(request, "Transfer-Encoding", &at, &second)) {
        return fail(head, SS_E_PROTO, 501, "the only transfer coding is chunked");
    }
    head->chunked = true;
    return 0;
}

static int check_expectation(struct ss_http_head *head)
{
    struct ss_http_request *request = head->request;
    struct ss_str value;
    if (request->version_minor == 0 || !ss__http_field(request, "Expect", &value)) {
        return 0;
    }
    if (!ss__http_equal_nocase(value, ss_str("100-continue"))) {
        return fail(head, SS_E_PROTO, 417, "the only expectation is 100-continue");
    }
    request->expect_continue = true;
    return 0;
}

int ss__http_head_parse(struct ss_http_head *head, struct ss_bytes *bytes)
{
    /* Room for the decoded path first: nothing may move once slices exist. */
    size_t len = bytes->len;
    uint8_t *room = ss__bytes_extend(bytes, len);
    if (room == NULL) {
        return fail(head, SS_E_NOMEM, 503, "out of memory");
    }
    http_parser parser;
    int err = run_parser(head, &parser, ss_str_of(bytes->data, len));
    if (err == 0) {
        err = take_request_line(head, &parser);
    }
    if (err == 0) {
        err = split_target(head, parser.method == HTTP_OPTIONS);
    }
    if (err == 0) {
        err = decode_segments(head, room);
    }
    if (err == 0) {
        err = check_host(head);
    }
    if (err == 0) {
        err = check_coding(head);
    }
    if (err == 0) {
        err = check_expectation(head);
    }
    head->request->upgrade = ss__http_field_has_token(head->request, "Connection", "upgrade");
    return err;
}
