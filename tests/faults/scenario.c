#include "scenario.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "app.h"
#include "client.h"
#include "engine.h"
#include "runs.h"
#include "store/check.h"
#include "verdict.h"

#define HEAL_MS 60000
#define NOT_READY_S 60
#define ACCEPT_PAUSE_MS 500
#define ACCEPT_TRIES_MAX 8    /* two at once, then a second of rest */
#define DELETED 5u
#define FOLLOWED 1u

/* ---- HTTP ---- */

/* The status; the body is in *@body until the next call. */
static int ask(struct run *run, const char *method, const char *path, const char *more,
               const char *body, const char **ret_body)
{
    static struct text answer;
    answer.len = 0;
    text_add(&answer, "", 0);
    int status = http_ask(run->port, method, path, more, body, &answer);
    *ret_body = answer.bytes;
    if (status == 0) {
        run->outcome->connections_lost++;
        if (run->calm) {
            broken("no answer to %s %s", method, path);
        }
    } else if (status >= 400) {
        char code[64] = "";
        (void)json_string(answer.bytes, "code", code, sizeof code);
        fprintf(stderr, "%s %s: %d %s\n", method, path, status, answer.bytes);
        run_refused_name(run, path, code);
    }
    return status;
}

static void post_command(struct run *run, unsigned session, const char *command, const char *key)
{
    char path[64];
    char more[64] = "";
    char body[128];
    const char *answer;
    char *mark = run_mark(run, 0);
    (void)snprintf(path, sizeof path, "/v1/sessions/s%u/commands/%s", session, command);
    (void)snprintf(body, sizeof body, "{\"id\":\"n%u\",\"text\":\"%s\"}", run->marks % 4, mark);
    if (key != NULL) {
        (void)snprintf(more, sizeof more, "Idempotency-Key: %s\r\n", key);
    }
    for (int times = key == NULL ? 1 : 3; times > 0; times--) {
        int status = ask(run, "POST", path, more, body, &answer);
        if (status >= 200 && status < 300) {
            bool one = strcmp(command, "Put") == 0;
            verdict_acked(session, mark, one ? json_number(answer, "ordinal") : 0);
        }
    }
    free(mark);
}

static void get_snapshot(struct run *run, unsigned session, const char *query)
{
    char path[64];
    const char *body;
    (void)snprintf(path, sizeof path, "/v1/sessions/s%u/snapshot%s", session, query);
    if (ask(run, "GET", path, "", "", &body) == 200) {
        uint64_t ordinal = json_number(body, "snapshotOrdinal");
        verdict_snapshot(session, ordinal == UINT64_MAX ? 0 : ordinal, body);
    }
}

static void get(struct run *run, const char *path)
{
    const char *body;
    (void)ask(run, "GET", path, "", "", &body);
}

static void import(struct run *run, unsigned session)
{
    char path[64];
    char body[512];
    const char *answer;
    char *first = run_mark(run, 0);
    char *second = run_mark(run, 0);
    (void)snprintf(path, sizeof path, "/v1/sessions/s%u/import", session);
    (void)snprintf(body, sizeof body,
                   "[{\"ordinal\":\"1\",\"event\":\"Put\","
                   "\"payload\":{\"id\":\"a\",\"text\":\"%s\"}},"
                   "{\"ordinal\":\"2\",\"event\":\"Put\","
                   "\"payload\":{\"id\":\"a\",\"text\":\"%s\"}}]", first, second);
    for (int times = 0; times < 2; times++) {
        int status = ask(run, "POST", path, "", body, &answer);
        if (status == 200) {
            verdict_acked(session, first, 1);
            verdict_acked(session, second, 2);
        }
    }
    free(first);
    free(second);
}

/* ---- a follower ---- */

struct follower {
    struct ws ws;
    unsigned session;
    bool known;            /* it has had a snapshot, or came back with a cursor */
    uint64_t position;
    char cursor[256];
    struct text pages;     /* of a snapshot that is not complete */
};

static void take_snapshot(struct follower *follower, const char *frame)
{
    text_add(&follower->pages, frame, strlen(frame));
    bool paged = strstr(frame, "\"page\":") != NULL;
    if (paged && strstr(frame, "\"lastPage\":true") == NULL) {
        return;
    }
    follower->position = json_number(frame, "snapshotOrdinal");
    follower->position = follower->position == UINT64_MAX ? 0 : follower->position;
    follower->known = true;
    verdict_snapshot(follower->session, follower->position, follower->pages.bytes);
    text_free(&follower->pages);
}

static void take_event(struct follower *follower, const char *frame)
{
    char text[APP_MARK_BYTES];
    uint64_t ordinal = json_number(frame, "eventOrdinal");
    if (!json_string(frame, "text", text, sizeof text)) {
        broken("a frame without text: %s", frame);
        return;
    }
    verdict_shown(follower->session, text, ordinal);
    if (follower->known && ordinal != follower->position + 1) {
        broken("a follower at %llu is sent event %llu",
               (unsigned long long)follower->position, (unsigned long long)ordinal);
    }
    follower->position = ordinal;
}

static void take(struct follower *follower, const char *frame)
{
    (void)json_string(frame, "cursor", follower->cursor, sizeof follower->cursor);
    if (strncmp(frame, "{\"snapshot\":", 12) == 0) {
        take_snapshot(follower, frame);
    } else if (strncmp(frame, "{\"uiEvent\":", 11) == 0) {
        take_event(follower, frame);
    }
}

/* The detail of a snapshot that cannot be had is what made it so. */
static void refuse_frame(struct run *run, const char *what, const char *frame)
{
    char code[64] = "";
    fprintf(stderr, "frame: %s\n", frame);
    (void)json_string(frame, "code", code, sizeof code);
    if (strcmp(code, "protocol_error") == 0) {
        (void)json_string(frame, "detail", code, sizeof code);
    }
    run_refused_name(run, what, code);
}

/* Receives until a frame of this kind, or an error; false: the connection ended. */
static bool follow_until(struct run *run, struct follower *follower, const char *kind)
{
    for (char *frame; (frame = ws_next(&follower->ws)) != NULL;) {
        take(follower, frame);
        if (strncmp(frame, "{\"error\":", 9) == 0) {
            refuse_frame(run, "a subscribe", frame);
            return true;
        }
        if (strncmp(frame, kind, strlen(kind)) == 0) {
            return true;
        }
    }
    run->outcome->connections_lost++;
    if (run->calm) {
        broken("a websocket ends instead of %s", kind);
    }
    return false;
}

static void follow(struct run *run, struct follower *follower, unsigned session, const char *more)
{
    char frame[512];
    follower->session = session;
    follower->known = follower->cursor[0] != '\0';
    if (!ws_open(&follower->ws, run->port)) {
        run->outcome->connections_lost++;
        if (run->calm) {
            broken("no websocket");
        }
        return;
    }
    char resume[300] = "";
    if (follower->known) {
        (void)snprintf(resume, sizeof resume, ",\"resume\":\"%s\"", follower->cursor);
    }
    (void)snprintf(frame, sizeof frame, "{\"subscribe\":{\"sessionId\":\"s%u\"%s%s}}", session,
                   resume, more);
    ws_send(&follower->ws, frame);
    (void)follow_until(run, follower, "{\"subscribed\":");
}

static void submit(struct run *run, struct follower *follower, unsigned session)
{
    char frame[256];
    char *mark = run_mark(run, 0);
    (void)snprintf(frame, sizeof frame,
                   "{\"submit\":{\"requestId\":\"r\",\"sessionId\":\"s%u\",\"name\":\"Put\","
                   "\"payload\":{\"@type\":\"type.googleapis.com/" APP_NOTE
                   "\",\"id\":\"w\",\"text\":\"%s\"}}}", session, mark);
    ws_send(&follower->ws, frame);
    for (char *at; (at = ws_next(&follower->ws)) != NULL;) {
        take(follower, at);
        if (strncmp(at, "{\"accepted\":", 12) == 0) {
            verdict_acked(session, mark, json_number(at, "ordinal"));
            break;
        }
        if (strncmp(at, "{\"error\":", 9) == 0) {
            refuse_frame(run, "a submit", at);
            break;
        }
    }
    if (follower->ws.fd < 0 && run->calm) {
        broken("a websocket ends at a submit");
    }
    free(mark);
}

static void leave(struct follower *follower)
{
    ws_close(&follower->ws);
    text_free(&follower->pages);
}

/* A shard has stopped acknowledging: that is shown, and reads go on. Where it was a flush that failed,
 * reads may fail a moment before the shard has heard of it. */
static void check_not_ready(struct run *run)
{
    struct text body = { NULL, 0, 0 };
    int status = 0;
    for (time_t end = time(NULL) + NOT_READY_S; status != 503 && time(NULL) < end;) {
        status = http_ask(run->port, "GET", "/readyz", "", "", &body);
    }
    if (status != 503 || strstr(body.bytes, "shard") == NULL) {
        broken("a shard has stopped acknowledging and /readyz says %d %s", status,
               body.bytes);
    }
    status = http_ask(run->port, "GET", "/metrics", "", "", &body);
    if (status != 200 || strstr(body.bytes, "sessionstream_store_failed{") == NULL) {
        broken("no metric of a failed store: %d", status);
    }
    text_free(&body);
}

/* ---- what happens ---- */

static void first_life(struct run *run)
{
    struct follower follower = { .ws = { .fd = -1 } };
    struct follower second = { .ws = { .fd = -1 } };
    follow(run, &follower, FOLLOWED, "");
    submit(run, &follower, FOLLOWED);
    (void)run_publish(run, FOLLOWED, "n1", 0);
    post_command(run, FOLLOWED, "Put", NULL);
    post_command(run, FOLLOWED, "Many", NULL);
    post_command(run, 2, "Put", "key-1");
    post_command(run, 2, "Later", NULL);
    submit(run, &follower, 2);
    import(run, 3);
    get_snapshot(run, FOLLOWED, "");
    get_snapshot(run, FOLLOWED, "?at=2");
    for (unsigned i = 0; i < 70; i++) {    /* more than a segment */
        (void)run_publish(run, 4, i % 2 == 0 ? "n0" : "n1", 16);
    }
    leave(&follower);
    (void)run_publish(run, FOLLOWED, "n2", 0);
    follow(run, &follower, FOLLOWED, "");    /* with its cursor */
    follow(run, &second, FOLLOWED, ",\"pageBytes\":65536");
    submit(run, &second, FOLLOWED);
    for (unsigned i = 0; i < 14; i++) {    /* more than a file of the log */
        (void)run_publish(run, 6, "n0", 100000);
    }
    get(run, "/v1/sessions");
    get(run, "/v1/sessions/s1/cursors");
    get(run, "/v1/sessions/s4/events?after=3&limit=5");
    get(run, "/metrics");
    get(run, "/healthz");
    get(run, "/v1/errors");
    get(run, "/debug/sessions/s1");
    (void)run_call(run, RUN_REBUILD, FOLLOWED, SS_E_NOTFOUND);
    (void)run_call(run, RUN_RETRY, 2, SS_E_NOTFOUND);
    (void)run_call(run, RUN_BARRIER, 3, 0);
    (void)run_call(run, RUN_CLOSE, 4, SS_E_IN_USE);
    (void)run_publish(run, DELETED, "n0", 0);
    (void)run_call(run, RUN_DELETE, DELETED, SS_E_NOTFOUND);
    get_snapshot(run, 4, "");
    get_snapshot(run, 4, "?at=66");
    leave(&follower);
    leave(&second);
    /* Said once of a session that could not be read; a shard that has stopped says it again. */
    if (run->latched && run->once &&
        run_publish(run, run->latched_session, "h", 0) == SS_E_STOREIO) {
        run->outcome->latched++;
        check_not_ready(run);
    }
}

static void second_life(struct run *run)
{
    struct follower follower = { .ws = { .fd = -1 } };
    follow(run, &follower, FOLLOWED, "");
    submit(run, &follower, FOLLOWED);
    (void)run_publish(run, 6, "n1", 100);
    get_snapshot(run, 4, "");
    get_snapshot(run, 2, "");
    post_command(run, 2, "Put", "key-2");
    leave(&follower);
}

/* ---- after the faults ---- */

static uint64_t now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Every session takes events again, or its shard says why not. */
static void heal(struct run *run)
{
    bool latched = false;
    uint64_t until = now_ms() + HEAL_MS;
    for (unsigned session = 0; session < VERDICT_SESSIONS; session++) {
        int err;
        unsigned refused = 0;
        do {
            err = run_publish(run, session, "h", 0);
            refused += err == SS_E_STOREIO;    /* once: the session could not be read just then */
            if (err != 0) {
                (void)poll(NULL, 0, 5);    /* the server has to get to it first */
            }
        } while (err != 0 && refused < 2 && now_ms() < until);
        latched = latched || err == SS_E_STOREIO;
        if (err != 0 && (err != SS_E_STOREIO || !run->latches)) {
            broken("s%u takes no events when the faults are over: %s", session,
                   ss_error_name(err));
        }
    }
    struct text body = { NULL, 0, 0 };
    int status = 0;
    while (status != 200 && now_ms() < until) {    /* a turned away connection is asked again */
        status = http_ask(run->port, "GET", "/healthz", "", "", &body);
    }
    if (status != 200) {
        broken("/healthz answers %d when the faults are over", status);
    }
    run->outcome->latched += latched;
    if (latched) {
        check_not_ready(run);
    } else if ((status = http_ask(run->port, "GET", "/readyz", "", "", &body)) != 200) {
        broken("all shards take events and /readyz says %d %s", status, body.bytes);
    }
    text_free(&body);
}

static void report_finding(uint32_t shard, const char *place, const char *text, void *ctx)
{
    (void)ctx;
    broken("store check: shard %u %s: %s", shard, place, text);
}

static void check_store(const struct run *run)
{
    struct ss_check_summary summary;
    struct ss_failure failure = { .text = "" };
    int err = ss__store_check(run->options.data_dir, report_finding, NULL, &summary, &failure);
    if (err != 0) {
        broken("the store cannot be checked: %s: %s", ss_error_name(err), failure.text);
    }
}

static void finish(struct run *run)
{
    verdict_judge(run->engine);
    run_stop(run);
    check_store(run);
    run->calm = true;
    run_start(run);
    verdict_judge(run->engine);
    for (unsigned session = 0; session < VERDICT_SESSIONS; session++) {
        if (run_publish(run, session, "z", 0) != 0) {
            broken("s%u takes no events after a restart", session);
        }
    }
    run_stop(run);
    check_store(run);
    run->outcome->acks = verdict_acks();
    run->outcome->snapshots = verdict_snapshots();
}

void scenario_run(const char *dir, const struct fault_plan *plan, struct outcome *ret_outcome)
{
    struct run run;
    faults_include_me(false);
    verdict_deleted(DELETED);
    *ret_outcome = (struct outcome){ 0 };
    run_init(&run, dir, plan, ret_outcome);
    faults_arm(plan);
    run_start(&run);
    first_life(&run);
    run_stop(&run);
    run_start(&run);
    second_life(&run);
    faults_disarm();
    ret_outcome->passes = faults_passes();
    ret_outcome->failures = faults_failures();
    heal(&run);
    finish(&run);
    ret_outcome->ended = true;
}

/* ---- a full disk ---- */

static void publish_until_refused(struct run *run)
{
    for (unsigned i = 0; i < 400; i++) {
        int err = run_publish(run, i % 2 == 0 ? 6 : 7, "n0", 50000);
        if (err == SS_E_STOREFULL) {
            return;
        }
        if (err != 0) {
            broken("a full disk refuses with %s", ss_error_name(err));
            return;
        }
    }
    broken("nothing is refused on a full disk");
}

void scenario_full(const char *dir, unsigned events, bool hidden, struct outcome *ret_outcome)
{
    struct run run;
    struct fault_plan plan = { .call = CALL_MEMORY };
    struct follower follower = { .ws = { .fd = -1 } };
    faults_include_me(false);
    verdict_deleted(DELETED);
    *ret_outcome = (struct outcome){ 0 };
    run_init(&run, dir, &plan, ret_outcome);
    run_start(&run);
    for (unsigned i = 0; i < events + 5; i++) {    /* one for each session that is asked for */
        (void)run_publish(&run, i % 5, "n0", i % 3 == 0 ? 20000 : 100);
    }
    follow(&run, &follower, FOLLOWED, "");
    faults_disk_full(true, hidden);
    run.calm = false;
    publish_until_refused(&run);
    submit(&run, &follower, FOLLOWED);
    get_snapshot(&run, FOLLOWED, "");
    get_snapshot(&run, 4, "");
    get(&run, "/v1/sessions/s4/events");
    (void)run_call(&run, RUN_CLOSE, 3, SS_E_NOTFOUND);
    verdict_judge(run.engine);
    faults_disk_full(false, hidden);
    heal(&run);
    submit(&run, &follower, FOLLOWED);
    leave(&follower);
    faults_disk_full(true, hidden);
    publish_until_refused(&run);
    run_stop(&run);
    faults_disk_full(false, hidden);
    run_start(&run);
    heal(&run);
    finish(&run);
    ret_outcome->passes = ret_outcome->failures = faults_disk_refusals();
}

/* ---- no descriptors ---- */

void scenario_accept(const char *dir, int code, struct outcome *ret_outcome)
{
    struct run run;
    struct fault_plan plan = { .call = CALL_ACCEPT, .code = code, .first = 1,
                               .count = UINT64_MAX };
    faults_include_me(false);
    verdict_deleted(DELETED);
    *ret_outcome = (struct outcome){ 0 };
    run_init(&run, dir, &plan, ret_outcome);
    run_start(&run);
    faults_arm(&plan);
    struct ws waiting;
    (void)ws_connect(&waiting, run.port);    /* by the kernel; nobody accepts */
    uint64_t begun = now_ms();
    while (faults_passes() == 0 && now_ms() - begun < CLIENT_DEADLINE_MS) {
        (void)poll(NULL, 0, 1);
    }
    begun = now_ms();
    (void)poll(NULL, 0, ACCEPT_PAUSE_MS);
    uint64_t passes = faults_passes();
    uint64_t pauses = (now_ms() - begun) / ACCEPT_PAUSE_MS;    /* more where we were late */
    faults_disarm();
    if (passes == 0 || passes > ACCEPT_TRIES_MAX * (pauses > 0 ? pauses : 1)) {
        broken("%llu attempts to accept in %llu pauses of %d ms",
               (unsigned long long)passes, (unsigned long long)pauses, ACCEPT_PAUSE_MS);
    }
    ret_outcome->failures = passes;
    if (!ws_upgrade(&waiting)) {
        broken("a connection that waited is not served when there are descriptors");
    }
    ws_close(&waiting);
    heal(&run);
    finish(&run);
}
