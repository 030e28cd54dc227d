/* set.h - the declarations of FileDescriptorSets, with what the server has no use for: places in
 * the sources, reserved numbers and names, declared order.
 *
 * Bytes are first judged by ss__schema_load, so that ss-lint takes what the server takes and
 * refuses the rest with the same words.
 *
 * Life: init -> add ... -> parse once -> read -> deinit. One thread. All in the set lives as long
 * as it does; texts are UTF-8 without NUL. */
#ifndef SS_LINT_SET_H
#define SS_LINT_SET_H

#include <stdbool.h>
#include <stdint.h>

#include "core/arena.h"
#include "core/bytes.h"
#include "core/map.h"
#include "lint/findings.h"

/* Those numbers of FieldDescriptorProto.Type and Label that mean something here. */
enum { SS_LINT_KIND_MESSAGE = 11, SS_LINT_KIND_ENUM = 14, SS_LINT_KIND_COUNT = 19 };
enum { SS_LINT_OPTIONAL = 1, SS_LINT_REQUIRED = 2, SS_LINT_REPEATED = 3 };

struct ss_lint_file {
    struct ss_str name;
    struct ss_str package;
    bool proto3;
    bool foreign;             /* google/protobuf/... */
    bool differs;             /* another set had it with other declarations */
    struct ss_str body;       /* FileDescriptorProto without its source info */
    struct ss_str info;       /* SourceCodeInfo, may be empty */
    struct ss_lint_file *next;
};

struct ss_lint_range {
    int64_t first;
    int64_t last;             /* included */
};

struct ss_lint_reserved {
    struct ss_lint_range *ranges;    /* sorted, apart from each other */
    uint32_t range_count;
    struct ss_str *names;            /* sorted */
    uint32_t name_count;
};

struct ss_lint_field {
    struct ss_str name;
    struct ss_str json_name;
    struct ss_str type_name;         /* of a message or enum, no leading dot */
    const struct ss_lint_message *entry;    /* of a map: the message protoc made for it */
    struct ss_str oneof;             /* name of its oneof; empty: none, or one made by protoc */
    struct ss_str default_text;
    uint32_t number;
    uint32_t kind;
    uint32_t label;
    bool proto3_optional;
    bool has_default;
    struct ss_lint_place place;
};

struct ss_lint_oneof {
    struct ss_str name;
    struct ss_lint_place place;
};

struct ss_lint_message {
    struct ss_str name;                       /* full name */
    const struct ss_lint_file *file;
    const struct ss_lint_message *parent;     /* NULL at the top level */
    struct ss_lint_field *fields;             /* as declared */
    const struct ss_lint_field **by_number;
    const struct ss_lint_field **by_name;
    uint32_t field_count;
    struct ss_lint_oneof *oneofs;
    uint32_t oneof_count;
    struct ss_lint_reserved reserved;
    bool map_entry;
    struct ss_lint_place place;
    bool used;                                /* marks of ss__lint_set_mark */
    bool stored;
    bool compared;
    struct ss_lint_message *queue;            /* scratch of marking and comparing */
    struct ss_lint_message *next;             /* as declared */
};

struct ss_lint_value {
    struct ss_str name;
    int32_t number;
    struct ss_lint_place place;
};

struct ss_lint_enum {
    struct ss_str name;
    const struct ss_lint_file *file;
    const struct ss_lint_message *parent;
    struct ss_lint_value *values;             /* as declared */
    const struct ss_lint_value **by_number;   /* aliases in the order of names */
    const struct ss_lint_value **by_name;
    uint32_t value_count;
    struct ss_lint_reserved reserved;
    struct ss_lint_place place;
    bool stored;
    bool compared;
    struct ss_lint_enum *next;
};

struct ss_lint_set {
    struct ss_arena arena;
    struct ss_map file_map;
    struct ss_map message_map;
    struct ss_map enum_map;
    struct ss_lint_file *files;
    struct ss_lint_file **files_end;
    struct ss_lint_message *messages;
    struct ss_lint_message **messages_end;
    struct ss_lint_enum *enums;
    struct ss_lint_enum **enums_end;
    struct ss_lint_message *queue;            /* scratch */
};

void ss__lint_set_init(struct ss_lint_set *set);
void ss__lint_set_deinit(struct ss_lint_set *set);

/* Adds the files of a serialized FileDescriptorSet; copies what it needs. Of a file that is there
 * already only the source info is taken, if it has none yet and declares the same; if it declares
 * something else, it is marked. Errors: SS_E_SCHEMA (as ss__schema_load), SS_E_NOMEM. */
int ss__lint_set_add(struct ss_lint_set *set, struct ss_str descriptor_set,
                     struct ss_failure *failure);

/* Reads the declarations of all files. Errors: SS_E_SCHEMA, SS_E_NOMEM. */
int ss__lint_set_parse(struct ss_lint_set *set, struct ss_failure *failure);

/* Appends all files as a FileDescriptorSet, without source info. Failure is in @out. */
void ss__lint_set_write(const struct ss_lint_set *set, struct ss_bytes *out);

/* For ss__lint_set_parse: those of one file. Errors as above. */
int ss__lint_parse_file(struct ss_lint_set *set, struct ss_lint_file *file,
                        struct ss_failure *failure);

/* By full name, or NULL. */
struct ss_lint_message *ss__lint_set_message(const struct ss_lint_set *set, struct ss_str name);
struct ss_lint_enum *ss__lint_set_enum(const struct ss_lint_set *set, struct ss_str name);

/* Marks @message and all it reaches as used, and as stored if @stored. */
void ss__lint_set_mark(struct ss_lint_set *set, struct ss_lint_message *message, bool stored);

/* By number or name, or NULL. */
const struct ss_lint_field *ss__lint_field_by_number(const struct ss_lint_message *message,
                                                     uint32_t number);
const struct ss_lint_field *ss__lint_field_by_name(const struct ss_lint_message *message,
                                                   struct ss_str name);
const struct ss_lint_value *ss__lint_value_by_number(const struct ss_lint_enum *enumeration,
                                                     int32_t number);
const struct ss_lint_value *ss__lint_value_by_name(const struct ss_lint_enum *enumeration,
                                                   struct ss_str name);

bool ss__lint_reserves_number(const struct ss_lint_reserved *reserved, int64_t number);
bool ss__lint_reserves_name(const struct ss_lint_reserved *reserved, struct ss_str name);

/* Order of bytes, for sorting: < 0, 0, > 0. */
int ss__lint_compare(struct ss_str a, struct ss_str b);

#endif
