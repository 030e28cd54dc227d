/* chat.h - the built-in application "chat": one timeline of messages per session.
 *
 * ChatStartInference turns a prompt into a paced answer that echoes it; ChatStopInference cuts the
 * answer off. It shows the whole way of an event and serves its page under "/". */
#ifndef SS_APPS_CHAT_CHAT_H
#define SS_APPS_CHAT_CHAT_H

#include <sessionstream/app.h>

extern const struct ss_app ss__app_chat;

#endif
