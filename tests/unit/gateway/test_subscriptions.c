/* Many subscriptions of one connection: what happens to one disturbs no other. */
#include "gateway_fixture.h"

#include <stdio.h>
#include <string.h>

#include <sessionstream/limits.h>

#include "ss_test.h"

struct many {
    struct ss_session_handle handles[SS_SUBSCRIPTIONS_MAX];
    uint64_t ordinal;
};

static const char *name_of(unsigned i)
{
    static char name[16];
    (void)snprintf(name, sizeof name, "many-%u", i);
    return name;
}

static void follow_all(struct fixture *fixture, struct ws_test_client *client, struct many *many)
{
    many->ordinal = 1;
    for (unsigned i = 0; i < SS_SUBSCRIPTIONS_MAX; i++) {
        many->handles[i] = fixture_follow(fixture, client, name_of(i), 1);
    }
}

/* A frame of each of them arrives, and nothing else before it. */
static void check_live(struct fixture *fixture, struct ws_test_client *client, struct many *many)
{
    char want[128];
    many->ordinal++;
    for (unsigned i = 0; i < SS_SUBSCRIPTIONS_MAX; i++) {
        fixture_post_frame(fixture, many->handles[i], name_of(i), many->ordinal, "E");
    }
    for (unsigned i = 0; i < SS_SUBSCRIPTIONS_MAX; i++) {
        (void)snprintf(want, sizeof want,
                       "{\"uiEvent\":{\"sessionId\":\"many-%u\",\"eventOrdinal\":\"%llu\","
                       "\"name\":\"E\"}}", i, (unsigned long long)many->ordinal);
        ws_test_expect(client, want);
    }
}

static struct ss_request *ask_again(struct fixture *fixture, struct ws_test_client *client,
                                    unsigned i)
{
    char text[128];
    (void)snprintf(text, sizeof text, "{\"subscribe\":{\"sessionId\":\"many-%u\"}}", i);
    ws_test_send_text(client, text);
    return fixture_take_request(fixture, SS_REQUEST_SUBSCRIBE, name_of(i));
}

SS_TEST(subscriptions, w40_one_connection_follows_256_sessions_and_no_more)
{
    struct fixture fixture;
    struct ws_test_client client;
    struct many many;
    fixture_open_with(&fixture, &client, "");
    follow_all(&fixture, &client, &many);
    check_live(&fixture, &client, &many);
    ws_test_send_text(&client, "{\"subscribe\":{\"sessionId\":\"more\"}}");
    ws_test_expect(&client, "{\"error\":{\"code\":\"too_many_subscriptions\",\"message\":\"a "
                            "connection may follow at most 256 sessions: unsubscribe from some\","
                            "\"sessionId\":\"more\"}}");
    ss_check(fixture_is_quiet(&fixture));
    check_live(&fixture, &client, &many);
    fixture_close_with(&fixture, &client);
}

SS_TEST(subscriptions, w40_neither_a_stranger_s_end_nor_a_renewal_disturbs_the_others)
{
    struct fixture fixture;
    struct ws_test_client client;
    struct many many;
    fixture_open_with(&fixture, &client, "");
    follow_all(&fixture, &client, &many);
    ws_test_send_text(&client, "{\"unsubscribe\":{\"sessionId\":\"unknown\"}}");
    ws_test_expect(&client, "{\"unsubscribed\":{\"sessionId\":\"unknown\"}}");
    check_live(&fixture, &client, &many);
    struct ss_request *request = ask_again(&fixture, &client, 7);
    check_live(&fixture, &client, &many);    /* the old one stays until the new one is answered */
    fixture_reply_snapshot(&fixture, request, many.ordinal);
    ws_test_expect_part(&client, "{\"snapshot\":{\"sessionId\":\"many-7\"");
    ws_test_expect(&client, "{\"subscribed\":{\"sessionId\":\"many-7\"}}");
    check_live(&fixture, &client, &many);
    ss_check(fixture_is_quiet(&fixture));
    fixture_close_with(&fixture, &client);
}

SS_TEST(subscriptions, w40_a_snapshot_that_fails_leaves_all_of_them_live)
{
    static const int errors[] = { SS_E_CORRUPT, SS_E_STOREIO, SS_E_BUSY, SS_E_NOMEM };
    struct fixture fixture;
    struct ws_test_client client;
    struct many many;
    fixture_open_with(&fixture, &client, "");
    follow_all(&fixture, &client, &many);
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        struct ss_request *request = ask_again(&fixture, &client, 0);
        ss__request_fail(request, errors[i], "on purpose");
        fixture_reply(&fixture, request);
        ws_test_expect_part(&client, "\"sessionId\":\"many-0\"");
        check_live(&fixture, &client, &many);
    }
    ss_check(fixture_is_quiet(&fixture) && atomic_load(&fixture.stats.followers) == 256);
    fixture_close_with(&fixture, &client);
}
