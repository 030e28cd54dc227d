#include "ss_test.h"

#include <stdbool.h>
#include <string.h>

#include "ctl_run.h"

/* True if the command line is a usage error whose message holds @part. */
static bool refused(const char *const *args, const char *part)
{
    struct ctl_run run;
    ctl_run(&run, args);
    bool as_expected = run.status == SS_CTL_USAGE && run.out[0] == '\0' &&
                       strncmp(run.err, "ssctl: ", 7) == 0 && strstr(run.err, part) != NULL;
    if (!as_expected) {
        fprintf(stderr, "status %d: %s%s\n", run.status, run.out, run.err);
    }
    ctl_run_deinit(&run);
    return as_expected;
}

static bool helped(const char *const *args, const char *part)
{
    struct ctl_run run;
    ctl_run(&run, args);
    bool as_expected =
        run.status == SS_CTL_OK && run.err[0] == '\0' && strstr(run.out, part) != NULL;
    ctl_run_deinit(&run);
    return as_expected;
}

SS_TEST(ssctl, help_is_there_for_all_and_for_each_command)
{
    ss_check(helped(CTL_ARGS("--help"), "ssctl store check DIR"));
    ss_check(helped(CTL_ARGS("-h"), "ssctl submit SESSION COMMAND JSON"));
    ss_check(helped(CTL_ARGS("tail", "--help"), "--count N"));
    ss_check(helped(CTL_ARGS("submit", "-h"), "--url URL"));
    ss_check(helped(CTL_ARGS("store", "check", "--help"), "Exit status 0"));
}

SS_TEST(ssctl, commands_and_flags_must_be_known)
{
    ss_check(refused((const char *const[]){ NULL }, "no command"));
    ss_check(refused(CTL_ARGS("frobnicate"), "unknown command"));
    ss_check(refused(CTL_ARGS("store"), "unknown command"));
    ss_check(refused(CTL_ARGS("store", "fix", "d"), "unknown command"));
    ss_check(refused(CTL_ARGS("snapshot", "s", "--loudly"), "unknown flag"));
    ss_check(refused(CTL_ARGS("snapshot", "s", "-x"), "unknown flag"));
    ss_check(refused(CTL_ARGS("snapshot", "s", "--count", "1"), "not a flag of snapshot"));
    ss_check(refused(CTL_ARGS("store", "check", "d", "--url", "http://a"), "not a flag"));
}

SS_TEST(ssctl, the_number_of_arguments_is_checked)
{
    ss_check(refused(CTL_ARGS("snapshot"), "takes 1 argument: SESSION"));
    ss_check(refused(CTL_ARGS("snapshot", "a", "b"), "takes 1 argument: SESSION"));
    ss_check(refused(CTL_ARGS("submit", "a", "b"), "takes 3 arguments"));
    ss_check(refused(CTL_ARGS("submit", "a", "b", "c", "d"), "takes 3 arguments"));
    ss_check(refused(CTL_ARGS("a", "b", "c", "d", "e", "f", "g"), "too many"));
}

SS_TEST(ssctl, values_of_flags_are_checked)
{
    ss_check(refused(CTL_ARGS("tail", "s", "--count"), "needs a value"));
    ss_check(refused(CTL_ARGS("tail", "s", "--count=0"), "whole number"));
    ss_check(refused(CTL_ARGS("tail", "s", "--since=x"), "whole number"));
    ss_check(refused(CTL_ARGS("tail", "s", "--no-reconnect=1"), "takes no value"));
    ss_check(refused(CTL_ARGS("tail", "s", "--url", "example.org"), "http://HOST:PORT"));
    ss_check(refused(CTL_ARGS("tail", "s", "--url=wss://example.org"), "TLS"));
}

SS_TEST(ssctl, a_server_that_is_not_there_is_status_1)
{
    struct ctl_run run;
    ctl_run(&run, CTL_ARGS("--url", "http://127.0.0.1:1", "snapshot", "s"));
    ss_check(run.status == SS_CTL_FAILED);
    ss_check(strncmp(run.err, "ssctl: io_error: cannot connect to 127.0.0.1:1", 46) == 0);
    ctl_run_deinit(&run);
}
