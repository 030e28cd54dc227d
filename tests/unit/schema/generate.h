/* generate.h - the schema of the .proto files beside it, and random messages of its types. */
#ifndef SS_TEST_SCHEMA_GENERATE_H
#define SS_TEST_SCHEMA_GENERATE_H

#include <stdlib.h>

#include "kinds.descriptor.h"
#include "kinds2.descriptor.h"
#include "schema/descriptor.h"
#include "ss_test.h"

static inline struct ss_schema *generate_schema(void)
{
    struct ss_schema *schema;
    struct ss_failure failure = { 0 };
    ss_check(ss__schema_new(&schema) == 0);
    ss_check_msg(ss__schema_load(schema, kinds_descriptor_set, kinds_descriptor_set_len,
                                 &failure) == 0, "%s", failure.text);
    ss_check_msg(ss__schema_load(schema, kinds2_descriptor_set, kinds2_descriptor_set_len,
                                 &failure) == 0, "%s", failure.text);
    return schema;
}

static inline const struct ss_type *generate_type(const struct ss_schema *schema, const char *name)
{
    const struct ss_type *type = ss__schema_find(schema, ss_str(name));
    ss_check_msg(type != NULL, "%s", name);
    return type;
}

static inline uint64_t generate_random(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

static inline void generate_value(struct ss_bytes *out, const struct ss_field *field,
                                  uint64_t value);

/* A message with most fields set, in the order and form in which protobuf-c packs it: never a
 * default where proto3 would leave it out. */
static inline void generate_message(struct ss_bytes *out, const struct ss_type *type,
                                    uint64_t *seed, unsigned depth)
{
    uint32_t chosen = (uint32_t)generate_random(seed);
    uint32_t oneof_at = 0;
    for (uint32_t i = 0; i < type->field_count; i++) {
        const struct ss_field *field = &type->fields[i];
        bool message = field->message != NULL;
        if (message && depth == 0 && field->label != SS_LABEL_REQUIRED) {
            continue;
        }
        if (field->oneof_index >= 0) {
            uint32_t count = type->oneofs[field->oneof_index].field_count;
            if (oneof_at++ % count != chosen % count) {
                continue;
            }
        }
        unsigned repeats =
            field->label == SS_LABEL_REPEATED ? 1 + (unsigned)(generate_random(seed) % 3) : 1;
        struct ss_bytes body;
        ss__bytes_init(&body, 0);
        for (unsigned n = 0; n < repeats; n++) {
            if (message) {
                ss__bytes_clear(&body);
                generate_message(&body, field->message, seed, depth == 0 ? 0 : depth - 1);
            }
            if (message) {
                ss__pb_bytes(out, field->number, ss__bytes_view(&body));
            } else if (field->packed) {
                generate_value(&body, field, generate_random(seed) | 1);
            } else {
                ss__pb_tag(out, field->number, field->wire);
                generate_value(out, field, generate_random(seed) | 1);
            }
        }
        if (field->packed) {
            ss__pb_bytes(out, field->number, ss__bytes_view(&body));
        }
        ss__bytes_deinit(&body);
    }
}

static inline void generate_value(struct ss_bytes *out, const struct ss_field *field,
                                  uint64_t value)
{
    static const char text[] = "na\xC3\xAFve \xE2\x82\xAC \xF0\x9F\x98\x80 text";
    static const uint8_t raw[] = { 0, 0xFF, 1, 0x80, 'x' };
    uint8_t fixed[8];
    for (unsigned i = 0; i < 8; i++) {
        fixed[i] = (uint8_t)(value >> (8 * i));
    }
    switch (field->kind) {
    case SS_KIND_BOOL:
        ss__bytes_varint(out, 1);
        break;
    case SS_KIND_INT32:
    case SS_KIND_ENUM:
        ss__bytes_varint(out, (uint64_t)(int64_t)(int32_t)(uint32_t)value);
        break;
    case SS_KIND_UINT32:
    case SS_KIND_SINT32:
        ss__bytes_varint(out, (uint32_t)value);
        break;
    case SS_KIND_STRING:
        ss__bytes_varint(out, sizeof text - 1);
        ss__bytes_append(out, text, sizeof text - 1);
        break;
    case SS_KIND_BYTES:
        ss__bytes_varint(out, 1 + value % sizeof raw);
        ss__bytes_append(out, raw, 1 + value % sizeof raw);
        break;
    default:
        if (field->wire == SS_PB_I64) {
            ss__bytes_append(out, fixed, 8);
        } else if (field->wire == SS_PB_I32) {
            ss__bytes_append(out, fixed, 4);
        } else {
            ss__bytes_varint(out, value);
        }
        break;
    }
}

#endif
