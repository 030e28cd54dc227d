/* json_encoder.h - state of one packed-to-JSON conversion: for json_encode*.c only. */
#ifndef SS_SCHEMA_JSON_ENCODER_H
#define SS_SCHEMA_JSON_ENCODER_H

#include <stdbool.h>
#include <stdint.h>

#include <sessionstream/limits.h>

#include "core/bytes.h"
#include "core/failure.h"
#include "schema/descriptor.h"
#include "schema/pb.h"

struct ss_json_encoder {
    const struct ss_schema *schema;
    struct ss_bytes *out;
    struct ss_failure *failure;
    unsigned depth;      /* open messages, map entries included */
    unsigned anys;       /* open Any messages; inside, nobody has checked the bytes yet */
    const struct ss_field *path[SS_NESTING_MAX + 1];    /* by depth; NULL: not in a field */
};

/* The known fields of one message, one after the other. */
struct ss_json_fields {
    const struct ss_type *type;
    struct ss_pb_reader reader;
    const struct ss_field *field;    /* of the current one */
    struct ss_pb_field value;
    const uint8_t *begin;            /* its tag; it ends at reader.at */
};

struct ss_json_fields ss__json_fields(const struct ss_type *type, struct ss_str packed);

/* Steps to the next field that @type knows with this wire type. False at the end, or when the
 * bytes are malformed (then fields->reader.failed). */
bool ss__json_fields_next(struct ss_json_fields *fields);

/* True if the known fields come in ascending order, none but repeated ones twice and no oneof with
 * two arms: what every encoder writes. Malformed bytes are in order. */
bool ss__json_in_order(const struct ss_type *type, struct ss_str packed);

/* Appends the equal message that is in order to @out: the last value of a singular field and the
 * last arm of a oneof win, several parts of a message are joined, unknown fields are left out.
 * Errors: SS_E_NOMEM (also sticky in @out), SS_E_PAYLOAD (malformed). */
int ss__json_put_in_order(const struct ss_type *type, struct ss_str packed, struct ss_bytes *out);

/* All return 0 or fill encoder->failure. */
int ss__json_encode_fail(struct ss_json_encoder *encoder, int code, const char *format, ...)
    SS_PRINTF(3, 4);
int ss__json_encode_message(struct ss_json_encoder *encoder, const struct ss_type *type,
                            struct ss_str packed);
/* The members of the object that stands for @packed; @first: no member was written before. */
int ss__json_encode_members(struct ss_json_encoder *encoder, const struct ss_type *type,
                            struct ss_str packed, bool first);
/* One value of @field. */
int ss__json_encode_value(struct ss_json_encoder *encoder, const struct ss_field *field,
                          const struct ss_pb_field *value);
/* Every run of map entries that begins at the current one of @fields; steps behind it and tells in
 * @ret_more whether a field is current then. */
int ss__json_encode_map(struct ss_json_encoder *encoder, struct ss_json_fields *fields,
                        bool *ret_more);
/* A message whose type->well_known is set and which is in order. */
int ss__json_encode_well_known(struct ss_json_encoder *encoder, const struct ss_type *type,
                               struct ss_str packed);
/* {"@type":@url,...} for @packed of @type. */
int ss__json_encode_typed(struct ss_json_encoder *encoder, struct ss_str url,
                          const struct ss_type *type, struct ss_str packed);

#endif
