/* descriptor.h - what the schema folder knows of a message type: for src/schema only.
 *
 * All of it is made by ss__schema_load in the arena of that load and constant afterwards (except
 * @descriptor of a type, which ss__schema_attach may set before the schema is frozen). Every
 * ss_str in here is also NUL-terminated and valid UTF-8. */
#ifndef SS_SCHEMA_DESCRIPTOR_H
#define SS_SCHEMA_DESCRIPTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <protobuf-c/protobuf-c.h>

#include <sessionstream/types.h>

#include "core/arena.h"
#include "core/failure.h"
#include "core/map.h"
#include "schema/pb.h"
#include "schema/type.h"

/* The numbers are those of google.protobuf.FieldDescriptorProto.Type. */
enum ss_kind {
    SS_KIND_DOUBLE = 1,
    SS_KIND_FLOAT = 2,
    SS_KIND_INT64 = 3,
    SS_KIND_UINT64 = 4,
    SS_KIND_INT32 = 5,
    SS_KIND_FIXED64 = 6,
    SS_KIND_FIXED32 = 7,
    SS_KIND_BOOL = 8,
    SS_KIND_STRING = 9,
    SS_KIND_GROUP = 10,      /* never in a loaded type: protobuf-c cannot read groups */
    SS_KIND_MESSAGE = 11,
    SS_KIND_BYTES = 12,
    SS_KIND_UINT32 = 13,
    SS_KIND_ENUM = 14,
    SS_KIND_SFIXED32 = 15,
    SS_KIND_SFIXED64 = 16,
    SS_KIND_SINT32 = 17,
    SS_KIND_SINT64 = 18,
};

#define SS_KIND_COUNT 19

/* The numbers are those of google.protobuf.FieldDescriptorProto.Label. */
enum ss_label { SS_LABEL_OPTIONAL = 1, SS_LABEL_REQUIRED = 2, SS_LABEL_REPEATED = 3 };

enum ss_syntax { SS_SYNTAX_PROTO2 = 2, SS_SYNTAX_PROTO3 = 3 };

/* Types whose JSON form is special; recognised by full name. */
enum ss_well_known {
    SS_WELL_KNOWN_NONE,
    SS_WELL_KNOWN_ANY,
    SS_WELL_KNOWN_TIMESTAMP,
    SS_WELL_KNOWN_DURATION,
    SS_WELL_KNOWN_FIELD_MASK,
    SS_WELL_KNOWN_STRUCT,
    SS_WELL_KNOWN_VALUE,
    SS_WELL_KNOWN_LIST_VALUE,
    SS_WELL_KNOWN_EMPTY,
    SS_WELL_KNOWN_DOUBLE_VALUE,    /* from here on: wrappers, one field `value` with number 1 */
    SS_WELL_KNOWN_FLOAT_VALUE,
    SS_WELL_KNOWN_INT64_VALUE,
    SS_WELL_KNOWN_UINT64_VALUE,
    SS_WELL_KNOWN_INT32_VALUE,
    SS_WELL_KNOWN_UINT32_VALUE,
    SS_WELL_KNOWN_BOOL_VALUE,
    SS_WELL_KNOWN_STRING_VALUE,
    SS_WELL_KNOWN_BYTES_VALUE,
};

struct ss_enum_value {
    struct ss_str name;
    int32_t number;
};

struct ss_enum {
    struct ss_str name;                        /* full name */
    struct ss_enum_value *values;              /* as declared; values[0] is the default */
    const struct ss_enum_value **by_number;    /* sorted; of aliases the first declared only */
    const struct ss_enum_value **by_name;      /* sorted by length, then bytes; aliases included */
    uint32_t value_count;                      /* of values and by_name */
    uint32_t number_count;                     /* of by_number */
    bool closed;                               /* proto2 */
    bool null_value;                           /* google.protobuf.NullValue */
    const struct ss_file *file;
    struct ss_enum *next;
    ProtobufCEnumDescriptor built;
};

struct ss_field {
    struct ss_str name;                  /* as in the .proto file */
    struct ss_str json_name;             /* given, or lowerCamelCase of name by protoc's rule */
    uint32_t number;
    uint32_t index;                      /* in type->fields */
    enum ss_kind kind;
    enum ss_label label;
    enum ss_pb_wire wire;                /* of one element when not packed */
    uint64_t required_bit;               /* one bit if required, else 0 */
    uint32_t singular_index;             /* among the type's singular messages, from 0 */
    int32_t oneof_index;                 /* in type->oneofs; -1: none. Synthetic ones are gone */
    bool packed;                         /* how to write a repeated one; readers take both */
    bool packable;                       /* repeated and of a numeric kind, enum or bool */
    bool presence;                       /* set-to-default differs from absent: proto2 singular,
                                            proto3 optional, oneof members, singular messages */
    bool proto3_optional;
    bool is_map;                         /* message->map_entry and repeated */
    bool has_default;
    const struct ss_type *message;       /* MESSAGE, else NULL */
    const struct ss_enum *enumeration;   /* ENUM, else NULL */
    struct ss_str type_name;             /* of message or enumeration, no leading dot */
    struct ss_str default_text;          /* proto2 default as protoc writes it */
};

struct ss_oneof {
    struct ss_str name;
    uint32_t field_count;
};

struct ss_field_name {
    struct ss_str name;
    const struct ss_field *field;
};

struct ss_type {
    struct ss_str name;                  /* full name */
    struct ss_field *fields;             /* sorted by number */
    uint32_t field_count;
    uint32_t direct_count;               /* numbers below are looked up in @direct */
    const struct ss_field **direct;      /* by number; NULL: no such field */
    struct ss_field_name *names;         /* json names and names; sorted by length, then bytes */
    uint32_t name_count;
    uint32_t oneof_count;                /* without synthetic ones, which stand last */
    struct ss_oneof *oneofs;
    enum ss_syntax syntax;
    enum ss_well_known well_known;
    bool map_entry;                      /* fields[0] is the key, fields[1] the value */
    uint64_t required_mask;              /* of the required fields' bits */
    uint64_t fingerprint;
    uint64_t digest;                     /* of the type alone */
    const struct ss_file *file;
    const ProtobufCMessageDescriptor *descriptor;    /* attached, or &built */
    ProtobufCMessageDescriptor built;
    struct ss_type *next;                /* in the order of declaration */
    struct ss_type *attach_next;         /* scratch of ss__schema_attach */
    const ProtobufCMessageDescriptor *attach_to;
    uint64_t round[2];                   /* scratch of the fingerprint */
};

struct ss_file {
    struct ss_str name;
    struct ss_str package;
    enum ss_syntax syntax;
    uint64_t digest;                     /* of what the file declares, comments and options aside */
    struct ss_file *next;
};

/* The field with this number, or NULL. */
static inline const struct ss_field *ss__type_field(const struct ss_type *type, uint32_t number);

/* The same by binary search, for numbers >= direct_count. */
const struct ss_field *ss__type_field_search(const struct ss_type *type, uint32_t number);

static inline const struct ss_field *ss__type_field(const struct ss_type *type, uint32_t number)
{
    return number < type->direct_count ? type->direct[number]
                                       : ss__type_field_search(type, number);
}

/* The field with this json name or original name, or NULL. A json name wins over an equal original
 * name of another field. */
const struct ss_field *ss__type_field_by_name(const struct ss_type *type, struct ss_str name);

/* The value with this number (of aliases the first declared) or name, or NULL. */
const struct ss_enum_value *ss__enum_by_number(const struct ss_enum *enumeration, int32_t number);
const struct ss_enum_value *ss__enum_by_name(const struct ss_enum *enumeration, struct ss_str name);

#endif
