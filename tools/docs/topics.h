/* topics.h - the pages of docs/ in memory. One thread. Each function ends the program with a
 * message when it cannot go on: this is a build tool. */
#ifndef SS_DOCS_TOPICS_H
#define SS_DOCS_TOPICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdnoreturn.h>

#include <cmark-gfm.h>

struct topic {
    char *name;        /* file name without .md; the word behind "help" and /docs/ */
    char *summary;     /* of topics.txt */
    char *title;       /* the page's first heading */
    char *markdown;
};

struct topics {
    struct topic *items;
    size_t count;
};

/* Reads DIR/topics.txt and every page that it names. */
void topics_read(const char *directory, struct topics *ret_topics);
void topics_free(struct topics *topics);

/* NULL: no topic has this name. */
const struct topic *topics_find(const struct topics *topics, const char *name, size_t name_len);

/* The document of a page without its comments. Refuses what a page may not hold: other raw HTML,
 * images, and links within docs/ that lead nowhere. */
cmark_node *topic_parse(const struct topics *topics, const struct topic *topic);

enum link_kind {
    LINK_OUTSIDE,    /* http: or https: */
    LINK_TOPIC,      /* another page, perhaps with an anchor */
    LINK_ANCHOR,     /* of the same page */
    LINK_SOURCE      /* a file of the repository that no reader of the site has */
};

struct link_target {
    enum link_kind kind;
    const struct topic *topic;    /* LINK_TOPIC */
    const char *anchor;           /* with '#', or "" */
};

struct link_target link_resolve(const struct topics *topics, const char *url);

/* The text below @node without any marks. Free it. */
char *node_text(cmark_node *node);

/* The type's number is not in the library's headers. */
bool node_is_table(cmark_node *node);

/* The contents of a file that is not empty; free it. */
char *file_read(const char *path);

noreturn void stop(const char *place, const char *what, const char *detail);
void *must(void *memory);

#endif
