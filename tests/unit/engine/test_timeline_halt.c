/* A halted timeline over a real socket and the public calls: cursors, retry, and the options. */
#include <sessionstream/engine.h>

#include <arpa/inet.h>
#include <ftw.h>
#include <netinet/in.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "notes.descriptor.h"
#include "notes.pb-c.h"
#include "ss_test.h"

#define NOTE "sessionstream.test.notes.Note"

struct fixture {
    char dir[64];
    struct ss_engine_options options;
    struct ss_registry *registry;
    struct ss_engine *engine;
    atomic_bool broken;
    sem_t answered;
    int err;
    uint64_t ordinal;
    struct ss_cursors cursors;
};

static int put(struct ss_timeline *timeline, const struct ss_event *event,
               const struct ss_view *view, void *ctx)
{
    struct fixture *fixture = ctx;
    (void)view;
    const Sessionstream__Test__Notes__Note *note = (const void *)ss_event_payload(event);
    return atomic_load(&fixture->broken) && strcmp(note->id, "b") == 0
               ? SS_E_HANDLER
               : ss_put_entity(timeline, "Note", ss_str(note->id), &note->base);
}

static void init(struct fixture *fixture)
{
    *fixture = (struct fixture){ .dir = "/tmp/ss-halt-XXXXXX" };
    ss_check(mkdtemp(fixture->dir) != NULL);
    ss_check(sem_init(&fixture->answered, 0, 0) == 0);
    struct ss_registry *registry = fixture->registry = ss_registry_new();
    ss_check(registry != NULL);
    ss_check(ss_registry_load_descriptors(registry, notes_descriptor_set,
                                          notes_descriptor_set_len) == 0);
    ss_check(ss_registry_attach(registry, &sessionstream__test__notes__note__descriptor) == 0);
    ss_check(ss_register_event(registry, "Put", NOTE) == 0);
    ss_check(ss_register_timeline_projection(registry, "timeline", 1, put, fixture) == 0);
    ss_check(ss_register_entity(registry, "Note", NOTE, "timeline") == 0);
    ss_engine_options_init(&fixture->options);
    fixture->options.data_dir = fixture->dir;
    fixture->options.listen_port = 0;
    fixture->options.shard_count = 1;
    fixture->options.store_map_bytes = UINT64_C(16) << 20;
    fixture->options.min_free_bytes = 0;
    fixture->options.stop_timeout_ms = 1000;
    fixture->options.timeline_policy = SS_POLICY_HALT;
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *at)
{
    (void)status;
    (void)type;
    (void)at;
    return remove(path);
}

static void end(struct fixture *fixture)
{
    if (fixture->engine != NULL) {
        ss_engine_stop(fixture->engine);
    }
    ss_engine_free(fixture->engine);
    ss_registry_free(fixture->registry);
    ss_check(sem_destroy(&fixture->answered) == 0);
    ss_check(nftw(fixture->dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS) == 0);
}

static void on_done(const struct ss_result *result, void *ctx)
{
    struct fixture *fixture = ctx;
    fixture->err = result->err;
    fixture->ordinal = result->ordinal;
    (void)sem_post(&fixture->answered);
}

static void on_cursors(int err, const struct ss_cursors *cursors, void *ctx)
{
    struct fixture *fixture = ctx;
    fixture->err = err;
    fixture->cursors = *cursors;
    (void)sem_post(&fixture->answered);
}

static int publish(struct fixture *fixture, const char *id)
{
    Sessionstream__Test__Notes__Note note = SESSIONSTREAM__TEST__NOTES__NOTE__INIT;
    char copy[16];
    (void)snprintf(copy, sizeof copy, "%s", id);
    note.id = copy;
    ss_check(ss_engine_publish(fixture->engine, ss_str("s"), "Put", &note.base, on_done,
                               fixture) == 0);
    ss_check(sem_wait(&fixture->answered) == 0);
    return fixture->err;
}

/* The whole answer to a request on a connection of its own. */
static void exchange(struct fixture *fixture, const char *method, const char *path, char *out,
                     size_t cap)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons(ss_engine_port(fixture->engine)) };
    char request[256];
    size_t len = 0;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    ss_check(fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0);
    int bytes = snprintf(request, sizeof request,
                         "%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                         "Content-Length: 0\r\n\r\n", method, path);
    ss_check(write(fd, request, (size_t)bytes) == bytes);
    for (ssize_t got; (got = read(fd, out + len, cap - 1 - len)) > 0;) {
        len += (size_t)got;
    }
    out[len] = '\0';
    ss_check(close(fd) == 0);
}

static void check_answer(struct fixture *fixture, const char *method, const char *path,
                         const char *status, const char *body)
{
    char text[4096];
    exchange(fixture, method, path, text, sizeof text);
    ss_check_msg(strncmp(text, status, strlen(status)) == 0 && strstr(text, body) != NULL, "%s",
                 text);
}

SS_TEST(timeline_halt, is_seen_and_ended_over_http)
{
    struct fixture fixture;
    init(&fixture);
    ss_check(ss_engine_new(&fixture.options, fixture.registry, &fixture.engine) == 0);
    ss_check(ss_engine_start(fixture.engine) == 0);
    ss_check(publish(&fixture, "a") == 0);
    atomic_store(&fixture.broken, true);
    ss_check(publish(&fixture, "b") == SS_E_PROJECTION);
    ss_check(publish(&fixture, "c") == 0);
    check_answer(&fixture, "GET", "/v1/sessions/s/cursors", "HTTP/1.1 200",
                 "{\"sessionId\":\"s\",\"ordinal\":\"3\",\"timeline\":\"1\",\"haltedAt\":\"2\","
                 "\"failedTotal\":\"0\",\"failed\":[],\"projections\":[{\"name\":\"timeline\","
                 "\"version\":1,\"timeline\":\"1\",\"haltedAt\":\"2\",\"failedTotal\":\"0\","
                 "\"failed\":[]}]}");
    check_answer(&fixture, "POST", "/v1/sessions/s/retry", "HTTP/1.1 422",
                 "event 2 still fails in the timeline projection");
    check_answer(&fixture, "POST", "/v1/sessions/s/retry?projection=timeline", "HTTP/1.1 422",
                 "event 2 still fails in the timeline projection \\\"timeline\\\"");
    check_answer(&fixture, "POST", "/v1/sessions/s/retry?projection=other", "HTTP/1.1 404",
                 "no timeline projection");
    check_answer(&fixture, "GET", "/v1/sessions/s/retry", "HTTP/1.1 405", "POST");
    check_answer(&fixture, "POST", "/v1/sessions/s/cursors", "HTTP/1.1 405", "GET");
    atomic_store(&fixture.broken, false);
    check_answer(&fixture, "POST", "/v1/sessions/s/retry", "HTTP/1.1 200",
                 "{\"sessionId\":\"s\",\"ordinal\":\"3\"}");
    check_answer(&fixture, "GET", "/v1/sessions/s/snapshot", "HTTP/1.1 200", "\"id\":\"c\"");
    end(&fixture);
}

SS_TEST(timeline_halt, is_seen_and_ended_by_calls)
{
    struct fixture fixture;
    init(&fixture);
    fixture.options.listen_host = NULL;
    ss_check(ss_engine_new(&fixture.options, fixture.registry, &fixture.engine) == 0);
    ss_check(ss_engine_cursors(fixture.engine, ss_str("s"), on_cursors, &fixture) ==
             SS_E_STOPPING);
    ss_check(ss_engine_start(fixture.engine) == 0);
    ss_check(ss_engine_retry(fixture.engine, ss_str(""), NULL, on_done, &fixture) ==
             SS_E_SESSION_ID);
    atomic_store(&fixture.broken, true);
    ss_check(publish(&fixture, "b") == SS_E_PROJECTION);
    ss_check(ss_engine_cursors(fixture.engine, ss_str("s"), on_cursors, &fixture) == 0);
    ss_check(sem_wait(&fixture.answered) == 0 && fixture.err == 0);
    ss_check(fixture.cursors.ordinal == 1 && fixture.cursors.halted_at == 1);
    ss_check(fixture.cursors.timeline == 0);
    atomic_store(&fixture.broken, false);
    ss_check(ss_engine_retry(fixture.engine, ss_str("s"), "other", on_done, &fixture) ==
             SS_E_NOTFOUND);
    ss_check(ss_engine_retry(fixture.engine, ss_str("s"), NULL, on_done, &fixture) == 0);
    ss_check(sem_wait(&fixture.answered) == 0 && fixture.err == 0 && fixture.ordinal == 1);
    end(&fixture);
}

SS_TEST(timeline_halt, the_ui_projection_cannot_halt)
{
    struct fixture fixture;
    init(&fixture);
    fixture.options.ui_policy = SS_POLICY_HALT;
    ss_check(ss_engine_new(&fixture.options, fixture.registry, &fixture.engine) == SS_E_INVAL);
    ss_check(strstr(ss_registry_error(fixture.registry), "ui_policy") != NULL);
    end(&fixture);
}
