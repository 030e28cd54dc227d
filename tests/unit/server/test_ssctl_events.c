#include "ss_test.h"

#include <string.h>

#include "ctl_run.h"
#include "fake_server.h"

static void run(struct ctl_run *run, struct fake_server *server, const char *body,
                const char *const *args)
{
    static char answer[1024];
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

SS_TEST(ssctl_events, each_is_a_line)
{
    struct ctl_run out;
    struct fake_server server;
    run(&out, &server,
        "{\"events\":[\n{\"ordinal\":\"8\",\"event\":\"A\"},\n{\"ordinal\":\"9\"}],\"more\":false}",
        CTL_ARGS("session", "events", "a b", "--after", "7"));
    ss_check_msg(out.status == SS_CTL_OK, "%s", out.err);
    ss_check_msg(strncmp(server.request, "GET /v1/sessions/a%20b/events?after=7&limit=1000 HTTP",
                         53) == 0, "%s", server.request);
    ss_check_msg(strcmp(out.out, "{\"ordinal\":\"8\",\"event\":\"A\"}\n{\"ordinal\":\"9\"}\n") == 0,
                 "%s", out.out);
    ctl_run_deinit(&out);
}

SS_TEST(ssctl_events, limit_ends_it_although_more_follow)
{
    struct ctl_run out;
    struct fake_server server;
    run(&out, &server, "{\"events\":[{\"ordinal\":\"1\"}],\"more\":true}",
        CTL_ARGS("session", "events", "s", "--limit", "1"));
    ss_check(out.status == SS_CTL_OK && strcmp(out.out, "{\"ordinal\":\"1\"}\n") == 0);
    ss_check(strstr(server.request, "?after=0&limit=1 ") != NULL);
    ctl_run_deinit(&out);
}

SS_TEST(ssctl_events, nonsense_is_said)
{
    static const char *const bad[] = {
        "[]", "{\"events\":[{\"ordinal\":\"0\"}],\"more\":true}",
        "{\"events\":[{\"event\":\"A\"}],\"more\":true}"
    };
    struct ctl_run out;
    struct fake_server server;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        run(&out, &server, bad[i], CTL_ARGS("session", "events", "s"));
        ss_check(out.status == SS_CTL_FAILED && strstr(out.err, "protocol_error") != NULL);
        ctl_run_deinit(&out);
    }
    ctl_run(&out, CTL_ARGS("session", "events", "s", "--after", "x"));
    ss_check(out.status == SS_CTL_USAGE && strstr(out.err, "--after") != NULL);
    ctl_run_deinit(&out);
}

SS_TEST(ssctl_events, an_export_has_the_bytes_and_explains_what_is_gone)
{
    struct ctl_run out;
    struct fake_server server;
    struct ss_url url;
    char url_text[300];
    run(&out, &server, "{\"events\":[{\"ordinal\":\"1\",\"raw\":\"eA==\"}],\"more\":false}",
        CTL_ARGS("session", "export", "s"));
    ss_check(out.status == SS_CTL_OK);
    ss_check(strcmp(out.out, "{\"ordinal\":\"1\",\"raw\":\"eA==\"}\n") == 0);
    ss_check(strstr(server.request, "&raw=1 ") != NULL);
    ctl_run_deinit(&out);
    static const char *const commands[] = { "export", "events" };
    for (size_t i = 0; i < 2; i++) {
        fake_server_start(&server, "HTTP/1.1 410 Gone\r\nContent-Length: 44\r\n\r\n"
                                   "{\"code\":\"gone\",\"detail\":\"event 65 is first\"}", &url);
        (void)snprintf(url_text, sizeof url_text, "http://%s", url.authority);
        ctl_run(&out, CTL_ARGS("--url", url_text, "session", commands[i], "s"));
        fake_server_stop(&server);
        ss_check(out.status == SS_CTL_FAILED && strstr(out.err, "gone: event 65") != NULL);
        ss_check_msg((strstr(out.err, "ssctl backup and restore") != NULL) == (i == 0), "%s",
                     out.err);
        ctl_run_deinit(&out);
    }
}
