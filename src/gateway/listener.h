/* listener.h - the listening socket. Bound on the controlling thread, served on the gateway's. */
#ifndef SS_GATEWAY_LISTENER_H
#define SS_GATEWAY_LISTENER_H

#include <stdint.h>

#include "core/failure.h"
#include "gateway/state.h"

/* Binds @host and @port (0: any free one) with SO_REUSEPORT. @first: nobody else may hold the port
 * yet, not even a process that would share it. Errors: SS_E_ADDRESS, SS_E_IO. */
int ss__listener_bind(struct ss_listener *listener, const char *host, uint16_t port, bool first,
                      uint16_t *ret_port, struct ss_failure *failure);

/* Closes what is still open of it. */
void ss__listener_unbind(struct ss_listener *listener);

/* Listens and accepts. Gateway thread. Errors: SS_E_ADDRESS, SS_E_IO. */
int ss__listener_start(struct ss_gateway *gateway);

/* Accepts no more. Gateway thread; harmless when repeated. */
void ss__listener_stop(struct ss_gateway *gateway);

/* Accepts again after a pause for want of descriptors; returns when to call again. */
uint64_t ss__listener_look(struct ss_gateway *gateway);

#endif
