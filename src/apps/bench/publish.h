/* publish.h - the command of the load application and what its event causes. */
#ifndef SS_APPS_BENCH_PUBLISH_H
#define SS_APPS_BENCH_PUBLISH_H

#include <sessionstream/handler.h>
#include <sessionstream/projection.h>

/* BenchPublish; @options is a struct ss_bench_options. */
int ss__bench_publish(struct ss_context *context, const struct ss_command *command, void *options);

int ss__bench_project_ui(struct ss_ui *ui, const struct ss_event *event,
                         const struct ss_view *view, void *ctx);
int ss__bench_project_timeline(struct ss_timeline *timeline, const struct ss_event *event,
                               const struct ss_view *view, void *ctx);

#endif
