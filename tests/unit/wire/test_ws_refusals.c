/* Headers and fragments that are refused, with which status and how early. */
#include <sessionstream/limits.h>

#include "ws_server_peer.h"

struct bad_header {
    const char *name;
    uint16_t status;
    size_t len;
    uint8_t bytes[20];
};

static const struct bad_header bad_headers[] = {
    { "unmasked text", 1002, 2, { 0x81, 5 } },
    { "unmasked, medium", 1002, 4, { 0x81, 126, 1, 0 } },
    { "unmasked close", 1002, 2, { 0x88, 0 } },
    { "reserved bit 1", 1002, 6, { 0xC1, 0x85, 0, 0, 0, 0 } },
    { "reserved bit 2", 1002, 6, { 0xA1, 0x85, 0, 0, 0, 0 } },
    { "reserved bit 3", 1002, 6, { 0x91, 0x85, 0, 0, 0, 0 } },
    { "reserved bit of a ping", 1002, 6, { 0xC9, 0x80, 0, 0, 0, 0 } },
    { "opcode 3", 1002, 6, { 0x83, 0x81, 0, 0, 0, 0 } },
    { "opcode 4", 1002, 6, { 0x84, 0x80, 0, 0, 0, 0 } },
    { "opcode 5", 1002, 6, { 0x85, 0x80, 0, 0, 0, 0 } },
    { "opcode 6", 1002, 6, { 0x86, 0x80, 0, 0, 0, 0 } },
    { "opcode 7", 1002, 6, { 0x87, 0x80, 0, 0, 0, 0 } },
    { "opcode 11", 1002, 6, { 0x8B, 0x80, 0, 0, 0, 0 } },
    { "opcode 12", 1002, 6, { 0x8C, 0x80, 0, 0, 0, 0 } },
    { "opcode 13", 1002, 6, { 0x8D, 0x80, 0, 0, 0, 0 } },
    { "opcode 14", 1002, 6, { 0x8E, 0x80, 0, 0, 0, 0 } },
    { "opcode 15", 1002, 6, { 0x8F, 0x81, 0, 0, 0, 0 } },
    { "ping of 126 bytes", 1002, 8, { 0x89, 0xFE, 0, 126, 0, 0, 0, 0 } },
    { "close of 65,536 bytes", 1002, 14, { 0x88, 0xFF, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0 } },
    { "fragmented ping", 1002, 6, { 0x09, 0x80, 0, 0, 0, 0 } },
    { "fragmented pong", 1002, 6, { 0x0A, 0x81, 0, 0, 0, 0 } },
    { "fragmented close", 1002, 6, { 0x08, 0x80, 0, 0, 0, 0 } },
    { "continuation of nothing", 1002, 6, { 0x80, 0x81, 0, 0, 0, 0 } },
    { "open continuation of nothing", 1002, 6, { 0x00, 0x80, 0, 0, 0, 0 } },
    { "0 in four bytes", 1002, 8, { 0x81, 0xFE, 0, 0, 0, 0, 0, 0 } },
    { "125 in four bytes", 1002, 8, { 0x81, 0xFE, 0, 125, 0, 0, 0, 0 } },
    { "1 in ten bytes", 1002, 14, { 0x82, 0xFF, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0 } },
    { "65,535 in ten bytes", 1002, 14, { 0x82, 0xFF, 0, 0, 0, 0, 0, 0, 255, 255, 0, 0, 0, 0 } },
    { "2^63", 1002, 14, { 0x82, 0xFF, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 } },
    { "2^64 - 1", 1002, 14,
      { 0x82, 0xFF, 255, 255, 255, 255, 255, 255, 255, 255, 0, 0, 0, 0 } },
    { "2^63 - 1", 1009, 14,
      { 0x82, 0xFF, 127, 255, 255, 255, 255, 255, 255, 255, 0, 0, 0, 0 } },
    { "2^62", 1009, 14, { 0x81, 0xFF, 0x40, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4 } },
    { "2^32", 1009, 14, { 0x01, 0xFF, 0, 0, 0, 1, 0, 0, 0, 0, 1, 2, 3, 4 } },
    { "the limit and 1", 1009, 14, { 0x01, 0xFF, 0, 0, 0, 0, 0, 2, 0, 1, 1, 2, 3, 4 } },
};

SS_TEST(ws_refusals, a_bad_header_is_refused_with_its_last_byte)
{
    struct fixture f;
    fixture_init(&f);
    for (size_t i = 0; i < ITEMS(bad_headers); i++) {
        const struct bad_header *bad = &bad_headers[i];
        struct ws_peer peer;
        ws_peer_init(&peer, &f.pool, LIMIT);
        size_t fed = ws_peer_feed_bytewise(&peer, bad->bytes, bad->len);
        ss_check_msg(peer.closed && peer.status == bad->status, "%s: %d", bad->name,
                     (int)peer.status);
        ss_check_msg(fed == bad->len, "%s after %zu", bad->name, fed);
        ss_check_msg(f.pool.held_bytes == 0, "%s: memory is held", bad->name);
        ws_peer_deinit(&peer);
        for (size_t cut = 0; cut < bad->len; cut++) {
            ws_peer_init(&peer, &f.pool, LIMIT);
            (void)ws_peer_feed(&peer, bad->bytes, cut);
            (void)ws_peer_feed(&peer, bad->bytes + cut, bad->len - cut);    /* judged below */
            ss_check_msg(peer.closed && peer.status == bad->status, "%s at %zu", bad->name, cut);
            ws_peer_deinit(&peer);
        }
    }
    fixture_deinit(&f);
}

SS_TEST(ws_refusals, a_new_message_inside_a_fragmented_one_is_refused)
{
    static const unsigned opcodes[] = { SS_WS_TEXT, SS_WS_BINARY };
    struct fixture f;
    fixture_init(&f);
    for (size_t i = 0; i < ITEMS(opcodes); i++) {
        ss__bytes_clear(&f.in);
        ws_peer_frame_text(&f.in, SS_WS_TEXT, "begun");
        ws_peer_frame_text(&f.in, FIN | opcodes[i], "another");
        expect_every_split(&f, "reply 8 \x03\xEA" "a new message inside a fragmented one\n"
                               "close us 1002 a new message inside a fragmented one\n");
    }
    ss__bytes_clear(&f.in);
    ws_peer_frame_text(&f.in, SS_WS_TEXT, "");
    ws_peer_frame_text(&f.in, FIN, "");
    ws_peer_frame_text(&f.in, FIN, "");
    ss_check(refusal_of(&f) == SS_WS_STATUS_PROTOCOL_ERROR);
    fixture_deinit(&f);
}

SS_TEST(ws_refusals, fragments_are_refused_at_the_header_that_exceeds_their_sum)
{
    struct fixture f;
    struct ws_peer peer;
    static char part[LIMIT / 2];
    fixture_init(&f);
    memset(part, 'p', sizeof part);
    ws_peer_init(&peer, &f.pool, LIMIT);
    ws_peer_frame(&f.in, SS_WS_TEXT, part, sizeof part);
    ws_peer_frame(&f.in, SS_WS_CONTINUATION, part, sizeof part - 1);
    ss_check(ws_peer_feed(&peer, f.in.data, f.in.len) == f.in.len && !peer.closed);
    static const uint8_t one_too_many[] = { 0x80, 0x82, 1, 2, 3, 4 };
    ss_check(ws_peer_feed_bytewise(&peer, one_too_many, 6) == 6);
    ws_peer_expect(&peer, "reply 8 \x03\xF1message is over the limit\n"
                          "close us 1009 message is over the limit\n");
    ws_peer_deinit(&peer);
    ws_peer_init(&peer, &f.pool, LIMIT);
    ws_peer_frame(&f.in, FIN, "x", 1);
    ss_check(ws_peer_feed(&peer, f.in.data, f.in.len) == f.in.len);
    ss_check(!peer.closed && peer.messages == 1);
    ss_check(peer.log.len == strlen("message 1 ") + LIMIT + 1);
    ws_peer_deinit(&peer);
    fixture_deinit(&f);
}

SS_TEST(ws_refusals, a_message_of_too_many_fragments_is_refused)
{
    struct fixture f;
    struct ws_peer peer;
    fixture_init(&f);
    ws_peer_init(&peer, &f.pool, LIMIT);
    ws_peer_frame_text(&f.in, SS_WS_TEXT, "");
    for (unsigned i = 1; i < SS_WS_FRAGMENTS_MAX; i++) {
        ws_peer_frame_text(&f.in, SS_WS_CONTINUATION, "");
    }
    ss_check(ws_peer_feed(&peer, f.in.data, f.in.len) == f.in.len && !peer.closed);
    ss__bytes_clear(&f.in);
    ws_peer_frame_text(&f.in, FIN, "");
    (void)ws_peer_feed(&peer, f.in.data, f.in.len);    /* the log tells */
    ws_peer_expect(&peer, "reply 8 \x03\xF0too many fragments\nclose us 1008 too many fragments\n");
    ws_peer_deinit(&peer);
    fixture_deinit(&f);
}
