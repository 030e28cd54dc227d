/* Damaged streams of random frames: cutting them changes nothing of what they mean. */
#include "ws_server_peer.h"

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

SS_TEST(ws_damaged, damaged_streams_mean_the_same_however_they_are_cut)
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
