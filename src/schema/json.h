/* json.h - the proto3 JSON mapping between packed protobuf bytes and text.
 *
 * Source: the ProtoJSON section of the protobuf language guide. Both directions work on packed
 * bytes, never on structs. Output: lowerCamelCase names (json_name), members in field number
 * order, defaults omitted, 64-bit integers as strings, bytes as standard base64, enums by name
 * (numbers when unknown), no white space. Input is strict: unknown fields, duplicate keys, two
 * arms of a oneof, wrong types, lone surrogates, bad UTF-8, numbers out of range and nesting over
 * SS_NESTING_MAX are errors that name the path; it accepts json_name and the original name, null
 * as absent, numbers as strings and integers written as 1.0 or 1e2, both base64 alphabets.
 * Any thread (the schema is frozen); blocks never. */
#ifndef SS_SCHEMA_JSON_H
#define SS_SCHEMA_JSON_H

#include <sessionstream/types.h>

#include "core/bytes.h"
#include "core/failure.h"
#include "schema/type.h"

/* Appends the JSON of @packed (which passed ss__validate) to @out. Errors: SS_E_PAYLOAD (an Any of
 * an unknown type, a Timestamp out of range, ...), SS_E_NOMEM, SS_E_TOOBIG. */
int ss__json_encode(const struct ss_schema *schema, const struct ss_type *type,
                    struct ss_str packed, struct ss_bytes *out, struct ss_failure *failure);

/* Appends the JSON of an Any that holds @packed of @type: {"@type":"type.googleapis.com/NAME",...};
 * for hot paths that know the type. Errors as above. */
int ss__json_encode_any(const struct ss_schema *schema, const struct ss_type *type,
                        struct ss_str packed, struct ss_bytes *out, struct ss_failure *failure);

/* Appends a JSON string literal with quotes. @text is valid UTF-8. */
void ss__json_string(struct ss_bytes *out, struct ss_str text);

/* Appends @before and then a number of 64 bits, which is a string in JSON. */
void ss__json_long(struct ss_bytes *out, const char *before, uint64_t number);

/* Appends the packed form of the JSON document @json to @out, fields in field number order. What
 * else ss__validate refuses is left to it: NUL in strings (kept) and lists of many empty messages
 * (they take more memory than SS_UNPACKED_FACTOR_MAX allows). Errors:
 * SS_E_JSON with path and reason, SS_E_NOMEM, SS_E_TOOBIG. */
int ss__json_decode(const struct ss_schema *schema, const struct ss_type *type, struct ss_str json,
                    struct ss_bytes *out, struct ss_failure *failure);

/* The reverse of ss__json_encode_any: "@type" has to name @type. Appends the packed message alone.
 * Errors as above. */
int ss__json_decode_any(const struct ss_schema *schema, const struct ss_type *type,
                        struct ss_str json, struct ss_bytes *out, struct ss_failure *failure);

#endif
