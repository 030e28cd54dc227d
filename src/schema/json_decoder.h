/* json_decoder.h - state of one JSON-to-packed conversion: for json_decode*.c only. */
#ifndef SS_SCHEMA_JSON_DECODER_H
#define SS_SCHEMA_JSON_DECODER_H

#include <stdbool.h>
#include <stdint.h>

#include "core/arena.h"
#include "core/bytes.h"
#include "core/failure.h"
#include "schema/descriptor.h"
#include "schema/json_reader.h"
#include "schema/pb.h"

/* Bookkeeping of an object, used again by the next one that is nested as deep: a list may have very
 * many. */
struct ss_json_block {
    void *memory;    /* in the arena */
    size_t bytes;
};

struct ss_json_decoder {
    const struct ss_schema *schema;
    struct ss_json_reader reader;
    struct ss_failure *failure;
    struct ss_arena arena;                /* freed at the end */
    struct ss_json_block blocks[SS_NESTING_MAX + 2];
    unsigned blocks_used;
    struct ss_bytes text;                 /* an unescaped string; valid until the next one */
    unsigned depth;                       /* open messages, map entries included */
    struct ss_str path[SS_NESTING_MAX + 1];    /* by depth: the open field or the map key */
};

/* Fills the failure with position and path; returns @code. */
int ss__json_decode_fail(struct ss_json_decoder *decoder, int code, size_t at, const char *format,
                         ...) SS_PRINTF(4, 5);

/* The next token, or SS_E_JSON for a syntax error. */
int ss__json_decode_next(struct ss_json_decoder *decoder, struct ss_json_token *ret_token);

/* The characters of a KEY or STRING; valid until the next call. SS_E_NOMEM. */
int ss__json_decode_text(struct ss_json_decoder *decoder, const struct ss_json_token *token,
                         struct ss_str *ret_text);

/* Whether the characters of a KEY are @name; the text of the decoder is lost. SS_E_NOMEM. */
int ss__json_decode_is(struct ss_json_decoder *decoder, const struct ss_json_token *key,
                       const char *name, bool *ret_is);

/* Goes one level down; on success the caller ends it with decoder->depth--. */
int ss__json_decode_enter(struct ss_json_decoder *decoder, size_t at);

/* The value that begins with @token as a message of @type, appended to @out without tag. */
int ss__json_decode_message(struct ss_json_decoder *decoder, const struct ss_type *type,
                            const struct ss_json_token *token, struct ss_bytes *out);

/* The members of an object up to its end; @any: a member "@type" is skipped. */
int ss__json_decode_members(struct ss_json_decoder *decoder, const struct ss_type *type, bool any,
                            struct ss_bytes *out);

/* An Any of @type; only its message is appended to @out. */
int ss__json_decode_any_of(struct ss_json_decoder *decoder, const struct ss_type *type,
                           const struct ss_json_token *token, struct ss_bytes *out);

/* One scalar with its tag; @keep_default: written even when it is the default. */
int ss__json_decode_scalar(struct ss_json_decoder *decoder, const struct ss_field *field,
                           const struct ss_json_token *token, bool keep_default,
                           struct ss_bytes *out);

/* The entries of a map field up to the end of the object, tags included. */
int ss__json_decode_map(struct ss_json_decoder *decoder, const struct ss_field *field,
                        const struct ss_json_token *token, struct ss_bytes *out);

/* A message of a type whose JSON form is not an object of its fields. */
int ss__json_decode_well_known(struct ss_json_decoder *decoder, const struct ss_type *type,
                               const struct ss_json_token *token, struct ss_bytes *out);

#endif
