/* words.h - inline text as words with their styles, ready to be filled into lines. One thread. */
#ifndef SS_DOCS_WORDS_H
#define SS_DOCS_WORDS_H

#include <stdio.h>

#include "topics.h"

#define SGR_RESET "\033[0m"
#define SGR_BOLD "\033[1m"
#define SGR_UNDERLINE "\033[4m"
#define SGR_CODE "\033[36m"

struct word {
    char *text;        /* NULL: a forced line end */
    size_t columns;
};

struct words {
    struct word *items;
    size_t count;
    size_t columns;    /* of all of it on one line */
};

/* The inline children of @node. Links say where they lead if their text does not. @bold: all of
 * it. */
void words_read(const struct topics *topics, cmark_node *node, int bold, struct words *ret_words);
void words_free(struct words *words);

/* Columns of the longest word. */
size_t words_longest(const struct words *words);

/* Writes one line of words, from *at on, no wider than @width unless a word is; moves *at behind
 * them and returns the columns written. */
size_t words_line(FILE *out, const struct words *words, size_t *at, size_t width);

#endif
