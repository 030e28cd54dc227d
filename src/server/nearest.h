/* nearest.h - how far a mistyped name is from a known one. Any thread. */
#ifndef SS_SERVER_NEAREST_H
#define SS_SERVER_NEAREST_H

#include <sessionstream/types.h>

/* Longer names are compared by this many bytes. */
#define SS_NEAREST_BYTES_MAX 48

/* Levenshtein distance in bytes, '_' and '-' alike. */
unsigned ss__nearest_distance(struct ss_str a, struct ss_str b);

#endif
