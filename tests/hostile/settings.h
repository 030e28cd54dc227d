/* settings.h - what the command line asks for. */
#ifndef SS_HOSTILE_SETTINGS_H
#define SS_HOSTILE_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

struct settings {
    const char *daemon;        /* program */
    const char *scenario;      /* NULL: all of the campaign */
    const char *group;         /* NULL: all groups */
    const char *durability;
    const char *extra_flag;    /* one more flag of the daemon with its value, or NULL */
    const char *extra_value;
    double seconds;            /* of each measured phase */
    double scale;              /* of every count and rate */
    double ratio_max;          /* of latencies; 0: it decides nothing */
    uint32_t rounds;           /* of a scenario, of which the median is judged; odd */
    uint32_t patience_ms;      /* how late an answer in time may be */
    uint32_t connections;      /* of the storm */
    uint32_t jobs;             /* scenarios at a time */
    bool in_step;              /* those that are slow act at the same moments */
    bool verbose;
    bool list;
};

/* Exits with status 2 and a text on a mistake, with 0 after --help. */
void settings_read(int argc, char **argv, struct settings *ret_settings);

/* @count in the size that was asked for, at least 1. */
uint32_t settings_count(const struct settings *settings, uint32_t count);

#endif
