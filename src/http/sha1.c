#include "http/sha1.h"

#include <string.h>

#define BLOCK_BYTES 64

static uint32_t rotate(uint32_t word, unsigned bits)
{
    return word << bits | word >> (32 - bits);
}

static uint32_t load_be32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static void store_be32(uint8_t *at, uint32_t word)
{
    at[0] = (uint8_t)(word >> 24);
    at[1] = (uint8_t)(word >> 16);
    at[2] = (uint8_t)(word >> 8);
    at[3] = (uint8_t)word;
}

/* FIPS 180-4 section 6.1.2. */
static void mix_block(uint32_t hash[5], const uint8_t *block)
{
    static const uint32_t constants[4] = { 0x5A827999, 0x6ED9EBA1, 0x8F1BBCDC, 0xCA62C1D6 };
    uint32_t schedule[80];
    for (unsigned t = 0; t < 16; t++) {
        schedule[t] = load_be32(block + 4 * t);
    }
    for (unsigned t = 16; t < 80; t++) {
        schedule[t] = rotate(schedule[t - 3] ^ schedule[t - 8] ^ schedule[t - 14] ^
                             schedule[t - 16], 1);
    }
    uint32_t a = hash[0];
    uint32_t b = hash[1];
    uint32_t c = hash[2];
    uint32_t d = hash[3];
    uint32_t e = hash[4];
    for (unsigned t = 0; t < 80; t++) {
        uint32_t f = t < 20 ? (b & c) | (~b & d)
                   : t >= 40 && t < 60 ? (b & c) | (b & d) | (c & d)
                   : b ^ c ^ d;
        uint32_t next = rotate(a, 5) + f + e + constants[t / 20] + schedule[t];
        e = d;
        d = c;
        c = rotate(b, 30);
        b = a;
        a = next;
    }
    hash[0] += a;
    hash[1] += b;
    hash[2] += c;
    hash[3] += d;
    hash[4] += e;
}

void ss__sha1(struct ss_str data, uint8_t ret_digest[SS_SHA1_BYTES])
{
    uint32_t hash[5] = { 0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0 };
    const uint8_t *at = (const uint8_t *)data.data;
    size_t left = data.len;
    for (; left >= BLOCK_BYTES; at += BLOCK_BYTES, left -= BLOCK_BYTES) {
        mix_block(hash, at);
    }
    uint8_t tail[2 * BLOCK_BYTES] = { 0 };
    if (left > 0) {
        memcpy(tail, at, left);
    }
    tail[left] = 0x80;
    size_t tail_len = left < BLOCK_BYTES - 8 ? BLOCK_BYTES : 2 * BLOCK_BYTES;
    uint64_t bits = (uint64_t)data.len * 8;
    store_be32(tail + tail_len - 8, (uint32_t)(bits >> 32));
    store_be32(tail + tail_len - 4, (uint32_t)bits);
    for (size_t done = 0; done < tail_len; done += BLOCK_BYTES) {
        mix_block(hash, tail + done);
    }
    for (unsigned i = 0; i < 5; i++) {
        store_be32(ret_digest + 4 * i, hash[i]);
    }
}
