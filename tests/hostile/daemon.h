/* daemon.h - the daemon under attack: its process, its directory, what it uses.
 *
 * What goes wrong here ends the program with status 2: there is nothing to test then. */
#ifndef SS_HOSTILE_DAEMON_H
#define SS_HOSTILE_DAEMON_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "settings.h"

#define DAEMON_FLAGS_MAX 40

struct daemon {
    const struct settings *settings;
    const char *const *flags;    /* of the scenario, NULL at the end */
    pid_t pid;                   /* 0: not running */
    uint16_t port;
    int claim_fd;                /* keeps the port from other tests */
    int log_fd;
    pthread_t log_thread;
    pthread_mutex_t lock;        /* of what follows */
    pthread_cond_t changed;
    bool started;
    bool ended;
    char last_log[4096];         /* the newest lines */
    char directory[64];
};

static inline uint64_t now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);    /* it exists on every Linux */
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

/* Makes a new directory under the temporary one and starts the daemon on a free port of the
 * loopback address; returns when it serves. */
void daemon_open(struct daemon *daemon, const struct settings *settings,
                 const char *const *flags);

/* Starts it again on its directory and port. */
void daemon_start(struct daemon *daemon);

/* Sends @signal and waits for the end; the status that waitpid gives. */
int daemon_stop(struct daemon *daemon, int signal);

/* Kills it if it runs and removes the directory, unless that is to be @kept. */
void daemon_close(struct daemon *daemon, bool kept);

/* Kills a daemon that runs; for the end of the program. */
void daemon_kill(const struct daemon *daemon);

/* Memory of its own: not what the maps of its files show. */
uint64_t daemon_rss_bytes(const struct daemon *daemon);

/* Processor time since its start. */
double daemon_cpu_seconds(const struct daemon *daemon);

uint32_t daemon_descriptors(const struct daemon *daemon);

/* Sum over all series of metric @name whose line holds @part ("": all). */
double daemon_metric(const struct daemon *daemon, const char *name, const char *part);

/* The body of the answer to GET @path, which the caller frees, or NULL if the status is another
 * than 200; *ret_status may be NULL. */
char *daemon_get(const struct daemon *daemon, const char *path, int *ret_status);

#endif
