#include "load/report.h"

#include <inttypes.h>

#include "load/worker.h"

#define SECOND_NS UINT64_C(1000000000)

static bool whole(const struct ss_load_result *result)
{
    return result->totals.violations == 0 && result->lagging == 0;
}

bool ss__load_good(const struct ss_load_options *options, const struct ss_load_result *result)
{
    return whole(result) || !options->dialect->numbered;
}

static const char *protocol_of(const struct ss_load_options *options)
{
    return options->dialect->numbered ? "sessionstream" : options->dialect->name;
}

static uint64_t greatest(const struct ss_load_run *run, size_t offset)
{
    uint64_t max = 0;
    for (uint32_t i = 0; i < run->options->threads; i++) {
        const char *counts = (const char *)&run->workers[i]->counts;
        uint64_t value = atomic_load((const _Atomic uint64_t *)(const void *)(counts + offset));
        max = value > max ? value : max;
    }
    return max;
}

static const char *phase_name(int phase)
{
    static const char *const names[] = { "join", "publish", "drain", "check", "stop" };
    return names[phase];
}

void ss__load_progress_show(struct ss_load_progress *progress, const struct ss_load_run *run,
                            const struct ss_load_totals *totals)
{
    uint64_t now_ns = ss__load_now_ns();
    if (run->options->quiet || now_ns - progress->shown_ns < SECOND_NS) {
        return;
    }
    double seconds = (double)(now_ns - progress->shown_ns) / 1e9;
    if (progress->shown_ns != 0) {
        fprintf(stderr, "%5.0f s  %-7s  followers %" PRIu64 "  published %.0f/s  acked %.0f/s  "
                "delivered %.0f/s  p50 %.3f ms  p99 %.3f ms  violations %" PRIu64 "\n",
                (double)(now_ns - progress->begin_ns) / 1e9, phase_name(atomic_load(&run->phase)),
                totals->following,
                (double)(totals->published - progress->shown.published) / seconds,
                (double)(totals->acked - progress->shown.acked) / seconds,
                (double)(totals->delivered - progress->shown.delivered) / seconds,
                (double)greatest(run, offsetof(struct ss_load_counts, p50_ns)) / 1e6,
                (double)greatest(run, offsetof(struct ss_load_counts, p99_ns)) / 1e6,
                totals->violations);
    }
    progress->shown_ns = now_ns;
    progress->shown = *totals;
}

static void print_findings(const struct ss_load_worker *worker)
{
    uint64_t violations = atomic_load(&worker->counts.violations);
    const char *name = worker->run->options->dialect->numbered ? "violation" : "remark";
    for (uint64_t i = 0; i < violations && i < SS_LOAD_VIOLATIONS_KEPT; i++) {
        fprintf(stderr, "%s: %s\n", name, worker->violations[i]);
    }
    if (violations > SS_LOAD_VIOLATIONS_KEPT) {
        fprintf(stderr, "%s: ... and %" PRIu64 " more of this thread\n", name,
                violations - SS_LOAD_VIOLATIONS_KEPT);
    }
    for (size_t i = 0; i < SS_LOAD_ERROR_CODES && worker->errors[i].count > 0; i++) {
        fprintf(stderr, "error of the server: %s, %" PRIu64 " times\n", worker->errors[i].code,
                worker->errors[i].count);
    }
}

void ss__load_report_samples(const struct ss_load_run *run, struct ss_load_result *result)
{
    for (uint32_t i = 0; i < run->options->threads; i++) {
        const struct ss_load_samples *samples = &run->workers[i]->samples;
        ss__histogram_merge(&result->samples.delivery, &samples->delivery);
        ss__histogram_merge(&result->samples.first, &samples->first);
        ss__histogram_merge(&result->samples.last, &samples->last);
        ss__histogram_merge(&result->samples.ack, &samples->ack);
        ss__histogram_merge(&result->samples.join, &samples->join);
        print_findings(run->workers[i]);
    }
}

static void print_latency(const char *name, const struct ss_histogram *histogram, FILE *out)
{
    if (histogram->count == 0) {
        return;
    }
    fprintf(out, "  %-28s p50 %9.3f  p99 %9.3f  p99.9 %9.3f  max %9.3f ms  (%" PRIu64 ")\n", name,
            (double)ss__histogram_at(histogram, 5000) / 1e6,
            (double)ss__histogram_at(histogram, 9900) / 1e6,
            (double)ss__histogram_at(histogram, 9990) / 1e6, (double)histogram->max / 1e6,
            histogram->count);
}

static void print_usage(const char *name, const struct ss_load_usage *usage,
                        const struct ss_load_result *result, FILE *out)
{
    const struct ss_load_totals *window = &result->window;
    fprintf(out, "  %-28s %.2f of a processor, %.1f MiB", name,
            usage->cpu_seconds / result->seconds, (double)usage->rss_bytes / 1048576);
    if (window->acked > 0) {
        fprintf(out, ", %.2f us an event", usage->cpu_seconds * 1e6 / (double)window->acked);
    }
    if (window->delivered > 0) {
        fprintf(out, ", %.2f us a delivery",
                usage->cpu_seconds * 1e6 / (double)window->delivered);
    }
    fputc('\n', out);
}

static void print_verdict(const struct ss_load_options *options,
                          const struct ss_load_result *result, FILE *out)
{
    uint64_t violations = result->totals.violations;
    if (whole(result)) {
        fputs(options->dialect->numbered ? "  every promise was kept\n"
                                         : "  nothing was lost, repeated or out of order\n", out);
    } else if (ss__load_good(options, result)) {
        fprintf(out, "  remark: %" PRIu64 " times lost, repeated or out of order; %" PRIu64
                " connections without all that was sent\n", violations, result->lagging);
    } else {
        fprintf(out, "  BROKEN: %" PRIu64 " violations, %" PRIu64 " connections without all that "
                "was acked\n", violations, result->lagging);
    }
}

void ss__load_report_text(const struct ss_load_options *options,
                          const struct ss_load_result *result, FILE *out)
{
    const struct ss_load_totals *window = &result->window;
    const struct ss_load_totals *totals = &result->totals;
    fprintf(out, "%u sessions x %u followers, %u publishers, %u bytes, %s, %u threads, %.1f s\n",
            options->sessions, options->followers, options->publishers, options->payload,
            options->dialect->name, options->threads, result->seconds);
    fprintf(out, "  published %.0f/s, ", (double)window->published / result->seconds);
    if (options->dialect->acks == SS_LOAD_ACKS_NONE) {
        fputs("never acked, ", out);
    } else {
        fprintf(out, "acked %.0f/s, ", (double)window->acked / result->seconds);
    }
    fprintf(out, "delivered %.0f/s, %.1f MB/s\n", (double)window->delivered / result->seconds,
            (double)window->bytes_in / result->seconds / 1e6);
    print_latency("publish to ack", &result->samples.ack, out);
    print_latency("publish to each follower", &result->samples.delivery, out);
    if (options->followers > 1) {
        print_latency("publish to first follower", &result->samples.first, out);
        print_latency("publish to last follower", &result->samples.last, out);
    }
    print_latency(options->dialect->numbered ? "connect to snapshot" : "connect to subscribed",
                  &result->samples.join, out);
    print_usage("generator", &result->generator, result, out);
    if (options->server_pid != 0) {
        print_usage("server", &result->server, result, out);
    }
    if (result->generator.cpu_seconds > 0.9 * options->threads * result->seconds) {
        fputs("  the generator is at its limit: give it --threads, or another machine\n", out);
    }
    fprintf(out, "  %" PRIu64 " joins, %" PRIu64 " disconnects, %" PRIu64 " resyncs, %" PRIu64
            " errors, %" PRIu64 " unanswered\n", totals->joins, totals->disconnects,
            totals->resyncs, totals->errors, totals->unanswered);
    print_verdict(options, result, out);
}

static void print_json_usage(const char *name, const struct ss_load_usage *usage, FILE *out)
{
    fprintf(out, "\"%s\":{\"cpuSeconds\":%.6f,\"rssBytes\":%" PRIu64 "},", name,
            usage->cpu_seconds, usage->rss_bytes);
}

static void print_json_options(const struct ss_load_options *options, FILE *out)
{
    fprintf(out, "\"options\":{\"protocol\":\"%s\",\"sessions\":%u,\"followers\":%u,"
            "\"publishers\":%u,\"rate\":%.3f,\"window\":%u,\"payload\":%u,\"entities\":%u,"
            "\"duration\":%.3f,\"warmup\":%.3f,\"ramp\":%.3f,\"churn\":%.3f,"
            "\"encoding\":\"%s\",\"threads\":%u},",
            protocol_of(options), options->sessions, options->followers, options->publishers,
            options->rate, options->window, options->payload, options->entities, options->duration,
            options->warmup, options->ramp, options->churn, options->dialect->name,
            options->threads);
}

static void print_json_totals(const char *name, const struct ss_load_totals *totals, FILE *out)
{
    fprintf(out, "\"%s\":{\"published\":%" PRIu64 ",\"acked\":%" PRIu64 ",\"delivered\":%" PRIu64
            ",\"bytesIn\":%" PRIu64 ",\"joins\":%" PRIu64 ",\"disconnects\":%" PRIu64
            ",\"resyncs\":%" PRIu64 ",\"errors\":%" PRIu64 ",\"unanswered\":%" PRIu64
            ",\"violations\":%" PRIu64 "},", name, totals->published, totals->acked,
            totals->delivered, totals->bytes_in, totals->joins, totals->disconnects,
            totals->resyncs, totals->errors, totals->unanswered, totals->violations);
}

void ss__load_report_json(const struct ss_load_options *options,
                          const struct ss_load_result *result, FILE *out)
{
    const struct ss_load_samples *samples = &result->samples;
    fputc('{', out);
    print_json_options(options, out);
    fprintf(out, "\"seconds\":%.6f,\"joinSeconds\":%.6f,\"good\":%s,\"lagging\":%" PRIu64 ",",
            result->seconds, result->join_seconds,
            ss__load_good(options, result) ? "true" : "false", result->lagging);
    print_json_totals("measured", &result->window, out);
    print_json_totals("totals", &result->totals, out);
    print_json_usage("generator", &result->generator, out);
    print_json_usage("server", &result->server, out);
    fputs("\"latency\":{\"delivery\":", out);
    ss__histogram_print(&samples->delivery, out);
    fputs(",\"first\":", out);
    ss__histogram_print(&samples->first, out);
    fputs(",\"last\":", out);
    ss__histogram_print(&samples->last, out);
    fputs(",\"ack\":", out);
    ss__histogram_print(&samples->ack, out);
    fputs(",\"join\":", out);
    ss__histogram_print(&samples->join, out);
    fputs("}}\n", out);
}
