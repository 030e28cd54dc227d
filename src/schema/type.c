#include "schema/type.h"

#include <stdlib.h>

#include "schema/load.h"
#include "sessionstream/wellknown.descriptor.h"

#define ARENA_CHUNK_BYTES ((size_t)16 << 10)

static bool type_matches(const void *value, struct ss_str key)
{
    return ss_str_equal(((const struct ss_type *)value)->name, key);
}

static bool enum_matches(const void *value, struct ss_str key)
{
    return ss_str_equal(((const struct ss_enum *)value)->name, key);
}

static bool file_matches(const void *value, struct ss_str key)
{
    return ss_str_equal(((const struct ss_file *)value)->name, key);
}

int ss__schema_new(struct ss_schema **ret_schema)
{
    struct ss_schema *schema = calloc(1, sizeof *schema);
    if (schema == NULL) {
        return SS_E_NOMEM;
    }
    ss__map_init(&schema->types, type_matches);
    ss__map_init(&schema->enums, enum_matches);
    ss__map_init(&schema->files, file_matches);
    int err = ss__schema_load(schema, wellknown_descriptor_set, wellknown_descriptor_set_len,
                              NULL);
    if (err != 0) {
        ss__schema_free(schema);
        return err;
    }
    *ret_schema = schema;
    return 0;
}

static void free_part(struct ss_part *part)
{
    struct ss_arena arena = part->arena;    /* the part lies in its own arena */
    ss__arena_deinit(&arena);
}

void ss__schema_free(struct ss_schema *schema)
{
    if (schema == NULL) {
        return;
    }
    while (schema->parts != NULL) {
        struct ss_part *older = schema->parts->older;
        free_part(schema->parts);
        schema->parts = older;
    }
    ss__map_deinit(&schema->types);
    ss__map_deinit(&schema->enums);
    ss__map_deinit(&schema->files);
    free(schema);
}

static bool name_taken(const struct ss_schema *schema, struct ss_str name)
{
    uint64_t hash = ss__map_hash(name);
    return ss__map_get(&schema->types, hash, name) != NULL ||
           ss__map_get(&schema->enums, hash, name) != NULL;
}

static int add_types(struct ss_load *load, struct ss_parsed_file *parsed)
{
    for (struct ss_type *type = parsed->types; type != NULL;) {
        struct ss_type *next = type->next;
        if (name_taken(load->schema, type->name)) {
            return ss__load_bad(load, parsed->file, type->name, "is declared twice");
        }
        int err = ss__map_put(&load->schema->types, ss__map_hash(type->name), type);
        if (err != 0) {
            return err;
        }
        type->next = load->part->types;
        load->part->types = type;
        type = next;
    }
    for (struct ss_enum *at = parsed->enums; at != NULL;) {
        struct ss_enum *next = at->next;
        if (name_taken(load->schema, at->name)) {
            return ss__load_bad(load, parsed->file, at->name, "is declared twice");
        }
        int err = ss__map_put(&load->schema->enums, ss__map_hash(at->name), at);
        if (err != 0) {
            return err;
        }
        at->next = load->part->enums;
        load->part->enums = at;
        at = next;
    }
    return 0;
}

static int check_imports(struct ss_load *load, const struct ss_parsed_file *parsed)
{
    for (uint32_t i = 0; i < parsed->import_count; i++) {
        struct ss_str import = parsed->imports[i];
        if (ss__map_get(&load->schema->files, ss__map_hash(import), import) == NULL) {
            return ss__load_bad(load, parsed->file, ss_str(""),
                                "imports \"%.*s\", which does not stand before it in the set; "
                                "was it made with --include_imports?",
                                (int)(import.len > 80 ? 80 : import.len), import.data);
        }
    }
    return 0;
}

static int add_file(struct ss_load *load, struct ss_str packed)
{
    struct ss_parsed_file parsed;
    int err = ss__load_parse(load, packed, &parsed);
    if (err != 0) {
        return err;
    }
    struct ss_file *file = parsed.file;
    uint64_t hash = ss__map_hash(file->name);
    const struct ss_file *known = ss__map_get(&load->schema->files, hash, file->name);
    if (known != NULL) {
        return known->digest == file->digest
                   ? 0
                   : ss__load_bad(load, file, ss_str(""),
                                  "differs from the file of the same name that is loaded already");
    }
    err = check_imports(load, &parsed);
    err = err != 0 ? err : ss__map_put(&load->schema->files, hash, file);
    if (err != 0) {
        return err;
    }
    file->next = load->part->files;
    load->part->files = file;
    return add_types(load, &parsed);
}

static int add_files(struct ss_load *load, struct ss_str packed)
{
    struct ss_pb_reader reader = ss__pb_reader(packed);
    struct ss_pb_field field;
    int err = 0;
    while (err == 0 && ss__load_next(&reader, &field)) {
        if (field.number == 1 && field.wire == SS_PB_LEN) {
            err = add_file(load, field.bytes);
        }
    }
    if (err == 0 && reader.failed) {
        err = ss__fail(load->failure, SS_E_SCHEMA, "not a serialized FileDescriptorSet");
    }
    return err;
}

static int finish(struct ss_load *load)
{
    int err = 0;
    for (struct ss_enum *at = load->part->enums; at != NULL && err == 0; at = at->next) {
        err = ss__load_build_enum(load, at);
    }
    for (struct ss_type *at = load->part->types; at != NULL && err == 0; at = at->next) {
        err = ss__load_link(load, at);
    }
    for (struct ss_type *at = load->part->types; at != NULL && err == 0; at = at->next) {
        err = ss__load_build(load, at);
    }
    return err;
}

/* Takes back what an unfinished load put into the maps. */
static void undo(struct ss_schema *schema, struct ss_part *part)
{
    for (struct ss_type *at = part->types; at != NULL; at = at->next) {
        (void)ss__map_remove(&schema->types, ss__map_hash(at->name), at);
    }
    for (struct ss_enum *at = part->enums; at != NULL; at = at->next) {
        (void)ss__map_remove(&schema->enums, ss__map_hash(at->name), at);
    }
    for (struct ss_file *at = part->files; at != NULL; at = at->next) {
        (void)ss__map_remove(&schema->files, ss__map_hash(at->name), at);
    }
    free_part(part);
}

int ss__schema_load(struct ss_schema *schema, const uint8_t *descriptor_set, size_t len,
                    struct ss_failure *failure)
{
    if (len > SS_DESCRIPTOR_SET_BYTES_MAX) {
        return ss__fail(failure, SS_E_SCHEMA, "a descriptor set of %zu bytes is over the limit of "
                        "%zu", len, SS_DESCRIPTOR_SET_BYTES_MAX);
    }
    struct ss_arena arena;
    ss__arena_init(&arena, ARENA_CHUNK_BYTES);
    struct ss_part *part = ss__arena_calloc(&arena, sizeof *part);
    if (part == NULL) {
        return ss__fail(failure, SS_E_NOMEM, "out of memory");
    }
    part->arena = arena;
    struct ss_load load = { schema, part, failure };
    int err = add_files(&load, ss_str_of(descriptor_set, len));
    err = err != 0 ? err : finish(&load);
    if (err != 0) {
        undo(schema, part);
        return err == SS_E_NOMEM ? ss__fail(failure, err, "out of memory") : err;
    }
    part->older = schema->parts;
    schema->parts = part;
    ss__fingerprint_all(schema);
    return 0;
}

const struct ss_type *ss__schema_find(const struct ss_schema *schema, struct ss_str full_name)
{
    return ss__map_get(&schema->types, ss__map_hash(full_name), full_name);
}

const struct ss_type *ss__schema_find_url(const struct ss_schema *schema, struct ss_str type_url)
{
    for (size_t at = type_url.len; at > 0; at--) {
        if (type_url.data[at - 1] == '/') {
            return ss__schema_find(schema, ss_str_of(type_url.data + at, type_url.len - at));
        }
    }
    return NULL;
}

struct ss_str ss__type_name(const struct ss_type *type)
{
    return type->name;
}

uint64_t ss__type_fingerprint(const struct ss_type *type)
{
    return type->fingerprint;
}

const struct ProtobufCMessageDescriptor *ss__type_descriptor(const struct ss_type *type)
{
    return type->descriptor;
}

bool ss__type_is_well_known(const struct ss_type *type)
{
    return type->well_known != SS_WELL_KNOWN_NONE;
}
