#include "apps/chat/entity.h"

#include "apps/chat/names.h"
#include "sessionstream/examples/chatdemo/v1/chat.pb-c.h"

int ss__chat_message_read(const struct ss_view *view, const struct ss_entity *entity,
                          struct ss_chat_message *ret_message)
{
    const Sessionstream__Examples__Chatdemo__V1__ChatMessageEntity *payload =
        (const Sessionstream__Examples__Chatdemo__V1__ChatMessageEntity *)ss_entity_payload(view,
                                                                                         entity);
    if (payload == NULL) {
        return SS_E_NOMEM;
    }
    *ret_message = (struct ss_chat_message){
        .id = payload->message_id,
        .role = payload->role,
        .prompt = payload->prompt,
        .text = payload->text,
        .status = payload->status,
        .streaming = payload->streaming,
    };
    return 0;
}

int ss__chat_message_get(const struct ss_view *view, const char *id,
                         struct ss_chat_message *ret_message)
{
    const struct ss_entity *entity = ss_view_get(view, SS_CHAT_ENTITY, ss_str(id));
    return entity == NULL ? SS_E_NOTFOUND : ss__chat_message_read(view, entity, ret_message);
}

/* protobuf-c declares string fields as char *, but packing only reads them. */
static char *field(const char *text)
{
    return (char *)(uintptr_t)text;
}

int ss__chat_message_put(struct ss_timeline *timeline, const struct ss_chat_message *message)
{
    Sessionstream__Examples__Chatdemo__V1__ChatMessageEntity payload;
    sessionstream__examples__chatdemo__v1__chat_message_entity__init(&payload);
    payload.message_id = field(message->id);
    payload.role = field(message->role);
    payload.prompt = field(message->prompt);
    payload.text = field(message->text);
    payload.content = field(message->text);
    payload.status = field(message->status);
    payload.streaming = message->streaming;
    return ss_put_entity(timeline, SS_CHAT_ENTITY, ss_str(message->id), &payload.base);
}
