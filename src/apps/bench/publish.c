#include "apps/bench/publish.h"

#include <stdio.h>

#include "apps/bench/names.h"
#include "apps/bench/options.h"
#include "sessionstream/apps/bench/v1/bench.pb-c.h"

/* The event says which entity it replaces, so that replaying it does not depend on the option. */
int ss__bench_publish(struct ss_context *context, const struct ss_command *command, void *options)
{
    const struct ss_bench_options *bench = options;
    const Sessionstream__Apps__Bench__V1__BenchPublishCommand *publish =
        (const Sessionstream__Apps__Bench__V1__BenchPublishCommand *)command->payload;
    if (publish->entity < bench->entities) {
        return ss_publish_packed(context, SS_BENCH_EVENT, command->packed);
    }
    Sessionstream__Apps__Bench__V1__BenchPublishedEvent event;
    sessionstream__apps__bench__v1__bench_published_event__init(&event);
    event.payload = publish->payload;
    event.sent_ns = publish->sent_ns;
    event.entity = publish->entity % bench->entities;
    return ss_publish(context, SS_BENCH_EVENT, &event.base);
}

/* The messages have the same fields, so that the event's bytes serve for all. */
int ss__bench_project_ui(struct ss_ui *ui, const struct ss_event *event,
                         const struct ss_view *view, void *ctx)
{
    (void)view;
    (void)ctx;
    return ss_emit_ui_packed(ui, SS_BENCH_UI, event->packed);
}

int ss__bench_project_timeline(struct ss_timeline *timeline, const struct ss_event *event,
                               const struct ss_view *view, void *ctx)
{
    (void)view;
    (void)ctx;
    const Sessionstream__Apps__Bench__V1__BenchPublishedEvent *published =
        (const Sessionstream__Apps__Bench__V1__BenchPublishedEvent *)ss_event_payload(event);
    if (published == NULL) {
        return SS_E_NOMEM;
    }
    char id[16];
    int len = snprintf(id, sizeof id, "%u", published->entity);    /* 10 digits at most */
    return ss_put_entity_packed(timeline, SS_BENCH_ENTITY, ss_str_of(id, (size_t)len),
                                event->packed);
}
