#include <stdio.h>

#include "json_fixture.h"

#include "core/fault.h"

SS_TEST(json_decode, scalars_to_the_borders_of_their_type)
{
    static const struct json_case cases[] = {
        { "Singular", "{}", NULL },
        { "Singular", " { } ", "{}" },
        { "Singular", "{\"fInt32\":2147483647}", NULL },
        { "Singular", "{\"fInt32\":-2147483648}", NULL },
        { "Singular", "{\"fInt32\":\"-5\"}", "{\"fInt32\":-5}" },
        { "Singular", "{\"fInt32\":1.0}", "{\"fInt32\":1}" },
        { "Singular", "{\"fInt32\":1e2}", "{\"fInt32\":100}" },
        { "Singular", "{\"fInt32\":\"1e3\"}", "{\"fInt32\":1000}" },
        { "Singular", "{\"fSint32\":-2147483648}", NULL },
        { "Singular", "{\"fSfixed32\":-2147483648}", NULL },
        { "Singular", "{\"fUint32\":4294967295}", NULL },
        { "Singular", "{\"fFixed32\":4294967295}", NULL },
        { "Singular", "{\"fInt64\":\"9223372036854775807\"}", NULL },
        { "Singular", "{\"fInt64\":-9223372036854775808}",
          "{\"fInt64\":\"-9223372036854775808\"}" },
        { "Singular", "{\"fSint64\":\"-9223372036854775808\"}", NULL },
        { "Singular", "{\"fSfixed64\":\"-9223372036854775808\"}", NULL },
        { "Singular", "{\"fUint64\":18446744073709551615}",
          "{\"fUint64\":\"18446744073709551615\"}" },
        { "Singular", "{\"fFixed64\":\"18446744073709551615\"}", NULL },
        { "Singular", "{\"fUint64\":-0}", "{}" },
        { "Singular", "{\"fBool\":true}", NULL },
        { "Singular", "{\"fBool\":false}", "{}" },
        { "Singular", "{\"fDouble\":1.7976931348623157e+308}", NULL },
        { "Singular", "{\"fDouble\":\"NaN\"}", NULL },
        { "Singular", "{\"fDouble\":\"-Infinity\"}", NULL },
        { "Singular", "{\"fDouble\":\"1.5\"}", "{\"fDouble\":1.5}" },
        { "Singular", "{\"fDouble\":-0.0}", "{\"fDouble\":-0}" },
        { "Singular", "{\"fDouble\":0}", "{}" },
        { "Singular", "{\"fFloat\":\"Infinity\"}", NULL },
        { "Singular", "{\"fFloat\":\"NaN\"}", NULL },
        { "Singular", "{\"fFloat\":3.4028235e+38}", NULL },
        { "Singular", "{\"fString\":\"a\\u00e9\\ud83d\\ude00\"}",
          "{\"fString\":\"a\xC3\xA9\xF0\x9F\x98\x80\"}" },
        { "Singular", "{\"fString\":\"\"}", "{}" },
        { "Singular", "{\"fBytes\":\"-_-_\"}", "{\"fBytes\":\"+/+/\"}" },
        { "Singular", "{\"fBytes\":\"Zg\"}", "{\"fBytes\":\"Zg==\"}" },
        { "Singular", "{\"fBytes\":\"Z\\u0067==\"}", "{\"fBytes\":\"Zg==\"}" },
        { "Singular", "{\"fBytes\":\"\"}", "{}" },
        { "Singular", "{\"fMessage\":{}}", NULL },
        { "Singular", "{\"far\":\"a\",\"farthest\":\"b\"}", NULL },
    };
    JSON_ACCEPTED(cases);
}

SS_TEST(json_decode, values_of_another_kind_or_range_are_refused_by_name)
{
    static const struct json_case cases[] = {
        { "Singular", "{\"fInt32\":2147483648}",
          "invalid value for int32 field fInt32: 2147483648" },
        { "Singular", "{\"fInt32\":-2147483649}", "int32 field fInt32" },
        { "Singular", "{\"fSint32\":2147483648}", "sint32 field fSint32" },
        { "Singular", "{\"fSfixed32\":2147483648}", "sfixed32 field fSfixed32" },
        { "Singular", "{\"fUint32\":4294967296}", "uint32 field fUint32" },
        { "Singular", "{\"fFixed32\":-1}", "fixed32 field fFixed32" },
        { "Singular", "{\"fInt64\":\"9223372036854775808\"}", "int64 field fInt64" },
        { "Singular", "{\"fSfixed64\":\"9223372036854775808\"}", "sfixed64 field fSfixed64" },
        { "Singular", "{\"fUint64\":18446744073709551616}", "uint64 field fUint64" },
        { "Singular", "{\"fUint64\":\"-1\"}", "uint64 field fUint64: -1" },
        { "Singular", "{\"fUint64\":\"\"}", "uint64 field fUint64" },
        { "Singular", "{\"fUint64\":\"abc\"}", "uint64 field fUint64: abc" },
        { "Singular", "{\"fUint64\":\"007\"}", "uint64 field fUint64" },
        { "Singular", "{\"fUint64\":\" 7\"}", "uint64 field fUint64" },
        { "Singular", "{\"fUint64\":1.5}", "uint64 field fUint64" },
        { "Singular", "{\"fUint64\":1e20}", "uint64 field fUint64" },
        { "Singular", "{\"fUint64\":true}", "uint64 field fUint64" },
        { "Singular", "{\"fUint64\":[1]}", "uint64 field fUint64" },
        { "Singular", "{\"fInt32\":\"NaN\"}", "int32 field fInt32" },
        { "Singular", "{\"fBool\":1}", "bool field fBool" },
        { "Singular", "{\"fBool\":\"true\"}", "bool field fBool" },
        { "Singular", "{\"fDouble\":1e309}", "double field fDouble" },
        { "Singular", "{\"fDouble\":\"nan\"}", "double field fDouble" },
        { "Singular", "{\"fDouble\":\"inf\"}", "double field fDouble" },
        { "Singular", "{\"fDouble\":\"\"}", "double field fDouble" },
        { "Singular", "{\"fDouble\":true}", "double field fDouble" },
        { "Singular", "{\"fFloat\":3.5e38}", "float field fFloat" },
        { "Singular", "{\"fString\":1}", "string field fString" },
        { "Singular", "{\"fString\":{}}", "string field fString" },
        { "Singular", "{\"fBytes\":\"Z\"}", "bytes field fBytes" },
        { "Singular", "{\"fBytes\":\"+_+_\"}", "bytes field fBytes" },
        { "Singular", "{\"fBytes\":7}", "bytes field fBytes" },
        { "Singular", "{\"fMessage\":1}", "fMessage: sessionstream.test.Inner wants an object" },
        { "Singular", "{\"fMessage\":[]}", "wants an object" },
        { "Singular", "[]", "sessionstream.test.Singular wants an object" },
        { "Singular", "null", "wants an object" },
        { "Singular", "\"x\"", "wants an object" },
        { "Repeated", "{\"fInt32\":1}", "fInt32 wants an array" },
        { "Repeated", "{\"fInt32\":{}}", "fInt32 wants an array" },
        { "Repeated", "{\"fInt32\":[1,null]}", "null is no element of fInt32" },
        { "Repeated", "{\"fMessage\":[null]}", "null is no element of fMessage" },
        { "Repeated", "{\"fInt32\":[[1]]}", "int32 field fInt32" },
        { "Singular", "{\"fString\":\"\\ud800\"}", "lone surrogate" },
        { "Singular", "{\"fString\":\"\xFF\"}", "invalid UTF-8" },
        { "Singular", "{} x", "nothing may follow" },
        { "Singular", "", "ends too early" },
    };
    JSON_REFUSED(cases);
}

SS_TEST(json_decode, enums_by_name_and_number)
{
    static const struct json_case good[] = {
        { "Singular", "{\"fEnum\":\"COLOR_RED\"}", NULL },
        { "Singular", "{\"fEnum\":1}", "{\"fEnum\":\"COLOR_RED\"}" },
        { "Singular", "{\"fEnum\":1.0}", "{\"fEnum\":\"COLOR_RED\"}" },
        { "Singular", "{\"fEnum\":\"COLOR_UNSPECIFIED\"}", "{}" },
        { "Singular", "{\"fEnum\":-5}", "{\"fEnum\":\"COLOR_COLD\"}" },
        { "Singular", "{\"fEnum\":\"COLOR_HUGE\"}", NULL },
        { "Singular", "{\"fEnum\":99}", NULL },                /* unknown, kept */
        { "Singular", "{\"fEnum\":-2147483648}", NULL },
        { "Singular", "{\"fEnum\":\"COLOR\\u005fRED\"}", "{\"fEnum\":\"COLOR_RED\"}" },
        { "Singular", "{\"fAlias\":\"ALIAS_SECOND\"}", "{\"fAlias\":\"ALIAS_FIRST\"}" },
        { "Repeated", "{\"fEnum\":[\"COLOR_UNSPECIFIED\",2,7]}",
          "{\"fEnum\":[\"COLOR_UNSPECIFIED\",\"COLOR_GREEN\",7]}" },
    };
    static const struct json_case bad[] = {
        { "Singular", "{\"fEnum\":\"RED\"}", "enum field fEnum: RED" },
        { "Singular", "{\"fEnum\":\"color_red\"}", "enum field fEnum" },
        { "Singular", "{\"fEnum\":\"\"}", "enum field fEnum" },
        { "Singular", "{\"fEnum\":\"1\"}", "enum field fEnum" },
        { "Singular", "{\"fEnum\":1.5}", "enum field fEnum" },
        { "Singular", "{\"fEnum\":2147483648}", "enum field fEnum" },
        { "Singular", "{\"fEnum\":true}", "enum field fEnum" },
        { "Repeated", "{\"fEnum\":[\"COLOR_RED\",\"NONE\"]}", "fEnum: invalid value for enum" },
    };
    JSON_ACCEPTED(good);
    JSON_REFUSED(bad);
}

SS_TEST(json_decode, names_are_json_names_or_original_ones)
{
    static const struct json_case good[] = {
        { "Names", "{\"plain_name\":\"a\"}", "{\"plainName\":\"a\"}" },
        { "Names", "{\"plainName\":\"a\"}", NULL },
        { "Names", "{\"plain\\u004eame\":\"a\"}", "{\"plainName\":\"a\"}" },
        { "Names", "{\"given\":\"a\"}", "{\"chosenName\":\"a\"}" },
        { "Names", "{\"_leading\":\"a\"}", "{\"Leading\":\"a\"}" },
        { "Names", "{\"double__under\":\"a\"}", "{\"doubleUnder\":\"a\"}" },
        { "Names", "{\"with_1_digit\":\"a\"}", "{\"with1Digit\":\"a\"}" },
        { "Names", "{\"with space \\\"and\\\" quotes\":\"a\"}", NULL },
        { "Names", "{\"UPPER_CASE\":\"b\",\"camelCase\":\"a\"}",
          "{\"camelCase\":\"a\",\"UPPERCASE\":\"b\"}" },
    };
    static const struct json_case bad[] = {
        { "Names", "{\"PlainName\":\"a\"}", "unknown field \"PlainName\"" },
        { "Names", "{\"plainname\":1}", "unknown field \"plainname\"" },
        { "Names", "{\"\":1}", "unknown field \"\"" },
        { "Names", "{\"@type\":\"x\"}", "unknown field \"@type\"" },
        { "Names", "{\"chosen_name\":1}", "unknown field \"chosen_name\"" },
        { "Outer", "{\"nested\":{\"deep\":{\"texts\":1}}}",
          "nested.deep: unknown field \"texts\"" },
        { "Outer", "{\"list\":[{},{\"mood\":1}]}", "list: unknown field \"mood\"" },
    };
    JSON_ACCEPTED(good);
    JSON_REFUSED(bad);
}

SS_TEST(json_decode, a_key_stands_once)
{
    static const struct json_case cases[] = {
        { "Names", "{\"plainName\":\"a\",\"plainName\":\"a\"}", "duplicate field \"plainName\"" },
        { "Names", "{\"plainName\":\"a\",\"plain_name\":\"b\"}", "duplicate field \"plainName\"" },
        { "Names", "{\"plainName\":null,\"plainName\":\"b\"}", "duplicate field \"plainName\"" },
        { "Names", "{\"plainName\":\"a\",\"plain\\u004eame\":\"b\"}", "duplicate field" },
        { "Singular", "{\"fMessage\":{\"name\":\"a\",\"name\":\"b\"}}",
          "fMessage: duplicate field \"name\"" },
        { "Repeated", "{\"fInt32\":[1],\"fInt32\":[2]}", "duplicate field \"fInt32\"" },
        { "Maps", "{\"byInt32\":{},\"byInt32\":{}}", "duplicate field \"byInt32\"" },
    };
    JSON_REFUSED(cases);
}

SS_TEST(json_decode, a_oneof_takes_one_arm)
{
    static const struct json_case good[] = {
        { "Choice", "{\"anInt32\":0}", NULL },
        { "Choice", "{\"aString\":\"\"}", NULL },
        { "Choice", "{\"aBool\":false}", NULL },
        { "Choice", "{\"someBytes\":\"\"}", NULL },
        { "Choice", "{\"aDouble\":0}", NULL },
        { "Choice", "{\"aMessage\":{}}", NULL },
        { "Choice", "{\"aColor\":\"COLOR_UNSPECIFIED\"}", NULL },
        { "Choice", "{\"nothing\":null}", NULL },
        { "Choice", "{\"nothing\":\"NULL_VALUE\"}", "{\"nothing\":null}" },
        { "Choice", "{\"nothing\":0}", "{\"nothing\":null}" },
        { "Choice", "{\"aString\":null,\"anInt32\":1}", "{\"anInt32\":1}" },
        { "Choice", "{\"anInt32\":1,\"left\":\"\"}", NULL },
        { "Choice", "{\"after\":\"c\",\"left\":\"b\",\"before\":\"a\"}",
          "{\"before\":\"a\",\"left\":\"b\",\"after\":\"c\"}" },
    };
    static const struct json_case bad[] = {
        { "Choice", "{\"aString\":\"\",\"anInt32\":0}", "oneof \"pick\" is already set" },
        { "Choice", "{\"aMessage\":{},\"aBool\":true}", "oneof \"pick\" is already set" },
        { "Choice", "{\"nothing\":null,\"aBool\":true}", "oneof \"pick\" is already set" },
        { "Choice", "{\"left\":\"a\",\"right\":\"b\"}", "oneof \"other_pick\" is already set" },
    };
    JSON_ACCEPTED(good);
    JSON_REFUSED(bad);
}

SS_TEST(json_decode, null_means_absent)
{
    static const struct json_case cases[] = {
        { "Singular", "{\"fInt32\":null,\"fString\":null,\"fMessage\":null,\"fEnum\":null}", "{}" },
        { "Repeated", "{\"fInt32\":null,\"fMessage\":null}", "{}" },
        { "Maps", "{\"byInt32\":null,\"byString\":null}", "{}" },
        { "Optional", "{\"fInt32\":null}", "{}" },
        { "Optional", "{\"fInt32\":0,\"fString\":\"\",\"fBool\":false}",
          "{\"fInt32\":0,\"fBool\":false,\"fString\":\"\"}" },
        { "Optional", "{\"fDouble\":0,\"fBytes\":\"\",\"fEnum\":0,\"fMessage\":{}}",
          "{\"fDouble\":0,\"fBytes\":\"\",\"fEnum\":\"COLOR_UNSPECIFIED\",\"fMessage\":{}}" },
    };
    JSON_ACCEPTED(cases);
}

SS_TEST(json_decode, lists_keep_their_order_and_their_defaults)
{
    static const struct json_case cases[] = {
        { "Repeated", "{\"fInt32\":[]}", "{}" },
        { "Repeated", "{\"fInt32\":[0,-1,2147483647]}", NULL },
        { "Repeated", "{\"fSint64\":[\"0\",\"-1\"]}", NULL },
        { "Repeated", "{\"fDouble\":[0,\"NaN\",1.5],\"fFloat\":[-0]}", NULL },
        { "Repeated", "{\"fBool\":[true,false]}", NULL },
        { "Repeated", "{\"fString\":[\"\",\"a\",\"\"]}", NULL },
        { "Repeated", "{\"fBytes\":[\"\",\"Zg==\"]}", NULL },
        { "Repeated", "{\"fMessage\":[{},{\"name\":\"a\"}]}", NULL },
        { "Unpacked", "{\"fInt32\":[0,1],\"fFixed64\":[\"0\",\"2\"]}", NULL },
    };
    JSON_ACCEPTED(cases);
}

SS_TEST(json_decode, fields_are_packed_in_the_order_of_their_numbers)
{
    struct json_fixture fixture = json_open();
    ss_check(json_decode(&fixture, "Singular",
                         ss_str("{\"far\":\"x\",\"fUint32\":3,\"fInt32\":1}")) == 0);
    static const uint8_t expected[] = { 0x28, 1, 0x58, 3, 0xC2, 0x3E, 1, 'x' };
    ss_check(ss_str_equal(ss__bytes_view(&fixture.packed), ss_str_of(expected, sizeof expected)));
    ss_check(json_decode(&fixture, "Repeated", ss_str("{\"fInt32\":[1,2]}")) == 0);
    static const uint8_t packed[] = { 0x2A, 2, 1, 2 };
    ss_check(ss_str_equal(ss__bytes_view(&fixture.packed), ss_str_of(packed, sizeof packed)));
    ss_check(json_decode(&fixture, "Unpacked", ss_str("{\"fInt32\":[1,2]}")) == 0);
    static const uint8_t unpacked[] = { 0x28, 1, 0x28, 2 };
    ss_check(ss_str_equal(ss__bytes_view(&fixture.packed), ss_str_of(unpacked, sizeof unpacked)));
    json_close(&fixture);
}

SS_TEST(json_decode, required_fields_of_proto2)
{
    static const struct json_case good[] = {
        { "sessionstream.test2.Required", "{\"id\":\"\",\"count\":0,\"level\":\"LEVEL_LOW\"}",
          NULL },
        { "sessionstream.test2.Lists", "{\"plain\":[1],\"packed\":[2],\"levels\":[\"LEVEL_HIGH\"]}",
          NULL },
        { "sessionstream.test2.Pick", "{\"number\":0}", NULL },
    };
    static const struct json_case bad[] = {
        { "sessionstream.test2.Required", "{}", "required field \"id\" is missing" },
        { "sessionstream.test2.Required", "{\"id\":null,\"count\":1,\"level\":3}",
          "required field \"id\" is null" },
        { "sessionstream.test2.Required", "{\"id\":\"a\",\"count\":1}",
          "required field \"level\" is missing" },
        { "sessionstream.test2.Required",
          "{\"id\":\"\",\"count\":0,\"level\":3,\"child\":{\"id\":\"\"}}",
          "child: required field \"count\" is missing" },
    };
    JSON_ACCEPTED(good);
    JSON_REFUSED(bad);
}

SS_TEST(json_decode, errors_tell_line_column_and_path)
{
    static const struct json_case cases[] = {
        { "Outer", "{\n  \"nested\": {\n    \"mode\": \"MODE_UP\"\n  }\n}",
          "(line 3:13): nested.mode: invalid value for enum field mode: MODE_UP" },
        { "Node", "{\"children\":[{},{\"left\":{\"label\":7}}]}",
          "(line 1:34): children.left.label: invalid value for string field label: 7" },
        { "Maps", "{\"byString\":{\"a\":{\"number\":\"x\"}}}",
          "): byString.a.number: invalid value for int32 field number: x" },
        { "Singular", "{\"nope\":1}", "(line 1:2): unknown field \"nope\"" },
    };
    JSON_REFUSED(cases);
}

/* The text of an error is cut at a character, whatever the input holds. */
SS_TEST(json_decode, long_names_and_values_are_shown_in_part)
{
    struct json_fixture fixture = json_open();
    struct ss_bytes json;
    ss__bytes_init(&json, 0);
    for (int value = 0; value < 2; value++) {
        for (int shift = 0; shift < 4; shift++) {
            ss__bytes_clear(&json);
            ss__bytes_text(&json, value ? "{\"fInt32\":\"xxx" : "{\"xxx");
            for (int i = 0; i < 5000; i++) {
                ss__bytes_text(&json, i < shift ? "x" : "\xE2\x82\xAC");
            }
            ss__bytes_text(&json, value ? "\"}" : "\":1}");
            ss_check(json_decode(&fixture, "Singular", ss__bytes_view(&json)) == SS_E_JSON);
            size_t len = strlen(fixture.failure.text);
            ss_check(len < 200 && json_says(&fixture, "xxx"));
            for (size_t i = 0; i + 2 < len; i++) {
                uint8_t byte = (uint8_t)fixture.failure.text[i];
                ss_check((byte == 0xE2) == ((uint8_t)fixture.failure.text[i + 1] == 0x82));
            }
        }
    }
    ss__bytes_deinit(&json);
    json_close(&fixture);
}

static int decode_nodes(struct json_fixture *fixture, unsigned depth)
{
    struct ss_bytes json;
    ss__bytes_init(&json, 0);
    for (unsigned i = 1; i < depth; i++) {
        ss__bytes_text(&json, "{\"left\":");
    }
    ss__bytes_text(&json, "{}");
    for (unsigned i = 1; i < depth; i++) {
        ss__bytes_text(&json, "}");
    }
    int err = json_decode(fixture, "Node", ss__bytes_view(&json));
    ss__bytes_deinit(&json);
    return err;
}

SS_TEST(json_decode, nesting_ends_at_the_limit)
{
    struct json_fixture fixture = json_open();
    ss_check(decode_nodes(&fixture, SS_NESTING_MAX) == 0);
    ss_check(ss__validate(json_type(&fixture, "Node"), ss__bytes_view(&fixture.packed), NULL) == 0);
    ss_check(json_encode(&fixture, "Node", ss__bytes_view(&fixture.packed)) == 0);
    ss_check(decode_nodes(&fixture, SS_NESTING_MAX + 1) == SS_E_JSON);
    ss_check(json_says(&fixture, "nested"));
    ss_check(decode_nodes(&fixture, 5000) == SS_E_JSON);
    json_close(&fixture);
}

SS_TEST(json_decode, every_cut_of_a_text_is_refused)
{
    static const char json[] =
        "{\"any\":{\"value\":\"1.5s\",\"@type\":\"type.googleapis.com/google.protobuf.Duration\"},"
        "\"fieldMask\":\"a,bC\",\"struct\":{\"a\":[1,{}]},\"timestampMap\":{"
        "\"k\":\"1970-01-01T00:00:00Z\"},\"int32ValueList\":[1,2]}";
    struct json_fixture fixture = json_open();
    for (size_t len = 0; len < sizeof json - 1; len++) {
        ss_check_msg(json_decode(&fixture, "WellKnown", ss_str_of(json, len)) == SS_E_JSON, "%zu",
                     len);
    }
    ss_check(json_decode(&fixture, "WellKnown", ss_str(json)) == 0);
    json_close(&fixture);
}

SS_TEST(json_decode, nul_characters_are_kept)
{
    struct json_fixture fixture = json_open();
    ss_check(json_decode(&fixture, "Inner", ss_str("{\"name\":\"a\\u0000b\"}")) == 0);
    ss_check(ss_str_equal(ss__bytes_view(&fixture.packed), ss_str_of("\x0A\x03" "a\0b", 5)));
    ss_check(json_encode(&fixture, "Inner", ss__bytes_view(&fixture.packed)) == 0);
    ss_check(ss_str_equal(ss__bytes_view(&fixture.json), ss_str("{\"name\":\"a\\u0000b\"}")));
    json_close(&fixture);
}

SS_TEST(json_decode, what_stands_in_the_output_stays)
{
    struct json_fixture fixture = json_open();
    const struct ss_type *type = json_type(&fixture, "Inner");
    ss__bytes_text(&fixture.packed, "head");
    ss_check(ss__json_decode(fixture.schema, type, ss_str("{\"number\":1,\"name\":2}"),
                             &fixture.packed, NULL) == SS_E_JSON);
    ss_check(ss_str_equal(ss__bytes_view(&fixture.packed), ss_str("head")));
    ss_check(ss__json_decode(fixture.schema, type, ss_str("{\"number\":1}"), &fixture.packed,
                             NULL) == 0);
    ss_check(ss_str_equal(ss__bytes_view(&fixture.packed), ss_str("head\x10\x01")));
    json_close(&fixture);
}

SS_TEST(json_decode, a_full_output_is_told)
{
    static const char json[] =
        "{\"fString\":[\"abc\",\"def\"],\"fInt32\":[1,2,3],\"fMessage\":[{\"name\":\"x\"}]}";
    struct json_fixture fixture = json_open();
    ss_check(json_decode(&fixture, "Repeated", ss_str(json)) == 0);
    size_t full = fixture.packed.len;
    for (size_t max = 1; max <= full; max++) {
        struct ss_bytes small;
        struct ss_failure failure = { 0 };
        ss__bytes_init(&small, max);
        int err = ss__json_decode(fixture.schema, json_type(&fixture, "Repeated"), ss_str(json),
                                  &small, &failure);
        ss_check_msg(err == (max < full ? SS_E_TOOBIG : 0), "%zu bytes: %d", max, err);
        ss_check(failure.code == err && (err == 0 || failure.text[0] != '\0'));
        ss__bytes_deinit(&small);
    }
    json_close(&fixture);
}

SS_TEST(json_decode, random_messages_come_back)
{
    static const struct {
        const char *type;
        bool same_bytes;    /* not where keys of maps may stand twice or a NullValue
                               may hold another number */
    } types[] = {
        { "Singular", true }, { "Optional", true }, { "Repeated", true }, { "Unpacked", true },
        { "Choice", false },  { "Outer", true },    { "Names", true },    { "Maps", false },
        { "Node", false },    { "WellKnown", false },
        { "sessionstream.test2.Defaults", true },   { "sessionstream.test2.Pick", true },
        { "sessionstream.test2.Required", true },   { "sessionstream.test2.Extensible", true },
    };
    struct json_fixture fixture = json_open();
    uint64_t seed = 88172645463325252;
    unsigned compared = 0;
    for (unsigned i = 0; i < 400; i++) {
        const char *type = types[i % (sizeof types / sizeof types[0])].type;
        struct ss_bytes packed;
        ss__bytes_init(&packed, 0);
        generate_message(&packed, json_type(&fixture, type), &seed, 2);
        if (json_encode(&fixture, type, ss__bytes_view(&packed)) == 0) {
            struct ss_bytes text = fixture.json;
            ss__bytes_init(&fixture.json, 0);
            ss_check_msg(json_decode(&fixture, type, ss__bytes_view(&text)) == 0, "%s: %s", type,
                         fixture.failure.text);
            ss__bytes_byte(&text, 0);
            text.len--;
            bool nan = strstr((const char *)text.data, "\"NaN\"") != NULL;    /* of many bits */
            ss_check_msg(nan || !types[i % (sizeof types / sizeof types[0])].same_bytes ||
                             ss_str_equal(ss__bytes_view(&fixture.packed),
                                          ss__bytes_view(&packed)),
                         "%s: %.*s", type, (int)text.len, (const char *)text.data);
            ss_check(json_encode(&fixture, type, ss__bytes_view(&fixture.packed)) == 0);
            ss_check_msg(ss_str_equal(ss__bytes_view(&fixture.json), ss__bytes_view(&text)), "%s",
                         type);
            ss__bytes_deinit(&text);
            compared++;
        }
        ss__bytes_deinit(&packed);
    }
    ss_check_msg(compared > 300, "%u compared", compared);    /* an Any of no type has no JSON */
    json_close(&fixture);
}

#ifdef SS_FAULTS

static unsigned asked;

static bool count_memory(void)
{
    asked++;
    return false;
}

/* Of a type with many fields an object of two characters would take a hundred times its size. */
SS_TEST(json_decode, many_small_objects_take_the_memory_of_one)
{
    struct json_fixture fixture = json_open();
    struct ss_bytes text;
    unsigned counts[2];
    for (unsigned i = 0; i < 2; i++) {
        ss__bytes_init(&text, 0);
        ss__bytes_text(&text, "{\"fMessage\":[{}");
        for (unsigned k = 0; k < i * 10000; k++) {
            ss__bytes_text(&text, k % 2 == 0 ? ",{\"number\":1}" : ",{}");
        }
        ss__bytes_text(&text, "]}");
        asked = 0;
        ss__fault_memory = count_memory;
        ss_check_msg(json_decode(&fixture, "Repeated", ss__bytes_view(&text)) == 0, "%s",
                     fixture.failure.text);
        ss__fault_memory = NULL;
        counts[i] = asked;
        ss__bytes_deinit(&text);
    }
    ss_check_msg(counts[0] > 0 && counts[1] == counts[0], "%u, then %u", counts[0], counts[1]);
    json_close(&fixture);
}

#endif
