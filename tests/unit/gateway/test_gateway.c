#include "gateway_fixture.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ss_test.h"

static int try_connect(uint16_t port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int result = connect(fd, (struct sockaddr *)&address, sizeof address);
    (void)close(fd);
    return result;
}

SS_TEST(gateway, answers_leave_first_then_1001)
{
    struct fixture fixture;
    struct ws_test_client client;
    struct ws_test_client idle;
    fixture_open(&fixture);
    ws_test_connect(&idle, fixture.port, 0);
    ws_test_open(&client, fixture.port, "");
    ws_test_send_text(&client, "{\"subscribe\":{\"sessionId\":\"s\"}}");
    struct ss_request *request = fixture_take_request(&fixture, SS_REQUEST_SUBSCRIBE, "s");
    ss__gateway_stop_listening(fixture.gateway);
    ss_check(ws_test_http_response(&idle, false, NULL) == 0);
    ss_check(try_connect(fixture.port) != 0);
    ws_test_send_text(&client, "{\"ping\":{\"nonce\":\"not read any more\"}}");
    fixture_reply_snapshot(&fixture, request, 3);
    ss__gateway_stop(fixture.gateway, fixture.options.stop_timeout_ms);
    ss__gateway_stop(fixture.gateway, fixture.options.stop_timeout_ms);
    fixture.stopped = true;
    ws_test_expect_part(&client, "\"snapshotOrdinal\":\"3\"");
    ws_test_expect_part(&client, "subscribed");
    struct ss_ws_client_message message;
    ss_check(ws_test_receive(&client, &message));
    ss_check(message.opcode == SS_WS_CLOSE && message.status == SS_WS_STATUS_GOING_AWAY);
    ss_check(!ws_test_receive(&client, &message));
    ws_test_close(&client);
    fixture_close_with(&fixture, &idle);
}

SS_TEST(gateway, a_waiting_http_request_gets_its_answer_and_the_connection_ends)
{
    static const char request_text[] = "POST /v1/sessions/s/commands/Note HTTP/1.1\r\nHost: h\r\n"
                                       "Content-Length: 2\r\n\r\n{}";
    struct fixture fixture;
    struct ws_test_client answered;
    struct ws_test_client left;
    fixture_open(&fixture);
    ws_test_connect(&answered, fixture.port, 0);
    ws_test_send_raw(&answered, request_text, sizeof request_text - 1);
    struct ss_request *request = fixture_take_request(&fixture, SS_REQUEST_SUBMIT, "s");
    ws_test_connect(&left, fixture.port, 0);
    ws_test_send_raw(&left, request_text, sizeof request_text - 1);
    struct ss_request *other = fixture_take_request(&fixture, SS_REQUEST_SUBMIT, "s");
    ss__gateway_stop_listening(fixture.gateway);
    fixture_reply(&fixture, request);
    ss_check(ws_test_http_response(&answered, false, NULL) == 200);
    ss_check(ws_test_http_response(&answered, false, NULL) == 0);
    ss__gateway_stop(fixture.gateway, fixture.options.stop_timeout_ms);
    fixture.stopped = true;
    ss_check(ws_test_http_response(&left, false, NULL) == 503);
    ws_test_close(&answered);
    ws_test_close(&left);
    ss__msg_free(&other->base);
    fixture_close(&fixture);
}

SS_TEST(gateway, patience_with_a_client_that_does_not_read_has_an_end)
{
    static char name[8192];
    struct fixture fixture;
    struct ws_test_client client;
    fixture_prepare(&fixture);
    fixture.options.stop_timeout_ms = 600000;    /* others have used up most of it */
    fixture_start(&fixture);
    ws_test_connect(&client, fixture.port, 4096);
    ws_test_upgrade(&client, "/", "");
    ws_test_expect_part(&client, "hello");
    struct ss_session_handle handle = fixture_follow(&fixture, &client, "s", 1);
    memset(name, 'n', sizeof name - 1);
    for (uint64_t ordinal = 2; ordinal < 1500; ordinal++) {
        fixture_post_frame(&fixture, handle, "s", ordinal, name);
    }
    uint64_t before = ws_test_now_ms();
    ss__gateway_stop_listening(fixture.gateway);
    ss__gateway_stop(fixture.gateway, 300);
    fixture.stopped = true;
    fixture_close(&fixture);
    uint64_t took = ws_test_now_ms() - before;
    ss_check_msg(took >= 250 && took < 10000, "%lu ms", (unsigned long)took);
    ws_test_close(&client);
}

SS_TEST(gateway, a_gateway_that_never_started_can_be_freed)
{
    struct fixture fixture;
    struct ss_failure failure = { .text = "" };
    fixture_prepare(&fixture);
    ss_check(ss__gateway_new(&fixture.options, &fixture.gateway, &failure) == 0);
    ss_check(ss__gateway_port(fixture.gateway) != 0);
    ss__gateway_free(fixture.gateway);
    ss__gateway_free(NULL);
    ss__inbox_unref(fixture.shard);
    ss_registry_free(fixture.registry);
}
