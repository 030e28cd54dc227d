/* gateway_fixture.h - a real gateway on the loopback whose only shard is played by the test.
 *
 * Commands: "Note" takes a sessionstream.v1.PingFrame, "Other" a sessionstream.v1.PongFrame.
 * Event: "Noted", a sessionstream.v1.PingFrame. "/large" is a file of 8 KiB. */
#ifndef SS_GATEWAY_FIXTURE_H
#define SS_GATEWAY_FIXTURE_H

#include "gateway/conn.h"
#include "gateway/gateway.h"
#include "wire/server_frame.h"
#include "ws_test_client.h"

struct fixture {
    struct ss_gateway_options options;    /* change between prepare and start */
    struct ss_gateway *gateway;
    struct ss_inbox *shard;
    struct ss_registry *registry;
    struct ss_transport transport;
    struct ss_router router;
    struct ss_gateway_stats stats;
    struct ss_shard_stats shard_stats;
    struct ss_stats_table table;
    atomic_bool ready;
    uint16_t port;
    bool stopped;
    bool still;    /* it has no thread: never had one, or it was joined */
};

void fixture_prepare(struct fixture *fixture);
void fixture_start(struct fixture *fixture);

/* Both. */
void fixture_open(struct fixture *fixture);

/* Stops (both steps) unless it is stopped, joins and frees. */
void fixture_close(struct fixture *fixture);

/* The same with one websocket, and with its end, or that of any connection. */
void fixture_open_with(struct fixture *fixture, struct ws_test_client *client,
                       const char *subprotocols);
void fixture_close_with(struct fixture *fixture, struct ws_test_client *client);

/* A gateway that has no thread, so that nothing comes between two steps of the test. */
void fixture_prepare_still(struct fixture *fixture);

/* A connection of such a gateway, HTTP or websocket; its other end is *ret_fd. */
struct ss_conn *fixture_add_still(struct fixture *fixture, enum ss_conn_state state, int *ret_fd);

/* One turn of its loop, on this thread. */
void fixture_turn(struct fixture *fixture);

/* Prepares and adds one. */
struct ss_conn *fixture_open_still(struct fixture *fixture, enum ss_conn_state state, int *ret_fd);
void fixture_close_still(struct fixture *fixture, struct ss_conn *conn, int fd);

/* The next message to the shard; fails after the deadline. */
struct ss_msg *fixture_take(struct fixture *fixture);

/* The next message, which must be a request of @kind for @session. */
struct ss_request *fixture_take_request(struct fixture *fixture, enum ss_request_kind kind,
                                        const char *session);

/* True if the shard has nothing to take now. */
bool fixture_is_quiet(struct fixture *fixture);

/* Turns the request round. */
void fixture_reply(struct fixture *fixture, struct ss_request *request);

/* Answers a subscribe: an empty snapshot at @ordinal, no frames. */
void fixture_reply_snapshot(struct fixture *fixture, struct ss_request *request,
                            uint64_t ordinal);

/* A frame named @name in V1 JSON for the followers of @handle. */
struct ss_buf *fixture_frame(struct fixture *fixture, const char *session, uint64_t ordinal,
                             const char *name);
void fixture_post_frame(struct fixture *fixture, struct ss_session_handle handle,
                        const char *session, uint64_t ordinal, const char *name);
void fixture_post(struct fixture *fixture, struct ss_msg *msg);

/* Connects, subscribes @session and answers with an empty snapshot at @ordinal. */
struct ss_session_handle fixture_follow(struct fixture *fixture, struct ws_test_client *client,
                                        const char *session, uint64_t ordinal);

/* Polls a counter of the gateway until it is at least @value; fails after the deadline. */
void fixture_await(const atomic_uint_fast64_t *counter, uint64_t value);

/* The same until it is exactly @value, for gauges. */
void fixture_await_gauge(const atomic_uint_fast64_t *gauge, uint64_t value);

/* Connects @client and sends @count requests for a page of some kilobytes; it reads nothing. With
 * some hundred no answers on the way find room. */
void fixture_ask_and_not_read(struct ws_test_client *client, uint16_t port, unsigned count);

#endif
