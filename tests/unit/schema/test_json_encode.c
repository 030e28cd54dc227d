#include <stdio.h>

#include "json_fixture.h"
#include "schema/json_reader.h"

/* Packed bytes and the JSON they must give. */
struct encode_case {
    const char *type;
    const char *packed;
    size_t len;
    const char *json;
};

#define PACKED(text) text, sizeof(text) - 1

static void check_encoded(const struct encode_case *cases, size_t count)
{
    struct json_fixture fixture = json_open();
    for (size_t i = 0; i < count; i++) {
        struct ss_str packed = ss_str_of(cases[i].packed, cases[i].len);
        ss_check_msg(json_encode(&fixture, cases[i].type, packed) == 0, "%s: %s", cases[i].json,
                     fixture.failure.text);
        ss_check_msg(ss_str_equal(ss__bytes_view(&fixture.json), ss_str(cases[i].json)),
                     "%s: %.*s", cases[i].json, (int)fixture.json.len,
                     (const char *)fixture.json.data);
    }
    json_close(&fixture);
}

#define ENCODED(cases) check_encoded(cases, sizeof(cases) / sizeof((cases)[0]))

SS_TEST(json_encode, every_kind_has_its_form)
{
    static const struct encode_case cases[] = {
        { "Singular", PACKED(""), "{}" },
        { "Singular", PACKED("\x09\0\0\0\0\0\0\xF8\x3F"), "{\"fDouble\":1.5}" },
        { "Singular", PACKED("\x09\0\0\0\0\0\0\xF0\x7F"), "{\"fDouble\":\"Infinity\"}" },
        { "Singular", PACKED("\x15\0\0\xC0\xFF"), "{\"fFloat\":\"NaN\"}" },
        { "Singular", PACKED("\x18\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01"),
          "{\"fInt64\":\"-1\"}" },
        { "Singular", PACKED("\x20\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01"),
          "{\"fUint64\":\"18446744073709551615\"}" },
        { "Singular", PACKED("\x28\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01"), "{\"fInt32\":-1}" },
        { "Singular", PACKED("\x28\xFF\xFF\xFF\xFF\x0F"), "{\"fInt32\":-1}" },
        { "Singular", PACKED("\x31\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF"),
          "{\"fFixed64\":\"18446744073709551615\"}" },
        { "Singular", PACKED("\x3D\xFF\xFF\xFF\xFF"), "{\"fFixed32\":4294967295}" },
        { "Singular", PACKED("\x40\x01"), "{\"fBool\":true}" },
        { "Singular", PACKED("\x40\x80\x01"), "{\"fBool\":true}" },
        { "Singular", PACKED("\x4A\x03" "a\"\n"), "{\"fString\":\"a\\\"\\n\"}" },
        { "Singular", PACKED("\x52\x02\xFF\x00"), "{\"fBytes\":\"/wA=\"}" },
        { "Singular", PACKED("\x58\xFF\xFF\xFF\xFF\x0F"), "{\"fUint32\":4294967295}" },
        { "Singular", PACKED("\x6D\xFF\xFF\xFF\xFF"), "{\"fSfixed32\":-1}" },
        { "Singular", PACKED("\x71\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF"), "{\"fSfixed64\":\"-1\"}" },
        { "Singular", PACKED("\x78\xFF\xFF\xFF\xFF\x0F"), "{\"fSint32\":-2147483648}" },
        { "Singular", PACKED("\x80\x01\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01"),
          "{\"fSint64\":\"-9223372036854775808\"}" },
        { "Singular", PACKED("\x60\x02"), "{\"fEnum\":\"COLOR_GREEN\"}" },
        { "Singular", PACKED("\x60\x63"), "{\"fEnum\":99}" },
        { "Singular", PACKED("\x60\xFB\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01"),
          "{\"fEnum\":\"COLOR_COLD\"}" },
        { "Singular", PACKED("\x90\x01\x01"), "{\"fAlias\":\"ALIAS_FIRST\"}" },
        { "Singular", PACKED("\x8A\x01\x00"), "{\"fMessage\":{}}" },
        { "Choice", PACKED("\x48\x00"), "{\"nothing\":null}" },
    };
    ENCODED(cases);
}

SS_TEST(json_encode, defaults_are_left_out_unless_they_tell_something)
{
    static const struct encode_case cases[] = {
        { "Singular",
          PACKED("\x09\0\0\0\0\0\0\0\0\x15\0\0\0\0\x18\0\x20\0\x28\0"
                 "\x31\0\0\0\0\0\0\0\0\x3D\0\0\0\0"
                 "\x40\0\x4A\0\x52\0\x58\0\x60\0\x78\0"), "{}" },
        { "Singular", PACKED("\x09\0\0\0\0\0\0\0\x80"), "{\"fDouble\":-0}" },
        { "Singular", PACKED("\x15\0\0\0\x80"), "{\"fFloat\":-0}" },
        { "Singular", PACKED("\x28\x80\x80\x80\x80\x10"), "{}" },    /* 2^32 as an int32 is 0 */
        { "Optional", PACKED("\x28\0\x40\0\x4A\0\x52\0\x60\0"),
          "{\"fInt32\":0,\"fBool\":false,\"fString\":\"\",\"fBytes\":\"\","
          "\"fEnum\":\"COLOR_UNSPECIFIED\"}" },
        { "Choice", PACKED("\x12\0"), "{\"aString\":\"\"}" },
        { "Choice", PACKED("\x18\0"), "{\"anInt32\":0}" },
        { "Repeated", PACKED("\x2A\0"), "{}" },
        { "Repeated", PACKED("\x2A\0\x2A\0\x28\0"), "{\"fInt32\":[0]}" },
        { "Repeated", PACKED("\x4A\0"), "{\"fString\":[\"\"]}" },
        { "sessionstream.test2.Pick", PACKED("\x10\0"), "{\"number\":0}" },
    };
    ENCODED(cases);
}

SS_TEST(json_encode, lists_packed_or_not_and_in_pieces)
{
    static const struct encode_case cases[] = {
        { "Repeated", PACKED("\x2A\x03\x01\x02\x03"), "{\"fInt32\":[1,2,3]}" },
        { "Repeated", PACKED("\x28\x01\x2A\x02\x02\x03\x28\x04"), "{\"fInt32\":[1,2,3,4]}" },
        { "Repeated", PACKED("\x28\x01\x58\x09\x28\x02"), "{\"fInt32\":[1,2],\"fUint32\":[9]}" },
        { "Unpacked", PACKED("\x2A\x02\x01\x02\x28\x03"), "{\"fInt32\":[1,2,3]}" },
        { "Repeated", PACKED("\x3A\x08\x01\0\0\0\x02\0\0\0"), "{\"fFixed32\":[1,2]}" },
        { "Repeated", PACKED("\x32\x10\x01\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0"),
          "{\"fFixed64\":[\"1\",\"2\"]}" },
        { "Repeated", PACKED("\x42\x02\x01\x00"), "{\"fBool\":[true,false]}" },
        { "Repeated", PACKED("\x62\x02\x01\x63"), "{\"fEnum\":[\"COLOR_RED\",99]}" },
        { "Repeated", PACKED("\x4A\x01" "a\x4A\x00\x4A\x01" "b"),
          "{\"fString\":[\"a\",\"\",\"b\"]}" },
        { "Repeated", PACKED("\x8A\x01\x00\x8A\x01\x02\x10\x05"),
          "{\"fMessage\":[{},{\"number\":5}]}" },
    };
    ENCODED(cases);
}

SS_TEST(json_encode, maps_are_sorted_by_key_and_the_last_value_wins)
{
    static const struct encode_case cases[] = {
        { "Maps", PACKED("\x0A\x05\x08\x02\x12\x01" "b\x0A\x05\x08\x01\x12\x01" "a"),
          "{\"byInt32\":{\"1\":\"a\",\"2\":\"b\"}}" },
        { "Maps", PACKED("\x0A\x05\x08\x01\x12\x01" "b\x0A\x05\x08\x01\x12\x01" "a"),
          "{\"byInt32\":{\"1\":\"a\"}}" },
        { "Maps", PACKED("\x0A\x00"), "{\"byInt32\":{\"0\":\"\"}}" },
        { "Maps", PACKED("\x0A\x02\x08\x07"), "{\"byInt32\":{\"7\":\"\"}}" },
        { "Maps", PACKED("\x0A\x03\x12\x01" "x"), "{\"byInt32\":{\"0\":\"x\"}}" },
        { "Maps", PACKED("\x0A\x05\x12\x01" "x\x08\x07"), "{\"byInt32\":{\"7\":\"x\"}}" },
        { "Maps", PACKED("\x0A\x0A\x08\x07\x12\x01" "x\x08\x08\x12\x01" "y"),
          "{\"byInt32\":{\"8\":\"y\"}}" },
        { "Maps", PACKED("\x0A\x0D\x08\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01\x50\x01"
                         "\x0A\x02\x08\x01"),
          "{\"byInt32\":{\"-1\":\"\",\"1\":\"\"}}" },
        { "Maps", PACKED("\x22\x0B\x08\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01\x22\x02\x08\x01"),
          "{\"byUint64\":{\"1\":\"\",\"18446744073709551615\":\"\"}}" },
        { "Maps", PACKED("\x42\x00"), "{\"byFixed64\":{\"0\":\"COLOR_UNSPECIFIED\"}}" },
        { "Maps", PACKED("\x5A\x02\x08\x01\x5A\x00"),
          "{\"byBool\":{\"false\":\"\",\"true\":\"\"}}" },
        { "Maps", PACKED("\x62\x00\x62\x04\x0A\x02" "ab\x62\x03\x0A\x01" "b\x62\x03\x0A\x01" "a"),
          "{\"byString\":{\"\":{},\"a\":{},\"ab\":{},\"b\":{}}}" },
        { "Maps", PACKED("\x62\x04\x0A\x02\xC3\xA9\x62\x03\x0A\x01" "z"),
          "{\"byString\":{\"z\":{},\"\xC3\xA9\":{}}}" },
    };
    ENCODED(cases);
}

SS_TEST(json_encode, fields_in_any_order_and_unknown_ones)
{
    static const struct encode_case cases[] = {
        { "Inner", PACKED("\x10\x05\x0A\x01" "a"), "{\"name\":\"a\",\"number\":5}" },
        { "Inner", PACKED("\x10\x05\x10\x06"), "{\"number\":6}" },
        { "Inner", PACKED("\x10\x05\x10\x00"), "{}" },
        { "Inner", PACKED("\x1A\x01x\x10\x05\x25\0\0\0\0\x29\0\0\0\0\0\0\0\0\x30\x01"),
          "{\"number\":5}" },
        { "Singular", PACKED("\x8A\x01\x02\x10\x05\x8A\x01\x03\x0A\x01" "a"),
          "{\"fMessage\":{\"name\":\"a\",\"number\":5}}" },
        { "Singular", PACKED("\x8A\x01\x02\x10\x05\x8A\x01\x02\x10\x06"),
          "{\"fMessage\":{\"number\":6}}" },
        { "Choice", PACKED("\x12\x01" "a\x18\x05"), "{\"anInt32\":5}" },
        { "Choice", PACKED("\x18\x05\x12\x01" "a"), "{\"aString\":\"a\"}" },
        { "Choice", PACKED("\x12\x01" "a\x5A\x01" "l"), "{\"aString\":\"a\",\"left\":\"l\"}" },
        { "Choice", PACKED("\x3A\x02\x10\x05\x3A\x03\x0A\x01" "a"),
          "{\"aMessage\":{\"name\":\"a\",\"number\":5}}" },
        { "Choice", PACKED("\x3A\x02\x10\x05\x18\x01\x3A\x03\x0A\x01" "a"),
          "{\"aMessage\":{\"name\":\"a\"}}" },
    };
    ENCODED(cases);
}

SS_TEST(json_encode, names_are_json_names)
{
    static const struct encode_case cases[] = {
        { "Names", PACKED("\x0A\x01" "a\x12\x01" "b\x1A\x01" "c\x22\x01" "d\x2A\x01" "e"),
          "{\"plainName\":\"a\",\"chosenName\":\"b\",\"Leading\":\"c\",\"trailing\":\"d\","
          "\"doubleUnder\":\"e\"}" },
        { "Names", PACKED("\x32\x01" "a\x3A\x01" "b\x42\x01" "c\x4A\x01" "d"),
          "{\"camelCase\":\"a\",\"with1Digit\":\"b\",\"with space \\\"and\\\" quotes\":\"c\","
          "\"UPPERCASE\":\"d\"}" },
    };
    ENCODED(cases);
}

/* @depth Nodes, each the left one of the one before. */
static void append_nodes(struct ss_bytes *out, unsigned depth)
{
    struct ss_bytes inner;
    ss__bytes_init(&inner, 0);
    for (unsigned i = 1; i < depth; i++) {
        ss__bytes_clear(out);
        ss__pb_bytes(out, 2, ss__bytes_view(&inner));
        ss__bytes_clear(&inner);
        ss__bytes_str(&inner, ss__bytes_view(out));
    }
    ss__bytes_deinit(&inner);
}

SS_TEST(json_encode, nesting_ends_at_the_limit)
{
    struct json_fixture fixture = json_open();
    struct ss_bytes packed;
    ss__bytes_init(&packed, 0);
    append_nodes(&packed, SS_NESTING_MAX);
    ss_check(json_encode(&fixture, "Node", ss__bytes_view(&packed)) == 0);
    append_nodes(&packed, SS_NESTING_MAX + 1);
    ss_check(json_encode(&fixture, "Node", ss__bytes_view(&packed)) == SS_E_PAYLOAD);
    ss_check(json_says(&fixture, "left.left.left") && fixture.json.len == 0);
    append_nodes(&packed, 1000);
    ss_check(json_encode(&fixture, "Node", ss__bytes_view(&packed)) == SS_E_PAYLOAD);
    ss__bytes_deinit(&packed);
    json_close(&fixture);
}

/* The encoder may meet bytes that nobody checked: those inside an Any. */
SS_TEST(json_encode, malformed_bytes_are_an_error_with_their_type)
{
    static const struct encode_case cases[] = {
        { "Inner", PACKED("\x0A\x05" "a"), "malformed bytes for type sessionstream.test.Inner" },
        { "Inner", PACKED("\x80"), "malformed bytes for type sessionstream.test.Inner" },
        { "Inner", PACKED("\x00\x00"), "malformed" },
        { "Inner", PACKED("\x1B\x08"), "malformed" },
        { "Inner", PACKED("\x1C"), "malformed" },
        { "Inner", PACKED("\x10\x05\x0A\x01" "a\x80"), "malformed" },    /* out of order too */
        { "Singular", PACKED("\x8A\x01\x02\x0A\x05"),
          "fMessage: malformed bytes for type sessionstream.test.Inner" },
        { "Repeated", PACKED("\x2A\x01\x80"), "fInt32: malformed packed values" },
        { "Repeated", PACKED("\x3A\x05\x01\x02\x03\x04\x05"), "fFixed32: malformed packed" },
        { "Repeated", PACKED("\x32\x07\x01\x02\x03\x04\x05\x06\x07"), "fFixed64: malformed" },
        { "Maps", PACKED("\x0A\x02\x08\x80"),
          "malformed bytes for type sessionstream.test.Maps.ByInt32Entry" },
        { "Maps", PACKED("\x62\x04\x12\x02\x0A\x05"), "byString" },
    };
    struct json_fixture fixture = json_open();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ss_check_msg(json_encode(&fixture, cases[i].type,
                                 ss_str_of(cases[i].packed, cases[i].len)) == SS_E_PAYLOAD,
                     "case %zu", i);
        ss_check_msg(json_says(&fixture, cases[i].json), "case %zu: %s", i, fixture.failure.text);
    }
    json_close(&fixture);
}

SS_TEST(json_encode, random_bytes_never_give_half_an_answer)
{
    static const char *const types[] = { "Singular", "Repeated", "Maps", "Choice", "Node",
                                         "WellKnown", "google.protobuf.Any" };
    struct json_fixture fixture = json_open();
    uint64_t seed = 88172645463325252;
    for (unsigned i = 0; i < 20000; i++) {
        uint8_t bytes[24];
        size_t len = generate_random(&seed) % sizeof bytes;
        for (size_t at = 0; at < len; at++) {
            bytes[at] = (uint8_t)(generate_random(&seed) % (at % 2 == 0 ? 256 : 8));
        }
        uint8_t *exact = malloc(len + 1);
        ss_check(exact != NULL);
        memcpy(exact, bytes, len);
        const char *type = types[i % (sizeof types / sizeof types[0])];
        struct ss_str packed = ss_str_of(exact, len);
        if (json_encode(&fixture, type, packed) == 0) {
            struct ss_bytes text = fixture.json;
            ss__bytes_init(&fixture.json, 0);
            struct ss_json_reader reader;
            struct ss_json_token token;
            ss__json_reader_init(&reader, ss__bytes_view(&text));
            (void)ss__json_next(&reader, &token);    /* an error makes the next call fail */
            if (ss__validate(json_type(&fixture, type), packed, NULL) == 0) {
                ss_check_msg(ss__json_skip(&reader, &token), "%.*s", (int)text.len,
                             (const char *)text.data);
                ss_check(ss__json_next(&reader, &token) == SS_JSON_END);
            }
            ss__bytes_deinit(&text);
        }
        free(exact);
    }
    json_close(&fixture);
}

SS_TEST(json_encode, a_message_as_an_any)
{
    static const struct encode_case cases[] = {
        { "Inner", PACKED("\x10\x05\x0A\x01" "a"),
          "{\"@type\":\"type.googleapis.com/sessionstream.test.Inner\",\"name\":\"a\","
          "\"number\":5}" },
        { "Nothing", PACKED(""), "{\"@type\":\"type.googleapis.com/sessionstream.test.Nothing\"}" },
        { "google.protobuf.Duration", PACKED("\x08\x05"),
          "{\"@type\":\"type.googleapis.com/google.protobuf.Duration\",\"value\":\"5s\"}" },
        { "google.protobuf.Struct", PACKED(""),
          "{\"@type\":\"type.googleapis.com/google.protobuf.Struct\",\"value\":{}}" },
    };
    struct json_fixture fixture = json_open();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ss__bytes_clear(&fixture.json);
        ss_check(ss__json_encode_any(fixture.schema, json_type(&fixture, cases[i].type),
                                     ss_str_of(cases[i].packed, cases[i].len), &fixture.json,
                                     NULL) == 0);
        ss_check_msg(ss_str_equal(ss__bytes_view(&fixture.json), ss_str(cases[i].json)), "%s",
                     cases[i].json);
    }
    struct ss_failure failure = { 0 };
    ss__bytes_clear(&fixture.json);
    ss_check(ss__json_encode_any(fixture.schema, json_type(&fixture, "Inner"), ss_str("\x80"),
                                 &fixture.json, &failure) == SS_E_PAYLOAD);
    ss_check(failure.code == SS_E_PAYLOAD && fixture.json.len == 0);
    json_close(&fixture);
}

SS_TEST(json_encode, an_error_leaves_the_output_as_it_was)
{
    struct json_fixture fixture = json_open();
    const struct ss_type *type = json_type(&fixture, "Inner");
    ss__bytes_text(&fixture.json, "head");
    ss_check(ss__json_encode(fixture.schema, type, ss_str("\x10\x05\x80"), &fixture.json, NULL) ==
             SS_E_PAYLOAD);
    ss_check(ss_str_equal(ss__bytes_view(&fixture.json), ss_str("head")));
    ss_check(ss__json_encode(fixture.schema, type, ss_str("\x10\x05"), &fixture.json, NULL) == 0);
    ss_check(ss_str_equal(ss__bytes_view(&fixture.json), ss_str("head{\"number\":5}")));
    json_close(&fixture);
}

SS_TEST(json_encode, a_full_output_is_told)
{
    static const char packed[] = "\x0A\x05\x08\x02\x12\x01" "b\x62\x05\x12\x03\x0A\x01" "c";
    struct json_fixture fixture = json_open();
    ss_check(json_encode(&fixture, "Maps", ss_str_of(packed, sizeof packed - 1)) == 0);
    size_t full = fixture.json.len;
    for (size_t max = 1; max <= full; max++) {
        struct ss_bytes small;
        struct ss_failure failure = { 0 };
        ss__bytes_init(&small, max);
        int err = ss__json_encode(fixture.schema, json_type(&fixture, "Maps"),
                                  ss_str_of(packed, sizeof packed - 1), &small, &failure);
        ss_check_msg(err == (max < full ? SS_E_TOOBIG : 0), "%zu bytes: %d", max, err);
        ss_check(failure.code == err);
        ss__bytes_deinit(&small);
    }
    json_close(&fixture);
}
