#include "store/verify.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/fault.h"
#include "core/log.h"
#include "store/check_state.h"

#define LINES_MAX 100u
#define PROGRESS_STEP (UINT64_C(1) << 30)

struct verify {
    unsigned lines;
    uint64_t told;         /* bytes done when progress was last logged */
    char first[96];        /* place of the first finding */
};

static void on_finding(uint32_t shard, const char *place, const char *text, void *ctx)
{
    struct verify *verify = ctx;
    char quoted[1024];
    if (verify->lines++ == 0) {
        (void)snprintf(verify->first, sizeof verify->first, "%s", place);
    }
    if (verify->lines <= LINES_MAX) {
        ss__log(SS_LOG_ERROR, "the store is damaged", "shard=%u place=\"%s\" reason=%s", shard,
                place, ss__log_quote(quoted, sizeof quoted, ss_str(text)));
    }
}

static void on_progress(uint32_t shard, uint64_t done, uint64_t total, void *ctx)
{
    struct verify *verify = ctx;
    uint64_t step = SS_FAULT("verify.step") != 0 ? 1 : PROGRESS_STEP;
    if (done - verify->told >= step && done < total) {
        verify->told = done;
        ss__log(SS_LOG_INFO, "verifying the store", "shard=%u done=%" PRIu64 " total=%" PRIu64,
                shard, done, total);
    }
}

int ss__store_verify(const struct ss_store_options *options, struct ss_failure *failure)
{
    struct verify verify = { 0 };
    struct ss_check_summary summary = { 0 };
    struct ss_check check = { .shard = options->shard_index,
                              .shard_count = options->shard_count,
                              .directory_id = options->directory_id,
                              .start = options->verify == SS_VERIFY_NONE,
                              .summary = &summary,
                              .report = on_finding,
                              .progress = on_progress,
                              .ctx = &verify };
    uint64_t began_ns = ss__clock_monotonic_ns(&ss__system_clock);
    bool sound = false;
    int err = ss__check_shard(&check, options->dir, options->verify == SS_VERIFY_RECORDS, &sound,
                              failure);
    if (err != 0) {
        return err;
    }
    uint64_t ms = (ss__clock_monotonic_ns(&ss__system_clock) - began_ns) / 1000000;
    ss__log(check.start ? SS_LOG_DEBUG : SS_LOG_INFO, "the store was verified",
            "shard=%u pages=%" PRIu64 " findings=%" PRIu64 " ms=%" PRIu64, options->shard_index,
            summary.pages, summary.findings, ms);
    if (summary.unreadable > 0) {
        return ss__fail(failure, SS_E_STOREIO, "shard %04u cannot be read (%s): the disk gives an "
                        "error; look at it, and try again: \"%s\"", options->shard_index,
                        verify.first, options->dir);
    }
    if (!sound) {
        return ss__fail(failure, SS_E_CORRUPT, "shard %04u is damaged (%s, %" PRIu64 " findings): "
                        "put the directory back from a backup and run `ssctl store restored`; "
                        "`ssctl store check` tells more: \"%s\"", options->shard_index,
                        verify.first, summary.findings, options->dir);
    }
    return 0;
}
