/* Close frames: which are sent back and which refused, and that nothing follows them. */
#include "ws_server_peer.h"

static bool may_be_sent(unsigned status)
{
    return (status >= 1000 && status <= 1003) || (status >= 1007 && status <= 1014) ||
           (status >= 3000 && status <= 4999);
}

SS_TEST(ws_ending, every_close_status_is_sent_back_or_refused)
{
    struct fixture f;
    fixture_init(&f);
    for (unsigned status = 0; status <= UINT16_MAX; status++) {
        struct ws_peer peer;
        const uint8_t payload[] = { (uint8_t)(status >> 8), (uint8_t)status, 'b', 'y', 'e' };
        ss__bytes_clear(&f.in);
        ws_peer_frame(&f.in, FIN | SS_WS_CLOSE, payload, sizeof payload);
        ws_peer_init(&peer, &f.pool, LIMIT);
        (void)ws_peer_feed(&peer, f.in.data, f.in.len);    /* judged by the log */
        const uint8_t *log = peer.log.data;
        unsigned sent = (unsigned)log[8] << 8 | log[9];
        unsigned want = may_be_sent(status) ? status : (unsigned)SS_WS_STATUS_PROTOCOL_ERROR;
        ss_check(peer.log.len > 10 && memcmp(log, "reply 8 ", 8) == 0);
        ss_check_msg(sent == want && peer.status == want, "%u got %u", status, sent);
        ss_check((memmem(log + 10, peer.log.len - 10, "close peer", 10) != NULL) ==
                 may_be_sent(status));
        ws_peer_deinit(&peer);
    }
    fixture_deinit(&f);
}

SS_TEST(ws_ending, close_frames_are_judged_the_same_at_every_split)
{
    static const struct {
        const char *payload;
        size_t len;
        const char *log;
    } closes[] = {
        { "", 0, "reply 8 \nclose peer 1005 \n" },
        { "\x03", 1, "reply 8 \x03\xEAno valid close status\n"
                     "close us 1002 no valid close status\n" },
        { "\x03\xE8", 2, "reply 8 \x03\xE8\nclose peer 1000 \n" },
        { "\x03\xF5later \xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80", 17,
          "reply 8 \x03\xF5\nclose peer 1013 later \xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80\n" },
        { "\x0F\xA0mine", 6, "reply 8 \x0F\xA0\nclose peer 4000 mine\n" },
        { "\x03\xE8\xE2\x82", 4, "reply 8 \x03\xEF" "close reason is not UTF-8\n"
                                 "close us 1007 close reason is not UTF-8\n" },
        { "\x03\xED", 2, "reply 8 \x03\xEAno valid close status\n"
                         "close us 1002 no valid close status\n" },
    };
    struct fixture f;
    fixture_init(&f);
    for (size_t i = 0; i < ITEMS(closes); i++) {
        ss__bytes_clear(&f.in);
        ws_peer_frame(&f.in, FIN | SS_WS_CLOSE, closes[i].payload, closes[i].len);
        expect_every_split(&f, closes[i].log);
    }
    fixture_deinit(&f);
}

SS_TEST(ws_ending, the_longest_close_reason_is_given_out_whole)
{
    struct fixture f;
    struct ws_peer peer;
    char payload[125];
    fixture_init(&f);
    memset(payload, 'r', sizeof payload);
    memcpy(payload, "\x03\xE8", 2);
    ws_peer_frame(&f.in, FIN | SS_WS_CLOSE, payload, sizeof payload);
    ws_peer_init(&peer, &f.pool, LIMIT);
    (void)ws_peer_feed_bytewise(&peer, f.in.data, f.in.len);    /* the log tells */
    ss_check(peer.closed && peer.status == 1000);
    ss_check(peer.log.len == strlen("reply 8 ..\nclose peer 1000 ") + 123 + 1);
    ws_peer_deinit(&peer);
    fixture_deinit(&f);
}

SS_TEST(ws_ending, a_close_may_come_inside_a_fragmented_message)
{
    struct fixture f;
    fixture_init(&f);
    ws_peer_frame_text(&f.in, SS_WS_TEXT, "never finished \xC3");
    ws_peer_frame_text(&f.in, FIN | SS_WS_CLOSE, "\x03\xE9");
    expect_every_split(&f, "reply 8 \x03\xE9\nclose peer 1001 \n");
    fixture_deinit(&f);
}

SS_TEST(ws_ending, nothing_is_taken_after_the_end)
{
    struct fixture f;
    struct ws_peer peer;
    fixture_init(&f);
    ws_peer_init(&peer, &f.pool, LIMIT);
    ws_peer_frame_text(&f.in, FIN | SS_WS_CLOSE, "");
    (void)ws_peer_feed(&peer, f.in.data, f.in.len);    /* the log tells */
    ss_check(peer.err == SS_E_CLOSED && !ss__ws_unfinished(&peer.ws));
    ss__bytes_clear(&f.in);
    ws_peer_frame_text(&f.in, FIN | SS_WS_TEXT, "more");
    (void)ws_peer_feed(&peer, f.in.data, f.in.len);    /* the log tells */
    ss_check(peer.err == SS_E_CLOSED);
    ws_peer_expect(&peer, "reply 8 \nclose peer 1005 \n");
    ws_peer_deinit(&peer);
    fixture_deinit(&f);
}
