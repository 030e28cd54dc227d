#include "apps/chat/project.h"

#include <inttypes.h>
#include <stdio.h>

#include "apps/chat/entity.h"
#include "apps/chat/names.h"
#include "sessionstream/examples/chatdemo/v1/chat.pb-c.h"

/* What an event says about its message, whatever its type. */
struct fact {
    const char *ui_name;
    struct ss_chat_message message;
    const char *chunk;
};

static const struct ss_chat_message nothing = { "", "", "", "", "", false };

static void read_accepted(const ProtobufCMessage *payload, struct fact *fact)
{
    const Sessionstream__Examples__Chatdemo__V1__UserMessageAcceptedEvent *event =
        (const Sessionstream__Examples__Chatdemo__V1__UserMessageAcceptedEvent *)payload;
    fact->message.id = event->message_id;
    fact->message.role = event->role;
    fact->message.text = event->content;
    fact->message.streaming = event->streaming;
}

static void read_started(const ProtobufCMessage *payload, struct fact *fact)
{
    const Sessionstream__Examples__Chatdemo__V1__InferenceStartedEvent *event =
        (const Sessionstream__Examples__Chatdemo__V1__InferenceStartedEvent *)payload;
    fact->message.id = event->message_id;
    fact->message.role = event->role;
    fact->message.prompt = event->prompt;
    fact->message.text = event->content;
    fact->message.status = event->status;
    fact->message.streaming = event->streaming;
}

static void read_delta(const ProtobufCMessage *payload, struct fact *fact)
{
    const Sessionstream__Examples__Chatdemo__V1__TokensDeltaEvent *event =
        (const Sessionstream__Examples__Chatdemo__V1__TokensDeltaEvent *)payload;
    fact->chunk = event->chunk;
    fact->message.id = event->message_id;
    fact->message.role = event->role;
    fact->message.text = event->text;
    fact->message.status = event->status;
    fact->message.streaming = event->streaming;
}

static void read_finished(const ProtobufCMessage *payload, struct fact *fact)
{
    const Sessionstream__Examples__Chatdemo__V1__InferenceFinishedEvent *event =
        (const Sessionstream__Examples__Chatdemo__V1__InferenceFinishedEvent *)payload;
    fact->message.id = event->message_id;
    fact->message.role = event->role;
    fact->message.text = event->text;
    fact->message.status = event->status;
    fact->message.streaming = event->streaming;
}

static void read_stopped(const ProtobufCMessage *payload, struct fact *fact)
{
    const Sessionstream__Examples__Chatdemo__V1__InferenceStoppedEvent *event =
        (const Sessionstream__Examples__Chatdemo__V1__InferenceStoppedEvent *)payload;
    fact->message.id = event->message_id;
    fact->message.role = event->role;
    fact->message.text = event->text;
    fact->message.status = event->status;
    fact->message.streaming = event->streaming;
}

static const struct {
    const char *event;
    const char *ui_name;
    void (*read)(const ProtobufCMessage *payload, struct fact *fact);
} readers[] = {
    { SS_CHAT_EVENT_DELTA, SS_CHAT_UI_APPENDED, read_delta },
    { SS_CHAT_EVENT_ACCEPTED, SS_CHAT_UI_ACCEPTED, read_accepted },
    { SS_CHAT_EVENT_STARTED, SS_CHAT_UI_STARTED, read_started },
    { SS_CHAT_EVENT_FINISHED, SS_CHAT_UI_FINISHED, read_finished },
    { SS_CHAT_EVENT_STOPPED, SS_CHAT_UI_STOPPED, read_stopped },
};

/* 1: read. 0: the event concerns no message. SS_E_NOMEM. */
static int read_fact(const struct ss_event *event, struct fact *ret_fact)
{
    for (size_t i = 0; i < sizeof readers / sizeof *readers; i++) {
        if (ss_event_is(event, readers[i].event)) {
            const ProtobufCMessage *payload = ss_event_payload(event);
            if (payload == NULL) {
                return SS_E_NOMEM;
            }
            *ret_fact = (struct fact){ readers[i].ui_name, nothing, "" };
            readers[i].read(payload, ret_fact);
            return ret_fact->message.id[0] != '\0';
        }
    }
    return 0;
}

/* protobuf-c declares string fields as char *, but packing only reads them. */
static char *field(const char *text)
{
    return (char *)(uintptr_t)text;
}

int ss__chat_project_ui(struct ss_ui *ui, const struct ss_event *event, const struct ss_view *view,
                        void *ctx)
{
    (void)view;
    (void)ctx;
    struct fact fact;
    int err = read_fact(event, &fact);
    if (err <= 0) {
        return err;
    }
    char ordinal[24];
    (void)snprintf(ordinal, sizeof ordinal, "%" PRIu64, event->ordinal);    /* 20 digits at most */
    Sessionstream__Examples__Chatdemo__V1__ChatMessageUpdate update;
    sessionstream__examples__chatdemo__v1__chat_message_update__init(&update);
    update.message_id = field(fact.message.id);
    update.role = field(fact.message.role);
    update.prompt = field(fact.message.prompt);
    update.chunk = field(fact.chunk);
    update.text = field(fact.message.text);
    update.content = field(fact.message.text);
    update.status = field(fact.message.status);
    update.streaming = fact.message.streaming;
    update.ordinal = ordinal;
    return ss_emit_ui(ui, fact.ui_name, &update.base);
}

int ss__chat_project_timeline(struct ss_timeline *timeline, const struct ss_event *event,
                              const struct ss_view *view, void *ctx)
{
    (void)ctx;
    struct fact fact;
    int err = read_fact(event, &fact);
    if (err <= 0) {
        return err;
    }
    struct ss_chat_message before;
    err = ss__chat_message_get(view, fact.message.id, &before);
    if (err == SS_E_NOMEM) {
        return err;
    }
    if (err == 0 && fact.message.prompt[0] == '\0') {
        fact.message.prompt = before.prompt;
    }
    return ss__chat_message_put(timeline, &fact.message);
}
