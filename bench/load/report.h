/* report.h - what a run tells: progress, the summary, the JSON document. */
#ifndef SS_LOAD_REPORT_H
#define SS_LOAD_REPORT_H

#include <stdio.h>

#include "load/run.h"

struct ss_load_progress {
    uint64_t begin_ns;
    uint64_t shown_ns;
    struct ss_load_totals shown;
};

/* A line on stderr, at most once a second. */
void ss__load_progress_show(struct ss_load_progress *progress, const struct ss_load_run *run,
                            const struct ss_load_totals *totals);

/* Merges what the workers sampled, and prints their violations and errors on stderr. Their threads
 * have ended. */
void ss__load_report_samples(const struct ss_load_run *run, struct ss_load_result *result);

void ss__load_report_text(const struct ss_load_options *options,
                          const struct ss_load_result *result, FILE *out);
void ss__load_report_json(const struct ss_load_options *options,
                          const struct ss_load_result *result, FILE *out);

/* True if the server kept its promises; a peer has made none. */
bool ss__load_good(const struct ss_load_options *options, const struct ss_load_result *result);

#endif
