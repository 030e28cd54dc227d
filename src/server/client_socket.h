/* client_socket.h - a TCP connection of ssctl: blocking calls with deadlines. */
#ifndef SS_SERVER_CLIENT_SOCKET_H
#define SS_SERVER_CLIENT_SOCKET_H

#include <stddef.h>
#include <stdint.h>

#include <sessionstream/types.h>

#include "core/failure.h"
#include "server/url.h"

/* Connects to the first address of @url that answers; SS_E_ADDRESS (unknown host), SS_E_IO or
 * SS_E_TIMEOUT with a text that names it. The descriptor is non-blocking. */
int ss__client_connect(const struct ss_url *url, uint32_t timeout_ms, int *ret_fd,
                       struct ss_failure *failure);

/* Sends all of @bytes. @timeout_ms is the longest pause. Errors: SS_E_IO, SS_E_TIMEOUT. */
int ss__client_send(int fd, struct ss_str bytes, uint32_t timeout_ms,
                    struct ss_failure *failure);

/* Bytes received (> 0), 0 at the end of the stream, SS_E_IO or SS_E_TIMEOUT. */
ptrdiff_t ss__client_receive(int fd, void *out, size_t cap, uint32_t timeout_ms,
                             struct ss_failure *failure);

/* Waits. */
void ss__client_pause(uint32_t ms);

#endif
