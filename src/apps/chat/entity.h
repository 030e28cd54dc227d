/* entity.h - the timeline entity ChatMessage as a plain value.
 *
 * Strings are NUL-terminated UTF-8, "" when absent, borrowed from the payload they were read from.
 * Threads: the shard of the session. */
#ifndef SS_APPS_CHAT_ENTITY_H
#define SS_APPS_CHAT_ENTITY_H

#include <stdbool.h>

#include <sessionstream/projection.h>

struct ss_chat_message {
    const char *id;
    const char *role;
    const char *prompt;
    const char *text;
    const char *status;
    bool streaming;
};

/* Reads the payload of @entity, which must be a ChatMessage of @view. SS_E_NOMEM. */
int ss__chat_message_read(const struct ss_view *view, const struct ss_entity *entity,
                          struct ss_chat_message *ret_message);

/* Reads the message named @id. SS_E_NOTFOUND, SS_E_NOMEM. */
int ss__chat_message_get(const struct ss_view *view, const char *id,
                         struct ss_chat_message *ret_message);

/* Creates or replaces the message; content becomes its text. Errors: those of ss_put_entity. */
int ss__chat_message_put(struct ss_timeline *timeline, const struct ss_chat_message *message);

#endif
