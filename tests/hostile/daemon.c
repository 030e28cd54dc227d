#include "daemon.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define PORT_FIRST 20000    /* below those that the kernel hands out */
#define PORT_COUNT 12000
#define PORT_CLAIMS UINT32_C(0x7f00004d)    /* 127.0.0.77 */
#define ANSWER_MS 60000

static void give_up(const char *what)
{
    (void)fprintf(stderr, "hostile: %s: %s\n", what, strerror(errno));
    exit(2);
}

/* ---- process ---- */

static void *read_log(void *arg)
{
    struct daemon *daemon = arg;
    char text[sizeof daemon->last_log / 2];
    for (;;) {
        ssize_t len = read(daemon->log_fd, text, sizeof text - 1);
        if (len <= 0) {
            break;
        }
        text[len] = '\0';
        if (daemon->settings->verbose) {
            (void)fputs(text, stderr);
        }
        (void)pthread_mutex_lock(&daemon->lock);
        size_t had = strlen(daemon->last_log);
        if (had + (size_t)len >= sizeof daemon->last_log) {
            size_t drop = had + (size_t)len + 1 - sizeof daemon->last_log;
            memmove(daemon->last_log, daemon->last_log + drop, had + 1 - drop);
            had -= drop;
        }
        memcpy(daemon->last_log + had, text, (size_t)len + 1);
        daemon->started |= strstr(daemon->last_log, "msg=\"started\"") != NULL;
        (void)pthread_cond_broadcast(&daemon->changed);
        (void)pthread_mutex_unlock(&daemon->lock);
    }
    (void)pthread_mutex_lock(&daemon->lock);
    daemon->ended = true;
    (void)pthread_cond_broadcast(&daemon->changed);
    (void)pthread_mutex_unlock(&daemon->lock);
    return NULL;
}

static void run_daemon(const struct daemon *daemon, int log_fd)
{
    char listen_at[32];
    char data[80];
    const char *argv[DAEMON_FLAGS_MAX];
    unsigned count = 0;
    (void)snprintf(listen_at, sizeof listen_at, "127.0.0.1:%u", daemon->port);
    (void)snprintf(data, sizeof data, "%s/data", daemon->directory);
    const char *usual[] = { daemon->settings->daemon, "--listen", listen_at, "--data", data,
                            "--app", "bench", "--shards", "2", "--min-free", "0",
                            "--store-map", "1GiB", "--durability", daemon->settings->durability };
    for (; count < sizeof usual / sizeof *usual; count++) {
        argv[count] = usual[count];
    }
    for (unsigned i = 0; daemon->flags[i] != NULL && count < DAEMON_FLAGS_MAX - 3; i++) {
        argv[count++] = daemon->flags[i];
    }
    if (daemon->settings->extra_flag != NULL) {
        argv[count++] = daemon->settings->extra_flag;
        argv[count++] = daemon->settings->extra_value;
    }
    argv[count] = NULL;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);    /* it never outlives us */
    /* The sanitizer keeps freed memory, which is not what is measured. */
    (void)setenv("ASAN_OPTIONS", "quarantine_size_mb=1", 1);
    if (dup2(log_fd, STDERR_FILENO) >= 0) {
        (void)execv(argv[0], (char *const *)(uintptr_t)argv);
    }
    _exit(127);
}

/* False: it ended before it served. */
static bool start(struct daemon *daemon)
{
    int fds[2];
    if (pipe2(fds, 0) != 0) {
        give_up("pipe");
    }
    daemon->started = daemon->ended = false;
    daemon->last_log[0] = '\0';
    daemon->log_fd = fds[0];
    daemon->pid = fork();
    if (daemon->pid < 0) {
        give_up("fork");
    }
    if (daemon->pid == 0) {
        run_daemon(daemon, fds[1]);
    }
    (void)close(fds[1]);
    if (pthread_create(&daemon->log_thread, NULL, read_log, daemon) != 0) {
        give_up("thread");
    }
    (void)pthread_mutex_lock(&daemon->lock);
    while (!daemon->started && !daemon->ended) {
        (void)pthread_cond_wait(&daemon->changed, &daemon->lock);
    }
    bool started = daemon->started;
    (void)pthread_mutex_unlock(&daemon->lock);
    return started;
}

static void refuse_to_go_on(const struct daemon *daemon)
{
    (void)fprintf(stderr, "hostile: the daemon does not start:\n%s", daemon->last_log);
    exit(2);
}

void daemon_start(struct daemon *daemon)
{
    if (!start(daemon)) {
        refuse_to_go_on(daemon);
    }
}

/* A socket bound to @port at @address; -1: it is taken. */
static int bind_at(uint32_t address, uint16_t port)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(port),
                              .sin_addr.s_addr = htonl(address) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && bind(fd, (const struct sockaddr *)&at, sizeof at) != 0) {
        (void)close(fd);
        fd = -1;
    }
    return fd;
}

/* Takes a port that no other test takes until it is closed, as tests/integration/ports.mjs does. */
static void claim_port(struct daemon *daemon)
{
    for (unsigned tries = 0; tries < 1000; tries++) {
        uint64_t place = now_ns() / 1000 + (uint64_t)getpid() * 7919 + tries;
        daemon->port = (uint16_t)(PORT_FIRST + place % PORT_COUNT);
        daemon->claim_fd = bind_at(PORT_CLAIMS, daemon->port);
        int probe = daemon->claim_fd < 0 ? -1 : bind_at(INADDR_LOOPBACK, daemon->port);
        if (probe >= 0) {
            (void)close(probe);
            return;
        }
        if (daemon->claim_fd >= 0) {
            (void)close(daemon->claim_fd);
        }
    }
    give_up("no free port");
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *at)
{
    (void)info;
    (void)kind;
    (void)at;
    return remove(path);
}

void daemon_open(struct daemon *daemon, const struct settings *settings,
                 const char *const *flags)
{
    const char *temporary = getenv("TMPDIR");
    *daemon = (struct daemon){ .settings = settings, .flags = flags,
                               .lock = PTHREAD_MUTEX_INITIALIZER,
                               .changed = PTHREAD_COND_INITIALIZER };
    (void)snprintf(daemon->directory, sizeof daemon->directory, "%.40s/hostile-XXXXXX",
                   temporary == NULL ? "/tmp" : temporary);
    if (mkdtemp(daemon->directory) == NULL) {
        give_up(daemon->directory);
    }
    claim_port(daemon);
    if (!start(daemon)) {
        (void)daemon_stop(daemon, SIGKILL);
        (void)nftw(daemon->directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
        refuse_to_go_on(daemon);
    }
}

int daemon_stop(struct daemon *daemon, int signal)
{
    int status = 0;
    (void)kill(daemon->pid, signal);
    if (waitpid(daemon->pid, &status, 0) != daemon->pid) {
        give_up("waitpid");
    }
    daemon->pid = 0;
    (void)pthread_join(daemon->log_thread, NULL);
    (void)close(daemon->log_fd);
    return status;
}

void daemon_kill(const struct daemon *daemon)
{
    if (daemon->pid > 0) {
        (void)kill(daemon->pid, SIGKILL);
    }
}

void daemon_close(struct daemon *daemon, bool kept)
{
    if (daemon->pid > 0) {
        (void)daemon_stop(daemon, SIGKILL);
    }
    if (kept) {
        (void)fprintf(stderr, "hostile: %s is kept\n", daemon->directory);
    } else {
        (void)nftw(daemon->directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    }
    (void)close(daemon->claim_fd);
}

/* ---- what it uses ---- */

static uint64_t status_kib(const struct daemon *daemon, const char *name)
{
    char path[64];
    char line[256];
    uint64_t kib = 0;
    (void)snprintf(path, sizeof path, "/proc/%d/status", daemon->pid);
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        give_up(path);
    }
    while (fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, name, strlen(name)) == 0) {
            kib = strtoull(line + strlen(name), NULL, 10);
        }
    }
    (void)fclose(file);
    return kib * 1024;
}

uint64_t daemon_rss_bytes(const struct daemon *daemon)
{
    return status_kib(daemon, "RssAnon:");
}

/* /proc/PID/stat: fields 14 and 15 are ticks; they count from the command's ')'. */
double daemon_cpu_seconds(const struct daemon *daemon)
{
    char path[64];
    char text[1024];
    unsigned long user = 0;
    unsigned long system = 0;
    (void)snprintf(path, sizeof path, "/proc/%d/stat", daemon->pid);
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        give_up(path);
    }
    size_t len = fread(text, 1, sizeof text - 1, file);
    (void)fclose(file);
    text[len] = '\0';
    const char *at = strrchr(text, ')');
    if (at == NULL || sscanf(at + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
                             &system) != 2) {
        give_up(path);
    }
    return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

uint32_t daemon_descriptors(const struct daemon *daemon)
{
    char path[64];
    uint32_t count = 0;
    (void)snprintf(path, sizeof path, "/proc/%d/fd", daemon->pid);
    DIR *folder = opendir(path);
    if (folder == NULL) {
        give_up(path);
    }
    for (const struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        count += entry->d_name[0] != '.';
    }
    (void)closedir(folder);
    return count;
}

/* ---- what it says ---- */

static int connect_to(const struct daemon *daemon)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(daemon->port),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    struct timeval patience = { ANSWER_MS / 1000, 0 };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof address) != 0) {
        give_up("connect");
    }
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    return fd;
}

char *daemon_get(const struct daemon *daemon, const char *path, int *ret_status)
{
    char request[512];
    size_t len = 0;
    size_t cap = 1 << 16;
    char *answer = malloc(cap);
    int fd = connect_to(daemon);
    int wrote = snprintf(request, sizeof request,
                         "GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", path);
    if (answer == NULL || send(fd, request, (size_t)wrote, MSG_NOSIGNAL) != wrote) {
        give_up(path);
    }
    for (ssize_t got; (got = recv(fd, answer + len, cap - len - 1, 0)) > 0;) {
        len += (size_t)got;
        if (cap - len < 4096) {
            cap *= 2;
            char *larger = realloc(answer, cap);
            if (larger == NULL) {
                give_up("memory");
            }
            answer = larger;
        }
    }
    (void)close(fd);
    answer[len] = '\0';
    char *body = strstr(answer, "\r\n\r\n");
    int status = len > 12 ? atoi(answer + 9) : 0;
    if (ret_status != NULL) {
        *ret_status = status;
    }
    if (status != 200 || body == NULL) {
        free(answer);
        return NULL;
    }
    memmove(answer, body + 4, strlen(body + 4) + 1);
    return answer;
}

double daemon_metric(const struct daemon *daemon, const char *name, const char *part)
{
    char *text = daemon_get(daemon, "/metrics", NULL);
    double sum = 0;
    size_t name_len = strlen(name);
    for (char *line = text; line != NULL; line = strchr(line, '\n')) {
        line += *line == '\n';
        char *end = strchr(line, '\n');
        if (strncmp(line, name, name_len) == 0 && (line[name_len] == '{' || line[name_len] == ' ')) {
            char *space = strchr(line + name_len, ' ');
            const char *found = strstr(line, part);
            if (space != NULL && found != NULL && (end == NULL || found < end)) {
                sum += strtod(space, NULL);
            }
        }
    }
    free(text);
    return sum;
}
