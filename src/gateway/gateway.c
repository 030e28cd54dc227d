#include "gateway/gateway.h"

#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include <sessionstream/error.h>
#include <sessionstream/limits.h>

#include "core/contract.h"
#include "core/hash.h"
#include "gateway/conn.h"
#include "gateway/egress.h"
#include "gateway/listener.h"
#include "gateway/reader.h"
#include "gateway/requests.h"
#include "gateway/respond.h"
#include "gateway/sweep.h"

/* What is handled in one turn of the loop: messages, and frames times followers. */
#define BATCH_MESSAGES_MAX 1024
#define BATCH_DELIVERIES_MAX 65536

/* Files, pipes and sockets of the process that are no clients. */
#define OTHER_DESCRIPTORS 256

#define ARENA_CHUNK_BYTES ((size_t)16 << 10)

enum { FIRST_STEP, SECOND_STEP };

/* ---- the stop ---- */

static void stop_reading(struct ss_gateway *gateway)
{
    if (gateway->reading_stopped) {
        return;
    }
    gateway->reading_stopped = true;
    ss__listener_stop(gateway);
    for (uint32_t slot = 0; slot < gateway->conns.slots_count; slot++) {
        struct ss_conn *conn = gateway->conns.slots[slot].conn;
        if (conn == NULL) {
            continue;
        }
        ss__conn_pause(conn, SS_PAUSE_STOPPING);
        if (conn->state == SS_CONN_HTTP && conn->in.number == 0) {
            ss__conn_finish(conn, SS_RESPOND_PATIENCE_MS);
        }
    }
}

static void close_connections(struct ss_gateway *gateway, uint32_t patience_ms)
{
    stop_reading(gateway);
    if (gateway->closing) {
        return;
    }
    gateway->closing = true;
    gateway->stop_due_ms = ss__gateway_now_ms(gateway) + patience_ms;
    ss__conn_arm(gateway, gateway->stop_due_ms);
    for (uint32_t slot = 0; slot < gateway->conns.slots_count; slot++) {
        struct ss_conn *conn = gateway->conns.slots[slot].conn;
        if (conn == NULL) {
            continue;
        }
        if (conn->state == SS_CONN_HTTP) {
            ss__respond_error(conn, SS_E_STOPPING, ss_str(NULL), ss_str(NULL));
        }
        ss__conn_finish_websocket(conn, SS_WS_STATUS_GOING_AWAY, "the server is stopping");
    }
}

static void post_stop(struct ss_gateway *gateway, unsigned step, uint32_t patience_ms)
{
    struct ss_msg_stop *stop = atomic_exchange(&gateway->stop_messages[step], NULL);
    if (stop == NULL) {
        return;
    }
    stop->patience_ms = patience_ms;
    if (ss__inbox_post(gateway->inbox, &stop->base.node, SS_POST_INSIDE) != 0) {
        ss__msg_free(&stop->base);    /* it has ended already */
    }
}

void ss__gateway_stop_listening(struct ss_gateway *gateway)
{
    post_stop(gateway, FIRST_STEP, 0);
}

void ss__gateway_stop(struct ss_gateway *gateway, uint32_t patience_ms)
{
    post_stop(gateway, SECOND_STEP, patience_ms);
}

/* ---- on the thread ---- */

static int on_enter(void *context)
{
    struct ss_gateway *gateway = context;
    sigset_t signals;
    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGPIPE);    /* a closed socket is an error code for us */
    (void)pthread_sigmask(SIG_BLOCK, &signals, NULL);
    ss__timers_init(&gateway->timers, ss__gateway_now_ms(gateway));
    return ss__listener_start(gateway);
}

static void handle(struct ss_gateway *gateway, struct ss_msg *msg)
{
    if (msg->kind != SS_MSG_STOP) {
        ss__egress_message(gateway, msg);
        return;
    }
    const struct ss_msg_stop *stop = (const void *)msg;
    bool now = stop->now;
    uint32_t patience_ms = stop->patience_ms;
    ss__msg_free(msg);
    if (now) {
        close_connections(gateway, patience_ms);
    } else {
        stop_reading(gateway);
    }
}

static bool handle_batch(struct ss_gateway *gateway)
{
    unsigned count = 0;
    bool more = true;
    gateway->deliveries = 0;
    while (more && count < BATCH_MESSAGES_MAX && gateway->deliveries < BATCH_DELIVERIES_MAX) {
        struct ss_inbox_node *node = ss__inbox_take(gateway->inbox);
        more = node != NULL;
        if (more) {
            handle(gateway, ss__msg_of(node));
            count++;
        }
    }
    (void)ss__requests_relieve(gateway);    /* the timer comes back for the others */
    ss__reader_settle(gateway);
    return more;
}

static bool on_work(void *context)
{
    struct ss_gateway *gateway = context;
    uint64_t began_ns = uv_hrtime();
    bool more = handle_batch(gateway);
    gateway->worked_ns = uv_hrtime();
    gateway->work_ns = gateway->worked_ns - began_ns;
    if (gateway->overdue) {
        gateway->overdue = ss__sweep(gateway);
        ss__conn_arm(gateway, ss__listener_look(gateway));
    }
    bool hungry = gateway->between_reads ? !ss__list_empty(&gateway->hungry)
                                         : ss__reader_feed_hungry(gateway);
    return hungry || more || gateway->overdue;
}

/* Work follows in the same turn. */
static void on_timer(void *context)
{
    struct ss_gateway *gateway = context;
    gateway->overdue = true;
}

static void on_leave(void *context)
{
    struct ss_gateway *gateway = context;
    ss__inbox_close(gateway->inbox);
}

static const struct ss_loop_ops loop_ops = {
    .enter = on_enter,
    .work = on_work,
    .timer = on_timer,
    .leave = on_leave,
};

/* ---- life ---- */

void ss__gateway_reserve_descriptors(uint64_t connections)
{
    uint64_t count = connections + OTHER_DESCRIPTORS;
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return;
    }
    count = count < limit.rlim_cur ? count : limit.rlim_cur;
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return;
    }
    int last = count > 0 && count <= INT_MAX ? fcntl(fd, F_DUPFD_CLOEXEC, (int)count - 1) : -1;
    if (last >= 0) {
        (void)close(last);    /* the table never gets smaller again */
    }
    (void)close(fd);
}

static void init_state(struct ss_gateway *gateway)
{
    ss__conn_table_init(&gateway->conns);
    ss__followers_init(&gateway->followers, (uint16_t)gateway->options.index);
    ss__snapshot_budget_init(&gateway->snapshots, SS_SNAPSHOT_BUDGET_BYTES);
    ss__ws_decoder_pool_init(&gateway->decoders, SS_UNFINISHED_BYTES_MAX);
    gateway->bodies.held_bytes_max = SS_BODIES_BYTES_MAX;
    ss__timers_init(&gateway->timers, 0);
    ss__list_init(&gateway->dirty);
    ss__list_init(&gateway->resumable);
    ss__list_init(&gateway->pressed);
    ss__list_init(&gateway->hungry);
    ss__arena_init(&gateway->arena, ARENA_CHUNK_BYTES);
    ss__bytes_init(&gateway->scratch, SS_ANSWER_BYTES_MAX);
    ss__bytes_init(&gateway->text, 0);
    gateway->armed_ms = UINT64_MAX;
    gateway->random = UINT64_C(0x9e3779b97f4a7c15) ^ gateway->options.index;
    for (unsigned step = FIRST_STEP; step <= SECOND_STEP; step++) {
        atomic_init(&gateway->stop_messages[step], NULL);
    }
}

static int make_parts(struct ss_gateway *gateway)
{
    uint8_t ping[SS_WS_HEADER_BYTES_MAX];
    gateway->ping = ss__buf_copy(ping, ss__ws_header_write(SS_WS_PING, 0, ping));
    gateway->read_buffer = malloc(SS_READ_BYTES);
    gateway->dropped = calloc(1, gateway->options.subscriptions_max / 8 + 1);
    gateway->withdrawn = calloc(1, gateway->options.subscriptions_max / 8 + 1);
    if (gateway->ping == NULL || gateway->read_buffer == NULL || gateway->dropped == NULL ||
        gateway->withdrawn == NULL) {
        return SS_E_NOMEM;
    }
    int err = ss__random_bytes(&gateway->id_key, sizeof gateway->id_key);
    if (err != 0) {
        return err;
    }
    for (unsigned step = FIRST_STEP; step <= SECOND_STEP; step++) {
        struct ss_msg_stop *stop = ss__msg_new(SS_MSG_STOP, sizeof *stop);
        if (stop == NULL) {
            return SS_E_NOMEM;
        }
        stop->now = step == SECOND_STEP;
        atomic_store(&gateway->stop_messages[step], stop);
    }
    return ss__inbox_new(SS_INBOX_MESSAGES_MAX, SS_INBOX_BYTES_MAX, &gateway->inbox);
}

static void free_parts(struct ss_gateway *gateway)
{
    struct ss_inbox_node *node;
    while (gateway->inbox != NULL && (node = ss__inbox_take(gateway->inbox)) != NULL) {
        ss__msg_free(ss__msg_of(node));
    }
    for (unsigned step = FIRST_STEP; step <= SECOND_STEP; step++) {
        struct ss_msg_stop *stop = atomic_exchange(&gateway->stop_messages[step], NULL);
        ss__msg_free(stop == NULL ? NULL : &stop->base);
    }
    ss__inbox_unref(gateway->inbox);
    ss__listener_unbind(&gateway->listener);
    ss__followers_deinit(&gateway->followers);
    ss__conn_table_deinit(&gateway->conns);
    ss__snapshot_budget_deinit(&gateway->snapshots);
    ss__ws_decoder_pool_deinit(&gateway->decoders);
    ss__arena_deinit(&gateway->arena);
    ss__bytes_deinit(&gateway->scratch);
    ss__bytes_deinit(&gateway->text);
    ss__buf_unref(gateway->ping);
    free(gateway->read_buffer);
    free(gateway->dropped);
    free(gateway->withdrawn);
    free(gateway);
}

int ss__gateway_new(const struct ss_gateway_options *options, struct ss_gateway **ret_gateway,
                    struct ss_failure *failure)
{
    SS_REQUIRE(options->subscriptions_max > 0 && options->subscriptions_max <= UINT16_MAX);
    SS_REQUIRE(options->index < SS_GATEWAYS_MAX && options->connections_max > 0);
    struct ss_gateway *gateway = calloc(1, sizeof *gateway);
    if (gateway == NULL) {
        return ss__fail(failure, SS_E_NOMEM, "out of memory for a gateway");
    }
    gateway->options = *options;
    gateway->observed = options->registry->observes_transport || options->trace != NULL;
    gateway->listener.fd = gateway->listener.reserve_fd = -1;
    init_state(gateway);
    int err = make_parts(gateway);
    if (err != 0) {
        (void)ss__fail(failure, err, "cannot make a gateway: %s", ss_error_text(err));
    } else {
        err = ss__listener_bind(&gateway->listener, options->listen_host, options->listen_port,
                                options->index == 0, &gateway->port, failure);
    }
    if (err == 0) {
        err = ss__loop_init(&gateway->loop, gateway->inbox, &loop_ops, gateway, SS_ROLE_GATEWAY,
                            options->index);
        if (err != 0) {
            (void)ss__fail(failure, err, "cannot make an event loop: %s", ss_error_text(err));
        }
    }
    if (err != 0) {
        free_parts(gateway);
        return err;
    }
    *ret_gateway = gateway;
    return 0;
}

uint16_t ss__gateway_port(const struct ss_gateway *gateway)
{
    return gateway->port;
}

struct ss_inbox *ss__gateway_inbox(struct ss_gateway *gateway)
{
    return gateway->inbox;
}

int ss__gateway_start(struct ss_gateway *gateway)
{
    return ss__loop_start(&gateway->loop);
}

void ss__gateway_join(struct ss_gateway *gateway)
{
    ss__loop_join(&gateway->loop);
}

void ss__gateway_free(struct ss_gateway *gateway)
{
    if (gateway == NULL) {
        return;
    }
    ss__loop_deinit(&gateway->loop);
    free_parts(gateway);
}
