#include "server/progress.h"

#include <string.h>
#include <unistd.h>

#include "core/clock.h"

#define EVERY_NS UINT64_C(100000000)
#define BAR_CELLS 30u

void ss__progress_size(char out[SS_PROGRESS_SIZE_BYTES], uint64_t bytes)
{
    static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB" };
    size_t unit = 0;
    double value = (double)bytes;
    while (value >= 1024 && unit + 1 < sizeof units / sizeof *units) {
        value /= 1024;
        unit++;
    }
    (void)snprintf(out, SS_PROGRESS_SIZE_BYTES, unit == 0 ? "%.0f %s" : "%.1f %s", value,
                   units[unit]);
}

void ss__progress_begin(struct ss_progress *progress, FILE *out, const char *what,
                        uint64_t total)
{
    int fd = fileno(out);
    *progress = (struct ss_progress){
        .out = out,
        .what = what,
        .total = total,
        .begin_ns = ss__clock_monotonic_ns(&ss__system_clock),
        .terminal = fd >= 0 && isatty(fd) == 1,
    };
}

static void show_bar(const struct ss_progress *progress)
{
    uint64_t done = progress->done < progress->total ? progress->done : progress->total;
    unsigned percent = progress->total == 0 ? 0 : (unsigned)((double)done * 100 /
                                                             (double)progress->total);
    unsigned cells = percent * BAR_CELLS / 100;
    char bar[BAR_CELLS + 1];
    memset(bar, '.', BAR_CELLS);
    memset(bar, '#', cells);
    bar[BAR_CELLS] = '\0';
    fprintf(progress->out, "[%s] %3u %% ", bar, percent);
}

void ss__progress_show(struct ss_progress *progress, const char *note)
{
    char done[SS_PROGRESS_SIZE_BYTES];
    char total[SS_PROGRESS_SIZE_BYTES];
    char rate[SS_PROGRESS_SIZE_BYTES];
    uint64_t now_ns = ss__clock_monotonic_ns(&ss__system_clock);
    if (!progress->terminal || now_ns - progress->shown_ns < EVERY_NS) {
        return;
    }
    progress->shown_ns = now_ns;
    double seconds = (double)(now_ns - progress->begin_ns) / 1e9;
    ss__progress_size(done, progress->done);
    ss__progress_size(total, progress->total);
    ss__progress_size(rate, seconds <= 0 ? 0 : (uint64_t)((double)progress->done / seconds));
    fprintf(progress->out, "\r");
    if (progress->total > 0) {
        show_bar(progress);
    }
    fprintf(progress->out, "%s%s%s %s, %s/s%s%s\033[K", done, progress->total > 0 ? " of " : "",
            progress->total > 0 ? total : "", progress->what, rate,
            note[0] == '\0' ? "" : ", ", note);
    (void)fflush(progress->out);    /* a lost line of progress is no failure */
}

void ss__progress_end(struct ss_progress *progress)
{
    if (progress->terminal && progress->shown_ns != 0) {
        fprintf(progress->out, "\r\033[K");
        (void)fflush(progress->out);    /* as above */
    }
}
