/* json_reader.h - strict pull reader for one JSON text (RFC 8259). No allocation, no recursion.
 *
 * The whole text lies in memory. Each call of ss__json_next gives one token; strings and numbers
 * are spans of the text, so nothing is rounded and nothing is copied. Refused besides what the
 * grammar forbids: bad UTF-8, lone surrogate escapes, nesting over SS_NESTING_MAX, anything but
 * white space behind the value. A copy of the struct is a bookmark. Any thread, one at a time. */
#ifndef SS_SCHEMA_JSON_READER_H
#define SS_SCHEMA_JSON_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sessionstream/limits.h>
#include <sessionstream/types.h>

#include "core/bytes.h"

enum ss_json_kind {
    SS_JSON_ERROR,         /* reader->error says why, reader->error_at where; sticky */
    SS_JSON_END,           /* the value is complete and nothing follows */
    SS_JSON_OBJECT,        /* { */
    SS_JSON_OBJECT_END,
    SS_JSON_ARRAY,         /* [ */
    SS_JSON_ARRAY_END,
    SS_JSON_KEY,           /* text: between the quotes */
    SS_JSON_STRING,        /* text: between the quotes */
    SS_JSON_NUMBER,        /* text: as written */
    SS_JSON_TRUE,
    SS_JSON_FALSE,
    SS_JSON_NULL
};

struct ss_json_token {
    enum ss_json_kind kind;
    bool escaped;          /* text holds escapes: read it with ss__json_unescape */
    size_t at;             /* offset of the token's first byte */
    struct ss_str text;    /* span of the JSON text, valid UTF-8 */
};

enum ss_json_expect {
    SS_JSON_WANT_VALUE,
    SS_JSON_WANT_FIRST_KEY,
    SS_JSON_WANT_KEY,
    SS_JSON_WANT_FIRST_ELEMENT,
    SS_JSON_WANT_COMMA,
    SS_JSON_WANT_END
};

struct ss_json_reader {
    const uint8_t *begin;
    const uint8_t *at;
    const uint8_t *end;
    uint64_t objects;      /* bit d: the container at depth d + 1 is an object */
    unsigned depth;        /* open containers, 0 to SS_NESTING_MAX */
    enum ss_json_expect expect;
    const char *error;     /* static text; NULL while all is well */
    size_t error_at;
};

struct ss_json_position {
    size_t line;           /* from 1 */
    size_t column;         /* from 1, in characters */
};

void ss__json_reader_init(struct ss_json_reader *reader, struct ss_str json);

/* The next token; its kind is returned too. */
enum ss_json_kind ss__json_next(struct ss_json_reader *reader, struct ss_json_token *ret_token);

/* Reads to behind the value that @token began (a no-op for scalars). False on a syntax error. */
bool ss__json_skip(struct ss_json_reader *reader, const struct ss_json_token *token);

/* Appends the characters that @token (KEY or STRING) stands for, as UTF-8. */
void ss__json_unescape(struct ss_bytes *out, const struct ss_json_token *token);

/* Line and column of the byte at offset @at. */
struct ss_json_position ss__json_position(const struct ss_json_reader *reader, size_t at);

/* Bytes of the number that @text begins with, by the JSON grammar; 0 if it begins with none. */
size_t ss__json_number_len(struct ss_str text);

#endif
