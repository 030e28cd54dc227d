#include "core/kill_point.h"

#ifdef SS_FAULTS

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct point {
    const char *name;
    const char *when;
    const char *what;
};

#define POINT_(id, name, when, what) { name, when, what },
static const struct point points[] = { SS_KILL_POINT_MAP(POINT_) };
#undef POINT_

static pthread_once_t once = PTHREAD_ONCE_INIT;
static int wanted = -1;            /* -1: none */
static atomic_ulong passes_left;
static unsigned long pause_ms;

static _Noreturn void refuse(const char *text)
{
    fprintf(stderr, "SS_KILL_AT=%s: give NAME, NAME:N or NAME:N:MS with the name of a kill point "
            "(--print-kill-points), a number from 1 and milliseconds\n", text);
    abort();
}

/* A colon and a number, or nothing and @otherwise. @at moves behind it; NULL: it is neither. */
static unsigned long read_number(const char **at, unsigned long otherwise)
{
    char *end = NULL;
    if (*at == NULL || **at == '\0') {
        return otherwise;
    }
    unsigned long number = strtoul(*at + 1, &end, 10);
    bool good = **at == ':' && (*at)[1] >= '0' && (*at)[1] <= '9';
    *at = good ? end : NULL;
    return number;
}

static void read_wish(void)
{
    const char *text = getenv("SS_KILL_AT");
    if (text == NULL || text[0] == '\0') {
        return;
    }
    size_t len = strcspn(text, ":");
    const char *at = text + len;
    unsigned long passes = read_number(&at, 1);
    pause_ms = read_number(&at, 0);
    for (int i = 0; i < SS_KILL_POINT_COUNT; i++) {
        if (strlen(points[i].name) == len && strncmp(points[i].name, text, len) == 0) {
            wanted = i;
        }
    }
    if (wanted < 0 || passes == 0 || at == NULL || *at != '\0') {
        refuse(text);
    }
    atomic_init(&passes_left, passes);
}

bool ss__kill_due(enum ss_kill_point point)
{
    (void)pthread_once(&once, read_wish);    /* cannot fail with these arguments */
    return wanted == (int)point && atomic_fetch_sub(&passes_left, 1) == 1;
}

void ss__kill_now(enum ss_kill_point point)
{
    struct timespec pause_time = { (time_t)(pause_ms / 1000), (long)(pause_ms % 1000) * 1000000 };
    (void)nanosleep(&pause_time, NULL);    /* shorter is fine */
    (void)dprintf(STDERR_FILENO, "killed at %s\n", points[point].name);    /* for who watches */
    (void)kill(getpid(), SIGKILL);
    for (;;) {
        (void)pause();
    }
}

void ss__kill_points_print(FILE *out)
{
    for (int i = 0; i < SS_KILL_POINT_COUNT; i++) {
        fprintf(out, "%s\t%s\t%s\n", points[i].name, points[i].when, points[i].what);
    }
}

#else
typedef int ss__kill_point_translation_unit;    /* ISO C wants one declaration */
#endif
