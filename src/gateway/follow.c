#include "gateway/follow.h"

#include <sessionstream/error.h>
#include <sessionstream/limits.h>

#include "core/contract.h"
#include "gateway/answer.h"
#include "gateway/observe.h"
#include "gateway/requests.h"
#include "gateway/subscriptions.h"

/* A connection that kept up for so long starts a new row of rounds. */
#define QUIET_MS 10000

/* When to look again for room for a page. */
#define PAGE_PAUSE_MS 20

_Static_assert(SS_PAGES_IN_FLIGHT == 1, "a subscription waits for one page at a time");

static struct ss_request *make_request(const struct ss_conn *conn, uint16_t tag,
                                       const struct ss_follow_wish *wish)
{
    const struct ss_subscription *subscription = &conn->subscriptions[tag];
    struct ss_request *request =
        ss__request_new(SS_REQUEST_SUBSCRIBE, ss__followed_id(subscription->session),
                        ss_str(NULL), ss_str(NULL));
    if (request != NULL) {
        request->handle = subscription->session->farewell.handle;
        request->encoding = conn->encoding;
        request->since = wish->since;
        request->resuming = wish->resuming;
        request->delta = wish->delta;
        request->resume = wish->resume;
        request->page_bytes = wish->page_bytes;
    }
    return request;
}

/* Posts a subscribe for subscription @tag; takes it over. NULL is out of memory. Errors:
 * SS_E_NOMEM, SS_E_BUSY, SS_E_STOPPING. */
static int ask(struct ss_conn *conn, uint16_t tag, struct ss_request *request, bool internal)
{
    if (request == NULL) {
        return SS_E_NOMEM;
    }
    uint64_t number;
    int err = ss__requests_post(conn, request, &number);
    if (err != 0) {
        return err;
    }
    ss__subscriptions_drop_deferred(conn, tag);    /* the newest counts */
    struct ss_subscription *subscription = &conn->subscriptions[tag];
    subscription->session->asking++;
    subscription->session->known = true;
    subscription->number = number;
    subscription->internal = internal;
    if (ss__observed(conn->gateway)) {
        ss__observe(conn, SS_TRANSPORT_SNAPSHOT_LOAD_STARTED,
                    ss__followed_id(subscription->session), 0, ss_str(NULL));
    }
    return 0;
}

static void refuse(struct ss_conn *conn, struct ss_str session_id, int err)
{
    struct ss_failure failure = { .text = "" };
    if (err == SS_E_SUBSCRIPTIONS) {
        (void)ss__fail(&failure, err, "a connection may follow at most %u sessions: unsubscribe "
                       "from some", conn->gateway->options.subscriptions_max);
    }
    struct ss_error_frame frame = { .message = ss_str(failure.text), .session_id = session_id };
    ss__answer_error(conn, err, &frame);
}

static uint32_t key_of(const struct ss_followed *session)
{
    return (uint32_t)session->farewell.session_hash;
}

/* The subscribe is sent when the snapshot before it is written: see ss__follow_catch_up. */
static int defer(struct ss_conn *conn, uint16_t tag, struct ss_request *request)
{
    if (request == NULL) {
        return SS_E_NOMEM;
    }
    struct ss_subscription *subscription = &conn->subscriptions[tag];
    subscription->number = 0;    /* an older one is superseded */
    subscription->internal = false;
    ss__subscriptions_defer(conn, tag, request);
    return 0;
}

void ss__follow_subscribe(struct ss_conn *conn, struct ss_str session_id,
                          const struct ss_follow_wish *wish)
{
    struct ss_gateway *gateway = conn->gateway;
    struct ss_followed *session = ss__followers_enter(&gateway->followers, session_id,
                                                      ss__map_hash(session_id));
    if (session == NULL) {
        refuse(conn, session_id, SS_E_NOMEM);
        return;
    }
    ss__gauge_set(&gateway->options.stats->sessions, gateway->followers.by_id.count);
    uint32_t found = ss__subscriptions_find(conn, session);
    uint16_t tag = (uint16_t)found;
    if (found == SS_NO_TAG) {
        int err = ss__subscriptions_add(conn, session, &tag);
        if (err != 0) {
            ss__subscriptions_settle(gateway, session);
            refuse(conn, session_id, err);
            return;
        }
    }
    if (ss__observed(gateway)) {
        ss__observe_subscribe(conn, SS_TRANSPORT_SUBSCRIPTION_REGISTERED, session_id, wish->since);
    }
    struct ss_request *request = make_request(conn, tag, wish);
    int err = ss__conn_has_snapshot(conn, key_of(session)) ? defer(conn, tag, request)
                                                           : ask(conn, tag, request, false);
    if (err == 0) {
        ss__subscriptions_drop_page(conn, tag);    /* of an older subscribe */
    } else {
        if (found == SS_NO_TAG) {
            ss__subscriptions_remove(conn, tag);
        }
        refuse(conn, session_id, err);
    }
}

void ss__follow_unsubscribe(struct ss_conn *conn, struct ss_str session_id)
{
    if (ss__observed(conn->gateway)) {
        ss__observe(conn, SS_TRANSPORT_UNSUBSCRIBE_RECEIVED, session_id, 0, ss_str(NULL));
    }
    const struct ss_followed *session = ss__followers_find(
        &conn->gateway->followers, session_id, ss__map_hash(session_id));
    uint32_t tag = session == NULL ? SS_NO_TAG : ss__subscriptions_find(conn, session);
    if (tag != SS_NO_TAG) {
        ss__subscriptions_remove(conn, (uint16_t)tag);
    }
    ss__answer_unsubscribed(conn, session_id);
    if (ss__observed(conn->gateway)) {
        ss__observe(conn, SS_TRANSPORT_UNSUBSCRIBED, session_id, 0, ss_str(NULL));
    }
}

/* It may be brought up to date a little later; otherwise it ends, and the client hears why. */
static bool passes(int err)
{
    return err == SS_E_BUSY || err == SS_E_NOMEM || err == SS_E_STOPPING || err == SS_E_COMMIT;
}

static void answer_failed(struct ss_conn *conn, uint16_t tag, int err, struct ss_str cause)
{
    struct ss_subscription *subscription = &conn->subscriptions[tag];
    subscription->number = 0;
    bool internal = subscription->internal;
    if (conn->stale_count > 0) {
        ss__conn_wake_at(conn, conn->in.resync_ms + SS_RESYNC_PAUSE_MS);
    }
    if (internal && passes(err)) {
        return;
    }
    struct ss_str session_id = ss__followed_id(subscription->session);
    if (cause.len == 0) {
        cause = ss_str(ss_error_text(err));
    }
    struct ss_failure failure = { .text = "" };
    struct ss_error_frame frame = { .session_id = session_id, .message = cause };
    if (err != SS_E_BUSY && err != SS_E_STOPPING && err != SS_E_SNAPSHOT_SIZE) {
        (void)ss__fail(&failure, err, "load snapshot for \"%.*s\": %.*s", (int)session_id.len,
                       session_id.data, (int)cause.len, cause.data);
        frame.code = ss_str(ss_error_wire_name(SS_E_PROTO));    /* the contract's code for this */
        frame.message = ss_str(failure.text);
        frame.detail = ss_str(ss_error_wire_name(err));
    }
    ss__answer_error(conn, err, &frame);
    if (internal || !subscription->live) {
        ss__subscriptions_remove(conn, tag);
    }
}

/* ---- stale ---- */

/* Frames that its `subscribed` stands for are gone, or will not be sent: it comes with the snapshot
 * that takes their place. */
static void owe_subscribed(struct ss_subscription *subscription)
{
    subscription->owes = true;
    if (subscription->resuming && subscription->reason == SS_RESUME_NONE) {
        subscription->reason = SS_RESUME_TOO_OLD;
    }
}

/* The queue is full: nothing of the sessions in it is worth waiting for any more. */
static void overflow(struct ss_conn *conn, uint16_t tag)
{
    struct ss_gateway *gateway = conn->gateway;
    ss__count(&gateway->options.stats->slow_clients, 1);
    if (ss__observed(gateway)) {
        ss__observe(conn, SS_TRANSPORT_SERVER_FRAME_QUEUE_FULL,
                    ss__followed_id(conn->subscriptions[tag].session), SS_E_SLOW, ss_str(NULL));
    }
    (void)ss__conn_drop_frames(conn);
    for (uint32_t i = 0; i < conn->subscriptions_cap; i++) {
        bool dropped = (gateway->dropped[i / 8] >> (i % 8) & 1) != 0 || i == tag;
        if (dropped && conn->subscriptions[i].live) {
            ss__subscriptions_set_stale(conn, (uint16_t)i, true);
            if ((gateway->withdrawn[i / 8] >> (i % 8) & 1) != 0) {
                owe_subscribed(&conn->subscriptions[i]);
            }
        }
    }
    conn->overflowed = true;
    uint64_t pause = gateway->options.slow_client_rounds == 0 ? 0 : SS_RESYNC_PAUSE_MS;
    ss__conn_wake_at(conn, ss__gateway_now_ms(gateway) + pause);
}

static void send_frame(struct ss_conn *conn, struct ss_buf *buf, uint16_t tag)
{
    if (!ss__conn_send_frame(conn, ss__buf_ref(buf), tag)) {
        ss__buf_unref(buf);
        overflow(conn, tag);
    } else if (ss__observed(conn->gateway)) {
        ss__observe_frame(conn, SS_TRANSPORT_UI_EVENT_SENT, buf);
    }
}

static bool is_caught_up(const struct ss_conn *conn)
{
    return !conn->blocked && ss__send_queue_charged(&conn->queue) <=
                                 conn->gateway->options.client_queue_bytes / 4;
}

/* The next stale subscription behind the last one that was asked for which is not being answered
 * already, or SS_NO_TAG; *ret_asking tells if one is. */
static uint32_t next_stale(const struct ss_conn *conn, bool *ret_asking)
{
    uint32_t found = SS_NO_TAG;
    for (uint32_t i = 1; i <= conn->subscriptions_cap; i++) {
        uint32_t tag = (conn->in.resync_tag + i) % conn->subscriptions_cap;
        const struct ss_subscription *subscription = &conn->subscriptions[tag];
        if (subscription->stale && (subscription->number != 0 || subscription->deferred != NULL)) {
            *ret_asking = true;
        } else if (subscription->stale && found == SS_NO_TAG) {
            found = tag;
        }
    }
    return found;
}

/* Asks for what had to wait for a snapshot to be written. */
static void ask_deferred(struct ss_conn *conn)
{
    for (uint32_t tag = 0; conn->deferred_count > 0 && tag < conn->subscriptions_cap; tag++) {
        const struct ss_subscription *subscription = &conn->subscriptions[tag];
        if (subscription->deferred == NULL ||
            ss__conn_has_snapshot(conn, key_of(subscription->session))) {
            continue;
        }
        struct ss_request *request = ss__subscriptions_take_deferred(conn, (uint16_t)tag);
        int err = ask(conn, (uint16_t)tag, request, false);
        if (err != 0) {
            refuse(conn, ss__followed_id(subscription->session), err);
            if (!subscription->live) {
                ss__subscriptions_remove(conn, (uint16_t)tag);
            }
        }
    }
}

/* The shards are to come to an end, and the client will be closed before the last page. */
static void end_pages(struct ss_conn *conn)
{
    for (uint32_t tag = 0; conn->paging_count > 0 && tag < conn->subscriptions_cap; tag++) {
        if (conn->subscriptions[tag].page != NULL) {
            ss__subscriptions_drop_page(conn, (uint16_t)tag);
            answer_failed(conn, (uint16_t)tag, SS_E_STOPPING, ss_str(NULL));
        }
    }
}

/* Sends for the next page of each snapshot whose last one is written. */
static void ask_pages(struct ss_conn *conn)
{
    if (conn->gateway->reading_stopped) {
        end_pages(conn);
        return;
    }
    for (uint32_t tag = 0; conn->paging_count > 0 && tag < conn->subscriptions_cap; tag++) {
        struct ss_subscription *subscription = &conn->subscriptions[tag];
        struct ss_request *request = subscription->page;
        if (request == NULL || ss__conn_has_snapshot(conn, key_of(subscription->session))) {
            continue;
        }
        if (!ss__conn_reserve_page(conn, request->page_bytes)) {
            ss__conn_wake_at(conn, ss__gateway_now_ms(conn->gateway) + PAGE_PAUSE_MS);
            continue;
        }
        request->reserved = request->page_bytes;
        (void)ss__subscriptions_take_page(conn, (uint16_t)tag);
        if (!ss__subscriptions_return(conn->gateway, subscription->session, request)) {
            answer_failed(conn, (uint16_t)tag, SS_E_STOPPING, ss_str(NULL));
        }
    }
}

static void give_up(struct ss_conn *conn)
{
    (void)ss__conn_drop_frames(conn);
    ss__count_error(conn->gateway->options.stats->errors, SS_E_SLOW);
    ss__conn_finish_websocket(conn, SS_WS_STATUS_TRY_AGAIN, "client reads too slowly");
}

uint64_t ss__follow_catch_up(struct ss_conn *conn)
{
    uint32_t rounds_max = conn->gateway->options.slow_client_rounds;
    if (conn->state == SS_CONN_WEBSOCKET) {
        ask_deferred(conn);
        ask_pages(conn);
    }
    if (conn->state != SS_CONN_WEBSOCKET || conn->stale_count == 0) {
        return UINT64_MAX;
    }
    if (conn->overflowed && rounds_max == 0) {
        give_up(conn);
        return UINT64_MAX;
    }
    uint64_t now = ss__gateway_now_ms(conn->gateway);
    uint64_t due = conn->in.resync_ms == 0 ? now : conn->in.resync_ms + SS_RESYNC_PAUSE_MS;
    bool asking = false;
    uint32_t tag = next_stale(conn, &asking);
    if (!is_caught_up(conn) || asking || tag == SS_NO_TAG) {
        return UINT64_MAX;    /* a write or an answer wakes us */
    }
    if (now < due) {
        return due;
    }
    if (conn->overflowed) {
        conn->rounds = now - conn->in.resync_ms > QUIET_MS ? 1 : (uint8_t)(conn->rounds + 1);
        conn->overflowed = false;
        if (conn->rounds > rounds_max) {
            give_up(conn);
            return UINT64_MAX;
        }
    }
    conn->in.resync_ms = now;
    conn->in.resync_tag = (uint16_t)tag;
    struct ss_follow_wish wish = { .page_bytes = conn->subscriptions[tag].page_bytes };
    /* Refused: it stays stale and comes again. */
    (void)ask(conn, (uint16_t)tag, make_request(conn, (uint16_t)tag, &wish), true);
    return now + SS_RESYNC_PAUSE_MS;
}

void ss__follow_resync(struct ss_gateway *gateway, struct ss_session_handle handle)
{
    const struct ss_followed *session = ss__followers_get(&gateway->followers, handle);
    for (uint32_t i = 0; session != NULL && i < session->count; i++) {
        const struct ss_follower *follower = &ss__followed_by(session)[i];
        struct ss_conn *conn = gateway->conns.slots[follower->connection].conn;
        ss__subscriptions_set_stale(conn, follower->subscription, true);
        ss__conn_wake_at(conn, ss__gateway_now_ms(gateway));
    }
}

/* ---- from the shard ---- */

void ss__follow_frame(struct ss_gateway *gateway, const struct ss_msg_frame *frame)
{
    const struct ss_followed *session = ss__followers_get(&gateway->followers, frame->handle);
    gateway->deliveries += session == NULL ? 0 : session->count;
    if (ss__observed(gateway)) {
        ss__observe_fanout(gateway, session == NULL || session->count == 0
                                        ? SS_TRANSPORT_FANOUT_NO_TARGETS
                                        : SS_TRANSPORT_FANOUT_STARTED, session, frame->ordinal);
    }
    for (uint32_t i = 0; session != NULL && i < session->count; i++) {
        const struct ss_follower *follower = &ss__followed_by(session)[i];
        struct ss_conn *conn = gateway->conns.slots[follower->connection].conn;
        const struct ss_subscription *subscription =
            &conn->subscriptions[follower->subscription];
        struct ss_buf *buf = frame->bufs[follower->encoding];
        /* Several frames may share an ordinal: only the answer's own position is a bound. It is
         * none for frames of no event, which come in order anyhow. */
        bool bound = !frame->live && frame->ordinal <= subscription->ordinal;
        if (buf == NULL || subscription->stale || bound) {
            continue;
        }
        send_frame(conn, buf, follower->subscription);
    }
    if (ss__observed(gateway) && session != NULL && session->count > 0) {
        ss__observe_fanout(gateway, SS_TRANSPORT_FANOUT_COMPLETED, session, frame->ordinal);
    }
}

/* Asked for anew, the session the client will be shown is the next one. */
static bool asks_anew(const struct ss_subscription *subscription)
{
    return subscription->deferred != NULL ||
           (subscription->number != 0 && !subscription->internal);
}

void ss__follow_end(struct ss_gateway *gateway, const struct ss_msg_frame *frame)
{
    uint32_t kept = 0;
    for (;;) {
        /* The last one to leave takes the session along. */
        const struct ss_followed *session = ss__followers_get(&gateway->followers, frame->handle);
        if (session == NULL || kept >= session->count) {
            return;
        }
        const struct ss_follower follower = ss__followed_by(session)[kept];
        struct ss_conn *conn = gateway->conns.slots[follower.connection].conn;
        struct ss_buf *buf = frame->bufs[follower.encoding];
        if (buf == NULL) {    /* it could not be made: an empty snapshot tells */
            ss__subscriptions_set_stale(conn, follower.subscription, true);
            ss__conn_wake_at(conn, ss__gateway_now_ms(gateway));
            kept++;
            continue;
        }
        ss__conn_send(conn, ss__buf_ref(buf));
        if (asks_anew(&conn->subscriptions[follower.subscription])) {
            ss__subscriptions_rest(conn, follower.subscription);
        } else {
            ss__subscriptions_remove(conn, follower.subscription);
        }
    }
}

/* Makes the subscription live, after room for the snapshot was found if there is one. */
static int accept_answer(struct ss_conn *conn, uint16_t tag, const struct ss_request *request)
{
    int err = request->recovered  ? 0
              : request->page > 1 ? ss__conn_hold_page(conn, request->snapshot)
                                  : ss__conn_hold_snapshot(conn, request->snapshot);
    if (err == 0) {
        err = ss__subscriptions_go_live(conn, tag);
        if (err != 0 && !request->recovered) {
            ss__snapshot_budget_release(&conn->gateway->snapshots, request->snapshot);
        }
    }
    return err;
}

/* A client that was live all the time has been sent every frame already, unless it asks for some
 * from before its last answer. A stale one gets its snapshot soon. */
static bool wants_frames(const struct ss_subscription *subscription, bool was_live,
                         const struct ss_request *request)
{
    if (!request->recovered || !was_live) {
        return true;
    }
    return !subscription->stale && request->resume.ordinal < subscription->ordinal;
}

static void send_answer(struct ss_conn *conn, uint16_t tag, const struct ss_request *request,
                        bool frames)
{
    struct ss_subscription *subscription = &conn->subscriptions[tag];
    if (!request->recovered) {
        ss__subscriptions_set_stale(conn, tag, false);
        ss__conn_send_snapshot(conn, ss__buf_ref(request->snapshot),
                               key_of(subscription->session));
        if (ss__observed(conn->gateway)) {
            ss__observe_frame(conn, SS_TRANSPORT_SNAPSHOT_SENT, request->snapshot);
        }
    }
    if (frames && request->frames_count > 0 && ss__observed(conn->gateway)) {
        ss__observe(conn, SS_TRANSPORT_HYDRATION_BUFFER_FLUSHED,
                    ss__followed_id(subscription->session), 0, ss_str(NULL));
    }
    if (frames) {
        subscription->ordinal = request->ordinal;
        for (uint32_t i = 0; i < request->frames_count && !subscription->stale; i++) {
            send_frame(conn, request->frames[i], tag);
        }
    }
}

static void note_wish(struct ss_subscription *subscription, const struct ss_request *request)
{
    subscription->since = request->since;
    subscription->resuming = request->resuming;
    subscription->reason = request->reason;
    subscription->owes = true;
}

/* A place is said only behind all that leads to it. */
static void confirm(struct ss_conn *conn, uint16_t tag, const struct ss_request *request)
{
    struct ss_subscription *subscription = &conn->subscriptions[tag];
    if (subscription->stale) {
        owe_subscribed(subscription);
        return;
    }
    subscription->owes = false;
    ss__answer_subscribed(conn, tag, request);
    if (ss__observed(conn->gateway)) {
        ss__observe_subscribe(conn, SS_TRANSPORT_SUBSCRIBED, request->session_id,
                              subscription->since);
    }
}

static void answer_succeeded(struct ss_conn *conn, uint16_t tag, struct ss_request *request)
{
    struct ss_gateway *gateway = conn->gateway;
    struct ss_subscription *subscription = &conn->subscriptions[tag];
    bool was_live = subscription->live;
    int err = accept_answer(conn, tag, request);
    if (err != 0) {
        answer_failed(conn, tag, err, ss_str(err == SS_E_BUSY ? SS_SNAPSHOTS_BUSY_TEXT : NULL));
        return;
    }
    if (ss__observed(gateway) && !request->recovered) {
        ss__observe_frame(conn, SS_TRANSPORT_SNAPSHOT_LOADED, request->snapshot);
    }
    if (subscription->internal) {
        ss__count(&gateway->options.stats->resyncs, 1);
    } else {
        note_wish(subscription, request);
    }
    subscription->number = 0;
    subscription->internal = false;
    subscription->page_bytes = request->page_bytes;
    send_answer(conn, tag, request, wants_frames(subscription, was_live, request));
    if (request->missed) {
        ss__subscriptions_set_stale(conn, tag, true);
    }
    if (ss__observed(gateway) && !was_live) {
        ss__observe(conn, SS_TRANSPORT_SUBSCRIPTION_LIVE, request->session_id, 0, ss_str(NULL));
    }
    if (subscription->owes) {
        confirm(conn, tag, request);
    }
    if (conn->stale_count > 0) {
        ss__conn_wake_at(conn, ss__gateway_now_ms(gateway));
    }
}

/* What the answer says in words. */
static struct ss_str text_of(const struct ss_request *request)
{
    if (request->text == NULL || request->text->len == 0) {
        return ss_str(NULL);
    }
    return ss_str_of(request->text->data, request->text->len - 1);    /* ends with NUL */
}

/* True if the request was taken over: the subscription keeps it while the page is written, or the
 * shard hears that nobody wants more. */
static bool take_page(struct ss_conn *conn, uint32_t tag, struct ss_followed *session,
                      struct ss_gateway *gateway, struct ss_request *request)
{
    if (tag == SS_NO_TAG) {
        request->withdrawn = true;
        return ss__subscriptions_return(gateway, session, request);
    }
    int err = request->page > 1 ? ss__conn_hold_page(conn, request->snapshot)
                                : ss__conn_hold_snapshot(conn, request->snapshot);
    if (err != 0) {
        answer_failed(conn, (uint16_t)tag, err,
                      ss_str(err == SS_E_BUSY ? SS_SNAPSHOTS_BUSY_TEXT : NULL));
        return take_page(conn, SS_NO_TAG, session, gateway, request);
    }
    ss__subscriptions_keep_page(conn, (uint16_t)tag, request);
    struct ss_buf *page = request->snapshot;
    request->snapshot = NULL;
    ss__conn_send_snapshot(conn, page, key_of(session));
    return true;
}

/* The subscription that waits for this answer, or SS_NO_TAG. */
static uint32_t find_asking(const struct ss_conn *conn, const struct ss_followed *session,
                            const struct ss_request *request)
{
    uint32_t tag = conn == NULL || conn->state != SS_CONN_WEBSOCKET
                       ? SS_NO_TAG
                       : ss__subscriptions_find(conn, session);
    return tag != SS_NO_TAG && conn->subscriptions[tag].number == request->number ? tag
                                                                                  : SS_NO_TAG;
}

bool ss__follow_answer(struct ss_gateway *gateway, struct ss_conn *conn,
                       struct ss_request *request)
{
    struct ss_followed *session = ss__followers_get(&gateway->followers, request->handle);
    SS_INSIST(session != NULL && session->asking > 0);
    uint32_t tag = find_asking(conn, session, request);
    ss__subscriptions_unreserve(gateway, request);
    if (request->err == 0 && request->more) {
        if (!take_page(conn, tag, session, gateway, request)) {
            ss__subscriptions_settle(gateway, session);    /* the request is gone */
        }
        return true;
    }
    if (tag != SS_NO_TAG) {
        int err = request->err;
        if (err == 0 && request->snapshot == NULL && !request->recovered) {
            err = SS_E_INTERNAL;
        }
        if (err == 0) {
            answer_succeeded(conn, (uint16_t)tag, request);
        } else {
            answer_failed(conn, (uint16_t)tag, err, text_of(request));
        }
    }
    session->asking--;
    ss__subscriptions_settle(gateway, session);
    return false;
}
