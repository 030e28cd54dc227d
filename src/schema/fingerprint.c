#include <sessionstream/limits.h>

#include "core/hash.h"
#include "schema/load.h"

/* Little-endian whatever the machine: fingerprints are stored. */
static uint64_t mix_u64(uint64_t hash, uint64_t value)
{
    uint8_t raw[8];
    for (unsigned i = 0; i < 8; i++) {
        raw[i] = (uint8_t)(value >> (8 * i));
    }
    return ss__checksum_seeded(hash, raw, sizeof raw);
}

static uint64_t mix_text(uint64_t hash, struct ss_str text)
{
    hash = mix_u64(hash, text.len);
    return text.len == 0 ? hash : ss__checksum_seeded(hash, text.data, text.len);
}

static uint64_t digest_enum(const struct ss_enum *enumeration)
{
    uint64_t hash = mix_text(enumeration->closed, enumeration->name);
    for (uint32_t i = 0; i < enumeration->value_count; i++) {
        hash = mix_text(hash, enumeration->values[i].name);
        hash = mix_u64(hash, (uint64_t)(int64_t)enumeration->values[i].number);
    }
    return hash;
}

/* Of the type alone: references count by name. */
static uint64_t digest_type(const struct ss_type *type)
{
    uint64_t hash = mix_text(type->syntax, type->name);
    hash = mix_u64(hash, type->map_entry);
    for (uint32_t i = 0; i < type->oneof_count; i++) {
        hash = mix_text(hash, type->oneofs[i].name);
    }
    for (uint32_t i = 0; i < type->field_count; i++) {
        const struct ss_field *field = &type->fields[i];
        hash = mix_u64(hash, field->number);
        hash = mix_u64(hash, (uint64_t)field->kind << 32 | (uint64_t)field->label << 16 |
                             (uint64_t)field->packed << 1 | (uint64_t)field->presence);
        hash = mix_u64(hash, (uint64_t)(int64_t)field->oneof_index);
        hash = mix_text(hash, field->name);
        hash = mix_text(hash, field->json_name);
        hash = mix_text(hash, field->type_name);
        hash = mix_u64(hash, field->has_default);
        hash = mix_text(hash, field->default_text);
    }
    return hash;
}

uint64_t ss__digest_file(const struct ss_parsed_file *parsed)
{
    uint64_t hash = mix_text(parsed->file->syntax, parsed->file->package);
    for (const struct ss_type *type = parsed->types; type != NULL; type = type->next) {
        hash = mix_u64(hash, digest_type(type));
    }
    for (const struct ss_enum *e = parsed->enums; e != NULL; e = e->next) {
        hash = mix_u64(hash, digest_enum(e));
    }
    return hash;
}

static uint64_t next_round(const struct ss_type *type, unsigned from)
{
    uint64_t hash = type->digest;
    for (uint32_t i = 0; i < type->field_count; i++) {
        if (type->fields[i].message != NULL) {
            hash = mix_u64(hash, type->fields[i].message->round[from]);
        }
    }
    return hash;
}

/* In round n a type has heard of everything n references away. Data nests no deeper than
 * SS_NESTING_MAX, so that many rounds tell all that can matter, cycles or not. */
void ss__fingerprint_all(struct ss_schema *schema)
{
    for (struct ss_part *part = schema->parts; part != NULL; part = part->older) {
        for (struct ss_type *type = part->types; type != NULL; type = type->next) {
            type->digest = digest_type(type);
            for (uint32_t i = 0; i < type->field_count; i++) {
                if (type->fields[i].enumeration != NULL) {
                    type->digest = mix_u64(type->digest,
                                           digest_enum(type->fields[i].enumeration));
                }
            }
            type->round[0] = type->digest;
        }
    }
    for (unsigned round = 0; round < SS_NESTING_MAX; round++) {
        for (struct ss_part *part = schema->parts; part != NULL; part = part->older) {
            for (struct ss_type *type = part->types; type != NULL; type = type->next) {
                type->round[(round + 1) % 2] = next_round(type, round % 2);
            }
        }
    }
    for (struct ss_part *part = schema->parts; part != NULL; part = part->older) {
        for (struct ss_type *type = part->types; type != NULL; type = type->next) {
            type->fingerprint = type->round[SS_NESTING_MAX % 2];
        }
    }
}
