/* mapped.h - which file is mapped where, for the handler of a fault.
 *
 * Reading a mapped file may end in a signal: the file was cut off, the disk does not give a page,
 * or what was read led astray. The handler finds the file by the address.
 *
 * ss__mapped_find is async-signal-safe; a label may be found wrong while its slot changes hands. */
#ifndef SS_CORE_MAPPED_H
#define SS_CORE_MAPPED_H

#include <stddef.h>
#include <stdint.h>

#define SS_MAPPED_MAX 512           /* files; more are not found */
#define SS_MAPPED_LABEL_BYTES 256   /* longer ones keep their end */

/* Notes a file and returns its slot, or -1 if there is none free. Any thread. */
int ss__mapped_add(const void *begin, size_t len, const char *label);

/* It has been mapped elsewhere. @slot -1 is fine, here and below. */
void ss__mapped_move(int slot, const void *begin, size_t len);
void ss__mapped_remove(int slot);

/* The label of the file that is mapped at @address, and how far into it that is; or NULL. */
const char *ss__mapped_find(const void *address, uint64_t *ret_offset);

#endif
