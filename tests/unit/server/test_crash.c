#include "server/crash.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/mapped.h"
#include "ss_test.h"

static const char *printed(int signal, const void *address, char out[2048])
{
    int ends[2];
    ss_check(pipe(ends) == 0);
    ss__crash_print(ends[1], signal, address);
    (void)close(ends[1]);
    ssize_t len = read(ends[0], out, 2047);
    (void)close(ends[0]);
    ss_check(len > 0 && out[len - 1] == '\n');
    out[len] = '\0';
    return out;
}

SS_TEST(crash, line_names_file_and_remedy)
{
    static char memory[100];
    char out[2048];
    int slot = ss__mapped_add(memory, sizeof memory, "/x/shard-0003/data.mdb");
    const char *line = printed(SIGBUS, memory + 42, out);
    ss_check_msg(strstr(line, "SIGBUS at byte 42 of the store \"/x/shard-0003/data.mdb\"") != NULL,
                 "%s", line);
    ss_check_msg(strstr(line, "`ssctl store check ") != NULL, "%s", line);
    line = printed(SIGABRT, memory + 42, out);
    ss_check_msg(strstr(line, "ended by SIGABRT; if a store may be damaged") != NULL, "%s", line);
    ss__mapped_remove(slot);
    line = printed(SIGSEGV, memory + 42, out);
    ss_check_msg(strstr(line, "ended by SIGSEGV; if a store may be damaged") != NULL, "%s", line);
}

/* Runs @fault in a process of its own; returns its status and what it wrote to standard error. */
static int run(void (*fault)(void), char out[8192])
{
    int ends[2];
    ss_check(pipe(ends) == 0);
    pid_t child = fork();
    ss_check(child >= 0);
    if (child == 0) {
        struct rlimit none = { 0, 0 };
        (void)setrlimit(RLIMIT_CORE, &none);
        (void)dup2(ends[1], STDERR_FILENO);
        (void)close(ends[0]);
        (void)signal(SIGSEGV, SIG_DFL);    /* not the test runner's */
        (void)signal(SIGBUS, SIG_DFL);
        (void)signal(SIGABRT, SIG_DFL);
        if (ss__crash_watch("/data/here") != 0) {
            _exit(9);
        }
        fault();
        _exit(0);
    }
    (void)close(ends[1]);
    size_t len = 0;
    ssize_t got;
    while (len < 8191 && (got = read(ends[0], out + len, 8191 - len)) > 0) {
        len += (size_t)got;
    }
    (void)close(ends[0]);
    out[len] = '\0';
    int status = 0;
    ss_check(waitpid(child, &status, 0) == child);
    return status;
}

/* Reading a mapped file that has been cut off. */
static void read_behind_the_end(void)
{
    char path[] = "/tmp/ss-crash-XXXXXX";
    int fd = mkstemp(path);
    if (fd < 0 || unlink(path) != 0 || ftruncate(fd, 8192) != 0) {
        return;
    }
    volatile char *map = mmap(NULL, 8192, PROT_READ, MAP_SHARED, fd, 0);
    (void)ss__mapped_add((const void *)(uintptr_t)map, 8192, "/data/here/shard-0001/data.mdb");
    if (ftruncate(fd, 4096) == 0) {
        _exit(map[5000]);
    }
}

static void be_sent_one(void)
{
    (void)raise(SIGSEGV);
}

static void give_up(void)
{
    abort();
}

SS_TEST(crash, signal_ends_the_process_as_without_it)
{
    char out[8192];
    int status = run(read_behind_the_end, out);
    ss_check_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS, "status %d: %s", status, out);
    ss_check_msg(strstr(out, "SIGBUS at byte 5000 of the store \"/data/here/shard-0001/data.mdb") !=
                     NULL, "%s", out);
    ss_check_msg(strstr(out, "`ssctl store check /data/here`") != NULL, "%s", out);
    status = run(be_sent_one, out);
    ss_check_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV, "status %d: %s", status, out);
    ss_check_msg(strstr(out, "ended by SIGSEGV;") != NULL, "%s", out);
    status = run(give_up, out);
    ss_check_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT, "status %d: %s", status, out);
    ss_check_msg(strstr(out, "ended by SIGABRT;") != NULL, "%s", out);
}
