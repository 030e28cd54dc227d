#include "http/sha1.h"

#include <stdlib.h>
#include <string.h>

#include "ss_test.h"

static int has_digest(struct ss_str data, const char *hex)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t digest[SS_SHA1_BYTES];
    char text[2 * SS_SHA1_BYTES + 1] = { 0 };
    ss__sha1(data, digest);
    for (size_t i = 0; i < SS_SHA1_BYTES; i++) {
        text[2 * i] = digits[digest[i] >> 4];
        text[2 * i + 1] = digits[digest[i] & 15];
    }
    return strcmp(text, hex) == 0;
}

SS_TEST(sha1, gives_the_published_digests)
{
    ss_check(has_digest(ss_str(""), "da39a3ee5e6b4b0d3255bfef95601890afd80709"));
    ss_check(has_digest(ss_str(NULL), "da39a3ee5e6b4b0d3255bfef95601890afd80709"));
    ss_check(has_digest(ss_str("a"), "86f7e437faa5a7fce15d1ddcb9eaeaea377667b8"));
    ss_check(has_digest(ss_str("abc"), "a9993e364706816aba3e25717850c26c9cd0d89d"));
    ss_check(has_digest(ss_str("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
                        "84983e441c3bd26ebaae4aa1f95129e5e54670f1"));
    ss_check(has_digest(ss_str("abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmn"
                               "hijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu"),
                        "a49b2446a02c645bf419f995b67091253a04a259"));
}

/* RFC 3174 section 7.3, test 4. */
SS_TEST(sha1, takes_whole_blocks_without_a_rest)
{
    char text[640];
    for (size_t i = 0; i < sizeof text; i++) {
        text[i] = (char)('0' + i % 8);
    }
    ss_check(has_digest(ss_str_of(text, sizeof text),
                        "dea356a2cddd90c7a7ecedc5ebb563934f460452"));
}

SS_TEST(sha1, takes_a_million_bytes)
{
    size_t len = 1000000;
    char *text = malloc(len);
    ss_check(text != NULL);
    memset(text, 'a', len);
    ss_check(has_digest(ss_str_of(text, len), "34aa973cd4c4daa4f61eeb2bdbad27316534016f"));
    free(text);
}

/* The digest of 200 digests, each of data one byte longer: every place of the padding in a block,
 * every byte value. The sum was made with another implementation. */
SS_TEST(sha1, pads_every_length)
{
    enum { LENGTHS = 200 };
    uint8_t digests[LENGTHS * SS_SHA1_BYTES];
    uint8_t data[LENGTHS];
    for (size_t len = 0; len < LENGTHS; len++) {
        for (size_t i = 0; i < len; i++) {
            data[i] = (uint8_t)(len * 7 + i);
        }
        ss__sha1(ss_str_of(data, len), digests + len * SS_SHA1_BYTES);
    }
    ss_check(has_digest(ss_str_of(digests, sizeof digests),
                        "bc479a3707c823aafa7389758e7d951dbf0cbe4e"));
}

/* The input of the example in RFC 6455 section 1.3, whose digest is printed there. */
SS_TEST(sha1, gives_the_digest_of_the_websocket_example)
{
    ss_check(has_digest(ss_str("dGhlIHNhbXBsZSBub25jZQ==258EAFA5-E914-47DA-95CA-C5AB0DC85B11"),
                        "b37a4f2cc0624f1690f64606cf385945b2bec4ea"));
}
