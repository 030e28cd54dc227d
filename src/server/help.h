/* help.h - "sessionstreamd help" and "ssctl help": the pages of docs/ in a terminal. */
#ifndef SS_SERVER_HELP_H
#define SS_SERVER_HELP_H

#include <stdbool.h>
#include <stdio.h>

enum ss_help_exit { SS_HELP_OK = 0, SS_HELP_FAILED = 1, SS_HELP_USAGE = 2 };

struct ss_help {
    const char *program;    /* as the reader calls it: "ssctl" */
    bool styled;            /* bold headings and the like; else plain text */
    FILE *out;
    FILE *err;
};

/* Answers the words behind "help", which end with NULL: none lists the topics, a topic prints its
 * page, --all prints every page, --markdown TOPIC the page as it is in docs/. Returns the exit
 * status: SS_HELP_USAGE with a message for an unknown topic or flag, SS_HELP_FAILED if @out cannot
 * be written. */
int ss__help_print(const struct ss_help *help, const char *const *words);

/* The same as a program does it: styles if @out is a terminal and NO_COLOR is not set, through
 * $PAGER if @out is a terminal and it is set. Blocks: on the pager. Starts a process. */
int ss__help_main(const char *program, const char *const *words, FILE *out, FILE *err);

#endif
