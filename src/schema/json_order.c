#include <stdlib.h>

#include <sessionstream/error.h>

#include "schema/json_encoder.h"

#define ONEOFS_TRACKED 64

struct ss_json_fields ss__json_fields(const struct ss_type *type, struct ss_str packed)
{
    return (struct ss_json_fields){ .type = type, .reader = ss__pb_reader(packed) };
}

bool ss__json_fields_next(struct ss_json_fields *fields)
{
    for (;;) {
        fields->begin = fields->reader.at;
        if (!ss__pb_next(&fields->reader, &fields->value)) {
            return false;
        }
        const struct ss_pb_field *value = &fields->value;
        const struct ss_field *field = ss__type_field(fields->type, value->number);
        bool known = field != NULL && (field->wire == value->wire ||
                                       (field->packable && value->wire == SS_PB_LEN));
        if (value->wire == SS_PB_SGROUP &&
            !ss__pb_skip_group(&fields->reader, value->number)) {
            return false;
        }
        if (known) {
            fields->field = field;
            return true;
        }
    }
}

bool ss__json_in_order(const struct ss_type *type, struct ss_str packed)
{
    struct ss_json_fields fields = ss__json_fields(type, packed);
    uint32_t last = 0;
    uint64_t oneofs = 0;
    while (ss__json_fields_next(&fields)) {
        const struct ss_field *field = fields.field;
        if (field->number < last ||
            (field->number == last && field->label != SS_LABEL_REPEATED)) {
            return false;
        }
        last = field->number;
        if (field->oneof_index < 0) {
            continue;
        }
        uint64_t bit = UINT64_C(1) << (field->oneof_index % ONEOFS_TRACKED);
        if ((oneofs & bit) != 0) {    /* or another oneof of the same bit: then for nothing */
            return false;
        }
        oneofs |= bit;
    }
    return true;
}

struct part {
    const struct ss_field *field;
    struct ss_str raw;          /* tag included */
    struct ss_str payload;      /* of LEN */
    size_t sequence;
    bool overruled;             /* by a later arm of its oneof */
};

struct parts {
    struct part *items;
    size_t len;
    size_t cap;
};

static int add_part(struct parts *parts, const struct part *part)
{
    if (parts->len == parts->cap) {
        size_t cap = parts->cap == 0 ? 16 : parts->cap * 2;
        struct part *items = realloc(parts->items, cap * sizeof *items);
        if (items == NULL) {
            return SS_E_NOMEM;
        }
        parts->items = items;
        parts->cap = cap;
    }
    parts->items[parts->len++] = *part;
    return 0;
}

static int collect_parts(const struct ss_type *type, struct ss_str packed, struct parts *parts)
{
    struct ss_json_fields fields = ss__json_fields(type, packed);
    while (ss__json_fields_next(&fields)) {
        struct part part = {
            .field = fields.field,
            .raw = ss_str_of(fields.begin, (size_t)(fields.reader.at - fields.begin)),
            .payload = fields.value.bytes,
            .sequence = parts->len,
        };
        int err = add_part(parts, &part);
        if (err != 0) {
            return err;
        }
    }
    return fields.reader.failed ? SS_E_PAYLOAD : 0;
}

struct arm {
    const struct ss_field *field;    /* the last arm of the oneof that is set */
    bool interrupted;                /* another arm stands before: what is earlier is gone */
};

static int overrule_arms(const struct ss_type *type, struct parts *parts)
{
    if (type->oneof_count == 0) {
        return 0;
    }
    struct arm *arms = calloc(type->oneof_count, sizeof *arms);
    if (arms == NULL) {
        return SS_E_NOMEM;
    }
    for (size_t i = parts->len; i-- > 0;) {
        struct part *part = &parts->items[i];
        if (part->field->oneof_index < 0) {
            continue;
        }
        struct arm *arm = &arms[part->field->oneof_index];
        if (arm->field == NULL) {
            arm->field = part->field;
        }
        arm->interrupted = arm->interrupted || arm->field != part->field;
        part->overruled = arm->interrupted;
    }
    free(arms);
    return 0;
}

static int compare_parts(const void *left, const void *right)
{
    const struct part *a = left;
    const struct part *b = right;
    if (a->field->number != b->field->number) {
        return a->field->number < b->field->number ? -1 : 1;
    }
    return a->sequence < b->sequence ? -1 : 1;
}

/* The parts of one singular message as one. */
static void join_parts(const struct part *parts, size_t count, struct ss_bytes *out)
{
    const struct ss_field *field = parts[0].field;
    uint64_t len = 0;
    for (size_t i = 0; i < count; i++) {
        len += parts[i].payload.len;
    }
    ss__pb_tag(out, field->number, field->wire);
    ss__bytes_varint(out, len);
    for (size_t i = 0; i < count; i++) {
        ss__bytes_str(out, parts[i].payload);
    }
}

static void write_parts(const struct parts *parts, struct ss_bytes *out)
{
    size_t kept = 0;
    for (size_t i = 0; i < parts->len; i++) {
        if (!parts->items[i].overruled) {
            parts->items[kept++] = parts->items[i];
        }
    }
    if (kept > 1) {
        qsort(parts->items, kept, sizeof *parts->items, compare_parts);
    }
    size_t next;
    for (size_t i = 0; i < kept; i = next) {
        const struct part *part = &parts->items[i];
        next = i + 1;
        while (next < kept && parts->items[next].field == part->field) {
            next++;
        }
        if (part->field->label == SS_LABEL_REPEATED) {
            for (size_t j = i; j < next; j++) {
                ss__bytes_str(out, parts->items[j].raw);
            }
        } else if (part->field->message != NULL) {
            join_parts(part, next - i, out);
        } else {
            ss__bytes_str(out, parts->items[next - 1].raw);
        }
    }
}

int ss__json_put_in_order(const struct ss_type *type, struct ss_str packed, struct ss_bytes *out)
{
    struct parts parts = { 0 };
    int err = collect_parts(type, packed, &parts);
    if (err == 0) {
        err = overrule_arms(type, &parts);
    }
    if (err == 0) {
        write_parts(&parts, out);
        err = out->err;
    }
    free(parts.items);
    return err;
}
