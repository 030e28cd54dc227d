#include "apps/bench/bench.h"

#include <stdlib.h>

#include "apps/bench/names.h"
#include "apps/bench/options.h"
#include "apps/bench/publish.h"
#include "sessionstream/apps/bench/v1/bench.descriptor.h"
#include "sessionstream/apps/bench/v1/bench.pb-c.h"

static const ProtobufCMessageDescriptor *const generated[] = {
    &sessionstream__apps__bench__v1__bench_publish_command__descriptor,
    &sessionstream__apps__bench__v1__bench_published_event__descriptor,
    &sessionstream__apps__bench__v1__bench_delivered_update__descriptor,
    &sessionstream__apps__bench__v1__bench_entity__descriptor,
};

static const char page[] =
    "This is sessionstreamd with its load application (--app bench). It has no page to look at.\n"
    "\n"
    "The command BenchPublish {payload, sentNs, entity} publishes one BenchPublished event, which\n"
    "sends one BenchDelivered frame to the followers and replaces one BenchEntity.\n"
    "\n"
    "Put it under load with\n"
    "    ss-load --url ws://HOST:PORT/v1/ws --sessions 100 --followers 10 --rate 1000\n"
    "ss-load --help lists the options.\n";

static int load_types(struct ss_registry *registry)
{
    int err = ss_registry_load_descriptors(registry, bench_descriptor_set,
                                           bench_descriptor_set_len);
    for (size_t i = 0; err == 0 && i < sizeof generated / sizeof *generated; i++) {
        err = ss_registry_attach(registry, generated[i]);
    }
    return err;
}

static int register_names(struct ss_registry *registry, struct ss_bench_options *options)
{
    int err = ss_register_command(registry, SS_BENCH_COMMAND,
                                  SS_BENCH_PACKAGE "BenchPublishCommand", ss__bench_publish,
                                  options);
    if (err == 0) {
        err = ss_register_event(registry, SS_BENCH_EVENT, SS_BENCH_PACKAGE "BenchPublishedEvent");
    }
    if (err == 0) {
        err = ss_register_ui_event(registry, SS_BENCH_UI,
                                   SS_BENCH_PACKAGE "BenchDeliveredUpdate");
    }
    if (err == 0) {
        err = ss_register_entity(registry, SS_BENCH_ENTITY, SS_BENCH_PACKAGE "BenchEntity",
                                 SS_BENCH_PROJECTION_TIMELINE);
    }
    return err;
}

static int register_rest(struct ss_registry *registry)
{
    int err = ss_register_ui_projection(registry, SS_BENCH_PROJECTION_UI, ss__bench_project_ui,
                                        NULL);
    if (err == 0) {
        err = ss_register_timeline_projection(registry, SS_BENCH_PROJECTION_TIMELINE, 1,
                                              ss__bench_project_timeline, NULL);
    }
    if (err == 0) {
        err = ss_register_asset(registry, "/", "text/plain; charset=utf-8",
                                (const uint8_t *)page, sizeof page - 1);
    }
    return err;
}

static int init_bench(struct ss_registry *registry, const struct ss_app_settings *settings,
                      void **ret_state)
{
    struct ss_bench_options *options = malloc(sizeof *options);
    if (options == NULL) {
        return SS_E_NOMEM;
    }
    int err = ss__bench_options_read(settings, registry, options);
    if (err == 0) {
        err = load_types(registry);
    }
    if (err == 0) {
        err = register_names(registry, options);
    }
    if (err == 0) {
        err = register_rest(registry);
    }
    if (err != 0) {
        free(options);
        return err;
    }
    *ret_state = options;
    return 0;
}

static void deinit_bench(void *state)
{
    free(state);
}

const struct ss_app ss__app_bench = {
    .abi = SS_APP_ABI,
    .name = "bench",
    .summary = "one event, frame and entity for each command, for load tests with ss-load",
    .options = ss__bench_option_table,
    .init = init_bench,
    .deinit = deinit_bench,
};
