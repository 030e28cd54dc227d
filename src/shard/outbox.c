#include "shard/outbox.h"

#include <sessionstream/limits.h>

#include "core/fault.h"

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

void ss__outbox_retry(struct ss_outbox *outbox, struct ss_outbox_mark *mark,
                      struct ss_session_handle handle)
{
    if (!mark->due) {
        return;
    }
    struct ss_msg_resync *resync =
        SS_FAULT("outbox.resync") != 0 ? NULL : ss__msg_new(SS_MSG_RESYNC, sizeof *resync);
    if (resync == NULL) {
        outbox->resync_due = true;
        return;
    }
    resync->handle = handle;
    ss__outbox_push(outbox, &resync->base);
    mark->told = true;
    mark->due = false;
}

void ss__outbox_resync(struct ss_outbox *outbox, struct ss_outbox_mark *mark,
                       struct ss_session_handle handle)
{
    mark->resyncs++;
    mark->due |= !mark->told;
    ss__outbox_retry(outbox, mark, handle);
}

void ss__outbox_subscribed(struct ss_outbox *outbox, struct ss_outbox_mark *mark,
                           struct ss_request *request)
{
    /* Others there may still have to hear of what they missed. Behind the answer it is as good,
     * if memory is short now: it costs this one a second snapshot. */
    ss__outbox_retry(outbox, mark, request->handle);
    ss__outbox_push(outbox, &request->base);
    mark->told = false;
}

/* Counts the frame with those of its session that wait; false if it is one too many. */
static bool fits(const struct ss_outbox *outbox, struct ss_outbox_mark *mark,
                 struct ss_buf *const *bufs)
{
    if (mark->flushes != outbox->flushes) {
        mark->flushes = outbox->flushes;
        mark->bytes = 0;
    }
    uint64_t bytes = mark->bytes + sizeof(struct ss_msg_frame);
    for (int i = 0; i < SS_MESSAGE_ENCODINGS; i++) {
        bytes += bufs[i] == NULL ? 0 : bufs[i]->len;
    }
    mark->bytes = bytes < UINT32_MAX ? (uint32_t)bytes : UINT32_MAX;
    uint64_t max = (uint64_t)SS_INBOX_BYTES_MAX * (bytes <= SS_OUTBOX_QUIET_BYTES ? 2 : 1);
    return outbox->bytes < max;
}

bool ss__outbox_frame(struct ss_outbox *outbox, struct ss_outbox_mark *mark,
                      const struct ss_outbox_frame *value)
{
    ss__outbox_retry(outbox, mark, value->handle);
    struct ss_msg_frame *frame = NULL;
    if (!mark->told && !mark->due && fits(outbox, mark, value->bufs)) {
        frame = ss__msg_new(SS_MSG_FRAME, sizeof *frame);
    }
    if (frame == NULL) {
        for (int i = 0; i < SS_MESSAGE_ENCODINGS; i++) {
            ss__buf_unref(value->bufs[i]);
        }
        outbox->overflows++;
        ss__outbox_resync(outbox, mark, value->handle);
        return false;
    }
    frame->handle = value->handle;
    frame->ordinal = value->ordinal;
    frame->live = value->live;
    for (int i = 0; i < SS_MESSAGE_ENCODINGS; i++) {
        frame->bufs[i] = value->bufs[i];
        frame->base.node.bytes += value->bufs[i] == NULL ? 0 : value->bufs[i]->len;
    }
    ss__outbox_push(outbox, &frame->base);
    return true;
}

void ss__outbox_flush_all(struct ss_outbox *outbox)
{
    if (outbox->first == NULL) {
        return;
    }
    if (ss__inbox_post_chain(outbox->inbox, outbox->first, outbox->last, outbox->count,
                             outbox->bytes) != 0) {
        ss__outbox_deinit(outbox);    /* the gateway is gone, and with it everyone who waits */
    }
    outbox->first = outbox->last = NULL;
    outbox->count = 0;
    outbox->bytes = 0;
    outbox->flushes++;
}

bool ss__outbox_flush(struct ss_outbox *outbox)
{
    if (outbox->first != NULL && (ss__inbox_depth(outbox->inbox) >= SS_INBOX_MESSAGES_MAX ||
                                  ss__inbox_bytes(outbox->inbox) >= SS_INBOX_BYTES_MAX)) {
        return false;
    }
    ss__outbox_flush_all(outbox);
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
