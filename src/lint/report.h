/* report.h - the findings as lines for people and as JSON for programs. Pure; any thread. */
#ifndef SS_LINT_REPORT_H
#define SS_LINT_REPORT_H

#include "core/bytes.h"
#include "lint/findings.h"

/* One line for each: "FILE:LINE:COLUMN: LEVEL: SYMBOL: TEXT [RULE]", without what is not known, and
 * a last line with the counts if there are any. @quiet: errors only, no last line. @root, unless
 * NULL, goes before each file. Failure is in @out. */
void ss__lint_report_text(const struct ss_lint_findings *findings, const char *root, bool quiet,
                          struct ss_bytes *out);

/* One line, an object as in docs/schema-policy.md. Failure is in @out. */
void ss__lint_report_json(const struct ss_lint_findings *findings, const char *root,
                          struct ss_bytes *out);

#endif
