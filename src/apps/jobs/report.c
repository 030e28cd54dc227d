#include "apps/jobs/report.h"

#include <stdio.h>
#include <string.h>

#include <sessionstream/limits.h>

#include "apps/jobs/project.h"
#include "apps/jobs/run.h"

void ss__jobs_send_report(struct ss_context *context)
{
    const SS_JOBS(JobEntity) *job = ss__jobs_job(ss_context_view(context));
    struct ss_str id = ss_context_session_id(context);
    char session_id[SS_SESSION_ID_BYTES_MAX + 1];
    if (job == NULL) {
        return;
    }
    (void)snprintf(session_id, sizeof session_id, "%.*s", (int)id.len, id.data);    /* it fits */
    SS_JOBS(BoardEntity) entry = SESSIONSTREAM__EXAMPLES__JOBS__V1__BOARD_ENTITY__INIT;
    SS_JOBS(ReportJobCommand) report = SESSIONSTREAM__EXAMPLES__JOBS__V1__REPORT_JOB_COMMAND__INIT;
    entry.session_id = session_id;
    entry.title = job->title;
    entry.state = job->state;
    entry.steps = job->steps;
    entry.steps_done = job->steps_done;
    report.entry = &entry;
    (void)ss_send(context, ss_str(SS_JOBS_BOARD), "ReportJob", &report.base);
}

static bool ask(const struct ss_entity *entity, void *ctx)
{
    static const SS_JOBS(TellBoardCommand) tell =
        SESSIONSTREAM__EXAMPLES__JOBS__V1__TELL_BOARD_COMMAND__INIT;
    struct ss_context *context = ctx;
    const SS_JOBS(BoardEntity) *entry =
        (const SS_JOBS(BoardEntity) *)ss_entity_payload(ss_context_view(context), entity);
    return entry == NULL || entry->state != SS_JOBS_RUNNING ||
           ss_send(context, ss_str(entry->session_id), "TellBoard", &tell.base) == 0;
}

void ss__jobs_ask_running(struct ss_context *context)
{
    /* What one call may not send is asked after the next start. */
    (void)ss_view_each(ss_context_view(context), "Board", ask, context);
}

int ss__jobs_tell_board(struct ss_context *context, const struct ss_command *command, void *ctx)
{
    (void)command;
    (void)ctx;
    ss__jobs_send_report(context);
    return 0;
}

static bool is_entry(const SS_JOBS(BoardEntity) *entry)
{
    return entry != NULL && entry->session_id[0] != '\0' &&
           strlen(entry->session_id) <= SS_SESSION_ID_BYTES_MAX &&
           strlen(entry->title) <= SS_JOBS_TITLE_BYTES_MAX && entry->state >= SS_JOBS_RUNNING &&
           entry->state <= SS_JOBS_CANCELED && entry->steps <= SS_JOBS_STEPS_MAX &&
           entry->steps_done <= entry->steps;
}

int ss__jobs_report(struct ss_context *context, const struct ss_command *command, void *ctx)
{
    const SS_JOBS(ReportJobCommand) *report = (const SS_JOBS(ReportJobCommand) *)command->payload;
    SS_JOBS(JobReportedEvent) reported =
        SESSIONSTREAM__EXAMPLES__JOBS__V1__JOB_REPORTED_EVENT__INIT;
    (void)ctx;
    if (!ss_str_equal(command->session_id, ss_str(SS_JOBS_BOARD)) ||
        !is_entry(report->entry)) {
        return ss_fail(context, SS_E_INVAL, "a report names its job and goes to the board");
    }
    reported.entry = report->entry;
    return ss_publish(context, "JobReported", &reported.base);
}
