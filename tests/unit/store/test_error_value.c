#include "store/error_value.h"

#include <string.h>

#include "ss_test.h"
#include "store/layout.h"

static struct ss_error_record sample(void)
{
    return (struct ss_error_record){
        .number = 7,
        .time_us = 1700000000123456,
        .kind = SS_ERROR_KIND_DECODE,
        .code = SS_E_CORRUPT,
        .ordinal = 12,
        .session_id = ss_str("s"),
        .event = ss_str("Put"),
        .projection = ss_str("timeline"),
        .text = ss_str("no good"),
        .raw = ss_str_of("\0\xff", 2),
        .metadata_count = 2,
        .metadata = { { ss_str("a"), ss_str("1") }, { ss_str("b"), ss_str("") } },
    };
}

SS_TEST(error_value, a_record_comes_back_as_it_was)
{
    struct ss_error_record record = sample();
    struct ss_error_record got;
    struct ss_buf *buf = ss__error_value_new(&record);
    ss_check(buf != NULL);
    ss_check(ss__error_value_decode(7, ss_str_of(buf->data, buf->len), &got) == 0);
    ss_check(got.number == 7 && got.time_us == record.time_us && got.kind == record.kind);
    ss_check(got.code == SS_E_CORRUPT && got.ordinal == 12);
    ss_check(ss_str_equal(got.session_id, record.session_id));
    ss_check(ss_str_equal(got.event, record.event));
    ss_check(ss_str_equal(got.projection, record.projection));
    ss_check(ss_str_equal(got.text, record.text) && ss_str_equal(got.raw, record.raw));
    ss_check(got.metadata_count == 2 && ss_str_equal(got.metadata[0].name, ss_str("a")));
    ss_check(ss_str_equal(got.metadata[0].value, ss_str("1")) && got.metadata[1].value.len == 0);
    ss__buf_unref(buf);
}

SS_TEST(error_value, every_bit_counts_and_so_does_the_key)
{
    struct ss_error_record record = sample();
    struct ss_error_record got;
    struct ss_buf *buf = ss__error_value_new(&record);
    ss_check(ss__error_value_decode(8, ss_str_of(buf->data, buf->len), &got) == SS_E_CORRUPT);
    for (size_t cut = 0; cut < buf->len; cut++) {
        ss_check(ss__error_value_decode(7, ss_str_of(buf->data, cut), &got) == SS_E_CORRUPT);
    }
    for (size_t bit = 0; bit < buf->len * 8; bit++) {
        buf->data[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        ss_check(ss__error_value_decode(7, ss_str_of(buf->data, buf->len), &got) ==
                 SS_E_CORRUPT);
        buf->data[bit / 8] ^= (uint8_t)(1u << (bit % 8));
    }
    ss__buf_unref(buf);
}

/* With a checksum that is right: what another program might have written. */
SS_TEST(error_value, lengths_that_do_not_add_up_are_damage)
{
    struct ss_error_record record = sample();
    struct ss_error_record got;
    struct ss_buf *buf = ss__error_value_new(&record);
    for (size_t at = 0; at < buf->len - SS_CHECKSUM_BYTES; at++) {
        uint8_t before = buf->data[at];
        buf->data[at] = 0xff;
        ss__value_seal(buf->data, buf->len, 7);
        int err = ss__error_value_decode(7, ss_str_of(buf->data, buf->len), &got);
        ss_check(err == 0 || err == SS_E_CORRUPT);
        ss_check(err != 0 || at >= 4);
        buf->data[at] = before;
    }
    ss__buf_unref(buf);
}

SS_TEST(error_value, what_is_too_long_is_cut_between_two_characters)
{
    static char text[SS_ERROR_TEXT_BYTES_MAX + 8];
    static char raw[SS_ERROR_RAW_BYTES_MAX + 1];
    struct ss_error_record record = sample();
    struct ss_error_record got;
    memset(text, 'x', sizeof text);
    memcpy(text + SS_ERROR_TEXT_BYTES_MAX - 1, "\xc3\xa4", 2);
    record.text = ss_str_of(text, sizeof text);
    record.raw = ss_str_of(raw, sizeof raw);
    struct ss_buf *buf = ss__error_value_new(&record);
    ss_check(ss__error_value_decode(7, ss_str_of(buf->data, buf->len), &got) == 0);
    ss_check(got.text.len == SS_ERROR_TEXT_BYTES_MAX - 1);
    ss_check(got.raw.len == SS_ERROR_RAW_BYTES_MAX);
    ss__buf_unref(buf);
}
