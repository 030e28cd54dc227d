#include "gateway/subscriptions.h"

#include <stdlib.h>

#include <sessionstream/error.h>

#include "core/contract.h"

uint32_t ss__subscriptions_find(const struct ss_conn *conn, const struct ss_followed *session)
{
    for (uint32_t tag = 0; tag < conn->subscriptions_cap; tag++) {
        if (conn->subscriptions[tag].session == session) {
            return tag;
        }
    }
    return SS_NO_TAG;
}

static int grow(struct ss_conn *conn)
{
    uint32_t cap = conn->subscriptions_cap == 0 ? 1 : (uint32_t)conn->subscriptions_cap * 2;
    uint32_t max = conn->gateway->options.subscriptions_max;
    cap = cap > max ? max : cap;
    struct ss_subscription *subscriptions =
        realloc(conn->subscriptions, cap * sizeof *subscriptions);
    if (subscriptions == NULL) {
        return SS_E_NOMEM;
    }
    for (uint32_t tag = conn->subscriptions_cap; tag < cap; tag++) {
        subscriptions[tag] = (struct ss_subscription){ .session = NULL };
    }
    conn->subscriptions = subscriptions;
    conn->subscriptions_cap = (uint16_t)cap;
    return 0;
}

int ss__subscriptions_add(struct ss_conn *conn, struct ss_followed *session, uint16_t *ret_tag)
{
    if (conn->subscriptions_count >= conn->gateway->options.subscriptions_max) {
        return SS_E_SUBSCRIPTIONS;
    }
    if (conn->subscriptions_count == conn->subscriptions_cap && grow(conn) != 0) {
        return SS_E_NOMEM;
    }
    uint32_t tag = ss__subscriptions_find(conn, NULL);
    SS_INSIST(tag != SS_NO_TAG);
    conn->subscriptions[tag] = (struct ss_subscription){ .session = session };
    conn->subscriptions_count++;
    *ret_tag = (uint16_t)tag;
    return 0;
}

int ss__subscriptions_go_live(struct ss_conn *conn, uint16_t tag)
{
    struct ss_subscription *subscription = &conn->subscriptions[tag];
    if (subscription->live) {
        return 0;
    }
    struct ss_gateway *gateway = conn->gateway;
    struct ss_follower follower = { .connection = conn->slot, .subscription = tag,
                                    .encoding = conn->encoding };
    int err = ss__followers_add(&gateway->followers, subscription->session, follower,
                                &subscription->place);
    if (err != 0) {
        return err;
    }
    subscription->live = true;
    ss__gauge_set(&gateway->options.stats->followers, gateway->followers.total);
    return 0;
}

void ss__subscriptions_set_stale(struct ss_conn *conn, uint16_t tag, bool stale)
{
    struct ss_subscription *subscription = &conn->subscriptions[tag];
    if (subscription->stale != stale) {
        subscription->stale = stale;
        conn->stale_count = (uint16_t)(stale ? conn->stale_count + 1 : conn->stale_count - 1);
    }
}

struct ss_request *ss__subscriptions_take_deferred(struct ss_conn *conn, uint16_t tag)
{
    struct ss_subscription *subscription = &conn->subscriptions[tag];
    struct ss_request *request = subscription->deferred;
    if (request != NULL) {
        subscription->deferred = NULL;
        conn->deferred_count--;
        subscription->session->asking--;
    }
    return request;
}

void ss__subscriptions_drop_deferred(struct ss_conn *conn, uint16_t tag)
{
    struct ss_request *request = ss__subscriptions_take_deferred(conn, tag);
    if (request != NULL) {
        ss__msg_free(&request->base);
    }
}

void ss__subscriptions_defer(struct ss_conn *conn, uint16_t tag, struct ss_request *request)
{
    struct ss_subscription *subscription = &conn->subscriptions[tag];
    ss__subscriptions_drop_deferred(conn, tag);
    subscription->deferred = request;
    conn->deferred_count++;
    subscription->session->asking++;
}

void ss__subscriptions_unreserve(struct ss_gateway *gateway, struct ss_request *request)
{
    struct ss_conn *conn = ss__conn_table_get(&gateway->conns, request->connection.slot,
                                              request->connection.generation);
    if (request->reserved == 0) {
        return;
    }
    if (conn != NULL) {
        ss__conn_unreserve_page(conn, request->reserved);
    } else {
        ss__snapshot_budget_unreserve(&gateway->snapshots, request->reserved);
    }
    request->reserved = 0;
}

bool ss__subscriptions_return(struct ss_gateway *gateway, struct ss_followed *session,
                              struct ss_request *request)
{
    struct ss_inbox *inbox = ss__router_inbox(gateway->options.router, request->session_id);
    ss__buf_unref(request->snapshot);
    request->snapshot = NULL;
    request->base.kind = SS_MSG_REQUEST;
    request->base.node.bytes = (uint32_t)request->memory_bytes;
    if (ss__inbox_post(inbox, &request->base.node, SS_POST_INSIDE) == 0) {
        return true;
    }
    ss__subscriptions_unreserve(gateway, request);
    ss__msg_free(&request->base);
    session->asking--;
    return false;
}

void ss__subscriptions_keep_page(struct ss_conn *conn, uint16_t tag, struct ss_request *request)
{
    SS_REQUIRE(conn->subscriptions[tag].page == NULL);
    conn->subscriptions[tag].page = request;
    conn->paging_count++;
}

struct ss_request *ss__subscriptions_take_page(struct ss_conn *conn, uint16_t tag)
{
    struct ss_request *request = conn->subscriptions[tag].page;
    if (request != NULL) {
        conn->subscriptions[tag].page = NULL;
        conn->paging_count--;
    }
    return request;
}

void ss__subscriptions_drop_page(struct ss_conn *conn, uint16_t tag)
{
    struct ss_request *request = ss__subscriptions_take_page(conn, tag);
    if (request != NULL) {
        request->withdrawn = true;
        (void)ss__subscriptions_return(conn->gateway, conn->subscriptions[tag].session, request);
    }
}

void ss__subscriptions_settle(struct ss_gateway *gateway, struct ss_followed *session)
{
    struct ss_inbox *inbox = ss__router_inbox(gateway->options.router, ss__followed_id(session));
    struct ss_msg_uninterested *farewell =
        ss__followers_settle(&gateway->followers, session);
    ss__gauge_set(&gateway->options.stats->sessions, gateway->followers.by_id.count);
    if (farewell != NULL &&
        ss__inbox_post(inbox, &farewell->base.node, SS_POST_INSIDE) != 0) {
        ss__msg_free(&farewell->base);    /* the shard is gone, and its followers with it */
    }
}

static void stop_following(struct ss_conn *conn, struct ss_subscription *subscription)
{
    struct ss_gateway *gateway = conn->gateway;
    struct ss_follower moved;
    if (ss__followers_remove(&gateway->followers, subscription->session, subscription->place,
                             &moved)) {
        struct ss_conn *other = gateway->conns.slots[moved.connection].conn;
        other->subscriptions[moved.subscription].place = subscription->place;
    }
    ss__gauge_set(&gateway->options.stats->followers, gateway->followers.total);
}

void ss__subscriptions_rest(struct ss_conn *conn, uint16_t tag)
{
    struct ss_subscription *subscription = &conn->subscriptions[tag];
    SS_REQUIRE(subscription->live &&
               (subscription->number != 0 || subscription->deferred != NULL));
    ss__subscriptions_set_stale(conn, tag, false);
    stop_following(conn, subscription);
    subscription->live = false;
    subscription->owes = false;    /* there will be an answer anyhow */
    subscription->ordinal = 0;
}

void ss__subscriptions_remove(struct ss_conn *conn, uint16_t tag)
{
    struct ss_subscription *subscription = &conn->subscriptions[tag];
    struct ss_followed *session = subscription->session;
    SS_REQUIRE(session != NULL);
    ss__subscriptions_set_stale(conn, tag, false);
    ss__subscriptions_drop_deferred(conn, tag);
    ss__subscriptions_drop_page(conn, tag);
    if (subscription->live) {
        stop_following(conn, subscription);
    }
    *subscription = (struct ss_subscription){ .session = NULL };
    conn->subscriptions_count--;
    ss__subscriptions_settle(conn->gateway, session);
}

void ss__subscriptions_clear(struct ss_conn *conn)
{
    for (uint32_t tag = 0; tag < conn->subscriptions_cap; tag++) {
        if (conn->subscriptions[tag].session != NULL) {
            ss__subscriptions_remove(conn, (uint16_t)tag);
        }
    }
    free(conn->subscriptions);
    conn->subscriptions = NULL;
    conn->subscriptions_cap = 0;
}
