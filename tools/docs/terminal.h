/* terminal.h - pages as text for a terminal of 80 columns. One thread. */
#ifndef SS_DOCS_TERMINAL_H
#define SS_DOCS_TERMINAL_H

#include "topics.h"

#define TERMINAL_WIDTH 80

/* Text with SGR sequences (ESC [ ... m) and no other control bytes but line ends; free it. What is
 * left without the sequences reads as well. */
char *terminal_page(const struct topics *topics, const struct topic *topic);

#endif
