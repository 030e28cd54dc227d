#include "schema/load.h"

static bool has_field(const struct ss_type *type, uint32_t number, enum ss_kind kind,
                      enum ss_label label)
{
    const struct ss_field *field = ss__type_field(type, number);
    return field != NULL && field->kind == kind && field->label == label;
}

static bool has_shape(const struct ss_type *type)
{
    static const enum ss_kind wrapped[] = {
        [SS_WELL_KNOWN_DOUBLE_VALUE] = SS_KIND_DOUBLE,
        [SS_WELL_KNOWN_FLOAT_VALUE] = SS_KIND_FLOAT,
        [SS_WELL_KNOWN_INT64_VALUE] = SS_KIND_INT64,
        [SS_WELL_KNOWN_UINT64_VALUE] = SS_KIND_UINT64,
        [SS_WELL_KNOWN_INT32_VALUE] = SS_KIND_INT32,
        [SS_WELL_KNOWN_UINT32_VALUE] = SS_KIND_UINT32,
        [SS_WELL_KNOWN_BOOL_VALUE] = SS_KIND_BOOL,
        [SS_WELL_KNOWN_STRING_VALUE] = SS_KIND_STRING,
        [SS_WELL_KNOWN_BYTES_VALUE] = SS_KIND_BYTES,
    };
    const enum ss_label one = SS_LABEL_OPTIONAL;
    const enum ss_label many = SS_LABEL_REPEATED;
    switch (type->well_known) {
    case SS_WELL_KNOWN_NONE:
        return true;
    case SS_WELL_KNOWN_ANY:
        return type->field_count == 2 && has_field(type, 1, SS_KIND_STRING, one) &&
               has_field(type, 2, SS_KIND_BYTES, one);
    case SS_WELL_KNOWN_TIMESTAMP:
    case SS_WELL_KNOWN_DURATION:
        return type->field_count == 2 && has_field(type, 1, SS_KIND_INT64, one) &&
               has_field(type, 2, SS_KIND_INT32, one);
    case SS_WELL_KNOWN_FIELD_MASK:
        return type->field_count == 1 && has_field(type, 1, SS_KIND_STRING, many);
    case SS_WELL_KNOWN_STRUCT:
    case SS_WELL_KNOWN_LIST_VALUE:
        return type->field_count == 1 && has_field(type, 1, SS_KIND_MESSAGE, many);
    case SS_WELL_KNOWN_VALUE:
        return type->field_count == 6 && type->oneof_count == 1 &&
               has_field(type, 1, SS_KIND_ENUM, one) && has_field(type, 2, SS_KIND_DOUBLE, one) &&
               has_field(type, 3, SS_KIND_STRING, one) && has_field(type, 4, SS_KIND_BOOL, one) &&
               has_field(type, 5, SS_KIND_MESSAGE, one) &&
               has_field(type, 6, SS_KIND_MESSAGE, one);
    case SS_WELL_KNOWN_EMPTY:
        return type->field_count == 0;
    default:
        return type->field_count == 1 && has_field(type, 1, wrapped[type->well_known], one);
    }
}

static enum ss_well_known recognise(struct ss_str name)
{
    static const char *const names[] = {
        [SS_WELL_KNOWN_ANY] = "Any",
        [SS_WELL_KNOWN_TIMESTAMP] = "Timestamp",
        [SS_WELL_KNOWN_DURATION] = "Duration",
        [SS_WELL_KNOWN_FIELD_MASK] = "FieldMask",
        [SS_WELL_KNOWN_STRUCT] = "Struct",
        [SS_WELL_KNOWN_VALUE] = "Value",
        [SS_WELL_KNOWN_LIST_VALUE] = "ListValue",
        [SS_WELL_KNOWN_EMPTY] = "Empty",
        [SS_WELL_KNOWN_DOUBLE_VALUE] = "DoubleValue",
        [SS_WELL_KNOWN_FLOAT_VALUE] = "FloatValue",
        [SS_WELL_KNOWN_INT64_VALUE] = "Int64Value",
        [SS_WELL_KNOWN_UINT64_VALUE] = "UInt64Value",
        [SS_WELL_KNOWN_INT32_VALUE] = "Int32Value",
        [SS_WELL_KNOWN_UINT32_VALUE] = "UInt32Value",
        [SS_WELL_KNOWN_BOOL_VALUE] = "BoolValue",
        [SS_WELL_KNOWN_STRING_VALUE] = "StringValue",
        [SS_WELL_KNOWN_BYTES_VALUE] = "BytesValue",
    };
    struct ss_str package = ss_str("google.protobuf.");
    if (name.len <= package.len || memcmp(name.data, package.data, package.len) != 0) {
        return SS_WELL_KNOWN_NONE;
    }
    struct ss_str rest = ss_str_of(name.data + package.len, name.len - package.len);
    for (size_t i = SS_WELL_KNOWN_ANY; i < sizeof names / sizeof names[0]; i++) {
        if (ss_str_equal(rest, ss_str(names[i]))) {
            return (enum ss_well_known)i;
        }
    }
    return SS_WELL_KNOWN_NONE;
}

int ss__load_well_known(struct ss_load *load, struct ss_type *type)
{
    type->well_known = recognise(type->name);
    return has_shape(type) ? 0
                           : ss__load_bad(load, type->file, type->name,
                                          "differs from the well-known type of this name");
}
