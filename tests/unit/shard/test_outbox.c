#include "shard/outbox.h"

#include <sessionstream/limits.h>

#include "ss_test.h"

#define BIG (9u << 20)

static const struct ss_session_handle a = { 1, 1 };
static const struct ss_session_handle b = { 2, 1 };

static struct ss_inbox *new_inbox(uint32_t messages_max)
{
    struct ss_inbox *inbox;
    ss_check(ss__inbox_new(messages_max, SS_INBOX_BYTES_MAX, &inbox) == 0);
    return inbox;
}

static bool add_frame(struct ss_outbox *outbox, struct ss_session_handle handle, uint64_t ordinal,
                      uint32_t bytes)
{
    struct ss_buf *bufs[SS_MESSAGE_ENCODINGS] = { ss__buf_new(bytes), NULL, NULL };
    ss_check(bufs[0] != NULL);
    return ss__outbox_frame(outbox, handle, ordinal, bufs);
}

static void push_reply(struct ss_outbox *outbox)
{
    struct ss_request *request =
        ss__request_new(SS_REQUEST_BARRIER, ss_str("s"), ss_str(""), ss_str(""));
    ss_check(request != NULL);
    request->base.kind = SS_MSG_REPLY;
    ss__outbox_push(outbox, &request->base);
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
    ss__outbox_init(&outbox, inbox);
    ss_check(ss__outbox_flush(&outbox));
    ss_check(add_frame(&outbox, a, 1, 10) && add_frame(&outbox, b, 2, 10));
    push_reply(&outbox);
    ss_check(add_frame(&outbox, a, 3, 10));
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
    ss__outbox_init(&outbox, inbox);
    for (uint64_t i = 1; i <= 8; i++) {
        ss_check(add_frame(&outbox, a, i, BIG));
    }
    ss_check(ss__outbox_flush(&outbox));    /* 72 MiB: over the limit afterwards */
    ss_check(add_frame(&outbox, a, 9, 10));
    ss_check(!ss__outbox_flush(&outbox) && outbox.count == 1);
    for (uint64_t i = 1; i <= 8; i++) {
        ss_check(take(inbox, &ordinal) == SS_MSG_FRAME && ordinal == i);
    }
    ss_check(ss__outbox_flush(&outbox));
    ss_check(take(inbox, &ordinal) == SS_MSG_FRAME && ordinal == 9);
    ss__inbox_unref(inbox);
}

/* I6: what waits is bounded; replies are never dropped; the other session keeps its frames. */
SS_TEST(outbox, i6_too_many_frames_of_a_session_become_one_resync)
{
    struct ss_inbox *inbox = new_inbox(1024);
    struct ss_outbox outbox;
    uint64_t ordinal;
    ss__outbox_init(&outbox, inbox);
    ss_check(add_frame(&outbox, b, 1, 10));
    for (uint64_t i = 1; i <= 8; i++) {
        ss_check(add_frame(&outbox, a, i, BIG));
    }
    push_reply(&outbox);
    ss_check(!add_frame(&outbox, a, 9, 10));
    ss_check(outbox.bytes < SS_INBOX_BYTES_MAX && outbox.overflows == 9);
    ss_check(add_frame(&outbox, b, 2, 10));
    ss_check(ss__outbox_flush(&outbox));
    ss_check(take(inbox, &ordinal) == SS_MSG_FRAME && ordinal == 1);
    ss_check(take(inbox, &ordinal) == SS_MSG_REPLY);
    ss_check(take(inbox, &ordinal) == SS_MSG_RESYNC);
    ss_check(take(inbox, &ordinal) == SS_MSG_FRAME && ordinal == 2);
    ss_check(take(inbox, &ordinal) == -1);
    ss__inbox_unref(inbox);
}

SS_TEST(outbox, asks_for_a_resync_once)
{
    struct ss_inbox *inbox = new_inbox(1024);
    struct ss_outbox outbox;
    uint64_t ordinal;
    ss__outbox_init(&outbox, inbox);
    ss__outbox_resync(&outbox, a);
    ss__outbox_resync(&outbox, a);
    ss__outbox_resync(&outbox, b);
    ss_check(ss__outbox_flush(&outbox));
    ss_check(take(inbox, &ordinal) == SS_MSG_RESYNC && take(inbox, &ordinal) == SS_MSG_RESYNC);
    ss_check(take(inbox, &ordinal) == -1);
    ss__inbox_unref(inbox);
}

SS_TEST(outbox, drops_everything_for_a_gateway_that_is_gone)
{
    struct ss_inbox *inbox = new_inbox(1024);
    struct ss_outbox outbox;
    ss__outbox_init(&outbox, inbox);
    ss__inbox_close(inbox);
    ss_check(add_frame(&outbox, a, 1, 10));
    push_reply(&outbox);
    ss_check(ss__outbox_flush(&outbox) && outbox.count == 0);
    ss_check(add_frame(&outbox, a, 2, 10));
    ss__outbox_deinit(&outbox);
    ss_check(outbox.first == NULL && outbox.bytes == 0);
    ss__inbox_unref(inbox);
}
