/* inbox.h - bounded multi-producer single-consumer queue between threads, with wake-up.
 *
 * Any thread posts, one owner takes. Messages of one producer stay in order. Posting is wait-free
 * but for the wake-up write, which happens only when the owner may be asleep.
 *
 *               post   take   sleep  close       x = the caller must prevent overlap
 *     post       -      -      -      -
 *     take       -      x      x      x          (take, sleep and close belong to the owner)
 *
 * Life: new -> ref per producer -> close by the owner -> unref by all; the last one frees. A post
 * after close is an error, never a crash: the wake-up descriptor lives as long as the inbox. (An
 * eventfd of our own and not a uv_async_t, whose handle dies with its loop.)
 */
#ifndef SS_RUNTIME_INBOX_H
#define SS_RUNTIME_INBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ss_inbox;

struct ss_inbox_node {
    _Atomic(struct ss_inbox_node *) next;
    uint32_t bytes;    /* what the message holds in memory; set before post */
};

/* Outside work may be refused. Inside messages (replies whose slot was reserved with their
 * request, control) never are: their number is bounded by what was accepted before. */
enum ss_post_class { SS_POST_OUTSIDE, SS_POST_INSIDE };

/* Limits for outside work: messages and bytes. Errors: SS_E_NOMEM, SS_E_IO (no descriptor). */
int ss__inbox_new(uint32_t messages_max, uint64_t bytes_max, struct ss_inbox **ret_inbox);
struct ss_inbox *ss__inbox_ref(struct ss_inbox *inbox);
void ss__inbox_unref(struct ss_inbox *inbox);

/* Gives @node to the owner. Any thread; blocks never. On error the caller keeps it:
 * SS_E_BUSY      a limit is reached (outside work only)
 * SS_E_STOPPING  refused by ss__inbox_refuse (outside work) or closed (all). */
int ss__inbox_post(struct ss_inbox *inbox, struct ss_inbox_node *node, enum ss_post_class class);

/* The same for a chain of @count linked nodes of @bytes in all, first to last: one exchange and at
 * most one wake-up. Inside class only. */
int ss__inbox_post_chain(struct ss_inbox *inbox, struct ss_inbox_node *first,
                         struct ss_inbox_node *last, uint32_t count, uint64_t bytes);

/* From now on outside work is refused with SS_E_STOPPING. Any thread. */
void ss__inbox_refuse(struct ss_inbox *inbox);

/* From now on every post is refused. Owner. Take until it is empty afterwards. */
void ss__inbox_close(struct ss_inbox *inbox);

/* The next message, or NULL when none is (visibly) there. Owner. */
struct ss_inbox_node *ss__inbox_take(struct ss_inbox *inbox);

/* A taken message whose work is put off counts as waiting until it is discharged. Owner. */
void ss__inbox_charge(struct ss_inbox *inbox, const struct ss_inbox_node *node);
void ss__inbox_discharge(struct ss_inbox *inbox, const struct ss_inbox_node *node);

/* Owner: call when there is nothing to do, before blocking on ss__inbox_wake_fd. False: something
 * has arrived meanwhile, do not block. */
bool ss__inbox_sleep(struct ss_inbox *inbox);

/* Readable after a wake-up; ss__inbox_awake clears it. Owner. */
int ss__inbox_wake_fd(const struct ss_inbox *inbox);
void ss__inbox_awake(struct ss_inbox *inbox);

/* Messages and bytes posted and not taken, or charged; any thread, approximate. */
uint32_t ss__inbox_depth(const struct ss_inbox *inbox);
uint64_t ss__inbox_bytes(const struct ss_inbox *inbox);

/* True while more than three quarters of a limit are used: producers that can wait should. */
bool ss__inbox_pressed(const struct ss_inbox *inbox);

#endif
