/* type.h - protobuf message types built at run time from FileDescriptorSets.
 *
 * A schema holds every type of the sets loaded into it, and always the well-known types. It is
 * filled by one thread, then frozen by handing it out as const; after that any thread may read.
 * Types live as long as their schema. */
#ifndef SS_SCHEMA_TYPE_H
#define SS_SCHEMA_TYPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sessionstream/types.h>

#include "core/failure.h"

struct ProtobufCMessageDescriptor;
struct ss_schema;
struct ss_type;

/* Errors: SS_E_NOMEM. */
int ss__schema_new(struct ss_schema **ret_schema);
void ss__schema_free(struct ss_schema *schema);

/* Adds the files of a serialized google.protobuf.FileDescriptorSet (dependencies first, as protoc
 * --include_imports writes them). A file loaded before is skipped when identical. The bytes may
 * come from a user: they are checked, never trusted. On error nothing was added. Errors:
 * SS_E_SCHEMA (malformed, unresolved or conflicting; @failure names file and type), SS_E_NOMEM. */
int ss__schema_load(struct ss_schema *schema, const uint8_t *descriptor_set, size_t len,
                    struct ss_failure *failure);

/* The message type with this full name ("google.protobuf.Any", no leading dot), or NULL. */
const struct ss_type *ss__schema_find(const struct ss_schema *schema, struct ss_str full_name);

/* Finds by type URL: what stands after the last '/'; NULL if there is no '/' or no such type. */
const struct ss_type *ss__schema_find_url(const struct ss_schema *schema, struct ss_str type_url);

struct ss_str ss__type_name(const struct ss_type *type);    /* full name */

/* Hash of the type's structure and everything it reaches; equal for equal schemas. */
uint64_t ss__type_fingerprint(const struct ss_type *type);

/* protobuf-c descriptor for pack and unpack: the generated one if attached, else one built here.
 * Note: a built descriptor has no message_init, so protobuf_c_message_init must not be called. */
const struct ProtobufCMessageDescriptor *ss__type_descriptor(const struct ss_type *type);

/* Makes a generated descriptor the one for its type (found by name), and those it refers to the
 * ones for theirs, after comparing all of them field by field; on error none. Errors:
 * SS_E_NOTFOUND (no such type), SS_E_SCHEMA (names the field). */
int ss__schema_attach(struct ss_schema *schema,
                      const struct ProtobufCMessageDescriptor *generated,
                      struct ss_failure *failure);

/* True for google.protobuf.Struct and the other types whose JSON form is not an object of their
 * fields (well-known types, Any included). */
bool ss__type_is_well_known(const struct ss_type *type);

#endif
