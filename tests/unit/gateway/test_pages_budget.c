/* Pages and the memory that waiting snapshots may take: of a connection, and of all together. */
#include <sessionstream/limits.h>

#include "gateway_fixture.h"
#include "paged_snapshots.h"

/* The next request; farewells are passed over. */
static struct ss_request *take_any(struct fixture *fixture)
{
    for (;;) {
        struct ss_msg *msg = fixture_take(fixture);
        if (msg->kind == SS_MSG_REQUEST) {
            return (struct ss_request *)(void *)msg;
        }
        ss__msg_free(msg);
    }
}

static void subscribe_paged(struct ws_test_client *client, const char *session, unsigned page_bytes)
{
    char text[96];
    (void)snprintf(text, sizeof text, "{\"subscribe\":{\"sessionId\":\"%s\",\"pageBytes\":%u}}",
                   session, page_bytes);
    ws_test_send_text(client, text);
}

static struct ss_request *take_page(struct fixture *fixture, const char *session, unsigned page)
{
    struct ss_request *request = take_any(fixture);
    ss_check_msg(ss_str_equal(request->session_id, ss_str(session)) && request->page == page,
                 "page %u of %.*s is asked for", request->page, (int)request->session_id.len,
                 request->session_id.data);
    return request;
}

/* The request for the second page, after a small first one. */
static struct ss_request *begin_pages(struct fixture *fixture, struct ws_test_client *client,
                                      const char *session, unsigned page_bytes)
{
    subscribe_paged(client, session, page_bytes);
    reply_page(fixture, take_page(fixture, session, 0), 100, true);
    expect_page(client, 1);
    return take_page(fixture, session, 1);
}

/* A request of another connection is the next one that the shard gets: so the first asks for
 * nothing more. */
static void check_that_nothing_is_asked(struct fixture *fixture, struct ws_test_client *other)
{
    end_request(fixture, begin_pages(fixture, other, "o", 1u << 20));
    ws_test_expect_part(other, "\"error\"");
}

/* Pages that are asked for count as if they were held, so one connection with many sessions leaves
 * the others their part. */
SS_TEST(pages_budget, a_connection_asks_for_no_more_pages_than_its_share)
{
    enum { PAGE = 1u << 20, WHOLE = SS_SNAPSHOT_SHARE_BYTES / PAGE - 1 };
    struct fixture fixture;
    struct ws_test_client client;
    struct ws_test_client other;
    struct ss_request *asked[WHOLE + 2];
    fixture_open(&fixture);
    open_v2(&fixture, &client);
    open_v2(&fixture, &other);
    for (unsigned i = 0; i < WHOLE; i++) {
        char session[8];
        (void)snprintf(session, sizeof session, "s%u", i);
        asked[i] = begin_pages(&fixture, &client, session, PAGE);
    }
    asked[WHOLE] = begin_pages(&fixture, &client, "half", PAGE / 2);
    subscribe_paged(&client, "page", PAGE);    /* half of one has room */
    reply_page(&fixture, take_page(&fixture, "page", 0), 100, true);
    expect_page(&client, 1);
    check_that_nothing_is_asked(&fixture, &other);
    end_request(&fixture, asked[0]);
    asked[0] = take_page(&fixture, "page", 1);
    ws_test_expect_part(&client, "\"error\"");
    asked[WHOLE + 1] = begin_pages(&fixture, &client, "full", PAGE / 2);
    subscribe_paged(&client, "late", PAGE);    /* waits, and is not refused */
    check_that_nothing_is_asked(&fixture, &other);
    end_request(&fixture, asked[1]);
    asked[1] = take_page(&fixture, "late", 0);
    ws_test_close(&other);
    ws_test_close(&client);
    for (unsigned i = 0; i < WHOLE + 2; i++) {
        end_request(&fixture, asked[i]);
    }
    fixture_close(&fixture);
}

SS_TEST(pages_budget, a_first_one_beyond_the_budget_is_told_as_that)
{
    static const char get[] = "GET /v1/sessions/big/snapshot HTTP/1.1\r\nHost: h\r\n\r\n";
    struct fixture fixture;
    struct ws_test_client greedy;
    struct ws_test_client client;
    fixture_open(&fixture);
    ws_test_connect(&greedy, fixture.port, 4096);
    ws_test_send_raw(&greedy, get, sizeof get - 1);
    struct ss_request *request = fixture_take_request(&fixture, SS_REQUEST_SNAPSHOT, "big");
    request->snapshot = ss__buf_new(SS_SNAPSHOT_BUDGET_BYTES);
    ss_check(request->snapshot != NULL);
    fixture_reply(&fixture, request);
    fixture_await(&fixture.stats.requests, 1);
    open_v2(&fixture, &client);
    ws_test_send_text(&client, PAGED);
    reply_page(&fixture, take_subscribe(&fixture), 1000, true);
    ws_test_expect_part(&client, "\"message\":\"too many snapshots wait");
    request = take_subscribe(&fixture);
    ss_check(request->withdrawn);
    end_request(&fixture, request);
    take_uninterested(&fixture);
    ws_test_close(&client);
    fixture_close_with(&fixture, &greedy);
}

/* An HTTP client that reads nothing of a snapshot of @bytes. */
static void hoard(struct fixture *fixture, struct ws_test_client *client, const char *session,
                  size_t bytes)
{
    char get[128];
    uint64_t before = atomic_load(&fixture->stats.requests);
    (void)snprintf(get, sizeof get, "GET /v1/sessions/%s/snapshot HTTP/1.1\r\nHost: h\r\n\r\n",
                   session);
    ws_test_connect(client, fixture->port, 4096);
    ws_test_send_raw(client, get, strlen(get));
    struct ss_request *request = fixture_take_request(fixture, SS_REQUEST_SNAPSHOT, session);
    request->snapshot = ss__buf_new(bytes);
    ss_check(request->snapshot != NULL);
    fixture_reply(fixture, request);
    fixture_await(&fixture->stats.requests, before + 1);
}

/* The next page waits for room in the budget when the subscribe after it is refused. */
SS_TEST(pages_budget, w40_a_refused_subscribe_leaves_what_is_being_sent)
{
    /* Both are more than the kernel takes. */
    enum { PAGE = 1 << 20, HELD = PAGE / 2, OTHER = PAGE / 16 * 7 };
    struct fixture fixture;
    struct ws_test_client client;
    struct ws_test_client hoarders[2];
    struct ss_inbox_node load = { .bytes = SS_INBOX_BYTES_MAX };
    fixture_open(&fixture);
    open_v2_small(&fixture, &client, 8192);
    struct ss_request *request = begin_pages(&fixture, &client, "s", PAGE);
    hoard(&fixture, &hoarders[0], "a", SS_SNAPSHOT_BUDGET_BYTES - PAGE);
    reply_page(&fixture, request, HELD, true);
    hoard(&fixture, &hoarders[1], "b", OTHER);
    expect_page(&client, 2);
    ss__inbox_charge(fixture.shard, &load);
    ws_test_send_text(&client, PAGED);
    ws_test_expect_part(&client, "overloaded");
    ss__inbox_discharge(fixture.shard, &load);
    ss_check(fixture_is_quiet(&fixture));
    ws_test_close(&hoarders[0]);
    take_back(&fixture, request);
    reply_page(&fixture, request, 1000, false);
    expect_page(&client, 3);
    ws_test_expect_part(&client, "\"subscribed\"");
    ws_test_close(&hoarders[1]);
    fixture_close_with(&fixture, &client);
}
