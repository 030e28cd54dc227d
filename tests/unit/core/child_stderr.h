/* child_stderr.h - runs a function in a process of its own and keeps what it wrote to stderr. */
#ifndef SS_TEST_CHILD_STDERR_H
#define SS_TEST_CHILD_STDERR_H

#include <signal.h>
#include <stddef.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ss_test.h"

struct child_stderr {
    int signal;         /* what ended it; 0: it came back */
    size_t len;
    char text[8192];    /* NUL-terminated */
};

static inline void child_stderr_run(void (*run)(void *), void *context, struct child_stderr *ret)
{
    int ends[2];
    ss_check(pipe(ends) == 0);
    pid_t child = fork();
    ss_check(child >= 0);
    if (child == 0) {
        (void)signal(SIGABRT, SIG_DFL);
        if (dup2(ends[1], STDERR_FILENO) == STDERR_FILENO) {
            run(context);
            _exit(0);
        }
        _exit(1);
    }
    (void)close(ends[1]);
    ret->len = 0;
    ssize_t got;
    while ((got = read(ends[0], ret->text + ret->len, sizeof ret->text - 1 - ret->len)) > 0) {
        ret->len += (size_t)got;
    }
    ss_check(got == 0 && ret->len < sizeof ret->text - 1);
    ret->text[ret->len] = '\0';
    (void)close(ends[0]);
    int status;
    ss_check(waitpid(child, &status, 0) == child);
    ret->signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    ss_check(ret->signal != 0 || (WIFEXITED(status) && WEXITSTATUS(status) == 0));
}

#endif
