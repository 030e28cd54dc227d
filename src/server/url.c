#include "server/url.h"

#include <stdio.h>
#include <string.h>

#include "http/request.h"
#include "server/option_value.h"

static int refuse(struct ss_failure *failure, const char *text)
{
    return ss__fail(failure, SS_E_CONFIG,
                    "\"%.80s\" is not a server address; give http://HOST:PORT or ws://HOST:PORT",
                    text);
}

/* True if the authority ends with ":digits", not counting what stands in brackets. */
static bool has_port(const char *authority, size_t len)
{
    const char *colon = memrchr(authority, ':', len);
    return colon != NULL && memchr(colon, ']', len - (size_t)(colon - authority)) == NULL;
}

int ss__url_parse(const char *text, struct ss_url *ret_url, struct ss_failure *failure)
{
    const char *at = text;
    if (strncmp(at, "http://", 7) == 0) {
        at += 7;
    } else if (strncmp(at, "ws://", 5) == 0) {
        at += 5;
    } else if (strncmp(at, "https://", 8) == 0 || strncmp(at, "wss://", 6) == 0) {
        return ss__fail(failure, SS_E_CONFIG,
                        "\"%.80s\": TLS is not supported; give the address behind the proxy",
                        text);
    } else {
        return refuse(failure, text);
    }
    size_t len = strcspn(at, "/");
    if (at[len] == '/' && at[len + 1] != '\0') {
        return ss__fail(failure, SS_E_CONFIG, "\"%.80s\": leave out the path behind the port",
                        text);
    }
    char authority[SS_URL_HOST_BYTES_MAX + 9];
    int written = snprintf(authority, sizeof authority, "%.*s%s", (int)(len > 1000 ? 1000 : len),
                           at, has_port(at, len) ? "" : ":80");
    struct ss_str host;
    uint16_t port;
    if (written < 0 || (size_t)written >= sizeof authority ||
        ss__option_parse_address(ss_str(authority), &host, &port, NULL) != 0 || port == 0 ||
        !ss__http_is_host(ss_str(authority))) {
        return refuse(failure, text);
    }
    (void)snprintf(ret_url->host, sizeof ret_url->host, "%.*s", (int)host.len, host.data);
    (void)snprintf(ret_url->port, sizeof ret_url->port, "%u", port);
    (void)snprintf(ret_url->authority, sizeof ret_url->authority, "%s", authority);
    return 0;
}

static bool is_unreserved(char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= '0' && byte <= '9') || byte == '-' || byte == '.' || byte == '_' ||
           byte == '~';
}

void ss__url_segment(struct ss_bytes *out, struct ss_str segment)
{
    static const char hex[] = "0123456789ABCDEF";
    bool dots = ss_str_equal(segment, ss_str(".")) || ss_str_equal(segment, ss_str(".."));
    for (size_t i = 0; i < segment.len; i++) {
        uint8_t byte = (uint8_t)segment.data[i];
        if (is_unreserved((char)byte) && !(dots && i == 0)) {
            ss__bytes_byte(out, byte);
        } else {
            ss__bytes_byte(out, '%');
            ss__bytes_byte(out, (uint8_t)hex[byte >> 4]);
            ss__bytes_byte(out, (uint8_t)hex[byte & 15]);
        }
    }
}
