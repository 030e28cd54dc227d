/* bench.h - the built-in application "bench": the least an event can cause, for load tests.
 *
 * BenchPublish publishes one BenchPublished event, which makes one BenchDelivered frame and
 * replaces one BenchEntity. ss-load (docs/load.md) drives it. */
#ifndef SS_APPS_BENCH_BENCH_H
#define SS_APPS_BENCH_BENCH_H

#include <sessionstream/app.h>

extern const struct ss_app ss__app_bench;

#endif
