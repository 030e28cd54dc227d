/* The job runner on a shard that is stepped: blocking work runs inline, time is given. */
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "apps/jobs/jobs.h"
#include "apps/jobs/names.h"
#include "engine/app_settings.h"
#include "sessionstream/examples/jobs/v1/jobs.pb-c.h"
#include "shard/shard.h"
#include "ss_test.h"

struct fixture {
    char dir[64];
    struct ss_registry *registry;
    struct ss_app_settings *settings;
    void *app;
    struct ss_transport transport;
    struct ss_shard_stats *stats;
    struct ss_inbox *gateway;
    struct ss_shard *shard;
    int err;                /* of the newest command */
    uint64_t ordinal;
};

/* The clock of the tests; one process runs one test at a time. */
static uint64_t now_ns;

static uint64_t monotonic(struct ss_clock *clock)
{
    (void)clock;
    return now_ns;
}

static uint64_t wall(struct ss_clock *clock)
{
    (void)clock;
    return 1700000000000000u + now_ns / 1000;
}

static struct ss_clock fake_clock = { monotonic, wall };

static void open_shard(struct fixture *f)
{
    struct ss_failure failure = { 0 };
    struct ss_shard_options options = { .registry = f->registry,
                                        .transport = &f->transport,
                                        .stats = f->stats,
                                        .gateways = &f->gateway,
                                        .gateways_count = 1,
                                        .clock = &fake_clock,
                                        .session_cache_bytes = UINT64_C(1) << 30,
                                        .snapshot_frame_bytes = SS_SNAPSHOT_FRAME_BYTES_MAX,
                                        .snapshot_inline_bytes = SS_SNAPSHOT_INLINE_BYTES };
    ss__store_options_init(&options.store);
    options.store.dir = f->dir;
    options.store.map_bytes = UINT64_C(64) << 20;
    options.store.min_free_bytes = 0;
    options.store.clock = &fake_clock;
    ss_check_msg(ss__shard_new(&options, &f->shard, &failure) == 0, "%s", failure.text);
}

/* Until nothing is left to do, works that come back included. */
static void step_all(struct fixture *f)
{
    while (ss__shard_step(f->shard) || ss__inbox_depth(ss__shard_inbox(f->shard)) > 0) {
    }
}

static void fixture_init(struct fixture *f)
{
    static char no_time[] = "step_ms=0";
    static char soon[] = "retry_ms=5000";
    char *given[] = { no_time, soon };
    *f = (struct fixture){ .dir = "/tmp/ss-jobs-XXXXXX" };
    now_ns = UINT64_C(1000000000);
    ss_check(mkdtemp(f->dir) != NULL);
    f->registry = ss_registry_new();
    f->stats = calloc(1, sizeof *f->stats);
    ss_check(f->registry != NULL && f->stats != NULL);
    ss_check(ss__app_settings_new(&ss__app_jobs, given, 2, &f->settings, NULL) == 0);
    int err = ss__app_jobs.init(f->registry, f->settings, &f->app);
    ss_check_msg(err == 0, "%s", ss_registry_error(f->registry));
    ss_check(ss__transport_load(f->registry->schema, NULL) == 0);
    ss_check(ss__registry_freeze(f->registry) == 0);
    ss_check(ss__transport_init(&f->transport, f->registry->schema, NULL) == 0);
    ss_check(ss__inbox_new(65536, UINT64_C(64) << 20, &f->gateway) == 0);
    open_shard(f);
}

static int remove_one(const char *path, const struct stat *info, int flag, struct FTW *at)
{
    (void)info;
    (void)flag;
    (void)at;
    return remove(path);
}

static void fixture_deinit(struct fixture *f)
{
    ss__shard_close(f->shard);
    ss__shard_free(f->shard);
    for (struct ss_inbox_node *node; (node = ss__inbox_take(f->gateway)) != NULL;) {
        ss__msg_free(ss__msg_of(node));
    }
    ss__inbox_unref(f->gateway);
    ss__app_jobs.deinit(f->app);
    ss__app_settings_free(f->settings);
    ss_registry_free(f->registry);
    free(f->stats);
    ss_check(nftw(f->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS) == 0);
}

static void on_done(const struct ss_result *result, void *ctx)
{
    struct fixture *f = ctx;
    f->err = result->err;
    f->ordinal = result->ordinal;
}

static void post(struct fixture *f, const char *session, const char *command,
                 const ProtobufCMessage *payload)
{
    uint8_t packed[1024];
    ss_check(protobuf_c_message_get_packed_size(payload) <= sizeof packed);
    struct ss_str bytes = ss_str_of(packed, protobuf_c_message_pack(payload, packed));
    struct ss_request *request =
        ss__request_new(SS_REQUEST_SUBMIT, ss_str(session), ss_str(NULL), bytes);
    ss_check(request != NULL);
    request->name = ss__registry_find(f->registry, SS_SPACE_COMMAND, ss_str(command));
    request->done = on_done;
    request->ctx = f;
    ss_check(request->name != NULL);
    ss_check(ss__inbox_post(ss__shard_inbox(f->shard), &request->base.node, SS_POST_OUTSIDE) == 0);
    step_all(f);
}

static void start(struct fixture *f, const char *session, uint32_t steps, uint32_t fail_step,
                  uint32_t failures)
{
    SS_JOBS(StartJobCommand) command = SESSIONSTREAM__EXAMPLES__JOBS__V1__START_JOB_COMMAND__INIT;
    char title[] = "Import";
    command.title = title;
    command.steps = steps;
    command.fail_step = fail_step;
    command.failures = failures;
    post(f, session, "StartJob", &command.base);
}

static void cancel(struct fixture *f, const char *session)
{
    SS_JOBS(CancelJobCommand) command = SESSIONSTREAM__EXAMPLES__JOBS__V1__CANCEL_JOB_COMMAND__INIT;
    post(f, session, "CancelJob", &command.base);
}

static void retry(struct fixture *f, const char *session, uint32_t step)
{
    SS_JOBS(RetryStepCommand) command = SESSIONSTREAM__EXAMPLES__JOBS__V1__RETRY_STEP_COMMAND__INIT;
    command.step = step;
    post(f, session, "RetryStep", &command.base);
}

/* The session's entities as JSON; until the next call. */
static const char *entities(struct fixture *f, const char *session)
{
    static char text[1 << 16];
    for (struct ss_inbox_node *node; (node = ss__inbox_take(f->gateway)) != NULL;) {
        ss__msg_free(ss__msg_of(node));
    }
    struct ss_request *request =
        ss__request_new(SS_REQUEST_SNAPSHOT, ss_str(session), ss_str(NULL), ss_str(NULL));
    ss_check(request != NULL);
    request->connection = (struct ss_connection_id){ 0, 1, 1 };
    ss_check(ss__inbox_post(ss__shard_inbox(f->shard), &request->base.node, SS_POST_OUTSIDE) == 0);
    step_all(f);
    struct ss_inbox_node *node = ss__inbox_take(f->gateway);
    ss_check(node != NULL && ss__msg_of(node)->kind == SS_MSG_REPLY);
    request = (struct ss_request *)(void *)ss__msg_of(node);
    ss_check(request->err == 0);
    (void)snprintf(text, sizeof text, "%.*s", (int)request->snapshot->len,
                   (const char *)request->snapshot->data);
    ss__msg_free(&request->base);
    return text;
}

static unsigned count(const char *text, const char *part)
{
    unsigned found = 0;
    for (const char *at = text; (at = strstr(at, part)) != NULL; at += strlen(part)) {
        found++;
    }
    return found;
}

SS_TEST(jobs, a_job_goes_from_step_to_step_and_is_on_the_board)
{
    struct fixture f;
    fixture_init(&f);
    start(&f, "j", 3, 0, 0);
    ss_check(f.err == 0);
    ss_check(count(entities(&f, "j"), "STATE_DONE") == 4);    /* three steps and the job */
    ss_check(strstr(entities(&f, "board"), "\"sessionId\":\"j\"") != NULL);
    ss_check(count(entities(&f, "board"), "STATE_DONE") == 1);
    fixture_deinit(&f);
}

SS_TEST(jobs, refuse_what_makes_no_sense)
{
    struct fixture f;
    fixture_init(&f);
    start(&f, "j", SS_JOBS_STEPS_MAX + 1, 0, 0);
    ss_check(f.err == SS_E_TOOBIG);
    start(&f, SS_JOBS_BOARD, 1, 0, 0);
    ss_check(f.err == SS_E_INVAL);
    cancel(&f, "j");
    ss_check(f.err == SS_E_NOTFOUND);
    retry(&f, "j", 1);
    ss_check(f.err == SS_E_NOTFOUND);
    SS_JOBS(ReportJobCommand) report = SESSIONSTREAM__EXAMPLES__JOBS__V1__REPORT_JOB_COMMAND__INIT;
    post(&f, SS_JOBS_BOARD, "ReportJob", &report.base);
    ss_check(f.err == SS_E_INVAL);
    start(&f, "j", 1, 0, 0);
    start(&f, "j", 1, 0, 0);
    ss_check(f.err == SS_E_EXISTS);
    fixture_deinit(&f);
}

static void report(struct fixture *f, const char *session, SS_JOBS(State) state, uint32_t done,
                   char *title)
{
    SS_JOBS(BoardEntity) entry = SESSIONSTREAM__EXAMPLES__JOBS__V1__BOARD_ENTITY__INIT;
    SS_JOBS(ReportJobCommand) command = SESSIONSTREAM__EXAMPLES__JOBS__V1__REPORT_JOB_COMMAND__INIT;
    char id[64];
    (void)snprintf(id, sizeof id, "%s", session);
    entry.session_id = id;
    entry.title = title;
    entry.state = state;
    entry.steps = 3;
    entry.steps_done = done;
    command.entry = &entry;
    post(f, SS_JOBS_BOARD, "ReportJob", &command.base);
}

SS_TEST(jobs, the_board_takes_what_a_job_could_be_and_nothing_else)
{
    char title[] = "Import";
    static char wide[SS_JOBS_TITLE_BYTES_MAX + 2];
    struct fixture f;
    fixture_init(&f);
    memset(wide, 'x', sizeof wide - 1);
    report(&f, "j", SS_JOBS_RUNNING, 1, title);
    ss_check(f.err == 0);
    report(&f, "j", SS_JOBS_RUNNING, 4, title);
    ss_check(f.err == SS_E_INVAL);
    report(&f, "j", SS_JOBS_CANCELED + 1, 1, title);
    ss_check(f.err == SS_E_INVAL);
    report(&f, "j", SS_JOBS_RUNNING, 1, wide);
    ss_check(f.err == SS_E_INVAL);
    report(&f, "", SS_JOBS_RUNNING, 1, title);
    ss_check(f.err == SS_E_INVAL);
    ss_check(count(entities(&f, SS_JOBS_BOARD), "\"kind\"") == 1);
    fixture_deinit(&f);
}

/* The last report of a job that ended has nobody who would repeat it. */
SS_TEST(jobs, the_board_asks_for_reports_that_a_crash_has_lost)
{
    char title[] = "Import";
    struct fixture f;
    fixture_init(&f);
    start(&f, "j", 3, 0, 0);
    report(&f, "j", SS_JOBS_RUNNING, 2, title);    /* as if the last one had not come */
    report(&f, "gone", SS_JOBS_RUNNING, 2, title);
    ss_check(count(entities(&f, SS_JOBS_BOARD), "STATE_RUNNING") == 2);
    ss__shard_free(f.shard);    /* nothing is closed */
    open_shard(&f);
    step_all(&f);
    (void)entities(&f, SS_JOBS_BOARD);
    step_all(&f);
    const char *board = entities(&f, SS_JOBS_BOARD);
    ss_check_msg(count(board, "STATE_DONE") == 1 && count(board, "\"stepsDone\":3") == 1, "%s",
                 board);
    ss_check(count(entities(&f, "gone"), "\"kind\"") == 0);
    fixture_deinit(&f);
}

SS_TEST(jobs, a_job_that_goes_on_after_a_crash_is_on_the_board)
{
    char title[] = "Import";
    struct fixture f;
    fixture_init(&f);
    start(&f, "j", 1, 1, 1);
    report(&f, "j", SS_JOBS_FAILED, 0, title);    /* what the board had heard is wrong */
    ss__shard_free(f.shard);
    open_shard(&f);
    step_all(&f);
    ss_check(count(entities(&f, SS_JOBS_BOARD), "STATE_RUNNING") == 1);
    fixture_deinit(&f);
}

SS_TEST(jobs, a_step_is_retried_once_however_often_it_is_asked_for)
{
    struct fixture f;
    fixture_init(&f);
    start(&f, "j", 1, 1, 1);
    retry(&f, "j", 1);
    ss_check(f.err == 0 && count(entities(&f, "j"), "STATE_DONE") == 2);
    retry(&f, "j", 1);
    ss_check(f.err == SS_E_NOTFOUND);
    now_ns += UINT64_C(6000000000);    /* the timer of the first attempt */
    step_all(&f);
    ss_check(strstr(entities(&f, "j"), "\"attempt\":2") != NULL);
    ss_check(count(entities(&f, "j"), "is done") == 1);
    fixture_deinit(&f);
}

SS_TEST(jobs, a_step_that_fails_is_tried_again_when_its_time_has_come)
{
    struct fixture f;
    fixture_init(&f);
    start(&f, "j", 2, 1, 1);
    ss_check(count(entities(&f, "j"), "STATE_WAITING") == 1);
    now_ns += UINT64_C(4999000000);
    step_all(&f);
    ss_check(count(entities(&f, "j"), "STATE_WAITING") == 1);
    now_ns += UINT64_C(2000000);
    step_all(&f);
    ss_check(count(entities(&f, "j"), "STATE_DONE") == 3);
    ss_check(strstr(entities(&f, "j"), "\"attempt\":2") != NULL);
    fixture_deinit(&f);
}

SS_TEST(jobs, the_last_attempt_fails_the_job_and_a_person_may_retry)
{
    struct fixture f;
    fixture_init(&f);
    start(&f, "j", 1, 1, 2);
    now_ns += UINT64_C(5001000000);
    step_all(&f);
    ss_check(count(entities(&f, "j"), "STATE_FAILED") == 2);    /* step and job */
    retry(&f, "j", 1);
    ss_check(f.err == 0 && count(entities(&f, "j"), "STATE_DONE") == 2);
    fixture_deinit(&f);
}

SS_TEST(jobs, a_timer_of_a_cancelled_job_does_nothing)
{
    struct fixture f;
    fixture_init(&f);
    start(&f, "j", 1, 1, 1);
    cancel(&f, "j");
    ss_check(f.err == 0 && count(entities(&f, "j"), "STATE_CANCELED") == 2);
    now_ns += UINT64_C(6000000000);
    step_all(&f);
    ss_check(count(entities(&f, "j"), "STATE_CANCELED") == 2);
    fixture_deinit(&f);
}

SS_TEST(jobs, a_timer_goes_on_in_the_next_process)
{
    struct fixture f;
    fixture_init(&f);
    start(&f, "j", 1, 1, 1);
    ss__shard_free(f.shard);    /* nothing is closed */
    now_ns += UINT64_C(3000000000);
    open_shard(&f);
    step_all(&f);
    ss_check(count(entities(&f, "j"), "STATE_WAITING") == 1);
    now_ns += UINT64_C(2100000000);    /* 5.1 s after the failure */
    step_all(&f);
    ss_check(count(entities(&f, "j"), "STATE_DONE") == 2);
    ss_check(strstr(entities(&f, "j"), "the server came back") != NULL);
    fixture_deinit(&f);
}

SS_TEST(jobs, old_log_lines_are_removed)
{
    struct fixture f;
    fixture_init(&f);
    start(&f, "j", 30, 0, 0);
    ss_check(count(entities(&f, "j"), "\"kind\":\"LogLine\"") == SS_JOBS_LOG_LINES);
    fixture_deinit(&f);
}

SS_TEST(jobs, options_have_limits)
{
    static const char *const wrong[] = { "step_ms=600001", "step_ms=", "retry_ms=x", "attempts=0",
                                         "attempts=11", "step_ms=9999999999" };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct ss_app_settings *settings;
        char text[32];
        char *given[] = { text };
        void *state;
        (void)snprintf(text, sizeof text, "%s", wrong[i]);
        struct ss_registry *registry = ss_registry_new();
        ss_check(ss__app_settings_new(&ss__app_jobs, given, 1, &settings, NULL) == 0);
        ss_check(ss__app_jobs.init(registry, settings, &state) == SS_E_CONFIG);
        ss_check(strstr(ss_registry_error(registry), "give a whole number") != NULL);
        ss__app_settings_free(settings);
        ss_registry_free(registry);
    }
}
