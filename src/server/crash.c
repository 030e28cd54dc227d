#include "server/crash.h"

#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <sessionstream/error.h>

#include "core/mapped.h"

#define LINE_BYTES 1024
#define DATA_DIR_BYTES 256
#define STACK_BYTES (64u << 10)

static const int watched[] = { SIGSEGV, SIGBUS, SIGABRT };
#define WATCHED_COUNT (sizeof watched / sizeof watched[0])

static char shown_dir[DATA_DIR_BYTES];
static struct sigaction before[WATCHED_COUNT];

struct line {
    char text[LINE_BYTES];
    size_t len;
};

static void put(struct line *line, const char *text)
{
    while (*text != '\0' && line->len < sizeof line->text - 1) {
        line->text[line->len++] = *text++;
    }
}

static void put_number(struct line *line, uint64_t number)
{
    char digits[24];
    size_t at = sizeof digits - 1;
    digits[at] = '\0';
    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number != 0);
    put(line, digits + at);
}

static const char *name_of(int signal)
{
    return signal == SIGBUS ? "SIGBUS" : signal == SIGSEGV ? "SIGSEGV" : "SIGABRT";
}

void ss__crash_print(int fd, int signal, const void *address)
{
    struct line line = { .len = 0 };
    uint64_t offset = 0;
    const char *file = signal == SIGABRT ? NULL : ss__mapped_find(address, &offset);
    put(&line, "sessionstreamd: ended by ");
    put(&line, name_of(signal));
    if (file != NULL) {
        put(&line, " at byte ");
        put_number(&line, offset);
        put(&line, " of the store \"");
        put(&line, file);
        put(&line, "\": the file is damaged, cut off or cannot be read; run `ssctl store check ");
    } else {
        put(&line, "; if a store may be damaged or its disk fails, run `ssctl store check ");
    }
    put(&line, shown_dir);
    put(&line, "`, and put the directory back from a backup if it finds something\n");
    ssize_t written = write(fd, line.text, line.len);
    (void)written;    /* the process ends either way */
}

static void on_crash(int signal, siginfo_t *info, void *context)
{
    (void)context;
    for (size_t i = 0; i < WATCHED_COUNT; i++) {
        (void)sigaction(watched[i], &before[i], NULL);    /* numbers are valid */
    }
    ss__crash_print(STDERR_FILENO, signal, info->si_addr);
    /* A fault happens again on return; what somebody sent does not. */
    if (info->si_code <= 0) {
        (void)raise(signal);
    }
}

int ss__crash_watch(const char *data_dir)
{
    static char stack[STACK_BYTES];    /* for a full stack of the first thread */
    stack_t alternative = { .ss_sp = stack, .ss_size = sizeof stack };
    struct sigaction action = { .sa_sigaction = on_crash, .sa_flags = SA_SIGINFO | SA_ONSTACK };
    size_t len = strlen(data_dir);
    len = len < sizeof shown_dir ? len : sizeof shown_dir - 1;
    memcpy(shown_dir, data_dir, len);
    shown_dir[len] = '\0';
    stack_t other = { 0 };
    if (sigaltstack(NULL, &other) != 0 ||
        ((other.ss_flags & SS_DISABLE) != 0 && sigaltstack(&alternative, NULL) != 0)) {
        return SS_E_INTERNAL;
    }
    for (size_t i = 0; i < WATCHED_COUNT; i++) {
        if (sigaction(watched[i], &action, &before[i]) != 0) {
            return SS_E_INTERNAL;
        }
    }
    return 0;
}
