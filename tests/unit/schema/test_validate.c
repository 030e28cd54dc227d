#include "schema/validate.h"

#include <stdio.h>

#include "generate.h"

struct fixture {
    struct ss_schema *schema;
    struct ss_failure failure;
};

static struct fixture open_fixture(void)
{
    return (struct fixture){ generate_schema(), { 0 } };
}

/* The verdict over an exact copy, so that the sanitizer sees a byte read too many. */
static int validate(struct fixture *fixture, const char *type, const void *data, size_t len)
{
    uint8_t *exact = malloc(len > 0 ? len : 1);
    ss_check(exact != NULL);
    if (len > 0) {
        memcpy(exact, data, len);
    }
    fixture->failure = (struct ss_failure){ 0 };
    int err = ss__validate(generate_type(fixture->schema, type), ss_str_of(exact, len),
                           &fixture->failure);
    ss_check(err == 0 || (err == SS_E_PAYLOAD && fixture->failure.code == err));
    free(exact);
    return err;
}

static bool says(const struct fixture *fixture, const char *text)
{
    return strstr(fixture->failure.text, text) != NULL;
}

static const char *const all_types[] = {
    "sessionstream.test.Singular", "sessionstream.test.Optional", "sessionstream.test.Repeated",
    "sessionstream.test.Unpacked", "sessionstream.test.Maps",     "sessionstream.test.Choice",
    "sessionstream.test.Outer",    "sessionstream.test.Node",     "sessionstream.test.WellKnown",
    "sessionstream.test.Names",    "sessionstream.test.Nothing",  "sessionstream.test2.Required",
    "sessionstream.test2.Lists",   "sessionstream.test2.Defaults", "sessionstream.test2.Pick",
    "sessionstream.test2.Extensible",
};
enum { TYPES = sizeof all_types / sizeof all_types[0] };

SS_TEST(validate, messages_of_every_kind_pass)
{
    struct fixture fixture = open_fixture();
    uint64_t seed = 88172645463325252;
    for (unsigned i = 0; i < TYPES * 20; i++) {
        struct ss_bytes packed;
        ss__bytes_init(&packed, 0);
        generate_message(&packed, generate_type(fixture.schema, all_types[i % TYPES]), &seed, 3);
        ss_check_msg(validate(&fixture, all_types[i % TYPES], packed.data, packed.len) == 0,
                     "%s: %s", all_types[i % TYPES], fixture.failure.text);
        ss__bytes_deinit(&packed);
    }
    ss__schema_free(fixture.schema);
}

static void *count_alloc(void *live, size_t size)
{
    size_t *block = malloc(size + 16);
    ss_check(block != NULL);
    block[0] = size;
    *(size_t *)live += size;
    return (char *)block + 16;
}

static void count_free(void *live, void *pointer)
{
    if (pointer != NULL) {
        size_t *block = (size_t *)(void *)((char *)pointer - 16);
        *(size_t *)live -= block[0];
        free(block);
    }
}

/* The promise of the header: what passes can be unpacked, and in bounded memory. */
static void check_promise(struct fixture *fixture, const char *name, const uint8_t *data,
                          size_t len)
{
    if (validate(fixture, name, data, len) != 0) {
        return;
    }
    const ProtobufCMessageDescriptor *descriptor =
        ss__type_descriptor(generate_type(fixture->schema, name));
    size_t live = 0;
    ProtobufCAllocator allocator = { count_alloc, count_free, &live };
    ProtobufCMessage *message = protobuf_c_message_unpack(descriptor, &allocator, len, data);
    ss_check_msg(message != NULL, "%s passed but cannot be unpacked", name);
    ss_check(live <= descriptor->sizeof_message + len * SS_UNPACKED_FACTOR_MAX +
                         SS_UNPACKED_SLACK_BYTES);
    protobuf_c_message_free_unpacked(message, &allocator);
    ss_check(live == 0);
}

SS_TEST(validate, a_message_cut_at_any_byte_is_refused_or_a_shorter_message)
{
    struct fixture fixture = open_fixture();
    uint64_t seed = 42;
    for (unsigned i = 0; i < TYPES; i++) {
        struct ss_bytes packed;
        ss__bytes_init(&packed, 0);
        generate_message(&packed, generate_type(fixture.schema, all_types[i]), &seed, 1);
        unsigned passed = 0;
        for (size_t len = 0; len < packed.len; len++) {
            check_promise(&fixture, all_types[i], packed.data, len);
            passed += fixture.failure.code == 0;
        }
        ss_check(packed.len == 0 || passed < packed.len);
        ss__bytes_deinit(&packed);
    }
    ss__schema_free(fixture.schema);
}

static void damage(struct ss_bytes *packed, unsigned hits, uint64_t *seed)
{
    for (; hits > 0 && packed->len > 0; hits--) {
        size_t at = generate_random(seed) % packed->len;
        size_t from = generate_random(seed) % packed->len;
        switch (generate_random(seed) % 6) {
        case 0:    /* a byte goes */
            memmove(packed->data + at, packed->data + at + 1, packed->len - at - 1);
            packed->len--;
            break;
        case 1:    /* a piece comes again elsewhere */
            memmove(packed->data + at, packed->data + from,
                    packed->len - (at > from ? at : from));
            break;
        case 2:    /* another wire type or low bits of a length */
            packed->data[at] ^= (uint8_t)(generate_random(seed) & 7);
            break;
        case 3:
            packed->len = at;
            break;
        default:
            packed->data[at] = (uint8_t)generate_random(seed);
            break;
        }
    }
}

SS_TEST(validate, what_passes_after_damage_can_be_unpacked)
{
    struct fixture fixture = open_fixture();
    uint64_t seed = 7;
    unsigned passed = 0;
    for (unsigned i = 0; i < 30000; i++) {
        const char *name = all_types[i % TYPES];
        struct ss_bytes packed;
        ss__bytes_init(&packed, 0);
        generate_message(&packed, generate_type(fixture.schema, name), &seed, 1);
        damage(&packed, 1 + i % 3, &seed);
        check_promise(&fixture, name, packed.data, packed.len);
        passed += fixture.failure.code == 0;
        ss__bytes_deinit(&packed);
    }
    ss_check(passed > 1000);    /* else the test says nothing */
    ss__schema_free(fixture.schema);
}

SS_TEST(validate, hostile_bytes_are_refused_with_the_path)
{
    static const struct {
        const char *type;
        const char *bytes;
        size_t len;
        const char *text;    /* NULL: passes */
    } cases[] = {
        { "Inner", "", 0, NULL },
        { "Inner", "\x0A\x02\xC3\xA9\x10\x05", 6, NULL },
        { "Inner", "\x0A\x02\xC3\x28", 4, "name: invalid UTF-8" },
        { "Inner", "\x0A\x03\xED\xA0\x80", 5, "name: invalid UTF-8" },      /* surrogate */
        { "Inner", "\x0A\x02\xC0\x80", 4, "name: invalid UTF-8" },          /* overlong NUL */
        { "Inner", "\x0A\x03" "a\0b", 5, "name: NUL in a string" },
        { "Inner", "\x0A\x05" "ab", 4, "name: the value is cut off" },
        { "Inner", "\x0A\xFF\xFF\xFF\xFF\x7F", 6, "name: the value is cut off" },
        { "Inner", "\x10", 1, "number: the value is cut off" },
        { "Inner", "\x10\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", 12, "number: the value" },
        { "Inner", "\x00\x00", 2, "a tag is cut off or malformed" },
        { "Inner", "\x80", 1, "a tag is cut off or malformed" },
        { "Inner", "\x0E", 1, "a tag is cut off or malformed" },
        { "Inner", "\x08\x01", 2, "name: the wire type" },
        { "Inner", "\x12\x01\x01", 3, "number: the wire type" },            /* packed singular */
        { "Inner", "\x15\x01\x02\x03\x04", 5, "number: the wire type" },
        { "Inner", "\x0B\x0C", 2, "name: field 1 is a group, use a message" },
        { "Inner", "\x0C", 1, "name: field 1 is a group" },
        { "Inner", "\x1B\x1C", 2, "field 3 is a group, use a message" },    /* unknown group */
        { "Inner", "\x1C", 1, "field 3 is a group" },
        { "Outer", "\x0A\x02\x3B\x3C", 4, "nested: field 7 is a group" },
        { "Inner", "\x18\x01\x21" "12345678" "\x2D" "1234" "\x32\x01\xFF", 19, NULL },
        { "Inner", "\x32\x02\xFF", 3, "an unknown field is cut off" },
        { "Outer", "\x0A\x05\x0A\x03\x0A\x01\xFF", 7, "nested.deep.text: invalid UTF-8" },
        { "Outer", "\x0A\x05\x0A\x04\x0A\x01\x41\x41", 8, "nested.deep: the value is cut off" },
        { "Repeated", "\x2A\x03\x01\x80\x01", 5, NULL },
        { "Repeated", "\x28\x01\x28\x02", 4, NULL },                        /* not packed */
        { "Repeated", "\x2A\x02\x01\x80", 4, "f_int32: a packed list is malformed" },
        { "Repeated", "\x0A\x07" "1234567", 9, "f_double: a packed list is cut off" },
        { "Repeated", "\x3A\x03" "123", 5, "f_fixed32: a packed list is cut off" },
        { "Repeated", "\x42\x01\x02", 3, "f_bool: a packed bool" },
        { "Repeated", "\x42\x02\x81\x00", 4, "f_bool: a packed bool" },
        { "Repeated", "\x4A\x00\x4A\x00", 4, NULL },
        { "Unpacked", "\x2A\x02\x01\x02", 4, NULL },                        /* packed after all */
        { "Maps", "\x62\x05\x0A\x01k\x12\x00", 7, NULL },
        { "Maps", "\x62\x00", 2, NULL },
        { "Maps", "\x62\x03\x0A\x01\xFF", 5, "by_string.key: invalid UTF-8" },
        { "Maps", "\x62\x03\x0A\x01\x00", 5, "by_string.key: NUL in a string" },
        { "Choice", "\x12\x01" "a\x18\x01", 5, NULL },                      /* the last one wins */
        { "Singular", "\x60\xFB\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01", 11, NULL },
        { "Singular", "\x60\x63", 2, NULL },                                /* unknown enum value */
        { "Singular", "\xC2\x3E\x01" "a", 4, NULL },                        /* number 1000 */
        { "Singular", "\xFA\xFF\xFF\xFF\x0F\x01" "\xFF", 7, "farthest: invalid UTF-8" },
        { "WellKnown", "\x0A\x04\x12\x02\xFF\xFF", 6, NULL },               /* Any: bytes only */
    };
    struct fixture fixture = open_fixture();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char name[64];
        (void)snprintf(name, sizeof name, "sessionstream.test.%s", cases[i].type);
        int err = validate(&fixture, name, cases[i].bytes, cases[i].len);
        ss_check_msg((err == 0) == (cases[i].text == NULL), "case %zu: %s", i,
                     fixture.failure.text);
        ss_check_msg(err == 0 || (says(&fixture, cases[i].text) && says(&fixture, name)),
                     "case %zu: %s", i, fixture.failure.text);
    }
    ss__schema_free(fixture.schema);
}

SS_TEST(validate, proto2_required_fields)
{
    static const struct {
        const char *type;
        const char *bytes;
        size_t len;
        const char *text;
    } cases[] = {
        { "Required", "", 0, "id: a required field is missing" },
        { "Required", "\x0A\x01x\x10\x01", 5, "level: a required field is missing" },
        { "Required", "\x0A\x01x\x10\x01\x20\x63", 7, NULL },    /* closed enum, any number */
        { "Required", "\x20\x03\x10\x01\x0A\x01x", 7, NULL },
        { "Required", "\x0A\x01x\x10\x01\x20\x03\x1A\x03\x0A\x01y", 12,
          "child.count: a required field is missing" },
        { "Required", "\x0A\x01x\x10\x01\x20\x03\x2A\x00", 9,
          "children.id: a required field is missing" },
    };
    struct fixture fixture = open_fixture();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char name[64];
        (void)snprintf(name, sizeof name, "sessionstream.test2.%s", cases[i].type);
        int err = validate(&fixture, name, cases[i].bytes, cases[i].len);
        ss_check_msg((err == 0) == (cases[i].text == NULL), "case %zu: %s", i,
                     fixture.failure.text);
        ss_check_msg(err == 0 || says(&fixture, cases[i].text), "case %zu: %s", i,
                     fixture.failure.text);
    }
    ss__schema_free(fixture.schema);
}

/* Node.left within Node.left, @depth messages in all. */
static void nest(struct ss_bytes *out, unsigned depth)
{
    size_t *lens = calloc(depth, sizeof *lens);
    ss_check(lens != NULL);
    for (unsigned i = 1; i < depth; i++) {
        lens[i] = ss__pb_bytes_size(2, lens[i - 1]);
    }
    for (unsigned i = depth - 1; i > 0; i--) {
        ss__pb_tag(out, 2, SS_PB_LEN);
        ss__bytes_varint(out, lens[i - 1]);
    }
    free(lens);
}

SS_TEST(validate, nesting_ends_at_the_limit)
{
    struct fixture fixture = open_fixture();
    static const unsigned depths[] = { 1, SS_NESTING_MAX, SS_NESTING_MAX + 1, 10000 };
    for (unsigned i = 0; i < 4; i++) {
        struct ss_bytes packed;
        ss__bytes_init(&packed, 0);
        nest(&packed, depths[i]);
        int err = validate(&fixture, "sessionstream.test.Node", packed.data, packed.len);
        ss_check((err == 0) == (depths[i] <= SS_NESTING_MAX));
        ss_check(err == 0 || says(&fixture, "nesting is too deep"));
        ss__bytes_deinit(&packed);
    }
    ss__schema_free(fixture.schema);
}

/* Why groups are refused: the day protobuf-c takes them this test says so. */
SS_TEST(validate, protobuf_c_refuses_every_message_with_a_group)
{
    static const struct {
        const char *bytes;
        size_t len;
    } groups[] = {
        { "\x1B\x1C", 2 }, { "\x0B\x0C", 2 }, { "\x1C", 1 }, { "\x1B\x08\x01\x1C", 4 },
        { "\x10\x01\x1B\x1C", 4 },
    };
    struct fixture fixture = open_fixture();
    const ProtobufCMessageDescriptor *descriptor =
        ss__type_descriptor(generate_type(fixture.schema, "sessionstream.test.Inner"));
    for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++) {
        ss_check(protobuf_c_message_unpack(descriptor, NULL, groups[i].len,
                                           (const uint8_t *)groups[i].bytes) == NULL);
        ss_check(validate(&fixture, "sessionstream.test.Inner", groups[i].bytes, groups[i].len) ==
                 SS_E_PAYLOAD);
    }
    ss__schema_free(fixture.schema);
}

/* @count times the @len bytes at @unit. */
static int validate_many(struct fixture *fixture, const char *type, const char *unit, size_t len,
                         size_t count)
{
    char *bytes = malloc(len * count);
    ss_check(bytes != NULL);
    for (size_t i = 0; i < count; i++) {
        memcpy(bytes + i * len, unit, len);
    }
    int err = validate(fixture, type, bytes, len * count);
    free(bytes);
    return err;
}

SS_TEST(validate, few_bytes_may_not_become_much_memory)
{
    static const struct {
        const char *type;
        const char *unit;
        size_t len;
    } bombs[] = {
        { "sessionstream.test.Node", "\x22\x00", 2 },           /* empty children */
        { "sessionstream.test.Maps", "\x0A\x00", 2 },           /* empty map entries */
        { "sessionstream.test.Inner", "\x18\x01", 2 },          /* unknown fields */
    };
    struct fixture fixture = open_fixture();
    for (size_t i = 0; i < sizeof bombs / sizeof bombs[0]; i++) {
        ss_check(validate_many(&fixture, bombs[i].type, bombs[i].unit, bombs[i].len, 100) == 0);
        ss_check(validate_many(&fixture, bombs[i].type, bombs[i].unit, bombs[i].len, 20000) ==
                 SS_E_PAYLOAD);
        ss_check(says(&fixture, "far more memory than bytes"));
    }
    /* Honest data of any length passes: nothing of one byte needs more than eight. */
    ss_check(validate_many(&fixture, "sessionstream.test.Repeated", "\x1A\x01\x01", 3, 50000) == 0);
    ss_check(validate_many(&fixture, "sessionstream.test.Repeated", "\x4A\x00", 2, 50000) == 0);
    ss_check(validate_many(&fixture, "sessionstream.test.Repeated", "\x52\x00", 2, 50000) == 0);
    ss__schema_free(fixture.schema);
}

SS_TEST(validate, a_singular_message_occurs_once)
{
    static const struct {
        const char *type;
        const char *bytes;
        size_t len;
        const char *text;
    } cases[] = {
        { "Outer", "\x0A\x00\x12\x00", 4, NULL },
        { "Outer", "\x12\x00\x0A\x00", 4, NULL },
        { "Outer", "\x1A\x00\x1A\x00", 4, NULL },                        /* a list */
        { "Outer", "\x1A\x02\x0A\x00\x1A\x02\x0A\x00", 8, NULL },        /* one in each */
        { "Outer", "\x0A\x00\x0A\x00", 4, "nested: a message that is no list occurs again" },
        { "Outer", "\x0A\x00\x12\x00\x0A\x00", 6, "nested: a message" },
        { "Outer", "\x1A\x04\x0A\x00\x0A\x00", 6, "list.deep: a message" },
        { "Choice", "\x3A\x00\x18\x01\x3A\x00", 6, "a_message: a message" },
        { "Maps", "\x62\x04\x12\x00\x12\x00", 6, "by_string.value: a message" },
        { "WellKnown", "\x32\x00\x32\x00", 4, "value: a message" },
    };
    struct fixture fixture = open_fixture();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char type[64];
        snprintf(type, sizeof type, "sessionstream.test.%s", cases[i].type);
        int err = validate(&fixture, type, cases[i].bytes, cases[i].len);
        ss_check_msg(err == (cases[i].text == NULL ? 0 : SS_E_PAYLOAD), "case %zu: %s", i,
                     fixture.failure.text);
        ss_check_msg(err == 0 || says(&fixture, cases[i].text), "case %zu: %s", i,
                     fixture.failure.text);
    }
    ss__schema_free(fixture.schema);
}

/* Why: the day protobuf-c merges them this test says so. */
SS_TEST(validate, protobuf_c_cannot_merge_oneofs_that_are_not_set)
{
    struct fixture fixture = open_fixture();
    const ProtobufCMessageDescriptor *descriptor =
        ss__type_descriptor(generate_type(fixture.schema, "sessionstream.test.WellKnown"));
    ss_check(protobuf_c_message_unpack(descriptor, NULL, 4, (const uint8_t *)"\x32\x00\x32\x00") ==
             NULL);
    ss__schema_free(fixture.schema);
}

/* A type of 70 fields `M mN = N`: the bits of a word do not suffice. */
SS_TEST(validate, a_type_of_many_singular_messages)
{
    enum { FIELDS = 70 };
    struct ss_bytes message;
    struct ss_bytes part;
    struct ss_bytes file;
    ss__bytes_init(&message, 0);
    ss__bytes_init(&part, 0);
    ss__bytes_init(&file, 0);
    ss__pb_bytes(&message, 1, ss_str("M"));
    for (uint32_t number = 1; number <= FIELDS; number++) {
        char name[8];
        snprintf(name, sizeof name, "m%u", (unsigned)number);
        ss__bytes_clear(&part);
        ss__pb_bytes(&part, 1, ss_str(name));
        ss__pb_u64(&part, 3, number);
        ss__pb_u64(&part, 4, SS_LABEL_OPTIONAL);
        ss__pb_u64(&part, 5, SS_KIND_MESSAGE);
        ss__pb_bytes(&part, 6, ss_str(".t.M"));
        ss__pb_bytes(&message, 2, ss__bytes_view(&part));
    }
    ss__pb_bytes(&file, 1, ss_str("t.proto"));
    ss__pb_bytes(&file, 2, ss_str("t"));
    ss__pb_bytes(&file, 4, ss__bytes_view(&message));
    ss__pb_bytes(&file, 12, ss_str("proto3"));
    ss__bytes_clear(&part);
    ss__pb_bytes(&part, 1, ss__bytes_view(&file));
    struct fixture fixture = open_fixture();
    ss_check_msg(ss__schema_load(fixture.schema, part.data, part.len, &fixture.failure) == 0, "%s",
                 fixture.failure.text);
    for (uint32_t twice = 0; twice <= FIELDS; twice++) {
        ss__bytes_clear(&message);
        for (uint32_t number = 1; number <= FIELDS; number++) {
            ss__pb_bytes(&message, number, ss_str(""));
        }
        if (twice > 0) {
            ss__pb_bytes(&message, twice, ss_str(""));
        }
        ss_check_msg((validate(&fixture, "t.M", message.data, message.len) == 0) == (twice == 0),
                     "%u", (unsigned)twice);
    }
    ss__bytes_deinit(&file);
    ss__bytes_deinit(&part);
    ss__bytes_deinit(&message);
    ss__schema_free(fixture.schema);
}

SS_TEST(validate, a_missing_failure_is_fine)
{
    struct fixture fixture = open_fixture();
    const struct ss_type *type = generate_type(fixture.schema, "sessionstream.test.Inner");
    ss_check(ss__validate(type, ss_str_of("\x00", 1), NULL) == SS_E_PAYLOAD);
    ss_check(ss__validate(type, ss_str(""), NULL) == 0);
    ss_check(ss__validate(type, (struct ss_str){ NULL, 0 }, NULL) == 0);
    ss__schema_free(fixture.schema);
}
