/* Lending and the account of memory, also when there is none; UTF-8 that grows. */
#include "wire/ws_decoder.h"

#include "core/fault.h"
#include "ws_peer.h"

#define FIN 0x80u
#define LIMIT 100000u

struct fixture {
    struct ss_ws_decoder_pool pool;
    struct ws_peer peer;
    struct ss_bytes in;
};

static void fixture_init(struct fixture *f)
{
    ss__fault_reset();
    ss__ws_decoder_pool_init(&f->pool, (size_t)1 << 24);
    ws_peer_init(&f->peer, &f->pool, LIMIT);
    ss__bytes_init(&f->in, 0);
}

static void fixture_deinit(struct fixture *f)
{
    ss__fault_reset();
    ws_peer_deinit(&f->peer);
    ss_check(f->pool.lent_count == 0 && f->pool.held_bytes == 0);
    ss__ws_decoder_pool_deinit(&f->pool);
    ss__bytes_deinit(&f->in);
}

SS_TEST(ws_decoder, no_memory_for_a_decoder_closes_with_1011)
{
    struct fixture f;
    fixture_init(&f);
    ss__fault_arm("ws.lend", 1, 1, SS_E_NOMEM);
    ws_peer_frame_text(&f.in, FIN | SS_WS_TEXT, "x");
    (void)ws_peer_feed(&f.peer, f.in.data, f.in.len);    /* the log tells */
    ws_peer_expect(&f.peer, "reply 8 \x03\xF3out of memory\nclose us 1011 out of memory\n");
    fixture_deinit(&f);
}

SS_TEST(ws_decoder, no_memory_for_a_message_closes_with_1011_after_the_pongs)
{
    struct fixture f;
    fixture_init(&f);
    ss__fault_arm("ws.append", 1, 1, SS_E_NOMEM);
    ws_peer_frame_text(&f.in, FIN | SS_WS_PING, "before");
    ws_peer_frame_text(&f.in, SS_WS_TEXT, "first part");
    (void)ws_peer_feed(&f.peer, f.in.data, f.in.len);    /* the log tells */
    ws_peer_expect(&f.peer, "reply 10 before\nreply 8 \x03\xF3out of memory\n"
                            "close us 1011 out of memory\n");
    fixture_deinit(&f);
}

SS_TEST(ws_decoder, each_growth_of_a_message_may_fail)
{
    static const char part[1000] = "binary";
    for (unsigned after = 1; after <= 5; after++) {
        struct fixture f;
        fixture_init(&f);
        ss__fault_arm("ws.append", after, 1, SS_E_NOMEM);
        ws_peer_frame(&f.in, SS_WS_BINARY, part, sizeof part);
        for (unsigned i = 0; i < 18; i++) {
            ws_peer_frame(&f.in, SS_WS_CONTINUATION, part, sizeof part);
        }
        (void)ws_peer_feed(&f.peer, f.in.data, f.in.len);    /* judged below */
        ss_check(f.peer.closed && f.peer.status == SS_WS_STATUS_INTERNAL);
        fixture_deinit(&f);
    }
}

SS_TEST(ws_decoder, whole_messages_cost_no_memory)
{
    struct fixture f;
    char text[4086];
    fixture_init(&f);
    memset(text, 't', sizeof text);
    for (size_t len = 0; len <= sizeof text; len += 227) {
        ws_peer_frame(&f.in, FIN | SS_WS_TEXT, text, len);
    }
    ss_check(ws_peer_feed(&f.peer, "\x8A\x80\1\2\3\4", 6) == 6);    /* lends the first one */
    ss__fault_arm("ws.lend", 1, 100, SS_E_NOMEM);
    ss__fault_arm("ws.append", 1, 100, SS_E_NOMEM);
    ss_check(ws_peer_feed(&f.peer, f.in.data, f.in.len) == f.in.len);
    ss_check(!f.peer.closed && f.peer.messages == sizeof text / 227 + 1);
    fixture_deinit(&f);
}

SS_TEST(ws_decoder, long_and_cut_messages_use_the_memory_of_those_before)
{
    struct fixture f;
    static char text[65536];
    fixture_init(&f);
    memset(text, 't', sizeof text);
    ws_peer_frame(&f.in, FIN | SS_WS_TEXT, text, sizeof text);
    ss_check(ws_peer_feed(&f.peer, f.in.data, f.in.len) == f.in.len);
    ss__fault_arm("ws.lend", 1, 100, SS_E_NOMEM);
    ss__fault_arm("ws.append", 1, 100, SS_E_NOMEM);
    for (size_t cut = 1; cut < f.in.len; cut += 6500) {
        ss_check(ws_peer_feed(&f.peer, f.in.data, cut) == cut);
        ss_check(ws_peer_feed(&f.peer, f.in.data + cut, f.in.len - cut) == f.in.len - cut);
    }
    ss_check(!f.peer.closed && f.peer.messages == 12);
    fixture_deinit(&f);
}

SS_TEST(ws_decoder, a_spare_keeps_little_memory_for_the_next_message)
{
    struct fixture f;
    static char text[90000];
    fixture_init(&f);
    memset(text, 't', sizeof text);
    for (size_t round = 0; round < 4; round++) {
        size_t len = round % 2 == 0 ? 60000 : sizeof text;
        ss__bytes_clear(&f.in);
        ws_peer_frame(&f.in, FIN | SS_WS_TEXT, text, len);
        ss_check(ws_peer_feed(&f.peer, f.in.data, f.in.len - 1) == f.in.len - 1);
        ss_check(f.pool.held_bytes >= len - 4096 && f.pool.held_bytes <= 2 * len);
        ss_check(ws_peer_feed(&f.peer, f.in.data + f.in.len - 1, 1) == 1);
        ss_check(f.pool.held_bytes == 0 && f.pool.spare_count == 1);
        ss_check(f.pool.spare->message.cap <= 65536);
        ss_check((f.pool.spare->message.cap > 0) == (round % 2 == 0));
    }
    ss_check(f.peer.messages == 4);
    fixture_deinit(&f);
}

SS_TEST(ws_decoder, spares_are_bounded_and_used_again)
{
    struct fixture f;
    struct ss_ws_decoder *lent[SS_WS_SPARE_DECODERS_MAX + 3];
    const size_t count = sizeof lent / sizeof *lent;
    fixture_init(&f);
    for (size_t i = 0; i < count; i++) {
        lent[i] = ss__ws_decoder_lend(&f.pool);
        ss_check(lent[i] != NULL && ss__ws_decoder_idle(lent[i]));
    }
    ss_check(f.pool.lent_count == count);
    for (size_t i = 0; i < count; i++) {
        ss__ws_decoder_take_back(&f.pool, lent[i]);
    }
    ss_check(f.pool.lent_count == 0 && f.pool.spare_count == SS_WS_SPARE_DECODERS_MAX);
    struct ss_ws_decoder *again = ss__ws_decoder_lend(&f.pool);
    ss_check(again == lent[SS_WS_SPARE_DECODERS_MAX - 1]);
    ss__ws_decoder_take_back(&f.pool, again);
    fixture_deinit(&f);
}

SS_TEST(ws_decoder, one_that_stopped_in_the_middle_is_no_spare)
{
    static const struct {
        const char *bytes;
        size_t len;
    } unfinished[] = {
        { "\x81", 1 },                          { "\x81\x85\1\2\3\4", 6 },
        { "\x81\x85\1\2\3\4x", 7 },             { "\x01\x80\1\2\3\4", 6 },
        { "\x81\xFE\0\1\1\2\3\4", 8 },          { "\x81\xFF\x80\0\0\0\0\0\0\0\1\2\3\4", 14 },
        { "\x81\5hello", 7 },                   { "\xC1\x80\1\2\3\4", 6 },
    };
    for (size_t i = 0; i < sizeof unfinished / sizeof *unfinished; i++) {
        struct fixture f;
        fixture_init(&f);
        (void)ws_peer_feed(&f.peer, unfinished[i].bytes, unfinished[i].len);
        ss__ws_deinit(&f.peer.ws, &f.pool);
        ss_check_msg(f.pool.lent_count == 0 && f.pool.spare_count == 0, "bytes %zu", i);
        fixture_deinit(&f);
    }
}

/* What the growing check says of a prefix, against trying every continuation that could help. */
static bool could_become_text(const uint8_t *data, size_t len)
{
    static const char *const ends[] = { "", "\x80", "\xBF", "\x80\x80", "\xBF\xBF",
                                        "\x80\x80\x80", "\xBF\xBF\xBF" };
    uint8_t bytes[16];
    memcpy(bytes, data, len);
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        size_t end = strlen(ends[i]);
        memcpy(bytes + len, ends[i], end);
        struct ss_ws_decoder_pool pool;
        struct ws_peer peer;
        struct ss_bytes in;
        ss__ws_decoder_pool_init(&pool, LIMIT);
        ws_peer_init(&peer, &pool, LIMIT);
        ss__bytes_init(&in, 0);
        ws_peer_frame(&in, FIN | SS_WS_TEXT, bytes, len + end);
        (void)ws_peer_feed(&peer, in.data, in.len);    /* judged below */
        bool good = !peer.closed;
        ws_peer_deinit(&peer);
        ss__ws_decoder_pool_deinit(&pool);
        ss__bytes_deinit(&in);
        if (good) {
            return true;
        }
    }
    return false;
}

SS_TEST(ws_decoder, growing_text_is_judged_as_every_continuation_would_be)
{
    static const uint8_t seconds[] = { 0x00, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC2,
                                       0xE0, 0xED, 0xF0, 0xF4, 0xF5, 0xFF };
    for (unsigned first = 0x78; first <= 0xFF; first++) {
        for (size_t i = 0; i < sizeof seconds; i++) {
            const uint8_t bytes[] = { 'a', (uint8_t)first, seconds[i] };
            size_t checked = 0;
            bool grows = ss__ws_utf8_advance(bytes, 2, &checked) &&
                         ss__ws_utf8_advance(bytes, 3, &checked);
            ss_check_msg(grows == could_become_text(bytes, 3), "%02x %02x", first, seconds[i]);
            checked = 0;
            ss_check_msg(ss__ws_utf8_advance(bytes, 3, &checked) == grows, "%02x %02x at once",
                         first, seconds[i]);
        }
    }
}
