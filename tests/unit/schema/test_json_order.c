#include "schema/json_encoder.h"

#include <stdio.h>

#include "json_fixture.h"

#define PACKED(text) text, sizeof(text) - 1

SS_TEST(json_order, only_known_fields_are_stepped_through)
{
    static const char packed[] =
        "\x1A\x01x"              /* unknown */
        "\x0A\x01" "a"           /* name */
        "\x08\x07"               /* name, but a number */
        "\x1B\x08\x01\x1C"       /* an unknown group */
        "\x10\x05"               /* number */
        "\x0B\x0A\x01z\x0C";     /* name, but a group */
    struct json_fixture fixture = json_open();
    struct ss_json_fields fields =
        ss__json_fields(json_type(&fixture, "Inner"), ss_str_of(packed, sizeof packed - 1));
    ss_check(ss__json_fields_next(&fields) && fields.field->number == 1);
    ss_check(ss_str_equal(fields.value.bytes, ss_str("a")));
    ss_check(fields.begin == (const uint8_t *)packed + 3);
    ss_check(fields.reader.at == (const uint8_t *)packed + 6);
    ss_check(ss__json_fields_next(&fields) && fields.field->number == 2);
    ss_check(fields.value.value == 5);
    ss_check(!ss__json_fields_next(&fields) && !fields.reader.failed);
    json_close(&fixture);
}

SS_TEST(json_order, malformed_bytes_end_the_steps)
{
    static const struct {
        const char *packed;
        size_t len;
        unsigned steps;
    } cases[] = {
        { PACKED("\x80"), 0 },         { PACKED("\x10\x05\x0A\x05" "a"), 1 },
        { PACKED("\x1B\x08\x01"), 0 }, { PACKED("\x10\x05\x1C"), 1 },
        { PACKED("\x10"), 0 },         { PACKED("\x10\x05\x00\x00"), 1 },
    };
    struct json_fixture fixture = json_open();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct ss_json_fields fields = ss__json_fields(
            json_type(&fixture, "Inner"), ss_str_of(cases[i].packed, cases[i].len));
        unsigned steps = 0;
        while (ss__json_fields_next(&fields)) {
            steps++;
        }
        ss_check_msg(fields.reader.failed && steps == cases[i].steps, "case %zu: %u", i, steps);
        ss_check(!ss__json_fields_next(&fields));
    }
    json_close(&fixture);
}

/* What is put in order; equal to the input: it was. */
static const struct order_case {
    const char *type;
    const char *packed;
    size_t len;
    const char *ordered;
    size_t ordered_len;
} cases[] = {
    { "Inner", PACKED(""), PACKED("") },
    { "Inner", PACKED("\x0A\x01" "a\x10\x05"), PACKED("\x0A\x01" "a\x10\x05") },
    { "Inner", PACKED("\x10\x05\x0A\x01" "a"), PACKED("\x0A\x01" "a\x10\x05") },
    { "Inner", PACKED("\x10\x05\x10\x06"), PACKED("\x10\x06") },
    { "Inner", PACKED("\x10\x05\x10\x00"), PACKED("\x10\x00") },
    { "Inner", PACKED("\x10\x05\x1A\x01x\x0A\x01" "a"), PACKED("\x0A\x01" "a\x10\x05") },
    { "Repeated", PACKED("\x28\x01\x2A\x02\x02\x03"), PACKED("\x28\x01\x2A\x02\x02\x03") },
    { "Repeated", PACKED("\x58\x09\x28\x01\x58\x08\x2A\x01\x02"),
      PACKED("\x28\x01\x2A\x01\x02\x58\x09\x58\x08") },
    { "Repeated", PACKED("\x8A\x01\x02\x10\x01\x4A\x01" "a\x8A\x01\x02\x10\x02"),
      PACKED("\x4A\x01" "a\x8A\x01\x02\x10\x01\x8A\x01\x02\x10\x02") },
    { "Singular", PACKED("\x8A\x01\x02\x10\x05\x8A\x01\x03\x0A\x01" "a"),
      PACKED("\x8A\x01\x05\x10\x05\x0A\x01" "a") },
    { "Singular", PACKED("\x8A\x01\x02\x10\x05\x28\x01\x8A\x01\x00"),
      PACKED("\x28\x01\x8A\x01\x02\x10\x05") },
    { "Choice", PACKED("\x12\x01" "a\x18\x05"), PACKED("\x18\x05") },
    { "Choice", PACKED("\x18\x05\x12\x01" "a\x0A\x01" "b"), PACKED("\x0A\x01" "b\x12\x01" "a") },
    { "Choice", PACKED("\x12\x01" "a\x5A\x01" "l"), PACKED("\x12\x01" "a\x5A\x01" "l") },
    { "Choice", PACKED("\x12\x01" "a\x5A\x01" "l\x62\x01" "r\x18\x05"),
      PACKED("\x18\x05\x62\x01" "r") },
    { "Choice", PACKED("\x3A\x02\x10\x05\x3A\x02\x10\x06"), PACKED("\x3A\x04\x10\x05\x10\x06") },
    { "Choice", PACKED("\x3A\x02\x10\x05\x18\x01\x3A\x02\x10\x06"), PACKED("\x3A\x02\x10\x06") },
    { "Choice", PACKED("\x18\x01\x3A\x02\x10\x05\x3A\x02\x10\x06"),
      PACKED("\x3A\x04\x10\x05\x10\x06") },
    { "Maps", PACKED("\x12\x00\x0A\x00\x12\x02\x08\x01"),
      PACKED("\x0A\x00\x12\x00\x12\x02\x08\x01") },
};

SS_TEST(json_order, what_encoders_write_is_in_order_and_the_rest_is_put_so)
{
    struct json_fixture fixture = json_open();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct ss_type *type = json_type(&fixture, cases[i].type);
        struct ss_str packed = ss_str_of(cases[i].packed, cases[i].len);
        struct ss_str ordered = ss_str_of(cases[i].ordered, cases[i].ordered_len);
        ss_check_msg(ss__json_in_order(type, packed) == ss_str_equal(packed, ordered), "case %zu",
                     i);
        ss_check_msg(ss__json_in_order(type, ordered), "case %zu", i);
        ss__bytes_clear(&fixture.packed);
        ss_check_msg(ss__json_put_in_order(type, packed, &fixture.packed) == 0, "case %zu", i);
        ss_check_msg(ss_str_equal(ss__bytes_view(&fixture.packed), ordered), "case %zu", i);
    }
    json_close(&fixture);
}

SS_TEST(json_order, malformed_bytes_cannot_be_put_in_order)
{
    struct json_fixture fixture = json_open();
    const struct ss_type *type = json_type(&fixture, "Inner");
    ss_check(ss__json_put_in_order(type, ss_str("\x10\x05\x0A\x05" "a"), &fixture.packed) ==
             SS_E_PAYLOAD);
    ss_check(fixture.packed.len == 0);
    ss_check(ss__json_in_order(type, ss_str("\x10\x05\x80")));
    json_close(&fixture);
}

SS_TEST(json_order, a_full_output_is_told)
{
    struct json_fixture fixture = json_open();
    struct ss_bytes small;
    ss__bytes_init(&small, 3);
    ss_check(ss__json_put_in_order(json_type(&fixture, "Inner"), ss_str("\x10\x05\x0A\x01" "a"),
                                   &small) == SS_E_TOOBIG);
    ss__bytes_deinit(&small);
    json_close(&fixture);
}

/* Fields of a message cut out and laid in another order must give the same JSON. */
SS_TEST(json_order, shuffled_fields_mean_the_same)
{
    static const char *const types[] = { "Singular", "Optional", "Unpacked", "Outer", "Names" };
    struct json_fixture fixture = json_open();
    uint64_t seed = 88172645463325252;
    for (unsigned i = 0; i < 200; i++) {
        const struct ss_type *type = json_type(&fixture, types[i % 5]);
        struct ss_bytes packed;
        struct ss_bytes shuffled;
        ss__bytes_init(&packed, 0);
        ss__bytes_init(&shuffled, 0);
        generate_message(&packed, type, &seed, 2);
        for (uint32_t first = 0; first < type->field_count; first++) {
            uint32_t number = type->fields[type->field_count - 1 - first].number;
            struct ss_json_fields fields = ss__json_fields(type, ss__bytes_view(&packed));
            while (ss__json_fields_next(&fields)) {
                if (fields.field->number == number) {
                    ss__bytes_append(&shuffled, fields.begin,
                                     (size_t)(fields.reader.at - fields.begin));
                }
            }
        }
        ss_check(shuffled.len == packed.len && ss__json_in_order(type, ss__bytes_view(&packed)));
        ss_check(json_encode(&fixture, types[i % 5], ss__bytes_view(&packed)) == 0);
        struct ss_bytes text = fixture.json;
        ss__bytes_init(&fixture.json, 0);
        ss_check(json_encode(&fixture, types[i % 5], ss__bytes_view(&shuffled)) == 0);
        ss_check(ss_str_equal(ss__bytes_view(&fixture.json), ss__bytes_view(&text)));
        ss__bytes_deinit(&text);
        ss__bytes_deinit(&shuffled);
        ss__bytes_deinit(&packed);
    }
    json_close(&fixture);
}
