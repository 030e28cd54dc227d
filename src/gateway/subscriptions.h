/* subscriptions.h - what one connection follows, as data. Gateway thread.
 *
 * A subscription is named by its place in the connection (a tag), which does not change while it
 * lives. */
#ifndef SS_GATEWAY_SUBSCRIPTIONS_H
#define SS_GATEWAY_SUBSCRIPTIONS_H

#include <stdint.h>

#include "gateway/conn.h"

#define SS_NO_TAG UINT32_MAX

/* The tag of the connection's subscription of @session, or SS_NO_TAG. */
uint32_t ss__subscriptions_find(const struct ss_conn *conn, const struct ss_followed *session);

/* Adds one that is not live. Errors: SS_E_SUBSCRIPTIONS, SS_E_NOMEM. */
int ss__subscriptions_add(struct ss_conn *conn, struct ss_followed *session, uint16_t *ret_tag);

/* Makes it live; fine if it is. SS_E_NOMEM. */
int ss__subscriptions_go_live(struct ss_conn *conn, uint16_t tag);

/* A live one that has been asked for anew is sent nothing until that is answered, as at first. */
void ss__subscriptions_rest(struct ss_conn *conn, uint16_t tag);

/* Removes it, and the session from the gateway if nobody else is interested. */
void ss__subscriptions_remove(struct ss_conn *conn, uint16_t tag);

/* Removes all. */
void ss__subscriptions_clear(struct ss_conn *conn);

/* Counts it in or out of the stale ones. */
void ss__subscriptions_set_stale(struct ss_conn *conn, uint16_t tag, bool stale);

/* A subscribe of it waits; it is interest in the session. Takes it over, frees an older one. */
void ss__subscriptions_defer(struct ss_conn *conn, uint16_t tag, struct ss_request *request);

/* The subscribe that waits, which does so no longer, or NULL. The interest goes with it: settle
 * the session if there is no other. */
struct ss_request *ss__subscriptions_take_deferred(struct ss_conn *conn, uint16_t tag);

/* The same of one that nobody wants any more. */
void ss__subscriptions_drop_deferred(struct ss_conn *conn, uint16_t tag);

/* The subscription's newest page is on its way out; takes over the request it came with. */
void ss__subscriptions_keep_page(struct ss_conn *conn, uint16_t tag, struct ss_request *request);

/* That request, which waits no longer, or NULL. */
struct ss_request *ss__subscriptions_take_page(struct ss_conn *conn, uint16_t tag);

/* The client wants no further page; harmless if none is kept. */
void ss__subscriptions_drop_page(struct ss_conn *conn, uint16_t tag);

/* Sends a request that came with a page back to its shard, for the next one or withdrawn. False:
 * the shard has ended, and the request is freed; the session is asked for once less. */
bool ss__subscriptions_return(struct ss_gateway *gateway, struct ss_followed *session,
                              struct ss_request *request);

/* The page for which room was reserved is there, or will never be; harmless if there was none. */
void ss__subscriptions_unreserve(struct ss_gateway *gateway, struct ss_request *request);

/* If nobody is interested in @session any more: takes it out of the gateway and tells its shard. */
void ss__subscriptions_settle(struct ss_gateway *gateway, struct ss_followed *session);

#endif
