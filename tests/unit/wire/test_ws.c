/* The server's side of RFC 6455: what is taken wherever the bytes are cut, when feeding stops, and
 * what a connection holds. */
#include <sessionstream/limits.h>

#include "ws_server_peer.h"

SS_TEST(ws, a_conversation_is_the_same_at_every_split)
{
    struct fixture f;
    fixture_init(&f);
    ws_peer_frame_text(&f.in, FIN | SS_WS_TEXT, "whole");
    ws_peer_frame_text(&f.in, FIN | SS_WS_TEXT, "");
    ws_peer_frame_text(&f.in, FIN | SS_WS_BINARY, "\xFF\xFE");
    ws_peer_frame_text(&f.in, FIN | SS_WS_PING, "first");
    ws_peer_frame_text(&f.in, SS_WS_TEXT, "frag\xC3");
    ws_peer_frame_text(&f.in, FIN | SS_WS_PING, "between");
    ws_peer_frame_text(&f.in, FIN | SS_WS_PONG, "unasked");
    ws_peer_frame_text(&f.in, SS_WS_CONTINUATION, "");
    ws_peer_frame_text(&f.in, SS_WS_CONTINUATION, "\xA4\xF0\x9F");
    ws_peer_frame_text(&f.in, FIN | SS_WS_PING, "");
    ws_peer_frame_text(&f.in, FIN, "\x98\x80 ments");
    ws_peer_frame_text(&f.in, SS_WS_BINARY, "");
    ws_peer_frame_text(&f.in, FIN, "once");
    ws_peer_frame_text(&f.in, FIN | SS_WS_TEXT, "the limit of short lengths has 125 bytes: "
                       "0123456789012345678901234567890123456789"
                       "0123456789012345678901234567890123456789xyz");
    ws_peer_frame_text(&f.in, FIN | SS_WS_TEXT, "and the next one has 126 bytes, over four: "
                       "0123456789012345678901234567890123456789"
                       "0123456789012345678901234567890123456789xyz");
    ws_peer_frame_text(&f.in, FIN | SS_WS_CLOSE, "\x03\xF4" "back at f\xC3\xBCnf \xE2\x82\xAC");
    ws_peer_frame_text(&f.in, FIN | SS_WS_TEXT, "nobody listens");
    expect_every_split(&f,
                       "message 1 whole\nmessage 1 \nmessage 2 \xFF\xFE\nreply 10 first\n"
                       "reply 10 between\npong unasked\nreply 10 \n"
                       "message 1 frag\xC3\xA4\xF0\x9F\x98\x80 ments\nmessage 2 once\n"
                       "message 1 the limit of short lengths has 125 bytes: "
                       "0123456789012345678901234567890123456789"
                       "0123456789012345678901234567890123456789xyz\n"
                       "message 1 and the next one has 126 bytes, over four: "
                       "0123456789012345678901234567890123456789"
                       "0123456789012345678901234567890123456789xyz\n"
                       "reply 8 \x03\xF4\nclose peer 1012 back at f\xC3\xBCnf \xE2\x82\xAC\n");
    fixture_deinit(&f);
}

SS_TEST(ws, every_form_of_length_is_taken_at_every_split_of_its_header)
{
    static const size_t sizes[] = { 0, 1, 7, 8, 9, 125, 126, 127, 4085, 4095, 4096, 4097,
                                    65535, 65536, LIMIT };
    struct fixture f;
    struct ss_bytes want;
    fixture_init(&f);
    ss__bytes_init(&want, 0);
    for (size_t i = 0; i < ITEMS(sizes); i++) {
        size_t size = sizes[i];
        char *text = malloc(size + 1);
        ss_check(text != NULL);
        for (size_t at = 0; at < size; at++) {
            text[at] = (char)('a' + at * 7 % 26);
        }
        text[size] = '\0';
        ss__bytes_clear(&f.in);
        ss__bytes_clear(&want);
        ws_peer_frame(&f.in, FIN | SS_WS_TEXT, text, size);
        ws_peer_frame_text(&f.in, FIN | SS_WS_TEXT, "next");
        ss__bytes_text(&want, "message 1 ");
        ss__bytes_append(&want, text, size);
        ss__bytes_text(&want, "\nmessage 1 next\n");
        ss__bytes_byte(&want, '\0');
        for (size_t cut = 1; cut < 20 && cut < f.in.len; cut++) {
            size_t late = f.in.len - cut;
            expect_cut(&f, &cut, 1, (const char *)want.data);
            expect_cut(&f, &late, 1, (const char *)want.data);
        }
        free(text);
    }
    ss__bytes_deinit(&want);
    fixture_deinit(&f);
}

SS_TEST(ws, a_client_may_use_any_mask)
{
    static const uint8_t masks[][SS_WS_MASK_BYTES] = { { 0, 0, 0, 0 },
                                                       { 0xFF, 0xFF, 0xFF, 0xFF },
                                                       { 1, 2, 3, 4 },
                                                       { 0x80, 0, 0, 0 } };
    struct fixture f;
    fixture_init(&f);
    for (size_t i = 0; i < ITEMS(masks); i++) {
        ss__bytes_clear(&f.in);
        ss__ws_client_frame(&f.in, SS_WS_TEXT, ss_str("nine byte \xE2\x82\xAC and more"),
                            masks[i]);
        expect_every_split(&f, "message 1 nine byte \xE2\x82\xAC and more\n");
    }
    fixture_deinit(&f);
}

SS_TEST(ws, pings_before_a_refusal_are_answered_before_the_close)
{
    struct fixture f;
    fixture_init(&f);
    ws_peer_frame_text(&f.in, FIN | SS_WS_PING, "one");
    ws_peer_frame_text(&f.in, FIN | SS_WS_PING, "two");
    ws_peer_frame_text(&f.in, 0xC0 | SS_WS_TEXT, "");
    expect_every_split(&f, "reply 10 one\nreply 10 two\nreply 8 \x03\xEAreserved bits are set\n"
                           "close us 1002 reserved bits are set\n");
    ss__bytes_clear(&f.in);
    ws_peer_frame_text(&f.in, FIN | SS_WS_PING, "last");
    ws_peer_frame_text(&f.in, FIN | SS_WS_CLOSE, "\x0B\xB8");
    expect_every_split(&f, "reply 10 last\nreply 8 \x0B\xB8\nclose peer 3000 \n");
    fixture_deinit(&f);
}

SS_TEST(ws, a_flood_of_pings_costs_no_more_than_it_brings)
{
    struct fixture f;
    struct ws_peer peer;
    char payload[125];
    fixture_init(&f);
    memset(payload, 'f', sizeof payload);
    for (unsigned i = 0; i < 3000; i++) {
        ws_peer_frame(&f.in, FIN | SS_WS_PING, payload, i % (sizeof payload + 1));
    }
    ws_peer_init(&peer, &f.pool, LIMIT);
    ss_check(ws_peer_feed(&peer, f.in.data, f.in.len) == f.in.len);
    ss_check(peer.reply_bytes == f.in.len - 4 * 3000 && peer.reply_bytes_most <= 512);
    ss_check(peer.replies < 3000 / 3);
    ss_check(f.pool.held_bytes == 0 && !ss__ws_unfinished(&peer.ws));
    ws_peer_deinit(&peer);
    fixture_deinit(&f);
}

SS_TEST(ws, feeding_stops_behind_the_message_whose_callback_says_so)
{
    struct fixture f;
    struct ws_peer peer;
    fixture_init(&f);
    ws_peer_frame_text(&f.in, FIN | SS_WS_TEXT, "1");
    ws_peer_frame_text(&f.in, FIN | SS_WS_PING, "p");
    ws_peer_frame_text(&f.in, SS_WS_TEXT, "2");
    ws_peer_frame_text(&f.in, FIN, "3");
    size_t first = f.in.len;
    ws_peer_frame_text(&f.in, FIN | SS_WS_TEXT, "4");
    ws_peer_init(&peer, &f.pool, LIMIT);
    peer.stop_after = 2;
    ss_check(ws_peer_feed(&peer, f.in.data, f.in.len) == first);
    ws_peer_expect(&peer, "message 1 1\nreply 10 p\nmessage 1 23\n");
    ss_check(!ss__ws_unfinished(&peer.ws));
    ss_check(ws_peer_feed(&peer, f.in.data + first, f.in.len - first) == f.in.len - first);
    ws_peer_expect(&peer, "message 1 1\nreply 10 p\nmessage 1 23\nmessage 1 4\n");
    ws_peer_deinit(&peer);
    fixture_deinit(&f);
}

SS_TEST(ws, feeding_stops_when_replies_may_not_pile_up)
{
    struct fixture f;
    struct ws_peer peer;
    char payload[125];
    unsigned rounds = 0;
    size_t at = 0;
    fixture_init(&f);
    memset(payload, 'f', sizeof payload);
    ws_peer_frame_text(&f.in, SS_WS_TEXT, "open");
    for (unsigned i = 0; i < 100; i++) {
        ws_peer_frame(&f.in, FIN | SS_WS_PING, payload, sizeof payload);
    }
    ws_peer_frame_text(&f.in, FIN, " message");
    ws_peer_init(&peer, &f.pool, LIMIT);
    peer.stop_at_replies = true;
    while (at < f.in.len) {
        size_t took = ws_peer_feed(&peer, f.in.data + at, f.in.len - at);
        ss_check(took > 0 && took <= 10 * 131);
        at += took;
        rounds++;
    }
    ss_check(rounds > 10 && peer.messages == 1 && peer.reply_bytes == (size_t)100 * 127);
    ws_peer_deinit(&peer);
    fixture_deinit(&f);
}

SS_TEST(ws, feeding_stops_behind_the_pong_whose_callback_says_so)
{
    struct fixture f;
    struct ws_peer peer;
    fixture_init(&f);
    ws_peer_frame_text(&f.in, FIN | SS_WS_PING, "i");
    ws_peer_frame_text(&f.in, FIN | SS_WS_PONG, "o");
    size_t first = f.in.len;
    ws_peer_frame_text(&f.in, FIN | SS_WS_PONG, "o");
    ws_peer_init(&peer, &f.pool, LIMIT);
    peer.stop_at_pongs = true;
    ss_check(ws_peer_feed(&peer, f.in.data, f.in.len) == first);
    ws_peer_expect(&peer, "reply 10 i\npong o\n");
    ss_check(!ss__ws_unfinished(&peer.ws));
    ws_peer_deinit(&peer);
    fixture_deinit(&f);
}

SS_TEST(ws, feeding_stops_behind_the_fragment_whose_callback_says_so)
{
    struct fixture f;
    struct ws_peer peer;
    fixture_init(&f);
    ws_peer_frame_text(&f.in, SS_WS_TEXT, "1");
    size_t first = f.in.len;
    ws_peer_frame_text(&f.in, 0, "");
    size_t second = f.in.len;
    ws_peer_frame_text(&f.in, FIN, "2");
    ws_peer_init(&peer, &f.pool, LIMIT);
    peer.stop_at_fragments = true;
    ss_check(ws_peer_feed(&peer, f.in.data, f.in.len) == first);
    ss_check(ws_peer_feed(&peer, f.in.data + first, f.in.len - first) == second - first);
    ss_check(ws_peer_feed(&peer, f.in.data + second, f.in.len - second) == f.in.len - second);
    ws_peer_expect(&peer, "message 1 12\n");
    ws_peer_deinit(&peer);
    fixture_deinit(&f);
}

SS_TEST(ws, an_idle_connection_holds_sixteen_bytes)
{
    struct fixture f;
    struct ws_peer peer;
    fixture_init(&f);
    ss_check(sizeof(struct ss_ws) <= 16);
    ws_peer_init(&peer, &f.pool, LIMIT);
    ss_check(ws_peer_feed(&peer, "", 0) == 0 && f.pool.lent_count == 0);
    ws_peer_frame_text(&f.in, FIN | SS_WS_TEXT, "whole");
    ss_check(ws_peer_feed(&peer, f.in.data, f.in.len) == f.in.len);
    ss_check(f.pool.lent_count == 0 && f.pool.spare_count == 1 && !ss__ws_unfinished(&peer.ws));
    for (size_t i = 0; i < f.in.len; i++) {
        ss_check(ws_peer_feed(&peer, f.in.data + i, 1) == 1);
        ss_check(ss__ws_unfinished(&peer.ws) == (i + 1 < f.in.len));
        ss_check(f.pool.lent_count == (i + 1 < f.in.len ? 1 : 0));
    }
    ws_peer_deinit(&peer);
    fixture_deinit(&f);
}

SS_TEST(ws, unfinished_messages_of_all_connections_are_bounded)
{
    struct ss_ws_decoder_pool pool;
    struct ws_peer peers[8];
    struct ss_bytes in;
    char part[1000];
    unsigned refused = 0;
    ss__ws_decoder_pool_init(&pool, 4096);
    ss__bytes_init(&in, 0);
    memset(part, 'p', sizeof part);
    ws_peer_frame(&in, SS_WS_BINARY, part, sizeof part);
    for (size_t i = 0; i < ITEMS(peers); i++) {
        ws_peer_init(&peers[i], &pool, LIMIT);
        (void)ws_peer_feed(&peers[i], in.data, in.len);    /* some are refused */
        ss_check(!peers[i].closed || peers[i].status == SS_WS_STATUS_TRY_AGAIN);
        refused += peers[i].closed ? 1 : 0;
        ss_check(pool.held_bytes <= 4096);
    }
    ss_check(refused == 4);
    for (size_t i = 0; i < ITEMS(peers); i++) {
        ws_peer_deinit(&peers[i]);
    }
    ss_check(pool.held_bytes == 0 && pool.lent_count == 0);
    ss__ws_decoder_pool_deinit(&pool);
    ss__bytes_deinit(&in);
}
