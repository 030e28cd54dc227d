/* json_text.h - bytes fields as base64 (RFC 4648); strings are in json.h. Pure; any thread. */
#ifndef SS_SCHEMA_JSON_TEXT_H
#define SS_SCHEMA_JSON_TEXT_H

#include <stdbool.h>

#include <sessionstream/types.h>

#include "core/bytes.h"

/* Appends @data in the standard alphabet with padding, between quotes. */
void ss__json_base64(struct ss_bytes *out, struct ss_str data);

/* Appends the bytes that @text stands for: the standard or the URL alphabet (not both mixed), with
 * the padding or without, no white space. False if it is neither; @out then ends anywhere. */
bool ss__json_unbase64(struct ss_bytes *out, struct ss_str text);

#endif
