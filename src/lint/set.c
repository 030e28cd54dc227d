#include "lint/set.h"

#include <string.h>

#include "schema/pb.h"
#include "schema/type.h"

#define ARENA_CHUNK_BYTES ((size_t)64 << 10)

#define SET_FILE 1
#define FILE_NAME 1
#define FILE_SOURCE_INFO 9

static bool file_matches(const void *value, struct ss_str key)
{
    return ss_str_equal(((const struct ss_lint_file *)value)->name, key);
}

static bool message_matches(const void *value, struct ss_str key)
{
    return ss_str_equal(((const struct ss_lint_message *)value)->name, key);
}

static bool enum_matches(const void *value, struct ss_str key)
{
    return ss_str_equal(((const struct ss_lint_enum *)value)->name, key);
}

void ss__lint_set_init(struct ss_lint_set *set)
{
    *set = (struct ss_lint_set){ 0 };
    ss__arena_init(&set->arena, ARENA_CHUNK_BYTES);
    ss__map_init(&set->file_map, file_matches);
    ss__map_init(&set->message_map, message_matches);
    ss__map_init(&set->enum_map, enum_matches);
    set->files_end = &set->files;
    set->messages_end = &set->messages;
    set->enums_end = &set->enums;
}

void ss__lint_set_deinit(struct ss_lint_set *set)
{
    ss__map_deinit(&set->file_map);
    ss__map_deinit(&set->message_map);
    ss__map_deinit(&set->enum_map);
    ss__arena_deinit(&set->arena);
}

/* Splits a FileDescriptorProto into its declarations and its source info. Comments move with
 * every edit, so files are compared without. Borrows from @packed; @body holds the declarations. */
static void split_file(struct ss_str packed, struct ss_bytes *body, struct ss_lint_file *file)
{
    struct ss_pb_reader reader = ss__pb_reader(packed);
    struct ss_pb_field field;
    const uint8_t *from = reader.at;
    while (ss__pb_next(&reader, &field)) {
        if (field.wire == SS_PB_SGROUP && !ss__pb_skip_group(&reader, field.number)) {
            break;
        }
        bool info = field.wire == SS_PB_LEN && field.number == FILE_SOURCE_INFO;
        if (info) {
            file->info = field.bytes;
        } else {
            ss__bytes_append(body, from, (size_t)(reader.at - from));
        }
        if (field.wire == SS_PB_LEN && field.number == FILE_NAME) {
            file->name = field.bytes;
        }
        from = reader.at;
    }
    file->body = ss__bytes_view(body);
}

static int copy_text(struct ss_lint_set *set, struct ss_str *text)
{
    struct ss_str copy = ss__arena_str(&set->arena, *text);
    *text = copy;
    return copy.data == NULL ? SS_E_NOMEM : 0;
}

static int add_new(struct ss_lint_set *set, const struct ss_lint_file *found)
{
    struct ss_lint_file *file = ss__arena_calloc(&set->arena, sizeof *file);
    if (file == NULL) {
        return SS_E_NOMEM;
    }
    *file = *found;
    if (copy_text(set, &file->name) != 0 || copy_text(set, &file->body) != 0 ||
        copy_text(set, &file->info) != 0) {
        return SS_E_NOMEM;
    }
    static const char foreign[] = "google/protobuf/";
    file->foreign = file->name.len >= sizeof foreign - 1 &&
                    memcmp(file->name.data, foreign, sizeof foreign - 1) == 0;
    int err = ss__map_put(&set->file_map, ss__map_hash(file->name), file);
    if (err == 0) {
        *set->files_end = file;
        set->files_end = &file->next;
    }
    return err;
}

static int add_file(struct ss_lint_set *set, struct ss_str packed)
{
    struct ss_bytes body;
    struct ss_lint_file found = { 0 };
    ss__bytes_init(&body, 0);
    split_file(packed, &body, &found);
    int err = body.err;
    if (err == 0) {
        struct ss_lint_file *file =
            ss__map_get(&set->file_map, ss__map_hash(found.name), found.name);
        if (file == NULL) {
            err = add_new(set, &found);
        } else if (!ss_str_equal(file->body, found.body)) {
            file->differs = true;
        } else if (file->info.len == 0 && found.info.len > 0) {
            file->info = found.info;
            err = copy_text(set, &file->info);
        }
    }
    ss__bytes_deinit(&body);
    return err;
}

int ss__lint_set_add(struct ss_lint_set *set, struct ss_str descriptor_set,
                     struct ss_failure *failure)
{
    struct ss_schema *schema;
    int err = ss__schema_new(&schema);
    if (err != 0) {
        return ss__fail(failure, err, "out of memory");
    }
    err = ss__schema_load(schema, (const uint8_t *)descriptor_set.data, descriptor_set.len,
                          failure);
    ss__schema_free(schema);
    struct ss_pb_reader reader = ss__pb_reader(descriptor_set);
    struct ss_pb_field field;
    while (err == 0 && ss__pb_next(&reader, &field)) {
        if (field.wire == SS_PB_SGROUP) {
            (void)ss__pb_skip_group(&reader, field.number);    /* its failure ends the loop */
        } else if (field.wire == SS_PB_LEN && field.number == SET_FILE) {
            err = add_file(set, field.bytes);
            if (err != 0) {
                (void)ss__fail(failure, err, "out of memory");
            }
        }
    }
    return err;
}

void ss__lint_set_write(const struct ss_lint_set *set, struct ss_bytes *out)
{
    for (const struct ss_lint_file *file = set->files; file != NULL; file = file->next) {
        ss__pb_bytes(out, SET_FILE, file->body);
    }
}

static void link_maps(struct ss_lint_set *set)
{
    struct ss_lint_message *message = set->messages;
    for (; message != NULL; message = message->next) {
        for (uint32_t i = 0; i < message->field_count; i++) {
            struct ss_lint_field *field = &message->fields[i];
            const struct ss_lint_message *type =
                field->kind == SS_LINT_KIND_MESSAGE ? ss__lint_set_message(set, field->type_name)
                                                    : NULL;
            field->entry = type != NULL && type->map_entry ? type : NULL;
        }
    }
}

int ss__lint_set_parse(struct ss_lint_set *set, struct ss_failure *failure)
{
    int err = 0;
    for (struct ss_lint_file *file = set->files; err == 0 && file != NULL; file = file->next) {
        err = ss__lint_parse_file(set, file, failure);
    }
    link_maps(set);
    return err;
}

struct ss_lint_message *ss__lint_set_message(const struct ss_lint_set *set, struct ss_str name)
{
    return ss__map_get(&set->message_map, ss__map_hash(name), name);
}

struct ss_lint_enum *ss__lint_set_enum(const struct ss_lint_set *set, struct ss_str name)
{
    return ss__map_get(&set->enum_map, ss__map_hash(name), name);
}

/* Puts @message into the queue unless it has the mark already. */
static void mark_one(struct ss_lint_set *set, struct ss_lint_message *message, bool stored)
{
    bool marked = message->used && (message->stored || !stored);
    if (!marked) {
        message->used = true;
        message->stored = message->stored || stored;
        message->queue = set->queue;
        set->queue = message;
    }
}

void ss__lint_set_mark(struct ss_lint_set *set, struct ss_lint_message *message, bool stored)
{
    mark_one(set, message, stored);
    while (set->queue != NULL) {
        struct ss_lint_message *next = set->queue;
        set->queue = next->queue;
        for (uint32_t i = 0; i < next->field_count; i++) {
            const struct ss_lint_field *field = &next->fields[i];
            struct ss_lint_message *part = NULL;
            struct ss_lint_enum *enumeration = NULL;
            if (field->kind == SS_LINT_KIND_MESSAGE) {
                part = ss__lint_set_message(set, field->type_name);
            } else if (field->kind == SS_LINT_KIND_ENUM) {
                enumeration = ss__lint_set_enum(set, field->type_name);
            }
            if (part != NULL) {
                mark_one(set, part, stored);
            }
            if (enumeration != NULL && stored) {
                enumeration->stored = true;
            }
        }
    }
}
