/* columns.h - text in columns for a terminal: what comes from elsewhere cannot steer it. Pure; any
 * thread. */
#ifndef SS_SERVER_COLUMNS_H
#define SS_SERVER_COLUMNS_H

#include <stddef.h>

#include <sessionstream/types.h>

#include "core/bytes.h"

/* Characters of UTF-8 @text. */
size_t ss__columns_width(struct ss_str text);

/* Appends @text with a '?' for each control character, filled with spaces to @width characters and
 * two more, which also come behind one that is longer; @width 0: as it is, the last column. */
void ss__columns_cell(struct ss_bytes *out, struct ss_str text, size_t width);

#endif
