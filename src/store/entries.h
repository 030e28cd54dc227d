/* entries.h - the names in a directory, to the last one or with an error.
 *
 * readdir gives NULL for both: who does not tell them apart takes what is left for not there. */
#ifndef SS_STORE_ENTRIES_H
#define SS_STORE_ENTRIES_H

#include <dirent.h>

/* The next name but "." and "..", which lives until the next call; NULL behind the last. 0 or an
 * errno. Blocks on the disk. */
int ss__entries_next(DIR *dir, const char **ret_name);

#endif
