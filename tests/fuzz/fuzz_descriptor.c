/* Descriptor sets from a user's file.
 *
 * What loads, loads again as the same; its types have descriptors that protobuf-c takes, small
 * messages of each are judged without harm, and JSON goes through. What is refused leaves nothing
 * behind. */
#include "fuzz.h"

#include <protobuf-c/protobuf-c.h>

#include "schema/json.h"
#include "schema/load.h"
#include "schema/validate.h"

/* A message of @type: empty as bytes, empty as JSON, and a few bytes that may mean anything. */
static void try_type(const struct ss_schema *schema, const struct ss_type *type)
{
    static const uint8_t any[] = { 0x0A, 0x02, 0x08, 0x01, 0x10, 0x05, 0x1A, 0x00 };
    for (size_t len = 0; len <= sizeof any; len += 2) {
        struct ss_str packed = ss_str_of(any, len);
        struct ss_bytes text;
        ss__bytes_init(&text, 0);
        if (ss__validate(type, packed, NULL) == 0) {
            ProtobufCMessage *message =
                protobuf_c_message_unpack(ss__type_descriptor(type), NULL, len, any);
            ss_check_msg(message != NULL, "%s\n", type->name.data);
            protobuf_c_message_free_unpacked(message, NULL);
            int err = ss__json_encode(schema, type, packed, &text, NULL);
            ss_check(err == 0 || err == SS_E_PAYLOAD);
        }
        ss__bytes_deinit(&text);
    }
    struct ss_bytes packed;
    ss__bytes_init(&packed, 0);
    int err = ss__json_decode(schema, type, ss_str("{}"), &packed, NULL);
    ss_check(err == SS_E_JSON ||
             (err == 0 && ss__validate(type, ss__bytes_view(&packed), NULL) == 0));
    ss__bytes_deinit(&packed);
}

static void try_types(const struct ss_schema *schema, const struct ss_schema *twin)
{
    size_t at = 0;
    for (const struct ss_type *type;
         (type = ss__map_next(&schema->types, &at)) != NULL;) {
        ss_check(ss__schema_find(schema, type->name) == type);
        const struct ss_type *same = ss__schema_find(twin, type->name);
        ss_check(same != NULL && ss__type_fingerprint(same) == ss__type_fingerprint(type));
        try_type(schema, type);
    }
}

static size_t count_types(const struct ss_schema *schema)
{
    size_t at = 0;
    size_t count = 0;
    while (ss__map_next(&schema->types, &at) != NULL) {
        count++;
    }
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct ss_schema *schema;
    struct ss_schema *twin;
    struct ss_failure failure = { 0 };
    ss_check(ss__schema_new(&schema) == 0);
    size_t before = count_types(schema);
    int err = ss__schema_load(schema, data, len, &failure);
    ss_check(err == failure.code && (err == 0 || err == SS_E_SCHEMA));
    if (err == 0) {
        ss_check(ss__schema_load(schema, data, len, &failure) == 0);
        ss_check(ss__schema_new(&twin) == 0 && ss__schema_load(twin, data, len, NULL) == 0);
        ss_check(count_types(schema) == count_types(twin));
        try_types(schema, twin);
        ss__schema_free(twin);
    } else {
        ss_check(failure.text[0] != '\0' && count_types(schema) == before);
    }
    ss__schema_free(schema);
    return 0;
}
