#include "store_fixture.h"

static const struct ss_record sample = {
    .ordinal = 7, .time_us = 123456789, .type_id = 3,
    .flags = SS_RECORD_RUNNING | SS_RECORD_UI_FAILED,
    .header = { "\1\2ab\x7f\0", 6 }, .payload = { "payload", 7 },
};

static void same(const struct ss_record *a, const struct ss_record *b)
{
    ss_check(a->time_us == b->time_us && a->type_id == b->type_id && a->flags == b->flags);
    ss_check(ss_str_equal(a->header, b->header) && ss_str_equal(a->payload, b->payload));
}

SS_TEST(record, log_value_round_trips_and_any_flipped_bit_is_noticed)
{
    uint8_t value[128];
    size_t len = ss__log_record_bytes(&sample);
    uint64_t sid;
    struct ss_record got;
    ss__log_record_encode(value, 99, 5, &sample);
    ss_check(ss__log_record_decode(ss_str_of(value, len), 99, &sid, &got) == 0);
    ss_check(sid == 5 && got.ordinal == 7);
    same(&got, &sample);
    for (size_t bit = 0; bit < len * 8; bit++) {
        value[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        ss_check(ss__log_record_decode(ss_str_of(value, len), 99, &sid, &got) == SS_E_CORRUPT);
        value[bit / 8] ^= (uint8_t)(1u << (bit % 8));
    }
    for (size_t cut = 0; cut < len; cut++) {
        ss_check(ss__log_record_decode(ss_str_of(value, cut), 99, &sid, &got) == SS_E_CORRUPT);
    }
    ss_check(ss__log_record_decode(ss_str_of(value, len), 98, &sid, &got) == SS_E_CORRUPT);
}

SS_TEST(record, peek_reads_session_and_ordinal_of_values_long_enough)
{
    uint8_t value[128];
    uint64_t sid;
    uint64_t ordinal;
    ss__log_record_encode(value, 1, 5, &sample);
    ss_check(ss__log_record_peek(ss_str_of(value, ss__log_record_bytes(&sample)), &sid,
                                 &ordinal) == 0);
    ss_check(sid == 5 && ordinal == 7);
    ss_check(ss__log_record_peek(ss_str_of(value, SS_LOG_RECORD_FIXED_BYTES - 1), &sid,
                                 &ordinal) == SS_E_CORRUPT);
}

SS_TEST(record, segment_entries_follow_each_other_and_a_cut_is_noticed)
{
    struct ss_bytes out;
    struct ss_record empty = { .time_us = 1, .type_id = 2 };
    struct ss_record got = { 0 };
    size_t at = 0;
    ss__bytes_init(&out, 0);
    ss__segment_entry_append(&out, &sample);
    ss__segment_entry_append(&out, &empty);
    ss_check(out.err == 0);
    ss_check(out.len == ss__segment_entry_bytes(&sample) + ss__segment_entry_bytes(&empty));
    ss_check(ss__segment_entry_next(ss__bytes_view(&out), &at, &got) == 0);
    same(&got, &sample);
    ss_check(ss__segment_entry_next(ss__bytes_view(&out), &at, &got) == 0);
    same(&got, &empty);
    ss_check(at == out.len);
    ss_check(ss__segment_entry_next(ss__bytes_view(&out), &at, &got) == SS_E_CORRUPT);
    for (size_t cut = 0; cut < ss__segment_entry_bytes(&sample); cut++) {
        at = 0;
        ss_check(ss__segment_entry_next(ss_str_of(out.data, cut), &at, &got) == SS_E_CORRUPT);
        ss_check(at == 0);
    }
    ss__bytes_deinit(&out);
}

SS_TEST(record, header_section_keeps_unknown_tags_and_order)
{
    struct ss_bytes out;
    char big[300];
    memset(big, 'x', sizeof big);
    ss__bytes_init(&out, SS_HEADER_BYTES_MAX);
    ss__header_append(&out, SS_HEADER_EVENT_ID, ss_str("id-1"));
    ss__header_append(&out, 200, ss_str_of(big, sizeof big));
    ss__header_append(&out, SS_HEADER_ACTOR, ss_str(""));
    struct ss_str section = ss__bytes_view(&out);
    uint8_t tag;
    struct ss_str value;
    size_t at = 0;
    ss_check(ss__header_next(section, &at, &tag, &value) == 1 && tag == SS_HEADER_EVENT_ID);
    ss_check(ss_str_equal(value, ss_str("id-1")));
    ss_check(ss__header_next(section, &at, &tag, &value) == 1 && tag == 200);
    ss_check(value.len == sizeof big);
    ss_check(ss__header_next(section, &at, &tag, &value) == 1 && value.len == 0);
    ss_check(ss__header_next(section, &at, &tag, &value) == 0);
    ss_check(ss__header_check(section) == 0);
    ss_check(ss__header_find(section, SS_HEADER_ACTOR, &value) == 0);
    ss_check(ss__header_find(section, SS_HEADER_CAUSATION, &value) == SS_E_NOTFOUND);
    for (size_t cut = 1; cut < 6; cut++) {
        ss_check(ss__header_check(ss_str_of(out.data, cut)) == SS_E_CORRUPT);
    }
    ss__bytes_deinit(&out);
}

SS_TEST(record, malformed_header_sections_are_refused)
{
    static char big[SS_HEADER_BYTES_MAX + 1];
    const struct ss_str bad[] = {
        { "\0\1a", 3 },                      /* tag 0 */
        { "\1\5ab", 4 },                     /* longer than the section */
        { "\1\xff\xff\xff\xff\xff\1", 7 },   /* length without end */
        { "\1", 1 },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ss_check(ss__header_check(bad[i]) == SS_E_CORRUPT);
    }
    memset(big, 1, sizeof big);
    ss_check(ss__header_check(ss_str_of(big, sizeof big)) == SS_E_CORRUPT);
    ss_check(ss__header_check(ss_str("")) == 0);
}
