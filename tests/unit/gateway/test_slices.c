/* A gateway whose slices are over at once: what it puts off comes all the same. */
#include "gateway_fixture.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ss_test.h"

#define CROWD 200

static struct ws_test_client crowd[CROWD];

static void start_hurried(struct fixture *fixture, uint32_t handshake_timeout_ms)
{
    fixture_prepare(fixture);
    fixture->options.slice_us = 0;
    fixture->options.handshake_timeout_ms = handshake_timeout_ms;
    fixture_start(fixture);
}

static void connect_crowd(const struct fixture *fixture)
{
    for (unsigned i = 0; i < CROWD; i++) {
        ws_test_connect(&crowd[i], fixture->port, 0);
    }
}

static void close_crowd(struct fixture *fixture)
{
    for (unsigned i = 0; i < CROWD; i++) {
        ws_test_close(&crowd[i]);
    }
    fixture_await_gauge(&fixture->stats.connections, 0);
    fixture_close(fixture);
}

SS_TEST(slices, all_whose_time_has_come_are_told_however_many_they_are)
{
    static const char part[] = "GET /healthz HTTP/1.1\r\nHos";
    struct fixture fixture;
    start_hurried(&fixture, 200);
    connect_crowd(&fixture);
    for (unsigned i = 0; i < CROWD; i++) {
        /* Some may have been closed for their silence already. */
        (void)send(crowd[i].fd, part, sizeof part - 1, MSG_NOSIGNAL);
    }
    for (unsigned i = 0; i < CROWD; i++) {
        int status = ws_test_http_response(&crowd[i], false, NULL);
        ss_check_msg(status == 408 || status == 0, "status %d", status);
        ss_check(status == 0 || ws_test_http_response(&crowd[i], false, NULL) == 0);
    }
    close_crowd(&fixture);
}

SS_TEST(slices, those_that_are_silent_are_closed_however_many_they_are)
{
    struct fixture fixture;
    start_hurried(&fixture, 20);
    connect_crowd(&fixture);
    for (unsigned i = 0; i < CROWD; i++) {
        ss_check(ws_test_http_response(&crowd[i], false, NULL) == 0);
    }
    close_crowd(&fixture);
}

SS_TEST(slices, a_stop_comes_to_an_end)
{
    struct fixture fixture;
    start_hurried(&fixture, 10000);
    connect_crowd(&fixture);
    fixture_await_gauge(&fixture.stats.connections, CROWD);
    close_crowd(&fixture);
}

SS_TEST(slices, answers_come_while_many_sockets_are_read)
{
    enum { ROUNDS_MIN = 20 };
    struct fixture fixture;
    char text[256];
    start_hurried(&fixture, 10000);
    for (unsigned i = 0; i < CROWD; i++) {
        ws_test_open(&crowd[i], fixture.port, "");
    }
    for (unsigned round = 0; round < ROUNDS_MIN || atomic_load(&fixture.stats.slices) == 0;
         round++) {
        for (unsigned i = 0; i < CROWD; i++) {
            (void)snprintf(text, sizeof text, "{\"submit\":{\"requestId\":\"r%u\",\"sessionId\":"
                           "\"s\",\"name\":\"Note\",\"payload\":{\"@type\":"
                           "\"type.googleapis.com/sessionstream.v1.PingFrame\"}}}", round);
            ws_test_send_text(&crowd[i], text);
        }
        for (unsigned i = 0; i < CROWD; i++) {
            struct ss_request *request = fixture_take_request(&fixture, SS_REQUEST_SUBMIT, "s");
            request->ordinal = i + 1;
            fixture_reply(&fixture, request);
        }
        (void)snprintf(text, sizeof text, "\"requestId\":\"r%u\"", round);
        for (unsigned i = 0; i < CROWD; i++) {
            ws_test_expect_part(&crowd[i], text);
        }
    }
    close_crowd(&fixture);
}

/* Of this process; 0: the kernel does not say. */
static unsigned long descriptor_slots(void)
{
    char line[256];
    unsigned long slots = 0;
    FILE *file = fopen("/proc/self/status", "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        (void)sscanf(line, "FDSize: %lu", &slots);
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    return slots;
}

static int lowest_free(void)
{
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    (void)close(fd);
    return fd;
}

SS_TEST(slices, room_for_descriptors_is_had_before_they_come)
{
    struct rlimit limit;
    ss_check(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    unsigned long before = descriptor_slots();
    if (before == 0 || limit.rlim_cur <= before) {
        return;    /* nothing could be seen */
    }
    unsigned long want = limit.rlim_cur < 8 * before ? limit.rlim_cur : 8 * before;
    int free_fd = lowest_free();
    ss__gateway_reserve_descriptors(want);
    ss_check(descriptor_slots() >= want);
    ss_check(lowest_free() == free_fd);
    ss__gateway_reserve_descriptors(UINT32_MAX);    /* as many as are allowed */
    ss_check(descriptor_slots() >= (limit.rlim_cur < 1 << 20 ? limit.rlim_cur : want));
    ss_check(lowest_free() == free_fd);
}
