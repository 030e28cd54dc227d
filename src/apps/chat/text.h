/* text.h - cutting UTF-8: pure functions over well-formed text, any thread. */
#ifndef SS_APPS_CHAT_TEXT_H
#define SS_APPS_CHAT_TEXT_H

#include <sessionstream/types.h>

/* @text without white space (Unicode White_Space) at both ends; a view into @text. */
struct ss_str ss__chat_trim(struct ss_str text);

/* Bytes of the next chunk: the largest prefix of at most @chunk_bytes that splits no character,
 * but at least one character. 0 only for empty text. */
size_t ss__chat_chunk_len(struct ss_str text, size_t chunk_bytes);

#endif
