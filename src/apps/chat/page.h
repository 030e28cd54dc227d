/* page.h - the chat page, built in from tools/web/chat. */
#ifndef SS_APPS_CHAT_PAGE_H
#define SS_APPS_CHAT_PAGE_H

#include <sessionstream/registry.h>

/* Registers every file of the page; index.html is "/". Errors: those of ss_register_asset. */
int ss__chat_page_register(struct ss_registry *registry);

#endif
