/* What is read in one turn of the loop; the tests turn it. Splits are tested in test_ingress.c and
 * test_routes.c. */
#include "gateway_fixture.h"

#include <string.h>
#include <unistd.h>

#include <sessionstream/limits.h>

#include "gateway/reader.h"
#include "ss_test.h"

/* More than the reads between two looks at the inbox. */
#define CROWD 32

/* More than a connection has in a row. */
#define MANY (SS_TURN_UNITS_MAX + 1)

#define PING "{\"ping\":{\"nonce\":\"1\"}}"

/* A frame of a client whose mask is zero. */
static void add_frame(struct ss_bytes *out, uint8_t head, const char *payload)
{
    size_t len = strlen(payload);
    const uint8_t header[] = { head, (uint8_t)(0x80 | len), 0, 0, 0, 0 };
    ss__bytes_append(out, header, sizeof header);
    ss__bytes_append(out, payload, len);
}

static void send_all(int fd, struct ss_bytes *bytes)
{
    ss_check(write(fd, bytes->data, bytes->len) == (ssize_t)bytes->len);
    ss__bytes_deinit(bytes);
}

static void send_frames(int fd, uint8_t head, const char *payload, unsigned count)
{
    struct ss_bytes out;
    ss__bytes_init(&out, 0);
    for (unsigned i = 0; i < count; i++) {
        add_frame(&out, head, payload);
    }
    send_all(fd, &out);
}

static struct ss_conn *add_reading(struct fixture *fixture, int *ret_fd)
{
    struct ss_conn *conn = fixture_add_still(fixture, SS_CONN_WEBSOCKET, ret_fd);
    ss_check(ss__reader_start(conn) == 0);
    return conn;
}

/* A message that changes nothing. */
static void post_nothing(struct fixture *fixture)
{
    struct ss_msg_resync *resync = ss__msg_new(SS_MSG_RESYNC, sizeof *resync);
    ss_check(resync != NULL);
    fixture_post(fixture, &resync->base);
}

/* What the shards answer is handled between two reads; who waits for its next turn does not go on
 * with that. */
SS_TEST(reader, nobody_has_a_second_turn_before_all_that_are_ready_had_one)
{
    struct fixture fixture;
    struct ss_conn *conns[CROWD];
    int fds[CROWD];
    fixture_prepare_still(&fixture);
    for (unsigned i = 0; i < CROWD; i++) {
        conns[i] = add_reading(&fixture, &fds[i]);
        send_frames(fds[i], 0x81, PING, MANY);
    }
    post_nothing(&fixture);
    fixture_turn(&fixture);
    ss_check_msg(ss__inbox_depth(fixture.gateway->inbox) == 0, "handled between two reads");
    for (unsigned i = 0; i < CROWD; i++) {
        ss_check(conns[i]->pause == SS_PAUSE_TURN && conns[i]->held != NULL);
        ss_check_msg(conns[i]->held->at == 0, "%u goes on before the others", i);
    }
    uint64_t seen = atomic_load(&fixture.stats.frames_in);
    while (seen < CROWD * MANY) {    /* by themselves */
        fixture_turn(&fixture);
        uint64_t now = atomic_load(&fixture.stats.frames_in);
        ss_check_msg(now > seen, "they stay at %lu messages", (unsigned long)now);
        seen = now;
    }
    for (unsigned i = 0; i < CROWD; i++) {
        ss__conn_close(conns[i]);
        (void)close(fds[i]);
    }
    fixture_close(&fixture);
}

/* Nobody answers them, and they take their time all the same. */
static void check_share(uint8_t head)
{
    struct fixture fixture;
    int fd;
    fixture_prepare_still(&fixture);
    struct ss_conn *conn = add_reading(&fixture, &fd);
    send_frames(fd, 0x01, PING, 1);    /* a message that is not finished */
    send_frames(fd, head, "", MANY);
    fixture_turn(&fixture);
    ss_check(conn->pause == SS_PAUSE_TURN && conn->held != NULL);
    fixture_turn(&fixture);
    ss_check(conn->pause == 0 && conn->held == NULL && conn->reading);
    send_frames(fd, 0x80, "", 1);
    fixture_turn(&fixture);
    ss_check(atomic_load(&fixture.stats.frames_in) == 1);
    fixture_close_still(&fixture, conn, fd);
}

SS_TEST(reader, pongs_count_as_messages_do)
{
    check_share(0x8A);
}

SS_TEST(reader, fragments_count_as_messages_do)
{
    check_share(0x00);
}
