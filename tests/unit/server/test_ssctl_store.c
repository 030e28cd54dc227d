#include "ss_test.h"

#include <stdlib.h>
#include <string.h>

#include "ctl_run.h"
#include "store/directory.h"
#include "store/store.h"

/* A data directory with one empty shard, made as the daemon would. */
static void make_store(char *path)
{
    struct ss_directory *directory = NULL;
    struct ss_failure failure = { 0 };
    struct ss_store *store = NULL;
    struct ss_store_report report;
    struct ss_store_options options;
    char dir[512];
    ss_check(mkdtemp(path) != NULL);
    int err = ss__directory_open(path, 1, true, &directory, &failure);
    ss_check_msg(err == 0, "%s", failure.text);
    ss_check(ss__directory_shard_path(directory, 0, dir, sizeof dir) == 0);
    ss__store_options_init(&options);
    options.dir = dir;
    options.shard_count = 1;
    options.directory_id = directory->directory_id;
    options.map_bytes = 16u << 20;
    options.min_free_bytes = 0;
    options.clock = &ss__system_clock;
    err = ss__store_open(&options, &store, &report, &failure);
    ss_check_msg(err == 0, "%s", failure.text);
    ss__store_close(store);
    ss__directory_close(directory);
}

static void remove_tree(const char *path)
{
    char command[600];
    (void)snprintf(command, sizeof command, "rm -rf '%s'", path);
    ss_check(system(command) == 0);
}

SS_TEST(ssctl_store, a_sound_store_is_status_0_with_a_summary)
{
    char path[] = "/tmp/ss_ctl_store_XXXXXX";
    struct ctl_run run;
    make_store(path);
    ctl_run(&run, CTL_ARGS("store", "check", path));
    ss_check_msg(run.status == 0, "%s%s", run.out, run.err);
    ss_check_msg(strncmp(run.out, "0 findings: 1 shards, 0 sessions", 32) == 0, "%s", run.out);
    ctl_run_deinit(&run);
    remove_tree(path);
}

SS_TEST(ssctl_store, a_store_in_use_cannot_be_opened)
{
    char path[] = "/tmp/ss_ctl_store_XXXXXX";
    struct ss_directory *directory = NULL;
    struct ctl_run run;
    make_store(path);
    ss_check(ss__directory_open_existing(path, &directory, NULL) == 0);
    ctl_run(&run, CTL_ARGS("store", "check", path));
    ss_check(run.status == 2);
    ss_check(strncmp(run.err, "ssctl: store_locked: ", 21) == 0);
    ctl_run_deinit(&run);
    ss__directory_close(directory);
    remove_tree(path);
}

SS_TEST(ssctl_store, a_missing_directory_is_status_2)
{
    struct ctl_run run;
    ctl_run(&run, CTL_ARGS("store", "check", "/nonexistent/data"));
    ss_check(run.status == 2);
    ss_check(strncmp(run.err, "ssctl: ", 7) == 0 && run.out[0] == '\0');
    ctl_run_deinit(&run);
}

SS_TEST(ssctl_store, restored_raises_the_incarnation_and_says_so)
{
    char path[] = "/tmp/ss_ctl_store_XXXXXX";
    struct ctl_run run;
    make_store(path);
    ctl_run(&run, CTL_ARGS("store", "restored", path));
    ss_check_msg(run.status == 0 && run.err[0] == '\0', "%s%s", run.out, run.err);
    ss_check_msg(strncmp(run.out, "shard 0: incarnation 1 is now ", 30) == 0, "%s", run.out);
    ss_check_msg(strstr(run.out, "every epoch has changed") != NULL, "%s", run.out);
    ctl_run_deinit(&run);
    ctl_run(&run, CTL_ARGS("store", "check", path));
    ss_check_msg(run.status == 0, "%s", run.out);
    ctl_run_deinit(&run);
    remove_tree(path);
}

SS_TEST(ssctl_store, restored_refuses_a_directory_in_use_or_missing)
{
    char path[] = "/tmp/ss_ctl_store_XXXXXX";
    struct ss_directory *directory = NULL;
    struct ctl_run run;
    make_store(path);
    ss_check(ss__directory_open_existing(path, &directory, NULL) == 0);
    ctl_run(&run, CTL_ARGS("store", "restored", path));
    ss_check(run.status == 2 && run.out[0] == '\0');
    ss_check(strncmp(run.err, "ssctl: store_locked: ", 21) == 0);
    ctl_run_deinit(&run);
    ss__directory_close(directory);
    remove_tree(path);
    ctl_run(&run, CTL_ARGS("store", "restored", "/nonexistent/data"));
    ss_check(run.status == 2 && run.out[0] == '\0');
    ctl_run_deinit(&run);
}
