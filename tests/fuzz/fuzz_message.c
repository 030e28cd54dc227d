/* Messages of a schema that the input describes. The first byte says how many bytes of it describe
 * the schema, the others are a message of its first type.
 *
 * The schema loads. Messages that are made for its types, and what the validator passes of the
 * input, are unpacked and packed by protobuf-c as they were, and are the same after a way through
 * JSON. */
#include "fuzz.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include <sessionstream/error.h>

#include "schema/generate.h"
#include "schema/json.h"
#include "schema/pb.h"
#include "schema/validate.h"

#define MESSAGES_MAX 4u
#define FIELDS_MAX 12u

/* Numbers of descriptor.proto. */
enum { SET_FILE = 1, FILE_NAME = 1, FILE_PACKAGE = 2, FILE_MESSAGE = 4, FILE_ENUM = 5,
       FILE_SYNTAX = 12 };
enum { MESSAGE_NAME = 1, MESSAGE_FIELD = 2, MESSAGE_NESTED = 3, MESSAGE_OPTIONS = 7,
       MESSAGE_ONEOF = 8 };
enum { FIELD_NAME = 1, FIELD_NUMBER = 3, FIELD_LABEL = 4, FIELD_TYPE = 5, FIELD_TYPE_NAME = 6,
       FIELD_OPTIONS = 8, FIELD_ONEOF = 9, FIELD_PROTO3_OPTIONAL = 17 };
enum { OPTION_MAP_ENTRY = 7, OPTION_PACKED = 2, NAME = 1, ENUM_VALUE = 2, VALUE_NUMBER = 2 };

static const enum ss_kind kinds[] = {
    SS_KIND_DOUBLE, SS_KIND_FLOAT,  SS_KIND_INT64,    SS_KIND_UINT64,   SS_KIND_INT32,
    SS_KIND_FIXED64, SS_KIND_FIXED32, SS_KIND_BOOL,   SS_KIND_STRING,   SS_KIND_MESSAGE,
    SS_KIND_BYTES,  SS_KIND_UINT32, SS_KIND_ENUM,     SS_KIND_SFIXED32, SS_KIND_SFIXED64,
    SS_KIND_SINT32, SS_KIND_SINT64,
};

/* Takes bytes of the description; zeros behind its end. */
struct source {
    const uint8_t *at;
    size_t left;
};

static unsigned take(struct source *source)
{
    if (source->left == 0) {
        return 0;
    }
    source->left--;
    return *source->at++;
}

static void put_name(struct ss_bytes *out, uint32_t number, const char *prefix, unsigned value,
                     const char *suffix)
{
    char text[48];
    (void)snprintf(text, sizeof text, "%s%u%s", prefix, value, suffix);    /* it fits */
    ss__pb_bytes(out, number, ss_str(text));
}

static void put_nested(struct ss_bytes *out, uint32_t number, struct ss_bytes *inner)
{
    ss__pb_bytes(out, number, ss__bytes_view(inner));
    ss__bytes_deinit(inner);
}

/* Name, number, label, kind and the type it refers to. */
static void put_field(struct ss_bytes *out, const char *name, unsigned number, enum ss_label label,
                      enum ss_kind kind, const char *type_name)
{
    ss__pb_bytes(out, FIELD_NAME, ss_str(name));
    ss__pb_u64(out, FIELD_NUMBER, number);
    ss__pb_u64(out, FIELD_LABEL, label);
    ss__pb_u64(out, FIELD_TYPE, kind);
    if (type_name != NULL) {
        ss__pb_bytes(out, FIELD_TYPE_NAME, ss_str(type_name));
    }
}

static const char *type_name_of(enum ss_kind kind, unsigned choice, unsigned messages, char *out,
                                size_t out_bytes)
{
    static const char *const known[] = {
        ".google.protobuf.Timestamp", ".google.protobuf.Duration", ".google.protobuf.Int64Value",
        ".google.protobuf.StringValue", ".google.protobuf.BytesValue", ".google.protobuf.Empty",
    };
    if (kind == SS_KIND_ENUM) {
        return ".fuzz.E";
    }
    if (kind != SS_KIND_MESSAGE) {
        return NULL;
    }
    if (choice >= 200) {
        return known[choice % (sizeof known / sizeof known[0])];
    }
    (void)snprintf(out, out_bytes, ".fuzz.M%u", choice % messages);    /* it fits */
    return out;
}

/* A map: the entry's type among the nested ones and the field. */
static void put_map(struct ss_bytes *message, unsigned index, unsigned field, enum ss_kind kind,
                    const char *type_name, unsigned choice)
{
    static const enum ss_kind keys[] = { SS_KIND_STRING, SS_KIND_INT32, SS_KIND_UINT64,
                                         SS_KIND_BOOL, SS_KIND_SFIXED32, SS_KIND_SINT64 };
    struct ss_bytes entry;
    struct ss_bytes part;
    char name[32];
    char entry_type[64];
    ss__bytes_init(&entry, 0);
    put_name(&entry, MESSAGE_NAME, "F", field, "Entry");
    ss__bytes_init(&part, 0);
    put_field(&part, "key", 1, SS_LABEL_OPTIONAL, keys[choice % 6], NULL);
    put_nested(&entry, MESSAGE_FIELD, &part);
    ss__bytes_init(&part, 0);
    put_field(&part, "value", 2, SS_LABEL_OPTIONAL, kind, type_name);
    put_nested(&entry, MESSAGE_FIELD, &part);
    ss__bytes_init(&part, 0);
    ss__pb_u64(&part, OPTION_MAP_ENTRY, 1);
    put_nested(&entry, MESSAGE_OPTIONS, &part);
    put_nested(message, MESSAGE_NESTED, &entry);
    (void)snprintf(name, sizeof name, "f%u", field);    /* they fit */
    (void)snprintf(entry_type, sizeof entry_type, ".fuzz.M%u.F%uEntry", index, field);
    ss__bytes_init(&part, 0);
    put_field(&part, name, field, SS_LABEL_REPEATED, SS_KIND_MESSAGE, entry_type);
    put_nested(message, MESSAGE_FIELD, &part);
}

/* A field of a message. Its form: singular, proto3 optional, repeated, unpacked, map, oneof. */
static void put_member(struct source *source, struct ss_bytes *message, unsigned index,
                       unsigned field, unsigned messages, unsigned *synthetic)
{
    char type_name[32];
    char name[32];
    struct ss_bytes part;
    struct ss_bytes options;
    enum ss_kind kind = kinds[take(source) % (sizeof kinds / sizeof kinds[0])];
    unsigned form = take(source);
    unsigned choice = kind == SS_KIND_MESSAGE || form % 6 == 4 ? take(source) : 0;
    const char *refers = type_name_of(kind, choice, messages, type_name, sizeof type_name);
    if (form % 6 == 4) {
        put_map(message, index, field, kind, refers, choice);
        return;
    }
    bool repeated = form % 6 == 2 || form % 6 == 3;
    bool packable = kind != SS_KIND_STRING && kind != SS_KIND_BYTES && kind != SS_KIND_MESSAGE;
    (void)snprintf(name, sizeof name, "%s%u%s", form >= 128 ? "field_" : "f", field,
                   form >= 128 ? "_x" : "");    /* it fits */
    ss__bytes_init(&part, 0);
    put_field(&part, name, field, repeated ? SS_LABEL_REPEATED : SS_LABEL_OPTIONAL, kind, refers);
    if (form % 6 == 3 && packable) {
        ss__bytes_init(&options, 0);
        ss__pb_u64(&options, OPTION_PACKED, 0);
        put_nested(&part, FIELD_OPTIONS, &options);
    } else if (form % 6 == 5) {
        ss__pb_u64(&part, FIELD_ONEOF, 0);
    } else if (form % 6 == 1) {
        ss__pb_u64(&part, FIELD_ONEOF, 1 + (*synthetic)++);
        ss__pb_u64(&part, FIELD_PROTO3_OPTIONAL, 1);
    }
    put_nested(message, MESSAGE_FIELD, &part);
}

static void put_message(struct source *source, struct ss_bytes *file, unsigned index,
                        unsigned messages)
{
    struct ss_bytes message;
    struct ss_bytes part;
    unsigned synthetic = 0;
    unsigned number = 0;
    ss__bytes_init(&message, 0);
    put_name(&message, MESSAGE_NAME, "M", index, "");
    unsigned fields = take(source) % FIELDS_MAX;
    for (unsigned i = 0; i < fields; i++) {
        unsigned step = take(source);
        number += step < 250 ? 1 + step % 3 : step * 100;
        put_member(source, &message, index, number, messages, &synthetic);
    }
    /* The first oneof has at least this member. */
    ss__bytes_init(&part, 0);
    put_field(&part, "last", number + 1, SS_LABEL_OPTIONAL, SS_KIND_INT32, NULL);
    ss__pb_u64(&part, FIELD_ONEOF, 0);
    put_nested(&message, MESSAGE_FIELD, &part);
    for (unsigned i = 0; i <= synthetic; i++) {
        ss__bytes_init(&part, 0);
        put_name(&part, NAME, i == 0 ? "one" : "_synthetic", i, "");
        put_nested(&message, MESSAGE_ONEOF, &part);
    }
    put_nested(file, FILE_MESSAGE, &message);
}

static void put_enum(struct ss_bytes *file)
{
    static const int numbers[] = { 0, 1, -1, 300, INT32_MAX, INT32_MIN };
    struct ss_bytes enumeration;
    ss__bytes_init(&enumeration, 0);
    ss__pb_bytes(&enumeration, NAME, ss_str("E"));
    for (unsigned i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        struct ss_bytes value;
        ss__bytes_init(&value, 0);
        put_name(&value, NAME, "V", i, "");
        ss__pb_u64(&value, VALUE_NUMBER, (uint64_t)(int64_t)numbers[i]);
        put_nested(&enumeration, ENUM_VALUE, &value);
    }
    put_nested(file, FILE_ENUM, &enumeration);
}

static struct ss_schema *make_schema(struct source *source, unsigned *ret_messages)
{
    struct ss_schema *schema;
    struct ss_failure failure = { 0 };
    struct ss_bytes set;
    struct ss_bytes file;
    unsigned messages = 1 + take(source) % MESSAGES_MAX;
    ss__bytes_init(&file, 0);
    ss__bytes_init(&set, 0);
    ss__pb_bytes(&file, FILE_NAME, ss_str("fuzz.proto"));
    ss__pb_bytes(&file, FILE_PACKAGE, ss_str("fuzz"));
    ss__pb_bytes(&file, FILE_SYNTAX, ss_str("proto3"));
    static const char *const imports[] = { "timestamp", "duration", "wrappers", "empty" };
    for (size_t i = 0; i < sizeof imports / sizeof imports[0]; i++) {
        char path[64];
        (void)snprintf(path, sizeof path, "google/protobuf/%s.proto", imports[i]);    /* it fits */
        ss__pb_bytes(&file, 3, ss_str(path));
    }
    put_enum(&file);
    for (unsigned i = 0; i < messages; i++) {
        put_message(source, &file, i, messages);
    }
    put_nested(&set, SET_FILE, &file);
    ss_check(ss__schema_new(&schema) == 0);
    int err = ss__schema_load(schema, set.data, set.len, &failure);
    ss_check_msg(err == 0, "%s\n", failure.text);
    ss__bytes_deinit(&set);
    *ret_messages = messages;
    return schema;
}

/* ---- the ways through ---- */

/* Unpacked and packed by protobuf-c; exact: as it was. */
static void pack_again(const struct ss_type *type, struct ss_str packed, struct ss_bytes *out)
{
    ProtobufCMessage *message = protobuf_c_message_unpack(
        ss__type_descriptor(type), NULL, packed.len, (const uint8_t *)packed.data);
    ss_check(message != NULL);
    uint8_t *room = ss__bytes_extend(out, protobuf_c_message_get_packed_size(message) + 1);
    ss_check(room != NULL);
    out->len = protobuf_c_message_pack(message, room);
    protobuf_c_message_free_unpacked(message, NULL);
}

static bool to_json(const struct ss_schema *schema, const struct ss_type *type,
                    struct ss_str packed, struct ss_bytes *text)
{
    struct ss_failure failure = { 0 };
    int err = ss__json_encode(schema, type, packed, text, &failure);
    ss_check_msg(err == 0 || err == SS_E_PAYLOAD, "%s\n", failure.text);
    return err == 0;
}

static void from_json(const struct ss_schema *schema, const struct ss_type *type,
                      const struct ss_bytes *text, struct ss_bytes *packed)
{
    struct ss_failure failure = { 0 };
    int err = ss__json_decode(schema, type, ss__bytes_view(text), packed, &failure);
    ss_check_msg(err == 0, "%s\n%.*s\n", failure.text, (int)text->len, (const char *)text->data);
}

/* Through JSON twice; nothing changes the second time. */
static void check_json(const struct ss_schema *schema, const struct ss_type *type,
                       struct ss_str packed, bool exact)
{
    struct ss_bytes text;
    struct ss_bytes once;
    struct ss_bytes again;
    struct ss_bytes twice;
    ss__bytes_init(&text, 0);
    ss__bytes_init(&once, 0);
    ss__bytes_init(&again, 0);
    ss__bytes_init(&twice, 0);
    if (to_json(schema, type, packed, &text)) {
        from_json(schema, type, &text, &once);
        ss_check(to_json(schema, type, ss__bytes_view(&once), &again));
        ss_check_msg(ss_str_equal(ss__bytes_view(&text), ss__bytes_view(&again)),
                     "%.*s\n%.*s\n", (int)text.len, (const char *)text.data, (int)again.len,
                     (const char *)again.data);
        from_json(schema, type, &again, &twice);
        ss_check(ss_str_equal(ss__bytes_view(&once), ss__bytes_view(&twice)));
        /* A NaN keeps no payload, and one key of a map is written once. */
        bool lossy = memmem(text.data, text.len, "NaN", 3) != NULL;
        ss_check_msg(!exact || lossy || ss_str_equal(ss__bytes_view(&once), packed), "%.*s\n",
                     (int)text.len, (const char *)text.data);
    }
    ss__bytes_deinit(&twice);
    ss__bytes_deinit(&again);
    ss__bytes_deinit(&once);
    ss__bytes_deinit(&text);
}

static bool has_map(const struct ss_type *type, unsigned depth)
{
    bool found = false;
    for (uint32_t i = 0; i < type->field_count && !found; i++) {
        const struct ss_field *field = &type->fields[i];
        found = field->is_map ||
                (field->message != NULL && depth > 0 && has_map(field->message, depth - 1));
    }
    return found;
}

/* A message made for @type, valid and in the form that protobuf-c writes. */
static void check_made(const struct ss_schema *schema, const struct ss_type *type, uint64_t seed)
{
    struct ss_bytes packed;
    struct ss_bytes again;
    struct ss_failure failure = { 0 };
    ss__bytes_init(&packed, 0);
    ss__bytes_init(&again, 0);
    generate_message(&packed, type, &seed, 2);
    struct ss_str view = ss__bytes_view(&packed);
    int err = ss__validate(type, view, &failure);
    ss_check_msg(err == 0 || strstr(failure.text, "far more memory") != NULL, "%s\n",
                 failure.text);
    if (err == 0) {
        pack_again(type, view, &again);
        ss_check(ss_str_equal(view, ss__bytes_view(&again)));
        check_json(schema, type, view, !has_map(type, 3));
    }
    ss__bytes_deinit(&again);
    ss__bytes_deinit(&packed);
}

static void check_given(const struct ss_schema *schema, const struct ss_type *type,
                        struct ss_str packed)
{
    struct ss_bytes once;
    struct ss_bytes twice;
    ss__bytes_init(&once, 0);
    ss__bytes_init(&twice, 0);
    if (ss__validate(type, packed, NULL) == 0) {
        pack_again(type, packed, &once);
        pack_again(type, ss__bytes_view(&once), &twice);
        ss_check(ss_str_equal(ss__bytes_view(&once), ss__bytes_view(&twice)));
        check_json(schema, type, packed, false);
    }
    ss__bytes_deinit(&twice);
    ss__bytes_deinit(&once);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (len == 0) {
        return 0;
    }
    size_t described = data[0] < len - 1 ? data[0] : len - 1;
    struct source source = { data + 1, described };
    unsigned messages;
    struct ss_schema *schema = make_schema(&source, &messages);
    uint64_t seed = 88172645463325252u;
    for (size_t i = 0; i < len; i++) {
        seed = seed * 31 + data[i];
    }
    for (unsigned i = 0; i < messages; i++) {
        char name[32];
        (void)snprintf(name, sizeof name, "fuzz.M%u", i);    /* it fits */
        const struct ss_type *type = ss__schema_find(schema, ss_str(name));
        ss_check(type != NULL);
        check_made(schema, type, seed | 1);
    }
    const struct ss_type *first = ss__schema_find(schema, ss_str("fuzz.M0"));
    check_given(schema, first, ss_str_of(data + 1 + described, len - 1 - described));
    ss__schema_free(schema);
    return 0;
}
