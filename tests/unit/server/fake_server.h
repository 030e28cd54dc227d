/* fake_server.h - accepts one connection, reads one request (its head and announced body), sends a
 * fixed answer and closes. A thread of its own. */
#ifndef SS_TESTS_FAKE_SERVER_H
#define SS_TESTS_FAKE_SERVER_H

#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/url.h"
#include "ss_test.h"

struct fake_server {
    pthread_t thread;
    int listener;
    const char *answer;
    char request[8192];    /* after stop */
};

/* A listening socket on a free loopback port; its address in *ret_url. */
static inline int fake_server_listen(struct ss_url *ret_url)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof address;
    char text[64];
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    ss_check(fd >= 0);
    ss_check(bind(fd, (const struct sockaddr *)&address, sizeof address) == 0);
    ss_check(listen(fd, 4) == 0);
    ss_check(getsockname(fd, (struct sockaddr *)&address, &len) == 0);
    (void)snprintf(text, sizeof text, "http://127.0.0.1:%u", ntohs(address.sin_port));
    ss_check(ss__url_parse(text, ret_url, NULL) == 0);
    return fd;
}

static inline int fake_server_complete(const char *request, size_t len)
{
    const char *end = strstr(request, "\r\n\r\n");
    if (end == NULL) {
        return 0;
    }
    const char *field = strstr(request, "Content-Length: ");
    size_t body = field == NULL ? 0 : (size_t)strtoul(field + 16, NULL, 10);
    return len >= (size_t)(end - request) + 4 + body;
}

static inline void fake_server_read(int fd, char *request, size_t cap)
{
    size_t len = 0;
    while (!fake_server_complete(request, len) && len + 1 < cap) {
        ssize_t got = recv(fd, request + len, cap - 1 - len, 0);
        if (got <= 0) {
            break;
        }
        len += (size_t)got;
        request[len] = '\0';
    }
}

static inline void *fake_server_run(void *arg)
{
    struct fake_server *server = arg;
    int fd = accept(server->listener, NULL, NULL);
    if (fd >= 0) {
        fake_server_read(fd, server->request, sizeof server->request);
        size_t left = strlen(server->answer);
        const char *at = server->answer;
        while (left > 0) {
            ssize_t sent = send(fd, at, left, MSG_NOSIGNAL);
            if (sent <= 0) {
                break;
            }
            at += sent;
            left -= (size_t)sent;
        }
        close(fd);
    }
    return NULL;
}

static inline void fake_server_start(struct fake_server *server, const char *answer,
                                     struct ss_url *ret_url)
{
    *server = (struct fake_server){ .answer = answer };
    server->listener = fake_server_listen(ret_url);
    ss_check(pthread_create(&server->thread, NULL, fake_server_run, server) == 0);
}

/* Also when nobody connected. */
static inline void fake_server_stop(struct fake_server *server)
{
    ss_check(shutdown(server->listener, SHUT_RDWR) == 0);
    ss_check(pthread_join(server->thread, NULL) == 0);
    close(server->listener);
}

#endif
