/* What becomes of answers and of mistakes; whole backups are made in tests/integration. */
#include "ss_test.h"

#include <stdlib.h>
#include <string.h>

#include "ctl_run.h"
#include "fake_server.h"

SS_TEST(ssctl_backup, the_request_has_name_and_rate_and_a_refusal_is_told)
{
    static const char answer[] = "HTTP/1.1 503 Busy\r\nContent-Length: 52\r\n\r\n"
                                 "{\"code\":\"overloaded\",\"detail\":\"a backup is running\"}";
    struct fake_server server;
    struct ctl_run run;
    struct ss_url url;
    char url_text[300];
    fake_server_start(&server, answer, &url);
    (void)snprintf(url_text, sizeof url_text, "http://%s", url.authority);
    ctl_run(&run, CTL_ARGS("--url", url_text, "backup", "a b", "--rate", "3"));
    fake_server_stop(&server);
    ss_check_msg(strncmp(server.request, "POST /v1/backup?name=a%20b&rate=3145728 HTTP/1.1\r\n",
                         50) == 0, "%s", server.request);
    ss_check_msg(run.status == SS_CTL_FAILED &&
                     strcmp(run.err, "ssctl: overloaded: a backup is running\n") == 0,
                 "%s", run.err);
    ctl_run_deinit(&run);
}

SS_TEST(ssctl_backup, a_restore_of_nothing_names_what_is_missing)
{
    struct ctl_run run;
    ctl_run(&run, CTL_ARGS("restore", "/nonexistent/backup", "/nonexistent/data"));
    ss_check_msg(run.status == SS_CTL_FAILED &&
                     strncmp(run.err, "ssctl: not_found: \"/nonexistent/backup\"", 39) == 0,
                 "%s", run.err);
    ctl_run_deinit(&run);
}

SS_TEST(ssctl_backup, flags_have_limits)
{
    static const char *const bad[] = { "-1", "x", "1048577", "" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct ctl_run run;
        ctl_run(&run, CTL_ARGS("backup", "a", "--rate", bad[i]));
        ss_check_msg(run.status == SS_CTL_USAGE && strstr(run.err, "--rate") != NULL, "%s",
                     run.err);
        ctl_run_deinit(&run);
    }
}
