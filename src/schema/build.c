#include <stdlib.h>

#include "schema/load.h"

static const ProtobufCType c_types[SS_KIND_COUNT] = {
    [SS_KIND_DOUBLE] = PROTOBUF_C_TYPE_DOUBLE,     [SS_KIND_FLOAT] = PROTOBUF_C_TYPE_FLOAT,
    [SS_KIND_INT64] = PROTOBUF_C_TYPE_INT64,       [SS_KIND_UINT64] = PROTOBUF_C_TYPE_UINT64,
    [SS_KIND_INT32] = PROTOBUF_C_TYPE_INT32,       [SS_KIND_FIXED64] = PROTOBUF_C_TYPE_FIXED64,
    [SS_KIND_FIXED32] = PROTOBUF_C_TYPE_FIXED32,   [SS_KIND_BOOL] = PROTOBUF_C_TYPE_BOOL,
    [SS_KIND_STRING] = PROTOBUF_C_TYPE_STRING,     [SS_KIND_MESSAGE] = PROTOBUF_C_TYPE_MESSAGE,
    [SS_KIND_BYTES] = PROTOBUF_C_TYPE_BYTES,       [SS_KIND_UINT32] = PROTOBUF_C_TYPE_UINT32,
    [SS_KIND_ENUM] = PROTOBUF_C_TYPE_ENUM,         [SS_KIND_SFIXED32] = PROTOBUF_C_TYPE_SFIXED32,
    [SS_KIND_SFIXED64] = PROTOBUF_C_TYPE_SFIXED64, [SS_KIND_SINT32] = PROTOBUF_C_TYPE_SINT32,
    [SS_KIND_SINT64] = PROTOBUF_C_TYPE_SINT64,
};

/* Bytes of one value in the struct; its alignment is the same, but 8 for the 16 of bytes. */
static unsigned value_size(enum ss_kind kind)
{
    switch (kind) {
    case SS_KIND_STRING:
    case SS_KIND_MESSAGE:
        return sizeof(void *);
    case SS_KIND_BYTES:
        return sizeof(ProtobufCBinaryData);
    case SS_KIND_DOUBLE:
    case SS_KIND_INT64:
    case SS_KIND_UINT64:
    case SS_KIND_FIXED64:
    case SS_KIND_SFIXED64:
    case SS_KIND_SINT64:
        return 8;
    default:
        return 4;
    }
}

/* Takes @size bytes of the struct and returns their offset. */
static unsigned place(size_t *used, unsigned size)
{
    size_t align = size > 8 ? 8 : size;
    size_t offset = (*used + align - 1) & ~(align - 1);
    *used = offset + size;
    return (unsigned)offset;
}

static ProtobufCLabel c_label(const struct ss_type *type, const struct ss_field *field)
{
    switch (field->label) {
    case SS_LABEL_REQUIRED:
        return PROTOBUF_C_LABEL_REQUIRED;
    case SS_LABEL_REPEATED:
        return PROTOBUF_C_LABEL_REPEATED;
    default:
        return type->syntax == SS_SYNTAX_PROTO2 || field->proto3_optional
                   ? PROTOBUF_C_LABEL_OPTIONAL
                   : PROTOBUF_C_LABEL_NONE;
    }
}

/* Where the case and the union of a oneof stand; offset 0 means not placed yet. */
struct oneof_place {
    unsigned case_offset;
    unsigned union_offset;
    unsigned union_size;
};

static void place_field(const struct ss_field *field, ProtobufCFieldDescriptor *out, size_t *used,
                        struct oneof_place *oneofs)
{
    unsigned size = value_size(field->kind);
    if (field->oneof_index >= 0) {
        struct oneof_place *oneof = &oneofs[field->oneof_index];
        if (oneof->case_offset == 0) {
            oneof->case_offset = place(used, sizeof(uint32_t));
            /* Eight-byte alignment suits every member. */
            *used = (*used + 7) & ~(size_t)7;
            oneof->union_offset = place(used, oneof->union_size);
        }
        out->quantifier_offset = oneof->case_offset;
        out->offset = oneof->union_offset;
        out->flags |= PROTOBUF_C_FIELD_FLAG_ONEOF;
    } else if (field->label == SS_LABEL_REPEATED) {
        out->quantifier_offset = place(used, sizeof(size_t));
        out->offset = place(used, sizeof(void *));
    } else {
        bool has = out->label == PROTOBUF_C_LABEL_OPTIONAL && field->kind != SS_KIND_STRING &&
                   field->kind != SS_KIND_MESSAGE;
        out->quantifier_offset = has ? place(used, sizeof(protobuf_c_boolean)) : 0;
        out->offset = place(used, size);
    }
}

static int build_fields(struct ss_load *load, const struct ss_type *type,
                        ProtobufCFieldDescriptor *fields, struct oneof_place *oneofs,
                        ProtobufCMessageDescriptor *built)
{
    size_t used = sizeof(ProtobufCMessage);
    for (uint32_t i = 0; i < type->field_count; i++) {
        const struct ss_field *field = &type->fields[i];
        if (field->oneof_index >= 0) {
            struct oneof_place *oneof = &oneofs[field->oneof_index];
            unsigned size = value_size(field->kind);
            oneof->union_size = size > oneof->union_size ? size : oneof->union_size;
        }
    }
    for (uint32_t i = 0; i < type->field_count; i++) {
        const struct ss_field *field = &type->fields[i];
        ProtobufCFieldDescriptor *out = &fields[built->n_fields++];
        *out = (ProtobufCFieldDescriptor){
            .name = field->name.data,
            .id = field->number,
            .label = c_label(type, field),
            .type = c_types[field->kind],
            .flags = field->packed ? PROTOBUF_C_FIELD_FLAG_PACKED : 0,
        };
        if (field->enumeration != NULL) {
            out->descriptor = &field->enumeration->built;
        } else if (field->message != NULL) {
            out->descriptor = &field->message->built;
        }
        place_field(field, out, &used, oneofs);
        int err = ss__load_default(load, type, field, &out->default_value);
        if (err != 0) {
            return err;
        }
    }
    built->sizeof_message = (used + 7) & ~(size_t)7;
    return 0;
}

struct named_index {
    const char *name;
    unsigned index;
};

static int compare_named(const void *a, const void *b)
{
    return strcmp(((const struct named_index *)a)->name, ((const struct named_index *)b)->name);
}

static int build_by_name(struct ss_load *load, ProtobufCMessageDescriptor *built)
{
    struct ss_arena *arena = &load->part->arena;
    struct named_index *named = ss__arena_alloc(arena, built->n_fields * sizeof *named);
    unsigned *sorted = ss__arena_alloc(arena, built->n_fields * sizeof *sorted);
    if (named == NULL || sorted == NULL) {
        return SS_E_NOMEM;
    }
    for (unsigned i = 0; i < built->n_fields; i++) {
        named[i] = (struct named_index){ built->fields[i].name, i };
    }
    qsort(named, built->n_fields, sizeof *named, compare_named);
    for (unsigned i = 0; i < built->n_fields; i++) {
        sorted[i] = named[i].index;
    }
    built->fields_sorted_by_name = sorted;
    return 0;
}

/* Runs of consecutive numbers, then an entry that only tells where the last one ends. */
static int build_ranges(struct ss_load *load, ProtobufCMessageDescriptor *built)
{
    ProtobufCIntRange *ranges =
        ss__arena_calloc(&load->part->arena, (built->n_fields + 1) * sizeof *ranges);
    if (ranges == NULL) {
        return SS_E_NOMEM;
    }
    unsigned count = 0;
    for (unsigned i = 0; i < built->n_fields; i++) {
        if (i == 0 || built->fields[i].id != built->fields[i - 1].id + 1) {
            ranges[count++] = (ProtobufCIntRange){ (int)built->fields[i].id, i };
        }
    }
    ranges[count] = (ProtobufCIntRange){ 0, built->n_fields };
    built->n_field_ranges = count;
    built->field_ranges = ranges;
    return 0;
}

static const char *short_name(struct ss_str full)
{
    const char *dot = memrchr(full.data, '.', full.len);
    return dot == NULL ? full.data : dot + 1;
}

int ss__load_build(struct ss_load *load, struct ss_type *type)
{
    ProtobufCMessageDescriptor *built = &type->built;
    *built = (ProtobufCMessageDescriptor){
        .magic = PROTOBUF_C__MESSAGE_DESCRIPTOR_MAGIC,
        .name = type->name.data,
        .short_name = short_name(type->name),
        .c_name = type->name.data,
        .package_name = type->file->package.data,
        .sizeof_message = sizeof(ProtobufCMessage),
    };
    type->descriptor = built;
    struct ss_arena *arena = &load->part->arena;
    ProtobufCFieldDescriptor *fields =
        ss__arena_calloc(arena, (type->field_count + 1) * sizeof *fields);
    struct oneof_place *oneofs = ss__arena_calloc(arena, (type->oneof_count + 1) * sizeof *oneofs);
    if (fields == NULL || oneofs == NULL) {
        return SS_E_NOMEM;
    }
    int err = build_fields(load, type, fields, oneofs, built);
    if (err != 0 || built->n_fields == 0) {
        return err;    /* without fields the arrays stay NULL: protobuf-c peeks at fields[0] */
    }
    built->fields = fields;
    err = build_by_name(load, built);
    return err != 0 ? err : build_ranges(load, built);
}

static int compare_value_names(const void *a, const void *b)
{
    return strcmp(((const ProtobufCEnumValueIndex *)a)->name,
                  ((const ProtobufCEnumValueIndex *)b)->name);
}

/* The index of the value with this number, which is there. */
static unsigned value_index(const ProtobufCEnumValue *values, unsigned count, int number)
{
    unsigned low = 0;
    while (count > 1) {
        unsigned half = count / 2;
        low = values[low + half].value <= number ? low + half : low;
        count -= half;
    }
    return low;
}

static void fill_enum(const struct ss_enum *enumeration, ProtobufCEnumValue *values,
                      ProtobufCEnumValueIndex *names, ProtobufCIntRange *ranges,
                      ProtobufCEnumDescriptor *built)
{
    unsigned count = enumeration->number_count;
    for (unsigned i = 0; i < count; i++) {
        const struct ss_enum_value *value = enumeration->by_number[i];
        values[i] = (ProtobufCEnumValue){ value->name.data, value->name.data, value->number };
        if (i == 0 || (int64_t)value->number != (int64_t)values[i - 1].value + 1) {
            ranges[built->n_value_ranges++] = (ProtobufCIntRange){ value->number, i };
        }
    }
    ranges[built->n_value_ranges] = (ProtobufCIntRange){ 0, count };
    for (uint32_t i = 0; i < enumeration->value_count; i++) {
        const struct ss_enum_value *value = &enumeration->values[i];
        names[i] = (ProtobufCEnumValueIndex){ value->name.data,
                                              value_index(values, count, value->number) };
    }
    qsort(names, enumeration->value_count, sizeof *names, compare_value_names);
    built->n_values = count;
    built->values = values;
    built->n_value_names = enumeration->value_count;
    built->values_by_name = names;
    built->value_ranges = ranges;
}

int ss__load_build_enum(struct ss_load *load, struct ss_enum *enumeration)
{
    struct ss_arena *arena = &load->part->arena;
    unsigned count = enumeration->number_count;
    ProtobufCEnumValue *values = ss__arena_calloc(arena, count * sizeof *values);
    ProtobufCEnumValueIndex *names =
        ss__arena_calloc(arena, enumeration->value_count * sizeof *names);
    ProtobufCIntRange *ranges = ss__arena_calloc(arena, (count + 1) * sizeof *ranges);
    if (values == NULL || names == NULL || ranges == NULL) {
        return SS_E_NOMEM;
    }
    enumeration->built = (ProtobufCEnumDescriptor){
        .magic = PROTOBUF_C__ENUM_DESCRIPTOR_MAGIC,
        .name = enumeration->name.data,
        .short_name = short_name(enumeration->name),
        .c_name = enumeration->name.data,
        .package_name = enumeration->file->package.data,
    };
    fill_enum(enumeration, values, names, ranges, &enumeration->built);
    return 0;
}
