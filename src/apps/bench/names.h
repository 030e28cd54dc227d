/* names.h - what the application is called in the registry and on the wire. */
#ifndef SS_APPS_BENCH_NAMES_H
#define SS_APPS_BENCH_NAMES_H

#define SS_BENCH_PACKAGE "sessionstream.apps.bench.v1."

#define SS_BENCH_COMMAND "BenchPublish"
#define SS_BENCH_EVENT "BenchPublished"
#define SS_BENCH_UI "BenchDelivered"
#define SS_BENCH_ENTITY "BenchEntity"

#define SS_BENCH_PROJECTION_UI "ui"
#define SS_BENCH_PROJECTION_TIMELINE "timeline"

#endif
