#include "load/publisher.h"

#include <inttypes.h>
#include <stdlib.h>

#include "load/worker.h"

#define BACKLOG_BYTES_MAX (4u << 20)
#define UNANSWERED_MAX 65536u
#define BURST_MAX 4096u
#define RECONNECT_NS UINT64_C(100000000)

static bool may_publish(const struct ss_load_publisher *publisher, double now_ns)
{
    if (publisher->unanswered >= UNANSWERED_MAX) {
        return false;
    }
    if (publisher->window > 0) {
        return atomic_load_explicit(&publisher->in_flight, memory_order_acquire) <
               (int64_t)publisher->window;
    }
    return publisher->next_ns <= now_ns;
}

/* False when out of memory. */
static bool expect_answer(struct ss_load_publisher *publisher,
                          const struct ss_load_message *message)
{
    struct ss_load_run *run = publisher->connection.worker->run;
    enum ss_load_acks acks = run->options->dialect->acks;
    if (acks == SS_LOAD_ACKS_NONE) {    /* followers wait for what was sent */
        atomic_store_explicit(&run->sessions[message->session].acked, message->number,
                              memory_order_release);
        return true;
    }
    publisher->unanswered++;
    return acks == SS_LOAD_ACKS_NAMED ||
           ss__load_pending_push(&publisher->pending, message) == 0;
}

static void publish(struct ss_load_publisher *publisher, int64_t sent_ns)
{
    struct ss_load_worker *worker = publisher->connection.worker;
    const struct ss_load_options *options = worker->run->options;
    struct ss_load_session *session = &worker->run->sessions[publisher->cursor];
    publisher->cursor += options->publishers;
    if (publisher->cursor >= options->sessions) {
        publisher->cursor = publisher->index;
    }
    struct ss_load_message message = {
        .session_id = session->id,
        .session = session->index,
        .number = ++session->number,
        .sent_ns = sent_ns,
        .entity = (uint32_t)(session->number % options->entities),
        .payload = ss__bytes_view(&publisher->payload),
    };
    if (!expect_answer(publisher, &message)) {
        ss__load_connection_close(&publisher->connection, "out of memory");
        return;
    }
    options->dialect->publish(&message, &worker->out);
    ss__load_count(&worker->counts.published, 1);
}

uint64_t ss__load_publisher_pump(struct ss_load_publisher *publisher)
{
    struct ss_load_connection *connection = &publisher->connection;
    if (connection->state != SS_LOAD_CONNECTED || !ss__load_publishing(connection->worker->run)) {
        publisher->next_ns = 0;
        return UINT64_MAX;
    }
    uint64_t now_ns = ss__load_now_ns();
    if (publisher->next_ns == 0) {    /* publishers take turns within an interval */
        publisher->next_ns = (double)now_ns + publisher->interval_ns * publisher->index /
                                                  connection->worker->run->options->publishers;
    }
    unsigned burst = 0;
    while (burst < BURST_MAX && connection->state == SS_LOAD_CONNECTED &&
           may_publish(publisher, (double)now_ns) &&
           ss__load_connection_backlog(connection) < BACKLOG_BYTES_MAX) {
        if (publisher->window > 0) {
            atomic_fetch_add_explicit(&publisher->in_flight, 1, memory_order_relaxed);
            publish(publisher, (int64_t)now_ns);
        } else {
            publish(publisher, (int64_t)publisher->next_ns);
            publisher->next_ns += publisher->interval_ns;
        }
        burst++;
    }
    ss__load_connection_flush(connection);
    if (burst == BURST_MAX) {
        return now_ns;
    }
    bool blocked = publisher->window > 0 || publisher->next_ns <= (double)now_ns;
    return blocked ? UINT64_MAX : (uint64_t)publisher->next_ns;
}

void ss__load_publisher_completed(struct ss_load_publisher *publisher,
                                  struct ss_load_worker *from)
{
    int64_t before = atomic_load_explicit(&publisher->in_flight, memory_order_relaxed);
    do {    /* not below 0: a lost connection has forgotten its messages */
        if (before <= 0) {
            return;
        }
    } while (!atomic_compare_exchange_weak_explicit(&publisher->in_flight, &before, before - 1,
                                                    memory_order_release, memory_order_relaxed));
    if (publisher->connection.worker != from) {
        (void)uv_async_send(&publisher->connection.worker->wake);    /* it fails while closing */
    }
}

static void take_answer(struct ss_load_publisher *publisher, const struct ss_load_item *item)
{
    struct ss_load_worker *worker = publisher->connection.worker;
    const struct ss_load_options *options = worker->run->options;
    if (item->number == 0 || item->session >= options->sessions ||
        item->session % options->publishers != publisher->index) {
        ss__load_violation(worker, "an answer to nothing that was published");
        return;
    }
    struct ss_load_session *session = &worker->run->sessions[item->session];
    if (item->number != session->answered + 1) {
        ss__load_violation(worker, "answers of %.*s: %" PRIu64 " follows %" PRIu64,
                           (int)session->id.len, session->id.data, item->number,
                           session->answered);
    }
    session->answered = item->number > session->answered ? item->number : session->answered;
    publisher->unanswered -= publisher->unanswered > 0;    /* 0: it was answered twice */
    if (item->kind == SS_LOAD_ACK) {
        uint64_t before = atomic_load_explicit(&session->acked, memory_order_relaxed);
        if (item->ordinal <= before) {
            ss__load_violation(worker, "acked ordinals of %.*s: %" PRIu64 " follows %" PRIu64,
                               (int)session->id.len, session->id.data, item->ordinal, before);
        } else {
            atomic_store_explicit(&session->acked, item->ordinal, memory_order_release);
        }
        ss__load_count(&worker->counts.acked, 1);
        if (ss__load_measured(worker->run, item->sent_ns)) {
            ss__histogram_add(&worker->samples.ack, worker->now_ns - (uint64_t)item->sent_ns);
        }
    }
    if (publisher->window > 0 && (item->kind == SS_LOAD_ERROR || options->followers == 0)) {
        ss__load_publisher_completed(publisher, worker);
    }
}

static void on_item(struct ss_load_connection *connection, const struct ss_load_item *item)
{
    struct ss_load_publisher *publisher = (struct ss_load_publisher *)connection;
    struct ss_load_item answer = *item;
    if (item->kind == SS_LOAD_OPEN) {
        ss__load_worker_opened(connection->worker);
        return;
    }
    if (item->kind != SS_LOAD_ACK && item->kind != SS_LOAD_ERROR) {
        return;
    }
    (void)ss__load_pending_pop(&publisher->pending, &answer);    /* none: named, or of nothing */
    if (item->kind == SS_LOAD_ERROR) {
        ss__load_error(connection->worker, item->text);
    }
    if (item->kind == SS_LOAD_ACK || answer.number != 0) {
        take_answer(publisher, &answer);
    }
}

/* What was not answered may have been stored or not: nobody may complain about it. */
static void on_lost(struct ss_load_connection *connection, const char *why)
{
    struct ss_load_publisher *publisher = (struct ss_load_publisher *)connection;
    struct ss_load_run *run = connection->worker->run;
    for (uint32_t i = publisher->index; i < run->options->sessions;
         i += run->options->publishers) {
        run->sessions[i].answered = run->sessions[i].number;
    }
    ss__load_count(&connection->worker->counts.unanswered, publisher->unanswered);
    publisher->unanswered = 0;
    ss__load_pending_clear(&publisher->pending);
    atomic_store(&publisher->in_flight, 0);
    publisher->next_ns = 0;
    publisher->retry_ns = ss__load_now_ns() + RECONNECT_NS;
    ss__load_worker_lost(connection->worker, true, why);
}

static const struct ss_load_events events = { on_item, on_lost };

int ss__load_publisher_init(struct ss_load_publisher *publisher, struct ss_load_worker *worker,
                            uint32_t index, double rate, uint32_t window)
{
    const struct ss_load_options *options = worker->run->options;
    ss__load_connection_init(&publisher->connection, worker, &events, ss_str(""));
    publisher->index = publisher->cursor = index;
    publisher->interval_ns = rate > 0 ? 1e9 / rate : 0;
    publisher->window = window;
    char *raw = malloc(options->payload + 1);
    ss__bytes_init(&publisher->payload, 0);
    if (raw == NULL) {
        return SS_E_NOMEM;
    }
    for (uint32_t i = 0; i < options->payload; i++) {
        raw[i] = (char)('a' + i % 26);
    }
    options->dialect->pack_payload(ss_str_of(raw, options->payload), &publisher->payload);
    free(raw);
    return publisher->payload.err;
}

void ss__load_publisher_deinit(struct ss_load_publisher *publisher)
{
    ss__load_pending_deinit(&publisher->pending);
    ss__bytes_deinit(&publisher->payload);
}

void ss__load_publisher_connect(struct ss_load_publisher *publisher)
{
    publisher->retry_ns = 0;
    ss__load_connection_open(&publisher->connection, publisher->index);
}
