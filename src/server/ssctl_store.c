#include "server/ssctl.h"

#include <inttypes.h>
#include <string.h>

#include "store/check.h"

static void print_finding(uint32_t shard, const char *place, const char *text, void *ctx)
{
    const struct ss_ctl *ctl = ctx;
    fprintf(ctl->out, "shard %u: %s: %s\n", shard, place, text);
}

int ss__ctl_store_check(const struct ss_ctl *ctl)
{
    struct ss_check_summary summary;
    struct ss_failure failure = { 0 };
    /* The callback only prints; the context stays as it is. */
    struct ss_ctl copy = *ctl;
    int err = ss__store_check(ctl->args[0], print_finding, &copy, &summary, &failure);
    if (err != 0) {
        fprintf(ctl->err, "ssctl: %s: %s\n", ss_error_wire_name(err), failure.text);
        return 2;
    }
    fprintf(ctl->out, "%s: %u shards, %" PRIu64 " sessions, %" PRIu64 " events, %" PRIu64
            " entities, %" PRIu64 " segments, %" PRIu64 " log records, %" PRIu64 " bytes\n",
            summary.findings == 0 ? "clean" : "NOT CLEAN", summary.shards, summary.sessions,
            summary.events, summary.entities, summary.segments, summary.log_records,
            summary.bytes);
    return summary.findings == 0 ? 0 : 1;
}
