/* load.h - the steps of ss__schema_load: for src/schema only.
 *
 * parse: bytes -> files, types, enums with references as names. link: names -> pointers, and the
 * look-up tables. build: the protobuf-c descriptors. fingerprint: over all types. Every step may
 * fail; the part it filled is then thrown away as a whole. */
#ifndef SS_SCHEMA_LOAD_H
#define SS_SCHEMA_LOAD_H

#include "schema/descriptor.h"

/* Limits on a descriptor set. A set of this size holds some 100,000 fields. */
#define SS_DESCRIPTOR_SET_BYTES_MAX ((size_t)16 << 20)
#define SS_FULL_NAME_BYTES_MAX ((size_t)1024)
#define SS_TYPE_FIELDS_MAX 65535u
#define SS_ENUM_VALUES_MAX 65535u
#define SS_TYPE_REQUIRED_MAX 64u

/* What one load added. */
struct ss_part {
    struct ss_arena arena;
    struct ss_type *types;
    struct ss_enum *enums;
    struct ss_file *files;
    struct ss_part *older;
};

struct ss_schema {
    struct ss_map types;    /* by full name */
    struct ss_map enums;
    struct ss_map files;
    struct ss_part *parts;
};

struct ss_load {
    struct ss_schema *schema;
    struct ss_part *part;
    struct ss_failure *failure;
};

/* What one file declares, before it is known whether the schema has it already. */
struct ss_parsed_file {
    struct ss_file *file;
    struct ss_type *types;
    struct ss_type **types_end;
    struct ss_enum *enums;
    struct ss_enum **enums_end;
    struct ss_str *imports;
    uint32_t import_count;
};

/* SS_E_SCHEMA with "file F: WHERE: text"; @where may be empty. */
int ss__load_bad(const struct ss_load *load, const struct ss_file *file, struct ss_str where,
                 const char *format, ...) SS_PRINTF(4, 5);

/* Next field, groups skipped; false at the end or when malformed. */
bool ss__load_next(struct ss_pb_reader *reader, struct ss_pb_field *ret_field);

/* One FileDescriptorProto. Errors: SS_E_SCHEMA, SS_E_NOMEM. */
int ss__load_parse(struct ss_load *load, struct ss_str packed, struct ss_parsed_file *ret_parsed);

/* The parts of it: one DescriptorProto with what is nested in it, and one EnumDescriptorProto,
 * added to @parsed. @scope is the full name around it. Errors as above. */
int ss__load_parse_message(struct ss_load *load, struct ss_parsed_file *parsed,
                           struct ss_str scope, struct ss_str packed, unsigned depth);
int ss__load_parse_enum(struct ss_load *load, struct ss_parsed_file *parsed, struct ss_str scope,
                        struct ss_str packed);
int ss__load_parse_field(struct ss_load *load, struct ss_type *type, struct ss_str packed,
                         struct ss_field *ret_field);

/* "@scope.@name" in the arena, after checking that @name is an identifier and the whole not too
 * long. Errors as above. */
int ss__load_full_name(struct ss_load *load, const struct ss_file *file, struct ss_str scope,
                       struct ss_str name, struct ss_str *ret_full);

/* Copies @text, which must be UTF-8 without NUL and not too long; @what names it in the error. */
int ss__load_copy(struct ss_load *load, const struct ss_file *file, struct ss_str where,
                  const char *what, struct ss_str text, struct ss_str *ret_copy);

bool ss__load_is_identifier(struct ss_str text);

/* Sorts fields, settles oneofs and presence, makes the look-up tables; checks numbers and names. */
int ss__load_settle(struct ss_load *load, struct ss_type *type);

int ss__load_link(struct ss_load *load, struct ss_type *type);

/* Recognises a well-known type, which must then have the fields that the JSON mapping relies on. */
int ss__load_well_known(struct ss_load *load, struct ss_type *type);

int ss__load_link_enum(struct ss_load *load, struct ss_enum *enumeration);
int ss__load_build(struct ss_load *load, struct ss_type *type);
int ss__load_build_enum(struct ss_load *load, struct ss_enum *enumeration);

/* The protobuf-c form of a proto2 default; *@ret_value stays NULL when there is none. */
int ss__load_default(struct ss_load *load, const struct ss_type *type,
                     const struct ss_field *field, const void **ret_value);

/* Hash of what a file declares: equal for the same declarations. */
uint64_t ss__digest_file(const struct ss_parsed_file *parsed);

/* Sets the fingerprint of every type. */
void ss__fingerprint_all(struct ss_schema *schema);

#endif
