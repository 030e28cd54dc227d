/* progress.h - how far a long command is, on one line of a terminal; nothing without one. */
#ifndef SS_SERVER_PROGRESS_H
#define SS_SERVER_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct ss_progress {
    FILE *out;
    const char *what;      /* "copied" */
    uint64_t total;        /* bytes; 0: not known */
    uint64_t done;
    uint64_t begin_ns;     /* private from here on */
    uint64_t shown_ns;
    bool terminal;
};

void ss__progress_begin(struct ss_progress *progress, FILE *out, const char *what,
                        uint64_t total);

/* Shows it unless that was done a tenth of a second ago. @note: "shard 1 of 4"; may be empty. */
void ss__progress_show(struct ss_progress *progress, const char *note);

/* Takes the line away. */
void ss__progress_end(struct ss_progress *progress);

/* "12.5 MiB"; @out has SS_PROGRESS_SIZE_BYTES. */
#define SS_PROGRESS_SIZE_BYTES 24u
void ss__progress_size(char out[SS_PROGRESS_SIZE_BYTES], uint64_t bytes);

#endif
