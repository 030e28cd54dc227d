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

/* Requests on an open connection: with a body, even an empty one, and without. */
static inline void post(struct ws_test_client *client, const char *path, const char *body)
{
    char head[512];
    (void)snprintf(head, sizeof head, "POST %s HTTP/1.1\r\nHost: h\r\nContent-Length: %zu\r\n\r\n",
                   path, strlen(body));
    send_text(client, head);
    send_text(client, body);
}

static inline void ask(struct ws_test_client *client, const char *method, const char *path)
{
    char text[512];
    (void)snprintf(text, sizeof text, "%s %s HTTP/1.1\r\nHost: h\r\n\r\n", method, path);
    send_text(client, text);
}

static inline void get(struct ws_test_client *client, const char *path)
{
    ask(client, "GET", path);
}

/* A gateway, and a connection that has said nothing. */
static inline void open_http(struct fixture *fixture, struct ws_test_client *client)
{
    fixture_open(fixture);
    ws_test_connect(client, fixture->port, 0);
}

#endif
