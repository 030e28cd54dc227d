/* backup, through the daemon; restore, without it. */
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "server/http_exchange.h"
#include "server/interrupts.h"
#include "server/json_members.h"
#include "server/option_value.h"
#include "server/progress.h"
#include "server/ssctl.h"
#include "store/restore.h"

#define POLL_NS 100000000L
#define MIB (UINT64_C(1) << 20)
#define STATE_BYTES 16u

/* ---- backup ---- */

struct state {
    char name[STATE_BYTES];
    uint64_t shard;
    uint64_t shards;
    uint64_t shard_copied;
    uint64_t shard_bytes;
    uint64_t copied;
    uint64_t took_us;
};

static uint64_t number_of(struct ss_str json, const char *member)
{
    struct ss_failure failure = { 0 };
    struct ss_str value = { NULL, 0 };
    uint64_t number = 0;
    if (ss__json_member(json, member, &value) && value.len > 2 && value.data[0] == '"') {
        value = ss_str_of(value.data + 1, value.len - 2);
    }
    (void)ss__option_parse_number(value, 0, UINT64_MAX, &number, &failure);    /* 0: none there */
    return number;
}

static void read_state(struct ss_str json, struct state *ret_state)
{
    struct ss_bytes name;
    ss__bytes_init(&name, 0);
    *ret_state = (struct state){ .shard = number_of(json, "shard"),
                                 .shards = number_of(json, "shards"),
                                 .shard_copied = number_of(json, "shardCopied"),
                                 .shard_bytes = number_of(json, "shardBytes"),
                                 .copied = number_of(json, "copied"),
                                 .took_us = number_of(json, "tookMicros") };
    if (ss__json_string_member(json, "state", &name) && name.len < STATE_BYTES) {
        memcpy(ret_state->name, name.data, name.len);
    }
    ss__bytes_deinit(&name);
}

/* SS_CTL_OK and the answer in @in, or the status of an error that has been printed. */
static int ask(const struct ss_ctl *ctl, const char *method, struct ss_str target,
               struct ss_bytes *in, struct ss_http_answer *ret_answer)
{
    struct ss_failure failure = { 0 };
    struct ss_bytes request;
    ss__bytes_clear(in);
    ss__bytes_init(&request, 0);
    ss__http_request_write(&request, method, target, &ctl->url, NULL, (struct ss_str){ 0 });
    int err = request.err != 0
                  ? ss__fail(&failure, request.err, "out of memory")
                  : ss__http_exchange(&ctl->url, ss__bytes_view(&request),
                                      SS_CTL_ANSWER_TIMEOUT_MS, in, ret_answer, &failure);
    ss__bytes_deinit(&request);
    if (err != 0) {
        return ss__ctl_fail(ctl, &failure);
    }
    return ret_answer->status >= 300 ? ss__ctl_fail_answer(ctl, ret_answer) : SS_CTL_OK;
}

static int begin_backup(const struct ss_ctl *ctl, struct ss_bytes *in)
{
    struct ss_http_answer answer;
    struct ss_bytes target;
    ss__bytes_init(&target, 0);
    ss__bytes_text(&target, "/v1/backup?name=");
    ss__url_segment(&target, ss_str(ctl->args[0]));
    ss__bytes_text(&target, "&rate=");
    ss__bytes_u64(&target, ctl->rate * MIB);
    int status = ask(ctl, "POST", ss__bytes_view(&target), in, &answer);
    ss__bytes_deinit(&target);
    return status;
}

static void nap(void)
{
    struct timespec time = { 0, POLL_NS };
    (void)nanosleep(&time, NULL);    /* a signal ends it early, which is wanted */
}

/* Until it has ended; the newest answer is in @in. */
static int watch_backup(const struct ss_ctl *ctl, struct ss_bytes *in, struct state *ret_state,
                        struct ss_str *ret_answer)
{
    struct ss_progress progress;
    struct ss_http_answer answer;
    struct state state = { .name = "running" };
    int status = SS_CTL_OK;
    bool canceled = false;
    ss__progress_begin(&progress, ctl->err, "copied", 0);
    while (status == SS_CTL_OK && strcmp(state.name, "running") == 0) {
        char note[64];
        if (ss__interrupted() && !canceled) {
            canceled = true;
            struct ss_bytes ignored;
            ss__bytes_init(&ignored, 0);
            (void)ask(ctl, "DELETE", ss_str("/v1/backup"), &ignored, &answer);    /* told below */
            ss__bytes_deinit(&ignored);
        }
        status = ask(ctl, "GET", ss_str("/v1/backup"), in, &answer);
        if (status != SS_CTL_OK) {
            break;
        }
        read_state(answer.body, &state);
        progress.done = state.shard_copied;
        progress.total = state.shard_bytes;
        (void)snprintf(note, sizeof note, "shard %" PRIu64 " of %" PRIu64, state.shard + 1,
                       state.shards);
        ss__progress_show(&progress, note);
        if (strcmp(state.name, "running") == 0) {
            nap();
        }
    }
    ss__progress_end(&progress);
    *ret_state = state;
    *ret_answer = answer.body;
    return status;
}

int ss__ctl_backup(const struct ss_ctl *ctl)
{
    struct ss_bytes in;
    struct state state;
    struct ss_str answer;
    char size[SS_PROGRESS_SIZE_BYTES];
    ss__bytes_init(&in, 0);
    ss__interrupts_catch();
    int status = begin_backup(ctl, &in);
    status = status != SS_CTL_OK ? status : watch_backup(ctl, &in, &state, &answer);
    if (status == SS_CTL_OK && strcmp(state.name, "done") == 0) {
        ss__progress_size(size, state.copied);
        fprintf(ctl->out, "backup %s: %s in %.1f s\n", ctl->args[0], size,
                (double)state.took_us / 1e6);
    } else if (status == SS_CTL_OK) {
        struct ss_http_answer failed = { .status = 500, .body = answer };
        status = ss__ctl_fail_answer(ctl, &failed);
    }
    ss__bytes_deinit(&in);
    return status;
}

/* ---- restore ---- */

struct restoring {
    const struct ss_ctl *ctl;
    struct ss_progress progress;
    uint64_t begun_us;
};

static void on_begun(uint64_t bytes, uint32_t shards, uint64_t begun_us, void *ctx)
{
    struct restoring *restoring = ctx;
    (void)shards;
    restoring->begun_us = begun_us;
    ss__progress_begin(&restoring->progress, restoring->ctl->err, "copied", bytes);
}

static int on_step(uint64_t bytes, void *ctx)
{
    struct restoring *restoring = ctx;
    restoring->progress.done += bytes;
    ss__progress_show(&restoring->progress, "");
    return ss__interrupted() ? SS_E_CANCELED : 0;
}

static void on_finding(uint32_t shard, const char *place, const char *text, void *ctx)
{
    struct restoring *restoring = ctx;
    fprintf(restoring->ctl->out, "shard %" PRIu32 ": %s: %s\n", shard, place, text);
}

static void print_restored(const struct restoring *restoring,
                           const struct ss_check_summary *summary)
{
    char when[32] = "";
    time_t seconds = (time_t)(restoring->begun_us / 1000000);
    struct tm parts;
    if (gmtime_r(&seconds, &parts) != NULL) {
        (void)strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", &parts);
    }
    fprintf(restoring->ctl->out,
            "restored to %s as of %s: %" PRIu64 " finding%s, %" PRIu32 " shards, %" PRIu64
            " sessions, %" PRIu64 " events\nevery epoch has changed: clients begin again from a "
            "snapshot\n",
            restoring->ctl->args[1], when, summary->findings, summary->findings == 1 ? "" : "s",
            summary->shards, summary->sessions, summary->events);
}

int ss__ctl_restore(const struct ss_ctl *ctl)
{
    struct restoring restoring = { .ctl = ctl };
    struct ss_check_summary summary = { 0 };
    struct ss_failure failure = { 0 };
    struct ss_restore_options options = {
        .backup = ctl->args[0],
        .dir = ctl->args[1],
        .with_findings = ctl->force,
        .copier = { .rate = ctl->rate * MIB, .step = on_step, .ctx = &restoring },
        .begun = on_begun,
        .report = on_finding,
        .ctx = &restoring,
    };
    ss__interrupts_catch();
    int err = ss__restore(&options, &summary, &failure);
    if (restoring.progress.out != NULL) {
        ss__progress_end(&restoring.progress);
    }
    if (err == SS_E_CANCELED) {
        (void)ss__fail(&failure, err, "interrupted; nothing was restored");
    }
    if (err != 0) {
        return ss__ctl_fail(ctl, &failure);
    }
    print_restored(&restoring, &summary);
    return SS_CTL_OK;
}
