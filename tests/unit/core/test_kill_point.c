#include "core/kill_point.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "child_stderr.h"
#include "ss_test.h"

#ifdef SS_FAULTS

#define PASSES 5

struct wish {
    const char *text;
    int others;    /* passes of another point between those of the one that is meant */
};

static void pass(void *context)
{
    const struct wish *wish = context;
    ss_check(setenv("SS_KILL_AT", wish->text, 1) == 0);
    for (int i = 1; i <= PASSES; i++) {
        for (int other = 0; other < wish->others; other++) {
            SS_KILL_POINT(COMMIT_BEFORE);
        }
        SS_KILL_POINT(COMMIT_AFTER);
        fprintf(stderr, "pass %d\n", i);
    }
}

static struct child_stderr run(const char *text, int others)
{
    struct wish wish = { text, others };
    struct child_stderr child;
    child_stderr_run(pass, &wish, &child);
    return child;
}

SS_TEST(kill_point, the_wanted_pass_ends_the_process_and_says_where)
{
    struct child_stderr first = run("commit.after", 0);
    ss_check(first.signal == SIGKILL);
    ss_check(strcmp(first.text, "killed at commit.after\n") == 0);
    struct child_stderr later = run("commit.after:1:2", 0);
    ss_check(later.signal == SIGKILL && strcmp(later.text, first.text) == 0);
    struct child_stderr third = run("commit.after:3", 2);
    ss_check(third.signal == SIGKILL);
    ss_check(strcmp(third.text, "pass 1\npass 2\nkilled at commit.after\n") == 0);
}

SS_TEST(kill_point, without_a_wish_or_before_its_pass_nothing_happens)
{
    static const char *const texts[] = { "", "commit.after:6", "recover.after" };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct child_stderr child = run(texts[i], 1);
        ss_check_msg(child.signal == 0 && strstr(child.text, "pass 5\n") != NULL, "%s: %s",
                     texts[i], child.text);
    }
}

SS_TEST(kill_point, a_wish_that_means_nothing_is_refused)
{
    static const char *const texts[] = { "commit.afte", "commit.after2", "commit", ":1", "nothing",
                                         "commit.after:0", "commit.after:", "commit.after:x",
                                         "commit.after:1x", "commit.after:1:",
                                         "commit.after:1:x", "commit.after:1:2:3",
                                         "commit.after:-1" };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct child_stderr child = run(texts[i], 0);
        ss_check_msg(child.signal == SIGABRT && strstr(child.text, "pass") == NULL &&
                     strstr(child.text, "give NAME, NAME:N") != NULL, "%s: %s",
                     texts[i], child.text);
    }
}

SS_TEST(kill_point, the_list_has_every_point_once)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    ss_check(out != NULL);
    ss__kill_points_print(out);
    ss_check(fclose(out) == 0);
    int lines = 0;
    for (char *line = text; *line != '\0'; lines++) {
        char *end = strchr(line, '\n');
        char name[64];
        ss_check(end != NULL);
        int name_len = snprintf(name, sizeof name, "%.*s\t", (int)strcspn(line, "\t"), line);
        ss_check(name_len > 1 && (size_t)name_len < sizeof name);
        const char *again = strstr(end, name);
        ss_check_msg(again == NULL || again[-1] != '\n', "%s", name);
        line = end + 1;
    }
    ss_check(lines == SS_KILL_POINT_COUNT);
    ss_check(strncmp(text, "directory.made\tcreate\t", 22) == 0);
    free(text);
}

#else

SS_TEST(kill_point, without_fault_points_a_point_is_nothing)
{
    SS_KILL_POINT(COMMIT_AFTER);
    ss_check(SS_KILL_DUE(COMMIT_AFTER) == 0);
}

#endif
