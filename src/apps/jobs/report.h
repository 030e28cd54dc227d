/* report.h - what a job tells the board. Shard thread. */
#ifndef SS_APPS_JOBS_REPORT_H
#define SS_APPS_JOBS_REPORT_H

#include <sessionstream/handler.h>

/* Sends the job's state to the board. The board is a convenience: a report that cannot be sent is
 * left out, and the next one brings it up to date. */
void ss__jobs_send_report(struct ss_context *context);

/* On the board: asks the jobs that it shows as running what has become of them. Reports of those
 * that ended may have been lost with the process. */
void ss__jobs_ask_running(struct ss_context *context);

#endif
