/* store check and store restored, for a person. */
#include <inttypes.h>
#include <unistd.h>

#include "server/ssctl.h"
#include "store/check.h"
#include "store/restored.h"

#define CANNOT_OPEN 2
#define PROGRESS_BYTES_MIN (UINT64_C(256) << 20)

static void print_finding(uint32_t shard, const char *place, const char *text, void *ctx)
{
    const struct ss_ctl *ctl = ctx;
    fprintf(ctl->out, "shard %" PRIu32 ": %s: %s\n", shard, place, text);
}

/* A line that is written over, for a person who waits. */
static void print_progress(uint32_t shard, uint64_t done, uint64_t total, void *ctx)
{
    (void)ctx;
    if (total >= PROGRESS_BYTES_MIN && isatty(STDERR_FILENO)) {
        fprintf(stderr, "\rshard %" PRIu32 ": %" PRIu64 " of %" PRIu64 " MiB%s", shard, done >> 20,
                total >> 20, done == total ? ", looking at what is in it\n" : "");
    }
}

int ss__ctl_store_check(const struct ss_ctl *ctl)
{
    struct ss_check_summary summary = { 0 };
    struct ss_failure failure = { 0 };
    struct ss_ctl copy = *ctl;    /* the callback's context is not const */
    if (ss__store_check_shown(ctl->args[0], print_finding, print_progress, &copy, &summary,
                              &failure) != 0) {
        (void)ss__ctl_fail(ctl, &failure);
        return CANNOT_OPEN;
    }
    fprintf(ctl->out,
            "%" PRIu64 " finding%s: %" PRIu32 " shards, %" PRIu64 " sessions, %" PRIu64
            " events, %" PRIu64 " entities, %" PRIu64 " segments, %" PRIu64
            " log records, %" PRIu64 " bytes\n",
            summary.findings, summary.findings == 1 ? "" : "s", summary.shards, summary.sessions,
            summary.events, summary.entities, summary.segments, summary.log_records,
            summary.bytes);
    return summary.findings == 0 ? SS_CTL_OK : SS_CTL_FAILED;
}

static void print_raised(uint32_t shard, uint64_t old_incarnation, uint64_t new_incarnation,
                         void *ctx)
{
    const struct ss_ctl *ctl = ctx;
    fprintf(ctl->out, "shard %" PRIu32 ": incarnation %" PRIu64 " is now %" PRIu64 "\n", shard,
            old_incarnation, new_incarnation);
}

int ss__ctl_store_restored(const struct ss_ctl *ctl)
{
    struct ss_failure failure = { 0 };
    struct ss_ctl copy = *ctl;    /* the callback's context is not const */
    if (ss__store_restored(ctl->args[0], print_raised, &copy, &failure) != 0) {
        (void)ss__ctl_fail(ctl, &failure);
        return CANNOT_OPEN;
    }
    fprintf(ctl->out, "every epoch has changed: clients begin again from a snapshot\n");
    return SS_CTL_OK;
}
