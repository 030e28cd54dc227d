#include <stdio.h>

#include "json_fixture.h"

/* Packed bytes, and the JSON they give or, with @refused, what the error says. */
struct known_case {
    const char *type;
    const char *packed;
    size_t len;
    const char *text;
};

#define PACKED(text) text, sizeof(text) - 1

static void check_known(const struct known_case *cases, size_t count, bool refused)
{
    struct json_fixture fixture = json_open();
    for (size_t i = 0; i < count; i++) {
        int err = json_encode(&fixture, cases[i].type, ss_str_of(cases[i].packed, cases[i].len));
        ss_check_msg(err == (refused ? SS_E_PAYLOAD : 0), "%s: %d %s", cases[i].text, err,
                     fixture.failure.text);
        if (refused) {
            ss_check_msg(json_says(&fixture, cases[i].text), "%s: %s", cases[i].text,
                         fixture.failure.text);
        } else {
            ss_check_msg(ss_str_equal(ss__bytes_view(&fixture.json), ss_str(cases[i].text)),
                         "%s: %.*s", cases[i].text, (int)fixture.json.len,
                         (const char *)fixture.json.data);
        }
    }
    json_close(&fixture);
}

#define ENCODED(cases) check_known(cases, sizeof(cases) / sizeof((cases)[0]), false)
#define REFUSED(cases) check_known(cases, sizeof(cases) / sizeof((cases)[0]), true)

SS_TEST(json_well_known, wrappers_are_their_value)
{
    static const struct known_case cases[] = {
        { "google.protobuf.DoubleValue", PACKED(""), "0" },
        { "google.protobuf.FloatValue", PACKED(""), "0" },
        { "google.protobuf.Int64Value", PACKED(""), "\"0\"" },
        { "google.protobuf.UInt64Value", PACKED(""), "\"0\"" },
        { "google.protobuf.Int32Value", PACKED(""), "0" },
        { "google.protobuf.UInt32Value", PACKED(""), "0" },
        { "google.protobuf.BoolValue", PACKED(""), "false" },
        { "google.protobuf.StringValue", PACKED(""), "\"\"" },
        { "google.protobuf.BytesValue", PACKED(""), "\"\"" },
        { "google.protobuf.Int32Value", PACKED("\x08\x00"), "0" },
        { "google.protobuf.Int32Value", PACKED("\x08\x01\x08\x02"), "2" },
        { "google.protobuf.Int32Value", PACKED("\x10\x01"), "0" },
        { "google.protobuf.UInt64Value", PACKED("\x08\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01"),
          "\"18446744073709551615\"" },
        { "google.protobuf.BoolValue", PACKED("\x08\x01"), "true" },
        { "google.protobuf.StringValue", PACKED("\x0A\x01x"), "\"x\"" },
        { "google.protobuf.BytesValue", PACKED("\x0A\x01" "f"), "\"Zg==\"" },
        { "google.protobuf.DoubleValue", PACKED("\x09\0\0\0\0\0\0\xF8\x7F"), "\"NaN\"" },
        { "WellKnown", PACKED("\x72\x00"), "{\"int32Value\":0}" },
    };
    ENCODED(cases);
}

SS_TEST(json_well_known, times_in_range)
{
    static const struct known_case cases[] = {
        { "google.protobuf.Timestamp", PACKED(""), "\"1970-01-01T00:00:00Z\"" },
        { "google.protobuf.Timestamp", PACKED("\x10\x80\xCA\xB5\xEE\x01"),
          "\"1970-01-01T00:00:00.500Z\"" },
        { "google.protobuf.Timestamp", PACKED("\x08\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01"),
          "\"1969-12-31T23:59:59Z\"" },
        { "google.protobuf.Timestamp", PACKED("\x10\x01\x08\x01"),
          "\"1970-01-01T00:00:01.000000001Z\"" },
        { "google.protobuf.Timestamp", PACKED("\x08\xFF\x82\xD1\xFF\xAF\x07"),
          "\"9999-12-31T23:59:59Z\"" },
        { "google.protobuf.Duration", PACKED(""), "\"0s\"" },
        { "google.protobuf.Duration", PACKED("\x10\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01"),
          "\"-0.000000001s\"" },
        { "google.protobuf.Duration", PACKED("\x08\x01\x10\x80\xCA\xB5\xEE\x01"), "\"1.500s\"" },
    };
    ENCODED(cases);
}

SS_TEST(json_well_known, times_out_of_range_are_refused)
{
    static const struct known_case cases[] = {
        { "google.protobuf.Timestamp", PACKED("\x08\x80\x83\xD1\xFF\xAF\x07"),
          "google.protobuf.Timestamp out of range" },
        { "google.protobuf.Timestamp", PACKED("\x10\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01"),
          "Timestamp out of range" },
        { "google.protobuf.Timestamp", PACKED("\x10\x80\x94\xEB\xDC\x03"),
          "Timestamp out of range" },
        { "google.protobuf.Duration",
          PACKED("\x08\x01\x10\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01"), "Duration out of range" },
        { "google.protobuf.Duration", PACKED("\x10\x80\x94\xEB\xDC\x03"), "Duration out of range" },
        { "WellKnown", PACKED("\x12\x06\x10\x80\x94\xEB\xDC\x03"),
          "timestamp: google.protobuf.Timestamp out of range" },
        { "WellKnown", PACKED("\xA2\x01\x00\xA2\x01\x06\x10\x80\x94\xEB\xDC\x03"),
          "timestamps: google.protobuf.Timestamp out of range" },
    };
    REFUSED(cases);
}

SS_TEST(json_well_known, field_masks_that_can_be_read_back)
{
    static const struct known_case good[] = {
        { "google.protobuf.FieldMask", PACKED(""), "\"\"" },
        { "google.protobuf.FieldMask", PACKED("\x0A\x01" "a\x0A\x05" "b_c.d"), "\"a,bC.d\"" },
        { "google.protobuf.FieldMask", PACKED("\x0A\x02" "_a"), "\"A\"" },
    };
    static const struct known_case bad[] = {
        { "google.protobuf.FieldMask", PACKED("\x0A\x02" "aB"), "a path of a FieldMask" },
        { "google.protobuf.FieldMask", PACKED("\x0A\x02" "a_"), "a path of a FieldMask" },
        { "google.protobuf.FieldMask", PACKED("\x0A\x03" "a_1"), "a path of a FieldMask" },
        { "google.protobuf.FieldMask", PACKED("\x0A\x04" "a__b"), "a path of a FieldMask" },
        { "google.protobuf.FieldMask", PACKED("\x0A\x01\xFF"), "a path of a FieldMask" },
        { "WellKnown", PACKED("\x22\x04\x0A\x02" "a_"), "fieldMask: a path of a FieldMask" },
    };
    ENCODED(good);
    REFUSED(bad);
}

/* What a FieldMask is written as must be a list of as many paths. */
SS_TEST(json_well_known, paths_that_would_be_misread_have_no_form)
{
    static const struct known_case bad[] = {
        { "google.protobuf.FieldMask", PACKED("\x0A\x03" "a,b"), "a path of a FieldMask" },
        { "google.protobuf.FieldMask", PACKED("\x0A\x00"), "a path of a FieldMask" },
        { "google.protobuf.FieldMask", PACKED("\x0A\x01" "a\x0A\x00"), "a path of a FieldMask" },
    };
    REFUSED(bad);
}

SS_TEST(json_well_known, free_json)
{
    static const struct known_case good[] = {
        { "google.protobuf.Empty", PACKED(""), "{}" },
        { "google.protobuf.Struct", PACKED(""), "{}" },
        { "google.protobuf.Struct", PACKED("\x0A\x07\x0A\x01" "b\x12\x02\x20\x01"
                                           "\x0A\x07\x0A\x01" "a\x12\x02\x08\x00"),
          "{\"a\":null,\"b\":true}" },
        { "google.protobuf.Value", PACKED("\x08\x00"), "null" },
        { "google.protobuf.Value", PACKED("\x08\x05"), "null" },
        { "google.protobuf.Value", PACKED("\x11\0\0\0\0\0\0\xF8\x3F"), "1.5" },
        { "google.protobuf.Value", PACKED("\x1A\x00"), "\"\"" },
        { "google.protobuf.Value", PACKED("\x20\x00"), "false" },
        { "google.protobuf.Value", PACKED("\x2A\x00"), "{}" },
        { "google.protobuf.Value", PACKED("\x32\x00"), "[]" },
        { "google.protobuf.Value", PACKED("\x20\x01\x1A\x01x"), "\"x\"" },    /* the last wins */
        { "google.protobuf.ListValue", PACKED(""), "[]" },
        { "google.protobuf.ListValue", PACKED("\x0A\x02\x08\x00\x0A\x02\x20\x01"), "[null,true]" },
        { "WellKnown", PACKED("\x32\x02\x08\x00\x40\x00"), "{\"value\":null}" },
    };
    static const struct known_case bad[] = {
        { "google.protobuf.Value", PACKED(""), "a google.protobuf.Value has no kind" },
        { "google.protobuf.Value", PACKED("\x38\x01"), "has no kind" },
        { "google.protobuf.Value", PACKED("\x11\0\0\0\0\0\0\xF8\x7F"),
          "cannot be NaN or infinite" },
        { "google.protobuf.Value", PACKED("\x11\0\0\0\0\0\0\xF0\xFF"),
          "cannot be NaN or infinite" },
        { "google.protobuf.Struct", PACKED("\x0A\x03\x0A\x01" "a"), "has no kind" },
        { "google.protobuf.ListValue", PACKED("\x0A\x00"), "a google.protobuf.Value has no kind" },
        { "WellKnown", PACKED("\x32\x00"), "value: a google.protobuf.Value has no kind" },
    };
    ENCODED(good);
    REFUSED(bad);
}

SS_TEST(json_well_known, an_any_is_written_as_the_type_it_names)
{
    static const struct known_case good[] = {
        { "google.protobuf.Any", PACKED(""), "{}" },
        { "google.protobuf.Any", PACKED("\x0A\x1A" "a/sessionstream.test.Inner"
                                        "\x12\x05\x10\x05\x0A\x01x"),
          "{\"@type\":\"a/sessionstream.test.Inner\",\"name\":\"x\",\"number\":5}" },
        { "google.protobuf.Any", PACKED("\x12\x02\x10\x05\x0A\x1A" "a/sessionstream.test.Inner"),
          "{\"@type\":\"a/sessionstream.test.Inner\",\"number\":5}" },
        { "google.protobuf.Any", PACKED("\x0A\x1A" "a/sessionstream.test.Inner"
                                        "\x12\x04\x1B\x08\x01\x1C"),    /* an unknown group */
          "{\"@type\":\"a/sessionstream.test.Inner\"}" },
        { "google.protobuf.Any", PACKED("\x0A\x1A" "a/google.protobuf.Duration\x12\x02\x08\x05"),
          "{\"@type\":\"a/google.protobuf.Duration\",\"value\":\"5s\"}" },
        { "google.protobuf.Any", PACKED("\x0A\x15" "a/google.protobuf.Any"),
          "{\"@type\":\"a/google.protobuf.Any\",\"value\":{}}" },
        { "WellKnown", PACKED("\x0A\x00"), "{\"any\":{}}" },
    };
    static const struct known_case bad[] = {
        { "google.protobuf.Any", PACKED("\x12\x02\x10\x05"), "Any holds the unknown type \"\"" },
        { "google.protobuf.Any", PACKED("\x0A\x05" "a/b.C"),
          "Any holds the unknown type \"a/b.C\"" },
        { "google.protobuf.Any", PACKED("\x0A\x18sessionstream.test.Inner"), "unknown type" },
        { "google.protobuf.Any", PACKED("\x0A\x1A\xFF/sessionstream.test.Inner"), "unknown type" },
        { "google.protobuf.Any", PACKED("\x0A\x1A" "a/sessionstream.test.Inner\x12\x01\x80"),
          "malformed bytes for type sessionstream.test.Inner" },
        { "google.protobuf.Any", PACKED("\x0A\x1A" "a/sessionstream.test.Inner"
                                        "\x12\x03\x0A\x01\xFF"),
          "name: invalid UTF-8" },
        { "google.protobuf.Any", PACKED("\x0A\x1A" "a/google.protobuf.Duration\x12\x06"
                                        "\x10\x80\x94\xEB\xDC\x03"), "Duration out of range" },
        { "WellKnown", PACKED("\x0A\x07\x0A\x05" "a/b.C"), "any: Any holds the unknown type" },
        { "WellKnown", PACKED("\x9A\x01\x00\x9A\x01\x07\x0A\x05" "a/b.C"),
          "anys: Any holds the unknown type" },
    };
    ENCODED(good);
    REFUSED(bad);
}

/* Inside an Any nobody has checked the bytes: all that is text there is. */
SS_TEST(json_well_known, every_text_inside_an_any_is_checked)
{
    static const struct {
        const char *type;
        const char *packed;
        size_t len;
    } cases[] = {
        { "sessionstream.test.Maps", PACKED("\x62\x03\x0A\x01\xFF") },
        { "sessionstream.test.Maps", PACKED("\x0A\x03\x12\x01\xFF") },
        { "sessionstream.test.Repeated", PACKED("\x4A\x01\xFF") },
        { "google.protobuf.StringValue", PACKED("\x0A\x01\xFF") },
        { "google.protobuf.Value", PACKED("\x1A\x01\xFF") },
        { "google.protobuf.Struct", PACKED("\x0A\x07\x0A\x01\xFF\x12\x02\x08\x00") },
        { "google.protobuf.FieldMask", PACKED("\x0A\x01\xFF") },
        { "google.protobuf.Any", PACKED("\x0A\x1A\xFF/sessionstream.test.Inner") },
        { "sessionstream.test.WellKnown", PACKED("\x8A\x01\x03\x0A\x01\xFF") },
    };
    struct json_fixture fixture = json_open();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct ss_bytes any;
        char url[96];
        ss_check(snprintf(url, sizeof url, "a/%s", cases[i].type) < (int)sizeof url);
        ss__bytes_init(&any, 0);
        ss__pb_bytes(&any, 1, ss_str(url));
        ss__pb_bytes(&any, 2, ss_str_of(cases[i].packed, cases[i].len));
        ss_check_msg(json_encode(&fixture, "google.protobuf.Any", ss__bytes_view(&any)) ==
                     SS_E_PAYLOAD, "case %zu", i);
        ss__bytes_deinit(&any);
    }
    json_close(&fixture);
}

SS_TEST(json_well_known, malformed_bytes_inside_an_any_are_refused_in_every_type)
{
    static const char *const types[] = {
        "google.protobuf.Any", "google.protobuf.Timestamp", "google.protobuf.Duration",
        "google.protobuf.FieldMask", "google.protobuf.Struct", "google.protobuf.Value",
        "google.protobuf.ListValue", "google.protobuf.Empty", "google.protobuf.Int32Value",
        "google.protobuf.StringValue", "sessionstream.test.Nothing", "sessionstream.test.Inner",
    };
    static const struct known_case cut[] = {
        { "a field", PACKED("\x0A\x05"), "" },
        { "a tag", PACKED("\x80"), "" },
        { "a group", PACKED("\x9B\x06\x08\x01"), "" },
        { "the second field", PACKED("\xA0\x06\x01\x0A\x05"), "" },
    };
    struct json_fixture fixture = json_open();
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        for (size_t j = 0; j < sizeof cut / sizeof cut[0]; j++) {
            struct ss_bytes any;
            char url[96];
            ss_check(snprintf(url, sizeof url, "a/%s", types[i]) < (int)sizeof url);
            ss__bytes_init(&any, 0);
            ss__pb_bytes(&any, 1, ss_str(url));
            ss__pb_bytes(&any, 2, ss_str_of(cut[j].packed, cut[j].len));
            ss_check_msg(json_encode(&fixture, "google.protobuf.Any", ss__bytes_view(&any)) ==
                         SS_E_PAYLOAD, "%s: %s", types[i], cut[j].type);
            ss_check_msg(json_says(&fixture, "malformed"), "%s", fixture.failure.text);
            ss__bytes_deinit(&any);
        }
    }
    json_close(&fixture);
}
