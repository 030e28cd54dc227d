#include "runs.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define RUN_SECONDS 60
#define FAILED_SHOWN 10
#define LINES_SHOWN 12

extern int __lsan_do_recoverable_leak_check(void) __attribute__((weak));

static atomic_uint broken_so_far;

void broken(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)fputs("BROKEN: ", stderr);
    (void)vfprintf(stderr, format, args);
    (void)fputc('\n', stderr);
    va_end(args);
    atomic_fetch_add(&broken_so_far, 1);
}

unsigned broken_count(void)
{
    return atomic_load(&broken_so_far);
}

/* ---- options ---- */

void runs_init(struct runs *runs)
{
    *runs = (struct runs){ .stride = 1, .begun = time(NULL) };
    runs->seed = (uint64_t)runs->begun;
}

void runs_option(struct runs *runs, int option, const char *value, const char *usage)
{
    uint64_t number = value == NULL ? 0 : strtoull(value, NULL, 10);
    switch (option) {
    case 's': runs->stride = number == 0 ? 1 : number; break;
    case 'S': runs->seed = number; break;
    case 't': runs->seconds = number; break;
    case 'd': runs->dir = value; break;
    default:
        (void)fputs(usage, option == 'h' ? stdout : stderr);
        exit(option == 'h' ? 0 : 2);
    }
}

void runs_begin(struct runs *runs)
{
    const char *temporary = getenv("TMPDIR");
    const char *dir = runs->dir;
    if (dir == NULL) {
        dir = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : temporary != NULL ? temporary : "/tmp";
    }
    (void)snprintf(runs->base, sizeof runs->base, "%.90s/ss-faults-XXXXXX", dir);
    if (mkdtemp(runs->base) == NULL) {
        perror(runs->base);
        exit(2);
    }
    printf("seed %llu\n", (unsigned long long)runs->seed);
}

static int remove_entry(const char *path, const struct stat *info, int type, struct FTW *at)
{
    (void)info;
    (void)type;
    (void)at;
    return remove(path);
}

void runs_remove_tree(const char *path)
{
    (void)nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

void runs_end(struct runs *runs)
{
    runs_remove_tree(runs->base);
}

bool runs_out_of_time(const struct runs *runs)
{
    return runs->seconds != 0 && (uint64_t)(time(NULL) - runs->begun) >= runs->seconds;
}

void *runs_share(size_t bytes)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        perror("mmap");
        exit(2);
    }
    return memory;
}

/* ---- one run ---- */

_Noreturn static void child(const struct runs *runs, void (*scenario)(void *ctx), void *ctx,
                            const char *log)
{
    (void)alarm(RUN_SECONDS);
    int fd = runs->loud ? -1 : open(log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd >= 0) {
        (void)dup2(fd, STDERR_FILENO);
        (void)close(fd);
    }
    scenario(ctx);
    if (__lsan_do_recoverable_leak_check != NULL && __lsan_do_recoverable_leak_check() != 0) {
        broken("memory is lost");
    }
    int status = broken_count() == 0 ? 0 : 1;
    if (__lsan_do_recoverable_leak_check != NULL) {
        _exit(status);    /* or it would look once more */
    }
    exit(status);    /* figures of coverage are written */
}

/* Its log is what is to be expected; the rest is shown. */
static void show(const char *log)
{
    char line[300];
    FILE *file = fopen(log, "r");
    for (int lines = 0; file != NULL && lines < LINES_SHOWN &&
                        fgets(line, sizeof line, file) != NULL;) {
        if (strstr(line, "level=") == NULL && strstr(line, "start refused") == NULL) {
            (void)fputs(line, stdout);
            lines++;
        }
    }
    if (file != NULL) {
        (void)fclose(file);
    }
}

bool runs_one(struct runs *runs, void (*scenario)(void *ctx), void *ctx, const char *what)
{
    char log[160];
    (void)snprintf(log, sizeof log, "%s/log", runs->base);
    (void)fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        child(runs, scenario, ctx, log);
    }
    int status = 0;
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    runs->count++;
    if (pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0) {
        return true;
    }
    runs->broken++;
    if (runs->broken <= FAILED_SHOWN) {
        printf("FAILED: %s: %s\n", what, WIFSIGNALED(status) ? strsignal(WTERMSIG(status)) : "");
        show(log);
    }
    return false;
}
