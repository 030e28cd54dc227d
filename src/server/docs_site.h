/* docs_site.h - the pages of docs/ as the daemon serves them under /docs/. */
#ifndef SS_SERVER_DOCS_SITE_H
#define SS_SERVER_DOCS_SITE_H

#include <stddef.h>
#include <stdint.h>

#include <sessionstream/registry.h>

/* /docs/ is the list of pages, /docs/NAME one page, /docs/NAME.md its source. Made while building
 * by tools/docs/docs_pages; constant, any thread. */
struct ss_doc_file {
    const char *path;
    const char *content_type;
    const uint8_t *data;
    size_t len;
};

extern const struct ss_doc_file ss__doc_files[];
extern const size_t ss__doc_files_count;

/* Registers all of them, after the application: if it has a path below /docs/ of its own, nothing
 * is registered. Errors: as ss_register_asset. */
int ss__docs_register(struct ss_registry *registry);

#endif
