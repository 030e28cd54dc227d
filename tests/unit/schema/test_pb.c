#include "schema/pb.h"

#include <stdlib.h>

#include <sessionstream/limits.h>

#include "ss_test.h"

SS_TEST(pb, what_is_written_is_read_back)
{
    struct ss_bytes out;
    ss__bytes_init(&out, 0);
    ss__pb_u64(&out, 1, 0);
    ss__pb_u64(&out, 15, UINT64_MAX);
    ss__pb_fixed64(&out, 16, UINT64_C(0x1122334455667788));
    ss__pb_fixed32(&out, 17, 0xAABBCCDD);
    ss__pb_bytes(&out, 536870911, ss_str("abc"));
    ss__pb_bytes(&out, 2, ss_str(""));
    struct ss_pb_reader reader = ss__pb_reader(ss__bytes_view(&out));
    struct ss_pb_field field;
    ss_check(ss__pb_next(&reader, &field) && field.number == 1 && field.wire == SS_PB_VARINT);
    ss_check(field.value == 0);
    ss_check(ss__pb_next(&reader, &field) && field.number == 15 && field.value == UINT64_MAX);
    ss_check(ss__pb_next(&reader, &field) && field.wire == SS_PB_I64);
    ss_check(field.value == UINT64_C(0x1122334455667788));
    ss_check(ss__pb_next(&reader, &field) && field.wire == SS_PB_I32);
    ss_check(field.value == 0xAABBCCDD);
    ss_check(ss__pb_next(&reader, &field) && field.number == 536870911);
    ss_check(ss_str_equal(field.bytes, ss_str("abc")));
    ss_check(ss__pb_next(&reader, &field) && field.number == 2 && field.bytes.len == 0);
    ss_check(!ss__pb_next(&reader, &field) && !reader.failed);
    ss__bytes_deinit(&out);
}

SS_TEST(pb, fixed_values_are_little_endian)
{
    struct ss_bytes out;
    ss__bytes_init(&out, 0);
    ss__pb_fixed32(&out, 1, 0x04030201);
    ss__pb_fixed64(&out, 1, UINT64_C(0x0807060504030201));
    static const uint8_t expected[] = { 0x0D, 1, 2, 3, 4, 0x09, 1, 2, 3, 4, 5, 6, 7, 8 };
    ss_check(ss_str_equal(ss__bytes_view(&out), ss_str_of(expected, sizeof expected)));
    ss__bytes_deinit(&out);
}

SS_TEST(pb, sizes_are_those_written)
{
    static const uint64_t values[] = { 0, 1, 127, 128, 16383, 16384, UINT32_MAX, UINT64_MAX };
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        struct ss_bytes out;
        ss__bytes_init(&out, 0);
        ss__bytes_varint(&out, values[i]);
        ss_check(ss__pb_varint_size(values[i]) == out.len);
        ss__bytes_deinit(&out);
    }
    static const uint32_t numbers[] = { 1, 15, 16, 2047, 2048, 536870911 };
    static const char data[300];
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        for (size_t len = 0; len <= sizeof data; len += 100) {
            struct ss_bytes out;
            ss__bytes_init(&out, 0);
            ss__pb_bytes(&out, numbers[i], ss_str_of(data, len));
            ss_check(ss__pb_bytes_size(numbers[i], len) == out.len);
            ss__bytes_deinit(&out);
        }
    }
}

/* True if the reader ends without failure. */
static bool reads(const void *data, size_t len)
{
    uint8_t *exact = malloc(len > 0 ? len : 1);    /* so that the sanitizer sees a byte too many */
    ss_check(exact != NULL);
    memcpy(exact, data, len);
    struct ss_pb_reader reader = ss__pb_reader(ss_str_of(exact, len));
    struct ss_pb_field field;
    while (ss__pb_next(&reader, &field)) {
        if (field.wire == SS_PB_SGROUP && !ss__pb_skip_group(&reader, field.number)) {
            break;
        }
    }
    free(exact);
    return !reader.failed;
}

SS_TEST(pb, malformed_bytes_fail_and_stay_failed)
{
    static const struct {
        const char *bytes;
        size_t len;
        bool ok;
    } cases[] = {
        { "", 0, true },
        { "\x08", 1, false },                                    /* no value */
        { "\x08\x80", 2, false },                                /* cut varint */
        { "\x08\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01", 11, true },
        { "\x08\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x02", 11, false },        /* 65 bits */
        { "\x08\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00", 12, false },    /* 11 bytes */
        { "\x08\x80\x00", 3, true },                             /* overlong zero is a value */
        { "\x00\x01", 2, false },                                /* field number 0 */
        { "\x02\x00", 2, false },
        { "\x0E", 1, false },                                    /* wire type 6 */
        { "\x0F", 1, false },                                    /* wire type 7 */
        { "\xF8\xFF\xFF\xFF\x0F\x01", 6, true },                 /* number 2^29 - 1 */
        { "\xF8\xFF\xFF\xFF\x1F\x01", 6, false },                /* beyond */
        { "\x88\x80\x80\x80\x80\x00\x01", 7, false },            /* tag of 6 bytes */
        { "\x0A\x01", 2, false },                                /* length beyond the end */
        { "\x0A\xFF\xFF\xFF\xFF\x0F", 6, false },
        { "\x0A\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01", 11, false },
        { "\x0A\x80\x80\x80\x80\x80\x00", 7, false },            /* length of 6 bytes */
        { "\x09\x01\x02\x03\x04\x05\x06\x07", 8, false },        /* cut fixed64 */
        { "\x0D\x01\x02\x03", 4, false },                        /* cut fixed32 */
        { "\x0B\x0C", 2, true },                                 /* empty group */
        { "\x0B\x08\x01\x13\x14\x0C", 6, true },                 /* group in a group */
        { "\x0B\x08\x01", 3, false },                            /* group without an end */
        { "\x0B\x14", 2, false },                                /* another group's end */
        { "\x0C", 1, false },                                    /* end without a begin */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ss_check_msg(reads(cases[i].bytes, cases[i].len) == cases[i].ok, "case %zu", i);
    }
    struct ss_pb_reader reader = ss__pb_reader(ss_str_of("\x00\x08\x01", 3));
    struct ss_pb_field field;
    ss_check(!ss__pb_next(&reader, &field) && reader.failed);
    ss_check(!ss__pb_next(&reader, &field) && reader.failed);
}

SS_TEST(pb, groups_nest_to_the_limit_and_no_deeper)
{
    enum { DEEP = 10000 };
    static uint8_t bytes[2 * DEEP];
    for (unsigned depth = 1; depth <= SS_NESTING_MAX + 1; depth++) {
        memset(bytes, 0x0B, depth);
        memset(bytes + depth, 0x0C, depth);
        ss_check(reads(bytes, 2 * (size_t)depth) == (depth <= SS_NESTING_MAX));
    }
    memset(bytes, 0x0B, DEEP);
    memset(bytes + DEEP, 0x0C, DEEP);
    ss_check(!reads(bytes, sizeof bytes));
}
