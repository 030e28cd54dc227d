#include "shard/outbox.h"

#include <sessionstream/limits.h>

void ss__outbox_init(struct ss_outbox *outbox, struct ss_inbox *inbox)
{
    *outbox = (struct ss_outbox){ .inbox = inbox };
}

void ss__outbox_push(struct ss_outbox *outbox, struct ss_msg *msg)
{
    struct ss_inbox_node *node = &msg->node;
    atomic_store_explicit(&node->next, NULL, memory_order_relaxed);
    if (outbox->first == NULL) {
        outbox->first = node;
    } else {
        atomic_store_explicit(&outbox->last->next, node, memory_order_relaxed);
    }
    outbox->last = node;
    outbox->count++;
    outbox->bytes += node->bytes;
}

static struct ss_inbox_node *next_of(struct ss_inbox_node *node)
{
    return atomic_load_explicit(&node->next, memory_order_relaxed);
}

static bool same_session(const struct ss_session_handle *a, const struct ss_session_handle *b)
{
    return a->slot == b->slot && a->generation == b->generation;
}

/* Takes the waiting frames of a session out; true if a RESYNC for it waits already. */
static bool drop_frames(struct ss_outbox *outbox, struct ss_session_handle handle)
{
    struct ss_inbox_node *node = outbox->first;
    bool resync_waits = false;
    outbox->first = outbox->last = NULL;
    outbox->count = 0;
    outbox->bytes = 0;
    while (node != NULL) {
        struct ss_inbox_node *next = next_of(node);
        struct ss_msg *msg = ss__msg_of(node);
        const struct ss_msg_frame *frame = (const struct ss_msg_frame *)(const void *)msg;
        const struct ss_msg_resync *resync = (const struct ss_msg_resync *)(const void *)msg;
        if (msg->kind == SS_MSG_FRAME && same_session(&frame->handle, &handle)) {
            ss__msg_free(msg);
            outbox->overflows++;
        } else {
            resync_waits |= msg->kind == SS_MSG_RESYNC && same_session(&resync->handle, &handle);
            ss__outbox_push(outbox, msg);
        }
        node = next;
    }
    return resync_waits;
}

void ss__outbox_resync(struct ss_outbox *outbox, struct ss_session_handle handle)
{
    if (drop_frames(outbox, handle)) {
        return;
    }
    struct ss_msg_resync *resync = ss__msg_new(SS_MSG_RESYNC, sizeof *resync);
    if (resync != NULL) {
        resync->handle = handle;
        ss__outbox_push(outbox, &resync->base);
    }
}

bool ss__outbox_frame(struct ss_outbox *outbox, struct ss_session_handle handle, uint64_t ordinal,
                      struct ss_buf *const bufs[SS_MESSAGE_ENCODINGS])
{
    struct ss_msg_frame *frame = NULL;
    if (outbox->bytes < SS_INBOX_BYTES_MAX) {
        frame = ss__msg_new(SS_MSG_FRAME, sizeof *frame);
    }
    if (frame == NULL) {
        for (int i = 0; i < SS_MESSAGE_ENCODINGS; i++) {
            ss__buf_unref(bufs[i]);
        }
        outbox->overflows++;
        ss__outbox_resync(outbox, handle);
        return false;
    }
    frame->handle = handle;
    frame->ordinal = ordinal;
    for (int i = 0; i < SS_MESSAGE_ENCODINGS; i++) {
        frame->bufs[i] = bufs[i];
        frame->base.node.bytes += bufs[i] == NULL ? 0 : bufs[i]->len;
    }
    ss__outbox_push(outbox, &frame->base);
    return true;
}

bool ss__outbox_flush(struct ss_outbox *outbox)
{
    if (outbox->first == NULL) {
        return true;
    }
    if (ss__inbox_depth(outbox->inbox) >= SS_INBOX_MESSAGES_MAX ||
        ss__inbox_bytes(outbox->inbox) >= SS_INBOX_BYTES_MAX) {
        return false;
    }
    int err = ss__inbox_post_chain(outbox->inbox, outbox->first, outbox->last, outbox->count,
                                   outbox->bytes);
    if (err != 0) {
        ss__outbox_deinit(outbox);    /* the gateway is gone, and with it everyone who waits */
        return true;
    }
    struct ss_inbox *inbox = outbox->inbox;
    uint64_t overflows = outbox->overflows;
    ss__outbox_init(outbox, inbox);
    outbox->overflows = overflows;
    return true;
}

void ss__outbox_deinit(struct ss_outbox *outbox)
{
    struct ss_inbox_node *node = outbox->first;
    while (node != NULL) {
        struct ss_inbox_node *next = next_of(node);
        ss__msg_free(ss__msg_of(node));
        node = next;
    }
    outbox->first = outbox->last = NULL;
    outbox->count = 0;
    outbox->bytes = 0;
}
