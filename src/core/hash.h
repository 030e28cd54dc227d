/* hash.h - keyed hashes: strangers choose session ids, so no table may be predictable. */
#ifndef SS_CORE_HASH_H
#define SS_CORE_HASH_H

#include <stddef.h>
#include <stdint.h>

#include <sessionstream/types.h>

#define SS_HASH_KEY_BYTES 192

/* Secret of the keyed hash. Fill with ss__random_bytes. */
struct ss_hash_key {
    uint8_t bytes[SS_HASH_KEY_BYTES];
};

/* 64-bit XXH3 of @data under @key. Pure; any thread. */
uint64_t ss__hash(const struct ss_hash_key *key, struct ss_str data);

/* 64-bit XXH3 without key: checksums of stored records, never table positions. */
uint64_t ss__checksum(const void *data, size_t len);
uint64_t ss__checksum_seeded(uint64_t seed, const void *data, size_t len);

/* Scales a hash to 0 … @count-1 by its high bits. */
uint32_t ss__hash_scale(uint64_t hash, uint32_t count);

/* Fills @out from the kernel's generator. Errors: SS_E_IO. Blocks only before the pool is ready. */
int ss__random_bytes(void *out, size_t len);

/* The key of this process for in-memory tables, made at the first call. Any thread. */
const struct ss_hash_key *ss__process_hash_key(void);

/* For simulations: gives the process this key, so that tables have one order in every run. Before
 * the first use, one thread. */
void ss__process_hash_fix(const struct ss_hash_key *key);

#endif
