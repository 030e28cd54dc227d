#include "runtime/inbox.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <sessionstream/error.h>

#include "core/contract.h"

#define CACHE_LINE 64

/* Depth and bytes share one word, so that accounting is one atomic operation. */
#define COUNT_BITS 24
#define COUNT_MASK ((UINT64_C(1) << COUNT_BITS) - 1)

enum { OPEN, REFUSING, CLOSED };

struct ss_inbox {
    /* --- any thread --- */
    _Alignas(CACHE_LINE) _Atomic(struct ss_inbox_node *) newest;
    atomic_uint_fast64_t load;    /* bytes << COUNT_BITS | messages */
    atomic_bool asleep;           /* the owner blocks, or is about to: wake it */
    atomic_int state;
    atomic_uint refs;
    /* --- fixed --- */
    _Alignas(CACHE_LINE) int wake_fd;
    uint32_t messages_max;
    uint64_t bytes_max;
    /* --- owner --- */
    _Alignas(CACHE_LINE) struct ss_inbox_node *first;    /* spliced and not taken */
    struct ss_inbox_node *last;
    struct ss_inbox_node stub;
};

_Static_assert(offsetof(struct ss_inbox, first) % CACHE_LINE == 0,
               "producers and owner must not share a cache line");

int ss__inbox_new(uint32_t messages_max, uint64_t bytes_max, struct ss_inbox **ret_inbox)
{
    SS_REQUIRE(messages_max > 0 && messages_max < COUNT_MASK / 2);
    struct ss_inbox *inbox = aligned_alloc(CACHE_LINE, sizeof *inbox);
    if (inbox == NULL) {
        return SS_E_NOMEM;
    }
    int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (fd < 0) {
        free(inbox);
        return SS_E_IO;
    }
    *inbox = (struct ss_inbox){ .wake_fd = fd, .messages_max = messages_max,
                                .bytes_max = bytes_max };
    atomic_init(&inbox->stub.next, NULL);
    atomic_init(&inbox->newest, &inbox->stub);
    atomic_init(&inbox->load, 0);
    atomic_init(&inbox->asleep, false);
    atomic_init(&inbox->state, OPEN);
    atomic_init(&inbox->refs, 1);
    *ret_inbox = inbox;
    return 0;
}

struct ss_inbox *ss__inbox_ref(struct ss_inbox *inbox)
{
    atomic_fetch_add_explicit(&inbox->refs, 1, memory_order_relaxed);
    return inbox;
}

void ss__inbox_unref(struct ss_inbox *inbox)
{
    if (inbox == NULL ||
        atomic_fetch_sub_explicit(&inbox->refs, 1, memory_order_acq_rel) != 1) {
        return;
    }
    (void)close(inbox->wake_fd);    /* an eventfd has nothing to flush */
    free(inbox);
}

static void wake(struct ss_inbox *inbox)
{
    uint64_t one = 1;
    /* EAGAIN means the counter is full, that is: it is awake already. */
    ssize_t written = write(inbox->wake_fd, &one, sizeof one);
    (void)written;
}

static void link_and_wake(struct ss_inbox *inbox, struct ss_inbox_node *first,
                          struct ss_inbox_node *last)
{
    atomic_store_explicit(&last->next, NULL, memory_order_relaxed);
    struct ss_inbox_node *before =
        atomic_exchange_explicit(&inbox->newest, last, memory_order_acq_rel);
    atomic_store_explicit(&before->next, first, memory_order_release);
    /* Pairs with the fence in ss__inbox_sleep: either we see that the owner is going to sleep or
     * it sees our node. Without it wake-ups are lost even on x86. */
    atomic_thread_fence(memory_order_seq_cst);
    if (atomic_load_explicit(&inbox->asleep, memory_order_relaxed) &&
        atomic_exchange_explicit(&inbox->asleep, false, memory_order_acq_rel)) {
        wake(inbox);
    }
}

static bool over_limit(const struct ss_inbox *inbox, uint64_t load, unsigned quarters)
{
    uint64_t count = load & COUNT_MASK;
    uint64_t bytes = load >> COUNT_BITS;
    return count * 4 >= (uint64_t)inbox->messages_max * quarters ||
           bytes * 4 >= inbox->bytes_max * quarters;
}

static uint64_t share_of(const struct ss_inbox_node *node)
{
    return ((uint64_t)node->bytes << COUNT_BITS) | 1;
}

void ss__inbox_charge(struct ss_inbox *inbox, const struct ss_inbox_node *node)
{
    atomic_fetch_add_explicit(&inbox->load, share_of(node), memory_order_relaxed);
}

void ss__inbox_discharge(struct ss_inbox *inbox, const struct ss_inbox_node *node)
{
    atomic_fetch_sub_explicit(&inbox->load, share_of(node), memory_order_relaxed);
}

int ss__inbox_post(struct ss_inbox *inbox, struct ss_inbox_node *node, enum ss_post_class class)
{
    /* Counted first, then looked: an owner that refuses and then finds nothing counted has every
     * message that was accepted. */
    uint64_t share = share_of(node);
    uint64_t load = atomic_fetch_add_explicit(&inbox->load, share, memory_order_seq_cst);
    int state = atomic_load_explicit(&inbox->state, memory_order_seq_cst);
    if (state != OPEN && (state == CLOSED || class == SS_POST_OUTSIDE)) {
        atomic_fetch_sub_explicit(&inbox->load, share, memory_order_relaxed);
        return SS_E_STOPPING;
    }
    if (class == SS_POST_OUTSIDE && over_limit(inbox, load, 4)) {
        atomic_fetch_sub_explicit(&inbox->load, share, memory_order_relaxed);
        return SS_E_BUSY;
    }
    link_and_wake(inbox, node, node);
    return 0;
}

int ss__inbox_post_chain(struct ss_inbox *inbox, struct ss_inbox_node *first,
                         struct ss_inbox_node *last, uint32_t count, uint64_t bytes)
{
    if (atomic_load_explicit(&inbox->state, memory_order_acquire) == CLOSED) {
        return SS_E_STOPPING;
    }
    atomic_fetch_add_explicit(&inbox->load, (bytes << COUNT_BITS) | count, memory_order_relaxed);
    link_and_wake(inbox, first, last);
    return 0;
}

void ss__inbox_refuse(struct ss_inbox *inbox)
{
    int open = OPEN;
    (void)atomic_compare_exchange_strong(&inbox->state, &open, REFUSING);
}

void ss__inbox_close(struct ss_inbox *inbox)
{
    atomic_store_explicit(&inbox->state, CLOSED, memory_order_release);
}

/* Detaches everything posted so far, so that producers and the walk do not meet. */
static bool splice(struct ss_inbox *inbox)
{
    struct ss_inbox_node *first = atomic_load_explicit(&inbox->stub.next, memory_order_acquire);
    if (first == NULL) {
        return false;
    }
    atomic_store_explicit(&inbox->stub.next, NULL, memory_order_relaxed);
    inbox->last = atomic_exchange_explicit(&inbox->newest, &inbox->stub, memory_order_acq_rel);
    inbox->first = first;
    return true;
}

struct ss_inbox_node *ss__inbox_take(struct ss_inbox *inbox)
{
    if (inbox->first == NULL && !splice(inbox)) {
        return NULL;
    }
    struct ss_inbox_node *node = inbox->first;
    if (node == inbox->last) {
        inbox->first = NULL;
    } else {
        struct ss_inbox_node *next = atomic_load_explicit(&node->next, memory_order_acquire);
        if (next == NULL) {
            /* Its successor's producer is between exchange and link; it will look whether we
             * sleep when it is done. */
            return NULL;
        }
        inbox->first = next;
    }
    ss__inbox_discharge(inbox, node);
    return node;
}

/* True if a take would find something. */
static bool has_visible(struct ss_inbox *inbox)
{
    if (inbox->first != NULL) {
        return inbox->first == inbox->last ||
               atomic_load_explicit(&inbox->first->next, memory_order_acquire) != NULL;
    }
    return atomic_load_explicit(&inbox->stub.next, memory_order_acquire) != NULL;
}

bool ss__inbox_sleep(struct ss_inbox *inbox)
{
    atomic_store_explicit(&inbox->asleep, true, memory_order_relaxed);
    atomic_thread_fence(memory_order_seq_cst);    /* pairs with link_and_wake */
    if (!has_visible(inbox)) {
        return true;
    }
    atomic_store_explicit(&inbox->asleep, false, memory_order_relaxed);
    return false;
}

int ss__inbox_wake_fd(const struct ss_inbox *inbox)
{
    return inbox->wake_fd;
}

void ss__inbox_awake(struct ss_inbox *inbox)
{
    uint64_t count;
    ssize_t got = read(inbox->wake_fd, &count, sizeof count);
    (void)got;    /* EAGAIN: a spurious turn of the loop */
    atomic_store_explicit(&inbox->asleep, false, memory_order_relaxed);
}

uint32_t ss__inbox_depth(const struct ss_inbox *inbox)
{
    return (uint32_t)(atomic_load_explicit(&inbox->load, memory_order_seq_cst) & COUNT_MASK);
}

uint64_t ss__inbox_bytes(const struct ss_inbox *inbox)
{
    return atomic_load_explicit(&inbox->load, memory_order_relaxed) >> COUNT_BITS;
}

bool ss__inbox_pressed(const struct ss_inbox *inbox)
{
    return over_limit(inbox, atomic_load_explicit(&inbox->load, memory_order_relaxed), 3);
}
