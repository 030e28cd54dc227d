/* Frames of a client. The first byte picks how the bytes are cut, the rest is the stream.
 *
 * Whatever the cuts, the same messages and replies come out in the same order with the same end
 * (the log of ws_peer.h), and no memory of an unfinished message outlives its connection. */
#include "fuzz.h"

#include "wire/ws_peer.h"

#define MESSAGE_BYTES_MAX 2048u
#define HELD_BYTES_MAX (64u << 10)

/* Feeds @stream in steps of @step bytes (0: all at once). */
static void feed(struct ss_ws_decoder_pool *pool, struct ss_str stream, size_t step,
                 struct ws_peer *peer)
{
    size_t from = 0;
    ws_peer_init(peer, pool, MESSAGE_BYTES_MAX);
    while (from < stream.len && !peer->closed) {
        size_t len = step == 0 || step > stream.len - from ? stream.len - from : step;
        ss_check(ws_peer_feed(peer, stream.data + from, len) == len);
        from += len;
    }
    ss_check(peer->log.err == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (len == 0) {
        return 0;
    }
    struct ss_str stream = ss_str_of(data + 1, len - 1);
    struct ss_ws_decoder_pool pool;
    struct ws_peer whole;
    struct ws_peer cut;
    ss__ws_decoder_pool_init(&pool, HELD_BYTES_MAX);
    feed(&pool, stream, 0, &whole);
    feed(&pool, stream, 1 + data[0] % 16u, &cut);
    ss_check_msg(ss_str_equal(ss__bytes_view(&whole.log), ss__bytes_view(&cut.log)),
                 "%.*s----\n%.*s", (int)whole.log.len, (const char *)whole.log.data,
                 (int)cut.log.len, (const char *)cut.log.data);
    ss_check(whole.closed == cut.closed && whole.status == cut.status);
    ss_check(ss__ws_unfinished(&whole.ws) == ss__ws_unfinished(&cut.ws));
    ws_peer_deinit(&cut);
    ws_peer_deinit(&whole);
    ss_check(pool.lent_count == 0 && pool.held_bytes == 0);
    ss__ws_decoder_pool_deinit(&pool);
    return 0;
}
