/* The cases of tests/conformance/websocket/frames.txt against the decoder: whole, cut at every byte
 * of every frame header, and byte by byte. The integration test plays them to the daemon. */
#include "wire/ws.h"

#include <sessionstream/limits.h>

#include "ws_cases.h"
#include "ws_peer.h"

#define SHORT_BYTES 512u    /* cases up to this size are cut at every byte */

static struct ss_ws_decoder_pool pool;

/* Says that the log of @peer is what @c wants, however it was @fed. */
static void expect(const struct ws_case *c, const struct ws_peer *peer, const char *fed, size_t at)
{
    struct ss_str log = ss__bytes_view(&peer->log);
    struct ss_str want = ss__bytes_view(&c->want);
    ss_check_msg(log.len >= want.len && ss_str_equal(ss_str_of(log.data, want.len), want),
                 "%s, %s %zu: got\n%.*s\n", c->name, fed, at, (int)(log.len < 2000 ? log.len : 2000),
                 log.data);
    struct ss_str rest = ss_str_of(log.data + want.len, log.len - want.len);
    ss_check_msg(peer->closed == (c->status != 0), "%s, %s %zu: got\n%.*s\n", c->name, fed, at,
                 (int)rest.len, rest.data);
    if (c->status == 0) {
        ss_check_msg(rest.len == 0, "%s, %s %zu: also\n%.*s\n", c->name, fed, at, (int)rest.len,
                     rest.data);
        return;
    }
    /* The close frame comes first, then the end. */
    ss_check(rest.len > 8 && memcmp(rest.data, "reply 8 ", 8) == 0);
    unsigned sent = SS_WS_STATUS_NONE;
    if (rest.data[8] != '\n') {
        ss_check(rest.len > 10);
        sent = (unsigned)(uint8_t)rest.data[8] << 8 | (uint8_t)rest.data[9];
    }
    ss_check_msg(sent == (unsigned)c->status, "%s, %s %zu: close %u\n", c->name, fed, at, sent);
}

static void feed_cut(const struct ws_case *c, size_t cut)
{
    struct ws_peer peer;
    ws_peer_init(&peer, &pool, SS_CLIENT_FRAME_BYTES_MAX);
    (void)ws_peer_feed(&peer, c->in.data, cut);    /* the log tells */
    (void)ws_peer_feed(&peer, c->in.data + cut, c->in.len - cut);
    expect(c, &peer, cut == c->in.len ? "whole" : "cut at", cut);
    ws_peer_deinit(&peer);
}

static void feed_cut_in_headers(const struct ws_case *c)
{
    size_t count = c->headers.len / sizeof(size_t);
    for (size_t i = 0; i < count && (i < 8 || i + 8 >= count); i++) {
        size_t at;
        memcpy(&at, c->headers.data + i * sizeof at, sizeof at);
        for (size_t cut = at; cut <= at + SS_WS_MASKED_HEADER_BYTES_MAX && cut < c->in.len; cut++) {
            feed_cut(c, cut);
        }
    }
    for (size_t cut = 0; c->in.len <= SHORT_BYTES && cut < c->in.len; cut++) {
        feed_cut(c, cut);
    }
}

static void feed_bytewise(const struct ws_case *c)
{
    struct ws_peer peer;
    ws_peer_init(&peer, &pool, SS_CLIENT_FRAME_BYTES_MAX);
    size_t fed = ws_peer_feed_bytewise(&peer, c->in.data, c->in.len);
    expect(c, &peer, "byte by byte", fed);
    ss_check_msg(c->mark == WS_CASE_NO_MARK || fed == c->mark, "%s: refused after %zu, not %zu\n",
                 c->name, fed, c->mark);
    ws_peer_deinit(&peer);
}

SS_TEST(ws_cases, every_case_of_the_list_holds_wherever_it_is_cut)
{
    struct ws_case c;
    size_t count = 0;
    FILE *file = fopen(SS_WS_CASES, "r");
    ss_check_msg(file != NULL, "%s\n", SS_WS_CASES);
    ss__ws_decoder_pool_init(&pool, (size_t)1 << 24);
    while (ws_case_next(file, &c)) {
        feed_cut(&c, c.in.len);
        feed_cut_in_headers(&c);
        if (c.in.len <= 1u << 17) {
            feed_bytewise(&c);
        }
        ws_case_deinit(&c);
        count++;
    }
    ss_check(fclose(file) == 0);
    ss_check_msg(count >= 120, "only %zu cases\n", count);
    ss_check(pool.lent_count == 0 && pool.held_bytes == 0);
    ss__ws_decoder_pool_deinit(&pool);
}
