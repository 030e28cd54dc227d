#include "http/sha1.h"

#include <string.h>

#define BLOCK_BYTES 64u

static uint32_t rotate(uint32_t value, unsigned bits)
{
    return value << bits | value >> (32 - bits);
}

static void add_block(uint32_t state[5], const uint8_t block[BLOCK_BYTES])
{
    uint32_t words[80];
    for (unsigned i = 0; i < 16; i++) {
        words[i] = (uint32_t)block[4 * i] << 24 | (uint32_t)block[4 * i + 1] << 16 |
                   (uint32_t)block[4 * i + 2] << 8 | block[4 * i + 3];
    }
    for (unsigned i = 16; i < 80; i++) {
        words[i] = rotate(words[i - 3] ^ words[i - 8] ^ words[i - 14] ^ words[i - 16], 1);
    }
    uint32_t a = state[0];
    uint32_t b = state[1];
    uint32_t c = state[2];
    uint32_t d = state[3];
    uint32_t e = state[4];
    for (unsigned i = 0; i < 80; i++) {
        uint32_t mix = i < 20   ? ((b & c) | (~b & d)) + 0x5A827999u
                       : i < 40 ? (b ^ c ^ d) + 0x6ED9EBA1u
                       : i < 60 ? ((b & c) | (b & d) | (c & d)) + 0x8F1BBCDCu
                                : (b ^ c ^ d) + 0xCA62C1D6u;
        uint32_t next = rotate(a, 5) + mix + e + words[i];
        e = d;
        d = c;
        c = rotate(b, 30);
        b = a;
        a = next;
    }
    state[0] += a;
    state[1] += b;
    state[2] += c;
    state[3] += d;
    state[4] += e;
}

void ss__sha1(struct ss_str data, uint8_t ret_digest[SS_SHA1_BYTES])
{
    uint32_t state[5] = { 0x67452301u, 0xEFCDAB89u, 0x98BADCFEu, 0x10325476u, 0xC3D2E1F0u };
    const uint8_t *at = (const uint8_t *)data.data;
    size_t left = data.len;
    for (; left >= BLOCK_BYTES; at += BLOCK_BYTES, left -= BLOCK_BYTES) {
        add_block(state, at);
    }
    uint8_t last[2 * BLOCK_BYTES] = { 0 };
    if (left > 0) {
        memcpy(last, at, left);
    }
    last[left] = 0x80;
    size_t total = left + 9 <= BLOCK_BYTES ? BLOCK_BYTES : sizeof last;
    uint64_t bits = (uint64_t)data.len * 8;
    for (unsigned i = 0; i < 8; i++) {
        last[total - 1 - i] = (uint8_t)(bits >> (8 * i));
    }
    for (size_t i = 0; i < total; i += BLOCK_BYTES) {
        add_block(state, last + i);
    }
    for (unsigned i = 0; i < SS_SHA1_BYTES; i++) {
        ret_digest[i] = (uint8_t)(state[i / 4] >> (24 - 8 * (i % 4)));
    }
}
