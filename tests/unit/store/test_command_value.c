#include "store/command_value.h"

#include <string.h>

#include <sessionstream/error.h>

#include "ss_test.h"
#include "store/record.h"

static struct ss_command_value make_value(void)
{
    struct ss_command_value value = { .sid = 7, .time_us = 11, .ordinal = 13,
                                      .err = SS_E_HANDLER, .session_id = ss_str("demo"),
                                      .key = ss_str("order-1"), .text = ss_str("no more") };
    memcpy(value.digest, "0123456789abcdef", sizeof value.digest);
    return value;
}

static void check_same(const struct ss_command_value *got, const struct ss_command_value *want)
{
    ss_check(got->sid == want->sid && got->time_us == want->time_us);
    ss_check(got->ordinal == want->ordinal && got->err == want->err);
    ss_check(memcmp(got->digest, want->digest, sizeof got->digest) == 0);
    ss_check(ss_str_equal(got->session_id, want->session_id));
    ss_check(ss_str_equal(got->key, want->key) && ss_str_equal(got->text, want->text));
}

SS_TEST(command_value, body_comes_back_as_it_was)
{
    uint8_t bytes[512];
    struct ss_command_value value = make_value();
    struct ss_command_value got = { .sid = 7 };
    size_t len = ss__command_body_bytes(&value);
    ss__command_body_encode(bytes, &value);
    ss_check(ss__command_body_decode(ss_str_of(bytes, len), &got) == 0);
    check_same(&got, &value);
    value.text = ss_str(NULL);
    value.err = 0;
    ss__command_body_encode(bytes, &value);
    ss_check(ss__command_body_decode(ss_str_of(bytes, ss__command_body_bytes(&value)), &got) == 0);
    check_same(&got, &value);
}

SS_TEST(command_value, body_of_another_length_or_without_names_is_refused)
{
    uint8_t bytes[512];
    struct ss_command_value value = make_value();
    struct ss_command_value got;
    size_t len = ss__command_body_bytes(&value);
    ss__command_body_encode(bytes, &value);
    for (size_t cut = 0; cut < len; cut++) {
        ss_check(ss__command_body_decode(ss_str_of(bytes, cut), &got) == SS_E_CORRUPT);
    }
    ss_check(ss__command_body_decode(ss_str_of(bytes, len + 1), &got) == SS_E_CORRUPT);
    bytes[20] = 0;    /* no session */
    ss_check(ss__command_body_decode(ss_str_of(bytes, len - 4), &got) == SS_E_CORRUPT);
    bytes[20] = 4;
    bytes[21] = 0;    /* no key */
    ss_check(ss__command_body_decode(ss_str_of(bytes, len - 7), &got) == SS_E_CORRUPT);
}

SS_TEST(command_value, row_is_sealed_with_its_key)
{
    uint8_t bytes[512];
    const uint8_t key[8] = { 0, 0, 0, 1, 0, 0, 2, 0 };
    const uint8_t other[8] = { 0, 0, 0, 1, 0, 0, 4, 0 };
    struct ss_str key_bytes = ss_str_of(key, sizeof key);
    struct ss_command_value value = make_value();
    struct ss_command_value got;
    size_t len = ss__command_row_bytes(&value);
    ss__command_row_encode(bytes, key_bytes, &value);
    ss_check(ss__command_row_decode(key_bytes, ss_str_of(bytes, len), &got) == 0);
    check_same(&got, &value);
    ss_check(ss__command_row_decode(ss_str_of(other, sizeof other), ss_str_of(bytes, len),
                                    &got) == SS_E_CORRUPT);
    ss_check(ss__command_row_decode(ss_str_of(key, 7), ss_str_of(bytes, len), &got) ==
             SS_E_CORRUPT);
    for (size_t i = 0; i < len; i++) {
        bytes[i] ^= 4;
        ss_check(ss__command_row_decode(key_bytes, ss_str_of(bytes, len), &got) == SS_E_CORRUPT);
        bytes[i] ^= 4;
    }
}

SS_TEST(command_value, log_record_comes_back_and_any_damage_is_seen)
{
    uint8_t bytes[512];
    struct ss_log_record record;
    struct ss_command_value value = make_value();
    size_t len = ss__log_command_bytes(&value);
    ss__log_command_encode(bytes, 5, 3, &value);
    ss_check(ss__log_record_decode(ss_str_of(bytes, len), 5, &record) == 0);
    ss_check(record.kind == SS_LOG_COMMAND && record.sid == 7 && record.batch == 3);
    ss_check(record.len == len);
    check_same(&record.command, &value);
    for (size_t i = 4; i < len; i++) {
        bytes[i] ^= 1;
        ss_check(ss__log_record_decode(ss_str_of(bytes, len), 5, &record) == SS_E_CORRUPT);
        bytes[i] ^= 1;
    }
}
