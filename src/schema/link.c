#include <stdlib.h>

#include "schema/load.h"

static int compare_names(struct ss_str a, struct ss_str b)
{
    if (a.len != b.len) {
        return a.len < b.len ? -1 : 1;
    }
    return a.len == 0 ? 0 : memcmp(a.data, b.data, a.len);
}

static int link_reference(struct ss_load *load, struct ss_type *type, struct ss_field *field)
{
    struct ss_str name = field->type_name;
    if (field->kind == SS_KIND_MESSAGE) {
        field->message = ss__map_get(&load->schema->types, ss__map_hash(name), name);
        field->is_map = field->message != NULL && field->message->map_entry;
        if (field->is_map && field->label != SS_LABEL_REPEATED) {
            return ss__load_bad(load, type->file, type->name,
                                "field \"%s\" refers to a map entry and is no map",
                                field->name.data);
        }
    } else if (field->kind == SS_KIND_ENUM) {
        field->enumeration = ss__map_get(&load->schema->enums, ss__map_hash(name), name);
    } else {
        return 0;
    }
    if (field->message == NULL && field->enumeration == NULL) {
        return ss__load_bad(load, type->file, type->name,
                            "field \"%s\": type \"%s\" is not in the set; was it made with "
                            "--include_imports?", field->name.data, name.data);
    }
    return 0;
}

int ss__load_link(struct ss_load *load, struct ss_type *type)
{
    int err = 0;
    for (uint32_t i = 0; i < type->field_count && err == 0; i++) {
        err = link_reference(load, type, &type->fields[i]);
    }
    return err != 0 ? err : ss__load_well_known(load, type);
}

static int compare_by_number(const void *left, const void *right)
{
    const struct ss_enum_value *a = *(const struct ss_enum_value *const *)left;
    const struct ss_enum_value *b = *(const struct ss_enum_value *const *)right;
    if (a->number != b->number) {
        return a->number < b->number ? -1 : 1;
    }
    return (a > b) - (a < b);    /* declared first, comes first */
}

static int compare_by_name(const void *left, const void *right)
{
    const struct ss_enum_value *a = *(const struct ss_enum_value *const *)left;
    const struct ss_enum_value *b = *(const struct ss_enum_value *const *)right;
    return compare_names(a->name, b->name);
}

int ss__load_link_enum(struct ss_load *load, struct ss_enum *enumeration)
{
    uint32_t count = enumeration->value_count;
    enumeration->by_number =
        ss__arena_alloc(&load->part->arena, count * sizeof *enumeration->by_number);
    enumeration->by_name =
        ss__arena_alloc(&load->part->arena, count * sizeof *enumeration->by_name);
    if (enumeration->by_number == NULL || enumeration->by_name == NULL) {
        return SS_E_NOMEM;
    }
    for (uint32_t i = 0; i < count; i++) {
        enumeration->by_number[i] = enumeration->by_name[i] = &enumeration->values[i];
    }
    qsort(enumeration->by_number, count, sizeof *enumeration->by_number, compare_by_number);
    qsort(enumeration->by_name, count, sizeof *enumeration->by_name, compare_by_name);
    uint32_t unique = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (i == 0 || enumeration->by_number[i]->number !=
                          enumeration->by_number[unique - 1]->number) {
            enumeration->by_number[unique++] = enumeration->by_number[i];
        }
    }
    enumeration->number_count = unique;
    for (uint32_t i = 1; i < count; i++) {
        if (ss_str_equal(enumeration->by_name[i]->name, enumeration->by_name[i - 1]->name)) {
            return ss__load_bad(load, enumeration->file, enumeration->name,
                                "two values have the name \"%s\"",
                                enumeration->by_name[i]->name.data);
        }
    }
    return 0;
}

const struct ss_field *ss__type_field_search(const struct ss_type *type, uint32_t number)
{
    uint32_t low = 0;
    uint32_t high = type->field_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (type->fields[middle].number < number) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < type->field_count && type->fields[low].number == number ? &type->fields[low]
                                                                         : NULL;
}

const struct ss_field *ss__type_field_by_name(const struct ss_type *type, struct ss_str name)
{
    uint32_t low = 0;
    uint32_t high = type->name_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = compare_names(type->names[middle].name, name);
        if (order == 0) {
            return type->names[middle].field;
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return NULL;
}

const struct ss_enum_value *ss__enum_by_number(const struct ss_enum *enumeration, int32_t number)
{
    uint32_t low = 0;
    uint32_t high = enumeration->number_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        const struct ss_enum_value *value = enumeration->by_number[middle];
        if (value->number == number) {
            return value;
        }
        if (value->number < number) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return NULL;
}

const struct ss_enum_value *ss__enum_by_name(const struct ss_enum *enumeration, struct ss_str name)
{
    uint32_t low = 0;
    uint32_t high = enumeration->value_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = compare_names(enumeration->by_name[middle]->name, name);
        if (order == 0) {
            return enumeration->by_name[middle];
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return NULL;
}
