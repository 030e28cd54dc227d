#include "server/help.h"

#include <pty.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/docs.h"
#include "ss_test.h"

struct run {
    char *out;
    char *err;
    int status;
};

#define WORDS(...) ((const char *const[]){ __VA_ARGS__, NULL })
#define NO_WORDS ((const char *const[]){ NULL })

static void help_run(struct run *run, bool styled, const char *const *words)
{
    size_t out_len;
    size_t err_len;
    struct ss_help help = { .program = "ssctl", .styled = styled };
    help.out = open_memstream(&run->out, &out_len);
    help.err = open_memstream(&run->err, &err_len);
    ss_check(help.out != NULL && help.err != NULL);
    run->status = ss__help_print(&help, words);
    ss_check(fclose(help.out) == 0 && fclose(help.err) == 0);
}

static void run_deinit(struct run *run)
{
    free(run->out);
    free(run->err);
}

/* A refusal prints nothing but a message, which has @part in it. */
static void check_refused(const char *const *words, const char *part)
{
    struct run run;
    help_run(&run, false, words);
    ss_check(run.status == SS_HELP_USAGE && run.out[0] == '\0');
    ss_check_msg(strstr(run.err, part) != NULL, "no \"%s\" in: %s", part, run.err);
    run_deinit(&run);
}

SS_TEST(help, lists_every_topic_on_a_line)
{
    struct run run;
    help_run(&run, false, NO_WORDS);
    ss_check(run.status == SS_HELP_OK && run.err[0] == '\0' && strchr(run.out, '\033') == NULL);
    ss_check(strstr(run.out, "Usage: ssctl help") == run.out);
    for (size_t i = 0; i < ss__docs_count; i++) {
        char start[64];
        snprintf(start, sizeof start, "\n  %s ", ss__docs[i].name);
        const char *line = strstr(run.out, start);
        ss_check_msg(line != NULL, "%s", ss__docs[i].name);
        ss_check(strcspn(line + 1, "\n") <= 90);
    }
    run_deinit(&run);
}

SS_TEST(help, a_page_has_styles_only_where_they_are_wanted)
{
    struct run styled;
    struct run plain;
    help_run(&styled, true, WORDS("user-guide"));
    help_run(&plain, false, WORDS("user-guide"));
    ss_check(styled.status == SS_HELP_OK && plain.status == SS_HELP_OK);
    ss_check(strncmp(styled.out, "\033[1mUser\033[0m \033[1mguide\033[0m\n", 26) == 0);
    ss_check(strncmp(plain.out, "User guide\n", 11) == 0);
    ss_check(strchr(plain.out, '\033') == NULL);
    run_deinit(&styled);
    run_deinit(&plain);
}

/* Columns of a line of plain text. */
static size_t columns(const char *line, size_t len)
{
    size_t count = 0;
    for (size_t i = 0; i < len; i++) {
        count += ((unsigned char)line[i] & 0xC0) != 0x80;
    }
    return count;
}

SS_TEST(help, text_and_tables_fit_the_terminal)
{
    struct run run;
    help_run(&run, false, WORDS("reference"));
    for (const char *line = run.out; *line != '\0';) {
        size_t len = strcspn(line, "\n");
        ss_check_msg(columns(line, len) <= 80, "%.*s", (int)len, line);
        ss_check_msg(len == 0 || line[len - 1] != ' ', "%.*s", (int)len, line);
        line += len + 1;
    }
    ss_check(strstr(run.out, "--log-level LEVEL") != NULL);
    run_deinit(&run);
}

SS_TEST(help, columns_of_a_table_stand_below_each_other)
{
    struct run run;
    help_run(&run, false, WORDS("operations"));
    const char *head = strstr(run.out, "  file ");
    ss_check(head != NULL);
    size_t column = (size_t)(strstr(head, "is\n") - head);
    const char *rule = strchr(head, '\n') + 1;
    const char *first = strchr(rule, '\n') + 1;
    ss_check(strspn(rule, " -") == strcspn(rule, "\n"));
    ss_check_msg(strncmp(first + column, "the identity of the directory", 29) == 0, "%.80s", first);
    run_deinit(&run);
}

SS_TEST(help, markdown_is_the_page_as_it_is_in_the_repository)
{
    struct run run;
    help_run(&run, true, WORDS("--markdown", "load"));
    ss_check(run.status == SS_HELP_OK && strncmp(run.out, "# ss-load", 9) == 0);
    ss_check(strchr(run.out, '\033') == NULL && strstr(run.out, "\n```") != NULL);
    run_deinit(&run);
}

SS_TEST(help, all_is_every_page)
{
    struct run run;
    help_run(&run, false, WORDS("--all"));
    for (size_t i = 0; i < ss__docs_count; i++) {
        ss_check_msg(strstr(run.out, ss__docs[i].title) != NULL, "%s", ss__docs[i].title);
    }
    run_deinit(&run);
}

SS_TEST(help, unknown_topics_name_the_nearest)
{
    check_refused(WORDS("refrence"), "did you mean reference?");
    check_refused(WORDS("guide"), "did you mean user-guide?");
    check_refused(WORDS("getting_started"), "did you mean getting-started?");
    check_refused(WORDS("systemd"), "it is mentioned in operations");
    check_refused(WORDS("xyzzyqq"), "no help topic \"xyzzyqq\"\nssctl help lists the topics.\n");
    check_refused(WORDS(""), "no help topic \"\"");
}

SS_TEST(help, other_words_are_refused)
{
    check_refused(WORDS("load", "bench"), "one topic");
    check_refused(WORDS("--color", "load"), "--color: help takes");
}

SS_TEST(help, output_that_cannot_be_written_is_a_failure)
{
    struct ss_help help = { .program = "ssctl", .out = fopen("/dev/full", "w") };
    char *text;
    size_t len;
    ss_check(help.out != NULL);
    help.err = open_memstream(&text, &len);
    ss_check(ss__help_print(&help, WORDS("load")) == SS_HELP_FAILED);
    ss_check(fclose(help.err) == 0);
    ss_check(strstr(text, "cannot write to standard output") != NULL);
    free(text);
    (void)fclose(help.out);    /* fails again: the device is full */
}

/* What a terminal receives of a refusal and of the list of topics with @pager. */
static void read_terminal(const char *pager, char *out, size_t cap)
{
    int ends[2];
    ss_check(openpty(&ends[0], &ends[1], NULL, NULL, NULL) == 0);
    FILE *terminal = fdopen(ends[1], "w");
    ss_check(terminal != NULL && setenv("PAGER", pager, 1) == 0);
    ss_check(ss__help_main("ssctl", WORDS("nothing-like-it"), terminal, terminal) == SS_HELP_USAGE);
    ss_check(ss__help_main("ssctl", NO_WORDS, terminal, terminal) == SS_HELP_OK);
    ss_check(fclose(terminal) == 0);
    size_t len = 0;
    for (ssize_t got; (got = read(ends[0], out + len, cap - 1 - len)) > 0;) {
        len += (size_t)got;    /* until an error tells that the other end is closed */
    }
    out[len] = '\0';
    (void)close(ends[0]);
}

SS_TEST(help, a_terminal_gets_styles_unless_told_otherwise)
{
    char text[4096];
    ss_check(setenv("TERM", "xterm", 1) == 0 && unsetenv("NO_COLOR") == 0);
    read_terminal("", text, sizeof text);
    ss_check(strstr(text, "\033[1mgetting-started") != NULL);
    ss_check(setenv("NO_COLOR", "1", 1) == 0);
    read_terminal("", text, sizeof text);
    ss_check(strstr(text, "\033[1m") == NULL && strstr(text, "  getting-started") != NULL);
    ss_check(unsetenv("NO_COLOR") == 0 && setenv("TERM", "dumb", 1) == 0);
    read_terminal("", text, sizeof text);
    ss_check(strstr(text, "\033[1m") == NULL);
}

SS_TEST(help, a_terminal_reads_through_its_pager)
{
    char path[] = "/tmp/ss-help-XXXXXX";
    char pager[64];
    char text[4096];
    int fd = mkstemp(path);
    ss_check(fd >= 0);
    snprintf(pager, sizeof pager, "cat > %s", path);
    read_terminal(pager, text, sizeof text);
    ss_check(strstr(text, "Usage:") == NULL && strstr(text, "no help topic") != NULL);
    ssize_t got = read(fd, text, sizeof text - 1);
    ss_check(got > 0);
    text[got] = '\0';
    ss_check(strstr(text, "Usage: ssctl help") == text);
    (void)close(fd);
    (void)unlink(path);
    read_terminal("exit 3", text, sizeof text);    /* a reader who leaves at once */
}
