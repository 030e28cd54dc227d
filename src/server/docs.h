/* docs.h - the pages of docs/, as docs/topics.txt lists them. Made while building by
 * tools/docs/docs_pages; constant, any thread. */
#ifndef SS_SERVER_DOCS_H
#define SS_SERVER_DOCS_H

#include <stddef.h>

struct ss_doc {
    const char *name;        /* the word behind "help" and /docs/ */
    const char *title;
    const char *summary;     /* a sentence */
    const char *markdown;    /* as it is in docs/ */
    const char *text;        /* for a terminal of 80 columns, with SGR sequences (ESC [ ... m) */
};

extern const struct ss_doc ss__docs[];
extern const size_t ss__docs_count;

#endif
