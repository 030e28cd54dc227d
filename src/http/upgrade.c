#include "http/upgrade.h"

#include <sessionstream/error.h>

#include "core/contract.h"
#include "http/base64.h"
#include "http/response.h"
#include "http/sha1.h"

#define KEY_TEXT_BYTES 24

const char *ss__http_subprotocol_name(enum ss_http_subprotocol subprotocol)
{
    static const char *const names[] = {
        [SS_HTTP_SUBPROTOCOL_NONE] = NULL,
        [SS_HTTP_SUBPROTOCOL_V1_JSON] = "sessionstream.v1.json",
        [SS_HTTP_SUBPROTOCOL_V2_JSON] = "sessionstream.v2.json",
        [SS_HTTP_SUBPROTOCOL_V2_PROTOBUF] = "sessionstream.v2.protobuf"
    };
    return names[subprotocol];
}

void ss__http_accept_key(struct ss_str key, char ret_accept[SS_HTTP_ACCEPT_BYTES + 1])
{
    static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    char text[KEY_TEXT_BYTES + sizeof guid - 1];
    SS_REQUIRE(key.len == KEY_TEXT_BYTES);
    memcpy(text, key.data, key.len);
    memcpy(text + key.len, guid, sizeof guid - 1);
    uint8_t digest[SS_SHA1_BYTES];
    ss__sha1(ss_str_of(text, sizeof text), digest);
    size_t len = ss__base64_encode(digest, sizeof digest, ret_accept);
    ret_accept[len] = '\0';
}

/* 16 bytes in base64 are 22 digits and "=="; the last digit carries four zero bits. */
static bool is_key(struct ss_str key)
{
    if (key.len != KEY_TEXT_BYTES || key.data[22] != '=' || key.data[23] != '=') {
        return false;
    }
    for (size_t i = 0; i < 22; i++) {
        const char *digit = memchr(ss__base64_digits, key.data[i], 64);
        if (digit == NULL || (i == 21 && ((digit - ss__base64_digits) & 15) != 0)) {
            return false;
        }
    }
    return true;
}

static enum ss_http_subprotocol choose_subprotocol(const struct ss_http_request *request)
{
    size_t at = 0;
    struct ss_str list;
    while (ss__http_field_next(request, "Sec-WebSocket-Protocol", &at, &list)) {
        struct ss_str offered;
        while (ss__http_list_next(&list, &offered)) {
            for (int p = SS_HTTP_SUBPROTOCOL_V1_JSON; p <= SS_HTTP_SUBPROTOCOL_V2_PROTOBUF; p++) {
                const char *name = ss__http_subprotocol_name((enum ss_http_subprotocol)p);
                if (ss_str_equal(offered, ss_str(name))) {
                    return (enum ss_http_subprotocol)p;
                }
            }
        }
    }
    return SS_HTTP_SUBPROTOCOL_NONE;
}

static int refuse(struct ss_http_upgrade *upgrade, unsigned status, const char *text)
{
    upgrade->status = status;
    upgrade->error = text;
    return SS_E_PROTO;
}

/* The only field of this name; false if it is missing or stands twice. */
static bool single_field(const struct ss_http_request *request, const char *name,
                         struct ss_str *ret_value)
{
    size_t at = 0;
    struct ss_str second;
    return ss__http_field_next(request, name, &at, ret_value) &&
           !ss__http_field_next(request, name, &at, &second);
}

int ss__http_upgrade(const struct ss_http_request *request, struct ss_http_upgrade *ret_upgrade)
{
    *ret_upgrade = (struct ss_http_upgrade){ .status = 101 };
    if (request->method != SS_HTTP_GET) {
        return refuse(ret_upgrade, 405, "a websocket is opened with GET");
    }
    if (!ss__http_field_has_token(request, "Upgrade", "websocket")) {
        return refuse(ret_upgrade, 426, "this address speaks websocket: Upgrade is missing");
    }
    if (!request->upgrade) {
        return refuse(ret_upgrade, 400, "the Connection field does not list \"upgrade\"");
    }
    if (request->version_minor == 0) {
        return refuse(ret_upgrade, 400, "a websocket needs HTTP/1.1");
    }
    if (request->body.len > 0) {
        return refuse(ret_upgrade, 400, "a websocket request has no body");
    }
    struct ss_str version;
    if (!single_field(request, "Sec-WebSocket-Version", &version) ||
        !ss_str_equal(version, ss_str("13"))) {
        return refuse(ret_upgrade, 426, "Sec-WebSocket-Version must be 13");
    }
    struct ss_str key;
    if (!single_field(request, "Sec-WebSocket-Key", &key) || !is_key(key)) {
        return refuse(ret_upgrade, 400, "Sec-WebSocket-Key must be 16 bytes in base64");
    }
    ss__http_accept_key(key, ret_upgrade->accept);
    ret_upgrade->subprotocol = choose_subprotocol(request);
    return 0;
}

static void write_refusal(const struct ss_http_upgrade *upgrade, struct ss_bytes *out)
{
    struct ss_http_extra extra[2];
    size_t count = 0;
    if (upgrade->status == 426) {
        extra[count++] = (struct ss_http_extra){ "Upgrade", ss_str("websocket") };
        extra[count++] = (struct ss_http_extra){ "Sec-WebSocket-Version", ss_str("13") };
    } else if (upgrade->status == 405) {
        extra[count++] = (struct ss_http_extra){ "Allow", ss_str("GET") };
    }
    struct ss_http_problem problem = {
        .status = upgrade->status,
        .code = ss_error_wire_name(SS_E_PROTO),
        .detail = ss_str(upgrade->error),
        .extra = extra,
        .extra_count = count
    };
    ss__http_problem_write(out, &problem);
}

void ss__http_upgrade_response(const struct ss_http_upgrade *upgrade, struct ss_bytes *out)
{
    if (upgrade->status != 101) {
        write_refusal(upgrade, out);
        return;
    }
    ss__bytes_text(out, "HTTP/1.1 101 Switching Protocols\r\n"
                        "Upgrade: websocket\r\n"
                        "Connection: Upgrade\r\n"
                        "Sec-WebSocket-Accept: ");
    ss__bytes_text(out, upgrade->accept);
    const char *name = ss__http_subprotocol_name(upgrade->subprotocol);
    if (name != NULL) {
        ss__bytes_text(out, "\r\nSec-WebSocket-Protocol: ");
        ss__bytes_text(out, name);
    }
    ss__bytes_text(out, "\r\n\r\n");
}
