#include "shard/outbox.h"

#include <sessionstream/error.h>
#include <sessionstream/limits.h>

#include "core/fault.h"

#include "ss_test.h"

#define BIG (9u << 20)

/* A session as its channel keeps it for this gateway. */
struct session {
    struct ss_session_handle handle;
    struct ss_outbox_mark mark;
};

static struct session a;
static struct session b;

static void begin(struct ss_outbox *outbox, struct ss_inbox *inbox)
{
    a = (struct session){ .handle = { 1, 1 } };
    b = (struct session){ .handle = { 2, 1 } };
    ss__outbox_init(outbox, inbox);
}

static struct ss_inbox *new_inbox(uint32_t messages_max)
{
    struct ss_inbox *inbox;
    ss_check(ss__inbox_new(messages_max, SS_INBOX_BYTES_MAX, &inbox) == 0);
    return inbox;
}

static bool add_frame(struct ss_outbox *outbox, struct session *session, uint64_t ordinal,
                      uint32_t bytes)
{
    struct ss_buf *bufs[SS_MESSAGE_ENCODINGS] = { ss__buf_new(bytes), NULL, NULL };
    ss_check(bufs[0] != NULL);
    struct ss_outbox_frame frame = { session->handle, ordinal, false, bufs };
    return ss__outbox_frame(outbox, &session->mark, &frame);
}

static void push_reply(struct ss_outbox *outbox)
{
    struct ss_request *request =
        ss__request_new(SS_REQUEST_BARRIER, ss_str("s"), ss_str(""), ss_str(""));
    ss_check(request != NULL);
    request->base.kind = SS_MSG_REPLY;
    ss__outbox_push(outbox, &request->base);
}

/* So much waits that no session has room. */
static void fill(struct ss_outbox *outbox)
{
    struct ss_request *request =
        ss__request_new(SS_REQUEST_BARRIER, ss_str("s"), ss_str(""), ss_str(""));
    ss_check(request != NULL);
    request->base.kind = SS_MSG_REPLY;
    request->base.node.bytes = 2 * SS_INBOX_BYTES_MAX;
    ss__outbox_push(outbox, &request->base);
}

static void resync(struct ss_outbox *outbox, struct session *session)
{
    ss__outbox_resync(outbox, &session->mark, session->handle);
}

static void push_subscribed(struct ss_outbox *outbox, struct session *session)
{
    struct ss_request *request =
        ss__request_new(SS_REQUEST_SUBSCRIBE, ss_str("s"), ss_str(""), ss_str(""));
    ss_check(request != NULL);
    request->base.kind = SS_MSG_REPLY;
    request->handle = session->handle;
    ss__outbox_subscribed(outbox, &session->mark, request);
}

/* Takes the next message; its kind, and the ordinal of a frame. */
static int take(struct ss_inbox *inbox, uint64_t *ret_ordinal)
{
    struct ss_inbox_node *node = ss__inbox_take(inbox);
    if (node == NULL) {
        return -1;
    }
    struct ss_msg *msg = ss__msg_of(node);
    int kind = msg->kind;
    *ret_ordinal = kind == SS_MSG_FRAME ? ((struct ss_msg_frame *)(void *)msg)->ordinal : 0;
    ss__msg_free(msg);
    return kind;
}

SS_TEST(outbox, everything_leaves_in_order_with_one_flush)
{
    struct ss_inbox *inbox = new_inbox(1024);
    struct ss_outbox outbox;
    uint64_t ordinal;
    begin(&outbox, inbox);
    ss_check(ss__outbox_flush(&outbox));
    ss_check(add_frame(&outbox, &a, 1, 10) && add_frame(&outbox, &b, 2, 10));
    push_reply(&outbox);
    ss_check(add_frame(&outbox, &a, 3, 10));
    ss_check(take(inbox, &ordinal) == -1);
    ss_check(ss__outbox_flush(&outbox) && outbox.count == 0 && outbox.bytes == 0);
    ss_check(take(inbox, &ordinal) == SS_MSG_FRAME && ordinal == 1);
    ss_check(take(inbox, &ordinal) == SS_MSG_FRAME && ordinal == 2);
    ss_check(take(inbox, &ordinal) == SS_MSG_REPLY);
    ss_check(take(inbox, &ordinal) == SS_MSG_FRAME && ordinal == 3);
    ss__inbox_unref(inbox);
}

SS_TEST(outbox, waits_while_the_gateway_is_behind_and_keeps_the_order)
{
    struct ss_inbox *inbox = new_inbox(1024);
    struct ss_outbox outbox;
    uint64_t ordinal;
    begin(&outbox, inbox);
    for (uint64_t i = 1; i <= 8; i++) {
        ss_check(add_frame(&outbox, &a, i, BIG));
    }
    ss_check(ss__outbox_flush(&outbox));    /* 72 MiB: over the limit afterwards */
    ss_check(add_frame(&outbox, &a, 9, 10));
    ss_check(!ss__outbox_flush(&outbox) && outbox.count == 1);
    for (uint64_t i = 1; i <= 8; i++) {
        ss_check(take(inbox, &ordinal) == SS_MSG_FRAME && ordinal == i);
    }
    ss_check(ss__outbox_flush(&outbox));
    ss_check(take(inbox, &ordinal) == SS_MSG_FRAME && ordinal == 9);
    ss__inbox_unref(inbox);
}

/* I6: what waits is bounded; replies are never dropped. */
SS_TEST(outbox, i6_the_frames_of_a_session_that_are_too_many_become_one_resync)
{
    struct ss_inbox *inbox = new_inbox(1024);
    struct ss_outbox outbox;
    uint64_t ordinal;
    begin(&outbox, inbox);
    for (uint64_t i = 1; i <= 8; i++) {
        ss_check(add_frame(&outbox, &a, i, BIG));
    }
    push_reply(&outbox);
    ss_check(!add_frame(&outbox, &a, 9, 10) && !add_frame(&outbox, &a, 10, 10));
    /* The other session goes on, until it has its share or all is full. */
    ss_check(add_frame(&outbox, &b, 1, SS_OUTBOX_QUIET_BYTES / 2));
    ss_check(!add_frame(&outbox, &b, 2, SS_OUTBOX_QUIET_BYTES / 2));
    ss_check(outbox.overflows == 3 && outbox.count == 12);
    ss_check(ss__outbox_flush(&outbox));
    ss_check(!add_frame(&outbox, &a, 11, 10));    /* its followers wait for a snapshot */
    for (uint64_t i = 1; i <= 8; i++) {
        ss_check(take(inbox, &ordinal) == SS_MSG_FRAME && ordinal == i);
    }
    ss_check(take(inbox, &ordinal) == SS_MSG_REPLY);
    ss_check(take(inbox, &ordinal) == SS_MSG_RESYNC);
    ss_check(take(inbox, &ordinal) == SS_MSG_FRAME && ordinal == 1);
    ss_check(take(inbox, &ordinal) == SS_MSG_RESYNC);
    ss_check(take(inbox, &ordinal) == -1);
    push_subscribed(&outbox, &a);
    ss_check(add_frame(&outbox, &a, 12, 10) && !add_frame(&outbox, &b, 3, 10));
    ss_check(ss__outbox_flush(&outbox));
    ss_check(take(inbox, &ordinal) == SS_MSG_REPLY);
    ss_check(take(inbox, &ordinal) == SS_MSG_FRAME && ordinal == 12);
    ss_check(take(inbox, &ordinal) == -1);
    ss__inbox_unref(inbox);
}

SS_TEST(outbox, who_subscribes_behind_a_resync_hears_of_a_frame_dropped_after_the_answer)
{
    struct ss_inbox *inbox = new_inbox(1024);
    struct ss_outbox outbox;
    uint64_t ordinal;
    begin(&outbox, inbox);
    fill(&outbox);
    ss_check(!add_frame(&outbox, &a, 10, 10));
    push_subscribed(&outbox, &a);    /* a snapshot that holds 10 */
    ss_check(!add_frame(&outbox, &a, 11, 10));
    ss_check(ss__outbox_flush(&outbox));
    ss_check(take(inbox, &ordinal) == SS_MSG_REPLY);
    ss_check(take(inbox, &ordinal) == SS_MSG_RESYNC);
    ss_check(take(inbox, &ordinal) == SS_MSG_REPLY);
    ss_check(take(inbox, &ordinal) == SS_MSG_RESYNC);
    ss_check(take(inbox, &ordinal) == -1);
    ss__inbox_unref(inbox);
}

#ifdef SS_FAULTS
SS_TEST(outbox, a_resync_without_memory_comes_later_and_before_any_frame)
{
    struct ss_inbox *inbox = new_inbox(1024);
    struct ss_outbox outbox;
    uint64_t ordinal;
    begin(&outbox, inbox);
    ss__fault_arm("outbox.resync", 1, 2, SS_E_NOMEM);
    resync(&outbox, &a);
    ss_check(outbox.count == 0 && outbox.resync_due);
    push_subscribed(&outbox, &a);    /* one of several: the others still have to hear */
    ss_check(a.mark.due && outbox.count == 1);
    ss_check(add_frame(&outbox, &b, 1, 10));
    ss_check(!add_frame(&outbox, &a, 1, 10));
    ss__fault_reset();
    ss_check(ss__outbox_flush(&outbox));
    ss_check(take(inbox, &ordinal) == SS_MSG_REPLY);
    ss_check(take(inbox, &ordinal) == SS_MSG_FRAME);
    ss_check(take(inbox, &ordinal) == SS_MSG_RESYNC);
    ss_check(take(inbox, &ordinal) == -1);
    ss__fault_arm("outbox.resync", 1, 1, SS_E_NOMEM);
    resync(&outbox, &b);
    ss_check(b.mark.due);
    ss__outbox_retry(&outbox, &b.mark, b.handle);
    ss__outbox_retry(&outbox, &b.mark, b.handle);
    ss_check(!b.mark.due && ss__outbox_flush(&outbox));
    ss_check(take(inbox, &ordinal) == SS_MSG_RESYNC && take(inbox, &ordinal) == -1);
    ss__fault_reset();
    ss__inbox_unref(inbox);
}
#endif

SS_TEST(outbox, at_the_end_everything_leaves_though_the_gateway_is_behind)
{
    struct ss_inbox *inbox = new_inbox(1024);
    struct ss_outbox outbox;
    uint64_t ordinal;
    begin(&outbox, inbox);
    ss_check(add_frame(&outbox, &a, 1, SS_INBOX_BYTES_MAX));
    ss_check(ss__outbox_flush(&outbox));
    push_reply(&outbox);
    ss_check(!ss__outbox_flush(&outbox) && outbox.count == 1);
    ss__outbox_flush_all(&outbox);
    ss_check(outbox.count == 0 && outbox.first == NULL && outbox.bytes == 0);
    ss_check(take(inbox, &ordinal) == SS_MSG_FRAME && take(inbox, &ordinal) == SS_MSG_REPLY);
    ss__inbox_unref(inbox);
}

SS_TEST(outbox, asks_for_a_resync_once)
{
    struct ss_inbox *inbox = new_inbox(1024);
    struct ss_outbox outbox;
    uint64_t ordinal;
    begin(&outbox, inbox);
    resync(&outbox, &a);
    resync(&outbox, &a);
    resync(&outbox, &b);
    ss_check(ss__outbox_flush(&outbox));
    ss_check(take(inbox, &ordinal) == SS_MSG_RESYNC && take(inbox, &ordinal) == SS_MSG_RESYNC);
    ss_check(take(inbox, &ordinal) == -1);
    ss__inbox_unref(inbox);
}

SS_TEST(outbox, drops_everything_for_a_gateway_that_is_gone)
{
    struct ss_inbox *inbox = new_inbox(1024);
    struct ss_outbox outbox;
    begin(&outbox, inbox);
    ss__inbox_close(inbox);
    ss_check(add_frame(&outbox, &a, 1, 10));
    push_reply(&outbox);
    ss_check(ss__outbox_flush(&outbox) && outbox.count == 0);
    ss_check(add_frame(&outbox, &a, 2, 10));
    ss__outbox_deinit(&outbox);
    ss_check(outbox.first == NULL && outbox.bytes == 0);
    ss__inbox_unref(inbox);
}
