#include "apps/jobs/jobs.h"

#include <stdlib.h>

#include "apps/jobs/names.h"
#include "apps/jobs/options.h"
#include "apps/jobs/page.h"
#include "apps/jobs/project.h"
#include "apps/jobs/run.h"
#include "sessionstream/examples/jobs/v1/jobs.descriptor.h"

#define DESCRIPTOR(message) &sessionstream__examples__jobs__v1__##message##__descriptor

static const ProtobufCMessageDescriptor *const generated[] = {
    DESCRIPTOR(start_job_command), DESCRIPTOR(cancel_job_command),
    DESCRIPTOR(retry_step_command), DESCRIPTOR(report_job_command),
    DESCRIPTOR(tell_board_command),
    DESCRIPTOR(job_accepted_event), DESCRIPTOR(step_started_event),
    DESCRIPTOR(step_done_event), DESCRIPTOR(step_failed_event),
    DESCRIPTOR(job_ended_event), DESCRIPTOR(log_written_event),
    DESCRIPTOR(job_reported_event), DESCRIPTOR(job_entity),
    DESCRIPTOR(step_entity), DESCRIPTOR(log_line_entity),
    DESCRIPTOR(board_entity), DESCRIPTOR(progress_update),
    DESCRIPTOR(log_line_removed_update),
};

struct entry {
    const char *name;
    const char *type;
    ss_command_fn *handler;
};

static const struct entry commands[] = {
    { "StartJob", SS_JOBS_PACKAGE "StartJobCommand", ss__jobs_start },
    { "CancelJob", SS_JOBS_PACKAGE "CancelJobCommand", ss__jobs_cancel },
    { "RetryStep", SS_JOBS_PACKAGE "RetryStepCommand", ss__jobs_retry },
    { "ReportJob", SS_JOBS_PACKAGE "ReportJobCommand", ss__jobs_report },
    { "TellBoard", SS_JOBS_PACKAGE "TellBoardCommand", ss__jobs_tell_board },
};

static const struct entry events[] = {
    { "JobAccepted", SS_JOBS_PACKAGE "JobAcceptedEvent", NULL },
    { "StepStarted", SS_JOBS_PACKAGE "StepStartedEvent", NULL },
    { "StepDone", SS_JOBS_PACKAGE "StepDoneEvent", NULL },
    { "StepFailed", SS_JOBS_PACKAGE "StepFailedEvent", NULL },
    { "JobEnded", SS_JOBS_PACKAGE "JobEndedEvent", NULL },
    { "LogWritten", SS_JOBS_PACKAGE "LogWrittenEvent", NULL },
    { "JobReported", SS_JOBS_PACKAGE "JobReportedEvent", NULL },
};

static const struct entry ui_events[] = {
    { "JobChanged", SS_JOBS_PACKAGE "JobEntity", NULL },
    { "StepChanged", SS_JOBS_PACKAGE "StepEntity", NULL },
    { "LogLineChanged", SS_JOBS_PACKAGE "LogLineEntity", NULL },
    { "BoardChanged", SS_JOBS_PACKAGE "BoardEntity", NULL },
    { "LogLineRemoved", SS_JOBS_PACKAGE "LogLineRemovedUpdate", NULL },
    { "Progress", SS_JOBS_PACKAGE "ProgressUpdate", NULL },
};

static const struct entry entities[] = {
    { "Job", SS_JOBS_PACKAGE "JobEntity", NULL },
    { "Step", SS_JOBS_PACKAGE "StepEntity", NULL },
    { "LogLine", SS_JOBS_PACKAGE "LogLineEntity", NULL },
    { "Board", SS_JOBS_PACKAGE "BoardEntity", NULL },
};

#define COUNT(array) (sizeof(array) / sizeof *(array))

static int load_types(struct ss_registry *registry)
{
    int err = ss_registry_load_descriptors(registry, jobs_descriptor_set, jobs_descriptor_set_len);
    for (size_t i = 0; err == 0 && i < COUNT(generated); i++) {
        err = ss_registry_attach(registry, generated[i]);
    }
    return err;
}

static int register_names(struct ss_registry *registry, struct ss_jobs_options *options)
{
    int err = 0;
    for (size_t i = 0; err == 0 && i < COUNT(commands); i++) {
        err = ss_register_command(registry, commands[i].name, commands[i].type,
                                  commands[i].handler, options);
    }
    for (size_t i = 0; err == 0 && i < COUNT(events); i++) {
        err = ss_register_event(registry, events[i].name, events[i].type);
    }
    for (size_t i = 0; err == 0 && i < COUNT(ui_events); i++) {
        err = ss_register_ui_event(registry, ui_events[i].name, ui_events[i].type);
    }
    for (size_t i = 0; err == 0 && i < COUNT(entities); i++) {
        err = ss_register_entity(registry, entities[i].name, entities[i].type, "timeline");
    }
    return err;
}

static int register_code(struct ss_registry *registry, struct ss_jobs_options *options)
{
    static const struct ss_session_hooks hooks = { .recover = ss__jobs_recover };
    int err = ss_register_ui_projection(registry, "ui", ss__jobs_project_ui, NULL);
    if (err == 0) {
        err = ss_register_timeline_projection(registry, "timeline", SS_JOBS_TIMELINE_VERSION,
                                              ss__jobs_project_timeline, NULL);
    }
    return err != 0 ? err : ss_register_session_hooks(registry, &hooks, options);
}

static int init_jobs(struct ss_registry *registry, const struct ss_app_settings *settings,
                     void **ret_state)
{
    struct ss_jobs_options *options = malloc(sizeof *options);
    if (options == NULL) {
        return SS_E_NOMEM;
    }
    int err = ss__jobs_options_read(settings, registry, options);
    if (err == 0) {
        err = load_types(registry);
    }
    if (err == 0) {
        err = register_names(registry, options);
    }
    if (err == 0) {
        err = register_code(registry, options);
    }
    if (err == 0) {
        err = ss__jobs_page_register(registry);
    }
    if (err != 0) {
        free(options);
        return err;
    }
    *ret_state = options;
    return 0;
}

static void deinit_jobs(void *state)
{
    free(state);
}

const struct ss_app ss__app_jobs = {
    .abi = SS_APP_ABI,
    .name = "jobs",
    .summary = "a job runner: steps, retries, progress, a log, and the page for it",
    .options = ss__jobs_option_table,
    .init = init_jobs,
    .deinit = deinit_jobs,
};
