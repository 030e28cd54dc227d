#include <math.h>

#include "generate.h"

/* Packs @packed again after unpacking it with the descriptor that was built. */
static void check_round_trip(const struct ss_type *type, const struct ss_bytes *packed)
{
    const ProtobufCMessageDescriptor *descriptor = ss__type_descriptor(type);
    ProtobufCMessage *message =
        protobuf_c_message_unpack(descriptor, NULL, packed->len, packed->data);
    ss_check_msg(message != NULL, "%s", type->name.data);
    ss_check(protobuf_c_message_check(message));
    ss_check_msg(protobuf_c_message_get_packed_size(message) == packed->len, "%s",
                 type->name.data);
    uint8_t *again = malloc(packed->len + 1);
    ss_check(again != NULL);
    ss_check(protobuf_c_message_pack(message, again) == packed->len);
    ss_check_msg(packed->len == 0 || memcmp(again, packed->data, packed->len) == 0, "%s",
                 type->name.data);
    free(again);
    protobuf_c_message_free_unpacked(message, NULL);
}

SS_TEST(build, every_kind_of_field_survives_unpack_and_pack)
{
    static const char *const names[] = {
        "sessionstream.test.Singular",  "sessionstream.test.Optional",
        "sessionstream.test.Repeated",  "sessionstream.test.Unpacked",
        "sessionstream.test.Maps",      "sessionstream.test.Choice",
        "sessionstream.test.Outer",     "sessionstream.test.Node",
        "sessionstream.test.WellKnown", "sessionstream.test.Names",
        "sessionstream.test.Nothing",   "sessionstream.test2.Required",
        "sessionstream.test2.Defaults", "sessionstream.test2.Lists",
        "sessionstream.test2.Pick",     "sessionstream.test2.Extensible",
    };
    struct ss_schema *schema = generate_schema();
    uint64_t seed = 123456789;
    for (size_t i = 0; i < 20 * sizeof names / sizeof names[0]; i++) {
        const struct ss_type *type =
            generate_type(schema, names[i % (sizeof names / sizeof names[0])]);
        struct ss_bytes packed;
        ss__bytes_init(&packed, 0);
        generate_message(&packed, type, &seed, 2);
        check_round_trip(type, &packed);
        ss__bytes_deinit(&packed);
    }
    ss__schema_free(schema);
}

SS_TEST(build, unknown_fields_survive_in_a_message_without_fields)
{
    struct ss_schema *schema = generate_schema();
    struct ss_bytes packed;
    ss__bytes_init(&packed, 0);
    ss__pb_bytes(&packed, 1, ss_str("kept"));
    ss__pb_u64(&packed, 2000, 5);
    check_round_trip(generate_type(schema, "sessionstream.test.Nothing"), &packed);
    ss__bytes_deinit(&packed);
    ss__schema_free(schema);
}

static const ProtobufCFieldDescriptor *descriptor_field(const ProtobufCMessageDescriptor *type,
                                                        const char *name)
{
    const ProtobufCFieldDescriptor *field =
        protobuf_c_message_descriptor_get_field_by_name(type, name);
    ss_check_msg(field != NULL, "%s", name);
    ss_check(protobuf_c_message_descriptor_get_field(type, field->id) == field);
    return field;
}

SS_TEST(build, fields_and_values_are_found_by_name_and_number)
{
    struct ss_schema *schema = generate_schema();
    const ProtobufCMessageDescriptor *type =
        ss__type_descriptor(generate_type(schema, "sessionstream.test.Singular"));
    ss_check(type->n_fields == 20 && type->message_init == NULL);
    ss_check(strcmp(type->short_name, "Singular") == 0);
    ss_check(strcmp(type->package_name, "sessionstream.test") == 0);
    for (unsigned i = 0; i < type->n_fields; i++) {
        ss_check(descriptor_field(type, type->fields[i].name) == &type->fields[i]);
    }
    ss_check(protobuf_c_message_descriptor_get_field(type, 999) == NULL);
    ss_check(protobuf_c_message_descriptor_get_field(type, 536870910) == NULL);
    const ProtobufCEnumDescriptor *color = descriptor_field(type, "f_enum")->descriptor;
    ss_check(protobuf_c_enum_descriptor_get_value(color, -5) != NULL);
    ss_check(protobuf_c_enum_descriptor_get_value(color, 3) == NULL);
    ss_check(protobuf_c_enum_descriptor_get_value_by_name(color, "COLOR_COLD")->value == -5);
    const ProtobufCEnumDescriptor *alias = descriptor_field(type, "f_alias")->descriptor;
    ss_check(alias->n_values == 2 && alias->n_value_names == 3);
    ss_check(protobuf_c_enum_descriptor_get_value_by_name(alias, "ALIAS_SECOND")->value == 1);
    ss__schema_free(schema);
}

SS_TEST(build, presence_has_a_flag_only_where_a_pointer_cannot_tell)
{
    struct ss_schema *schema = generate_schema();
    const ProtobufCMessageDescriptor *type =
        ss__type_descriptor(generate_type(schema, "sessionstream.test.Optional"));
    for (unsigned i = 0; i < type->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &type->fields[i];
        bool pointer = field->type == PROTOBUF_C_TYPE_STRING ||
                       field->type == PROTOBUF_C_TYPE_MESSAGE;
        ss_check(field->label == PROTOBUF_C_LABEL_OPTIONAL && field->flags == 0);
        ss_check((field->quantifier_offset == 0) == pointer);
    }
    /* Set to its default is not absent. */
    struct ss_bytes packed;
    ss__bytes_init(&packed, 0);
    ss__pb_u64(&packed, 5, 0);
    ss__pb_u64(&packed, 8, 0);
    ss__pb_bytes(&packed, 9, ss_str(""));
    ss__pb_bytes(&packed, 10, ss_str(""));
    check_round_trip(generate_type(schema, "sessionstream.test.Optional"), &packed);
    ss__bytes_deinit(&packed);
    ss__schema_free(schema);
}

SS_TEST(build, members_of_a_oneof_share_their_place)
{
    struct ss_schema *schema = generate_schema();
    const struct ss_type *choice = generate_type(schema, "sessionstream.test.Choice");
    const ProtobufCMessageDescriptor *type = ss__type_descriptor(choice);
    const ProtobufCFieldDescriptor *text = descriptor_field(type, "a_string");
    const ProtobufCFieldDescriptor *bytes = descriptor_field(type, "some_bytes");
    const ProtobufCFieldDescriptor *left = descriptor_field(type, "left");
    ss_check((text->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0);
    ss_check(text->offset == bytes->offset);
    ss_check(text->quantifier_offset == bytes->quantifier_offset);
    ss_check(left->quantifier_offset != text->quantifier_offset);
    ss_check(left->offset >= text->offset + sizeof(ProtobufCBinaryData));
    ss_check(descriptor_field(type, "after")->flags == 0);
    /* Two arms on the wire: the last one wins, and the first is freed. */
    struct ss_bytes packed;
    ss__bytes_init(&packed, 0);
    ss__pb_bytes(&packed, 2, ss_str("first"));
    ss__pb_bytes(&packed, 7, ss_str("\x0A\x01x"));
    ss__pb_bytes(&packed, 2, ss_str("last"));
    ProtobufCMessage *message = protobuf_c_message_unpack(type, NULL, packed.len, packed.data);
    ss_check(message != NULL);
    const char *base = (const char *)message;
    ss_check(*(const uint32_t *)(const void *)(base + text->quantifier_offset) == 2);
    ss_check(strcmp(*(char *const *)(const void *)(base + text->offset), "last") == 0);
    protobuf_c_message_free_unpacked(message, NULL);
    ss__bytes_deinit(&packed);
    ss__schema_free(schema);
}

SS_TEST(build, an_empty_message_holds_the_proto2_defaults)
{
    struct ss_schema *schema = generate_schema();
    const ProtobufCMessageDescriptor *type =
        ss__type_descriptor(generate_type(schema, "sessionstream.test2.Defaults"));
    ProtobufCMessage *message = protobuf_c_message_unpack(type, NULL, 0, NULL);
    ss_check(message != NULL);
    const char *base = (const char *)message;
#define VALUE(ctype, name) \
    (*(ctype const *)(const void *)(base + descriptor_field(type, name)->offset))
    ss_check(VALUE(double, "f_double") == -1.5);
    ss_check(isinf(VALUE(float, "f_float")) && VALUE(float, "f_float") > 0);
    ss_check(VALUE(int64_t, "f_int64") == INT64_MIN);
    ss_check(VALUE(uint64_t, "f_uint64") == UINT64_MAX);
    ss_check(VALUE(int32_t, "f_int32") == -7);
    ss_check(VALUE(uint64_t, "f_fixed64") == 6 && VALUE(uint32_t, "f_fixed32") == 7);
    ss_check(VALUE(protobuf_c_boolean, "f_bool") == 1);
    ss_check(strcmp(VALUE(char *, "f_string"), "a \"text\"\n") == 0);
    ProtobufCBinaryData bytes = VALUE(ProtobufCBinaryData, "f_bytes");
    ss_check(ss_str_equal(ss_str_of(bytes.data, bytes.len), ss_str_of("\0\1\377x\"", 5)));
    ss_check(VALUE(uint32_t, "f_uint32") == UINT32_MAX);
    ss_check(VALUE(int32_t, "f_enum") == 7 && VALUE(int32_t, "first_value") == 3);
    ss_check(VALUE(int32_t, "f_sfixed32") == -13 && VALUE(int64_t, "f_sfixed64") == -14);
    ss_check(VALUE(int32_t, "f_sint32") == -15 && VALUE(int64_t, "f_sint64") == -16);
    ss_check(isnan(VALUE(double, "not_a_number")));
    ss_check(VALUE(char *, "no_default") == NULL);
#undef VALUE
    ss_check(protobuf_c_message_get_packed_size(message) == 0);
    protobuf_c_message_free_unpacked(message, NULL);
    ss__schema_free(schema);
}

SS_TEST(build, an_absent_proto3_string_is_empty_and_not_null)
{
    struct ss_schema *schema = generate_schema();
    const ProtobufCMessageDescriptor *type =
        ss__type_descriptor(generate_type(schema, "sessionstream.test.Inner"));
    ProtobufCMessage *message = protobuf_c_message_unpack(type, NULL, 0, NULL);
    ss_check(message != NULL);
    const char *base = (const char *)message + descriptor_field(type, "name")->offset;
    ss_check(strcmp(*(char *const *)(const void *)base, "") == 0);
    protobuf_c_message_free_unpacked(message, NULL);
    ss__schema_free(schema);
}
