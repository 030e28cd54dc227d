#include "server/help.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sessionstream/types.h>

#include "server/docs.h"
#include "server/nearest.h"

#define MENTIONS_MAX 3

static const struct ss_doc *find(const char *name)
{
    for (size_t i = 0; i < ss__docs_count; i++) {
        if (strcmp(ss__docs[i].name, name) == 0) {
            return &ss__docs[i];
        }
    }
    return NULL;
}

/* ---- output ---- */

/* Text of a page; without styles its SGR sequences are left out. */
static void print_text(const struct ss_help *help, const char *text)
{
    while (!help->styled && text != NULL) {
        const char *escape = strchr(text, '\033');
        size_t len = escape == NULL ? strlen(text) : (size_t)(escape - text);
        fwrite(text, 1, len, help->out);
        text = escape == NULL ? NULL : strchr(escape, 'm');
        text = text == NULL ? NULL : text + 1;
    }
    if (help->styled) {
        fputs(text, help->out);
    }
}

static void print_topics(const struct ss_help *help)
{
    size_t column = 0;
    for (size_t i = 0; i < ss__docs_count; i++) {
        size_t len = strlen(ss__docs[i].name);
        column = len > column ? len : column;
    }
    for (size_t i = 0; i < ss__docs_count; i++) {
        fprintf(help->out, "  %s%-*s%s  %s\n", help->styled ? "\033[1m" : "", (int)column,
                ss__docs[i].name, help->styled ? "\033[0m" : "", ss__docs[i].summary);
    }
}

static void print_list(const struct ss_help *help)
{
    fprintf(help->out, "Usage: %s help [--markdown] TOPIC\n\n", help->program);
    print_topics(help);
    fprintf(help->out,
            "\n%s help --all prints all of them, --markdown a page as it is in docs/; a\n"
            "running daemon serves them under /docs/. %s --help lists the %s.\n",
            help->program, help->program,
            strcmp(help->program, "ssctl") == 0 ? "commands" : "options");
}

static void print_all(const struct ss_help *help, bool markdown)
{
    for (size_t i = 0; i < ss__docs_count; i++) {
        if (i > 0) {
            fputs("\n\n", help->out);
        }
        if (markdown) {
            fputs(ss__docs[i].markdown, help->out);
        } else {
            print_text(help, ss__docs[i].text);
        }
    }
}

/* ---- unknown topics ---- */

static bool is_near(const char *name, const char *topic)
{
    size_t len = strlen(name);
    unsigned most = len < 6 ? 2 : (unsigned)len / 3;
    return (len >= 3 && strstr(topic, name) != NULL) ||
           ss__nearest_distance(ss_str(name), ss_str(topic)) <= most;
}

static size_t count_mentions(const char *text, const char *word)
{
    size_t count = 0;
    for (const char *at = text; (at = strcasestr(at, word)) != NULL; at++) {
        count++;
    }
    return count;
}

/* The pages that say @word most often, best first; returns how many there are. */
static size_t find_mentions(const char *word, const struct ss_doc *best[MENTIONS_MAX])
{
    size_t counts[MENTIONS_MAX] = { 0 };
    for (size_t i = 0; i < ss__docs_count && strlen(word) >= 3; i++) {
        size_t count = count_mentions(ss__docs[i].markdown, word);
        size_t place = MENTIONS_MAX;
        while (place > 0 && count > counts[place - 1]) {
            place--;
        }
        for (size_t j = MENTIONS_MAX - 1; j > place && place < MENTIONS_MAX; j--) {
            best[j] = best[j - 1];
            counts[j] = counts[j - 1];
        }
        if (place < MENTIONS_MAX) {
            best[place] = &ss__docs[i];
            counts[place] = count;
        }
    }
    size_t found = 0;
    while (found < MENTIONS_MAX && counts[found] > 0) {
        found++;
    }
    return found;
}

static int refuse_topic(const struct ss_help *help, const char *name)
{
    const struct ss_doc *mentions[MENTIONS_MAX];
    const char *before = "; did you mean ";
    fprintf(help->err, "%s: no help topic \"%.60s\"", help->program, name);
    for (size_t i = 0; i < ss__docs_count; i++) {
        if (is_near(name, ss__docs[i].name)) {
            fprintf(help->err, "%s%s", before, ss__docs[i].name);
            before = " or ";
        }
    }
    bool near = before[0] == ' ';
    size_t count = near ? 0 : find_mentions(name, mentions);
    for (size_t i = 0; i < count; i++) {
        fprintf(help->err, "%s%s", i == 0 ? "; it is mentioned in " : ", ", mentions[i]->name);
    }
    fprintf(help->err, "%s\n%s help lists the topics.\n", near ? "?" : "", help->program);
    return SS_HELP_USAGE;
}

/* ---- words ---- */

int ss__help_print(const struct ss_help *help, const char *const *words)
{
    const struct ss_doc *doc = NULL;
    bool all = false;
    bool markdown = false;
    for (; *words != NULL; words++) {
        if (strcmp(*words, "--all") == 0) {
            all = true;
        } else if (strcmp(*words, "--markdown") == 0) {
            markdown = true;
        } else if ((*words)[0] == '-') {
            fprintf(help->err, "%s: %s: help takes --all and --markdown\n", help->program, *words);
            return SS_HELP_USAGE;
        } else if (doc != NULL) {
            fprintf(help->err, "%s: %s: help takes one topic\n", help->program, *words);
            return SS_HELP_USAGE;
        } else if ((doc = find(*words)) == NULL) {
            return refuse_topic(help, *words);
        }
    }
    if (all) {
        print_all(help, markdown);
    } else if (doc == NULL) {
        print_list(help);
    } else if (markdown) {
        fputs(doc->markdown, help->out);
    } else {
        print_text(help, doc->text);
    }
    if (fflush(help->out) != 0 || ferror(help->out)) {
        fprintf(help->err, "%s: cannot write to standard output\n", help->program);
        return SS_HELP_FAILED;
    }
    return SS_HELP_OK;
}

static bool is_set(const char *variable)
{
    const char *value = getenv(variable);
    return value != NULL && value[0] != '\0';
}

/* A reader who leaves the pager early is no failure, so what becomes of the pipe does not count;
 * a usage error is told without a pager, as nothing is written then. */
static int print_through_pager(struct ss_help *help, const char *const *words)
{
    char *text = NULL;
    size_t len = 0;
    FILE *terminal = help->out;
    help->out = open_memstream(&text, &len);
    if (help->out == NULL) {
        help->out = terminal;
        return ss__help_print(help, words);
    }
    int status = ss__help_print(help, words);
    (void)fclose(help->out);    /* ss__help_print has flushed it */
    help->out = terminal;
    (void)setenv("LESS", "FRX", 0);    /* shows styles, ends by itself after one screen */
    FILE *pager = status == SS_HELP_OK ? popen(getenv("PAGER"), "w") : NULL;
    if (pager != NULL) {
        void (*before)(int) = signal(SIGPIPE, SIG_IGN);
        (void)fwrite(text, 1, len, pager);
        (void)pclose(pager);
        (void)signal(SIGPIPE, before);
    } else if (status == SS_HELP_OK) {
        (void)fwrite(text, 1, len, help->out);
    }
    free(text);
    return status;
}

int ss__help_main(const char *program, const char *const *words, FILE *out, FILE *err)
{
    bool terminal = isatty(fileno(out)) == 1;
    const char *kind = getenv("TERM");
    bool dumb = kind == NULL || strcmp(kind, "dumb") == 0;
    struct ss_help help = { .program = program, .styled = terminal && !dumb && !is_set("NO_COLOR"),
                            .out = out, .err = err };
    return terminal && is_set("PAGER") ? print_through_pager(&help, words)
                                       : ss__help_print(&help, words);
}
