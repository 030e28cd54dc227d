/* app.h - the application of the fault tests: notes whose entities hold the marks of all events
 * that were put into them, so that one applied twice, not at all or out of order shows.
 *
 * A text begins with its mark: up to a colon. Commands: Put publishes it; Many publishes it and two
 * more as one batch; Later publishes it, and once more from a task, and once more after a work. */
#ifndef SS_FAULTS_APP_H
#define SS_FAULTS_APP_H

#include <sessionstream/sessionstream.h>

#define APP_NOTE "sessionstream.test.notes.Note"
#define APP_MARK_BYTES 24

/* NULL: out of memory. */
struct ss_registry *app_registry(void);

/* Bytes of the mark of @text, colon included. */
size_t app_mark_len(const char *text);

#endif
