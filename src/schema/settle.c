#include <stdlib.h>

#include "schema/load.h"

static int bad_field(struct ss_load *load, const struct ss_type *type,
                     const struct ss_field *field, const char *text)
{
    size_t shown = field->name.len > 64 ? 64 : field->name.len;
    return ss__load_bad(load, type->file, type->name, "field \"%.*s\": %s", (int)shown,
                        field->name.data, text);
}

static int by_number(const void *a, const void *b)
{
    uint32_t left = ((const struct ss_field *)a)->number;
    uint32_t right = ((const struct ss_field *)b)->number;
    return (left > right) - (left < right);
}

static int sort_fields(struct ss_load *load, struct ss_type *type)
{
    if (type->field_count > 1) {
        qsort(type->fields, type->field_count, sizeof *type->fields, by_number);
    }
    for (uint32_t i = 0; i < type->field_count; i++) {
        type->fields[i].index = i;
        if (i > 0 && type->fields[i].number == type->fields[i - 1].number) {
            return bad_field(load, type, &type->fields[i], "its number is used twice");
        }
    }
    return 0;
}

static int count_oneofs(struct ss_load *load, struct ss_type *type, bool *synthetic)
{
    for (uint32_t i = 0; i < type->field_count; i++) {
        const struct ss_field *field = &type->fields[i];
        if (field->oneof_index < 0) {
            continue;
        }
        if ((uint32_t)field->oneof_index >= type->oneof_count ||
            field->label != SS_LABEL_OPTIONAL) {
            return bad_field(load, type, field,
                             "its oneof does not exist, or it is repeated or required");
        }
        type->oneofs[field->oneof_index].field_count++;
        if (field->proto3_optional) {
            synthetic[field->oneof_index] = true;
        }
    }
    for (uint32_t i = 0; i < type->oneof_count; i++) {
        uint32_t count = type->oneofs[i].field_count;
        if (count == 0 || (synthetic[i] && count != 1)) {
            return ss__load_bad(load, type->file, type->name,
                                "a oneof is empty, or proto3_optional shares one");
        }
    }
    return 0;
}

/* A proto3 optional field stands in a oneof of its own that only older readers need. */
static int settle_oneofs(struct ss_load *load, struct ss_type *type)
{
    bool *synthetic = ss__arena_calloc(&load->part->arena, type->oneof_count + 1);
    int32_t *moved = ss__arena_calloc(&load->part->arena,
                                      (type->oneof_count + 1) * sizeof *moved);
    if (synthetic == NULL || moved == NULL) {
        return SS_E_NOMEM;
    }
    int err = count_oneofs(load, type, synthetic);
    if (err != 0) {
        return err;
    }
    uint32_t kept = 0;
    for (uint32_t i = 0; i < type->oneof_count; i++) {
        moved[i] = synthetic[i] ? -1 : (int32_t)kept;
        if (!synthetic[i]) {
            type->oneofs[kept++] = type->oneofs[i];
        }
    }
    type->oneof_count = kept;
    for (uint32_t i = 0; i < type->field_count; i++) {
        struct ss_field *field = &type->fields[i];
        if (field->oneof_index >= 0) {
            field->oneof_index = moved[field->oneof_index];
        }
    }
    return 0;
}

static int settle_presence(struct ss_load *load, struct ss_type *type)
{
    unsigned required = 0;
    uint32_t singular_messages = 0;
    for (uint32_t i = 0; i < type->field_count; i++) {
        struct ss_field *field = &type->fields[i];
        bool message = field->kind == SS_KIND_MESSAGE;
        bool singular = field->label != SS_LABEL_REPEATED;
        field->presence = singular && (type->syntax == SS_SYNTAX_PROTO2 || message ||
                                       field->proto3_optional || field->oneof_index >= 0);
        field->singular_index = singular && message ? singular_messages++ : 0;
        if (field->label == SS_LABEL_REQUIRED) {
            if (required == SS_TYPE_REQUIRED_MAX) {
                return bad_field(load, type, field, "a message has at most 64 required fields");
            }
            field->required_bit = UINT64_C(1) << required++;
            type->required_mask |= field->required_bit;
        }
    }
    return 0;
}

static int settle_map_entry(struct ss_load *load, const struct ss_type *type)
{
    if (!type->map_entry) {
        return 0;
    }
    bool ok = type->field_count == 2 && type->oneof_count == 0 && type->fields[0].number == 1 &&
              type->fields[1].number == 2;
    for (uint32_t i = 0; ok && i < 2; i++) {
        ok = type->fields[i].label == SS_LABEL_OPTIONAL && !type->fields[i].proto3_optional &&
             ss_str_equal(type->fields[i].name, ss_str(i == 0 ? "key" : "value"));
    }
    if (ok) {
        switch (type->fields[0].kind) {
        case SS_KIND_DOUBLE:
        case SS_KIND_FLOAT:
        case SS_KIND_BYTES:
        case SS_KIND_ENUM:
        case SS_KIND_MESSAGE:
            ok = false;
            break;
        default:
            break;
        }
    }
    return ok ? 0 : ss__load_bad(load, type->file, type->name, "not a valid map entry");
}

static int compare_text(struct ss_str a, struct ss_str b)
{
    if (a.len != b.len) {
        return a.len < b.len ? -1 : 1;
    }
    return a.len == 0 ? 0 : memcmp(a.data, b.data, a.len);
}

/* Of equal names the json name stands first, then the lower field number. */
static int compare_names(const void *a, const void *b)
{
    const struct ss_field_name *left = a;
    const struct ss_field_name *right = b;
    int order = compare_text(left->name, right->name);
    if (order == 0) {
        order = (int)(left->name.data != left->field->json_name.data) -
                (int)(right->name.data != right->field->json_name.data);
    }
    return order != 0 ? order : by_number(left->field, right->field);
}

static int judge_equal_names(struct ss_load *load, const struct ss_type *type,
                             const struct ss_field_name *kept, const struct ss_field_name *other)
{
    bool kept_is_json = kept->name.data == kept->field->json_name.data;
    bool other_is_json = other->name.data == other->field->json_name.data;
    /* proto2 tolerates equal JSON names: old files have them. The lower number wins. */
    if (kept->field != other->field && kept_is_json && other_is_json &&
        type->syntax == SS_SYNTAX_PROTO3) {
        return bad_field(load, type, other->field, "its JSON name is used twice");
    }
    return 0;
}

static int check_names(struct ss_load *load, const struct ss_type *type,
                       struct ss_field_name *scratch)
{
    for (uint32_t i = 0; i < type->field_count; i++) {
        scratch[i] = (struct ss_field_name){ type->fields[i].name, &type->fields[i] };
    }
    qsort(scratch, type->field_count, sizeof *scratch, compare_names);
    for (uint32_t i = 1; i < type->field_count; i++) {
        if (ss_str_equal(scratch[i - 1].name, scratch[i].name)) {
            return bad_field(load, type, scratch[i].field, "its name is used twice");
        }
    }
    return 0;
}

static int make_names(struct ss_load *load, struct ss_type *type)
{
    uint32_t count = 2 * type->field_count;
    type->names = ss__arena_calloc(&load->part->arena, (count + 1) * sizeof *type->names);
    if (type->names == NULL) {
        return SS_E_NOMEM;
    }
    if (count == 0) {
        return 0;
    }
    int err = check_names(load, type, type->names);
    if (err != 0) {
        return err;
    }
    for (uint32_t i = 0; i < type->field_count; i++) {
        const struct ss_field *field = &type->fields[i];
        type->names[2 * i] = (struct ss_field_name){ field->json_name, field };
        type->names[2 * i + 1] = (struct ss_field_name){ field->name, field };
    }
    qsort(type->names, count, sizeof *type->names, compare_names);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count && err == 0; i++) {
        if (kept > 0 && compare_text(type->names[kept - 1].name, type->names[i].name) == 0) {
            err = judge_equal_names(load, type, &type->names[kept - 1], &type->names[i]);
            continue;
        }
        type->names[kept++] = type->names[i];
    }
    type->name_count = kept;
    return err;
}

/* Numbers up to four times the field count (at least 127) get a slot of the direct table. */
static int make_direct(struct ss_load *load, struct ss_type *type)
{
    uint32_t limit = type->field_count * 4 > 127 ? type->field_count * 4 : 127;
    uint32_t highest = 0;
    for (uint32_t i = 0; i < type->field_count && type->fields[i].number <= limit; i++) {
        highest = type->fields[i].number;
    }
    type->direct_count = highest + 1;
    type->direct = ss__arena_calloc(&load->part->arena,
                                    type->direct_count * sizeof *type->direct);
    if (type->direct == NULL) {
        return SS_E_NOMEM;
    }
    for (uint32_t i = 0; i < type->field_count && type->fields[i].number <= highest; i++) {
        type->direct[type->fields[i].number] = &type->fields[i];
    }
    return 0;
}

int ss__load_settle(struct ss_load *load, struct ss_type *type)
{
    int err = sort_fields(load, type);
    err = err != 0 ? err : settle_oneofs(load, type);
    err = err != 0 ? err : settle_presence(load, type);
    err = err != 0 ? err : settle_map_entry(load, type);
    err = err != 0 ? err : make_names(load, type);
    return err != 0 ? err : make_direct(load, type);
}
