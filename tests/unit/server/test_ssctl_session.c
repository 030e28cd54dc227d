#include "ss_test.h"

#include <string.h>

#include "ctl_run.h"
#include "fake_server.h"

struct exchange {
    struct fake_server server;
    struct ctl_run run;
};

/* Runs ssctl with @args against a server that gives @answer. */
static void run_exchange(struct exchange *exchange, const char *answer, const char *const *args)
{
    const char *all[16] = { "--url" };
    char url_text[300];
    struct ss_url url;
    fake_server_start(&exchange->server, answer, &url);
    (void)snprintf(url_text, sizeof url_text, "ws://%s", url.authority);
    all[1] = url_text;
    for (size_t i = 0; args[i] != NULL; i++) {
        all[i + 2] = args[i];
    }
    ctl_run(&exchange->run, all);
    fake_server_stop(&exchange->server);
}

SS_TEST(ssctl_session, submit_posts_the_payload_and_prints_the_result)
{
    struct exchange exchange;
    run_exchange(&exchange, "HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n{\"ordinal\":\"3\"}",
                 CTL_ARGS("submit", "a/b \xc3\xa4", "Start", "{\"x\":1}"));
    ss_check(exchange.run.status == SS_CTL_OK);
    ss_check(strcmp(exchange.run.out, "{\"ordinal\":\"3\"}\n") == 0);
    ss_check(exchange.run.err[0] == '\0');
    ss_check(strncmp(exchange.server.request,
                     "POST /v1/sessions/a%2Fb%20%C3%A4/commands/Start HTTP/1.1\r\n", 58) == 0);
    ss_check(strstr(exchange.server.request, "\r\n\r\n{\"x\":1}") != NULL);
    ss_check(strstr(exchange.server.request, "Content-Type: application/json\r\n") != NULL);
    ctl_run_deinit(&exchange.run);
}

SS_TEST(ssctl_session, an_empty_payload_is_refused_before_anything_is_sent)
{
    struct exchange exchange;
    run_exchange(&exchange, "", CTL_ARGS("submit", "s", "Start", ""));
    ss_check(exchange.run.status == SS_CTL_FAILED);
    ss_check(strstr(exchange.run.err, "invalid_json") != NULL);
    ss_check(exchange.server.request[0] == '\0');
    ctl_run_deinit(&exchange.run);
}

SS_TEST(ssctl_session, snapshot_gets_the_document)
{
    struct exchange exchange;
    run_exchange(&exchange, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{}\n",
                 CTL_ARGS("snapshot", ".."));
    ss_check(exchange.run.status == SS_CTL_OK);
    ss_check(strcmp(exchange.run.out, "{}\n") == 0);
    ss_check(strncmp(exchange.server.request, "GET /v1/sessions/%2E./snapshot HTTP/1.1\r\n",
                     41) == 0);
    ctl_run_deinit(&exchange.run);
}

SS_TEST(ssctl_session, snapshot_of_an_earlier_event_names_it)
{
    struct exchange exchange;
    run_exchange(&exchange, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{}\n",
                 CTL_ARGS("snapshot", "s", "--at", "17"));
    ss_check(exchange.run.status == SS_CTL_OK);
    ss_check(strncmp(exchange.server.request, "GET /v1/sessions/s/snapshot?at=17 HTTP/1.1\r\n",
                     44) == 0);
    ctl_run_deinit(&exchange.run);
}

SS_TEST(ssctl_session, rebuild_says_of_what_and_from_where)
{
    struct exchange exchange;
    run_exchange(&exchange, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{}\n",
                 CTL_ARGS("session", "rebuild", "s", "--from", "17", "--projection", "a b"));
    ss_check(exchange.run.status == SS_CTL_OK);
    const char *want = "POST /v1/sessions/s/rebuild?projection=a%20b&from=17 HTTP/1.1\r\n";
    ss_check_msg(strncmp(exchange.server.request, want, strlen(want)) == 0, "%s",
                 exchange.server.request);
    ctl_run_deinit(&exchange.run);
}

SS_TEST(ssctl_session, a_problem_document_gives_code_and_detail)
{
    struct exchange exchange;
    run_exchange(&exchange,
                 "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/problem+json\r\n"
                 "Content-Length: 61\r\n\r\n"
                 "{\"title\":\"Busy\",\"code\":\"overloaded\",\"detail\":\"try later, ok?\"}",
                 CTL_ARGS("snapshot", "s"));
    ss_check(exchange.run.status == SS_CTL_FAILED);
    ss_check(exchange.run.out[0] == '\0');
    ss_check_msg(strcmp(exchange.run.err, "ssctl: overloaded: try later, ok?\n") == 0, "%s",
                 exchange.run.err);
    ctl_run_deinit(&exchange.run);
}

SS_TEST(ssctl_session, an_error_page_of_somebody_else_gives_its_status)
{
    struct exchange exchange;
    run_exchange(&exchange, "HTTP/1.1 502 Bad Gateway\r\n\r\n<html>", CTL_ARGS("snapshot", "s"));
    ss_check(exchange.run.status == SS_CTL_FAILED);
    ss_check(strcmp(exchange.run.err,
                    "ssctl: http_502: the server answered with status 502\n") == 0);
    ctl_run_deinit(&exchange.run);
}

SS_TEST(ssctl_session, list_passes_its_flags_on)
{
    struct exchange exchange;
    run_exchange(&exchange, "HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n{\"sessions\":[]}",
                 CTL_ARGS("session", "list", "--prefix", "a b", "--after=a&b", "--limit", "7"));
    ss_check(exchange.run.status == SS_CTL_OK);
    ss_check(strcmp(exchange.run.out, "{\"sessions\":[]}\n") == 0);
    ss_check_msg(strncmp(exchange.server.request,
                         "GET /v1/sessions?prefix=a%20b&after=a%26b&limit=7 HTTP/1.1\r\n", 60) == 0,
                 "%s", exchange.server.request);
    ctl_run_deinit(&exchange.run);
    run_exchange(&exchange, "HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n{\"sessions\":[]}",
                 CTL_ARGS("session", "list"));
    ss_check(strncmp(exchange.server.request, "GET /v1/sessions HTTP/1.1\r\n", 27) == 0);
    ctl_run_deinit(&exchange.run);
}

SS_TEST(ssctl_session, delete_names_the_session)
{
    struct exchange exchange;
    run_exchange(&exchange, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
                 CTL_ARGS("session", "delete", "a/b"));
    ss_check(exchange.run.status == SS_CTL_OK);
    ss_check(strncmp(exchange.server.request, "DELETE /v1/sessions/a%2Fb HTTP/1.1\r\n", 36) == 0);
    ctl_run_deinit(&exchange.run);
}

SS_TEST(ssctl_session, close_posts_and_says_when_the_session_stays)
{
    struct exchange exchange;
    run_exchange(&exchange, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
                 CTL_ARGS("session", "close", "a/b"));
    ss_check(exchange.run.status == SS_CTL_OK);
    ss_check(strncmp(exchange.server.request, "POST /v1/sessions/a%2Fb/close HTTP/1.1\r\n",
                     40) == 0);
    ctl_run_deinit(&exchange.run);
    run_exchange(&exchange,
                 "HTTP/1.1 409 Conflict\r\nContent-Type: application/problem+json\r\n"
                 "Content-Length: 47\r\n\r\n"
                 "{\"code\":\"session_in_use\",\"detail\":\"it works\"}  ",
                 CTL_ARGS("session", "close", "s"));
    ss_check(exchange.run.status == SS_CTL_FAILED);
    ss_check(strstr(exchange.run.err, "session_in_use: it works") != NULL);
    ctl_run_deinit(&exchange.run);
}

SS_TEST(ssctl_session, submit_passes_its_key_on)
{
    struct exchange exchange;
    run_exchange(&exchange, "HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n{\"ordinal\":\"3\"}",
                 CTL_ARGS("submit", "s", "Start", "{}", "--idempotency-key", "order 1"));
    ss_check(exchange.run.status == SS_CTL_OK);
    ss_check(strstr(exchange.server.request, "\r\nIdempotency-Key: order 1\r\n") != NULL);
    ctl_run_deinit(&exchange.run);
    run_exchange(&exchange, "",
                 CTL_ARGS("submit", "s", "Start", "{}", "--idempotency-key", "a\r\nHost: b"));
    ss_check(exchange.run.status == SS_CTL_USAGE && exchange.server.request[0] == '\0');
    ctl_run_deinit(&exchange.run);
}
