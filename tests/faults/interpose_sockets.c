/* Calls of sockets and of what a loop is made of. */
#define _GNU_SOURCE 1
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <uv.h>

#include "interpose_real.h"

static __thread bool in_poll_init;

int accept4(int fd, struct sockaddr *address, socklen_t *len, int flags)
{
    REAL(accept4)
    int code = faults_strike(CALL_ACCEPT);
    return code > 0 ? faults_fail(code) : real(fd, address, len, flags);
}

ssize_t recv(int fd, void *data, size_t len, int flags)
{
    REAL(recv)
    int code = faults_strike(CALL_RECV);
    return code > 0 ? faults_fail(code) : real(fd, data, code == FAULT_SHORT ? 1 : len, flags);
}

ssize_t send(int fd, const void *data, size_t len, int flags)
{
    REAL(send)
    int code = faults_strike(CALL_SEND);
    return code > 0 ? faults_fail(code)
                    : real(fd, data, code == FAULT_SHORT ? (len + 1) / 2 : len, flags);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    REAL(sendmsg)
    int code = faults_strike(CALL_SEND);
    return code > 0 ? faults_fail(code) : real(fd, message, flags);
}

int epoll_create1(int flags)
{
    REAL(epoll_create1)
    int code = faults_strike(CALL_EPOLL_CREATE);
    return code > 0 ? faults_fail(code) : real(flags);
}

int uv_poll_init(uv_loop_t *loop, uv_poll_t *handle, int fd)
{
    REAL(uv_poll_init)
    in_poll_init = true;
    int err = real(loop, handle, fd);
    in_poll_init = false;
    return err;
}

int epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event)
{
    REAL(epoll_ctl)
    int code = in_poll_init && operation == EPOLL_CTL_ADD ? faults_strike(CALL_EPOLL_ADD) : 0;
    return code > 0 ? faults_fail(code) : real(epoll, operation, fd, event);
}

int eventfd(unsigned count, int flags)
{
    REAL(eventfd)
    int code = faults_strike(CALL_EVENTFD);
    return code > 0 ? faults_fail(code) : real(count, flags);
}

int socket(int domain, int type, int protocol)
{
    REAL(socket)
    int code = faults_strike(CALL_SOCKET);
    return code > 0 ? faults_fail(code) : real(domain, type, protocol);
}

int bind(int fd, const struct sockaddr *address, socklen_t len)
{
    REAL(bind)
    int code = faults_strike(CALL_SOCKET);
    return code > 0 ? faults_fail(code) : real(fd, address, len);
}

int listen(int fd, int backlog)
{
    REAL(listen)
    int code = faults_strike(CALL_SOCKET);
    return code > 0 ? faults_fail(code) : real(fd, backlog);
}
