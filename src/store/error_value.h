/* error_value.h - an error record as a value of LMDB. Pure functions.
 *
 *     error     number u64                 version u8, kind u8, metadata u8, 0, code i32, time u64,
 *                                          ordinal u64, strings (u16 length, bytes): session,
 *                                          event, projection, text, raw, name and value of each
 *                                          metadata; checksum */
#ifndef SS_STORE_ERROR_VALUE_H
#define SS_STORE_ERROR_VALUE_H

#include <stddef.h>
#include <stdint.h>

#include <sessionstream/error_records.h>

#include "core/buf.h"

/* A new buffer with the record, its texts cut to their limits between two characters; NULL when
 * out of memory. */
struct ss_buf *ss__error_value_new(const struct ss_error_record *record);

/* Fills all but the shard; borrows @value. SS_E_CORRUPT. */
int ss__error_value_decode(uint64_t number, struct ss_str value,
                           struct ss_error_record *ret_record);

#endif
