/* content.h - a data directory of two shards with something of everything, the work that is done
 * on it while calls fail, and what has to be true of it afterwards. One thread. */
#ifndef SS_FAULTS_STORE_CONTENT_H
#define SS_FAULTS_STORE_CONTENT_H

#include <stdbool.h>
#include <stdint.h>

#include <sessionstream/types.h>

#include "core/failure.h"

#define CONTENT_SESSIONS 14u
#define CONTENT_DELETED 11u    /* the work deletes it */
#define CONTENT_BORN 12u       /* the log has it and nothing else when the work begins */
#define CONTENT_NEW 13u        /* the work makes it */

/* What is known of the sessions: what was there or was acknowledged, and what was tried. */
struct content {
    uint64_t acked[CONTENT_SESSIONS];
    uint64_t tried[CONTENT_SESSIONS];
    bool keep;       /* nothing is to be deleted */
    bool deleted;
};

/* Judges the answer of a call: every error has to have a cause, and a sentence where there is a
 * @failure. Returns whether it went well. */
bool judge(const char *what, int err, const struct ss_failure *failure);

/* Makes it in @dir. */
void content_make(const char *dir, struct content *ret_content);

/* Opens @dir, reads, publishes, flushes, trims and deletes, and writes the backup "one" to
 * @backups. Returns whether the backup is there. */
bool content_work(const char *dir, const char *backups, struct content *content);

/* While nothing fails: @dir is sound and has what was acknowledged. */
void content_verify(const char *dir, const struct content *content);

#endif
