#include "ss_test.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lint/lint.h"

#define SET(name) SS_LINT_SETS "/" name ".binpb"

struct run {
    char *out;
    char *err;
    int status;
};

static void run(struct run *run, const char *const *args)
{
    char *argv[16] = { (char *)(uintptr_t)"ss-lint" };
    size_t out_len;
    size_t err_len;
    for (size_t i = 0; args[i] != NULL; i++) {
        ss_check(i + 2 < sizeof argv / sizeof argv[0]);
        argv[i + 1] = (char *)(uintptr_t)args[i];
    }
    FILE *out = open_memstream(&run->out, &out_len);
    FILE *err = open_memstream(&run->err, &err_len);
    ss_check(out != NULL && err != NULL);
    run->status = ss__lint_main(argv, out, err);
    ss_check(fclose(out) == 0 && fclose(err) == 0);
}

static bool ends(const char *const *args, int status, const char *out_part, const char *err_part)
{
    struct run ran;
    run(&ran, args);
    bool as_expected = ran.status == status && strstr(ran.out, out_part) != NULL &&
                       strstr(ran.err, err_part) != NULL &&
                       (err_part[0] != '\0' || ran.err[0] == '\0');
    if (!as_expected) {
        fprintf(stderr, "status %d\n%s%s", ran.status, ran.out, ran.err);
    }
    free(ran.out);
    free(ran.err);
    return as_expected;
}

#define ARGS(...) ((const char *const[]){ __VA_ARGS__, NULL })

SS_TEST(lint, the_exit_status_tells_clean_from_errors_from_trouble)
{
    ss_check(ends(ARGS("--app", "chat"), SS_LINT_CLEAN, "", ""));
    ss_check(ends(ARGS(SET("style")), SS_LINT_CLEAN, " warnings\n", ""));
    ss_check(ends(ARGS(SET("new_evolve"), "--previous", SET("old_evolve")), SS_LINT_FOUND,
                  " errors, ", ""));
    ss_check(ends(ARGS(SET("style"), "--quiet"), SS_LINT_CLEAN, "", ""));
    ss_check(ends(ARGS("--nonsense"), SS_LINT_UNREADABLE, "", "ss-lint: --nonsense"));
    ss_check(ends(ARGS("/nonexistent"), SS_LINT_UNREADABLE, "",
                  "ss-lint: io_error: /nonexistent cannot be opened"));
    ss_check(ends(ARGS("/dev/null"), SS_LINT_UNREADABLE, "", "/dev/null is empty"));
    ss_check(ends(ARGS("--app", "nothing"), SS_LINT_UNREADABLE, "", "nothing"));
    ss_check(ends(ARGS("--app", "chat", "--app-option", "x=1"), SS_LINT_UNREADABLE, "", "\"x\""));
    ss_check(ends(ARGS("--app", "chat", "--previous", SS_LINT_SETS "/style.h"),
                  SS_LINT_UNREADABLE, "", "invalid_schema: "));
}

SS_TEST(lint, questions_are_answered)
{
    ss_check(ends(ARGS("--help"), SS_LINT_CLEAN, "--previous FILE", ""));
    ss_check(ends(ARGS("--version"), SS_LINT_CLEAN, "ss-lint ", ""));
    ss_check(ends(ARGS("--rules"), SS_LINT_CLEAN, "field-kind           error", ""));
    ss_check(ends(ARGS("--rule=field-kind=off", "--rules"), SS_LINT_CLEAN,
                  "field-kind           off", ""));
}

SS_TEST(lint, rules_can_become_errors_or_go_for_one_symbol)
{
    ss_check(ends(ARGS(SET("style"), "--rule", "enum-zero=error"), SS_LINT_FOUND,
                  "1 error, ", ""));
    ss_check(ends(ARGS(SET("style"), "--rule", "enum-zero=error", "--rule",
                       "enum-zero@style.Bad_Enum.first=off"),
                  SS_LINT_CLEAN, "0 errors, ", ""));
    ss_check(ends(ARGS(SET("style"), "--ignore", "style", "--json"), SS_LINT_CLEAN,
                  "\"findings\":[]", ""));
}

SS_TEST(lint, findings_have_the_place_in_the_source)
{
    ss_check(ends(ARGS(SET("style"), "--source-root", "tests/unit/lint"), SS_LINT_CLEAN,
                  "\ntests/unit/lint/style.proto:36:3: warning: style.bad_message.badField: ", ""));
    ss_check(ends(ARGS(SET("style"), "--json"), SS_LINT_CLEAN,
                  "\"file\":\"style.proto\",\"line\":36,\"column\":3,", ""));
}

SS_TEST(lint, a_saved_set_is_what_the_next_run_compares_with)
{
    char path[] = "/tmp/ss_lint_XXXXXX";
    int fd = mkstemp(path);
    ss_check(fd >= 0 && close(fd) == 0);
    ss_check(ends(ARGS("--app", "chat", "--save", path), SS_LINT_CLEAN, "", ""));
    ss_check(ends(ARGS("--app", "chat", "--with-clients", "--previous", path), SS_LINT_CLEAN, "",
                  ""));
    ss_check(ends(ARGS("--app", "bench", "--previous", path), SS_LINT_FOUND,
                  "error: entity/ChatMessage: ", ""));
    ss_check(unlink(path) == 0);
}

SS_TEST(lint, a_saved_set_stands_for_its_application)
{
    char chat[] = "/tmp/ss_lint_XXXXXX";
    char bench[] = "/tmp/ss_lint_XXXXXX";
    int fd = mkstemp(chat);
    ss_check(fd >= 0 && close(fd) == 0);
    fd = mkstemp(bench);
    ss_check(fd >= 0 && close(fd) == 0);
    ss_check(ends(ARGS("--app", "chat", "--save", chat), SS_LINT_CLEAN, "", ""));
    ss_check(ends(ARGS("--app", "bench", "--save", bench), SS_LINT_CLEAN, "", ""));
    ss_check(ends(ARGS(chat, "--previous", chat), SS_LINT_CLEAN, "", ""));
    ss_check(ends(ARGS(bench, "--previous", chat), SS_LINT_FOUND, "error: entity/ChatMessage: ",
                  ""));
    ss_check(unlink(chat) == 0 && unlink(bench) == 0);
}

SS_TEST(lint, a_set_with_errors_is_not_saved)
{
    char path[] = "/tmp/ss_lint_XXXXXX";
    int fd = mkstemp(path);
    ss_check(fd >= 0);
    ss_check(ends(ARGS(SET("new_evolve"), "--previous", SET("old_evolve"), "--save", path),
                  SS_LINT_FOUND, "", ""));
    ss_check(lseek(fd, 0, SEEK_END) == 0);    /* nothing was written */
    ss_check(ends(ARGS(SET("new_evolve"), "--save", "/nonexistent/x"), SS_LINT_UNREADABLE, "",
                  "/nonexistent/x cannot be written"));
    ss_check(close(fd) == 0 && unlink(path) == 0);
}
