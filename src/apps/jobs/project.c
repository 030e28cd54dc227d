#include "apps/jobs/project.h"

#include <stdio.h>

/* Where the changes of an event go: one of the two is NULL. */
struct sink {
    struct ss_timeline *timeline;
    struct ss_ui *ui;
};

struct ss_jobs_id ss__jobs_id(uint32_t number)
{
    struct ss_jobs_id id;
    (void)snprintf(id.text, sizeof id.text, "%06u", number);    /* 10 digits at most */
    return id;
}

static const ProtobufCMessage *get(const struct ss_view *view, const char *kind, const char *id)
{
    const struct ss_entity *entity = ss_view_get(view, kind, ss_str(id));
    return entity == NULL ? NULL : ss_entity_payload(view, entity);
}

const SS_JOBS(JobEntity) *ss__jobs_job(const struct ss_view *view)
{
    return (const SS_JOBS(JobEntity) *)get(view, "Job", SS_JOBS_JOB_ID);
}

const SS_JOBS(StepEntity) *ss__jobs_step(const struct ss_view *view, uint32_t number)
{
    return (const SS_JOBS(StepEntity) *)get(view, "Step", ss__jobs_id(number).text);
}

static int put(const struct sink *sink, const char *kind, const char *id,
               const ProtobufCMessage *entity)
{
    char name[32];
    if (sink->timeline != NULL) {
        return ss_put_entity(sink->timeline, kind, ss_str(id), entity);
    }
    (void)snprintf(name, sizeof name, "%sChanged", kind);    /* kinds are short */
    return ss_emit_ui(sink->ui, name, entity);
}

static int put_job(const struct sink *sink, const SS_JOBS(JobEntity) *job)
{
    return put(sink, "Job", SS_JOBS_JOB_ID, &job->base);
}

static int put_step(const struct sink *sink, const SS_JOBS(StepEntity) *step)
{
    return put(sink, "Step", ss__jobs_id(step->number).text, &step->base);
}

static int accepted(const struct sink *sink, const SS_JOBS(JobAcceptedEvent) *event)
{
    SS_JOBS(JobEntity) job = SESSIONSTREAM__EXAMPLES__JOBS__V1__JOB_ENTITY__INIT;
    job.title = event->title;
    job.state = SS_JOBS_RUNNING;
    job.steps = event->steps;
    job.fail_step = event->fail_step;
    job.failures = event->failures;
    return put_job(sink, &job);
}

static int step_started(const struct sink *sink, const SS_JOBS(StepStartedEvent) *event,
                        SS_JOBS(JobEntity) *job)
{
    SS_JOBS(StepEntity) step = SESSIONSTREAM__EXAMPLES__JOBS__V1__STEP_ENTITY__INIT;
    step.number = job->step = event->step;
    step.state = job->state = SS_JOBS_RUNNING;
    step.attempt = event->attempt;
    int err = put_step(sink, &step);
    return err != 0 ? err : put_job(sink, job);
}

static int step_done(const struct sink *sink, SS_JOBS(JobEntity) *job, SS_JOBS(StepEntity) *step)
{
    step->state = SS_JOBS_DONE;
    job->steps_done = step->number;
    int err = put_step(sink, step);
    return err != 0 ? err : put_job(sink, job);
}

static int step_failed(const struct sink *sink, const SS_JOBS(StepFailedEvent) *event,
                       SS_JOBS(StepEntity) *step)
{
    step->state = event->retry_at_ms != 0 ? SS_JOBS_WAITING : SS_JOBS_FAILED;
    step->retry_at_ms = event->retry_at_ms;
    return put_step(sink, step);
}

static int ended(const struct sink *sink, const SS_JOBS(JobEndedEvent) *event,
                 SS_JOBS(JobEntity) *job, SS_JOBS(StepEntity) *step)
{
    job->state = event->state;
    if (event->state == SS_JOBS_CANCELED && step != NULL) {
        step->state = SS_JOBS_CANCELED;
        int err = put_step(sink, step);
        if (err != 0) {
            return err;
        }
    }
    return put_job(sink, job);
}

static int remove_line(const struct sink *sink, uint32_t number)
{
    if (sink->timeline != NULL) {
        return ss_tombstone(sink->timeline, "LogLine", ss_str(ss__jobs_id(number).text));
    }
    SS_JOBS(LogLineRemovedUpdate) update =
        SESSIONSTREAM__EXAMPLES__JOBS__V1__LOG_LINE_REMOVED_UPDATE__INIT;
    update.number = number;
    return ss_emit_ui(sink->ui, "LogLineRemoved", &update.base);
}

static int log_written(const struct sink *sink, const SS_JOBS(LogWrittenEvent) *event,
                       SS_JOBS(JobEntity) *job, uint64_t time_us)
{
    SS_JOBS(LogLineEntity) line = SESSIONSTREAM__EXAMPLES__JOBS__V1__LOG_LINE_ENTITY__INIT;
    line.number = job->log_lines = event->number;
    line.text = event->text;
    line.time_ms = time_us / 1000;
    int err = put(sink, "LogLine", ss__jobs_id(line.number).text, &line.base);
    if (err == 0 && line.number > SS_JOBS_LOG_LINES) {
        err = remove_line(sink, line.number - SS_JOBS_LOG_LINES);
    }
    return err != 0 ? err : put_job(sink, job);
}

/* An event of a job that exists. */
static int project_progress(const struct sink *sink, const struct ss_event *event,
                            const void *payload, const struct ss_view *view)
{
    const SS_JOBS(JobEntity) *before = ss__jobs_job(view);
    if (before == NULL) {
        return 0;    /* published past the handlers: there is nothing it could be about */
    }
    SS_JOBS(JobEntity) job = *before;
    if (ss_event_is(event, "StepStarted")) {
        return step_started(sink, payload, &job);
    }
    if (ss_event_is(event, "LogWritten")) {
        return log_written(sink, payload, &job, event->time_us);
    }
    const SS_JOBS(StepEntity) *current = ss__jobs_step(view, job.step);
    SS_JOBS(StepEntity) step = SESSIONSTREAM__EXAMPLES__JOBS__V1__STEP_ENTITY__INIT;
    if (current != NULL) {
        step = *current;
    }
    if (ss_event_is(event, "JobEnded")) {
        return ended(sink, payload, &job, current == NULL ? NULL : &step);
    }
    if (current == NULL) {
        return 0;
    }
    return ss_event_is(event, "StepDone") ? step_done(sink, &job, &step)
                                          : step_failed(sink, payload, &step);
}

static int project(const struct sink *sink, const struct ss_event *event,
                   const struct ss_view *view)
{
    const void *payload = ss_event_payload(event);
    if (payload == NULL) {
        return SS_E_NOMEM;
    }
    if (ss_event_is(event, "JobAccepted")) {
        return accepted(sink, payload);
    }
    if (ss_event_is(event, "JobReported")) {
        const SS_JOBS(JobReportedEvent) *reported = payload;
        return reported->entry == NULL
                   ? 0
                   : put(sink, "Board", reported->entry->session_id, &reported->entry->base);
    }
    return project_progress(sink, event, payload, view);
}

int ss__jobs_project_ui(struct ss_ui *ui, const struct ss_event *event, const struct ss_view *view,
                        void *ctx)
{
    struct sink sink = { .ui = ui };
    (void)ctx;
    return project(&sink, event, view);
}

int ss__jobs_project_timeline(struct ss_timeline *timeline, const struct ss_event *event,
                              const struct ss_view *view, void *ctx)
{
    struct sink sink = { .timeline = timeline };
    (void)ctx;
    return project(&sink, event, view);
}
