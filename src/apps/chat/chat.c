#include "apps/chat/chat.h"

#include <stdlib.h>

#include "apps/chat/names.h"
#include "apps/chat/options.h"
#include "apps/chat/page.h"
#include "apps/chat/project.h"
#include "apps/chat/run.h"
#include "sessionstream/examples/chatdemo/v1/chat.descriptor.h"
#include "sessionstream/examples/chatdemo/v1/chat.pb-c.h"

static const ProtobufCMessageDescriptor *const generated[] = {
    &sessionstream__examples__chatdemo__v1__start_inference_command__descriptor,
    &sessionstream__examples__chatdemo__v1__stop_inference_command__descriptor,
    &sessionstream__examples__chatdemo__v1__user_message_accepted_event__descriptor,
    &sessionstream__examples__chatdemo__v1__inference_started_event__descriptor,
    &sessionstream__examples__chatdemo__v1__tokens_delta_event__descriptor,
    &sessionstream__examples__chatdemo__v1__inference_trace_event__descriptor,
    &sessionstream__examples__chatdemo__v1__inference_finished_event__descriptor,
    &sessionstream__examples__chatdemo__v1__inference_stopped_event__descriptor,
    &sessionstream__examples__chatdemo__v1__chat_message_update__descriptor,
    &sessionstream__examples__chatdemo__v1__chat_message_entity__descriptor,
};

static const struct {
    const char *name;
    const char *type;
} events[] = {
    { SS_CHAT_EVENT_ACCEPTED, SS_CHAT_PACKAGE "UserMessageAcceptedEvent" },
    { SS_CHAT_EVENT_STARTED, SS_CHAT_PACKAGE "InferenceStartedEvent" },
    { SS_CHAT_EVENT_DELTA, SS_CHAT_PACKAGE "TokensDeltaEvent" },
    { SS_CHAT_EVENT_TRACE, SS_CHAT_PACKAGE "InferenceTraceEvent" },
    { SS_CHAT_EVENT_FINISHED, SS_CHAT_PACKAGE "InferenceFinishedEvent" },
    { SS_CHAT_EVENT_STOPPED, SS_CHAT_PACKAGE "InferenceStoppedEvent" },
};

static const char *const ui_events[] = { SS_CHAT_UI_ACCEPTED, SS_CHAT_UI_STARTED,
                                         SS_CHAT_UI_APPENDED, SS_CHAT_UI_FINISHED,
                                         SS_CHAT_UI_STOPPED };

static int load_types(struct ss_registry *registry)
{
    int err = ss_registry_load_descriptors(registry, chat_descriptor_set, chat_descriptor_set_len);
    for (size_t i = 0; err == 0 && i < sizeof generated / sizeof *generated; i++) {
        err = ss_registry_attach(registry, generated[i]);
    }
    return err;
}

static int register_names(struct ss_registry *registry, struct ss_chat_options *options)
{
    int err = ss_register_command(registry, SS_CHAT_COMMAND_START,
                                  SS_CHAT_PACKAGE "StartInferenceCommand", ss__chat_start, options);
    if (err == 0) {
        err = ss_register_command(registry, SS_CHAT_COMMAND_STOP,
                                  SS_CHAT_PACKAGE "StopInferenceCommand", ss__chat_stop, options);
    }
    for (size_t i = 0; err == 0 && i < sizeof events / sizeof *events; i++) {
        err = ss_register_event(registry, events[i].name, events[i].type);
    }
    for (size_t i = 0; err == 0 && i < sizeof ui_events / sizeof *ui_events; i++) {
        err = ss_register_ui_event(registry, ui_events[i], SS_CHAT_PACKAGE "ChatMessageUpdate");
    }
    if (err == 0) {
        err = ss_register_entity(registry, SS_CHAT_ENTITY, SS_CHAT_PACKAGE "ChatMessageEntity",
                                 SS_CHAT_PROJECTION_TIMELINE);
    }
    return err;
}

static int register_code(struct ss_registry *registry)
{
    static const struct ss_session_hooks hooks = { .recover = ss__chat_recover };
    int err = ss_register_ui_projection(registry, SS_CHAT_PROJECTION_UI, ss__chat_project_ui, NULL);
    if (err == 0) {
        err = ss_register_timeline_projection(registry, SS_CHAT_PROJECTION_TIMELINE,
                                              SS_CHAT_TIMELINE_VERSION, ss__chat_project_timeline,
                                              NULL);
    }
    return err != 0 ? err : ss_register_session_hooks(registry, &hooks, NULL);
}

static int init_chat(struct ss_registry *registry, const struct ss_app_settings *settings,
                     void **ret_state)
{
    struct ss_chat_options *options = malloc(sizeof *options);
    if (options == NULL) {
        return SS_E_NOMEM;
    }
    int err = ss__chat_options_read(settings, registry, options);
    if (err == 0) {
        err = load_types(registry);
    }
    if (err == 0) {
        err = register_names(registry, options);
    }
    if (err == 0) {
        err = register_code(registry);
    }
    if (err == 0) {
        err = ss__chat_page_register(registry);
    }
    if (err != 0) {
        free(options);
        return err;
    }
    *ret_state = options;
    return 0;
}

static void deinit_chat(void *state)
{
    free(state);
}

const struct ss_app ss__app_chat = {
    .abi = SS_APP_ABI,
    .name = "chat",
    .summary = "a chat that answers with your own words, and the page for it",
    .options = ss__chat_option_table,
    .init = init_chat,
    .deinit = deinit_chat,
};
