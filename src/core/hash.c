#include "core/hash.h"

#define XXH_INLINE_ALL
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <sys/random.h>
#include <xxhash.h>

#include <sessionstream/error.h>

#include "core/contract.h"

_Static_assert(SS_HASH_KEY_BYTES >= XXH3_SECRET_SIZE_MIN, "XXH3 wants a longer secret");

uint64_t ss__hash(const struct ss_hash_key *key, struct ss_str data)
{
    return XXH3_64bits_withSecret(data.data, data.len, key->bytes, sizeof key->bytes);
}

uint64_t ss__checksum(const void *data, size_t len)
{
    return XXH3_64bits(data, len);
}

uint64_t ss__checksum_seeded(uint64_t seed, const void *data, size_t len)
{
    return XXH3_64bits_withSeed(data, len, seed);
}

uint32_t ss__hash_scale(uint64_t hash, uint32_t count)
{
    return (uint32_t)(((hash >> 32) * count) >> 32);
}

int ss__random_bytes(void *out, size_t len)
{
    uint8_t *at = out;
    while (len > 0) {
        ssize_t got = getrandom(at, len, 0);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            return SS_E_IO;
        }
        at += got;
        len -= (size_t)got;
    }
    return 0;
}

static struct ss_hash_key process_key;
static pthread_once_t process_key_once = PTHREAD_ONCE_INIT;
static bool process_key_fixed;

static void make_process_key(void)
{
    SS_INSIST(process_key_fixed ||
              ss__random_bytes(process_key.bytes, sizeof process_key.bytes) == 0);
}

const struct ss_hash_key *ss__process_hash_key(void)
{
    SS_INSIST(pthread_once(&process_key_once, make_process_key) == 0);
    return &process_key;
}

void ss__process_hash_fix(const struct ss_hash_key *key)
{
    process_key = *key;
    process_key_fixed = true;
}
