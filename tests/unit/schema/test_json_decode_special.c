#include <stdio.h>

#include "json_fixture.h"

#define ANY(type, members)                                                                 \
    "{\"any\":{\"@type\":\"type.googleapis.com/" type "\"" members "}}"

SS_TEST(json_decode_special, keys_of_maps_of_every_kind)
{
    static const struct json_case cases[] = {
        { "Maps", "{\"byInt32\":{}}", "{}" },
        { "Maps", "{\"byInt32\":{\"2147483647\":\"a\",\"-2147483648\":\"b\",\"0\":\"\"}}",
          "{\"byInt32\":{\"-2147483648\":\"b\",\"0\":\"\",\"2147483647\":\"a\"}}" },
        { "Maps", "{\"byInt64\":{\"9223372036854775807\":\"1\",\"-9223372036854775808\":2}}",
          "{\"byInt64\":{\"-9223372036854775808\":\"2\",\"9223372036854775807\":\"1\"}}" },
        { "Maps", "{\"byUint32\":{\"4294967295\":0}}", NULL },
        { "Maps", "{\"byUint64\":{\"18446744073709551615\":\"Zg==\",\"1\":\"\"}}",
          "{\"byUint64\":{\"1\":\"\",\"18446744073709551615\":\"Zg==\"}}" },
        { "Maps", "{\"bySint32\":{\"-1\":\"NaN\",\"1\":0}}", NULL },
        { "Maps", "{\"bySint64\":{\"-1\":1.5}}", NULL },
        { "Maps", "{\"byFixed32\":{\"7\":true,\"8\":false}}", NULL },
        { "Maps", "{\"byFixed64\":{\"7\":\"COLOR_RED\",\"8\":0,\"9\":77}}",
          "{\"byFixed64\":{\"7\":\"COLOR_RED\",\"8\":\"COLOR_UNSPECIFIED\",\"9\":77}}" },
        { "Maps", "{\"bySfixed32\":{\"-1\":{},\"1\":{\"name\":\"a\"}}}", NULL },
        { "Maps", "{\"bySfixed64\":{\"-1\":\"-1\"}}", NULL },
        { "Maps", "{\"byBool\":{\"true\":\"a\",\"false\":\"b\"}}",
          "{\"byBool\":{\"false\":\"b\",\"true\":\"a\"}}" },
        { "Maps", "{\"byBool\":{\"tr\\u0075e\":\"a\"}}", "{\"byBool\":{\"true\":\"a\"}}" },
        { "Maps", "{\"byString\":{\"b\":{},\"\":{},\"aa\":{},\"a\":{}}}",
          "{\"byString\":{\"\":{},\"a\":{},\"aa\":{},\"b\":{}}}" },
        { "Maps", "{\"byString\":{\"\\u00e9\":{}}}", "{\"byString\":{\"\xC3\xA9\":{}}}" },
        { "Maps", "{\"byInt32\":{\"1e2\":\"a\"}}", "{\"byInt32\":{\"100\":\"a\"}}" },
        { "Maps", "{\"values\":{\"a\":null,\"b\":[null]}}", NULL },
    };
    JSON_ACCEPTED(cases);
}

SS_TEST(json_decode_special, malformed_maps_are_refused)
{
    static const struct json_case cases[] = {
        { "Maps", "{\"byInt32\":[]}", "byInt32: an object is wanted" },
        { "Maps", "{\"byInt32\":1}", "byInt32: an object is wanted" },
        { "Maps", "{\"byInt32\":{\"x\":\"a\"}}", "byInt32: invalid value for int32 field key: x" },
        { "Maps", "{\"byInt32\":{\"\":\"a\"}}", "int32 field key" },
        { "Maps", "{\"byInt32\":{\"2147483648\":\"a\"}}", "int32 field key" },
        { "Maps", "{\"byInt32\":{1:\"a\"}}", "a key in double quotes" },
        { "Maps", "{\"byUint32\":{\"-1\":1}}", "uint32 field key" },
        { "Maps", "{\"byBool\":{\"1\":\"a\"}}", "bool field key" },
        { "Maps", "{\"byBool\":{\"True\":\"a\"}}", "bool field key" },
        { "Maps", "{\"byBool\":{\"\":\"a\"}}", "bool field key" },
        { "Maps", "{\"byInt32\":{\"1\":1}}", "string field value" },
        { "Maps", "{\"byInt32\":{\"1\":null}}", "byInt32" },
        { "Maps", "{\"byString\":{\"a\":null}}", "byString.a: null is no value of a map" },
        { "Maps", "{\"byString\":{\"a\":{\"name\":1}}}", "byString.a.name: invalid value" },
        { "Maps", "{\"byString\":{\"a\":{},\"a\":{}}}", "a key stands twice in byString" },
        { "Maps", "{\"byString\":{\"a\":{},\"b\":{},\"\\u0061\":{}}}", "a key stands twice" },
        { "Maps", "{\"byInt32\":{\"1\":\"\",\"1.0\":\"\"}}", "a key stands twice in byInt32" },
        { "Maps", "{\"byBool\":{\"true\":\"\",\"true\":\"\"}}", "a key stands twice in byBool" },
    };
    JSON_REFUSED(cases);
}

SS_TEST(json_decode_special, a_map_of_many_keys_finds_the_one_that_stands_twice)
{
    struct json_fixture fixture = json_open();
    struct ss_bytes json;
    ss__bytes_init(&json, 0);
    for (unsigned twice = 0; twice < 2; twice++) {
        ss__bytes_clear(&json);
        ss__bytes_text(&json, "{\"byUint32\":{");
        for (unsigned i = 0; i < 2000; i++) {
            ss__bytes_text(&json, i == 0 ? "\"" : ",\"");
            ss__bytes_u64(&json, twice == 1 && i == 1999 ? 1000 : i);
            ss__bytes_text(&json, "\":1");
        }
        ss__bytes_text(&json, "}}");
        ss_check(json_decode(&fixture, "Maps", ss__bytes_view(&json)) ==
                 (twice == 1 ? SS_E_JSON : 0));
    }
    ss_check(json_says(&fixture, "a key stands twice in byUint32"));
    ss__bytes_deinit(&json);
    json_close(&fixture);
}

SS_TEST(json_decode_special, wrappers_are_their_value)
{
    static const struct json_case good[] = {
        { "WellKnown", "{\"doubleValue\":0,\"floatValue\":1.5}", NULL },
        { "WellKnown", "{\"int64Value\":\"0\",\"uint64Value\":\"18446744073709551615\"}", NULL },
        { "WellKnown", "{\"int32Value\":0,\"uint32Value\":4294967295}", NULL },
        { "WellKnown", "{\"boolValue\":false,\"stringValue\":\"\",\"bytesValue\":\"\"}", NULL },
        { "WellKnown", "{\"int32Value\":null,\"stringValue\":null}", "{}" },
        { "WellKnown", "{\"int32ValueList\":[0,1]}", NULL },
        { "google.protobuf.Int32Value", "5", NULL },
        { "google.protobuf.StringValue", "\"a\"", NULL },
        { "google.protobuf.BytesValue", "\"Zg\"", "\"Zg==\"" },
        { "google.protobuf.BoolValue", "false", NULL },
        { "google.protobuf.DoubleValue", "\"Infinity\"", NULL },
    };
    static const struct json_case bad[] = {
        { "WellKnown", "{\"int32Value\":{\"value\":1}}", "int32Value: invalid value" },
        { "WellKnown", "{\"int32Value\":2147483648}", "int32Value: invalid value" },
        { "WellKnown", "{\"uint64Value\":-1}", "uint64Value: invalid value" },
        { "WellKnown", "{\"boolValue\":0}", "boolValue: invalid value" },
        { "WellKnown", "{\"stringValue\":1}", "stringValue: invalid value" },
        { "WellKnown", "{\"bytesValue\":\"*\"}", "bytesValue: invalid value" },
        { "WellKnown", "{\"int32ValueList\":[1,null]}", "null is no element of int32ValueList" },
        { "google.protobuf.Int32Value", "null", "invalid value" },
    };
    JSON_ACCEPTED(good);
    JSON_REFUSED(bad);
}

SS_TEST(json_decode_special, times_are_texts)
{
    static const struct json_case good[] = {
        { "WellKnown", "{\"timestamp\":\"1970-01-01T00:00:00Z\"}", NULL },
        { "WellKnown", "{\"timestamp\":\"0001-01-01T00:00:00Z\"}", NULL },
        { "WellKnown", "{\"timestamp\":\"9999-12-31T23:59:59.999999999Z\"}", NULL },
        { "WellKnown", "{\"timestamp\":\"1970-01-01T01:00:00.5+01:00\"}",
          "{\"timestamp\":\"1970-01-01T00:00:00.500Z\"}" },
        { "WellKnown", "{\"timestamp\":\"1970-01-01\\u005400:00:00Z\"}",
          "{\"timestamp\":\"1970-01-01T00:00:00Z\"}" },
        { "WellKnown", "{\"timestamp\":null,\"duration\":null}", "{}" },
        { "WellKnown", "{\"duration\":\"-0.500s\"}", NULL },
        { "WellKnown", "{\"duration\":\"315576000000s\"}", NULL },
        { "WellKnown", "{\"timestampMap\":{\"a\":\"1970-01-01T00:00:01Z\"}}", NULL },
    };
    static const struct json_case bad[] = {
        { "WellKnown", "{\"timestamp\":\"now\"}",
          "timestamp: malformed or out of range for google.protobuf.Timestamp" },
        { "WellKnown", "{\"timestamp\":0}", "timestamp: a string is wanted" },
        { "WellKnown", "{\"timestamp\":{\"seconds\":\"1\"}}", "timestamp: a string is wanted" },
        { "WellKnown", "{\"timestamp\":\"0000-12-31T23:59:59Z\"}", "out of range" },
        { "WellKnown", "{\"timestamp\":\"1970-01-01T00:00:60Z\"}", "malformed" },
        { "WellKnown", "{\"duration\":\"1\"}", "duration: malformed or out of range" },
        { "WellKnown", "{\"duration\":\"315576000001s\"}", "out of range" },
        { "WellKnown", "{\"duration\":1}", "duration: a string is wanted" },
        { "WellKnown", "{\"timestampMap\":{\"a\":null}}", "null is no value of a map" },
    };
    JSON_ACCEPTED(good);
    JSON_REFUSED(bad);
}

SS_TEST(json_decode_special, field_masks_are_lists_of_paths)
{
    static const struct json_case good[] = {
        { "WellKnown", "{\"fieldMask\":\"\"}", NULL },
        { "WellKnown", "{\"fieldMask\":\"a\"}", NULL },
        { "WellKnown", "{\"fieldMask\":\"a,fooBar.bazQux,c1\"}", NULL },
        { "WellKnown", "{\"fieldMask\":\"a\\u002cb\"}", "{\"fieldMask\":\"a,b\"}" },
    };
    static const struct json_case bad[] = {
        { "WellKnown", "{\"fieldMask\":\"foo_bar\"}", "fieldMask: malformed FieldMask" },
        { "WellKnown", "{\"fieldMask\":\",\"}", "malformed FieldMask" },
        { "WellKnown", "{\"fieldMask\":\"a,\"}", "malformed FieldMask" },
        { "WellKnown", "{\"fieldMask\":\",a\"}", "malformed FieldMask" },
        { "WellKnown", "{\"fieldMask\":\"a,,b\"}", "malformed FieldMask" },
        { "WellKnown", "{\"fieldMask\":[\"a\"]}", "fieldMask: a string is wanted" },
        { "WellKnown", "{\"fieldMask\":{\"paths\":[]}}", "a string is wanted" },
    };
    JSON_ACCEPTED(good);
    JSON_REFUSED(bad);
    struct json_fixture fixture = json_open();
    ss_check(json_decode(&fixture, "google.protobuf.FieldMask", ss_str("\"aB,c.dE\"")) == 0);
    ss_check(ss_str_equal(ss__bytes_view(&fixture.packed),
                          ss_str("\x0A\x03" "a_b\x0A\x05" "c.d_e")));
    json_close(&fixture);
}

SS_TEST(json_decode_special, free_json_in_struct_value_and_list)
{
    static const struct json_case good[] = {
        { "WellKnown", "{\"struct\":{}}", NULL },
        { "WellKnown",
          "{\"struct\":{\"a\":null,\"b\":1.5,\"c\":\"x\",\"d\":true,\"e\":{},\"f\":[]}}",
          NULL },
        { "WellKnown", "{\"struct\":{\"b\":1,\"\":2,\"a\":3}}",
          "{\"struct\":{\"\":2,\"a\":3,\"b\":1}}" },
        { "WellKnown", "{\"struct\":null}", "{}" },
        { "WellKnown", "{\"value\":null}", NULL },
        { "WellKnown", "{\"value\":0}", NULL },
        { "WellKnown", "{\"value\":false}", NULL },
        { "WellKnown", "{\"value\":\"\"}", NULL },
        { "WellKnown", "{\"value\":\"NaN\"}", NULL },
        { "WellKnown", "{\"value\":{}}", NULL },
        { "WellKnown", "{\"value\":[[],{},null]}", NULL },
        { "WellKnown", "{\"value\":-0.0}", "{\"value\":-0}" },
        { "WellKnown", "{\"listValue\":[]}", NULL },
        { "WellKnown", "{\"listValue\":[null,1,[2]]}", NULL },
        { "WellKnown", "{\"listValue\":null}", "{}" },
        { "WellKnown", "{\"valueList\":[null,1]}", NULL },
        { "WellKnown", "{\"nullValue\":null}", "{}" },
        { "WellKnown", "{\"empty\":{}}", NULL },
        { "google.protobuf.Value", "[1]", NULL },
        { "google.protobuf.ListValue", "[1]", NULL },
    };
    static const struct json_case bad[] = {
        { "WellKnown", "{\"struct\":[]}", "struct: an object is wanted" },
        { "WellKnown", "{\"struct\":{\"a\":1,\"a\":2}}", "a key stands twice in fields" },
        { "WellKnown", "{\"struct\":{\"a\":{\"b\":[1,{\"c\":1e309}]}}}",
          "struct.a.b.c: invalid value" },
        { "WellKnown", "{\"struct\":{\"a\":{\"b\":1,\"b\":2}}}", "a key stands twice" },
        { "WellKnown", "{\"value\":1e309}", "invalid value" },
        { "WellKnown", "{\"listValue\":{}}", "listValue: an array is wanted" },
        { "WellKnown", "{\"nullValue\":false}", "enum field nullValue" },
        { "WellKnown", "{\"nullValue\":\"NULL\"}", "enum field nullValue: NULL" },
        { "WellKnown", "{\"empty\":{\"a\":1}}", "empty: unknown field \"a\"" },
        { "WellKnown", "{\"empty\":[]}", "empty: an object is wanted" },
    };
    JSON_ACCEPTED(good);
    JSON_REFUSED(bad);
}

SS_TEST(json_decode_special, an_any_reads_as_the_type_it_names)
{
    static const struct json_case cases[] = {
        { "WellKnown", "{\"any\":{}}", NULL },
        { "WellKnown", "{\"any\":null}", "{}" },
        { "WellKnown", ANY("sessionstream.test.Inner", ""), NULL },
        { "WellKnown", ANY("sessionstream.test.Inner", ",\"name\":\"a\",\"number\":1"), NULL },
        { "WellKnown",
          "{\"any\":{\"name\":\"a\",\"@type\":\"type.googleapis.com/sessionstream.test.Inner\"}}",
          ANY("sessionstream.test.Inner", ",\"name\":\"a\"") },
        { "WellKnown",
          "{\"any\":{\"\\u0040type\":\"type.googleapis.com/sessionstream.test.Inner\"}}",
          ANY("sessionstream.test.Inner", "") },
        { "WellKnown", "{\"any\":{\"@type\":\"example.com/x/sessionstream.test.Nothing\"}}", NULL },
        { "WellKnown", "{\"any\":{\"@type\":\"\\/sessionstream.test.Nothing\"}}",
          "{\"any\":{\"@type\":\"/sessionstream.test.Nothing\"}}" },
        { "WellKnown", ANY("google.protobuf.Duration", ",\"value\":\"1.500s\""), NULL },
        { "WellKnown",
          "{\"any\":{\"value\":{},\"@type\":\"type.googleapis.com/google.protobuf.Empty\"}}",
          ANY("google.protobuf.Empty", ",\"value\":{}") },
        { "WellKnown",
          "{\"any\":{\"valu\\u0065\":\"1s\",\"@type\":\"a/google.protobuf.Duration\"}}",
          "{\"any\":{\"@type\":\"a/google.protobuf.Duration\",\"value\":\"1s\"}}" },
        { "WellKnown", ANY("google.protobuf.Value", ",\"value\":null"), NULL },
        { "WellKnown", ANY("google.protobuf.Struct", ",\"value\":{\"a\":1}"), NULL },
        { "WellKnown", ANY("google.protobuf.Int32Value", ",\"value\":0"), NULL },
        { "WellKnown",
          ANY("google.protobuf.Any",
              ",\"value\":{\"@type\":\"a/sessionstream.test.Inner\",\"number\":5}"), NULL },
        { "WellKnown", ANY("sessionstream.test.WellKnown",
                           ",\"any\":{\"@type\":\"a/sessionstream.test.Nothing\"}"), NULL },
        { "WellKnown", "{\"anys\":[{},{\"@type\":\"a/sessionstream.test.Nothing\"}]}", NULL },
    };
    JSON_ACCEPTED(cases);
}

SS_TEST(json_decode_special, malformed_anys_are_refused)
{
    static const struct json_case cases[] = {
        { "WellKnown", "{\"any\":1}", "any: an object is wanted" },
        { "WellKnown", "{\"any\":{\"name\":\"a\"}}", "any: an Any needs \"@type\"" },
        { "WellKnown", "{\"any\":{\"@type\":1}}", "any: a type URL is wanted" },
        { "WellKnown", "{\"any\":{\"@type\":\"\"}}", "unknown type \"\"" },
        { "WellKnown", "{\"any\":{\"@type\":\"sessionstream.test.Inner\"}}", "unknown type" },
        { "WellKnown", ANY("sessionstream.test.Missing", ""),
          "unknown type \"type.googleapis.com/sessionstream.test.Missing\"" },
        { "WellKnown", "{\"any\":{\"@type\":\"a/sessionstream.test.Inner\","
                       "\"@type\":\"a/sessionstream.test.Inner\"}}", "duplicate field \"@type\"" },
        { "WellKnown", ANY("sessionstream.test.Inner", ",\"nope\":1"),
          "any: unknown field \"nope\"" },
        { "WellKnown", ANY("sessionstream.test.Inner", ",\"number\":\"x\""), "number" },
        { "WellKnown", ANY("sessionstream.test.Inner", ",\"name\":\"a\",\"name\":\"b\""),
          "duplicate field \"name\"" },
        { "WellKnown", ANY("google.protobuf.Duration", ""),
          "an Any of google.protobuf.Duration needs \"value\"" },
        { "WellKnown", ANY("google.protobuf.Duration", ",\"value\":\"x\""), "malformed" },
        { "WellKnown", ANY("google.protobuf.Duration", ",\"value\":\"1s\",\"value\":\"1s\""),
          "unknown or duplicate field in an Any of google.protobuf.Duration" },
        { "WellKnown", ANY("google.protobuf.Duration", ",\"value\":\"1s\",\"seconds\":1"),
          "unknown or duplicate field" },
        { "WellKnown", ANY("google.protobuf.Empty", ",\"value\":{\"a\":1}"), "unknown field" },
        { "WellKnown", "{\"any\":{\"a\":[}}", "a value must begin" },
    };
    JSON_REFUSED(cases);
}

SS_TEST(json_decode_special, any_in_any_ends_at_the_limit)
{
    struct json_fixture fixture = json_open();
    static const char *const inner[] = {
        "{\"@type\":\"a/google.protobuf.Any\",\"value\":",
        "{\"@type\":\"a/sessionstream.test.WellKnown\",\"any\":",
    };
    for (unsigned kind = 0; kind < 2; kind++) {
        for (unsigned depth = 1; depth < 200; depth += depth < 70 ? 1 : 50) {
            struct ss_bytes json;
            ss__bytes_init(&json, 0);
            for (unsigned i = 0; i < depth; i++) {
                ss__bytes_text(&json, inner[kind]);
            }
            ss__bytes_text(&json, "{}");
            for (unsigned i = 0; i < depth; i++) {
                ss__bytes_byte(&json, '}');
            }
            int err = json_decode(&fixture, "google.protobuf.Any", ss__bytes_view(&json));
            ss_check_msg((err == 0) == (depth < SS_NESTING_MAX), "depth %u: %d", depth, err);
            if (err == 0) {
                struct ss_bytes packed = fixture.packed;
                ss__bytes_init(&fixture.packed, 0);
                ss_check(json_encode(&fixture, "google.protobuf.Any",
                                     ss__bytes_view(&packed)) == 0);
                ss_check(ss_str_equal(ss__bytes_view(&fixture.json), ss__bytes_view(&json)));
                ss__bytes_deinit(&packed);
            }
            ss__bytes_deinit(&json);
        }
    }
    json_close(&fixture);
}

/* A Struct takes three levels of messages for one of JSON: entry, Value, Struct. */
SS_TEST(json_decode_special, a_struct_too_deep_for_the_validator_is_refused)
{
    struct json_fixture fixture = json_open();
    unsigned deepest = 0;
    for (unsigned depth = 1; depth < SS_NESTING_MAX; depth++) {
        struct ss_bytes json;
        ss__bytes_init(&json, 0);
        for (unsigned i = 0; i < depth; i++) {
            ss__bytes_text(&json, "{\"a\":");
        }
        ss__bytes_text(&json, "1");
        for (unsigned i = 0; i < depth; i++) {
            ss__bytes_byte(&json, '}');
        }
        bool decoded = json_decode(&fixture, "google.protobuf.Struct", ss__bytes_view(&json)) == 0;
        if (decoded) {
            struct ss_str packed = ss__bytes_view(&fixture.packed);
            ss_check_msg(ss__validate(json_type(&fixture, "google.protobuf.Struct"), packed,
                                      &fixture.failure) == 0, "depth %u: %s", depth,
                         fixture.failure.text);
            ss_check(json_encode(&fixture, "google.protobuf.Struct", packed) == 0);
            deepest = depth;
        }
        ss__bytes_deinit(&json);
    }
    ss_check_msg(deepest == SS_NESTING_MAX / 3, "%u", deepest);
    ss_check(json_says(&fixture, "nested deeper than 64"));
    json_close(&fixture);
}
