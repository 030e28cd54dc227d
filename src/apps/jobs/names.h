/* names.h - what the application is called in the registry and on the wire. */
#ifndef SS_APPS_JOBS_NAMES_H
#define SS_APPS_JOBS_NAMES_H

#define SS_JOBS_PACKAGE "sessionstream.examples.jobs.v1."

/* The generated struct of a message: SS_JOBS(JobEntity). */
#define SS_JOBS(message) Sessionstream__Examples__Jobs__V1__##message

#define SS_JOBS_RUNNING SESSIONSTREAM__EXAMPLES__JOBS__V1__STATE__STATE_RUNNING
#define SS_JOBS_WAITING SESSIONSTREAM__EXAMPLES__JOBS__V1__STATE__STATE_WAITING
#define SS_JOBS_DONE SESSIONSTREAM__EXAMPLES__JOBS__V1__STATE__STATE_DONE
#define SS_JOBS_FAILED SESSIONSTREAM__EXAMPLES__JOBS__V1__STATE__STATE_FAILED
#define SS_JOBS_CANCELED SESSIONSTREAM__EXAMPLES__JOBS__V1__STATE__STATE_CANCELED

/* The session that lists all jobs. */
#define SS_JOBS_BOARD "board"

/* A job has one entity of kind Job. */
#define SS_JOBS_JOB_ID "job"

/* Older log lines are removed. */
#define SS_JOBS_LOG_LINES 20

#define SS_JOBS_STEPS_MAX 50
#define SS_JOBS_TITLE_BYTES_MAX 200

#endif
