#include "healthy.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "daemon.h"

#define DRAIN_NS (UINT64_C(120) * 1000000000)
#define FOLLOWED_MS 60000
#define CAREFUL_BYTES (48u << 10)    /* on the way: less than the smallest --client-queue */

static int phase_of(const struct healthy_pair *pair)
{
    return atomic_load_explicit(&pair->healthy->phase, memory_order_relaxed);
}

static void measure(struct healthy_pair *pair, struct ss_histogram *histograms, uint64_t ns)
{
    int phase = phase_of(pair);
    ss__histogram_add(&histograms[phase], ns);
    atomic_fetch_add(&pair->healthy->measured[phase], 1);
}

static void on_submitter_frame(struct peer *peer, struct ss_str text)
{
    struct healthy_pair *pair = peer->ctx;
    if (begins_with(text, "{\"accepted\"")) {
        uint64_t sent_ns = number_behind(text, "\"requestId\":\"");
        uint64_t ordinal = number_behind(text, "\"ordinal\":\"");
        measure(pair, pair->ack, now_ns() - sent_ns);
        pair->accepted++;
        pair->doubles += ordinal <= pair->acked_ordinal;
        pair->acked_ordinal = ordinal;
    } else if (begins_with(text, "{\"error\"")) {
        pair->errors++;
    }
}

static void on_follower_frame(struct peer *peer, struct ss_str text)
{
    struct healthy_pair *pair = peer->ctx;
    if (begins_with(text, "{\"snapshot\"")) {
        pair->snapshots += pair->next_ordinal != 0;
        pair->next_ordinal = number_behind(text, "\"snapshotOrdinal\":\"") + 1;
    } else if (begins_with(text, "{\"uiEvent\"")) {
        uint64_t ordinal = number_behind(text, "\"eventOrdinal\":\"");
        uint64_t sent_ns = number_behind(text, "\"sentNs\":\"");
        uint64_t now = now_ns();
        pair->gaps += ordinal > pair->next_ordinal;
        pair->doubles += ordinal < pair->next_ordinal;
        pair->next_ordinal = ordinal + 1;
        pair->delivered++;
        measure(pair, pair->delivery, now - sent_ns);
    } else if (begins_with(text, "{\"error\"")) {
        pair->errors++;
    }
}

static bool open_pair(struct healthy_pair *pair, uint16_t port)
{
    char text[256];
    if (!peer_upgrade(&pair->submitter, port, 0) || !peer_upgrade(&pair->follower, port, 0)) {
        return false;
    }
    pair->submitter.on_frame = on_submitter_frame;
    pair->follower.on_frame = on_follower_frame;
    pair->submitter.ctx = pair->follower.ctx = pair;
    pair->submitter.polite = pair->follower.polite = true;
    (void)snprintf(text, sizeof text, "{\"subscribe\":{\"sessionId\":\"%s\"}}", pair->session);
    if (!peer_send_text(&pair->follower, text)) {
        return false;
    }
    while (pair->follower.subscribed == 0 && !pair->follower.ended) {
        struct pollfd wait = { pair->follower.fd, POLLIN, 0 };
        if (poll(&wait, 1, FOLLOWED_MS) <= 0) {
            return false;
        }
        peer_read(&pair->follower, SIZE_MAX);
    }
    return !pair->follower.ended;
}

/* What is on the way fits the follower's queue, however slow the machine: it never overflows. */
static bool must_wait(const struct healthy_pair *pair)
{
    uint64_t size = pair->payload / 3 * 4 + 600;
    uint64_t most = CAREFUL_BYTES / size;
    return pair->healthy->careful && pair->sent - pair->delivered >= (most < 1 ? 1 : most);
}

static void submit_due(struct healthy_pair *pair, struct ss_bytes *out, uint64_t now)
{
    uint64_t interval = (uint64_t)(1e9 / pair->rate);
    if (now > pair->next_ns + interval * 100) {
        pair->next_ns = now;    /* this thread was away: no burst */
    }
    for (; pair->next_ns <= now; pair->next_ns += interval) {
        if (must_wait(pair)) {
            continue;
        }
        ss__bytes_clear(out);
        frame_submit(out, pair->session, now_ns(), pair->payload, 0);
        if (!peer_send_all(&pair->submitter, out->data, out->len)) {
            atomic_store(&pair->healthy->failed, true);
        }
        pair->sent++;
    }
}

static void wait_and_read(struct healthy *healthy, uint64_t until_ns)
{
    struct pollfd waits[2 * HEALTHY_PAIRS_MAX];
    struct peer *peers[2 * HEALTHY_PAIRS_MAX];
    unsigned count = 0;
    for (unsigned i = 0; i < healthy->count; i++) {
        peers[count++] = &healthy->pairs[i].submitter;
        peers[count++] = &healthy->pairs[i].follower;
    }
    for (unsigned i = 0; i < count; i++) {
        waits[i] = (struct pollfd){ peers[i]->fd, POLLIN, 0 };
    }
    uint64_t now = now_ns();
    uint64_t left = until_ns > now ? until_ns - now : 0;
    struct timespec patience = { 0, (long)(left < 50000000 ? left : 50000000) };
    if (ppoll(waits, count, &patience, NULL) <= 0) {
        return;
    }
    for (unsigned i = 0; i < count; i++) {
        if (waits[i].revents != 0) {
            peer_read(peers[i], SIZE_MAX);
        }
        if (peers[i]->ended) {
            atomic_store(&healthy->failed, true);
        }
    }
}

static bool all_arrived(const struct healthy *healthy)
{
    for (unsigned i = 0; i < healthy->count; i++) {
        const struct healthy_pair *pair = &healthy->pairs[i];
        if (pair->accepted + pair->errors < pair->sent ||
            pair->next_ordinal <= pair->acked_ordinal) {
            return false;
        }
    }
    return true;
}

static void *run(void *arg)
{
    struct healthy *healthy = arg;
    struct ss_bytes out;
    ss__bytes_init(&out, 0);
    while (!atomic_load(&healthy->stopping) && !atomic_load(&healthy->failed)) {
        uint64_t next = UINT64_MAX;
        uint64_t now = now_ns();
        for (unsigned i = 0; i < healthy->count; i++) {
            submit_due(&healthy->pairs[i], &out, now);
            next = healthy->pairs[i].next_ns < next ? healthy->pairs[i].next_ns : next;
        }
        wait_and_read(healthy, next);
    }
    uint64_t until = now_ns() + DRAIN_NS;
    while (!all_arrived(healthy) && !atomic_load(&healthy->failed) && now_ns() < until) {
        wait_and_read(healthy, now_ns() + 50000000);
    }
    ss__bytes_deinit(&out);
    frame_release();
    return NULL;
}

bool healthy_start(struct healthy *healthy, uint16_t port)
{
    healthy->port = port;
    for (unsigned i = 0; i < healthy->count; i++) {
        struct healthy_pair *pair = &healthy->pairs[i];
        pair->healthy = healthy;
        if (!open_pair(pair, port)) {
            return false;
        }
        pair->next_ns = now_ns();
    }
    return pthread_create(&healthy->thread, NULL, run, healthy) == 0;
}

void healthy_stop(struct healthy *healthy)
{
    atomic_store(&healthy->stopping, true);
    (void)pthread_join(healthy->thread, NULL);
    for (unsigned i = 0; i < healthy->count; i++) {
        peer_close(&healthy->pairs[i].submitter, false);
        peer_close(&healthy->pairs[i].follower, false);
    }
}
