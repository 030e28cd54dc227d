#include "core/hash.h"

#include <pthread.h>
#include <string.h>

#include "ss_test.h"

#define THREADS 4
#define LEN_MAX 1100    /* past every path of XXH3: 16, 128, 240 and a block of 1,024 bytes */

static void fill(uint8_t *out, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        out[i] = (uint8_t)(i * 167);
    }
}

/* XXH3 multiplies data ^ secret, so a secret in step with the data would meet zeros. */
static void fill_key(struct ss_hash_key *key, uint32_t seed)
{
    for (size_t i = 0; i < sizeof key->bytes; i++) {
        seed = seed * 1664525u + 1013904223u;
        key->bytes[i] = (uint8_t)(seed >> 24);
    }
}

SS_TEST(hash, every_byte_of_the_data_counts)
{
    struct ss_hash_key key;
    uint8_t data[LEN_MAX];
    fill_key(&key, 3);
    fill(data, sizeof data);
    for (size_t len = 1; len <= LEN_MAX; len += len < 300 ? 1 : 37) {
        uint64_t whole = ss__hash(&key, ss_str_of(data, len));
        uint64_t sum = ss__checksum(data, len);
        for (size_t at = 0; at < len; at++) {
            data[at] ^= 0x10;
            ss_check_msg(ss__hash(&key, ss_str_of(data, len)) != whole &&
                             ss__checksum(data, len) != sum,
                         "byte %zu of %zu", at, len);
            data[at] ^= 0x10;
        }
        ss_check(ss__hash(&key, ss_str_of(data, len)) == whole);
        ss_check(ss__hash(&key, ss_str_of(data, len - 1)) != whole);
    }
}

SS_TEST(hash, another_key_is_another_hash)
{
    struct ss_hash_key one;
    struct ss_hash_key two;
    uint8_t data[LEN_MAX];
    fill_key(&one, 3);
    fill_key(&two, 4);
    fill(data, sizeof data);
    for (size_t len = 0; len <= LEN_MAX; len++) {
        ss_check_msg(ss__hash(&one, ss_str_of(data, len)) != ss__hash(&two, ss_str_of(data, len)),
                     "length %zu", len);
    }
}

SS_TEST(hash, nothing_at_all_has_a_hash)
{
    struct ss_hash_key key;
    fill_key(&key, 3);
    ss_check(ss__hash(&key, ss_str(NULL)) == ss__hash(&key, ss_str_of("x", 0)));
    ss_check(ss__checksum(NULL, 0) == ss__checksum("x", 0));
}

SS_TEST(hash, checksums_on_disk_keep_their_values)
{
    uint8_t data[LEN_MAX];
    fill(data, sizeof data);
    ss_check(ss__checksum(NULL, 0) == UINT64_C(0x2d06800538d394c2));    /* XXH3 specification */
    ss_check(ss__checksum_seeded(0, data, LEN_MAX) == ss__checksum(data, LEN_MAX));
    ss_check(ss__checksum("session", 7) == UINT64_C(0x88fa280b7f9a7d49));
    ss_check(ss__checksum(data, 200) == UINT64_C(0x9e1f9cfb3f5df3c));
    ss_check(ss__checksum(data, LEN_MAX) == UINT64_C(0x540edbe2b7656568));
    ss_check(ss__checksum_seeded(42, data, LEN_MAX) == UINT64_C(0x9002ae06e3b15455));
}

SS_TEST(hash, a_scaled_one_covers_the_whole_range_evenly_and_nothing_else)
{
    static const uint32_t counts[] = { 1, 2, 3, 7, 64, 1000, UINT32_MAX };
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        uint32_t count = counts[i];
        ss_check(ss__hash_scale(0, count) == 0);
        ss_check(ss__hash_scale(UINT64_MAX, count) == count - 1);
        ss_check(ss__hash_scale(UINT64_C(1) << 63, count) == count / 2);
    }
    uint32_t seen[7] = { 0 };
    for (uint32_t i = 0; i < 7000; i++) {
        seen[ss__hash_scale(ss__checksum(&i, sizeof i), 7)]++;
    }
    for (int i = 0; i < 7; i++) {
        ss_check_msg(seen[i] > 850 && seen[i] < 1150, "%u of 7000 in part %d", seen[i], i);
    }
}

SS_TEST(hash, random_bytes_fill_exactly_what_was_asked)
{
    uint8_t guarded[1000];
    static const size_t lens[] = { 0, 1, 255, 256, 257, 900 };
    for (size_t i = 0; i < sizeof lens / sizeof lens[0]; i++) {
        size_t len = lens[i];
        memset(guarded, 0x5A, sizeof guarded);
        ss_check(ss__random_bytes(guarded + 50, len) == 0);
        for (size_t at = 0; at < sizeof guarded; at++) {
            ss_check((at >= 50 && at < 50 + len) || guarded[at] == 0x5A);
        }
    }
    uint8_t again[900];
    ss_check(ss__random_bytes(again, sizeof again) == 0);
    ss_check(memcmp(again, guarded + 50, sizeof again) != 0);
}

SS_TEST(hash, a_large_request_for_random_bytes_is_filled_to_its_end)
{
    /* The kernel may answer in parts. Sixteen equal bytes in a row: 2^-128. */
    static uint8_t bytes[1 << 20];
    static const uint8_t zero[16];
    ss_check(ss__random_bytes(bytes, sizeof bytes) == 0);
    for (size_t at = 0; at < sizeof bytes; at += sizeof zero) {
        ss_check_msg(memcmp(bytes + at, zero, sizeof zero) != 0, "at %zu", at);
    }
}

static void *take_key(void *argument)
{
    const struct ss_hash_key **key = argument;
    *key = ss__process_hash_key();
    return NULL;
}

SS_TEST(hash, all_threads_of_a_process_get_the_same_random_key)
{
    static const struct ss_hash_key zero;
    const struct ss_hash_key *keys[THREADS];
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        ss_check(pthread_create(&threads[i], NULL, take_key, &keys[i]) == 0);
    }
    for (int i = 0; i < THREADS; i++) {
        ss_check(pthread_join(threads[i], NULL) == 0);
        ss_check(keys[i] == ss__process_hash_key());
    }
    ss_check(memcmp(keys[0], &zero, sizeof zero) != 0);
}
