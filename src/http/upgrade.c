#include "http/upgrade.h"

#include <string.h>

#include <sessionstream/error.h>

#include "http/response.h"
#include "http/sha1.h"

#define GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"    /* RFC 6455 section 1.3 */
#define KEY_CHARS 24u

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void ss__http_accept_key(struct ss_str key, char ret_accept[SS_HTTP_ACCEPT_BYTES + 1])
{
    char text[KEY_CHARS + sizeof GUID] = { 0 };
    uint8_t digest[SS_SHA1_BYTES + 1] = { 0 };
    size_t len = key.len > KEY_CHARS ? KEY_CHARS : key.len;
    memcpy(text, key.data, len);
    memcpy(text + len, GUID, sizeof GUID - 1);
    ss__sha1(ss_str_of(text, len + sizeof GUID - 1), digest);
    char *out = ret_accept;
    for (size_t i = 0; i < SS_SHA1_BYTES; i += 3) {
        unsigned group = (unsigned)digest[i] << 16 | (unsigned)digest[i + 1] << 8 |
                         (i + 2 < SS_SHA1_BYTES ? digest[i + 2] : 0u);
        for (unsigned j = 0; j < 4; j++) {
            *out++ = alphabet[group >> (18 - 6 * j) & 63];
        }
    }
    out[-1] = '=';    /* 20 bytes leave one place of padding */
    *out = '\0';
}

/* 16 bytes in base64: 22 characters, the last of which carries 2 bits, and "==". */
static bool is_key(struct ss_str key)
{
    if (key.len != KEY_CHARS || memcmp(key.data + 22, "==", 2) != 0) {
        return false;
    }
    for (size_t i = 0; i < 22; i++) {
        if (key.data[i] == '\0' || strchr(alphabet, key.data[i]) == NULL) {
            return false;
        }
    }
    return true;
}

const char *ss__http_subprotocol_name(enum ss_http_subprotocol subprotocol)
{
    switch (subprotocol) {
    case SS_HTTP_SUBPROTOCOL_V1_JSON:
        return "sessionstream.v1.json";
    case SS_HTTP_SUBPROTOCOL_V2_JSON:
        return "sessionstream.v2.json";
    case SS_HTTP_SUBPROTOCOL_V2_PROTOBUF:
        return "sessionstream.v2.protobuf";
    case SS_HTTP_SUBPROTOCOL_NONE:
        break;
    }
    return NULL;
}

/* The first offer that we know: the client lists them by preference. */
static enum ss_http_subprotocol choose_subprotocol(const struct ss_http_request *request)
{
    size_t at = 0;
    struct ss_str list;
    struct ss_str offer;
    while (ss__http_field_next(request, "sec-websocket-protocol", &at, &list)) {
        while (ss__http_list_next(&list, &offer)) {
            for (int i = SS_HTTP_SUBPROTOCOL_V1_JSON; i <= SS_HTTP_SUBPROTOCOL_V2_PROTOBUF; i++) {
                enum ss_http_subprotocol known = (enum ss_http_subprotocol)i;
                if (ss_str_equal(offer, ss_str(ss__http_subprotocol_name(known)))) {
                    return known;
                }
            }
        }
    }
    return SS_HTTP_SUBPROTOCOL_NONE;
}

static int refuse(struct ss_http_upgrade *upgrade, unsigned status, const char *error)
{
    *upgrade = (struct ss_http_upgrade){ .status = status, .error = error };
    return SS_E_PROTO;
}

int ss__http_upgrade(const struct ss_http_request *request, struct ss_http_upgrade *ret_upgrade)
{
    struct ss_str key;
    struct ss_str version;
    size_t at = 0;
    if (request->method != SS_HTTP_GET) {
        int err = refuse(ret_upgrade, 405, "a websocket handshake is a GET request");
        ret_upgrade->head_only = request->method == SS_HTTP_HEAD;
        return err;
    }
    if (request->version_minor != 1) {
        return refuse(ret_upgrade, 400, "a websocket handshake needs HTTP/1.1");
    }
    if (!ss__http_field_has_token(request, "upgrade", "websocket") || !request->upgrade) {
        return refuse(ret_upgrade, 400,
                      "a websocket handshake needs Upgrade: websocket and Connection: Upgrade");
    }
    if (!ss__http_field_next(request, "sec-websocket-version", &at, &version) ||
        !ss_str_equal(version, ss_str("13")) ||
        ss__http_field_next(request, "sec-websocket-version", &at, &version)) {
        return refuse(ret_upgrade, 426, "the only websocket version here is 13");
    }
    at = 0;
    if (!ss__http_field_next(request, "sec-websocket-key", &at, &key) || !is_key(key)) {
        return refuse(ret_upgrade, 400, "Sec-WebSocket-Key must be 16 bytes in base64");
    }
    if (ss__http_field_next(request, "sec-websocket-key", &at, &version) ||
        request->content_length > 0) {
        return refuse(ret_upgrade, 400, "a websocket handshake has one key and no body");
    }
    *ret_upgrade = (struct ss_http_upgrade){ .status = 101,
                                             .subprotocol = choose_subprotocol(request) };
    ss__http_accept_key(key, ret_upgrade->accept);
    return 0;
}

static void write_refusal(const struct ss_http_upgrade *upgrade, struct ss_bytes *out)
{
    static const struct ss_http_extra allow[] = { { "Allow", { "GET", 3 } } };
    static const struct ss_http_extra version[] = { { "Sec-WebSocket-Version", { "13", 2 } },
                                                    { "Upgrade", { "websocket", 9 } } };
    struct ss_http_problem problem = { .status = upgrade->status,
                                       .code = ss_error_wire_name(SS_E_PROTO),
                                       .detail = ss_str(upgrade->error),
                                       .head_only = upgrade->head_only };
    if (upgrade->status == 405) {
        problem.extra = allow;
        problem.extra_count = 1;
    } else if (upgrade->status == 426) {
        problem.extra = version;
        problem.extra_count = 2;
    }
    ss__http_problem_write(out, &problem);
}

void ss__http_upgrade_response(const struct ss_http_upgrade *upgrade, struct ss_bytes *out)
{
    if (upgrade->status != 101) {
        write_refusal(upgrade, out);
        return;
    }
    const char *subprotocol = ss__http_subprotocol_name(upgrade->subprotocol);
    ss__bytes_text(out, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                        "Connection: Upgrade\r\nSec-WebSocket-Accept: ");
    ss__bytes_text(out, upgrade->accept);
    if (subprotocol != NULL) {
        ss__bytes_text(out, "\r\nSec-WebSocket-Protocol: ");
        ss__bytes_text(out, subprotocol);
    }
    ss__bytes_text(out, "\r\n\r\n");
}
