/* Names that strangers choose, more of them than anybody needs. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/hash.h"
#include "scenarios.h"

#define CONNECTIONS 16
#define HONEST 256             /* subscribers that wait for their answers */

static void connect_few(struct stage *stage)
{
    stage_crowd(stage, CONNECTIONS);
    while (stage->peer_count < CONNECTIONS) {
        struct peer *peer = stage_upgrade(stage, 0);
        if (peer == NULL) {
            break;
        }
        peer->polite = true;    /* answers may take longer than the silence that is allowed */
        stage_poll(stage, 0);   /* nor is one silent while the others connect */
    }
}

/* Sends frames that @write makes over those connections, whose answers are read, one for each
 * operation that is due and at least so many. */
static void send_stream(struct stage *stage, double rate, uint64_t least,
                        void (*write)(struct ss_bytes *out, uint64_t number))
{
    struct ss_bytes out = { .max = SIZE_MAX };
    uint32_t turn = 0;
    bool cut_off = stage->peer_count == 0;
    while (!cut_off && (!stage_over(stage) || stage->operations < least)) {
        uint32_t due = stage_due(stage, rate);
        for (; due > 0 && !cut_off; turn++) {
            struct peer *peer = &stage->peers[turn % stage->peer_count];
            ss__bytes_clear(&out);
            uint32_t part = due < 64 ? due : 64;
            for (uint32_t i = 0; i < part; i++) {
                write(&out, stage->operations++);
            }
            due -= part;
            cut_off = !peer_send_all(peer, out.data, out.len);
            stage_poll(stage, 0);
        }
        stage_poll(stage, cut_off ? 0 : 1);
    }
    stage_expect(stage, !cut_off, "an offender was cut off");
    ss__bytes_deinit(&out);
    frame_release();
}

/* The same from new connections, as misbehaviour. */
static void stream(struct stage *stage, double rate, uint64_t least,
                   void (*write)(struct ss_bytes *out, uint64_t number))
{
    connect_few(stage);
    stage_begin(stage);
    send_stream(stage, rate, least, write);
    stage->ended_ns = now_ns();
}

static void await_answers(struct stage *stage, uint64_t wanted)
{
    uint64_t until = stage_deadline(stage);
    uint64_t answers = 0;
    while (answers < wanted && now_ns() < until) {
        stage_poll(stage, 1);
        answers = 0;
        for (uint32_t i = 0; i < stage->peer_count; i++) {
            answers += stage->peers[i].accepted + stage->peers[i].errors;
        }
    }
    stage_expect(stage, answers == wanted, "%llu of %llu were answered",
                 (unsigned long long)answers, (unsigned long long)wanted);
}

static uint64_t errors_of(const struct stage *stage)
{
    uint64_t errors = 0;
    for (uint32_t i = 0; i < stage->peer_count; i++) {
        errors += stage->peers[i].errors;
    }
    return errors;
}

/* In turn, to the session that others use and to their own. */
static void write_churn(struct ss_bytes *out, uint64_t number)
{
    char text[128];
    (void)snprintf(text, sizeof text, "{\"%s\":{\"sessionId\":\"%s\"}}",
                   number % 2 == 0 ? "subscribe" : "unsubscribe",
                   number / 2 % 2 == 0 ? "busy" : "churned");
    frame_text(out, text);
}

void subscribe_churn(struct stage *stage)
{
    stage->operation = "subscribes and unsubscribes";
    stream(stage, 10000, 0, write_churn);
    stage_expect(stage, errors_of(stage) == 0, "%llu errors were answered",
                 (unsigned long long)errors_of(stage));
}

static uint64_t answers_of(const struct peer *peers, uint32_t count)
{
    uint64_t answers = 0;
    for (uint32_t i = 0; i < count; i++) {
        answers += peers[i].subscribed + peers[i].unsubscribed;
    }
    return answers;
}

static void read_all(struct peer *peers, uint32_t count)
{
    struct pollfd waits[HONEST];
    for (uint32_t i = 0; i < count; i++) {
        waits[i] = (struct pollfd){ peers[i].fd, POLLIN, 0 };
    }
    (void)poll(waits, count, 1);
    for (uint32_t i = 0; i < count; i++) {
        if (waits[i].revents != 0) {
            peer_read(&peers[i], SIZE_MAX);
        }
    }
}

/* Asks the same as the flood, @rate times a second if that can be had, by many who each wait for
 * their answer before they ask again. Returns the answers a second. */
static double ask_honestly(struct stage *stage, double rate)
{
    static struct peer peers[HONEST];
    struct ss_bytes out = { .max = SIZE_MAX };
    uint32_t count = 0;
    while (count < HONEST && peer_upgrade(&peers[count], stage->daemon.port, 0)) {
        peers[count++].polite = true;
    }
    stage_expect(stage, count == HONEST, "honest subscriber %u could not connect", count);
    atomic_store(&stage->healthy.phase, HEALTHY_HONEST);
    uint64_t began = now_ns();
    uint64_t until = began + (uint64_t)(stage->settings->seconds * 1e9);
    uint64_t give_up = stage_deadline(stage);
    uint64_t sent = 0;
    for (uint64_t now = began; count == HONEST && (now < until || answers_of(peers, count) == 0) &&
                               now < give_up; now = now_ns()) {
        uint64_t due = (uint64_t)(rate * (double)(now - began) / 1e9);
        for (uint32_t i = 0; i < count && sent < due; i++) {
            struct peer *peer = &peers[i];
            if (peer->sent == peer->subscribed + peer->unsubscribed) {
                ss__bytes_clear(&out);
                write_churn(&out, peer->sent++ + 2 * i);
                sent += peer_send_all(peer, out.data, out.len);
            }
        }
        read_all(peers, count);
    }
    double answered = (double)answers_of(peers, count);
    double took = (double)(now_ns() - began) / 1e9;
    stage_end_phase(stage);
    for (uint32_t i = 0; i < count; i++) {
        peer_close(&peers[i], false);
    }
    ss__bytes_deinit(&out);
    return answered / took;
}

/* So many that they take the processor. So would honest ones: the others are compared with what
 * they get beside those. */
void subscribe_flood(struct stage *stage)
{
    stage->operation = "subscribes and unsubscribes";
    stream(stage, 100000, 100, write_churn);
    uint64_t until = stage_deadline(stage);
    while (answers_of(stage->peers, stage->peer_count) == 0 && now_ns() < until) {
        stage_poll(stage, 10);
    }
    double rate = (double)answers_of(stage->peers, stage->peer_count) /
                  ((double)(stage->ended_ns - stage->began_ns) / 1e9);
    stage_end_phase(stage);
    stage_expect(stage, errors_of(stage) == 0, "%llu errors were answered",
                 (unsigned long long)errors_of(stage));
    double honest = ask_honestly(stage, rate);
    (void)printf("  %.0f answers a second for the flood, %.0f for honest subscribers\n", rate,
                 honest);
    stage_expect(stage, rate > 0 && honest > 0, "nobody was answered");
}

static void write_distinct(struct ss_bytes *out, uint64_t number)
{
    char text[128];
    (void)snprintf(text, sizeof text, "{\"%s\":{\"sessionId\":\"distinct-%llu\"}}",
                   number % 2 == 0 ? "subscribe" : "unsubscribe",
                   (unsigned long long)number / 2);
    frame_text(out, text);
}

/* Sessions that nobody has published to cost nothing once nobody follows them. */
void million_sessions(struct stage *stage)
{
    stage->operation = "subscribes and unsubscribes, each pair another session";
    stage->rss_bound = (2 * 16 + 32) * MIB;    /* --session-cache of two shards */
    stream(stage, 20000, 0, write_distinct);
}

static void write_published(struct ss_bytes *out, uint64_t number)
{
    char session[32];
    (void)snprintf(session, sizeof session, "published-%llu", (unsigned long long)number);
    frame_submit(out, session, number + 1, 30, 0);
}

static void write_honest(struct ss_bytes *out, uint64_t number)
{
    char session[32];
    (void)snprintf(session, sizeof session, "honest-%llu", (unsigned long long)number % 64);
    frame_submit(out, session, number + 1, 30, 0);
}

/* Sessions that hold one event each: handles of at most twice SS_SESSIONS_HELD_MAX a shard stay. So
 * many events keep the disk busy whatever they are of: the others may have to wait as long as
 * beside as many of a few sessions. */
void million_published(struct stage *stage)
{
    stage->operation = "events, each of another session";
    stage->rss_bound = UINT64_MAX;
    connect_few(stage);
    stage_begin_honest(stage);
    send_stream(stage, 5000, 1, write_honest);
    await_answers(stage, stage->operations);
    stage_end_phase(stage);
    uint64_t honest = stage->operations;
    stage->operations = 0;
    stage_begin(stage);
    send_stream(stage, 5000, 1, write_published);
    stage->ended_ns = now_ns();
    await_answers(stage, honest + stage->operations);
    uint64_t held = stage->operations < 4 * 131072 ? stage->operations : 4 * 131072;
    stage->rss_bound = (2 * 16 * 5 / 4 + 64) * MIB + held * 1024;
}

static struct {
    char names[1000][24];
    uint32_t count;
} colliding;

/* Ids that lie in one place of a table and on one shard, if the hash had a key that can be
 * guessed: one of zeros, or none. */
static void find_colliding(uint32_t wanted)
{
    static const struct ss_hash_key zeros;
    for (uint64_t number = 0; colliding.count < wanted; number++) {
        char *name = colliding.names[colliding.count];
        int len = snprintf(name, sizeof *colliding.names, "c%llu", (unsigned long long)number);
        struct ss_str id = ss_str_of(name, (size_t)len);
        uint64_t hash = colliding.count % 2 == 0 ? ss__hash(&zeros, id)
                                                 : ss__checksum(name, (size_t)len);
        if ((hash & 0x3ff) == 0x155 && hash >> 63 == 0) {
            colliding.count++;
        }
    }
}

static void write_colliding(struct ss_bytes *out, uint64_t number)
{
    frame_submit(out, colliding.names[number % colliding.count], number + 1, 30, 0);
}

void colliding_sessions(struct stage *stage)
{
    find_colliding(settings_count(stage->settings, 1000) < 200
                       ? 200 : sizeof colliding.names / sizeof *colliding.names);
    double sessions = daemon_metric(&stage->daemon, "sessionstream_sessions_in_memory",
                                    "shard=\"0\"");
    stage->operation = "events of sessions whose ids collide under a known key";
    stream(stage, 3000, colliding.count, write_colliding);
    await_answers(stage, stage->operations);
    double own = daemon_metric(&stage->daemon, "sessionstream_sessions_in_memory",
                               "shard=\"0\"") - sessions;
    double share = own / colliding.count;
    stage_expect(stage, share > 0.3 && share < 0.7, "a shard of two got %.0f of %u sessions", own,
                 colliding.count);
}

static void write_keyed(struct ss_bytes *out, uint64_t number)
{
    char text[400];
    (void)snprintf(text, sizeof text, "{\"submit\":{\"sessionId\":\"keyed-%llu\",\"name\":"
                   "\"BenchPublish\",\"idempotencyKey\":\"key-%llu\",\"payload\":{\"@type\":"
                   "\"type.googleapis.com/sessionstream.apps.bench.v1.BenchPublishCommand\"}}}",
                   (unsigned long long)number % 50, (unsigned long long)number);
    frame_text(out, text);
}

/* Commands with a new key each, to 50 sessions: the oldest results go, of their own sessions. */
void million_keys(struct stage *stage)
{
    stage->operation = "commands with a key, each another";
    stage->rss_bound = (2 * 64 + 64) * MIB;    /* SS_SHARD_KEYS_BYTES_MAX of two shards */
    stream(stage, 5000, 50, write_keyed);
    await_answers(stage, stage->operations);
    double keys = daemon_metric(&stage->daemon, "sessionstream_idempotency_keys", "");
    double bytes = daemon_metric(&stage->daemon, "sessionstream_idempotency_keys_bytes", "");
    stage_expect(stage, keys > 0 && keys <= 50 * 1024 && bytes <= 50.0 * (512 << 10),
                 "%g results are kept in %g bytes", keys, bytes);
}
