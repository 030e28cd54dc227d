/* project.h - events of the application to entities and UI events. Pure (projection.h). */
#ifndef SS_APPS_JOBS_PROJECT_H
#define SS_APPS_JOBS_PROJECT_H

#include <sessionstream/projection.h>

#include "apps/jobs/names.h"
#include "sessionstream/examples/jobs/v1/jobs.pb-c.h"

/* Raise it when the same events would make other entities. */
#define SS_JOBS_TIMELINE_VERSION 1

/* Id of a step or log line: digits, so that they sort as their numbers. */
struct ss_jobs_id {
    char text[16];
};
struct ss_jobs_id ss__jobs_id(uint32_t number);

/* The job of the session, one of its steps; NULL: there is none. Valid during the call. */
const SS_JOBS(JobEntity) *ss__jobs_job(const struct ss_view *view);
const SS_JOBS(StepEntity) *ss__jobs_step(const struct ss_view *view, uint32_t number);

/* Both make the same of an event: one changes entities, the other tells followers their new
 * values. */
int ss__jobs_project_ui(struct ss_ui *ui, const struct ss_event *event, const struct ss_view *view,
                        void *ctx);
int ss__jobs_project_timeline(struct ss_timeline *timeline, const struct ss_event *event,
                              const struct ss_view *view, void *ctx);

#endif
