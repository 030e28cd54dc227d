#include "store_fixture.h"

static struct ss_row_value row_sample(void)
{
    return (struct ss_row_value){
        .ordinal = 70, .first_retained = 1, .created_us = 11, .updated_us = 22,
        .epoch_counter = 4,
        .tip = { .first = 65, .count = 6, .bytes = 600 }, .running = true, .id = ss_str("chat-1"),
    };
}

SS_TEST(layout, session_row_round_trips_and_wrong_shapes_are_refused)
{
    uint8_t bytes[SS_ROW_BYTES_MAX + 1] = { 0 };
    struct ss_row_value row = row_sample();
    struct ss_row_value got;
    size_t len = ss__row_encode(bytes, 7, &row);
    ss_check(ss__row_decode(7, ss_str_of(bytes, len), &got) == 0);
    ss_check(got.ordinal == 70 && got.first_retained == 1);
    ss_check(got.created_us == 11 && got.updated_us == 22);
    ss_check(got.epoch_counter == 4 && got.tip.first == 65 && got.tip.count == 6);
    ss_check(got.tip.bytes == 600 && got.running && ss_str_equal(got.id, row.id));
    for (size_t cut = 0; cut < len; cut++) {
        ss_check(ss__row_decode(7, ss_str_of(bytes, cut), &got) == SS_E_CORRUPT);
    }
    ss_check(ss__row_decode(7, ss_str_of(bytes, len + 1), &got) == SS_E_CORRUPT);
    bytes[0] = SS_VALUE_VERSION + 1;
    ss__value_seal(bytes, len, 7);
    ss_check(ss__row_decode(7, ss_str_of(bytes, len), &got) == SS_E_CORRUPT);
    row.tip = (struct ss_segment_tip){ .first = 6, .count = SS_SEGMENT_RECORDS_MAX + 1 };
    len = ss__row_encode(bytes, 7, &row);
    ss_check(ss__row_decode(7, ss_str_of(bytes, len), &got) == SS_E_CORRUPT);
}

static void flip(uint8_t *value, size_t bit)
{
    value[bit / 8] ^= (uint8_t)(1u << (bit % 8));
}

SS_TEST(layout, rows_entities_and_catalog_are_bound_to_their_keys_and_every_bit)
{
    uint8_t bytes[SS_ROW_BYTES_MAX];
    struct ss_row_value row = row_sample();
    struct ss_row_value got;
    size_t len = ss__row_encode(bytes, 7, &row);
    for (size_t bit = 0; bit < len * 8; bit++) {
        flip(bytes, bit);
        ss_check(ss__row_decode(7, ss_str_of(bytes, len), &got) == SS_E_CORRUPT);
        flip(bytes, bit);
    }
    ss_check(ss__row_decode(8, ss_str_of(bytes, len), &got) == SS_E_CORRUPT);

    uint8_t value[SS_ENTITY_FIXED_BYTES + 5];
    struct ss_str key = ss_str("a key");
    struct ss_str other = ss_str("b key");
    struct ss_str whole = ss_str_of(value, sizeof value);
    struct ss_entity_row entity = { .created_ordinal = 1, .last_ordinal = 2, .time_us = 3,
                                    .type_id = 4, .payload = ss_str("bytes") };
    struct ss_entity_row read = { 0 };
    ss__entity_encode(value, key, &entity);
    ss_check(ss__entity_decode(key, whole, &read) == 0 && read.last_ordinal == 2);
    ss_check(ss_str_equal(read.payload, entity.payload) && read.type_id == 4);
    for (size_t bit = 0; bit < sizeof value * 8; bit++) {
        flip(value, bit);
        ss_check(ss__entity_decode(key, whole, &read) == SS_E_CORRUPT);
        flip(value, bit);
    }
    ss_check(ss__entity_decode(other, whole, &read) == SS_E_CORRUPT);
    for (size_t cut = 0; cut < sizeof value; cut++) {
        ss_check(ss__entity_decode(key, ss_str_of(value, cut), &read) == SS_E_CORRUPT);
    }

    uint8_t catalog[SS_CATALOG_VALUE_BYTES];
    uint64_t sid;
    ss__catalog_encode(catalog, key, 12);
    struct ss_str entry = ss_str_of(catalog, sizeof catalog);
    for (size_t bit = 0; bit < sizeof catalog * 8; bit++) {
        flip(catalog, bit);
        ss_check(ss__catalog_decode(key, entry, &sid) == SS_E_CORRUPT);
        flip(catalog, bit);
    }
    ss_check(ss__catalog_decode(other, entry, &sid) == SS_E_CORRUPT);
}

SS_TEST(layout, row_whose_newest_segment_does_not_end_at_its_ordinal_is_refused)
{
    uint8_t bytes[SS_ROW_BYTES_MAX];
    struct ss_row_value row = row_sample();
    struct ss_row_value got;
    row.ordinal = 71;
    ss_check(ss__row_decode(7, ss_str_of(bytes, ss__row_encode(bytes, 7, &row)), &got) ==
             SS_E_CORRUPT);
    row.ordinal = 0;
    row.tip = (struct ss_segment_tip){ 0 };
    ss_check(ss__row_decode(7, ss_str_of(bytes, ss__row_encode(bytes, 7, &row)), &got) == 0);
}

SS_TEST(layout, epoch_differs_by_each_of_its_parts)
{
    uint64_t epochs[6] = { ss__row_epoch(1, 1, 1, 1, 1), ss__row_epoch(2, 1, 1, 1, 1),
                           ss__row_epoch(1, 2, 1, 1, 1), ss__row_epoch(1, 1, 2, 1, 1),
                           ss__row_epoch(1, 1, 1, 2, 1), ss__row_epoch(1, 1, 1, 1, 2) };
    for (int i = 0; i < 6; i++) {
        ss_check(epochs[i] != 0);
        for (int j = 0; j < i; j++) {
            ss_check(epochs[i] != epochs[j]);
        }
    }
    ss_check(epochs[0] == ss__row_epoch(1, 1, 1, 1, 1));
}

SS_TEST(layout, segment_is_bound_to_its_key_and_every_bit)
{
    uint8_t key[16];
    uint8_t value[SS_SEGMENT_HEAD_BYTES + 5] = { 0 };
    struct ss_segment got;
    memcpy(value + SS_SEGMENT_HEAD_BYTES, "abcde", 5);
    ss__segment_seal(value, sizeof value, 3, 65, 2);
    ss__segment_key(key, 3, 65);
    ss_check(ss__segment_decode(ss_str_of(key, 16), ss_str_of(value, sizeof value), &got) == 0);
    ss_check(got.sid == 3 && got.first == 65 && got.count == 2 && got.entries.len == 5);
    for (size_t bit = 0; bit < sizeof value * 8; bit++) {
        value[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        ss_check(ss__segment_decode(ss_str_of(key, 16), ss_str_of(value, sizeof value), &got) ==
                 SS_E_CORRUPT);
        value[bit / 8] ^= (uint8_t)(1u << (bit % 8));
    }
    ss__segment_key(key, 3, 66);
    ss_check(ss__segment_decode(ss_str_of(key, 16), ss_str_of(value, sizeof value), &got) ==
             SS_E_CORRUPT);
    ss_check(ss__segment_decode(ss_str_of(key, 15), ss_str_of(value, sizeof value), &got) ==
             SS_E_CORRUPT);
}

SS_TEST(layout, entity_key_keeps_kind_and_id_apart_and_within_lmdb)
{
    uint8_t out[SS_KEY_BYTES_MAX];
    char kind[SS_NAME_BYTES_MAX + 1];
    char id[SS_ENTITY_ID_BYTES_MAX + 1];
    uint64_t sid;
    uint32_t projection;
    struct ss_str got_kind;
    struct ss_str got_id;
    memset(kind, 'k', sizeof kind);
    memset(id, 'i', sizeof id);
    int len = ss__entity_key(out, 9, 77, ss_str_of(kind, SS_NAME_BYTES_MAX),
                             ss_str_of(id, SS_ENTITY_ID_BYTES_MAX));
    ss_check(len > 0 && (unsigned)len <= SS_KEY_BYTES_MAX);
    ss_check(ss__entity_key_decode(ss_str_of(out, (size_t)len), &sid, &projection, &got_kind,
                                   &got_id) == 0);
    ss_check(sid == 9 && projection == 77 && got_kind.len == SS_NAME_BYTES_MAX);
    ss_check(got_id.len == SS_ENTITY_ID_BYTES_MAX);
    ss_check(ss__entity_key(out, 9, 1, ss_str_of(kind, sizeof kind), ss_str("x")) == SS_E_TOOBIG);
    ss_check(ss__entity_key(out, 9, 1, ss_str("k"), ss_str_of(id, sizeof id)) == SS_E_TOOBIG);
    ss_check(ss__entity_key(out, 9, 1, ss_str(""), ss_str("x")) == SS_E_INVAL);
    ss_check(ss__entity_key(out, 9, 1, ss_str_of("a\0b", 3), ss_str("x")) == SS_E_INVAL);
    ss_check(ss__entity_key_decode(ss_str_of("12345678abcdkk", 14), &sid, &projection, &got_kind,
                                   &got_id) == SS_E_CORRUPT);
    ss_check(ss__entity_key_decode(ss_str_of("12345678abcd\0i", 14), &sid, &projection,
                                   &got_kind, &got_id) == SS_E_CORRUPT);
}

SS_TEST(layout, catalog_type_and_meta_values_round_trip_and_cuts_are_refused)
{
    uint8_t catalog[SS_CATALOG_VALUE_BYTES];
    struct ss_str key = ss_str("key");
    struct ss_str value = ss_str_of(catalog, sizeof catalog);
    uint64_t sid;
    ss__catalog_encode(catalog, key, 12);
    ss_check(ss__catalog_decode(key, value, &sid) == 0 && sid == 12);
    ss_check(ss__catalog_decode(key, ss_str_of(catalog, 16), &sid) == SS_E_CORRUPT);
    ss__catalog_encode(catalog, key, 0);
    ss_check(ss__catalog_decode(key, value, &sid) == SS_E_CORRUPT);

    struct ss_bytes out;
    struct ss_type_value type = { SS_TYPE_EVENT, 77, ss_str("E"), ss_str("p.E") };
    struct ss_type_value got;
    ss__bytes_init(&out, 0);
    ss__type_encode(&out, &type);
    ss_check(ss__type_decode(ss__bytes_view(&out), &got) == 0);
    ss_check(got.fingerprint == 77 && ss_str_equal(got.full_name, type.full_name));
    for (size_t cut = 0; cut < out.len; cut++) {
        ss_check(ss__type_decode(ss_str_of(out.data, cut), &got) == SS_E_CORRUPT);
    }
    ss__bytes_deinit(&out);

    uint8_t meta[SS_META_BYTES_MAX];
    struct ss_meta_shard shard = { 1, 2, 3 };
    struct ss_meta_shard got_shard;
    size_t len = ss__meta_shard_encode(meta, &shard);
    ss_check(ss__meta_shard_decode(ss_str_of(meta, len), &got_shard) == 0);
    ss_check(got_shard.index == 1 && got_shard.count == 2 && got_shard.directory_id == 3);
    meta[0]++;
    ss_check(ss__meta_shard_decode(ss_str_of(meta, len), &got_shard) == SS_E_VERSION);
    struct ss_meta_run run = { true, SS_DURABILITY_NONE, 8, 9 };
    struct ss_meta_run got_run;
    len = ss__meta_run_encode(meta, &run);
    ss_check(ss__meta_run_decode(ss_str_of(meta, len), &got_run) == 0);
    ss_check(got_run.clean && got_run.durability == SS_DURABILITY_NONE);
    ss_check(got_run.incarnation == 8 && got_run.damage == 9);
    ss_check(ss__meta_run_decode(ss_str_of(meta, len - 1), &got_run) == SS_E_CORRUPT);
}

SS_TEST(layout, extent_of_the_log_round_trips_and_no_other_length_is_taken)
{
    uint8_t meta[SS_META_BYTES_MAX + 1] = { 0 };
    struct ss_meta_log log = { UINT32_MAX, UINT64_MAX - 1 };
    struct ss_meta_log got = { 0 };
    size_t len = ss__meta_log_encode(meta, &log);
    ss_check(len <= SS_META_BYTES_MAX);
    ss_check(ss__meta_log_decode(ss_str_of(meta, len), &got) == 0);
    ss_check(got.needed_serial == UINT32_MAX && got.next_batch == UINT64_MAX - 1);
    for (size_t cut = 1; cut < len; cut++) {
        ss_check(ss__meta_log_decode(ss_str_of(meta, cut), &got) == SS_E_CORRUPT);
    }
    ss_check(ss__meta_log_decode(ss_str_of(meta, len + 1), &got) == SS_E_CORRUPT);
    meta[0]++;
    ss_check(ss__meta_log_decode(ss_str_of(meta, len), &got) == SS_E_CORRUPT);
}

/* A bit anywhere in a value that had no checksum once. */
static void check_flips(uint8_t *value, size_t len, int (*decode)(struct ss_str value))
{
    ss_check(decode(ss_str_of(value, len)) == 0);
    for (size_t bit = 0; bit < 8 * len; bit++) {
        value[bit / 8] ^= (uint8_t)(1u << bit % 8);
        ss_check_msg(decode(ss_str_of(value, len)) != 0, "bit %zu", bit);
        value[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

static int decode_type(struct ss_str value)
{
    struct ss_type_value type;
    return ss__type_decode(value, &type);
}

static int decode_run(struct ss_str value)
{
    struct ss_meta_run run;
    return ss__meta_run_decode(value, &run);
}

static int decode_sid(struct ss_str value)
{
    uint64_t sid;
    return ss__meta_sid_decode(value, &sid);
}

static int decode_log(struct ss_str value)
{
    struct ss_meta_log log;
    return ss__meta_log_decode(value, &log);
}

static int decode_shard(struct ss_str value)
{
    struct ss_meta_shard shard;
    return ss__meta_shard_decode(value, &shard);
}

SS_TEST(layout, flipped_bit_of_types_meta_and_running_is_noticed)
{
    uint8_t meta[SS_META_BYTES_MAX];
    struct ss_bytes out;
    struct ss_type_value type = { SS_TYPE_EVENT, 77, ss_str("E"), ss_str("p.E") };
    ss__bytes_init(&out, 0);
    ss__type_encode(&out, &type);
    check_flips(out.data, out.len, decode_type);
    ss__bytes_deinit(&out);
    check_flips(meta, ss__meta_run_encode(meta, &(struct ss_meta_run){ true, 0, 3, 0 }),
                decode_run);
    check_flips(meta, ss__meta_sid_encode(meta, 9), decode_sid);
    check_flips(meta, ss__meta_log_encode(meta, &(struct ss_meta_log){ 1, 2 }), decode_log);
    check_flips(meta, ss__meta_shard_encode(meta, &(struct ss_meta_shard){ 1, 2, 3 }),
                decode_shard);
    uint64_t sid = 0;
    uint8_t key[8];
    ss__put_be64(key, 77);
    ss__running_encode(meta, 77);
    struct ss_str value = ss_str_of(meta, SS_RUNNING_BYTES);
    ss_check(ss__running_decode(ss_str_of(key, 8), value, &sid) == 0 && sid == 77);
    for (size_t bit = 0; bit < 64; bit++) {
        key[bit / 8] ^= (uint8_t)(1u << bit % 8);
        ss_check(ss__running_decode(ss_str_of(key, 8), value, &sid) == SS_E_CORRUPT);
        key[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

SS_TEST(layout, values_without_checksum_are_still_read)
{
    static const uint8_t run[19] = { SS_VALUE_VERSION, 1, 2, 8 };
    static const uint8_t sid_value[9] = { SS_VALUE_VERSION, 5 };
    static const uint8_t type[14 + 4] = { SS_VALUE_VERSION, SS_TYPE_EVENT, 0, 0, 0, 0, 0, 0, 0, 0,
                                          1, 0, 3, 0, 'E', 'p', '.', 'E' };
    struct ss_meta_run got_run;
    struct ss_type_value got_type;
    uint64_t sid;
    uint8_t key[8] = { 0, 0, 0, 0, 0, 0, 0, 4 };
    ss_check(ss__meta_run_decode(ss_str_of(run, sizeof run), &got_run) == 0 && got_run.clean);
    ss_check(ss__meta_sid_decode(ss_str_of(sid_value, 9), &sid) == 0 && sid == 5);
    ss_check(ss__type_decode(ss_str_of(type, sizeof type), &got_type) == 0);
    ss_check(ss_str_equal(got_type.full_name, ss_str("p.E")));
    ss_check(ss__running_decode(ss_str_of(key, 8), ss_str("\3"), &sid) == 0 && sid == 4);
}

SS_TEST(layout, row_with_timelines_that_cannot_be_is_refused)
{
    uint8_t bytes[SS_ROW_BYTES_MAX];
    struct ss_row_value row = row_sample();
    struct ss_row_value got;
    row.timelines = ss_str("\xff\xff\xff");
    ss_check(ss__row_decode(7, ss_str_of(bytes, ss__row_encode(bytes, 7, &row)), &got) ==
             SS_E_CORRUPT);
}

SS_TEST(layout, keys_of_another_shape_are_refused)
{
    uint8_t key[SS_KEY_BYTES_MAX];
    struct ss_str id;
    struct ss_str kind;
    uint64_t sid;
    uint32_t projection;
    size_t len = ss__catalog_key(key, ss_str("chat"));
    ss_check(ss__catalog_key_decode(ss_str_of(key, len), &id) == 0 &&
             ss_str_equal(id, ss_str("chat")));
    ss_check(ss__catalog_key_decode(ss_str_of(key, 4), &id) == SS_E_CORRUPT);
    key[3] = 1;
    ss_check(ss__catalog_key_decode(ss_str_of(key, len), &id) == SS_E_CORRUPT);
    memset(key, 'x', sizeof key);
    key[SS_ENTITY_PREFIX_BYTES + SS_NAME_BYTES_MAX] = 0;
    len = SS_ENTITY_PREFIX_BYTES + SS_NAME_BYTES_MAX + 1 + SS_ENTITY_ID_BYTES_MAX;
    ss_check(ss__entity_key_decode(ss_str_of(key, len), &sid, &projection, &kind, &id) == 0);
    ss_check(kind.len == SS_NAME_BYTES_MAX && id.len == SS_ENTITY_ID_BYTES_MAX);
    ss_check(ss__entity_key_decode(ss_str_of(key, len + 1), &sid, &projection, &kind, &id) ==
             SS_E_CORRUPT);
    key[SS_ENTITY_PREFIX_BYTES + SS_NAME_BYTES_MAX] = 'x';
    key[SS_ENTITY_PREFIX_BYTES + SS_NAME_BYTES_MAX + 1] = 0;
    ss_check(ss__entity_key_decode(ss_str_of(key, len), &sid, &projection, &kind, &id) ==
             SS_E_CORRUPT);
}

SS_TEST(layout, type_whose_parts_do_not_fill_it_is_refused)
{
    struct ss_bytes bytes;
    struct ss_type_value got;
    const struct ss_type_value type = { .space = SS_TYPE_EVENT, .name = ss_str("Said"),
                                        .full_name = ss_str("t.Said") };
    ss__bytes_init(&bytes, 0);
    ss__type_encode(&bytes, &type);
    ss_check(bytes.err == 0 && ss__type_decode(ss__bytes_view(&bytes), &got) == 0);
    bytes.data[1] = SS_TYPE_PROJECTION + 1;
    ss__value_seal(bytes.data, bytes.len, 1);    /* the seed of types */
    ss_check(ss__type_decode(ss__bytes_view(&bytes), &got) == SS_E_CORRUPT);
    bytes.data[1] = SS_TYPE_EVENT;
    ss__value_seal(bytes.data, bytes.len, 1);
    ss_check(ss__type_decode(ss__bytes_view(&bytes), &got) == 0);
    bytes.data[10]++;
    ss__value_seal(bytes.data, bytes.len, 1);
    ss_check(ss__type_decode(ss__bytes_view(&bytes), &got) == SS_E_CORRUPT);
    ss__bytes_deinit(&bytes);
}
