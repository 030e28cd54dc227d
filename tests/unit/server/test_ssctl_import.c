#include "ss_test.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl_run.h"
#include "fake_server.h"

#define GOOD "HTTP/1.1 200 OK\r\nContent-Length: 31\r\n\r\n{\"sessionId\":\"s\",\"ordinal\":\"2\"}"

struct import_run {
    struct fake_server server;
    struct ctl_run run;
    char path[64];
};

/* Imports a file that holds @lines; the server gives @answer once. */
static void import_lines(struct import_run *import, const char *lines, const char *answer)
{
    struct ss_url url;
    char url_text[300];
    (void)snprintf(import->path, sizeof import->path, "/tmp/ss-import-XXXXXX");
    int fd = mkstemp(import->path);
    ss_check(fd >= 0 && write(fd, lines, strlen(lines)) == (ssize_t)strlen(lines));
    (void)close(fd);
    fake_server_start(&import->server, answer, &url);
    (void)snprintf(url_text, sizeof url_text, "http://%s", url.authority);
    ctl_run(&import->run, CTL_ARGS("--url", url_text, "session", "import", "a b", import->path));
    fake_server_stop(&import->server);
    ss_check(unlink(import->path) == 0);
}

SS_TEST(ssctl_import, lines_become_a_list_and_the_end_is_told)
{
    struct import_run import;
    import_lines(&import, "{\"ordinal\":1}\r\n\n{\"ordinal\":2}", GOOD);
    ss_check_msg(import.run.status == SS_CTL_OK, "%s", import.run.err);
    ss_check(strncmp(import.server.request, "POST /v1/sessions/a%20b/import HTTP/1.1\r\n", 41) ==
             0);
    ss_check(strstr(import.server.request, "\r\n\r\n[{\"ordinal\":1},{\"ordinal\":2}]") != NULL);
    ss_check_msg(strcmp(import.run.err, "2 events, up to ordinal 2\n") == 0, "%s",
                 import.run.err);
    ctl_run_deinit(&import.run);
}

SS_TEST(ssctl_import, beside_bytes_the_payload_is_not_sent)
{
    struct import_run import;
    import_lines(&import, "{\"ordinal\":1,\"payload\":{\"a\":[1,{}]},\"raw\":\"eA==\"}\n"
                          "{\"ordinal\":2,\"payload\":{\"b\":1}}", GOOD);
    ss_check_msg(strstr(import.server.request,
                        "\r\n\r\n[{\"ordinal\":1,\"payload\":{},\"raw\":\"eA==\"},"
                        "{\"ordinal\":2,\"payload\":{\"b\":1}}]") != NULL, "%s",
                 import.server.request);
    ctl_run_deinit(&import.run);
}

SS_TEST(ssctl_import, a_large_line_has_a_request_of_its_own)
{
    struct import_run import;
    size_t large = 600u << 10;
    char *lines = malloc(large + 64);
    ss_check(lines != NULL);
    size_t at = (size_t)sprintf(lines, "{\"ordinal\":1}\n\n{\"ordinal\":2,\"raw\":\"");
    memset(lines + at, 'A', large);
    (void)sprintf(lines + at + large, "\"}\n{\"ordinal\":3}");
    import_lines(&import, lines, "HTTP/1.1 409 Conflict\r\nContent-Length: 19\r\n\r\n"
                                 "{\"code\":\"conflict\"}");
    ss_check(strstr(import.server.request, "\r\n\r\n[{\"ordinal\":1}]") != NULL);
    ss_check_msg(strstr(import.run.err, "lines 1 to 2 were not imported") != NULL, "%s",
                 import.run.err);
    ctl_run_deinit(&import.run);
    free(lines);
}

SS_TEST(ssctl_import, refusal_names_code_and_lines)
{
    struct import_run import;
    import_lines(&import, "{\"ordinal\":1}\n{\"ordinal\":2}\n",
                 "HTTP/1.1 409 Conflict\r\nContent-Length: 41\r\n\r\n"
                 "{\"code\":\"conflict\",\"detail\":\"no event 1\"}");
    ss_check(import.run.status == SS_CTL_FAILED);
    ss_check_msg(strstr(import.run.err, "ssctl: conflict: no event 1\n") != NULL &&
                     strstr(import.run.err, "lines 1 to 2 were not imported; 0 events before") !=
                         NULL, "%s", import.run.err);
    ctl_run_deinit(&import.run);
}

SS_TEST(ssctl_import, empty_file_sends_nothing_and_a_missing_one_is_named)
{
    struct import_run import;
    struct ctl_run run;
    import_lines(&import, "\n\n", "");
    ss_check(import.run.status == SS_CTL_OK && import.run.err[0] == '\0');
    ss_check(import.server.request[0] == '\0');
    ctl_run_deinit(&import.run);
    ctl_run(&run, CTL_ARGS("session", "import", "s", "/nowhere/at/all"));
    ss_check(run.status == SS_CTL_FAILED && strstr(run.err, "/nowhere/at/all") != NULL);
    ctl_run_deinit(&run);
}
