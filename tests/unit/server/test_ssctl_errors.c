#include "ss_test.h"

#include <string.h>

#include "ctl_run.h"
#include "fake_server.h"

static void run(struct ctl_run *run, struct fake_server *server, const char *body,
                const char *const *args)
{
    static char answer[2048];
    const char *all[12] = { "--url" };
    char url_text[300];
    struct ss_url url;
    (void)snprintf(answer, sizeof answer, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s",
                   strlen(body), body);
    fake_server_start(server, answer, &url);
    (void)snprintf(url_text, sizeof url_text, "http://%s", url.authority);
    all[1] = url_text;
    for (size_t i = 0; args[i] != NULL; i++) {
        all[i + 2] = args[i];
    }
    ctl_run(run, all);
    fake_server_stop(server);
}

static const char two[] =
    "{\"errors\":[\n"
    "{\"shard\":0,\"number\":\"1\",\"time\":\"2023-11-14T22:13:20.123Z\",\"kind\":\"store\","
    "\"code\":\"store_full\",\"text\":\"events are refused\"},\n"
    "{\"shard\":0,\"number\":\"2\",\"time\":\"2023-11-14T22:13:21Z\",\"kind\":\"ui-projection\","
    "\"code\":\"handler_failed\",\"sessionId\":\"a long one\",\"ordinal\":\"7\","
    "\"event\":\"Put\",\"projection\":\"ui\",\"text\":\"it\\u001b[2J\"}]}";

SS_TEST(ssctl_errors, records_are_a_table_for_people)
{
    struct ctl_run out;
    struct fake_server server;
    run(&out, &server, two, CTL_ARGS("errors"));
    ss_check(out.status == SS_CTL_OK && out.err[0] == '\0');
    ss_check(strncmp(server.request, "GET /v1/errors HTTP/1.1\r\n", 25) == 0);
    const char *want =
        "TIME                      KIND           SESSION     ORDINAL  EVENT  PROJECTION  "
        "CODE            TEXT\n"
        "2023-11-14T22:13:20.123Z  store                                                  "
        "store_full      events are refused\n"
        "2023-11-14T22:13:21Z      ui-projection  a long one  7        Put    ui          "
        "handler_failed  it?[2J\n";
    ss_check_msg(strcmp(out.out, want) == 0, "%s", out.out);
    ctl_run_deinit(&out);
}

SS_TEST(ssctl_errors, json_is_what_the_server_said_on_one_line)
{
    struct ctl_run out;
    struct fake_server server;
    run(&out, &server, "{\"errors\":[\n{},\n{}]}",
        CTL_ARGS("errors", "a b", "--kind", "store", "--limit", "5", "--json"));
    ss_check(out.status == SS_CTL_OK);
    ss_check(strcmp(out.out, "{\"errors\":[ {}, {}]}\n") == 0);
    ss_check_msg(strncmp(server.request, "GET /v1/errors?session=a%20b&kind=store&limit=5 HTTP",
                         52) == 0, "%s", server.request);
    ctl_run_deinit(&out);
}

SS_TEST(ssctl_errors, none_and_nonsense_are_said)
{
    struct ctl_run out;
    struct fake_server server;
    run(&out, &server, "{\"errors\":[]}", CTL_ARGS("errors", "s"));
    ss_check(out.status == SS_CTL_OK && strcmp(out.out, "no errors\n") == 0);
    ctl_run_deinit(&out);
    run(&out, &server, "[]", CTL_ARGS("errors", "s"));
    ss_check(out.status == SS_CTL_FAILED && strstr(out.err, "protocol_error") != NULL);
    ctl_run_deinit(&out);
    ctl_run(&out, CTL_ARGS("errors", "s", "t"));
    ss_check(out.status == SS_CTL_USAGE);
    ctl_run_deinit(&out);
}
