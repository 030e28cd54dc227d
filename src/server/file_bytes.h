/* file_bytes.h - a whole file in memory. */
#ifndef SS_SERVER_FILE_BYTES_H
#define SS_SERVER_FILE_BYTES_H

#include <stdio.h>

#include "core/bytes.h"
#include "core/failure.h"

/* Appends what is left of @file, up to out->max bytes. Errors, with a text that continues the
 * file's name: SS_E_IO, SS_E_TOOBIG, SS_E_NOMEM. Blocks. */
int ss__file_bytes_read(FILE *file, struct ss_bytes *out, struct ss_failure *failure);

/* The same for the file at @path; SS_E_IO also if it cannot be opened. */
int ss__file_bytes_load(const char *path, struct ss_bytes *out, struct ss_failure *failure);

#endif
