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
    "{\"sessionId\":\"s\",\"records\":[\n"
    "{\"number\":\"4\",\"time\":\"2023-11-14T22:13:20.123Z\",\"type\":\"pipeline\","
    "\"what\":\"live\",\"appended\":true,\"uiEvents\":1,\"failed\":\"ui\",\"ordinal\":\"2\","
    "\"event\":\"Put\",\"code\":\"handler_failed\"},\n"
    "{\"number\":\"5\",\"time\":\"2023-11-14T22:13:21Z\",\"type\":\"transport\","
    "\"what\":\"ui_event_sent\",\"frameType\":\"uiEvent\",\"bytes\":70,\"ordinal\":\"2\","
    "\"event\":\"Sh\\u001bown\"}],\"next\":\"5\"}";

SS_TEST(ssctl_trace, a_record_is_a_line_without_colours_off_a_terminal)
{
    struct ctl_run out;
    struct fake_server server;
    run(&out, &server, two, CTL_ARGS("trace", "a b"));
    ss_check(out.status == SS_CTL_OK && out.err[0] == '\0');
    ss_check(strncmp(server.request, "GET /debug/sessions/a%20b?after=0 HTTP", 38) == 0);
    const char *want =
        "4       2023-11-14T22:13:20.123Z     pipeline   live                      2        "
        "Put                   uiEvents=1 appended=true failed=ui code=handler_failed\n"
        "5       2023-11-14T22:13:21Z         transport  ui_event_sent             2        "
        "Sh?own                frameType=uiEvent bytes=70\n";
    ss_check_msg(strcmp(out.out, want) == 0, "%s", out.out);
    ctl_run_deinit(&out);
}

SS_TEST(ssctl_trace, json_is_a_record_a_line)
{
    struct ctl_run out;
    struct fake_server server;
    run(&out, &server, "{\"records\":[\n{\"number\":\"1\"},\n{\"number\":\"2\"}],\"next\":\"2\"}",
        CTL_ARGS("trace", "s", "--json"));
    ss_check(out.status == SS_CTL_OK);
    ss_check(strcmp(out.out, "{\"number\":\"1\"}\n{\"number\":\"2\"}\n") == 0);
    ctl_run_deinit(&out);
}

SS_TEST(ssctl_trace, a_server_without_records_is_an_error_that_says_what_to_do)
{
    struct ctl_run out;
    struct fake_server server;
    run(&out, &server, "{\"records\":null}", CTL_ARGS("trace", "s"));
    ss_check(out.status == SS_CTL_FAILED && strstr(out.err, "--debug-ring N") != NULL);
    ctl_run_deinit(&out);
    run(&out, &server, "{}", CTL_ARGS("trace", "s", "--follow"));
    ss_check(out.status == SS_CTL_FAILED && strstr(out.err, "protocol_error") != NULL);
    ctl_run_deinit(&out);
}
