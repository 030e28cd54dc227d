#include "server/client_socket.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/clock.h"

static uint64_t now_ms(void)
{
    return ss__clock_monotonic_ns(&ss__system_clock) / 1000000;
}

/* 0 once @fd is ready, SS_E_TIMEOUT or SS_E_IO. */
static int wait_ready(int fd, short events, uint32_t timeout_ms)
{
    uint64_t deadline_ms = now_ms() + timeout_ms;
    for (;;) {
        uint64_t now = now_ms();
        uint64_t left = deadline_ms > now ? deadline_ms - now : 0;
        struct pollfd waiting = { .fd = fd, .events = events };
        int count = poll(&waiting, 1, (int)(left > 1000000 ? 1000000 : left));
        if (count > 0) {
            return 0;
        }
        if (count == 0 && left <= 1000000) {
            return SS_E_TIMEOUT;
        }
        if (count < 0 && errno != EINTR) {
            return SS_E_IO;
        }
    }
}

void ss__client_pause(uint32_t ms)
{
    (void)wait_ready(-1, 0, ms);    /* no descriptor can become ready */
}

/* errno of the attempt, 0 on success. */
static int connect_one(const struct addrinfo *address, uint32_t timeout_ms, int *ret_fd)
{
    int fd = socket(address->ai_family, address->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK,
                    address->ai_protocol);
    if (fd < 0) {
        return errno;
    }
    int failed = 0;
    if (connect(fd, address->ai_addr, address->ai_addrlen) != 0) {
        failed = errno;
    }
    if (failed == EINPROGRESS) {
        int err = wait_ready(fd, POLLOUT, timeout_ms);
        socklen_t len = sizeof failed;
        if (err == SS_E_TIMEOUT) {
            failed = ETIMEDOUT;
        } else if (err != 0 || getsockopt(fd, SOL_SOCKET, SO_ERROR, &failed, &len) != 0) {
            failed = errno;
        }
    }
    if (failed != 0) {
        (void)close(fd);    /* nothing was sent */
        return failed;
    }
    *ret_fd = fd;
    return 0;
}

int ss__client_connect(const struct ss_url *url, uint32_t timeout_ms, int *ret_fd,
                       struct ss_failure *failure)
{
    struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };
    struct addrinfo *addresses = NULL;
    int code = getaddrinfo(url->host, url->port, &hints, &addresses);
    if (code != 0) {
        return ss__fail(failure, SS_E_ADDRESS, "host %.100s: %s", url->host, gai_strerror(code));
    }
    int failed = ENOENT;
    for (struct addrinfo *at = addresses; at != NULL && failed != 0; at = at->ai_next) {
        failed = connect_one(at, timeout_ms, ret_fd);
    }
    freeaddrinfo(addresses);
    if (failed != 0) {
        return ss__fail(failure, failed == ETIMEDOUT ? SS_E_TIMEOUT : SS_E_IO,
                        "cannot connect to %.120s: %s", url->authority, strerror(failed));
    }
    return 0;
}

static int fail_wait(int err, struct ss_failure *failure)
{
    return ss__fail(failure, err, "%s",
                    err == SS_E_TIMEOUT ? "the server does not answer" : strerror(errno));
}

int ss__client_send(int fd, struct ss_str bytes, uint32_t timeout_ms, struct ss_failure *failure)
{
    while (bytes.len > 0) {
        ssize_t sent = send(fd, bytes.data, bytes.len, MSG_NOSIGNAL);
        if (sent > 0) {
            bytes = ss_str_of(bytes.data + sent, bytes.len - (size_t)sent);
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            int err = wait_ready(fd, POLLOUT, timeout_ms);
            if (err != 0) {
                return fail_wait(err, failure);
            }
        } else if (errno != EINTR) {
            return ss__fail(failure, SS_E_IO, "cannot send: %s", strerror(errno));
        }
    }
    return 0;
}

ptrdiff_t ss__client_receive(int fd, void *out, size_t cap, uint32_t timeout_ms,
                             struct ss_failure *failure)
{
    for (;;) {
        ssize_t received = recv(fd, out, cap, 0);
        if (received >= 0) {
            return received;
        }
        if (errno == EAGAIN || errno == EWOULDBLOCK) {
            int err = wait_ready(fd, POLLIN, timeout_ms);
            if (err != 0) {
                return fail_wait(err, failure);
            }
        } else if (errno != EINTR) {
            return ss__fail(failure, SS_E_IO, "cannot receive: %s", strerror(errno));
        }
    }
}
