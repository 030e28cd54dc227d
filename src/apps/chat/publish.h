/* publish.h - one function per event of the application: message built, published, forgotten.
 *
 * Threads: the shard of the session. Errors: those of ss_publish. Strings are NUL-terminated
 * UTF-8 and borrowed during the call. */
#ifndef SS_APPS_CHAT_PUBLISH_H
#define SS_APPS_CHAT_PUBLISH_H

#include <sessionstream/handler.h>

int ss__chat_publish_accepted(struct ss_context *context, const char *id, const char *prompt);

int ss__chat_publish_started(struct ss_context *context, const char *id, const char *prompt);

/* @text: all that was said so far, @chunk included. */
int ss__chat_publish_delta(struct ss_context *context, const char *id, const char *chunk,
                           const char *text);

int ss__chat_publish_finished(struct ss_context *context, const char *id, const char *text);

/* @status: SS_CHAT_STOPPED or SS_CHAT_INTERRUPTED. */
int ss__chat_publish_stopped(struct ss_context *context, const char *id, const char *text,
                             const char *status);

#endif
