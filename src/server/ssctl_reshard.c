/* reshard: another number of shards. */
#include <inttypes.h>

#include "server/interrupts.h"
#include "server/progress.h"
#include "server/ssctl.h"
#include "store/reshard.h"

struct resharding {
    const struct ss_ctl *ctl;
    struct ss_progress progress;
};

static int on_step(const char *what, uint64_t done, uint64_t total, void *ctx)
{
    struct resharding *resharding = ctx;
    struct ss_progress *progress = &resharding->progress;
    if (progress->out == NULL) {
        ss__progress_begin(progress, resharding->ctl->err, "read", total);
    }
    progress->done = done;
    ss__progress_show(progress, what);
    return ss__interrupted() ? SS_E_CANCELED : 0;
}

static void on_finding(uint32_t shard, const char *place, const char *text, void *ctx)
{
    const struct resharding *resharding = ctx;
    fprintf(resharding->ctl->out, "shard %" PRIu32 ": %s: %s\n", shard, place, text);
}

int ss__ctl_reshard(const struct ss_ctl *ctl)
{
    struct resharding resharding = { .ctl = ctl };
    struct ss_failure failure = { 0 };
    struct ss_reshard_result result;
    struct ss_reshard_options options = {
        .dir = ctl->args[0],
        .to = ctl->to,
        .shards = (uint32_t)ctl->shards,
        .report = on_finding,
        .step = on_step,
        .ctx = &resharding,
    };
    if (ctl->shards == 0) {
        fprintf(ctl->err, "ssctl: reshard: --shards is missing\n");
        return SS_CTL_USAGE;
    }
    ss__interrupts_catch();
    int err = ss__reshard(&options, &result, &failure);
    if (resharding.progress.out != NULL) {
        ss__progress_end(&resharding.progress);
    }
    if (err == SS_E_CANCELED) {
        (void)ss__fail(&failure, err, "interrupted; the directory is as it was");
    }
    if (err != 0) {
        return ss__ctl_fail(ctl, &failure);
    }
    fprintf(ctl->out, "%s: %" PRIu32 " shards instead of %" PRIu32 ", %" PRIu64 " sessions, %"
            PRIu64 " events, %" PRIu64 " entities\nthe old directory is %s\nevery epoch has "
            "changed: clients begin again from a snapshot\n", result.path,
            (uint32_t)ctl->shards, result.shards_before, result.sessions, result.events,
            result.entities, result.kept);
    return SS_CTL_OK;
}
