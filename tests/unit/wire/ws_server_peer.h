/* ws_server_peer.h - what a server takes in, whole and cut anywhere, and what has to come of it. */
#ifndef SS_TESTS_WS_SERVER_PEER_H
#define SS_TESTS_WS_SERVER_PEER_H

#include "wire/ws.h"
#include "ws_peer.h"

#define FIN 0x80u
#define LIMIT (1u << 17)
#define ITEMS(array) (sizeof(array) / sizeof *(array))

struct fixture {
    struct ss_ws_decoder_pool pool;
    struct ss_bytes in;
};

static inline void fixture_init(struct fixture *f)
{
    ss__ws_decoder_pool_init(&f->pool, (size_t)1 << 24);
    ss__bytes_init(&f->in, 0);
}

static inline void fixture_deinit(struct fixture *f)
{
    ss_check(f->pool.lent_count == 0 && f->pool.held_bytes == 0);
    ss_check(f->in.err == 0);
    ss__ws_decoder_pool_deinit(&f->pool);
    ss__bytes_deinit(&f->in);
}

/* A new connection takes f->in in pieces that end at @cuts and must say @log. */
static inline void expect_cut(struct fixture *f, const size_t *cuts, size_t cuts_len, const char *log)
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
static inline void expect_every_split(struct fixture *f, const char *log)
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
static inline uint16_t refusal_of(struct fixture *f)
{
    struct ws_peer peer;
    ws_peer_init(&peer, &f->pool, LIMIT);
    (void)ws_peer_feed(&peer, f->in.data, f->in.len);    /* a refusal drops the rest */
    uint16_t status = peer.closed ? peer.status : 0;
    ws_peer_deinit(&peer);
    return status;
}

#endif
