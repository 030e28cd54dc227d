/* Mistakes; what it does is tested in tests/unit/store/test_reshard.c and tests/integration. */
#include "ss_test.h"

#include <stdlib.h>
#include <string.h>

#include "ctl_run.h"
#include "store/directory.h"

static void expect(const char *const *args, int status, const char *words)
{
    struct ctl_run run;
    ctl_run(&run, args);
    ss_check_msg(run.status == status && strstr(run.err, words) != NULL, "%d %s", run.status,
                 run.err);
    ctl_run_deinit(&run);
}

SS_TEST(ssctl_reshard, the_number_is_needed_and_has_limits)
{
    expect(CTL_ARGS("reshard", "/nonexistent/data"), SS_CTL_USAGE, "--shards is missing");
    expect(CTL_ARGS("reshard", "/nonexistent/data", "--shards", "0"), SS_CTL_USAGE, "--shards");
    expect(CTL_ARGS("reshard", "/nonexistent/data", "--shards", "257"), SS_CTL_USAGE, "--shards");
    expect(CTL_ARGS("reshard", "/nonexistent/data", "--shards", "3"), SS_CTL_FAILED,
           "no data directory");
}

SS_TEST(ssctl_reshard, tells_what_it_has_made)
{
    char path[] = "/tmp/ss_ctl_reshard_XXXXXX";
    char command[200];
    struct ss_directory *directory = NULL;
    struct ctl_run run;
    ss_check(mkdtemp(path) != NULL);
    ss_check(ss__directory_open(path, 1, true, &directory, NULL) == 0);
    ss__directory_close(directory);
    ctl_run(&run, CTL_ARGS("reshard", path, "--shards", "2"));
    ss_check_msg(run.status == SS_CTL_OK, "%s", run.err);
    ss_check_msg(strstr(run.out, ": 2 shards instead of 1, 0 sessions, 0 events") != NULL, "%s",
                 run.out);
    ss_check(strstr(run.out, "before-reshard") != NULL);
    ctl_run_deinit(&run);
    expect(CTL_ARGS("reshard", path, "--shards", "2"), SS_CTL_FAILED, "before-reshard");
    (void)snprintf(command, sizeof command, "rm -rf '%s' '%s.before-reshard'", path, path);
    ss_check(system(command) == 0);
}
