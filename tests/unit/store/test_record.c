#include "core/hash.h"
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

/* Any flipped bit and any cut of @value is noticed. */
static void is_guarded(uint8_t *value, size_t len, uint64_t seed)
{
    struct ss_log_record got;
    for (size_t bit = 0; bit < len * 8; bit++) {
        value[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        ss_check(ss__log_record_decode(ss_str_of(value, len), seed, &got) == SS_E_CORRUPT);
        value[bit / 8] ^= (uint8_t)(1u << (bit % 8));
    }
    for (size_t cut = 0; cut < len; cut++) {
        ss_check(ss__log_record_decode(ss_str_of(value, cut), seed, &got) == SS_E_CORRUPT);
        ss_check(got.len == 0);
    }
    ss_check(ss__log_record_decode(ss_str_of(value, len), seed + 1, &got) == SS_E_CORRUPT);
    ss_check(got.len == len);    /* the next one can be found */
}

SS_TEST(record, event_in_the_log_round_trips_and_any_flipped_bit_is_noticed)
{
    uint8_t value[136] = { 0 };    /* more may follow */
    size_t len = ss__log_event_bytes(&sample);
    struct ss_log_record got;
    ss__log_event_encode(value, 99, 1234, 5, &sample);
    ss_check(ss__log_record_decode(ss_str_of(value, sizeof value), 99, &got) == 0);
    ss_check(got.kind == SS_LOG_EVENT && got.len == len && got.batch == 1234 && got.sid == 5);
    ss_check(got.event.ordinal == 7);
    same(&got.event, &sample);
    is_guarded(value, len, 99);
}

SS_TEST(record, new_session_in_the_log_round_trips_and_any_flipped_bit_is_noticed)
{
    uint8_t value[512] = { 0 };
    size_t len = ss__log_session_bytes(ss_str("abc"));
    struct ss_log_record got;
    ss__log_session_encode(value, 99, 1234, 5, 777, ss_str("abc"));
    ss_check(ss__log_record_decode(ss_str_of(value, sizeof value), 99, &got) == 0);
    ss_check(got.kind == SS_LOG_SESSION && got.len == len && got.batch == 1234 && got.sid == 5);
    ss_check(got.created_us == 777 && ss_str_equal(got.id, ss_str("abc")));
    is_guarded(value, len, 99);
}

SS_TEST(record, deletion_in_the_log_has_this_layout_and_any_flipped_bit_is_noticed)
{
    static const uint8_t expected[SS_LOG_DELETE_BYTES - 8] = {
        40, 0, 0, 0,                                         /* length */
        3, 1, 0, 0,                                          /* kind, version, flags */
        0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11,      /* batch */
        5, 0, 0, 0, 0, 0, 0, 0,                              /* sid */
        9, 3, 0, 0, 0, 0, 0, 0,                              /* time in microseconds */
    };
    uint8_t value[64] = { 0 };
    struct ss_log_record got;
    ss__log_delete_encode(value, 99, UINT64_C(0x1122334455667788), 5, 777);
    ss_check(memcmp(value, expected, sizeof expected) == 0);
    ss_check(ss__get_le64(value + 32) == ss__checksum_seeded(99, value, 32));
    ss_check(ss__log_record_decode(ss_str_of(value, sizeof value), 99, &got) == 0);
    ss_check(got.kind == SS_LOG_DELETE && got.len == SS_LOG_DELETE_BYTES && got.sid == 5);
    ss_check(got.batch == UINT64_C(0x1122334455667788) && got.deleted_us == 777);
    is_guarded(value, SS_LOG_DELETE_BYTES, 99);
}

static void reseal(uint8_t *value, size_t len, uint64_t seed)
{
    ss__put_le64(value + len - 8, ss__checksum_seeded(seed, value, len - 8));
}

SS_TEST(record, sound_checksum_over_an_impossible_shape_is_damage)
{
    uint8_t value[512] = { 0 };
    struct ss_log_record got;
    size_t len = ss__log_event_bytes(&sample);
    ss__log_event_encode(value, 1, 1, 5, &sample);
    ss__put_le32(value + 44, (uint32_t)(len - SS_LOG_EVENT_FIXED_BYTES) + 1);    /* header */
    reseal(value, len, 1);
    ss_check(ss__log_record_decode(ss_str_of(value, len), 1, &got) == SS_E_CORRUPT);
    ss_check(got.sid == 5 && got.event.ordinal == 7);

    ss__log_event_encode(value, 1, 1, 5, &sample);
    value[4] = 4;    /* kind */
    reseal(value, len, 1);
    ss_check(ss__log_record_decode(ss_str_of(value, len), 1, &got) == SS_E_CORRUPT);
    ss__log_event_encode(value, 1, 1, 5, &sample);
    value[5]++;    /* version */
    reseal(value, len, 1);
    ss_check(ss__log_record_decode(ss_str_of(value, len), 1, &got) == SS_E_CORRUPT);

    for (size_t short_len = 32; short_len < SS_LOG_EVENT_FIXED_BYTES; short_len++) {
        ss__log_event_encode(value, 1, 1, 5, &sample);
        ss__put_le32(value, (uint32_t)short_len);
        reseal(value, short_len, 1);
        ss_check(ss__log_record_decode(ss_str_of(value, short_len), 1, &got) == SS_E_CORRUPT);
    }
    for (uint32_t wrong = SS_LOG_DELETE_BYTES - 8; wrong <= SS_LOG_DELETE_BYTES + 8; wrong += 8) {
        memset(value, 0, sizeof value);
        ss__log_delete_encode(value, 1, 1, 5, 1);
        ss__put_le32(value, wrong);
        reseal(value, wrong, 1);
        ss_check((ss__log_record_decode(ss_str_of(value, sizeof value), 1, &got) == 0) ==
                 (wrong == SS_LOG_DELETE_BYTES));
    }
    ss__log_session_encode(value, 1, 1, 5, 1, ss_str(""));
    len = ss__log_session_bytes(ss_str(""));
    ss_check(ss__log_record_decode(ss_str_of(value, len), 1, &got) == SS_E_CORRUPT);
    char id[SS_SESSION_ID_BYTES_MAX + 1];
    memset(id, 'i', sizeof id);
    struct ss_str longest = ss_str_of(id, sizeof id - 1);
    ss_check(ss__log_session_bytes(longest) < sizeof value);
    ss__log_session_encode(value, 1, 1, 5, 1, longest);
    ss_check(ss__log_record_decode(ss_str_of(value, sizeof value), 1, &got) == 0);
    ss_check(ss_str_equal(got.id, longest));
    ss__log_session_encode(value, 1, 1, 5, 1, ss_str_of(id, sizeof id));
    ss_check(ss__log_record_decode(ss_str_of(value, sizeof value), 1, &got) == SS_E_CORRUPT);
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

SS_TEST(record, what_is_shorter_than_any_record_is_none)
{
    ss_check(ss__log_record_bytes(ss_str("")) == 0);
    ss_check(ss__log_record_bytes(ss_str("shorter")) == 0);
}
