/* page.h - the page at /. */
#ifndef SS_APPS_JOBS_PAGE_H
#define SS_APPS_JOBS_PAGE_H

#include <sessionstream/registry.h>

/* Errors: those of ss_register_asset. */
int ss__jobs_page_register(struct ss_registry *registry);

#endif
