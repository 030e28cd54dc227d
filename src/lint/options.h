/* options.h - the command line of ss-lint. One thread. */
#ifndef SS_LINT_OPTIONS_H
#define SS_LINT_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "lint/rules.h"

enum ss_lint_action { SS_LINT_RUN, SS_LINT_HELP, SS_LINT_LIST_RULES, SS_LINT_VERSION };

/* Texts are borrowed from the command line. */
struct ss_lint_options {
    enum ss_lint_action action;
    const char *app;              /* NULL: none */
    const char *previous;         /* NULL: none */
    const char *save;             /* NULL: none */
    const char *source_root;      /* NULL: none */
    bool with_clients;
    bool json;
    bool quiet;
    char **app_options;
    size_t app_option_count;
    char **ignored;               /* what names of files begin with */
    size_t ignored_count;
    char **sets;                  /* paths */
    size_t set_count;
    struct ss_lint_rules rules;
};

/* Parses @argv from [1] on. Errors: SS_E_CONFIG (names the argument), SS_E_NOMEM. @options must be
 * given to deinit also after an error. */
int ss__lint_options_parse(char *const *argv, struct ss_lint_options *options,
                           struct ss_failure *failure);
void ss__lint_options_deinit(struct ss_lint_options *options);

void ss__lint_print_help(FILE *out);

#endif
