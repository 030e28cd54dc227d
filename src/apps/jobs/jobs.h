/* jobs.h - the built-in application "jobs": a job runner. docs/jobs.md says what it shows. */
#ifndef SS_APPS_JOBS_JOBS_H
#define SS_APPS_JOBS_JOBS_H

#include <sessionstream/app.h>

extern const struct ss_app ss__app_jobs;

#endif
