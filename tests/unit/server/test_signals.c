#include "server/signals.h"

#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ss_test.h"

/* A process of its own under the signals, which says on a pipe how far it is. */
struct child {
    pid_t pid;
    int said;      /* a byte for each step */
    int errors;    /* its standard error */
};

enum until { STARTS, SERVES, STOPS, LIMITED };

static void play(enum until until, int say)
{
    if (ss__signals_watch() != 0) {
        _exit(9);
    }
    if (until >= SERVES) {
        ss__signals_serve();
    }
    (void)!write(say, "1", 1);
    if (until >= STOPS) {
        char number = (char)ss__signals_wait();
        (void)!write(say, &number, 1);
    }
    if (until == LIMITED) {
        ss__signals_limit(1);
    }
    for (;;) {
        (void)pause();
    }
}

static char next_byte(const struct child *child)
{
    char byte = 0;
    ss_check(read(child->said, &byte, 1) == 1);
    return byte;
}

static void begin(struct child *child, enum until until)
{
    int said[2];
    int errors[2];
    ss_check(pipe(said) == 0 && pipe(errors) == 0);
    child->pid = fork();
    ss_check(child->pid >= 0);
    if (child->pid == 0) {
        (void)alarm(30);    /* a signal that does nothing fails the test */
        (void)dup2(errors[1], STDERR_FILENO);
        play(until, said[1]);
    }
    (void)close(said[1]);
    (void)close(errors[1]);
    child->said = said[0];
    child->errors = errors[0];
    ss_check(next_byte(child) == '1');
}

/* Waits for the end; returns the exit status and fills what was written to standard error. */
static int end(struct child *child, char text[1024])
{
    size_t len = 0;
    ssize_t got;
    while (len < 1023 && (got = read(child->errors, text + len, 1023 - len)) > 0) {
        len += (size_t)got;
    }
    text[len] = '\0';
    (void)close(child->errors);
    (void)close(child->said);
    int status = 0;
    ss_check(waitpid(child->pid, &status, 0) == child->pid);
    ss_check(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static const int stop_signals[] = { SIGINT, SIGTERM };

SS_TEST(signals, while_starting_the_first_ends_the_process_with_a_line)
{
    static const char *const words[] = { "signal=INT\n", "signal=TERM\n" };
    for (int i = 0; i < 2; i++) {
        struct child child;
        char text[1024];
        begin(&child, STARTS);
        ss_check(kill(child.pid, stop_signals[i]) == 0);
        ss_check(end(&child, text) == 128 + stop_signals[i]);
        ss_check_msg(strstr(text, "msg=\"ended before it served") != NULL &&
                     strstr(text, words[i]) != NULL && strchr(text, '\n')[1] == '\0', "%s", text);
    }
}

SS_TEST(signals, once_it_serves_the_first_is_handed_over_and_the_second_ends_the_process)
{
    for (int i = 0; i < 2; i++) {
        struct child child;
        char text[1024];
        begin(&child, STOPS);
        ss_check(kill(child.pid, stop_signals[i]) == 0);
        ss_check(next_byte(&child) == stop_signals[i]);
        ss_check(kill(child.pid, stop_signals[1 - i]) == 0);
        ss_check(end(&child, text) == 128 + stop_signals[1 - i]);
        ss_check_msg(text[0] == '\0', "%s", text);
    }
}

/* The main thread may be busy with anything when they come. */
SS_TEST(signals, the_second_needs_nobody_who_waited_for_the_first)
{
    struct child child;
    char text[1024];
    begin(&child, SERVES);
    ss_check(kill(child.pid, SIGTERM) == 0);
    ss_check(kill(child.pid, SIGINT) == 0);
    int status = end(&child, text);
    ss_check(status == 128 + SIGTERM || status == 128 + SIGINT);
}

SS_TEST(signals, a_stop_that_hangs_is_ended_by_its_limit)
{
    struct child child;
    char text[1024];
    begin(&child, LIMITED);
    ss_check(kill(child.pid, SIGTERM) == 0);
    ss_check(next_byte(&child) == SIGTERM);
    ss_check(end(&child, text) == 1);
    ss_check_msg(strstr(text, "took too long") != NULL, "%s", text);
}
