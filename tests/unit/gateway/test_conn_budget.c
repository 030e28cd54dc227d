/* Answers that nobody reads: what all connections of a gateway may hold of them. */
#include <errno.h>
#include <stdatomic.h>
#include <sys/socket.h>

#include "gateway_fixture.h"
#include "http_requests.h"

/* The status of an answer that is read at once. */
static int status_of(struct ws_test_client *client, const char *path)
{
    struct ss_bytes body;
    ss__bytes_init(&body, 0);
    get(client, path);
    int status = ws_test_http_response(client, false, &body);
    ss_check(status == 200 ||
             memmem(body.data, body.len, "too many answers wait", 21) != NULL);
    ss__bytes_deinit(&body);
    return status;
}

SS_TEST(conn_budget, answers_that_nobody_reads_have_one_budget)
{
    enum { HOARDERS = 60 };
    struct fixture fixture;
    struct ws_test_client hoarders[HOARDERS];
    struct ws_test_client other;
    fixture_prepare(&fixture);
    fixture.options.answers_bytes_max = 256u << 10;
    fixture_start(&fixture);
    ws_test_connect(&other, fixture.port, 0);
    ss_check(status_of(&other, "/large") == 200);
    for (int i = 0; i < HOARDERS; i++) {
        fixture_ask_and_not_read(&hoarders[i], fixture.port, 300);
    }
    uint64_t until = ws_test_now_ms() + SS_TEST_DEADLINE_MS;
    while (status_of(&other, "/large") == 200) {
        ss_check(ws_test_now_ms() < until);
    }
    /* Whoever looks after it is told why. */
    ss_check(status_of(&other, "/metrics") == 200);
    ss_check(status_of(&other, "/readyz") == 200);
    ss_check(status_of(&other, "/healthz") == 200);
    while (status_of(&other, "/large") == 200) {    /* the kernel has taken some more */
        ss_check(ws_test_now_ms() < until);
    }
    uint64_t held = atomic_load(&fixture.stats.answer_bytes);
    ss_check_msg(held < (256u << 10) + HOARDERS * 1024, "%lu bytes", (unsigned long)held);
    for (int i = 0; i < HOARDERS; i++) {
        ws_test_close(&hoarders[i]);
    }
    fixture_await_gauge(&fixture.stats.connections, 1);
    ss_check(status_of(&other, "/large") == 200);
    ws_test_close(&other);
    fixture_await_gauge(&fixture.stats.answer_bytes, 0);
    fixture_close(&fixture);
}

struct hoarder {
    struct ws_test_client client;
    size_t at;    /* in the pings that it sends over and over */
};

static void open_hoarder(struct hoarder *hoarder, uint16_t port)
{
    int few = 16 << 10;    /* for there is little to fill */
    ws_test_connect(&hoarder->client, port, 8192);
    ss_check(setsockopt(hoarder->client.fd, SOL_SOCKET, SO_SNDBUF, &few, sizeof few) == 0);
    ws_test_upgrade(&hoarder->client, "/", "");
    hoarder->at = 0;
}

/* A run of pings. */
static void make_pings(struct ss_bytes *out)
{
    static const uint8_t mask[SS_WS_MASK_BYTES] = { 1, 2, 3, 4 };
    char ping[2048];
    int len = snprintf(ping, sizeof ping, "{\"ping\":{\"nonce\":\"%01900d\"}}", 0);
    ss__bytes_init(out, 0);
    for (unsigned i = 0; i < 16; i++) {
        ss__ws_client_frame(out, SS_WS_TEXT, ss_str_of(ping, (size_t)len), mask);
    }
}

/* Sends pings whose answers it does not read; false: it may send none. */
static bool ping_on(struct hoarder *hoarder, const struct ss_bytes *pings)
{
    ssize_t sent = send(hoarder->client.fd, pings->data + hoarder->at, pings->len - hoarder->at,
                        MSG_DONTWAIT | MSG_NOSIGNAL);
    ss_check(sent > 0 || (sent < 0 && errno == EAGAIN));
    hoarder->at = sent > 0 ? (hoarder->at + (size_t)sent) % pings->len : hoarder->at;
    return sent > 0;
}

SS_TEST(conn_budget, connections_share_the_budget_of_answers)
{
    enum { HOARDERS = 24, BUDGET = 512 << 10, FULL = BUDGET / 8 };
    struct fixture fixture;
    struct hoarder hoarders[HOARDERS];
    struct ss_bytes pings;
    make_pings(&pings);
    fixture_prepare(&fixture);
    fixture.options.answers_bytes_max = BUDGET;
    fixture_start(&fixture);
    for (int i = 0; i < HOARDERS; i++) {
        open_hoarder(&hoarders[i], fixture.port);
    }
    uint64_t until = ws_test_now_ms() + SS_TEST_DEADLINE_MS;
    uint64_t held = 0;
    for (bool more = true; more || held < FULL;) {
        ss_check_msg(ws_test_now_ms() < until, "%lu bytes", (unsigned long)held);
        more = false;
        for (int i = 0; i < HOARDERS; i++) {
            more |= ping_on(&hoarders[i], &pings);
        }
        held = atomic_load(&fixture.stats.answer_bytes);
        ss_check_msg(held < BUDGET / 2, "%lu bytes", (unsigned long)held);
    }
    for (int i = 0; i < HOARDERS; i++) {
        ws_test_close(&hoarders[i].client);
    }
    fixture_await_gauge(&fixture.stats.answer_bytes, 0);
    fixture_close(&fixture);
    ss__bytes_deinit(&pings);
}
