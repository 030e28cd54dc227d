#include "schema/validate.h"

#include <stdio.h>

#include "core/utf8.h"
#include "schema/descriptor.h"
#include "schema/scan.h"

/* A message that has begun and not ended. */
struct level {
    const struct ss_type *type;
    const uint8_t *end;
    const struct ss_field *field;    /* that led here; NULL at the top */
    uint64_t singular;               /* bits of the first 64 singular messages seen */
    uint32_t singular_last;          /* number of the last one beyond them */
    uint64_t required;               /* bits of the required fields seen */
};

struct walk {
    struct level levels[SS_NESTING_MAX];
    struct level *level;             /* the innermost */
    const uint8_t *at;
    size_t unpacked;                 /* bytes protobuf-c would allocate for what was read */
    size_t unpacked_max;
    struct ss_failure *failure;
};

/* "a.b.c: WHAT in message TYPE"; @field may be NULL. */
static int bad(const struct walk *walk, const struct ss_field *field, const char *what)
{
    char path[SS_FAILURE_TEXT_BYTES / 2];
    size_t len = 0;
    path[0] = '\0';
    const struct level *last = walk->level;
    for (const struct level *level = walk->levels + 1; level <= last + 1; level++) {
        const struct ss_field *step = level <= last ? level->field : field;
        if (step != NULL && len < sizeof path) {
            int more = snprintf(path + len, sizeof path - len, "%s%s", len > 0 ? "." : "",
                                step->name.data);
            len += more > 0 ? (size_t)more : 0;
        }
    }
    return ss__fail(walk->failure, SS_E_PAYLOAD, "%s%s%s in message %s", path,
                    path[0] != '\0' ? ": " : "", what, walk->levels[0].type->name.data);
}

static int account(struct walk *walk, const struct ss_field *field, size_t bytes)
{
    walk->unpacked += bytes;
    if (walk->unpacked > walk->unpacked_max) {
        return bad(walk, field, "far more memory than bytes needed");
    }
    return 0;
}

/* Bytes of one element in the array of a repeated field. */
static size_t element_size(enum ss_kind kind)
{
    switch (kind) {
    case SS_KIND_DOUBLE:
    case SS_KIND_INT64:
    case SS_KIND_UINT64:
    case SS_KIND_FIXED64:
    case SS_KIND_SFIXED64:
    case SS_KIND_SINT64:
        return 8;
    case SS_KIND_STRING:
    case SS_KIND_MESSAGE:
        return sizeof(void *);
    case SS_KIND_BYTES:
        return sizeof(ProtobufCBinaryData);
    default:
        return 4;
    }
}

/* protobuf-c merges a singular message that occurs again into the first: quadratic when it occurs
 * often, wrong for lists in a oneof, and a failure when a oneof is set in neither. No encoder
 * repeats one. Beyond 64 of them in a type they must come in the order of their numbers. */
static bool occurs_again(struct level *level, const struct ss_field *field)
{
    bool again;
    if (field->singular_index < 64) {
        uint64_t bit = UINT64_C(1) << field->singular_index;
        again = (level->singular & bit) != 0;
        level->singular |= bit;
    } else {
        again = field->number <= level->singular_last;
        level->singular_last = field->number;
    }
    return again;
}

static int enter(struct walk *walk, const struct ss_field *field, const uint8_t *end)
{
    const struct ss_type *type = field->message;
    struct level *level = walk->level;
    if (level == &walk->levels[SS_NESTING_MAX - 1]) {
        return bad(walk, field, "nesting is too deep");
    }
    bool repeated = field->label == SS_LABEL_REPEATED;
    if (!repeated && occurs_again(level, field)) {
        return bad(walk, field, "a message that is no list occurs again");
    }
    int err = account(walk, field,
                      type->built.sizeof_message + (repeated ? sizeof(void *) : 0));
    if (err != 0) {
        return err;
    }
    walk->level = level + 1;
    *walk->level = (struct level){ .type = type, .end = end, .field = field };
    return 0;
}

/* Of a level that ends. */
static int check_required(const struct walk *walk, const struct level *level)
{
    if (level->required != level->type->required_mask) {
        uint64_t missing = level->type->required_mask & ~level->required;
        for (uint32_t i = 0; i < level->type->field_count; i++) {
            const struct ss_field *field = &level->type->fields[i];
            if ((field->required_bit & missing) != 0) {
                return bad(walk, field, "a required field is missing");
            }
        }
    }
    return 0;
}

static int check_packed(struct walk *walk, const struct ss_field *field, struct ss_str bytes)
{
    const uint8_t *at = (const uint8_t *)bytes.data;
    const uint8_t *end = at + bytes.len;
    size_t size = element_size(field->kind);
    size_t count = 0;
    if (field->wire != SS_PB_VARINT) {
        if (bytes.len % size != 0) {
            return bad(walk, field, "a packed list is cut off");
        }
        return account(walk, field, bytes.len);
    }
    while (at < end) {
        uint64_t value;
        at = ss__scan_varint(at, end, &value);
        if (at == NULL) {
            return bad(walk, field, "a packed list is malformed");
        }
        /* Other parsers take any varint here; protobuf-c would refuse the whole message. */
        if (field->kind == SS_KIND_BOOL && (value > 1 || at[-1] != value)) {
            return bad(walk, field, "a packed bool is neither 0 nor 1");
        }
        count++;
    }
    return account(walk, field, count * size);
}

static int check_text(struct walk *walk, const struct ss_field *field, struct ss_str text)
{
    if (text.len > 0) {
        if (memchr(text.data, '\0', text.len) != NULL) {
            return bad(walk, field, "NUL in a string");
        }
        if (!ss__utf8_valid(text.data, text.len)) {
            return bad(walk, field, "invalid UTF-8");
        }
    }
    return account(walk, field, text.len + 1);
}

/* A known length-delimited field; walk->at stands behind it, or at the first byte of a message. */
static int check_bytes(struct walk *walk, const struct ss_field *field, struct ss_str bytes)
{
    const uint8_t *end = (const uint8_t *)bytes.data + bytes.len;
    walk->at = end;
    if (field->kind == SS_KIND_MESSAGE) {
        walk->at = (const uint8_t *)bytes.data;
        return enter(walk, field, end);
    }
    if (field->packable) {
        return check_packed(walk, field, bytes);
    }
    if (field->label == SS_LABEL_REPEATED) {
        int err = account(walk, field, element_size(field->kind));
        if (err != 0) {
            return err;
        }
    }
    return field->kind == SS_KIND_STRING ? check_text(walk, field, bytes)
                                         : account(walk, field, bytes.len);
}

/* Behind the value at @at; NULL if it is cut off or malformed. Sets *ret_bytes for SS_PB_LEN. */
static const uint8_t *skip_value(const uint8_t *at, const uint8_t *end, enum ss_pb_wire wire,
                                 struct ss_str *ret_bytes)
{
    uint64_t value;
    switch (wire) {
    case SS_PB_VARINT:
        return ss__scan_varint(at, end, &value);
    case SS_PB_I64:
        return ss__scan_fixed64(at, end, &value);
    case SS_PB_I32:
        return ss__scan_fixed32(at, end, &value);
    case SS_PB_LEN:
        return ss__scan_bytes(at, end, ret_bytes);
    default:    /* groups were refused at their tag */
        return NULL;
    }
}

static int check_known(struct walk *walk, const uint8_t *value_at, const struct ss_field *field,
                       enum ss_pb_wire wire)
{
    struct level *level = walk->level;
    level->required |= field->required_bit;
    /* Google's parsers would keep a field of the wrong wire type as an unknown one; protobuf-c
     * refuses the message. So do we, or what passed here could not be unpacked later. */
    if (wire != field->wire && !(wire == SS_PB_LEN && field->packable)) {
        return bad(walk, field, "the wire type does not fit the field");
    }
    struct ss_str bytes;
    const uint8_t *next = skip_value(value_at, level->end, wire, &bytes);
    if (next == NULL) {
        return bad(walk, field, "the value is cut off or malformed");
    }
    if (wire == SS_PB_LEN) {
        return check_bytes(walk, field, bytes);
    }
    walk->at = next;
    return field->packable ? account(walk, field, element_size(field->kind)) : 0;
}

static int check_unknown(struct walk *walk, const uint8_t *value_at, enum ss_pb_wire wire)
{
    const struct level *level = walk->level;
    struct ss_str bytes;
    const uint8_t *next = skip_value(value_at, level->end, wire, &bytes);
    if (next == NULL) {
        return bad(walk, NULL, "an unknown field is cut off or malformed");
    }
    walk->at = next;
    return account(walk, NULL,
                   sizeof(ProtobufCMessageUnknownField) + (size_t)(next - value_at));
}

int ss__validate(const struct ss_type *type, struct ss_str packed, struct ss_failure *failure)
{
    struct walk walk;
    walk.failure = failure;
    walk.at = (const uint8_t *)packed.data;
    walk.unpacked = 0;
    walk.unpacked_max = type->built.sizeof_message + packed.len * SS_UNPACKED_FACTOR_MAX +
                        SS_UNPACKED_SLACK_BYTES;
    walk.level = walk.levels;
    *walk.level = (struct level){ .type = type, .end = walk.at + packed.len };
    int err = account(&walk, NULL, type->built.sizeof_message);
    while (err == 0) {
        const struct level *level = walk.level;
        if (walk.at == level->end) {
            err = check_required(&walk, level);
            if (level == walk.levels) {
                break;
            }
            walk.level--;
            continue;
        }
        uint32_t number;
        enum ss_pb_wire wire;
        const uint8_t *value_at = ss__scan_tag(walk.at, level->end, &number, &wire);
        if (value_at == NULL) {
            return bad(&walk, NULL, "a tag is cut off or malformed");
        }
        const struct ss_field *field = ss__type_field(level->type, number);
        if (wire == SS_PB_SGROUP || wire == SS_PB_EGROUP) {
            char what[80];
            (void)snprintf(what, sizeof what, "field %u is a group, use a message instead",
                           (unsigned)number);    /* fits: 10 digits */
            return bad(&walk, field, what);
        }
        err = field != NULL ? check_known(&walk, value_at, field, wire)
                            : check_unknown(&walk, value_at, wire);
    }
    return err;
}
