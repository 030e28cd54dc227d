/* bench_app.h - the application of the benchmarks: one event makes one frame and one entity. */
#ifndef SS_BENCH_BENCH_APP_H
#define SS_BENCH_BENCH_APP_H

#include "schema/registry.h"
#include "wire/transport.h"

/* A frozen registry and its transport types; ends the program on failure. */
struct ss_registry *ss__bench_registry(struct ss_transport *ret_transport);

/* The same for an engine: not frozen, with the command Publish. */
struct ss_registry *ss__bench_command_registry(void);

/* Handler of Publish, of the suite that measures it. */
int ss__bench_on_publish(struct ss_context *context, const struct ss_command *command, void *ctx);

#endif
