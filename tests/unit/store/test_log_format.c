#include "store/log_format.h"

#include <string.h>

#include <sessionstream/error.h>

#include "core/hash.h"
#include "ss_test.h"
#include "store/bytes_order.h"

static const struct ss_log_head sample = { .shard_index = 3,
                                           .directory_id = UINT64_MAX,
                                           .serial = 0x12345678,
                                           .bytes = SS_LOG_FILE_BYTES_MAX,
                                           .previous_serial = 0x12345677,
                                           .previous_end = 5u << 20,
                                           .first_batch = UINT64_MAX - 1 };

SS_TEST(log_format, head_round_trips_and_any_flipped_bit_of_it_is_noticed)
{
    uint8_t block[SS_LOG_BLOCK_BYTES];
    struct ss_log_head got = { 0 };
    ss__log_head_encode(block, &sample);
    ss_check(ss__log_head_decode(ss_str_of(block, sizeof block), &got) == 0);
    ss_check(got.shard_index == 3 && got.directory_id == UINT64_MAX);
    ss_check(got.serial == 0x12345678 && got.bytes == SS_LOG_FILE_BYTES_MAX);
    ss_check(got.previous_serial == 0x12345677 && got.previous_end == 5u << 20);
    ss_check(got.first_batch == UINT64_MAX - 1);
    for (size_t bit = 0; bit < 80 * 8; bit++) {
        block[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        ss_check(ss__log_head_decode(ss_str_of(block, sizeof block), &got) == SS_E_CORRUPT);
        block[bit / 8] ^= (uint8_t)(1u << (bit % 8));
    }
    for (size_t len = 0; len < sizeof block; len++) {
        ss_check(ss__log_head_decode(ss_str_of(block, len), &got) == SS_E_CORRUPT);
    }
}

SS_TEST(log_format, head_of_another_version_is_told_from_damage)
{
    uint8_t block[SS_LOG_BLOCK_BYTES];
    struct ss_log_head got = { .serial = 77 };
    ss__log_head_encode(block, &sample);
    ss__put_le32(block + 8, 2);
    ss__put_le64(block + 72, ss__checksum(block, 72));
    ss_check(ss__log_head_decode(ss_str_of(block, sizeof block), &got) == SS_E_VERSION);
    ss_check(got.serial == 77);
}

SS_TEST(log_format, batch_head_round_trips_and_any_flipped_bit_is_noticed)
{
    uint8_t bytes[100] = { 0 };
    struct ss_log_batch_head head = { .serial = 9, .number = UINT64_MAX, .records = UINT32_MAX,
                                      .bytes = sizeof bytes };
    struct ss_log_batch_head got = { 0 };
    ss__log_batch_encode(bytes, 5, &head);
    ss_check(ss__log_batch_decode(ss_str_of(bytes, sizeof bytes), 5, &got) == 0);
    ss_check(got.serial == 9 && got.number == UINT64_MAX && got.records == UINT32_MAX);
    ss_check(got.bytes == sizeof bytes);
    ss_check(ss__log_batch_decode(ss_str_of(bytes, sizeof bytes), 6, &got) == SS_E_CORRUPT);
    for (size_t bit = 0; bit < SS_LOG_BATCH_HEAD_BYTES * 8; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        ss_check(ss__log_batch_decode(ss_str_of(bytes, sizeof bytes), 5, &got) == SS_E_CORRUPT);
        bytes[bit / 8] ^= (uint8_t)(1u << (bit % 8));
    }
    for (size_t len = 0; len < sizeof bytes; len++) {
        ss_check(ss__log_batch_decode(ss_str_of(bytes, len), 5, &got) == SS_E_CORRUPT);
    }
    head.bytes = SS_LOG_BATCH_HEAD_BYTES - 1;
    ss__log_batch_encode(bytes, 5, &head);
    ss_check(ss__log_batch_decode(ss_str_of(bytes, sizeof bytes), 5, &got) == SS_E_CORRUPT);
    head.bytes = UINT64_MAX;
    ss__log_batch_encode(bytes, 5, &head);
    ss_check(ss__log_batch_decode(ss_str_of(bytes, sizeof bytes), 5, &got) == SS_E_CORRUPT);
}

SS_TEST(log_format, sizes_are_rounded_up_to_blocks_and_positions_hold_both_parts)
{
    ss_check(ss__log_round(0) == 0 && ss__log_round(1) == 512 && ss__log_round(512) == 512);
    ss_check(ss__log_round(513) == 1024);
    ss_check(ss__log_round(SS_LOG_FILE_BYTES_MAX) == SS_LOG_FILE_BYTES_MAX);
    ss_check(ss__log_position(UINT32_MAX, UINT32_MAX) == UINT64_MAX);
    ss_check(ss__log_position(1, 512) == (UINT64_C(1) << 32) + 512);
}
