#include "server/signals.h"

#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <unistd.h>

#include <sessionstream/error.h>

static void fill_stop_set(sigset_t *set)
{
    (void)sigemptyset(set);    /* cannot fail with valid numbers, nor can the two below */
    (void)sigaddset(set, SIGINT);
    (void)sigaddset(set, SIGTERM);
}

int ss__signals_block(void)
{
    sigset_t set;
    fill_stop_set(&set);
    struct sigaction ignore = { .sa_handler = SIG_IGN };
    if (pthread_sigmask(SIG_BLOCK, &set, NULL) != 0 || sigaction(SIGPIPE, &ignore, NULL) != 0) {
        return SS_E_INTERNAL;
    }
    return 0;
}

int ss__signals_wait(void)
{
    sigset_t set;
    fill_stop_set(&set);
    int number = 0;
    while (sigwait(&set, &number) != 0) {
        /* only an interruption by a debugger */
    }
    return number;
}

static void on_second_signal(int number)
{
    _exit(128 + number);
}

static void on_limit(int number)
{
    static const char text[] = "sessionstreamd: stopping took too long, giving up\n";
    (void)number;
    ssize_t written = write(STDERR_FILENO, text, sizeof text - 1);
    (void)written;    /* the process ends either way */
    _exit(1);
}

void ss__signals_arm_exit(uint32_t limit_s)
{
    struct sigaction second = { .sa_handler = on_second_signal };
    struct sigaction limit = { .sa_handler = on_limit };
    sigset_t set;
    fill_stop_set(&set);
    /* These fail for invalid numbers only; without them stopping merely has no shortcut. */
    (void)sigaction(SIGINT, &second, NULL);
    (void)sigaction(SIGTERM, &second, NULL);
    (void)sigaction(SIGALRM, &limit, NULL);
    (void)pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    (void)alarm(limit_s);
}
