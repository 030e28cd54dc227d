/* connection.h - one client connection on a worker's loop: connect, greet, read items, write.
 *
 * Embedded first in what uses it (a follower, a publisher). All calls and callbacks on the
 * worker's thread. After on_lost the connection is free to be connected again. */
#ifndef SS_LOAD_CONNECTION_H
#define SS_LOAD_CONNECTION_H

#include <uv.h>

#include "load/dialect.h"

struct ss_load_worker;
struct ss_load_connection;

struct ss_load_events {
    void (*on_item)(struct ss_load_connection *connection, const struct ss_load_item *item);
    void (*on_lost)(struct ss_load_connection *connection, const char *why);
};

enum ss_load_connection_state {
    SS_LOAD_IDLE,
    SS_LOAD_CONNECTING,    /* until its on_item says OPEN */
    SS_LOAD_CONNECTED,
    SS_LOAD_CLOSING
};

struct ss_load_connection {
    uv_tcp_t tcp;
    uv_connect_t connect;
    struct ss_load_worker *worker;
    const struct ss_load_events *events;
    const char *lost;              /* why it is closing; static */
    struct ss_str session_id;      /* that it follows; empty: it publishes */
    uint32_t target;
    uint8_t state;                 /* enum ss_load_connection_state */
    struct ss_load_link link;
    struct ss_bytes partial;       /* the beginning of a frame */
};

/* @session_id: that it follows, empty if it publishes; it must outlive the connection. */
void ss__load_connection_init(struct ss_load_connection *connection,
                              struct ss_load_worker *worker, const struct ss_load_events *events,
                              struct ss_str session_id);

/* Connects to the target with number @target of the worker's run. What goes wrong is told by
 * on_lost, later. */
void ss__load_connection_open(struct ss_load_connection *connection, uint32_t target);

/* Sends the worker's out buffer and clears it. */
void ss__load_connection_flush(struct ss_load_connection *connection);

/* Bytes that wait because the server does not read. */
size_t ss__load_connection_backlog(const struct ss_load_connection *connection);

/* Closes without goodbye; on_lost follows with @why (static). Harmless when idle or closing. */
void ss__load_connection_close(struct ss_load_connection *connection, const char *why);

#endif
