/* run.h - commands of a job, and its way from step to step.
 *
 * Everything a job knows is in its entities: what comes back from a thread or a timer names its
 * step and attempt, and finds out there whether it still counts. So nothing has to be undone when a
 * job is cancelled, when a commit fails or when the process dies: the recover hook reads the
 * entities and starts again what they say is under way.
 *
 * Threads: the shard of the session; ctx is const struct ss_jobs_options. */
#ifndef SS_APPS_JOBS_RUN_H
#define SS_APPS_JOBS_RUN_H

#include <stdbool.h>

#include <sessionstream/handler.h>

/* StartJob. Errors: SS_E_EXISTS (the session has its job), SS_E_INVAL, SS_E_TOOBIG. */
int ss__jobs_start(struct ss_context *context, const struct ss_command *command, void *ctx);

/* CancelJob. Errors: SS_E_NOTFOUND (no job is under way). */
int ss__jobs_cancel(struct ss_context *context, const struct ss_command *command, void *ctx);

/* RetryStep: a step that failed or waits is tried at once. Errors: SS_E_NOTFOUND. */
int ss__jobs_retry(struct ss_context *context, const struct ss_command *command, void *ctx);

/* ReportJob, on the board. Errors: SS_E_INVAL. */
int ss__jobs_report(struct ss_context *context, const struct ss_command *command, void *ctx);

/* TellBoard, from the board: the job reports to it. */
int ss__jobs_tell_board(struct ss_context *context, const struct ss_command *command, void *ctx);

/* Goes on where the last process stopped. */
void ss__jobs_recover(struct ss_context *context, bool was_running, void *ctx);

#endif
