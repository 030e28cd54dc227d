#include "server/signals.h"

#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <sessionstream/error.h>

#include "core/log.h"

enum stage { STARTING, SERVING, STOPPING };

static atomic_int stage = STARTING;
static atomic_int first;      /* the signal that asked to stop */
static sem_t asked;           /* it is there */

static void fill_stop_set(sigset_t *set)
{
    (void)sigemptyset(set);    /* cannot fail with valid numbers, nor can the two below */
    (void)sigaddset(set, SIGINT);
    (void)sigaddset(set, SIGTERM);
}

static void take(int number)
{
    int serving = SERVING;
    if (atomic_compare_exchange_strong(&stage, &serving, STOPPING)) {
        atomic_store(&first, number);
        (void)sem_post(&asked);    /* once: it cannot overflow */
        return;
    }
    if (serving == STARTING) {
        ss__log(SS_LOG_WARN, "ended before it served; the next start recovers what is there",
                "signal=%s", sigabbrev_np(number));
    }
    _exit(128 + number);
}

static void *watch(void *unused)
{
    sigset_t set;
    fill_stop_set(&set);
    for (;;) {
        int number = 0;
        if (sigwait(&set, &number) == 0) {    /* else only an interruption by a debugger */
            take(number);
        }
    }
    return unused;
}

int ss__signals_watch(void)
{
    sigset_t set;
    pthread_t thread;
    fill_stop_set(&set);
    struct sigaction ignore = { .sa_handler = SIG_IGN };
    if (pthread_sigmask(SIG_BLOCK, &set, NULL) != 0 || sigaction(SIGPIPE, &ignore, NULL) != 0 ||
        sem_init(&asked, 0, 0) != 0 || pthread_create(&thread, NULL, watch, NULL) != 0) {
        return SS_E_INTERNAL;
    }
    (void)pthread_detach(thread);    /* of a thread that never ends */
    return 0;
}

void ss__signals_serve(void)
{
    atomic_store(&stage, SERVING);
}

int ss__signals_wait(void)
{
    while (sem_wait(&asked) != 0) {
        /* only an interruption by a debugger */
    }
    return atomic_load(&first);
}

static void on_limit(int number)
{
    static const char text[] = "sessionstreamd: stopping took too long, giving up\n";
    (void)number;
    ssize_t written = write(STDERR_FILENO, text, sizeof text - 1);
    (void)written;    /* the process ends either way */
    _exit(1);
}

void ss__signals_limit(uint32_t limit_s)
{
    struct sigaction limit = { .sa_handler = on_limit };
    (void)sigaction(SIGALRM, &limit, NULL);    /* fails for invalid numbers only */
    (void)alarm(limit_s);
}
