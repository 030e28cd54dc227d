/* project.h - events of the application to UI events and timeline entities. Pure (projection.h). */
#ifndef SS_APPS_CHAT_PROJECT_H
#define SS_APPS_CHAT_PROJECT_H

#include <sessionstream/projection.h>

/* Raise it when the same events would make other entities. */
#define SS_CHAT_TIMELINE_VERSION 1

/* One ChatMessageUpdate per event; none for ChatInferenceTrace. */
int ss__chat_project_ui(struct ss_ui *ui, const struct ss_event *event, const struct ss_view *view,
                        void *ctx);

/* One ChatMessage entity per message; the prompt stays from the start of the answer. */
int ss__chat_project_timeline(struct ss_timeline *timeline, const struct ss_event *event,
                              const struct ss_view *view, void *ctx);

#endif
