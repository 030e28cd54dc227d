/* names.h - what the application is called in the registry and on the wire. */
#ifndef SS_APPS_CHAT_NAMES_H
#define SS_APPS_CHAT_NAMES_H

#define SS_CHAT_PACKAGE "sessionstream.examples.chatdemo.v1."

#define SS_CHAT_COMMAND_START "ChatStartInference"
#define SS_CHAT_COMMAND_STOP "ChatStopInference"

#define SS_CHAT_EVENT_ACCEPTED "ChatUserMessageAccepted"
#define SS_CHAT_EVENT_STARTED "ChatInferenceStarted"
#define SS_CHAT_EVENT_DELTA "ChatTokensDelta"
#define SS_CHAT_EVENT_TRACE "ChatInferenceTrace"
#define SS_CHAT_EVENT_FINISHED "ChatInferenceFinished"
#define SS_CHAT_EVENT_STOPPED "ChatInferenceStopped"

#define SS_CHAT_UI_ACCEPTED "ChatMessageAccepted"
#define SS_CHAT_UI_STARTED "ChatMessageStarted"
#define SS_CHAT_UI_APPENDED "ChatMessageAppended"
#define SS_CHAT_UI_FINISHED "ChatMessageFinished"
#define SS_CHAT_UI_STOPPED "ChatMessageStopped"

#define SS_CHAT_ENTITY "ChatMessage"
#define SS_CHAT_PROJECTION_UI "ui"
#define SS_CHAT_PROJECTION_TIMELINE "timeline"

#define SS_CHAT_ROLE_USER "user"
#define SS_CHAT_ROLE_ASSISTANT "assistant"

#define SS_CHAT_STREAMING "streaming"
#define SS_CHAT_FINISHED "finished"
#define SS_CHAT_STOPPED "stopped"
#define SS_CHAT_INTERRUPTED "interrupted"

#endif
