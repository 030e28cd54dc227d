/* lint.h - ss-lint: checks an application's message types. One thread; blocks on files. */
#ifndef SS_LINT_LINT_H
#define SS_LINT_LINT_H

#include <stdio.h>

enum ss_lint_exit { SS_LINT_CLEAN = 0, SS_LINT_FOUND = 1, SS_LINT_UNREADABLE = 2 };

/* Parses @argv (from [1] on), reads, checks and reports. Returns the exit status. */
int ss__lint_main(char *const *argv, FILE *out, FILE *err);

#endif
