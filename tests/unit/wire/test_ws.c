/* The server's side of RFC 6455: what is taken, what is refused with which status and how early,
 * wherever the bytes are cut. */
#include "wire/ws.h"

#include <sessionstream/limits.h>

#include "ws_peer.h"

#define FIN 0x80u
#define LIMIT (1u << 17)
#define ITEMS(array) (sizeof(array) / sizeof *(array))

struct fixture {
    struct ss_ws_decoder_pool pool;
    struct ss_bytes in;
};

static void fixture_init(struct fixture *f)
{
    ss__ws_decoder_pool_init(&f->pool, (size_t)1 << 24);
    ss__bytes_init(&f->in, 0);
}

static void fixture_deinit(struct fixture *f)
{
    ss_check(f->pool.lent_count == 0 && f->pool.held_bytes == 0);
    ss_check(f->in.err == 0);
    ss__ws_decoder_pool_deinit(&f->pool);
    ss__bytes_deinit(&f->in);
}

/* A new connection takes f->in in pieces that end at @cuts and must say @log. */
static void expect_cut(struct fixture *f, const size_t *cuts, size_t cuts_len, const char *log)
{
    struct ws_peer peer;
    size_t from = 0;
    ws_peer_init(&peer, &f->pool, LIMIT);
    for (size_t i = 0; i <= cuts_len; i++) {
        size_t to = i < cuts_len ? cuts[i] : f->in.len;
        ss_check(ws_peer_feed(&peer, f->in.data + from, to - from) == to - from);
        from = to;
    }
    ws_peer_expect(&peer, log);
    ws_peer_deinit(&peer);
}

/* The same whole, cut at every byte, and byte by byte. */
static void expect_every_split(struct fixture *f, const char *log)
{
    struct ws_peer peer;
    expect_cut(f, NULL, 0, log);
    for (size_t cut = 1; cut < f->in.len; cut++) {
        expect_cut(f, &cut, 1, log);
    }
    ws_peer_init(&peer, &f->pool, LIMIT);
    (void)ws_peer_feed_bytewise(&peer, f->in.data, f->in.len);    /* the log tells */
    ws_peer_expect(&peer, log);
    ws_peer_deinit(&peer);
}

/* Status with which f->in is refused; 0: it is not. */
static uint16_t refusal_of(struct fixture *f)
{
    struct ws_peer peer;
    ws_peer_init(&peer, &f->pool, LIMIT);
    (void)ws_peer_feed(&peer, f->in.data, f->in.len);    /* a refusal drops the rest */
    uint16_t status = peer.closed ? peer.status : 0;
    ws_peer_deinit(&peer);
    return status;
}

/* ---- what is taken ---- */

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

/* ---- UTF-8 ---- */

SS_TEST(ws, text_may_be_cut_anywhere_by_reads_and_by_fragments)
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

SS_TEST(ws, bad_text_is_refused_at_the_byte_that_spoils_it)
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

SS_TEST(ws, text_that_ends_inside_a_character_is_refused)
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

/* ---- close ---- */

static bool may_be_sent(unsigned status)
{
    return (status >= 1000 && status <= 1003) || (status >= 1007 && status <= 1014) ||
           (status >= 3000 && status <= 4999);
}

SS_TEST(ws, every_close_status_is_sent_back_or_refused)
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

SS_TEST(ws, close_frames_are_judged_the_same_at_every_split)
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

SS_TEST(ws, the_longest_close_reason_is_given_out_whole)
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

SS_TEST(ws, a_close_may_come_inside_a_fragmented_message)
{
    struct fixture f;
    fixture_init(&f);
    ws_peer_frame_text(&f.in, SS_WS_TEXT, "never finished \xC3");
    ws_peer_frame_text(&f.in, FIN | SS_WS_CLOSE, "\x03\xE9");
    expect_every_split(&f, "reply 8 \x03\xE9\nclose peer 1001 \n");
    fixture_deinit(&f);
}

SS_TEST(ws, nothing_is_taken_after_the_end)
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

/* ---- headers ---- */

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

SS_TEST(ws, a_bad_header_is_refused_with_its_last_byte)
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

SS_TEST(ws, a_new_message_inside_a_fragmented_one_is_refused)
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

SS_TEST(ws, fragments_are_refused_at_the_header_that_exceeds_their_sum)
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

SS_TEST(ws, a_message_of_too_many_fragments_is_refused)
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

/* ---- replies ---- */

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

/* ---- stopping ---- */

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

/* ---- memory ---- */

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

/* ---- anything ---- */

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static void random_frames(struct ss_bytes *out, uint64_t *random)
{
    static const char text[] = "plain \xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80 and plain again, so "
                               "that words of eight bytes are there as well";
    static const uint8_t firsts[] = { 0x81, 0x82, 0x01, 0x02, 0x00, 0x80, 0x89, 0x8A, 0x81, 0x88 };
    bool open = false;
    for (unsigned frames = 1 + (unsigned)(next_random(random) % 6); frames > 0; frames--) {
        uint8_t first = firsts[next_random(random) % ITEMS(firsts)];
        if (first < 0x88 && open != ((first & 0x0F) == 0) && next_random(random) % 8 != 0) {
            first = open ? 0x80 : 0x81;
        }
        size_t from = next_random(random) % 6;
        size_t len = next_random(random) % (sizeof text - 1 - from);
        open = first < 0x88 ? (first & 0x80) == 0 : open;
        ws_peer_frame(out, first, text + from, len);
    }
}

static void mutate(struct ss_bytes *bytes, uint64_t *random)
{
    for (uint64_t changes = next_random(random) % 4; changes > 0; changes--) {
        size_t at = next_random(random) % bytes->len;
        switch (next_random(random) % 3) {
        case 0:
            bytes->data[at] ^= (uint8_t)(1u << next_random(random) % 8);
            break;
        case 1:
            bytes->data[at] = (uint8_t)next_random(random);
            break;
        default:
            bytes->len = at + 1;
            break;
        }
    }
}

SS_TEST(ws, damaged_streams_mean_the_same_however_they_are_cut)
{
    uint64_t random = 0x5EED5EED5EED;
    unsigned refused = 0;
    struct fixture f;
    fixture_init(&f);
    for (unsigned round = 0; round < 20000; round++) {
        struct ws_peer whole;
        struct ws_peer cut;
        ss__bytes_clear(&f.in);
        random_frames(&f.in, &random);
        mutate(&f.in, &random);
        ws_peer_init(&whole, &f.pool, 400);
        ws_peer_init(&cut, &f.pool, 400);
        (void)ws_peer_feed(&whole, f.in.data, f.in.len);    /* compared by the logs */
        for (size_t at = 0; at < f.in.len;) {
            size_t most = f.in.len - at;
            size_t len = 1 + next_random(&random) % (next_random(&random) % 2 == 0 ? 4 : 64);
            len = len < most ? len : most;
            (void)ws_peer_feed(&cut, f.in.data + at, len);
            at += len;
        }
        ss_check_msg(ss_str_equal(ss__bytes_view(&whole.log), ss__bytes_view(&cut.log)),
                     "round %u:\n%.*s---\n%.*s", round, (int)whole.log.len,
                     (const char *)whole.log.data, (int)cut.log.len,
                     (const char *)cut.log.data);
        ss_check(ss__ws_unfinished(&whole.ws) == ss__ws_unfinished(&cut.ws));
        refused += whole.closed && whole.status != 0 ? 1 : 0;
        ws_peer_deinit(&whole);
        ws_peer_deinit(&cut);
    }
    ss_check_msg(refused > 4000 && refused < 18000, "%u closed", refused);
    fixture_deinit(&f);
}
