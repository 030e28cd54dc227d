#include "attach.descriptor.h"
#include "attach.pb-c.h"
#include "generate.h"

static const ProtobufCMessageDescriptor *ticket(void)
{
    return &sessionstream__attach__ticket__descriptor;
}

static struct ss_schema *open_schema(void)
{
    struct ss_schema *schema;
    ss_check(ss__schema_new(&schema) == 0);
    ss_check(ss__schema_load(schema, attach_descriptor_set, attach_descriptor_set_len, NULL) == 0);
    return schema;
}

SS_TEST(attach, generated_code_of_the_same_file_becomes_the_descriptor)
{
    struct ss_schema *schema = open_schema();
    struct ss_failure failure = { 0 };
    const struct ss_type *type = generate_type(schema, "sessionstream.attach.Ticket");
    ss_check(ss__type_descriptor(type) != ticket());
    ss_check_msg(ss__schema_attach(schema, ticket(), &failure) == 0, "%s", failure.text);
    ss_check(ss__type_descriptor(type) == ticket());
    const struct ss_type *comment = generate_type(schema, "sessionstream.attach.Ticket.Comment");
    ss_check(ss__type_descriptor(comment) ==
             &sessionstream__attach__ticket__comment__descriptor);
    ss_check(ss__schema_attach(schema, ticket(), &failure) == 0);    /* again is fine */
    ss__schema_free(schema);
}

SS_TEST(attach, built_and_generated_descriptors_read_the_same_bytes)
{
    struct ss_schema *schema = open_schema();
    const struct ss_type *type = generate_type(schema, "sessionstream.attach.Ticket");
    uint64_t seed = 99;
    for (unsigned i = 0; i < 100; i++) {
        struct ss_bytes packed;
        ss__bytes_init(&packed, 0);
        generate_message(&packed, type, &seed, 3);
        ProtobufCMessage *a = protobuf_c_message_unpack(&type->built, NULL, packed.len,
                                                        packed.data);
        ProtobufCMessage *b = protobuf_c_message_unpack(ticket(), NULL, packed.len, packed.data);
        ss_check(a != NULL && b != NULL);
        const Sessionstream__Attach__Ticket *seen = (const void *)b;
        ss_check(seen->owner_case == SESSIONSTREAM__ATTACH__TICKET__OWNER_USER ||
                 seen->owner_case == SESSIONSTREAM__ATTACH__TICKET__OWNER_TEAM);
        protobuf_c_message_free_unpacked(a, NULL);
        protobuf_c_message_free_unpacked(b, NULL);
        ss__bytes_deinit(&packed);
    }
    ss__schema_free(schema);
}

SS_TEST(attach, a_type_that_is_not_loaded_is_not_found)
{
    struct ss_schema *schema;
    struct ss_failure failure = { 0 };
    ss_check(ss__schema_new(&schema) == 0);
    ss_check(ss__schema_attach(schema, ticket(), &failure) == SS_E_NOTFOUND);
    ss_check(strstr(failure.text, "sessionstream.attach.Ticket") != NULL);
    ss__schema_free(schema);
}

/* A copy of the generated descriptors in which a test changes one thing. */
struct altered {
    ProtobufCMessageDescriptor type;
    ProtobufCFieldDescriptor fields[16];
};

static void alter(struct altered *altered)
{
    altered->type = *ticket();
    memcpy(altered->fields, ticket()->fields, ticket()->n_fields * sizeof altered->fields[0]);
    altered->type.fields = altered->fields;
    for (unsigned i = 0; i < altered->type.n_fields; i++) {
        ss_check(altered->fields[i].id == i + 1);    /* so that tests can name fields by index */
    }
}

static void check_refused(const struct altered *altered, const char *field)
{
    struct ss_schema *schema = open_schema();
    struct ss_failure failure = { 0 };
    ss_check(ss__schema_attach(schema, &altered->type, &failure) == SS_E_SCHEMA);
    ss_check_msg(strstr(failure.text, field) != NULL, "%s", failure.text);
    const struct ss_type *type = generate_type(schema, "sessionstream.attach.Ticket");
    ss_check(ss__type_descriptor(type) == &type->built && type->attach_to == NULL);
    ss__schema_free(schema);
}

SS_TEST(attach, any_difference_is_refused_and_names_the_field)
{
    struct altered altered;
    alter(&altered);
    altered.fields[0].name = "ident";
    check_refused(&altered, "\"id\"");
    alter(&altered);
    altered.fields[1].id = 22;
    check_refused(&altered, "\"opened_us\"");
    alter(&altered);
    altered.fields[1].type = PROTOBUF_C_TYPE_SINT64;
    check_refused(&altered, "\"opened_us\"");
    alter(&altered);
    altered.fields[5].label = PROTOBUF_C_LABEL_NONE;
    check_refused(&altered, "\"ranks\"");
    alter(&altered);
    altered.fields[8].flags = 0;
    check_refused(&altered, "\"user\"");
    alter(&altered);
    altered.fields[9].quantifier_offset += 4;
    check_refused(&altered, "\"team\"");
    alter(&altered);
    altered.fields[3].descriptor = &sessionstream__attach__plain__descriptor;
    check_refused(&altered, "\"comments\"");
    alter(&altered);
    altered.fields[0].name = NULL;
    check_refused(&altered, "CODE_SIZE");
    alter(&altered);
    altered.type.n_fields--;
    check_refused(&altered, "10 fields");
    alter(&altered);
    altered.type.magic = 1;
    check_refused(&altered, "not a message descriptor");
    /* The nested message refers back to the unaltered one: two codes for one type. */
    alter(&altered);
    check_refused(&altered, "two different generated descriptors");
}

SS_TEST(attach, an_enum_with_another_value_is_refused)
{
    struct altered altered;
    alter(&altered);
    const ProtobufCEnumDescriptor *state = altered.fields[2].descriptor;
    ProtobufCEnumDescriptor other = *state;
    ProtobufCEnumValue values[3];
    ss_check(state->n_values == 3);
    memcpy(values, state->values, sizeof values);
    values[2].value = 5;
    other.values = values;
    altered.fields[2].descriptor = &other;
    check_refused(&altered, "\"state\"");
}
