#include "scenario.h"

#include <errno.h>
#include <lmdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sessionstream/error.h>

#include "../runs.h"
#include "store/check.h"
#include "store/copy.h"
#include "store/directory.h"
#include "store/reshard.h"
#include "store/restore.h"
#include "store/restored.h"

struct places {
    char data[300];
    char backups[300];
    char backup[310];
    char fresh[300];
    char restored[300];
    char resharded[320];
    char kept[320];
};

static unsigned findings;

static void on_finding(uint32_t shard, const char *place, const char *text, void *ctx)
{
    (void)ctx;
    findings++;
    fprintf(stderr, "finding: %u %s: %s\n", shard, place, text);
    if (faults_failures() == 0) {
        broken("the check finds something before anything failed: %s: %s", place, text);
    }
}

static void on_raised(uint32_t shard, uint64_t old_incarnation, uint64_t new_incarnation,
                      void *ctx)
{
    (void)shard;
    (void)ctx;
    if (new_incarnation <= old_incarnation) {
        broken("an incarnation does not rise");
    }
}

/* What could not be read is told, in one way or the other. */
static bool check(const struct places *places, const struct fault_plan *plan)
{
    struct ss_check_summary summary = { 0 };
    struct ss_failure failure = { 0 };
    bool reads = plan->call == CALL_LMDB_READ || plan->call == CALL_PREAD;
    int err = ss__store_check(places->data, on_finding, NULL, &summary, &failure);
    if (err == 0 && reads && plan->code != EINTR && findings == 0 && faults_failures() != 0) {
        broken("the check passes over what cannot be read");
    }
    return judge("check", err, &failure);
}

static bool is_data_directory(const char *path)
{
    char identity[400];
    (void)snprintf(identity, sizeof identity, "%s/sessionstream", path);
    return access(identity, F_OK) == 0;
}

static void on_begun(uint64_t bytes, uint32_t shards, uint64_t begun_us, void *ctx)
{
    (void)begun_us;
    (void)ctx;
    if (bytes == 0 || shards == 0) {
        broken("a backup of nothing is restored");
    }
}

static bool make_directory(const struct places *places)
{
    struct ss_directory *directory = NULL;
    struct ss_failure failure = { 0 };
    int err = ss__directory_open(places->fresh, 2, true, &directory, &failure);
    ss__directory_close(directory);
    return judge("make a directory", err, &failure);
}

static bool restore(const struct places *places)
{
    struct ss_check_summary summary = { 0 };
    struct ss_failure failure = { 0 };
    struct ss_restore_options options = { .backup = places->backup, .dir = places->restored,
                                          .report = on_finding, .raised = on_raised,
                                          .begun = on_begun };
    int err = ss__restore(&options, &summary, &failure);
    return judge("restore", err, &failure);
}

static bool mark_restored(const struct places *places)
{
    struct ss_failure failure = { 0 };
    int err = ss__store_restored(places->data, on_raised, NULL, &failure);
    return judge("mark as restored", err, &failure);
}

static bool reshard(const struct places *places, uint32_t shards)
{
    struct ss_reshard_result result;
    struct ss_failure failure = { 0 };
    struct ss_reshard_options options = { .dir = places->data, .shards = shards,
                                          .report = on_finding };
    int err = ss__reshard(&options, &result, &failure);
    return judge("reshard", err == SS_E_EXISTS && faults_failures() != 0 ? SS_E_IO : err,
                 &failure);
}

void store_scenario(const char *dir, const struct fault_plan *plan, const struct content *content,
                    struct store_outcome *ret_outcome)
{
    struct places places;
    struct content known = *content;
    struct fault_plan calm = { .first = 0 };
    /* A damaged entry stays, and the check says so. */
    known.keep = plan->code == MDB_CORRUPTED;
    (void)snprintf(places.data, sizeof places.data, "%s/data", dir);
    (void)snprintf(places.backups, sizeof places.backups, "%s/backups", dir);
    (void)snprintf(places.backup, sizeof places.backup, "%s/backups/one", dir);
    (void)snprintf(places.fresh, sizeof places.fresh, "%s/fresh", dir);
    (void)snprintf(places.restored, sizeof places.restored, "%s/restored", dir);
    (void)snprintf(places.resharded, sizeof places.resharded, "%s.resharded", places.data);
    (void)snprintf(places.kept, sizeof places.kept, "%s" SS_RESHARD_KEPT, places.data);
    (void)mkdir(places.backups, 0700);
    faults_arm(plan);
    faults_include_me(true);
    bool checked = check(&places, plan);
    bool backed_up = content_work(places.data, places.backups, &known);
    bool restored = backed_up && restore(&places);
    bool made = make_directory(&places);
    bool marked = mark_restored(&places);
    bool resharded = reshard(&places, 3);
    faults_include_me(false);
    faults_disarm();
    ret_outcome->failures = faults_failures();
    ret_outcome->refused = (uint64_t)(!checked + !backed_up + !restored + !made + !marked +
                                      !resharded);
    faults_arm(&calm);
    faults_include_me(true);
    content_verify(places.data, &known);
    if (!backed_up) {
        backed_up = content_work(places.data, places.backups, &known);
    }
    if (!made) {
        (void)make_directory(&places);
    }
    if (!restored && is_data_directory(places.restored)) {
        broken("what was not restored is a data directory");
    }
    if (backed_up && !restored) {
        restored = restore(&places);
    }
    if (restored) {
        content_verify(places.restored, &known);
    }
    (void)ss__remove_tree(places.kept, NULL);
    if (!resharded) {
        (void)ss__remove_tree(places.resharded, NULL);    /* complete, or the old one: it is named */
        (void)reshard(&places, 4);
    }
    content_verify(places.data, &known);
    faults_include_me(false);
}
