#include "schema/type.h"

#include <stdio.h>

#include "generate.h"
#include "schema/load.h"

/* --- writing descriptor sets by hand --- */

struct text_set {
    struct ss_bytes file;    /* FileDescriptorProto under way */
    struct ss_bytes set;
};

static void add_bytes(struct ss_bytes *out, uint32_t number, struct ss_bytes *inner)
{
    ss__pb_bytes(out, number, ss__bytes_view(inner));
    ss__bytes_deinit(inner);
}

static void begin_file(struct text_set *set, const char *name, const char *package)
{
    ss__bytes_init(&set->file, 0);
    ss__pb_bytes(&set->file, 1, ss_str(name));
    ss__pb_bytes(&set->file, 2, ss_str(package));
}

static void end_file(struct text_set *set)
{
    ss__pb_bytes(&set->file, 12, ss_str("proto3"));
    add_bytes(&set->set, 1, &set->file);
}

struct field_text {
    const char *name;
    uint64_t number;
    uint64_t label;
    uint64_t type;
    const char *type_name;
    const char *json_name;
    const char *default_value;
    int oneof;    /* index + 1; 0: none */
    bool proto3_optional;
    bool packed;
};

static void add_field(struct ss_bytes *message, struct field_text field)
{
    struct ss_bytes out;
    ss__bytes_init(&out, 0);
    ss__pb_bytes(&out, 1, ss_str(field.name));
    ss__pb_u64(&out, 3, field.number);
    ss__pb_u64(&out, 4, field.label == 0 ? 1 : field.label);
    if (field.type != 0) {
        ss__pb_u64(&out, 5, field.type);
    }
    if (field.type_name != NULL) {
        ss__pb_bytes(&out, 6, ss_str(field.type_name));
    }
    if (field.default_value != NULL) {
        ss__pb_bytes(&out, 7, ss_str(field.default_value));
    }
    if (field.packed) {
        ss__pb_bytes(&out, 8, ss_str_of("\x10\x01", 2));
    }
    if (field.oneof != 0) {
        ss__pb_u64(&out, 9, (uint64_t)(field.oneof - 1));
    }
    if (field.json_name != NULL) {
        ss__pb_bytes(&out, 10, ss_str(field.json_name));
    }
    if (field.proto3_optional) {
        ss__pb_u64(&out, 17, 1);
    }
    add_bytes(message, 2, &out);
}

/* Loads one file "t.proto" whose message "t.M" has these fields (ended by a NULL name). */
static int load_fields(struct ss_schema *schema, const struct field_text *fields,
                       unsigned oneofs, struct ss_failure *failure)
{
    struct text_set set;
    ss__bytes_init(&set.set, 0);
    begin_file(&set, "t.proto", "t");
    struct ss_bytes message;
    ss__bytes_init(&message, 0);
    ss__pb_bytes(&message, 1, ss_str("M"));
    for (; fields->name != NULL; fields++) {
        add_field(&message, *fields);
    }
    for (unsigned i = 0; i < oneofs; i++) {
        ss__pb_bytes(&message, 8, ss_str_of(i == 0 ? "\x0A\x01o" : "\x0A\x01p", 3));
    }
    add_bytes(&set.file, 4, &message);
    end_file(&set);
    int err = ss__schema_load(schema, set.set.data, set.set.len, failure);
    ss__bytes_deinit(&set.set);
    return err;
}

/* --- what a schema holds --- */

SS_TEST(type, a_new_schema_knows_the_well_known_types)
{
    static const char *const names[] = {
        "Any", "Timestamp", "Duration", "FieldMask", "Struct", "Value", "ListValue", "Empty",
        "DoubleValue", "FloatValue", "Int64Value", "UInt64Value", "Int32Value", "UInt32Value",
        "BoolValue", "StringValue", "BytesValue",
    };
    struct ss_schema *schema;
    ss_check(ss__schema_new(&schema) == 0);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char full[64];
        (void)snprintf(full, sizeof full, "google.protobuf.%s", names[i]);
        const struct ss_type *type = generate_type(schema, full);
        ss_check(ss__type_is_well_known(type));
        ss_check(type->well_known == (enum ss_well_known)(i + 1));
    }
    ss_check(ss__schema_find(schema, ss_str("google.protobuf.Nothing")) == NULL);
    ss_check(ss__schema_find(schema, ss_str("")) == NULL);
    ss__schema_free(schema);
    ss__schema_free(NULL);
}

SS_TEST(type, type_urls_are_found_by_what_follows_the_last_slash)
{
    struct ss_schema *schema;
    ss_check(ss__schema_new(&schema) == 0);
    const struct ss_type *any = generate_type(schema, "google.protobuf.Any");
    ss_check(ss__schema_find_url(schema, ss_str("type.googleapis.com/google.protobuf.Any")) == any);
    ss_check(ss__schema_find_url(schema, ss_str("https://a/b/google.protobuf.Any")) == any);
    ss_check(ss__schema_find_url(schema, ss_str("/google.protobuf.Any")) == any);
    ss_check(ss__schema_find_url(schema, ss_str("google.protobuf.Any")) == NULL);
    ss_check(ss__schema_find_url(schema, ss_str("x/")) == NULL);
    ss_check(ss__schema_find_url(schema, (struct ss_str){ NULL, 0 }) == NULL);
    ss__schema_free(schema);
}

SS_TEST(type, fields_are_found_by_number_and_by_both_names)
{
    struct ss_schema *schema = generate_schema();
    const struct ss_type *type = generate_type(schema, "sessionstream.test.Singular");
    for (uint32_t i = 0; i < type->field_count; i++) {
        const struct ss_field *field = &type->fields[i];
        ss_check(ss__type_field(type, field->number) == field && field->index == i);
        ss_check(ss__type_field_by_name(type, field->name) == field);
        ss_check(ss__type_field_by_name(type, field->json_name) == field);
    }
    ss_check(ss__type_field(type, 0) == NULL && ss__type_field(type, 19) == NULL);
    ss_check(ss__type_field(type, 999) == NULL && ss__type_field(type, UINT32_MAX) == NULL);
    ss_check(ss__type_field_by_name(type, ss_str("fDoubl")) == NULL);
    ss_check(ss__type_field_by_name(type, ss_str("")) == NULL);
    const struct ss_type *nothing = generate_type(schema, "sessionstream.test.Nothing");
    ss_check(ss__type_field(nothing, 1) == NULL);
    ss_check(ss__type_field_by_name(nothing, ss_str("a")) == NULL);
    ss__schema_free(schema);
}

SS_TEST(type, json_names_are_those_of_protoc_even_when_the_set_has_none)
{
    struct ss_schema *schema = generate_schema();
    const struct ss_type *type = generate_type(schema, "sessionstream.test.Names");
    static const char *const given[] = {
        "plainName", "chosenName", "Leading", "trailing", "doubleUnder", "camelCase",
        "with1Digit", "with space \"and\" quotes", "UPPERCASE",
    };
    for (uint32_t i = 0; i < type->field_count; i++) {
        ss_check(ss_str_equal(type->fields[i].json_name, ss_str(given[i])));
    }
    const struct field_text fields[] = {
        { .name = "plain_name", .number = 1, .type = 5 },
        { .name = "_leading", .number = 3, .type = 5 },
        { .name = "trailing_", .number = 4, .type = 5 },
        { .name = "double__under", .number = 5, .type = 5 },
        { .name = "camelCase", .number = 6, .type = 5 },
        { .name = "with_1_digit", .number = 7, .type = 5 },
        { .name = "UPPER_CASE", .number = 9, .type = 5 },
        { .name = NULL },
    };
    ss_check(load_fields(schema, fields, 0, NULL) == 0);
    const struct ss_type *made = generate_type(schema, "t.M");
    for (uint32_t i = 0; i < made->field_count; i++) {
        ss_check(ss_str_equal(made->fields[i].json_name,
                              ss_str(given[made->fields[i].number - 1])));
    }
    ss__schema_free(schema);
}

SS_TEST(type, presence_packing_maps_and_oneofs_are_told)
{
    struct ss_schema *schema = generate_schema();
    const struct ss_type *optional = generate_type(schema, "sessionstream.test.Optional");
    ss_check(optional->oneof_count == 0);
    for (uint32_t i = 0; i < optional->field_count; i++) {
        ss_check(optional->fields[i].presence && optional->fields[i].proto3_optional);
        ss_check(optional->fields[i].oneof_index == -1);
    }
    const struct ss_type *singular = generate_type(schema, "sessionstream.test.Singular");
    for (uint32_t i = 0; i < singular->field_count; i++) {
        ss_check(singular->fields[i].presence == (singular->fields[i].message != NULL));
    }
    const struct ss_type *repeated = generate_type(schema, "sessionstream.test.Repeated");
    for (uint32_t i = 0; i < repeated->field_count; i++) {
        ss_check(repeated->fields[i].packed == repeated->fields[i].packable);
        ss_check(repeated->fields[i].packable == (repeated->fields[i].wire != SS_PB_LEN));
    }
    const struct ss_type *unpacked = generate_type(schema, "sessionstream.test.Unpacked");
    for (uint32_t i = 0; i < unpacked->field_count; i++) {
        ss_check(!unpacked->fields[i].packed && unpacked->fields[i].packable);
    }
    const struct ss_type *maps = generate_type(schema, "sessionstream.test.Maps");
    for (uint32_t i = 0; i < maps->field_count; i++) {
        const struct ss_type *entry = maps->fields[i].message;
        ss_check(maps->fields[i].is_map && entry->map_entry && entry->field_count == 2);
    }
    const struct ss_type *choice = generate_type(schema, "sessionstream.test.Choice");
    ss_check(choice->oneof_count == 2 && choice->oneofs[0].field_count == 9);
    ss_check(ss__type_field(choice, 2)->oneof_index == 0);
    ss_check(ss__type_field(choice, 12)->oneof_index == 1);
    ss_check(ss__type_field(choice, 13)->oneof_index == -1);
    const struct ss_type *lists = generate_type(schema, "sessionstream.test2.Lists");
    ss_check(!ss__type_field(lists, 1)->packed && ss__type_field(lists, 2)->packed);
    ss__schema_free(schema);
}

SS_TEST(type, enum_values_are_found_by_number_and_name)
{
    struct ss_schema *schema = generate_schema();
    const struct ss_type *type = generate_type(schema, "sessionstream.test.Singular");
    const struct ss_enum *color = ss__type_field(type, 12)->enumeration;
    const struct ss_enum *alias = ss__type_field(type, 18)->enumeration;
    ss_check(!color->closed && color->value_count == 5);
    ss_check(ss_str_equal(ss__enum_by_number(color, -5)->name, ss_str("COLOR_COLD")));
    ss_check(ss__enum_by_name(color, ss_str("COLOR_HUGE"))->number == INT32_MAX);
    ss_check(ss__enum_by_number(color, 3) == NULL);
    ss_check(ss__enum_by_name(color, ss_str("COLOR")) == NULL);
    ss_check(ss_str_equal(ss__enum_by_number(alias, 1)->name, ss_str("ALIAS_FIRST")));
    ss_check(ss__enum_by_name(alias, ss_str("ALIAS_SECOND"))->number == 1);
    const struct ss_type *proto2 = generate_type(schema, "sessionstream.test2.Required");
    ss_check(ss__type_field(proto2, 4)->enumeration->closed);
    ss__schema_free(schema);
}

/* --- loading --- */

SS_TEST(type, loading_the_same_file_twice_changes_nothing)
{
    struct ss_schema *schema = generate_schema();
    const struct ss_type *before = generate_type(schema, "sessionstream.test.Node");
    uint64_t fingerprint = ss__type_fingerprint(before);
    ss_check(ss__schema_load(schema, kinds_descriptor_set, kinds_descriptor_set_len, NULL) == 0);
    ss_check(generate_type(schema, "sessionstream.test.Node") == before);
    ss_check(ss__type_fingerprint(before) == fingerprint);
    ss__schema_free(schema);
}

SS_TEST(type, a_different_file_of_the_same_name_is_refused)
{
    struct ss_schema *schema;
    struct ss_failure failure = { 0 };
    ss_check(ss__schema_new(&schema) == 0);
    const struct field_text one[] = { { .name = "a", .number = 1, .type = 5 }, { .name = NULL } };
    const struct field_text two[] = { { .name = "a", .number = 2, .type = 5 }, { .name = NULL } };
    ss_check(load_fields(schema, one, 0, NULL) == 0);
    ss_check(load_fields(schema, one, 0, NULL) == 0);
    ss_check(load_fields(schema, two, 0, &failure) == SS_E_SCHEMA);
    ss_check(strstr(failure.text, "t.proto") != NULL);
    ss_check(ss__type_field(generate_type(schema, "t.M"), 1) != NULL);
    ss__schema_free(schema);
}

SS_TEST(type, a_refused_field_adds_nothing_and_is_named)
{
    static const struct {
        struct field_text fields[3];
        unsigned oneofs;
        const char *text;
    } cases[] = {
        { { { .name = "a", .number = 0, .type = 5 } }, 0, "the number must be" },
        { { { .name = "a", .number = 536870912, .type = 5 } }, 0, "the number must be" },
        { { { .name = "a", .number = UINT64_MAX, .type = 5 } }, 0, "the number must be" },
        { { { .name = "a", .number = 19000, .type = 5 } }, 0, "reserved" },
        { { { .name = "a", .number = 19999, .type = 5 } }, 0, "reserved" },
        { { { .name = "a", .number = 1 } }, 0, "the type is missing" },
        { { { .name = "a", .number = 1, .type = 19 } }, 0, "the type is missing" },
        { { { .name = "a", .number = 1, .type = 5, .label = 4 } }, 0, "the label" },
        { { { .name = "a", .number = 1, .type = 5, .label = 2 } }, 0, "proto3 has no required" },
        { { { .name = "a", .number = 1, .type = 5, .default_value = "1" } }, 0, "proto3 has no" },
        { { { .name = "a", .number = 1, .type = 10, .type_name = ".t.M" } }, 0,
          "field \"a\" (number 1): protobuf-c cannot read groups; use a field of a message type" },
        { { { .name = "a", .number = 1, .type = 11, .type_name = ".t.N" } }, 0, "t.N" },
        { { { .name = "a", .number = 1, .type = 11, .type_name = "M" } }, 0, "fully qualified" },
        { { { .name = "a", .number = 1, .type = 11 } }, 0, "fully qualified" },
        { { { .name = "a", .number = 1, .type = 14, .type_name = ".t.M" } }, 0, "t.M" },
        { { { .name = "a", .number = 1, .type = 9, .label = 3, .packed = true } }, 0, "packed" },
        { { { .name = "a", .number = 1, .type = 5, .packed = true } }, 0, "packed" },
        { { { .name = "a b", .number = 1, .type = 5 } }, 0, "no valid name" },
        { { { .name = "", .number = 1, .type = 5 } }, 0, "no valid name" },
        { { { .name = "1a", .number = 1, .type = 5 } }, 0, "no valid name" },
        { { { .name = "a", .number = 1, .type = 5, .json_name = "\xFF" } }, 0, "UTF-8" },
        { { { .name = "a", .number = 1, .type = 5 }, { .name = "b", .number = 1, .type = 5 } }, 0,
          "number is used twice" },
        { { { .name = "a", .number = 1, .type = 5 }, { .name = "a", .number = 2, .type = 5 } }, 0,
          "name is used twice" },
        { { { .name = "a_b", .number = 1, .type = 5 }, { .name = "aB", .number = 2, .type = 5 } },
          0, "JSON name is used twice" },
        { { { .name = "a", .number = 1, .type = 5, .oneof = 2 } }, 1, "oneof" },
        { { { .name = "a", .number = 1, .type = 5, .oneof = 1, .label = 3 } }, 1, "oneof" },
        { { { .name = "a", .number = 1, .type = 5 } }, 1, "a oneof is empty" },
        { { { .name = "a", .number = 1, .type = 5, .proto3_optional = true } }, 0,
          "proto3_optional" },
        { { { .name = "a", .number = 1, .type = 5, .oneof = 1, .proto3_optional = true },
            { .name = "b", .number = 2, .type = 5, .oneof = 1 } }, 1, "proto3_optional" },
    };
    struct ss_schema *schema;
    ss_check(ss__schema_new(&schema) == 0);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct ss_failure failure = { 0 };
        struct field_text fields[4] = { cases[i].fields[0], cases[i].fields[1],
                                        cases[i].fields[2], { .name = NULL } };
        ss_check_msg(load_fields(schema, fields, cases[i].oneofs, &failure) == SS_E_SCHEMA,
                     "case %zu", i);
        ss_check_msg(strstr(failure.text, cases[i].text) != NULL, "case %zu: %s", i, failure.text);
        ss_check_msg(strstr(failure.text, "t.M") != NULL &&
                     strstr(failure.text, "t.proto") != NULL, "case %zu: %s", i, failure.text);
        ss_check(ss__schema_find(schema, ss_str("t.M")) == NULL);
    }
    const struct field_text good[] = { { .name = "a", .number = 1, .type = 5 }, { .name = NULL } };
    ss_check(load_fields(schema, good, 0, NULL) == 0);
    ss__schema_free(schema);
}

/* A set of one file with these packed members after name and package. */
static int load_file_with(struct ss_schema *schema, const char *members, size_t len,
                          const char *syntax, struct ss_failure *failure)
{
    struct text_set set;
    ss__bytes_init(&set.set, 0);
    begin_file(&set, "u.proto", "u.v");
    ss__bytes_append(&set.file, members, len);
    ss__pb_bytes(&set.file, 12, ss_str(syntax));
    add_bytes(&set.set, 1, &set.file);
    int err = ss__schema_load(schema, set.set.data, set.set.len, failure);
    ss__bytes_deinit(&set.set);
    return err;
}

SS_TEST(type, a_refused_file_adds_nothing)
{
    static const struct {
        const char *members;
        size_t len;
        const char *syntax;
        const char *text;
    } cases[] = {
        { "", 0, "editions", "editions" },
        { "\x70\xE8\x07", 3, "proto3", "editions" },
        { "", 0, "proto4", "syntax" },
        { "\x1A\x07no.prot", 9, "proto3", "imports \"no.prot\"" },
        { "\x22\x03\x0A\x01M\x22\x03\x0A\x01M", 10, "proto3", "u.v.M" },        /* twice */
        { "\x22\x03\x0A\x01M\x2A\x09\x0A\x01M\x12\x04\x0A\x02" "E0", 16, "proto3", "u.v.M" },
        { "\x22\x03\x0A\x01-", 5, "proto3", "identifier" },
        { "\x22\x00", 2, "proto3", "identifier" },
        { "\x22\x02\x0A\x05", 4, "proto3", "malformed" },
        { "\x2A\x03\x0A\x01" "E", 5, "proto3", "an enum needs" },
        { "\x2A\x0B\x0A\x01" "E\x12\x06\x0A\x02" "E0\x10\x01", 13, "proto3", "must be 0" },
        { "\x2A\x0F\x0A\x01" "E\x12\x04\x0A\x02" "E0\x12\x04\x0A\x02" "E1", 17, "proto3",
          "allow_alias" },
        { "\x2A\x13\x0A\x01" "E\x1A\x02\x10\x01\x12\x04\x0A\x02" "E0\x12\x04\x0A\x02" "E0", 21,
          "proto3", "have the name" },
        { "\x22\x07\x0A\x01M\x3A\x02\x38\x01", 9, "proto3", "map entry" },
        { "\x22\x07\x0A\x01M\x3A\x02\x08\x01", 9, "proto2", "message_set" },
        { "\x12\x03" "a..", 5, "proto3", "package" },
        { "\x12\x02" "a.", 4, "proto3", "package" },
        { "\x12\x02\xC3\x28", 4, "proto3", "UTF-8" },
        { "\x0A\x00", 2, "proto3", "without a name" },
        { "\x0F", 1, "proto3", "" },
    };
    struct ss_schema *schema;
    ss_check(ss__schema_new(&schema) == 0);
    size_t types = schema->types.count;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct ss_failure failure = { 0 };
        int err = load_file_with(schema, cases[i].members, cases[i].len, cases[i].syntax,
                                 &failure);
        ss_check_msg(err == SS_E_SCHEMA && strstr(failure.text, cases[i].text) != NULL,
                     "case %zu: %s", i, failure.text);
        ss_check(schema->types.count == types && schema->parts->older == NULL);
    }
    ss_check(load_file_with(schema, "\x22\x03\x0A\x01M", 5, "proto3", NULL) == 0);
    ss_check(ss__schema_find(schema, ss_str("u.v.M")) != NULL);
    ss__schema_free(schema);
}

SS_TEST(type, messages_may_not_nest_without_end)
{
    struct ss_bytes inner;
    ss__bytes_init(&inner, 0);
    ss__pb_bytes(&inner, 1, ss_str("M"));
    struct ss_schema *schema;
    ss_check(ss__schema_new(&schema) == 0);
    for (unsigned depth = 1; depth < 2000; depth++) {
        struct ss_bytes outer;
        ss__bytes_init(&outer, 0);
        ss__pb_bytes(&outer, 1, ss_str("M"));
        add_bytes(&outer, 3, &inner);
        inner = outer;
    }
    struct ss_bytes file;
    ss__bytes_init(&file, 0);
    add_bytes(&file, 4, &inner);
    struct ss_failure failure = { 0 };
    ss_check(load_file_with(schema, (const char *)file.data, file.len, "proto3", &failure) ==
             SS_E_SCHEMA);
    ss_check(strstr(failure.text, "nested deeper") != NULL);
    ss__bytes_deinit(&file);
    ss__schema_free(schema);
}

SS_TEST(type, a_set_cut_or_damaged_at_any_byte_is_loaded_or_refused_whole)
{
    uint8_t *copy = malloc(kinds2_descriptor_set_len);
    ss_check(copy != NULL);
    struct ss_schema *schema;
    ss_check(ss__schema_new(&schema) == 0);
    size_t types = schema->types.count;
    size_t files = schema->files.count;
    for (size_t len = 1; len < kinds2_descriptor_set_len; len++) {
        uint8_t *cut = malloc(len);
        ss_check(cut != NULL);
        memcpy(cut, kinds2_descriptor_set, len);
        ss_check(ss__schema_load(schema, cut, len, NULL) == SS_E_SCHEMA);
        ss_check(schema->types.count == types && schema->files.count == files);
        free(cut);
    }
    ss__schema_free(schema);
    uint64_t seed = 5;
    unsigned refused = 0;
    for (unsigned i = 0; i < 3000; i++) {
        ss_check(ss__schema_new(&schema) == 0);
        memcpy(copy, kinds2_descriptor_set, kinds2_descriptor_set_len);
        copy[generate_random(&seed) % kinds2_descriptor_set_len] = (uint8_t)generate_random(&seed);
        int err = ss__schema_load(schema, copy, kinds2_descriptor_set_len, NULL);
        ss_check(err == 0 || err == SS_E_SCHEMA);
        ss_check(err == 0 || schema->types.count == types);
        refused += err != 0;
        ss__schema_free(schema);
    }
    ss_check(refused > 1000 && refused < 3000);
    free(copy);
}

SS_TEST(type, an_absurdly_large_set_is_refused)
{
    struct ss_schema *schema;
    struct ss_failure failure = { 0 };
    uint8_t byte = 0;
    ss_check(ss__schema_new(&schema) == 0);
    ss_check(ss__schema_load(schema, &byte, SIZE_MAX / 2, &failure) == SS_E_SCHEMA);
    ss_check(failure.text[0] != '\0');
    ss_check(ss__schema_load(schema, NULL, 0, &failure) == 0);
    ss__schema_free(schema);
}

/* --- fingerprints --- */

static uint64_t fingerprint_of(const struct field_text *fields, const char *type)
{
    struct ss_schema *schema;
    ss_check(ss__schema_new(&schema) == 0);
    ss_check(load_fields(schema, fields, 0, NULL) == 0);
    uint64_t fingerprint = ss__type_fingerprint(generate_type(schema, type));
    ss__schema_free(schema);
    return fingerprint;
}

SS_TEST(type, equal_structure_has_an_equal_fingerprint_and_any_change_another)
{
    struct field_text fields[] = {
        { .name = "a", .number = 1, .type = 5 },
        { .name = "self", .number = 2, .type = 11, .type_name = ".t.M" },
        { .name = NULL },
    };
    uint64_t base = fingerprint_of(fields, "t.M");
    ss_check(fingerprint_of(fields, "t.M") == base);
    struct field_text swapped[] = { fields[1], fields[0], { .name = NULL } };
    ss_check(fingerprint_of(swapped, "t.M") == base);
    fields[0].type = 3;
    ss_check(fingerprint_of(fields, "t.M") != base);
    fields[0].type = 5;
    fields[0].number = 3;
    ss_check(fingerprint_of(fields, "t.M") != base);
    fields[0].number = 1;
    fields[0].json_name = "b";
    ss_check(fingerprint_of(fields, "t.M") != base);
}

/* File t.proto: A refers to B, B to C; C has one field of @type. Returns A's fingerprint. */
static uint64_t fingerprint_of_chain(uint64_t type, bool noise)
{
    static const char *const names[] = { "A", "B", "C" };
    static const char *const next[] = { ".t.B", ".t.C" };
    struct ss_schema *schema = noise ? generate_schema() : NULL;
    ss_check(schema != NULL || ss__schema_new(&schema) == 0);
    struct text_set set;
    ss__bytes_init(&set.set, 0);
    begin_file(&set, "t.proto", "t");
    for (unsigned i = 0; i < 3; i++) {
        struct ss_bytes message;
        ss__bytes_init(&message, 0);
        ss__pb_bytes(&message, 1, ss_str(names[i]));
        struct field_text field = { .name = "f", .number = 1, .type = i < 2 ? 11 : type,
                                    .type_name = i < 2 ? next[i] : NULL };
        add_field(&message, field);
        add_bytes(&set.file, 4, &message);
    }
    end_file(&set);
    ss_check(ss__schema_load(schema, set.set.data, set.set.len, NULL) == 0);
    ss__bytes_deinit(&set.set);
    uint64_t fingerprint = ss__type_fingerprint(generate_type(schema, "t.A"));
    ss__schema_free(schema);
    return fingerprint;
}

SS_TEST(type, a_fingerprint_covers_what_the_type_reaches_and_nothing_else)
{
    ss_check(fingerprint_of_chain(5, false) == fingerprint_of_chain(5, true));
    ss_check(fingerprint_of_chain(5, false) != fingerprint_of_chain(3, false));
}
