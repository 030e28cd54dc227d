#include "gateway/send_queue.h"

#include <stdlib.h>
#include <string.h>

#include "ss_test.h"

static struct ss_buf *text(const char *bytes)
{
    return ss__buf_copy(bytes, strlen(bytes));
}

static void push(struct ss_send_queue *queue, const char *bytes, enum ss_send_kind kind,
                 uint16_t tag)
{
    ss_check(ss__send_queue_push(queue, text(bytes), kind, tag) == 0);
}

/* Writes @bytes and returns how many entries left. */
static unsigned wrote(struct ss_send_queue *queue, size_t bytes)
{
    unsigned left = 0;
    struct ss_send_entry entry;
    while (ss__send_queue_wrote(queue, &bytes, &entry)) {
        ss__buf_unref(entry.buf);
        left++;
    }
    return left;
}

static void empty(struct ss_send_queue *queue)
{
    struct ss_send_entry entry;
    while (ss__send_queue_take(queue, &entry)) {
        ss__buf_unref(entry.buf);
    }
    ss_check(queue->bytes == 0 && queue->snapshot_bytes == 0 && queue->frames == 0);
    ss__send_queue_deinit(queue);
}

static void contents(struct ss_send_queue *queue, char *out)
{
    uv_buf_t slices[64];
    unsigned count = ss__send_queue_slices(queue, slices, 64);
    for (unsigned i = 0; i < count; i++) {
        memcpy(out, slices[i].base, slices[i].len);
        out += slices[i].len;
    }
    *out = '\0';
}

SS_TEST(send_queue, gives_bytes_in_order_however_they_are_cut)
{
    for (size_t step = 1; step <= 9; step++) {
        struct ss_send_queue queue;
        ss__send_queue_init(&queue);
        push(&queue, "abc", SS_SEND_ANSWER, 0);
        push(&queue, "d", SS_SEND_FRAME, 1);
        push(&queue, "efghi", SS_SEND_SNAPSHOT, 2);
        char got[16] = "";
        size_t len = 0;
        while (queue.count > 0) {
            char rest[16];
            contents(&queue, rest);
            size_t take = strlen(rest) < step ? strlen(rest) : step;
            ss_check(queue.bytes == strlen(rest));
            memcpy(got + len, rest, take);
            len += take;
            (void)wrote(&queue, take);
        }
        got[len] = '\0';
        ss_check(strcmp(got, "abcdefghi") == 0);
        empty(&queue);
    }
}

SS_TEST(send_queue, charges_everything_but_snapshots)
{
    struct ss_send_queue queue;
    ss__send_queue_init(&queue);
    push(&queue, "snapshot", SS_SEND_SNAPSHOT, 0);
    push(&queue, "frame", SS_SEND_FRAME, 0);
    ss_check(ss__send_queue_charged(&queue) == 5);
    ss_check(wrote(&queue, 3) == 0);
    ss_check(ss__send_queue_charged(&queue) == 5);
    ss_check(wrote(&queue, 5) == 1);
    ss_check(ss__send_queue_charged(&queue) == 5);
    empty(&queue);
}

SS_TEST(send_queue, knows_whose_snapshots_are_not_completely_written)
{
    struct ss_send_queue queue;
    struct ss_send_entry entry;
    ss__send_queue_init(&queue);
    ss_check(!ss__send_queue_has_snapshot(&queue, 7));
    push(&queue, "snapshot", SS_SEND_SNAPSHOT, 7);
    push(&queue, "frame", SS_SEND_FRAME, 9);
    push(&queue, "small", SS_SEND_SNAPSHOT, 0xff01);
    ss_check(queue.snapshots_held == 13);
    ss_check(ss__send_queue_has_snapshot(&queue, 7));
    ss_check(ss__send_queue_has_snapshot(&queue, 0xff01));
    ss_check(!ss__send_queue_has_snapshot(&queue, 1) && !ss__send_queue_has_snapshot(&queue, 9));
    size_t bytes = 7;
    ss_check(!ss__send_queue_wrote(&queue, &bytes, &entry));
    ss_check(queue.snapshots_held == 13 && ss__send_queue_has_snapshot(&queue, 7));
    bytes = 1;
    ss_check(ss__send_queue_wrote(&queue, &bytes, &entry));
    ss__buf_unref(entry.buf);
    ss_check(queue.snapshots_held == 5 && !ss__send_queue_has_snapshot(&queue, 7));
    while (ss__send_queue_take(&queue, &entry)) {
        ss__buf_unref(entry.buf);
    }
    ss_check(queue.snapshots_held == 0);
    ss__send_queue_deinit(&queue);
}

SS_TEST(send_queue, drops_only_whole_unwritten_frames)
{
    struct ss_send_queue queue;
    ss__send_queue_init(&queue);
    push(&queue, "first", SS_SEND_FRAME, 3);
    push(&queue, "x", SS_SEND_FRAME, 9);
    push(&queue, "answer", SS_SEND_ANSWER, 0);
    push(&queue, "y", SS_SEND_FRAME, 17);
    push(&queue, "snap", SS_SEND_SNAPSHOT, 0);
    ss_check(wrote(&queue, 2) == 0);
    uint8_t dropped[4] = { 0 };
    uint8_t withdrawn[4] = { 0 };
    ss_check(ss__send_queue_drop_frames(&queue, dropped, withdrawn) == 2);
    ss_check(dropped[0] == 0 && dropped[1] == 1u << 1 && dropped[2] == 1u << 1);
    char rest[32];
    contents(&queue, rest);
    ss_check(strcmp(rest, "rstanswersnap") == 0);
    ss_check(queue.bytes == 13 && queue.frames == 1);
    empty(&queue);
}

SS_TEST(send_queue, drops_subscribed_with_the_frames_before_it)
{
    struct ss_send_queue queue;
    ss__send_queue_init(&queue);
    push(&queue, "held", SS_SEND_FRAME, 3);
    push(&queue, "A", SS_SEND_SUBSCRIBED, 3);    /* its frame is on its way */
    push(&queue, "x", SS_SEND_FRAME, 9);
    push(&queue, "B", SS_SEND_SUBSCRIBED, 10);    /* of another one */
    push(&queue, "C", SS_SEND_SUBSCRIBED, 9);
    push(&queue, "D", SS_SEND_SUBSCRIBED, 17);
    push(&queue, "y", SS_SEND_FRAME, 17);    /* after what it says */
    ss_check(queue.answers_held == 4);
    queue.pinned = 1;
    uint8_t dropped[4] = { 0 };
    uint8_t withdrawn[4] = { 0 };
    ss_check(ss__send_queue_drop_frames(&queue, dropped, withdrawn) == 3);
    ss_check(dropped[0] == 0 && dropped[1] == 1u << 1 && dropped[2] == 1u << 1);
    ss_check(withdrawn[0] == 0 && withdrawn[1] == 1u << 1 && withdrawn[2] == 0);
    char rest[32];
    contents(&queue, rest);
    ss_check(strcmp(rest, "heldABD") == 0);
    ss_check(queue.bytes == 7 && queue.frames == 1 && queue.answers_held == 3);
    queue.pinned = 0;
    empty(&queue);
    ss_check(queue.answers_held == 0);
}

SS_TEST(send_queue, keeps_what_the_kernel_holds)
{
    struct ss_send_queue queue;
    ss__send_queue_init(&queue);
    push(&queue, "held", SS_SEND_FRAME, 0);
    push(&queue, "more", SS_SEND_FRAME, 0);
    queue.pinned = 1;
    uint8_t dropped[1] = { 0 };
    uint8_t withdrawn[1] = { 0 };
    ss_check(ss__send_queue_drop_frames(&queue, dropped, withdrawn) == 1);
    ss_check(queue.count == 1 && queue.bytes == 4);
    queue.pinned = 0;
    empty(&queue);
}

SS_TEST(send_queue, drops_nothing_from_an_empty_queue)
{
    struct ss_send_queue queue;
    ss__send_queue_init(&queue);
    uint8_t dropped[1] = { 0 };
    uint8_t withdrawn[1] = { 0 };
    ss_check(ss__send_queue_drop_frames(&queue, dropped, withdrawn) == 0);
    ss_check(wrote(&queue, 0) == 0);
    empty(&queue);
}

SS_TEST(send_queue, grows_around_the_end_of_its_ring)
{
    struct ss_send_queue queue;
    ss__send_queue_init(&queue);
    unsigned next_in = 0;
    unsigned next_out = 0;
    for (unsigned round = 0; round < 200; round++) {
        for (unsigned i = 0; i < 7; i++, next_in++) {
            uint8_t byte = (uint8_t)next_in;
            ss_check(ss__send_queue_push(&queue, ss__buf_copy(&byte, 1), SS_SEND_ANSWER, 0) == 0);
        }
        for (unsigned i = 0; i < 5; i++, next_out++) {
            uv_buf_t slice;
            ss_check(ss__send_queue_slices(&queue, &slice, 1) == 1);
            ss_check((uint8_t)slice.base[0] == (uint8_t)next_out);
            ss_check(wrote(&queue, 1) == 1);
        }
    }
    ss_check(queue.count == next_in - next_out);
    empty(&queue);
}
