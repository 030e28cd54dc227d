/* What a connection may read before it has to wait, and its turns. The rest of conn.c is seen
 * through sockets, in the other files of this folder. */
#include "gateway/conn.h"
#include "gateway/reader.h"

#include <sys/socket.h>
#include <unistd.h>

#include <sessionstream/limits.h>

#include "ss_test.h"

/* The worst that can come: everyone reads all he may and has to wait with it. */
SS_TEST(conn, what_waiting_connections_have_read_always_finds_room)
{
    static struct ss_gateway gateway;
    uint64_t floor_reads = 0;
    gateway.held_bytes = 0;
    ss_check(ss__conn_read_share(&gateway) == SS_READ_BYTES);
    for (unsigned i = 0; i < 100000; i++) {
        size_t share = ss__conn_read_share(&gateway);
        ss_check(share >= SS_READ_BYTES_MIN && share <= SS_READ_BYTES);
        floor_reads += share == SS_READ_BYTES_MIN;
        gateway.held_bytes += share;
        ss_check(gateway.held_bytes <= SS_HELD_BYTES_MAX + floor_reads * SS_READ_BYTES_MIN);
    }
    ss_check(floor_reads > 0 && gateway.held_bytes > SS_HELD_BYTES_MAX);
}

/* ---- turns ---- */

/* A gateway and connections without sockets: only what turns look at. */
static struct ss_gateway turning;

static void init_turning(struct ss_conn *conns, unsigned count)
{
    turning = (struct ss_gateway){ .armed_ms = 0 };    /* its timer is due already */
    ss_check(uv_loop_init(&turning.loop.uv) == 0);
    ss__list_init(&turning.resumable);
    ss__list_init(&turning.pressed);
    ss__list_init(&turning.hungry);
    ss_check(uv_idle_init(&turning.loop.uv, &turning.loop.busy) == 0);
    ss__timers_init(&turning.timers, ss__gateway_now_ms(&turning));
    for (unsigned i = 0; i < count; i++) {
        conns[i] = (struct ss_conn){ .gateway = &turning, .state = SS_CONN_WEBSOCKET };
        ss__list_init(&conns[i].waiting);
    }
}

static void deinit_turning(struct ss_conn *conns, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        if (conns[i].timing) {
            ss__timers_cancel(&turning.timers, &conns[i].timer);
        }
        ss__list_remove(&conns[i].waiting);
    }
    uv_close((uv_handle_t *)&turning.loop.busy, NULL);
    ss_check(uv_run(&turning.loop.uv, UV_RUN_DEFAULT) == 0);
    ss_check(uv_loop_close(&turning.loop.uv) == 0);
}

SS_TEST(conn, one_that_never_stops_to_send_waits_for_its_next_turn)
{
    static struct ss_conn conn;
    init_turning(&conn, 1);
    ss__conn_spend(&conn, SS_TURN_UNITS_MAX - 1);
    ss_check(conn.pause == 0);
    ss__conn_spend(&conn, 1);
    ss_check(conn.pause == SS_PAUSE_TURN);
    ss_check(turning.hungry.next == &conn.waiting);
    ss_check_msg(uv_is_active((const uv_handle_t *)&turning.loop.busy), "its turn comes by itself");
    ss__conn_begin_turn(&conn);
    ss_check(conn.pause == 0 && turning.resumable.next == &conn.waiting);
    ss__conn_spend(&conn, SS_TURN_UNITS_MAX - 1);
    ss_check(conn.pause == 0);
    deinit_turning(&conn, 1);
}

/* Whatever else it waits for, it is in the list of that, and its turn is not lost. */
SS_TEST(conn, one_that_waits_for_more_than_its_turn_is_not_forgotten)
{
    static struct ss_conn conn;
    init_turning(&conn, 1);
    ss__conn_spend(&conn, SS_TURN_UNITS_MAX);
    ss__conn_pause(&conn, SS_PAUSE_PRESSED);
    ss_check(turning.pressed.next == &conn.waiting && ss__list_empty(&turning.hungry));
    ss__conn_unpause(&conn, SS_PAUSE_PRESSED);
    ss_check(turning.hungry.next == &conn.waiting && ss__list_empty(&turning.pressed));
    ss__conn_pause(&conn, SS_PAUSE_QUEUE);
    ss_check(turning.hungry.next == &conn.waiting);
    ss__conn_begin_turn(&conn);
    ss_check(conn.pause == SS_PAUSE_QUEUE);
    ss_check(ss__list_empty(&turning.hungry) && ss__list_empty(&turning.resumable));
    ss__conn_unpause(&conn, SS_PAUSE_QUEUE);
    ss_check(turning.resumable.next == &conn.waiting);
    deinit_turning(&conn, 1);
}

SS_TEST(conn, what_was_spent_in_an_earlier_turn_counts_no_more)
{
    static struct ss_conn conn;
    init_turning(&conn, 1);
    ss__conn_spend(&conn, SS_TURN_UNITS_MAX - 1);
    conn.turn_ms--;    /* as if it was a millisecond ago */
    turning.turn_ms--;
    ss__conn_spend(&conn, SS_TURN_UNITS_MAX - 1);
    ss_check(conn.pause == 0);
    deinit_turning(&conn, 1);
}

SS_TEST(conn, where_many_send_each_gets_little_in_a_row)
{
    enum { COUNT = SS_TURN_SHARED_UNITS / (SS_TURN_UNITS_MAX - 1) + 2 };
    static struct ss_conn conns[COUNT];
    init_turning(conns, COUNT);
    for (unsigned i = 0; i + 1 < COUNT; i++) {
        ss__conn_spend(&conns[i], SS_TURN_UNITS_MAX - 1);
    }
    ss_check(conns[0].pause == 0 && turning.turn_spent > SS_TURN_SHARED_UNITS);
    ss__conn_spend(&conns[COUNT - 1], SS_TURN_UNITS_MIN - 1);
    ss_check_msg(conns[COUNT - 1].pause == 0, "a quiet one among them is not held up");
    ss__conn_spend(&conns[COUNT - 1], 1);
    ss_check(conns[COUNT - 1].pause == SS_PAUSE_TURN);
    deinit_turning(conns, COUNT);
}

/* ---- pauses ---- */

static void pass_ms(uint64_t ms)
{
    turning.loop.uv.time += ms;    /* what uv_now says */
}

/* A batch of answers may end a pause and begin another one before the connection is read. */
SS_TEST(conn, no_pause_counts_as_time_of_an_unfinished_message)
{
    static struct ss_conn conn;
    init_turning(&conn, 1);
    conn.in.unfinished_ms = ss__gateway_now_ms(&turning);
    uint64_t begun_ms = conn.in.unfinished_ms;
    pass_ms(5);
    ss__conn_pause(&conn, SS_PAUSE_REQUESTS);
    pass_ms(40000);
    ss__conn_unpause(&conn, SS_PAUSE_REQUESTS);
    ss__conn_pause(&conn, SS_PAUSE_QUEUE);
    ss__conn_pause(&conn, SS_PAUSE_PRESSED);
    pass_ms(3000);
    ss__conn_unpause(&conn, SS_PAUSE_QUEUE);
    pass_ms(1);
    ss__conn_unpause(&conn, SS_PAUSE_PRESSED);
    conn.reading = true;    /* there is no socket */
    ss__reader_resume_all(&turning);
    ss_check(conn.in.unfinished_ms == begun_ms + 43001);
    deinit_turning(&conn, 1);
}

/* What it sent is read and not looked at, so nothing of it waits in the kernel either. */
SS_TEST(conn, one_that_may_be_read_again_is_not_silent_before_it_is)
{
    static struct ss_conn conn;
    init_turning(&conn, 1);
    turning.options.dead_timeout_ms = 1000;
    conn.heard_ms = ss__gateway_now_ms(&turning);
    ss__conn_pause(&conn, SS_PAUSE_REQUESTS);
    pass_ms(5000);
    ss__conn_spend(&conn, SS_TURN_UNITS_MAX);
    ss__conn_unpause(&conn, SS_PAUSE_REQUESTS);
    ss__conn_begin_turn(&conn);
    ss_check(conn.pause == 0 && conn.waiting.next == &turning.resumable);
    ss_check(conn.heard_ms == ss__gateway_now_ms(&turning));
    ss_check(ss__conn_look_at_silence(&conn, conn.heard_ms) == conn.heard_ms + 1000);
    deinit_turning(&conn, 1);
}

SS_TEST(conn, bytes_that_wait_in_the_kernel_are_seen)
{
    static struct ss_conn conn;
    uv_loop_t loop;
    int fds[2];
    ss_check(uv_loop_init(&loop) == 0);
    ss_check(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
    ss_check(uv_tcp_init(&loop, &conn.tcp) == 0 && uv_tcp_open(&conn.tcp, fds[0]) == 0);
    ss_check(!ss__conn_has_unread(&conn));
    ss_check(write(fds[1], "x", 1) == 1);
    ss_check(ss__conn_has_unread(&conn));
    uv_close((uv_handle_t *)&conn.tcp, NULL);
    (void)uv_run(&loop, UV_RUN_DEFAULT);    /* nothing but the close is left */
    ss_check(uv_loop_close(&loop) == 0);
    (void)close(fds[1]);
}
