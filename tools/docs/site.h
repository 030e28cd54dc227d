/* site.h - pages as HTML, without scripts and without anything from elsewhere. One thread. */
#ifndef SS_DOCS_SITE_H
#define SS_DOCS_SITE_H

#include "topics.h"

/* A whole document; free it. Links are relative to /docs/. */
char *site_page(const struct topics *topics, const struct topic *topic);
char *site_index(const struct topics *topics);

#endif
