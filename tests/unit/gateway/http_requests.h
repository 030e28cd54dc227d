/* http_requests.h - requests as bytes on an open connection. */
#ifndef SS_TESTS_GATEWAY_HTTP_REQUESTS_H
#define SS_TESTS_GATEWAY_HTTP_REQUESTS_H

#include <stdio.h>
#include <string.h>

#include "gateway_fixture.h"
#include "ss_test.h"

static inline void send_text(struct ws_test_client *client, const char *text)
{
    ws_test_send_raw(client, text, strlen(text));
}

static inline void expect_end(struct ws_test_client *client)
{
    ss_check(ws_test_http_response(client, false, NULL) == 0);
}

/* A request with @body on an open connection. */
static inline void post(struct ws_test_client *client, const char *path, const char *body)
{
    char text[1024];
    (void)snprintf(text, sizeof text,
                   "POST %s HTTP/1.1\r\nHost: h\r\nContent-Length: %zu\r\n\r\n%s", path,
                   strlen(body), body);
    send_text(client, text);
}

static inline void get(struct ws_test_client *client, const char *path)
{
    char text[512];
    (void)snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: h\r\n\r\n", path);
    send_text(client, text);
}

#endif
