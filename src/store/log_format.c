#include "store/log_format.h"

#include <string.h>

#include <sessionstream/error.h>

#include "core/hash.h"
#include "store/bytes_order.h"

#define HEAD_VERSION 1u
#define HEAD_BYTES 72u    /* before the checksum */
#define BATCH_MAGIC UINT32_C(0x31425353)

static const uint8_t head_magic[8] = { 's', 's', '-', 'l', 'o', 'g', '\r', '\n' };

void ss__log_head_encode(uint8_t out[SS_LOG_BLOCK_BYTES], const struct ss_log_head *head)
{
    memset(out, 0, SS_LOG_BLOCK_BYTES);
    memcpy(out, head_magic, sizeof head_magic);
    ss__put_le32(out + 8, HEAD_VERSION);
    ss__put_le32(out + 12, head->shard_index);
    ss__put_le64(out + 16, head->directory_id);
    ss__put_le64(out + 24, head->serial);
    ss__put_le64(out + 32, head->bytes);
    ss__put_le64(out + 40, head->previous_serial);
    ss__put_le64(out + 48, head->previous_end);
    ss__put_le64(out + 56, head->first_batch);
    ss__put_le64(out + HEAD_BYTES, ss__checksum(out, HEAD_BYTES));
}

int ss__log_head_decode(struct ss_str block, struct ss_log_head *ret_head)
{
    const uint8_t *in = (const uint8_t *)block.data;
    if (block.len < SS_LOG_BLOCK_BYTES || memcmp(in, head_magic, sizeof head_magic) != 0 ||
        ss__get_le64(in + HEAD_BYTES) != ss__checksum(in, HEAD_BYTES)) {
        return SS_E_CORRUPT;
    }
    if (ss__get_le32(in + 8) != HEAD_VERSION) {
        return SS_E_VERSION;
    }
    *ret_head = (struct ss_log_head){ .shard_index = ss__get_le32(in + 12),
                                      .directory_id = ss__get_le64(in + 16),
                                      .serial = ss__get_le64(in + 24),
                                      .bytes = ss__get_le64(in + 32),
                                      .previous_serial = ss__get_le64(in + 40),
                                      .previous_end = ss__get_le64(in + 48),
                                      .first_batch = ss__get_le64(in + 56) };
    return 0;
}

void ss__log_batch_encode(uint8_t out[SS_LOG_BATCH_HEAD_BYTES], uint64_t seed,
                          const struct ss_log_batch_head *head)
{
    ss__put_le32(out, BATCH_MAGIC);
    ss__put_le32(out + 4, head->records);
    ss__put_le64(out + 8, head->serial);
    ss__put_le64(out + 16, head->number);
    ss__put_le64(out + 24, head->bytes);
    ss__put_le64(out + 32, ss__checksum_seeded(seed, out, 32));
}

int ss__log_batch_decode(struct ss_str bytes, uint64_t seed, struct ss_log_batch_head *ret_head)
{
    const uint8_t *in = (const uint8_t *)bytes.data;
    if (bytes.len < SS_LOG_BATCH_HEAD_BYTES || ss__get_le32(in) != BATCH_MAGIC ||
        ss__get_le64(in + 32) != ss__checksum_seeded(seed, in, 32)) {
        return SS_E_CORRUPT;
    }
    struct ss_log_batch_head head = { .serial = ss__get_le64(in + 8),
                                      .number = ss__get_le64(in + 16),
                                      .records = ss__get_le32(in + 4),
                                      .bytes = ss__get_le64(in + 24) };
    if (head.bytes < SS_LOG_BATCH_HEAD_BYTES || head.bytes > bytes.len) {
        return SS_E_CORRUPT;
    }
    *ret_head = head;
    return 0;
}
