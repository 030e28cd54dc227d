/* More sessions than memory holds: states stay within their budget, whoever was evicted comes back
 * as it was, nothing is lost, and the counts of /metrics agree.
 *
 * SS_TEST_SESSIONS says how many; a million in a release. */
#ifndef SS_TEST_SECONDS
#define SS_TEST_SECONDS 540
#endif

#include <arpa/inet.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <time.h>

#include "engine_fixture.h"

#if defined(SS_SANITIZED)
#define SESSIONS 20000
#elif defined(SS_DEV_CHECKS)
#define SESSIONS 200000
#else
#define SESSIONS 1000000
#endif
#define SHARDS 2
/* A shard may hold a quarter more than its budget of states with changes, and those of a batch. */
#define CACHE_BYTES_PER_SESSION 4
#define OVER_BYTES (UINT64_C(2) << 20)
/* Of sessions that are out of memory but for their events in the log: what new ones wait for, and
 * what comes while a flush is under way. */
#define HELD_MAX (3 * SS_SESSIONS_HELD_MAX)
#define HEAP_BYTES_MAX (UINT64_C(1) << 30)
#define IN_FLIGHT_MAX 20000
#define NOTE_TEXT "a note of a few words, as they are"

struct crowd {
    struct fixture base;
    uint32_t sessions;
    uint8_t *touches;             /* by session: events that were acknowledged */
    uint32_t posted;
    atomic_uint answered;
    atomic_uint errors;           /* answers with an error */
    atomic_uint wrong;            /* sessions that came back as something else */
    uint64_t state_bytes_peak;
    uint64_t in_memory_peak;
    uint64_t held_peak;
};

/* ---- the application: a counter in each session ---- */

static int count_note(struct ss_timeline *timeline, const struct ss_event *event,
                      const struct ss_view *view, void *ctx)
{
    (void)ctx;
    const Sessionstream__Test__Notes__Note *note_of_event = (const void *)ss_event_payload(event);
    const struct ss_entity *old = ss_view_get(view, "Note", ss_str("note"));
    unsigned count = 0;
    if (old != NULL) {
        const Sessionstream__Test__Notes__Note *before = (const void *)ss_entity_payload(view, old);
        count = (unsigned)strtoul(before->text, NULL, 10);
    }
    char text[128];
    (void)snprintf(text, sizeof text, "%u %s", count + 1, note_of_event->text);
    Sessionstream__Test__Notes__Note entity = SESSIONSTREAM__TEST__NOTES__NOTE__INIT;
    entity.id = note_of_event->id;
    entity.text = text;
    return ss_put_entity(timeline, "Note", ss_str("note"), &entity.base);
}

/* The payload's text says how many events the session must have. */
static int on_check(struct ss_context *context, const struct ss_command *command, void *ctx)
{
    struct crowd *crowd = ctx;
    const Sessionstream__Test__Notes__Note *want = (const void *)command->payload;
    const struct ss_view *view = ss_context_view(context);
    const struct ss_entity *entity = ss_view_get(view, "Note", ss_str("note"));
    const Sessionstream__Test__Notes__Note *have =
        entity == NULL ? NULL : (const void *)ss_entity_payload(view, entity);
    unsigned count = (unsigned)strtoul(want->text, NULL, 10);
    char text[128];
    (void)snprintf(text, sizeof text, "%u " NOTE_TEXT, count);
    bool right = have != NULL && strcmp(have->text, text) == 0 &&
                 ss_str_equal(ss_str(have->id), ss_context_session_id(context)) &&
                 ss_context_ordinal(context) == count;
    atomic_fetch_add(&crowd->wrong, !right);
    return 0;
}

static void open_engine(struct crowd *crowd)
{
    struct fixture *f = &crowd->base;
    f->registry = new_registry();
    ss_check(ss_register_command(f->registry, "Check", NOTE, on_check, crowd) == 0);
    ss_check(ss_register_timeline_projection(f->registry, "notes", 1, count_note, NULL) == 0);
    ss_check(ss_register_entity(f->registry, "Note", NOTE, "notes") == 0);
    make(f);
    start(f);
}

static void close_engine(struct crowd *crowd)
{
    ss_engine_stop(crowd->base.engine);
    ss_engine_free(crowd->base.engine);
    ss_registry_free(crowd->base.registry);
    crowd->base.engine = NULL;
    crowd->base.registry = NULL;
}

static void crowd_init(struct crowd *crowd)
{
    const char *sessions = getenv("SS_TEST_SESSIONS");
    *crowd = (struct crowd){ .sessions = sessions == NULL
                                             ? SESSIONS
                                             : (uint32_t)strtoul(sessions, NULL, 10) };
    ss_check(crowd->sessions > 0);
    fixture_init(&crowd->base);
    ss_registry_free(crowd->base.registry);
    crowd->base.options.shard_count = SHARDS;
    crowd->base.options.store_map_bytes = UINT64_C(4) << 30;
    crowd->base.options.session_cache_bytes =
        (uint64_t)crowd->sessions * CACHE_BYTES_PER_SESSION;
    crowd->base.options.durability = SS_DURABILITY_NONE;
    crowd->base.options.listen_host = "127.0.0.1";
    crowd->base.options.stop_timeout_ms = 4000;
    crowd->touches = calloc(crowd->sessions, 1);
    ss_check(crowd->touches != NULL);
}

static void crowd_end(struct crowd *crowd)
{
    free(crowd->touches);
    ss_check(nftw(crowd->base.dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS) == 0);
}

/* ---- /metrics ---- */

static char *read_metrics(const struct crowd *crowd)
{
    static const char request[] = "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    static char answer[256 << 10];
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons(ss_engine_port(crowd->base.engine)) };
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    ss_check(fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0);
    ss_check(send(fd, request, sizeof request - 1, 0) == sizeof request - 1);
    size_t len = 0;
    for (ssize_t got; (got = recv(fd, answer + len, sizeof answer - 1 - len, 0)) > 0;) {
        len += (size_t)got;
    }
    ss_check(close(fd) == 0);
    answer[len] = '\0';
    return answer;
}

static uint64_t metric_of(const char *answer, const char *name, unsigned shard)
{
    char text[128];
    (void)snprintf(text, sizeof text, "\nsessionstream_%s{shard=\"%u\"} ", name, shard);
    const char *at = strstr(answer, text);
    ss_check_msg(at != NULL, "no metric%s", text);
    return strtoull(at + strlen(text), NULL, 10);
}

static uint64_t sum_of(const char *answer, const char *name)
{
    uint64_t sum = 0;
    for (unsigned shard = 0; shard < SHARDS; shard++) {
        sum += metric_of(answer, name, shard);
    }
    return sum;
}

static void watch_memory(struct crowd *crowd)
{
    const char *answer = read_metrics(crowd);
    for (unsigned shard = 0; shard < SHARDS; shard++) {
        uint64_t bytes = metric_of(answer, "session_state_bytes", shard);
        uint64_t sessions = metric_of(answer, "sessions_in_memory", shard);
        uint64_t held = metric_of(answer, "sessions_held", shard);
        crowd->held_peak = held > crowd->held_peak ? held : crowd->held_peak;
        if (bytes > crowd->state_bytes_peak) {
            crowd->state_bytes_peak = bytes;
        }
        if (sessions > crowd->in_memory_peak) {
            crowd->in_memory_peak = sessions;
        }
    }
}

/* Memory of the heap: maps of files are the page cache's. */
static uint64_t anonymous_bytes(void)
{
    char line[128];
    unsigned long long kib = 0;
    FILE *file = fopen("/proc/self/status", "r");
    ss_check(file != NULL);
    while (fgets(line, sizeof line, file) != NULL && sscanf(line, "RssAnon: %llu", &kib) != 1) {
    }
    (void)fclose(file);
    ss_check(kib > 0);
    return (uint64_t)kib << 10;
}

/* ---- commands ---- */

static void on_answer(const struct ss_result *result, void *ctx)
{
    struct crowd *crowd = ctx;
    atomic_fetch_add(&crowd->errors, result->err != 0);
    atomic_fetch_add(&crowd->answered, 1);
}

static void await_answers(struct crowd *crowd, uint32_t open)
{
    while (crowd->posted - atomic_load(&crowd->answered) > open) {
        (void)sched_yield();
    }
}

static void send_to(struct crowd *crowd, const char *command, uint32_t session, const char *text)
{
    char id[32];
    (void)snprintf(id, sizeof id, "session-%07u", session);
    Sessionstream__Test__Notes__Note message = SESSIONSTREAM__TEST__NOTES__NOTE__INIT;
    message.id = id;
    message.text = (char *)(uintptr_t)text;
    if (crowd->posted % 4096 == 0) {
        watch_memory(crowd);
    }
    await_answers(crowd, IN_FLIGHT_MAX);
    int err;
    while ((err = ss_engine_submit(crowd->base.engine, ss_str(id), command, &message.base,
                                   on_answer, crowd)) == SS_E_BUSY) {
        (void)sched_yield();
    }
    ss_check(err == 0);
    crowd->posted++;
}

static void touch(struct crowd *crowd, uint32_t session)
{
    send_to(crowd, "Put", session, NOTE_TEXT);
    crowd->touches[session]++;
}

static void check(struct crowd *crowd, uint32_t session)
{
    char text[16];
    (void)snprintf(text, sizeof text, "%u", crowd->touches[session]);
    send_to(crowd, "Check", session, text);
}

static uint64_t next_random(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *state >> 33;
}

/* ---- what must hold ---- */

static void check_bounds(const struct crowd *crowd)
{
    uint64_t heap = anonymous_bytes();
    uint64_t most = crowd->base.options.session_cache_bytes / 4 * 5 + OVER_BYTES;
    ss_check_msg(crowd->state_bytes_peak <= most, "%" PRIu64 " bytes of states",
                 crowd->state_bytes_peak);
    ss_check_msg(crowd->in_memory_peak <= most / 512, "%" PRIu64 " sessions in memory",
                 crowd->in_memory_peak);
    ss_check_msg(crowd->held_peak <= HELD_MAX, "%" PRIu64 " sessions held", crowd->held_peak);
#ifndef SS_SANITIZED
    ss_check_msg(heap <= HEAP_BYTES_MAX, "%" PRIu64 " bytes of heap", heap);
#else
    (void)heap;    /* shadow memory */
#endif
}

/* Whoever was loaded is in memory or was evicted. The last batch counts after its answers. */
static bool is_balanced(const struct crowd *crowd)
{
    const char *answer = read_metrics(crowd);
    return sum_of(answer, "sessions_loaded_total") ==
           sum_of(answer, "sessions_evicted_total") + sum_of(answer, "sessions_in_memory");
}

static void check_counts(const struct crowd *crowd, uint64_t commands, uint64_t events)
{
    time_t end = time(NULL) + 10;
    while (!is_balanced(crowd)) {
        ss_check_msg(time(NULL) < end, "loaded and evicted sessions do not add up");
        (void)sched_yield();
    }
    const char *answer = read_metrics(crowd);
    ss_check(sum_of(answer, "commands_total") == commands);
    ss_check(sum_of(answer, "events_total") == events);
    ss_check(sum_of(answer, "command_errors_total") == 0);
    ss_check(sum_of(answer, "sessions_evicted_total") > 0);
}

static void check_answers(struct crowd *crowd)
{
    await_answers(crowd, 0);
    ss_check(atomic_load(&crowd->errors) == 0 && atomic_load(&crowd->wrong) == 0);
    check_bounds(crowd);
}

static void reopen(struct crowd *crowd)
{
    close_engine(crowd);
    open_engine(crowd);
    ss_check(ss_engine_sessions_found(crowd->base.engine) == crowd->sessions);
}

SS_TEST(million_sessions, stay_within_the_budget_and_come_back_as_they_were)
{
    struct crowd crowd;
    crowd_init(&crowd);
    open_engine(&crowd);
    for (uint32_t i = 0; i < crowd.sessions; i++) {
        touch(&crowd, i);
    }
    check_answers(&crowd);
    reopen(&crowd);
    uint64_t random = 1;
    uint32_t turns = crowd.sessions / 10;
    for (uint32_t i = 0; i < turns; i++) {
        touch(&crowd, (uint32_t)(next_random(&random) % crowd.sessions));
        check(&crowd, (uint32_t)(next_random(&random) % crowd.sessions));
    }
    check_answers(&crowd);
    check_counts(&crowd, 2 * (uint64_t)turns, turns);
    reopen(&crowd);
    for (uint32_t i = 0; i < crowd.sessions; i += 20) {
        check(&crowd, i);
    }
    check_answers(&crowd);
    check_counts(&crowd, (crowd.sessions + 19) / 20, 0);
    close_engine(&crowd);
    crowd_end(&crowd);
}
