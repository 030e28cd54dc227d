#include "apps/chat/publish.h"

#include "apps/chat/names.h"
#include "sessionstream/examples/chatdemo/v1/chat.pb-c.h"

/* protobuf-c declares string fields as char *, but packing only reads them. */
static char *field(const char *text)
{
    return (char *)(uintptr_t)text;
}

int ss__chat_publish_accepted(struct ss_context *context, const char *id, const char *prompt)
{
    Sessionstream__Examples__Chatdemo__V1__UserMessageAcceptedEvent event;
    sessionstream__examples__chatdemo__v1__user_message_accepted_event__init(&event);
    event.message_id = field(id);
    event.role = field(SS_CHAT_ROLE_USER);
    event.content = field(prompt);
    return ss_publish(context, SS_CHAT_EVENT_ACCEPTED, &event.base);
}

int ss__chat_publish_started(struct ss_context *context, const char *id, const char *prompt)
{
    Sessionstream__Examples__Chatdemo__V1__InferenceStartedEvent event;
    sessionstream__examples__chatdemo__v1__inference_started_event__init(&event);
    event.message_id = field(id);
    event.prompt = field(prompt);
    event.role = field(SS_CHAT_ROLE_ASSISTANT);
    event.status = field(SS_CHAT_STREAMING);
    event.streaming = true;
    return ss_publish(context, SS_CHAT_EVENT_STARTED, &event.base);
}

int ss__chat_publish_delta(struct ss_context *context, const char *id, const char *chunk,
                           const char *text)
{
    Sessionstream__Examples__Chatdemo__V1__TokensDeltaEvent event;
    sessionstream__examples__chatdemo__v1__tokens_delta_event__init(&event);
    event.message_id = field(id);
    event.role = field(SS_CHAT_ROLE_ASSISTANT);
    event.chunk = field(chunk);
    event.text = field(text);
    event.content = field(text);
    event.status = field(SS_CHAT_STREAMING);
    event.streaming = true;
    return ss_publish(context, SS_CHAT_EVENT_DELTA, &event.base);
}

int ss__chat_publish_finished(struct ss_context *context, const char *id, const char *text)
{
    Sessionstream__Examples__Chatdemo__V1__InferenceFinishedEvent event;
    sessionstream__examples__chatdemo__v1__inference_finished_event__init(&event);
    event.message_id = field(id);
    event.role = field(SS_CHAT_ROLE_ASSISTANT);
    event.text = field(text);
    event.content = field(text);
    event.status = field(SS_CHAT_FINISHED);
    return ss_publish(context, SS_CHAT_EVENT_FINISHED, &event.base);
}

int ss__chat_publish_stopped(struct ss_context *context, const char *id, const char *text,
                             const char *status)
{
    Sessionstream__Examples__Chatdemo__V1__InferenceStoppedEvent event;
    sessionstream__examples__chatdemo__v1__inference_stopped_event__init(&event);
    event.message_id = field(id);
    event.role = field(SS_CHAT_ROLE_ASSISTANT);
    event.text = field(text);
    event.content = field(text);
    event.status = field(status);
    return ss_publish(context, SS_CHAT_EVENT_STOPPED, &event.base);
}
