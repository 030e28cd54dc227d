/* UTF-8 of text messages: taken however it is cut, refused at the byte that spoils it. */
#include "ws_server_peer.h"

SS_TEST(ws_text, text_may_be_cut_anywhere_by_reads_and_by_fragments)
{
    static const char text[] = "a\xC2\x80\xDF\xBF\xE0\xA0\x80\xED\x9F\xBF\xEE\x80\x80\xEF\xBF\xBF"
                               "\xF0\x90\x80\x80\xF4\x8F\xBF\xBFz";
    const size_t len = sizeof text - 1;
    char log[64];
    struct fixture f;
    fixture_init(&f);
    (void)snprintf(log, sizeof log, "message 1 %s\n", text);    /* it fits */
    for (size_t first = 0; first <= len; first++) {
        for (size_t second = first; second <= len; second++) {
            ss__bytes_clear(&f.in);
            ws_peer_frame(&f.in, SS_WS_TEXT, text, first);
            ws_peer_frame(&f.in, SS_WS_CONTINUATION, text + first, second - first);
            ws_peer_frame(&f.in, FIN, text + second, len - second);
            expect_cut(&f, NULL, 0, log);
        }
        ss__bytes_clear(&f.in);
        ws_peer_frame(&f.in, SS_WS_TEXT, text, first);
        ws_peer_frame(&f.in, FIN, text + first, len - first);
        expect_every_split(&f, log);
    }
    fixture_deinit(&f);
}

/* The byte at @fails is the first that nothing after it could mend. */
struct bad_text {
    const char *text;
    size_t fails;
};

static const struct bad_text bad_texts[] = {
    { "\x80", 0 },                  { "abcdefgh\xBF", 8 },        { "\xC0\xAF", 0 },
    { "\xC1\xBF", 0 },              { "\xC3(", 1 },               { "\xC3\xC3\xA4", 1 },
    { "\xE0\x80\x80", 1 },          { "\xE0\x9F\xBF", 1 },        { "\xE2\x82(", 2 },
    { "\xE2(\xA1", 1 },             { "\xED\xA0\x80", 1 },        { "\xED\xBF\xBF", 1 },
    { "\xF0\x80\x80\x80", 1 },      { "\xF0\x8F\xBF\xBF", 1 },    { "\xF0\x9F\x98(", 3 },
    { "\xF0\x9F(\x80", 2 },         { "\xF4\x90\x80\x80", 1 },    { "\xF5\x80\x80\x80", 0 },
    { "\xFE", 0 },                  { "\xFF", 0 },                { "\xC3\xA4\x80", 2 },
};

SS_TEST(ws_text, bad_text_is_refused_at_the_byte_that_spoils_it)
{
    static const char rest[] = " and more that is never looked at";
    struct fixture f;
    fixture_init(&f);
    for (size_t i = 0; i < ITEMS(bad_texts); i++) {
        const struct bad_text *bad = &bad_texts[i];
        char text[64];
        (void)snprintf(text, sizeof text, "%s%s", bad->text, rest);    /* it fits */
        for (unsigned final = 0; final <= FIN; final += FIN) {
            struct ws_peer peer;
            ss__bytes_clear(&f.in);
            ws_peer_frame_text(&f.in, final | SS_WS_TEXT, text);
            ss_check(refusal_of(&f) == SS_WS_STATUS_BAD_DATA);
            ws_peer_init(&peer, &f.pool, LIMIT);
            size_t fed = ws_peer_feed_bytewise(&peer, f.in.data, f.in.len);
            ss_check(peer.closed && peer.status == SS_WS_STATUS_BAD_DATA);
            ss_check_msg(fed == 6 + bad->fails + 1, "text %zu failed after %zu", i, fed);
            ws_peer_deinit(&peer);
        }
        ss__bytes_clear(&f.in);
        ws_peer_frame(&f.in, FIN | SS_WS_BINARY, bad->text, strlen(bad->text));
        ss_check(refusal_of(&f) == 0);
    }
    fixture_deinit(&f);
}

SS_TEST(ws_text, text_that_ends_inside_a_character_is_refused)
{
    static const char *const cut[] = { "\xC3", "abc\xE2\x82", "\xE2", "\xF0\x9F\x98", "\xF0" };
    struct fixture f;
    fixture_init(&f);
    for (size_t i = 0; i < ITEMS(cut); i++) {
        ss__bytes_clear(&f.in);
        ws_peer_frame_text(&f.in, FIN | SS_WS_TEXT, cut[i]);
        expect_every_split(&f, "reply 8 \x03\xEFtext is not UTF-8\n"
                               "close us 1007 text is not UTF-8\n");
        ss__bytes_clear(&f.in);
        ws_peer_frame_text(&f.in, SS_WS_TEXT, cut[i]);
        ss_check(refusal_of(&f) == 0);
        ws_peer_frame_text(&f.in, FIN, "");
        ss_check(refusal_of(&f) == SS_WS_STATUS_BAD_DATA);
    }
    fixture_deinit(&f);
}
