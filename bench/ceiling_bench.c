/* What the machine gives without us: one write to each of 1,000 sockets, a sync of an append, a
 * bare LMDB commit. Figures of the server are to be read as parts of these. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench.h"

#define SOCKETS 1000
#define MESSAGE_BYTES 342    /* a frame of the fan-out scenarios */
#define PAGE_BYTES 4096

struct sockets {
    int ours[SOCKETS];
    int theirs[SOCKETS];
    _Atomic uint64_t received;    /* bytes */
    atomic_bool over;
};

static void connect_all(struct sockets *sockets)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    socklen_t len = sizeof address;
    int on = 1;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, len) != 0 ||
        listen(listener, SOCKETS) != 0 ||
        getsockname(listener, (struct sockaddr *)&address, &len) != 0) {
        ss__bench_fail("ceiling: no loopback socket: %s", strerror(errno));
    }
    for (unsigned i = 0; i < SOCKETS; i++) {
        sockets->theirs[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (sockets->theirs[i] < 0 ||
            connect(sockets->theirs[i], (struct sockaddr *)&address, len) != 0 ||
            (sockets->ours[i] = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) < 0 ||
            setsockopt(sockets->ours[i], IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0) {
            ss__bench_fail("ceiling: connection %u: %s", i, strerror(errno));
        }
    }
    (void)close(listener);
}

static void *receive(void *arg)
{
    static char buffer[1 << 16];
    struct sockets *sockets = arg;
    struct epoll_event events[SOCKETS];
    int poll = epoll_create1(EPOLL_CLOEXEC);
    for (unsigned i = 0; i < SOCKETS; i++) {
        struct epoll_event event = { .events = EPOLLIN, .data = { .fd = sockets->theirs[i] } };
        if (epoll_ctl(poll, EPOLL_CTL_ADD, sockets->theirs[i], &event) != 0) {
            ss__bench_fail("ceiling: epoll: %s", strerror(errno));
        }
    }
    while (!atomic_load(&sockets->over)) {
        int count = epoll_wait(poll, events, SOCKETS, 100);
        for (int i = 0; i < count; i++) {
            ssize_t len = recv(events[i].data.fd, buffer, sizeof buffer, MSG_DONTWAIT);
            atomic_fetch_add(&sockets->received, len > 0 ? (uint64_t)len : 0);
        }
    }
    (void)close(poll);
    return NULL;
}

static void write_round(struct sockets *sockets, const char *message, size_t len, uint64_t until)
{
    for (unsigned i = 0; i < SOCKETS; i++) {
        if (write(sockets->ours[i], message, len) != (ssize_t)len) {
            ss__bench_fail("ceiling: write: %s", strerror(errno));
        }
    }
    while (atomic_load(&sockets->received) < until) {
    }
}

static void raw_writes(const struct ss_bench_options *options, unsigned in_flight,
                       const char *name)
{
    static char message[MESSAGE_BYTES * 16];
    if (!ss__bench_wanted(options, name)) {
        return;
    }
    struct sockets *sockets = calloc(1, sizeof *sockets);
    pthread_t receiver;
    if (sockets == NULL) {
        ss__bench_fail("ceiling: out of memory");
    }
    connect_all(sockets);
    if (pthread_create(&receiver, NULL, receive, sockets) != 0) {
        ss__bench_fail("ceiling: no thread");
    }
    size_t len = (size_t)MESSAGE_BYTES * in_flight;
    uint64_t rounds = 50 * options->scale;
    uint64_t begin = ss__bench_ns();
    uint64_t cpu = ss__bench_cpu_ns();
    for (uint64_t i = 1; i <= rounds; i++) {
        write_round(sockets, message, len, i * SOCKETS * len);
    }
    char params[64];
    (void)snprintf(params, sizeof params, "\"followers\":%d,\"in_flight\":%u", SOCKETS, in_flight);
    struct ss_bench_result result = { .suite = "ceiling", .name = name, .params = params,
                                      .count = rounds * SOCKETS * in_flight,
                                      .ns = ss__bench_ns() - begin,
                                      .cpu_ns = ss__bench_cpu_ns() - cpu };
    ss__bench_report(&result);
    atomic_store(&sockets->over, true);
    (void)pthread_join(receiver, NULL);
    for (unsigned i = 0; i < SOCKETS; i++) {
        (void)close(sockets->ours[i]);
        (void)close(sockets->theirs[i]);
    }
    free(sockets);
}

/* ---- disk ---- */

static void make_dir(const struct ss_bench_options *options)
{
    ss__bench_remove(options->dir);
    if (mkdir(options->dir, 0750) != 0) {
        ss__bench_fail("ceiling: \"%s\": %s", options->dir, strerror(errno));
    }
}

static void report_syncs(const struct ss_bench_options *options, const char *name, uint64_t count,
                         uint64_t begin, uint64_t cpu, struct ss_histogram *latency)
{
    struct ss_bench_result result = { .suite = "ceiling", .name = name, .count = count,
                                      .ns = ss__bench_ns() - begin,
                                      .cpu_ns = ss__bench_cpu_ns() - cpu, .latency = latency };
    ss__bench_report(&result);
    free(latency);
    ss__bench_remove(options->dir);
}

static void syncs(const struct ss_bench_options *options, bool allocated, const char *name)
{
    static const char page[PAGE_BYTES];
    char path[512];
    if (!ss__bench_wanted(options, name)) {
        return;
    }
    make_dir(options);
    uint64_t count = 200 * options->scale;
    (void)snprintf(path, sizeof path, "%s/file", options->dir);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    bool good = fd >= 0;
    for (uint64_t i = 0; allocated && i < count && good; i++) {
        good = pwrite(fd, page, sizeof page, (off_t)(i * sizeof page)) == sizeof page;
    }
    good = good && fsync(fd) == 0;
    struct ss_histogram *latency = ss__bench_histogram();
    uint64_t begin = ss__bench_ns();
    uint64_t cpu = ss__bench_cpu_ns();
    for (uint64_t i = 0; i < count && good; i++) {
        uint64_t at = ss__bench_ns();
        good = pwrite(fd, page, sizeof page, (off_t)(i * sizeof page)) == sizeof page &&
               fdatasync(fd) == 0;
        ss__histogram_add(latency, ss__bench_ns() - at);
    }
    if (!good || close(fd) != 0) {
        ss__bench_fail("ceiling: \"%s\": %s", path, strerror(errno));
    }
    report_syncs(options, name, count, begin, cpu, latency);
}

static int commit_one(MDB_env *env, uint64_t number)
{
    MDB_txn *txn;
    MDB_dbi dbi;
    char value[300] = { 0 };
    MDB_val key = { sizeof number, &number };
    MDB_val data = { sizeof value, value };
    int code = mdb_txn_begin(env, NULL, 0, &txn);
    if (code != 0) {
        return code;
    }
    code = mdb_dbi_open(txn, NULL, MDB_INTEGERKEY, &dbi);
    code = code != 0 ? code : mdb_put(txn, dbi, &key, &data, MDB_APPEND);
    if (code != 0) {
        mdb_txn_abort(txn);
        return code;
    }
    return mdb_txn_commit(txn);
}

static void lmdb_commits(const struct ss_bench_options *options)
{
    MDB_env *env;
    if (!ss__bench_wanted(options, "ceiling_lmdb_commit")) {
        return;
    }
    make_dir(options);
    int code = mdb_env_create(&env);
    code = code != 0 ? code : mdb_env_set_mapsize(env, (size_t)1 << 30);
    code = code != 0 ? code : mdb_env_open(env, options->dir, 0, 0640);
    uint64_t count = 200 * options->scale;
    struct ss_histogram *latency = ss__bench_histogram();
    uint64_t begin = ss__bench_ns();
    uint64_t cpu = ss__bench_cpu_ns();
    for (uint64_t i = 1; i <= count && code == 0; i++) {
        uint64_t at = ss__bench_ns();
        code = commit_one(env, i);
        ss__histogram_add(latency, ss__bench_ns() - at);
    }
    if (code != 0) {
        ss__bench_fail("ceiling: lmdb: %s", mdb_strerror(code));
    }
    mdb_env_close(env);
    report_syncs(options, "ceiling_lmdb_commit", count, begin, cpu, latency);
}

void ss__bench_ceiling(const struct ss_bench_options *options)
{
    raw_writes(options, 1, "ceiling_write_1x1000_window_1");
    raw_writes(options, 16, "ceiling_write_1x1000_window_16");
    syncs(options, false, "ceiling_fdatasync_growing");
    syncs(options, true, "ceiling_fdatasync_allocated");
    lmdb_commits(options);
}
