#include "gateway/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <sessionstream/error.h>
#include <sessionstream/limits.h>

#include "core/log.h"
#include "gateway/conn.h"
#include "gateway/reader.h"

/* Connections taken in one turn of the loop, and before the clock is looked at. */
#define ACCEPTED_MAX 64
#define ACCEPTED_MIN 8

/* Accepting rests so long when the reserve descriptor is of no help. */
#define DESCRIPTOR_PAUSE_MS 1000
#define WARNING_PAUSE_MS 10000

static uint16_t port_of(int fd)
{
    struct sockaddr_storage address;
    socklen_t len = sizeof address;
    if (getsockname(fd, (struct sockaddr *)&address, &len) != 0) {
        return 0;
    }
    if (address.ss_family == AF_INET6) {
        return ntohs(((const struct sockaddr_in6 *)&address)->sin6_port);
    }
    return ntohs(((const struct sockaddr_in *)&address)->sin_port);
}

/* A bound socket, or -1 with errno. */
static int open_bound(const struct addrinfo *address, bool share)
{
    int fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -1;
    }
    int on = 1;
    int unsent = SS_UNSENT_BYTES_MAX;
    /* Accepted sockets inherit both. Without the first clients that read nothing cost more memory,
     * without the second answers come late. */
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof unsent);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
        (!share || setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) == 0) &&
        bind(fd, address->ai_addr, address->ai_addrlen) == 0) {
        return fd;
    }
    int err = errno;
    (void)close(fd);
    errno = err;
    return -1;
}

int ss__listener_bind(struct ss_listener *listener, const char *host, uint16_t port, bool first,
                      uint16_t *ret_port, struct ss_failure *failure)
{
    *listener = (struct ss_listener){ .fd = -1, .reserve_fd = -1 };
    char service[6];
    (void)snprintf(service, sizeof service, "%u", port);
    struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM,
                              .ai_flags = AI_PASSIVE | AI_NUMERICSERV };
    struct addrinfo *address;
    int err = getaddrinfo(host, service, &hints, &address);
    if (err != 0) {
        return ss__fail(failure, SS_E_ADDRESS, "listen address %s: %s", host, gai_strerror(err));
    }
    int probe = -1;
    if (first && port != 0) {
        /* With SO_REUSEPORT alone a second daemon of the same user would silently take half of
         * the connections. */
        probe = open_bound(address, false);
        if (probe >= 0) {
            (void)close(probe);
        }
    }
    listener->fd = !first || port == 0 || probe >= 0 ? open_bound(address, true) : -1;
    int why = errno;
    freeaddrinfo(address);
    if (listener->fd < 0) {
        return ss__fail(failure, SS_E_ADDRESS, "cannot listen on %s port %u: %s", host, port,
                        strerror(why));
    }
    *ret_port = port_of(listener->fd);
    return 0;
}

void ss__listener_unbind(struct ss_listener *listener)
{
    if (listener->fd >= 0) {
        (void)close(listener->fd);
        listener->fd = -1;
    }
    if (listener->reserve_fd >= 0) {
        (void)close(listener->reserve_fd);
        listener->reserve_fd = -1;
    }
}

static void keep_reserve(struct ss_listener *listener)
{
    if (listener->reserve_fd < 0) {
        listener->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    }
}

static int accept_one(const struct ss_listener *listener)
{
    return accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

static void on_acceptable(uv_poll_t *poll, int status, int events);

static bool is_shortage(int code)
{
    return code == EMFILE || code == ENFILE || code == ENOBUFS || code == ENOMEM;
}

static void rest(struct ss_gateway *gateway, uint64_t now)
{
    struct ss_listener *listener = &gateway->listener;
    (void)uv_poll_stop(&listener->poll);    /* cannot fail on an open handle */
    listener->again_ms = now + DESCRIPTOR_PAUSE_MS;
    ss__conn_arm(gateway, listener->again_ms);
}

/* No descriptor is left: the oldest waiting connection is turned away with the reserve, so that
 * the backlog does not keep the loop spinning. */
static void turn_away(struct ss_gateway *gateway)
{
    struct ss_listener *listener = &gateway->listener;
    uint64_t now = ss__gateway_now_ms(gateway);
    if (now - listener->warned_ms >= WARNING_PAUSE_MS) {
        listener->warned_ms = now;
        ss__log(SS_LOG_WARN, "no file descriptor left for a connection, raise the limit",
                "gateway=%u connections=%u", gateway->options.index, gateway->conns.count);
    }
    if (listener->reserve_fd < 0) {
        rest(gateway, now);
        return;
    }
    (void)close(listener->reserve_fd);
    listener->reserve_fd = -1;
    int fd = accept_one(listener);
    bool helped = fd >= 0 || !is_shortage(errno);
    if (fd >= 0) {
        ss__count(&gateway->options.stats->refused, 1);
        (void)close(fd);
    }
    keep_reserve(listener);
    if (!helped) {
        rest(gateway, now);    /* another process took it, or it is memory that is short */
    }
}

static void refuse(struct ss_gateway *gateway, int fd)
{
    static const char full[] = "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\n"
                               "Content-Length: 0\r\nConnection: close\r\n\r\n";
    ss__count(&gateway->options.stats->refused, 1);
    (void)send(fd, full, sizeof full - 1, MSG_DONTWAIT | MSG_NOSIGNAL);    /* a courtesy */
    (void)close(fd);
}

static void welcome(struct ss_gateway *gateway, int fd)
{
    if (gateway->conns.count >= gateway->options.connections_max) {
        refuse(gateway, fd);
        return;
    }
    struct ss_conn *conn;
    if (ss__conn_new(gateway, fd, &conn) != 0) {
        ss__count(&gateway->options.stats->refused, 1);
        return;
    }
    ss__count(&gateway->options.stats->accepted, 1);
    if (ss__reader_start(conn) != 0) {
        ss__conn_close(conn);
        return;
    }
    ss__conn_wake_at(conn, ss__gateway_now_ms(gateway) + gateway->options.handshake_timeout_ms);
}

static void on_acceptable(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    struct ss_listener *listener = ss__container_of(poll, struct ss_listener, poll);
    struct ss_gateway *gateway = ss__container_of(listener, struct ss_gateway, listener);
    ss__role_assert(SS_ROLE_GATEWAY, gateway->options.index);
    uint64_t until_ns = uv_hrtime() + ss__gateway_slice_ns(gateway);
    for (unsigned i = 0; i < ACCEPTED_MAX; i++) {
        if (i % ACCEPTED_MIN == ACCEPTED_MIN - 1 && uv_hrtime() >= until_ns) {
            ss__count(&gateway->options.stats->slices, 1);
            return;    /* the others come with the next turn */
        }
        int fd = accept_one(listener);
        if (fd >= 0) {
            welcome(gateway, fd);
        } else if (is_shortage(errno)) {
            turn_away(gateway);
            return;
        } else if (errno != EINTR && errno != ECONNABORTED) {
            return;    /* EAGAIN: no more; what concerns one connection comes back as that */
        }
    }
}

int ss__listener_start(struct ss_gateway *gateway)
{
    struct ss_listener *listener = &gateway->listener;
    if (listen(listener->fd, SOMAXCONN) != 0) {
        return errno == EADDRINUSE ? SS_E_ADDRESS : SS_E_IO;
    }
    keep_reserve(listener);
    if (uv_poll_init(&gateway->loop.uv, &listener->poll, listener->fd) != 0) {
        return SS_E_IO;
    }
    listener->open = true;
    if (uv_poll_start(&listener->poll, UV_READABLE, on_acceptable) != 0) {
        ss__listener_stop(gateway);
        return SS_E_IO;
    }
    return 0;
}

void ss__listener_stop(struct ss_gateway *gateway)
{
    struct ss_listener *listener = &gateway->listener;
    if (!listener->open) {
        return;
    }
    listener->open = false;
    listener->again_ms = 0;
    uv_close((uv_handle_t *)&listener->poll, NULL);
    ss__listener_unbind(listener);    /* resets what waits in the backlog */
}

uint64_t ss__listener_look(struct ss_gateway *gateway)
{
    struct ss_listener *listener = &gateway->listener;
    if (!listener->open || listener->again_ms == 0) {
        return UINT64_MAX;
    }
    if (ss__gateway_now_ms(gateway) >= listener->again_ms) {
        listener->again_ms = 0;
        keep_reserve(listener);
        if (uv_poll_start(&listener->poll, UV_READABLE, on_acceptable) != 0) {
            ss__log(SS_LOG_ERROR, "the gateway cannot accept any more", "gateway=%u",
                    gateway->options.index);
        }
        return UINT64_MAX;
    }
    return listener->again_ms;
}
