#include "gateway_fixture.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ss_test.h"

static void expect_healthy(struct ws_test_client *client)
{
    static const char ask[] = "GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n";
    ws_test_send_raw(client, ask, sizeof ask - 1);
    ss_check(ws_test_http_response(client, false, NULL) == 200);
}

SS_TEST(listener, a_port_in_use_and_a_bad_host_are_named)
{
    struct fixture fixture;
    struct ss_failure failure = { .text = "" };
    struct ss_gateway *other;
    fixture_open(&fixture);
    struct ss_gateway_options options = fixture.options;
    options.listen_port = fixture.port;
    ss_check(ss__gateway_new(&options, &other, &failure) == SS_E_ADDRESS);
    ss_check(strstr(failure.text, "127.0.0.1") != NULL);
    options.listen_host = "256.1.1.1";
    ss_check(ss__gateway_new(&options, &other, &failure) == SS_E_ADDRESS);
    ss_check(strstr(failure.text, "256.1.1.1") != NULL);
    fixture_close(&fixture);
}

SS_TEST(listener, two_gateways_share_a_port)
{
    struct fixture fixture;
    struct ss_gateway *second;
    struct ss_gateway_stats stats;
    struct ss_failure failure = { .text = "" };
    fixture_open(&fixture);
    memset(&stats, 0, sizeof stats);
    struct ss_gateway_options options = fixture.options;
    options.index = 1;
    options.stats = &stats;
    options.listen_port = fixture.port;
    ss_check_msg(ss__gateway_new(&options, &second, &failure) == 0, "%s", failure.text);
    ss_check(ss__gateway_start(second) == 0);
    struct ws_test_client client;
    for (int i = 0; i < 200 && (atomic_load(&stats.accepted) == 0 ||
                                atomic_load(&fixture.stats.accepted) == 0); i++) {
        ws_test_open(&client, fixture.port, "");
        ws_test_close(&client);
    }
    ss_check(atomic_load(&stats.accepted) > 0 && atomic_load(&fixture.stats.accepted) > 0);
    ss__gateway_stop(second, fixture.options.stop_timeout_ms);
    ss__gateway_join(second);
    ss__gateway_free(second);
    fixture_close(&fixture);
}

SS_TEST(listener, connections_over_the_limit_are_turned_away)
{
    struct fixture fixture;
    struct ws_test_client first;
    struct ws_test_client second;
    fixture_prepare(&fixture);
    fixture.options.connections_max = 1;
    fixture_start(&fixture);
    ws_test_open(&first, fixture.port, "");
    ws_test_connect(&second, fixture.port, 0);
    ss_check(ws_test_http_response(&second, false, NULL) == 503);
    ss_check(ws_test_http_response(&second, false, NULL) == 0);
    ss_check(atomic_load(&fixture.stats.refused) == 1);
    ws_test_close(&second);
    ws_test_close(&first);
    fixture_await_gauge(&fixture.stats.connections, 0);
    ws_test_open(&first, fixture.port, "");
    fixture_close_with(&fixture, &first);
}

/* Forbids new descriptors; returns what to restore. */
static struct rlimit exhaust_descriptors(void)
{
    struct rlimit before;
    ss_check(getrlimit(RLIMIT_NOFILE, &before) == 0);
    int lowest_free = dup(0);
    ss_check(lowest_free >= 0);
    (void)close(lowest_free);
    struct rlimit none = { .rlim_cur = (rlim_t)lowest_free, .rlim_max = before.rlim_max };
    ss_check(setrlimit(RLIMIT_NOFILE, &none) == 0);
    return before;
}

SS_TEST(listener, without_descriptors_connections_are_turned_away_and_serving_goes_on)
{
    struct fixture fixture;
    struct ws_test_client client;
    fixture_open(&fixture);
    ws_test_connect(&client, fixture.port, 0);
    expect_healthy(&client);
    int late = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct rlimit before = exhaust_descriptors();
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(fixture.port),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    ss_check(connect(late, (struct sockaddr *)&address, sizeof address) == 0);
    fixture_await(&fixture.stats.refused, 1);
    char byte;
    ss_check(recv(late, &byte, 1, 0) <= 0);
    expect_healthy(&client);
    ss_check(setrlimit(RLIMIT_NOFILE, &before) == 0);
    (void)close(late);
    ws_test_close(&client);
    ws_test_open(&client, fixture.port, "");
    fixture_close_with(&fixture, &client);
}

/* The gateway's socket of a client, in this same process. */
static int accepted_of(const struct ws_test_client *client)
{
    struct sockaddr_in ours;
    socklen_t len = sizeof ours;
    ss_check(getsockname(client->fd, (struct sockaddr *)&ours, &len) == 0);
    for (int fd = 0; fd < 1024; fd++) {
        struct sockaddr_in theirs = { .sin_port = 0 };
        len = sizeof theirs;
        if (getpeername(fd, (struct sockaddr *)&theirs, &len) == 0 &&
            theirs.sin_port == ours.sin_port) {
            return fd;
        }
    }
    return -1;
}

SS_TEST(listener, small_answers_leave_at_once)
{
    struct fixture fixture;
    struct ws_test_client client;
    int on = 0;
    socklen_t len = sizeof on;
    fixture_open(&fixture);
    ws_test_connect(&client, fixture.port, 0);
    expect_healthy(&client);
    int fd = accepted_of(&client);
    ss_check(fd >= 0 && getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, &len) == 0 && on != 0);
    fixture_close_with(&fixture, &client);
}
