#include "schema/load.h"

static int bad(const struct ss_type *type, const char *field, const char *what,
               struct ss_failure *failure)
{
    return ss__fail(failure, SS_E_SCHEMA, "generated code of \"%s\" does not fit the descriptor "
                    "set: field \"%s\" %s; generate both from the same .proto file",
                    type->name.data, field, what);
}

static bool same_label(const ProtobufCFieldDescriptor *a, const ProtobufCFieldDescriptor *b)
{
    /* Generators differ in what they call a singular proto3 message. */
    bool singular = a->label != PROTOBUF_C_LABEL_REPEATED && b->label != PROTOBUF_C_LABEL_REPEATED;
    bool oneof = (a->flags & b->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0;
    return a->label == b->label ||
           (singular && (oneof || (a->type == PROTOBUF_C_TYPE_MESSAGE &&
                                   a->label != PROTOBUF_C_LABEL_REQUIRED &&
                                   b->label != PROTOBUF_C_LABEL_REQUIRED)));
}

/* Both list every name, aliases included, in the order of strcmp. */
static bool same_enum(const ProtobufCEnumDescriptor *built,
                      const ProtobufCEnumDescriptor *generated)
{
    if (generated == NULL || generated->name == NULL || generated->values_by_name == NULL ||
        strcmp(built->name, generated->name) != 0 ||
        built->n_value_names != generated->n_value_names) {
        return false;
    }
    for (unsigned i = 0; i < built->n_value_names; i++) {
        const ProtobufCEnumValueIndex *a = &built->values_by_name[i];
        const ProtobufCEnumValueIndex *b = &generated->values_by_name[i];
        if (strcmp(a->name, b->name) != 0 ||
            built->values[a->index].value != generated->values[b->index].value) {
            return false;
        }
    }
    return true;
}

/* Whether the packed flag agrees does not matter: protobuf-c reads both forms. */
static int compare_field(const struct ss_type *type, const ProtobufCFieldDescriptor *built,
                         const ProtobufCFieldDescriptor *generated, struct ss_failure *failure)
{
    if (generated->name == NULL) {
        return bad(type, built->name, "has no name there (optimize_for = CODE_SIZE)", failure);
    }
    if (generated->id != built->id || strcmp(generated->name, built->name) != 0) {
        return bad(type, built->name, "has another name or number", failure);
    }
    if (generated->type != built->type) {
        return bad(type, built->name, "has another type", failure);
    }
    if (((generated->flags ^ built->flags) & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0 ||
        !same_label(built, generated)) {
        return bad(type, built->name, "has another label or oneof", failure);
    }
    if (built->type == PROTOBUF_C_TYPE_ENUM &&
        !same_enum(built->descriptor, generated->descriptor)) {
        return bad(type, built->name, "has another enum, or one with other values", failure);
    }
    return 0;
}

/* Members of one oneof share their quantifier, members of two do not. */
static int compare_oneofs(const struct ss_type *type, const ProtobufCMessageDescriptor *generated,
                          struct ss_failure *failure)
{
    const ProtobufCFieldDescriptor *a = type->built.fields;
    const ProtobufCFieldDescriptor *b = generated->fields;
    for (unsigned i = 0; i < type->built.n_fields; i++) {
        for (unsigned j = 0; j < i; j++) {
            bool oneof = (a[i].flags & a[j].flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0;
            if (oneof && (a[i].quantifier_offset == a[j].quantifier_offset) !=
                             (b[i].quantifier_offset == b[j].quantifier_offset)) {
                return bad(type, a[i].name, "is in another oneof", failure);
            }
        }
    }
    return 0;
}

/* Types to compare, linked through attach_next; each once, since types refer to each other. */
struct attach {
    const struct ss_schema *schema;
    struct ss_type *first;
    struct ss_type **last;
    struct ss_failure *failure;
};

static int add(struct attach *attach, const ProtobufCMessageDescriptor *generated)
{
    if (generated->magic != PROTOBUF_C__MESSAGE_DESCRIPTOR_MAGIC || generated->name == NULL) {
        return ss__fail(attach->failure, SS_E_SCHEMA, "not a message descriptor of protobuf-c, or "
                        "one without names (optimize_for = CODE_SIZE)");
    }
    struct ss_str name = ss_str(generated->name);
    struct ss_type *type = ss__map_get(&attach->schema->types, ss__map_hash(name), name);
    if (type == NULL) {
        return ss__fail(attach->failure, SS_E_NOTFOUND,
                        "type \"%s\" of the generated code is in no loaded descriptor set",
                        generated->name);
    }
    if (type->attach_to != NULL) {
        return type->attach_to == generated
                   ? 0
                   : bad(type, "", "has two different generated descriptors", attach->failure);
    }
    type->attach_to = generated;
    type->attach_next = NULL;
    *attach->last = type;
    attach->last = &type->attach_next;
    return 0;
}

static int compare_type(struct attach *attach, const struct ss_type *type)
{
    const ProtobufCMessageDescriptor *generated = type->attach_to;
    const ProtobufCMessageDescriptor *built = &type->built;
    if (generated->n_fields != type->field_count) {
        return ss__fail(attach->failure, SS_E_SCHEMA, "generated code of \"%s\" has %u fields, the "
                        "descriptor set %u; generate both from the same .proto file",
                        type->name.data, generated->n_fields, type->field_count);
    }
    int err = 0;
    for (unsigned i = 0; i < built->n_fields && err == 0; i++) {
        err = compare_field(type, &built->fields[i], &generated->fields[i], attach->failure);
    }
    err = err != 0 ? err : compare_oneofs(type, generated, attach->failure);
    for (unsigned i = 0; i < built->n_fields && err == 0; i++) {
        if (built->fields[i].type == PROTOBUF_C_TYPE_MESSAGE) {
            const ProtobufCMessageDescriptor *a = built->fields[i].descriptor;
            const ProtobufCMessageDescriptor *b = generated->fields[i].descriptor;
            err = b != NULL && b->name != NULL && strcmp(a->name, b->name) == 0
                      ? add(attach, b)
                      : bad(type, built->fields[i].name, "has another message", attach->failure);
        }
    }
    return err;
}

int ss__schema_attach(struct ss_schema *schema, const ProtobufCMessageDescriptor *generated,
                      struct ss_failure *failure)
{
    struct attach attach = { .schema = schema, .failure = failure };
    attach.last = &attach.first;
    int err = add(&attach, generated);
    for (const struct ss_type *at = attach.first; at != NULL && err == 0; at = at->attach_next) {
        err = compare_type(&attach, at);
    }
    for (struct ss_type *at = attach.first; at != NULL; at = at->attach_next) {
        if (err == 0) {
            at->descriptor = at->attach_to;
        }
        at->attach_to = NULL;
    }
    return err;
}
