/* reference.h - docs/reference.md, made from the tables in the code. */
#ifndef SS_SERVER_REFERENCE_H
#define SS_SERVER_REFERENCE_H

#include "core/bytes.h"

/* Appends the page; out->err tells of failure. */
void ss__reference_print(struct ss_bytes *out);

#endif
