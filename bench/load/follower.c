#include "load/follower.h"

#include <inttypes.h>
#include <string.h>

#include "load/publisher.h"
#include "load/worker.h"

#define REJOIN_NS UINT64_C(100000000)

static void complain(struct ss_load_follower *follower, const char *what, uint64_t got)
{
    ss__load_violation(follower->connection.worker,
                       "%s: a follower of %.*s has %" PRIu64 ", expects %" PRIu64, what,
                       (int)follower->session->id.len, follower->session->id.data, got,
                       follower->next);
}

static void record(struct ss_load_follower *follower, const struct ss_load_item *item)
{
    struct ss_load_worker *worker = follower->connection.worker;
    const struct ss_load_options *options = worker->run->options;
    uint64_t ns = worker->now_ns - (uint64_t)item->sent_ns;
    bool first = false;
    bool last = false;
    if (worker->all_stay) {
        ss__load_session_deliver(follower->session, item->ordinal, options->followers, &first,
                                 &last);
    }
    /* What is caught up with after joining was sent to nobody here. */
    bool live = (uint64_t)item->sent_ns >= follower->began_ns;
    if (live) {
        ss__histogram_add(&worker->interval, ns);
    }
    if (live && ss__load_measured(worker->run, item->sent_ns)) {
        ss__histogram_add(&worker->samples.delivery, ns);
        if (first) {
            ss__histogram_add(&worker->samples.first, ns);
        }
        if (last) {
            ss__histogram_add(&worker->samples.last, ns);
        }
    }
    if (last && options->window > 0 && follower->session->publisher != NULL) {
        ss__load_publisher_completed(follower->session->publisher, worker);
    }
}

/* The messages from @from to before @until will not arrive any more. */
static void skip(struct ss_load_follower *follower, uint64_t from, uint64_t until)
{
    struct ss_load_worker *worker = follower->connection.worker;
    const struct ss_load_options *options = worker->run->options;
    if (options->window == 0 || until - from >= SS_LOAD_RING) {
        return;
    }
    for (uint64_t ordinal = from; ordinal < until; ordinal++) {
        bool first;
        bool last;
        ss__load_session_deliver(follower->session, ordinal, options->followers, &first, &last);
        if (last && follower->session->publisher != NULL) {
            ss__load_publisher_completed(follower->session->publisher, worker);
        }
    }
}

/* A gap or a message that came before. False if there is nothing to be done with @item. */
static bool take_disorder(struct ss_load_follower *follower, const struct ss_load_item *item)
{
    bool gap = item->ordinal > follower->next;
    complain(follower, gap ? "gap" : "repeat or wrong order", item->ordinal);
    if (gap && !follower->connection.worker->run->options->dialect->numbered) {
        skip(follower, follower->next, item->ordinal);    /* peers may lose messages */
    }
    return gap;
}

static void take_delivery(struct ss_load_follower *follower, const struct ss_load_item *item)
{
    struct ss_load_worker *worker = follower->connection.worker;
    ss__load_count(&worker->counts.delivered, 1);
    if (follower->next == 0) {
        if (worker->run->options->dialect->numbered) {
            complain(follower, "frame before the snapshot", item->ordinal);
            return;
        }
        follower->next = item->ordinal;
    }
    if (item->epoch != follower->epoch && follower->epoch != 0) {
        complain(follower, "other epoch without a snapshot", item->epoch);
    }
    follower->epoch = item->epoch;
    if (item->ordinal != follower->next && !take_disorder(follower, item)) {
        return;
    }
    follower->next = item->ordinal + 1;
    if (follower->fold != NULL && item->entity < worker->run->options->entities) {
        follower->fold[item->entity] = item->ordinal;
    }
    record(follower, item);
}

static void take_entity(void *ctx, uint32_t entity, uint64_t ordinal)
{
    struct ss_load_follower *follower = ctx;
    if (entity < follower->connection.worker->run->options->entities) {
        follower->fold[entity] = ordinal;
    }
}

static void take_snapshot(struct ss_load_follower *follower, const struct ss_load_item *item)
{
    struct ss_load_worker *worker = follower->connection.worker;
    if (follower->next != 0) {
        if (item->epoch == follower->epoch && item->ordinal + 1 < follower->next) {
            complain(follower, "snapshot goes back", item->ordinal);
        } else if (item->ordinal + 1 > follower->next) {
            ss__load_count(&worker->counts.resyncs, 1);
            skip(follower, follower->next, item->ordinal + 1);
        }
    } else if (!follower->checker) {
        ss__histogram_add(&worker->samples.join, worker->now_ns - follower->began_ns);
        if (follower->seen != 0 && follower->seen_epoch == item->epoch &&
            item->ordinal + 1 > follower->seen) {
            skip(follower, follower->seen, item->ordinal + 1);
        }
    }
    follower->next = item->ordinal + 1;
    follower->epoch = item->epoch;
    if (follower->fold != NULL) {
        memset(follower->fold, 0, worker->run->options->entities * sizeof *follower->fold);
        if (!worker->run->options->dialect->entities(item->text, take_entity, follower)) {
            complain(follower, "snapshot that cannot be read", item->ordinal);
        }
    }
}

/* Peers have no snapshot: what comes first is the beginning, which is the first message of the
 * session if nothing was published yet. */
static void begin_with_peer(struct ss_load_follower *follower)
{
    struct ss_load_worker *worker = follower->connection.worker;
    const struct ss_load_run *run = worker->run;
    ss__histogram_add(&worker->samples.join, worker->now_ns - follower->began_ns);
    if (run->options->publishers > 0 && atomic_load(&run->phase) == SS_LOAD_JOIN) {
        follower->next = 1;
    }
}

static void on_item(struct ss_load_connection *connection, const struct ss_load_item *item)
{
    struct ss_load_follower *follower = (struct ss_load_follower *)connection;
    struct ss_load_worker *worker = connection->worker;
    switch (item->kind) {
    case SS_LOAD_OPEN:
        if (worker->run->options->dialect->subscribe != NULL) {
            worker->run->options->dialect->subscribe(follower->session->id, &worker->out);
        }
        break;
    case SS_LOAD_SNAPSHOT:
        take_snapshot(follower, item);
        break;
    case SS_LOAD_SUBSCRIBED:
        if (!follower->subscribed) {
            follower->subscribed = true;
            if (!worker->run->options->dialect->numbered) {
                begin_with_peer(follower);
            }
            ss__load_worker_joined(worker, follower);
        }
        break;
    case SS_LOAD_DELIVERY:
        take_delivery(follower, item);
        break;
    case SS_LOAD_ERROR:
        ss__load_error(worker, item->text);
        break;
    case SS_LOAD_ACK:
    case SS_LOAD_CLOSED:
        break;
    }
}

static void on_lost(struct ss_load_connection *connection, const char *why)
{
    struct ss_load_follower *follower = (struct ss_load_follower *)connection;
    bool was_subscribed = follower->subscribed;
    bool leaving = follower->leaving;
    follower->subscribed = follower->leaving = false;
    follower->seen = follower->next;
    follower->seen_epoch = follower->epoch;
    follower->next = follower->epoch = 0;
    ss__load_worker_left(connection->worker, was_subscribed);
    ss__load_worker_lost(connection->worker, !leaving, why);
    if (!follower->checker) {
        ss__load_worker_join_later(connection->worker, follower, leaving ? 0 : REJOIN_NS);
    }
}

static const struct ss_load_events events = { on_item, on_lost };

void ss__load_follower_init(struct ss_load_follower *follower, struct ss_load_worker *worker,
                            struct ss_load_session *session, uint32_t target)
{
    ss__load_connection_init(&follower->connection, worker, &events, session->id);
    follower->session = session;
    follower->target = target;
}

void ss__load_follower_join(struct ss_load_follower *follower)
{
    follower->began_ns = ss__load_now_ns();
    ss__load_connection_open(&follower->connection, follower->target);
}

void ss__load_follower_leave(struct ss_load_follower *follower)
{
    follower->leaving = true;
    ss__load_connection_close(&follower->connection, "leaves");
}
