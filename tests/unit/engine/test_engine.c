#include <sessionstream/engine.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sessionstream/limits.h>

#include "engine_fixture.h"
#include "unit/core/child_stderr.h"

#define THREADS 3

SS_TEST(engine, commands_events_and_barriers_are_answered_once_and_in_order)
{
    struct fixture fixture;
    struct answer submit;
    struct answer publish;
    struct answer barrier;
    fixture_init(&fixture);
    make(&fixture);
    start(&fixture);
    ss_check(ss_engine_shard_count(fixture.engine) == 2 && ss_engine_port(fixture.engine) == 0);
    ss_check(ss_engine_sessions_found(fixture.engine) == 0);
    answer_init(&submit);
    answer_init(&publish);
    answer_init(&barrier);
    struct ss_str id = ss_str("s");
    ss_check(ss_engine_submit(fixture.engine, id, "Put", note(), on_done, &submit) == 0);
    ss_check(ss_engine_publish(fixture.engine, id, "Put", note(), on_done, &publish) == 0);
    ss_check(ss_engine_submit(fixture.engine, id, "Put", note(), NULL, NULL) == 0);
    ss_check(ss_engine_barrier(fixture.engine, id, on_done, &barrier) == 0);
    wait_for(&barrier);
    ss_check(submit.calls == 1 && publish.calls == 1 && barrier.calls == 1);
    ss_check(submit.err == 0 && submit.ordinal == 1 && submit.message[0] == '\0');
    ss_check(publish.err == 0 && publish.ordinal == 2);
    ss_check(barrier.err == 0);
    fixture_end(&fixture);
}

SS_TEST(engine, the_failure_of_a_handler_reaches_the_caller)
{
    struct fixture fixture;
    struct answer answer;
    fixture_init(&fixture);
    make(&fixture);
    start(&fixture);
    answer_init(&answer);
    ss_check(ss_engine_submit(fixture.engine, ss_str("s"), "Broken", note(), on_done, &answer) ==
             0);
    wait_for(&answer);
    ss_check(answer.err == SS_E_HANDLER && answer.ordinal == 0 && answer.message[0] != '\0');
    fixture_end(&fixture);
}

static void not_done(const struct ss_result *result, void *ctx)
{
    (void)result;
    (void)ctx;
    abort();
}

static int submit_to(struct fixture *fixture, struct ss_str session_id)
{
    int err = ss_engine_submit(fixture->engine, session_id, "Put", note(), not_done, NULL);
    ss_check(ss_engine_publish(fixture->engine, session_id, "Put", note(), not_done, NULL) == err);
    ss_check(ss_engine_barrier(fixture->engine, session_id, not_done, NULL) == err);
    return err;
}

SS_TEST(engine, session_ids_are_checked)
{
    static char longest[SS_SESSION_ID_BYTES_MAX + 1];
    struct fixture fixture;
    fixture_init(&fixture);
    make(&fixture);
    start(&fixture);
    memset(longest, 'x', sizeof longest);
    ss_check(submit_to(&fixture, ss_str("")) == SS_E_SESSION_ID);
    ss_check(submit_to(&fixture, ss_str("\xC3")) == SS_E_SESSION_ID);
    ss_check(submit_to(&fixture, ss_str_of("a\0b", 3)) == SS_E_SESSION_ID);
    ss_check(submit_to(&fixture, ss_str_of(longest, sizeof longest)) == SS_E_SESSION_ID);
    struct ss_str fits = ss_str_of(longest, SS_SESSION_ID_BYTES_MAX);
    struct answer answer;
    answer_init(&answer);
    ss_check(ss_engine_barrier(fixture.engine, fits, on_done, &answer) == 0);
    wait_for(&answer);
    ss_check(answer.err == 0);
    fixture_end(&fixture);
}

static int submit_note(struct fixture *fixture, const Sessionstream__Test__Notes__Note *message)
{
    struct ss_str id = ss_str("s");
    int err = ss_engine_submit(fixture->engine, id, "Put", &message->base, not_done, NULL);
    ss_check(ss_engine_publish(fixture->engine, id, "Put", &message->base, not_done, NULL) == err);
    return err;
}

SS_TEST(engine, names_and_payloads_are_checked)
{
    struct fixture fixture;
    Sessionstream__Test__Notes__Note message = SESSIONSTREAM__TEST__NOTES__NOTE__INIT;
    Sessionstream__Test__Notes__Fail other = SESSIONSTREAM__TEST__NOTES__FAIL__INIT;
    struct ss_str id = ss_str("s");
    fixture_init(&fixture);
    make(&fixture);
    start(&fixture);
    struct ss_engine *engine = fixture.engine;
    ss_check(ss_engine_submit(engine, id, "put", note(), not_done, NULL) == SS_E_UNKNOWN_COMMAND);
    ss_check(ss_engine_publish(engine, id, "Broken", note(), not_done, NULL) ==
             SS_E_UNKNOWN_EVENT);
    ss_check(ss_engine_submit(engine, id, "Put", NULL, not_done, NULL) == SS_E_PAYLOAD);
    ss_check(ss_engine_publish(engine, id, "Put", &other.base, not_done, NULL) == SS_E_TYPE);
    char malformed[] = "\xFF";
    message.text = malformed;
    ss_check(submit_note(&fixture, &message) == SS_E_PAYLOAD);
    char *text = malloc(SS_PAYLOAD_BYTES_MAX + 1);
    ss_check(text != NULL);
    memset(text, 'x', SS_PAYLOAD_BYTES_MAX);
    text[SS_PAYLOAD_BYTES_MAX] = '\0';
    message.text = text;
    ss_check(submit_note(&fixture, &message) == SS_E_TOOBIG);
    text[SS_PAYLOAD_BYTES_MAX - 4] = '\0';    /* a tag and three bytes of length */
    struct answer answer;
    answer_init(&answer);
    ss_check(ss_engine_submit(engine, id, "Put", &message.base, on_done, &answer) == 0);
    free(text);    /* it was packed */
    wait_for(&answer);
    ss_check_msg(answer.err == 0 && answer.ordinal == 1, "%s", answer.message);
    fixture_end(&fixture);
}

/* ---- life ---- */

SS_TEST(engine, it_takes_nothing_before_the_start_and_after_the_stop)
{
    struct fixture fixture;
    fixture_init(&fixture);
    make(&fixture);
    ss_check(submit_to(&fixture, ss_str("s")) == SS_E_STOPPING);
    ss_engine_stop(fixture.engine);
    start(&fixture);
    ss_engine_stop(fixture.engine);
    ss_check(submit_to(&fixture, ss_str("s")) == SS_E_STOPPING);
    ss_engine_stop(fixture.engine);
    fixture_end(&fixture);
    ss_engine_free(NULL);
}

SS_TEST(engine, its_options_are_copied)
{
    struct fixture fixture;
    char path[80];
    char data[80];
    struct stat status;
    fixture_init(&fixture);
    (void)snprintf(path, sizeof path, "%s/data", fixture.dir);
    memcpy(data, path, sizeof data);
    fixture.options.data_dir = data;
    make(&fixture);
    ss_check(stat(path, &status) != 0);    /* nothing is opened yet */
    memset(data, 'x', sizeof data);
    memset(&fixture.options, 0xFF, sizeof fixture.options);
    start(&fixture);
    ss_check(stat(path, &status) == 0 && S_ISDIR(status.st_mode));
    ss_check(ss_engine_shard_count(fixture.engine) == 2);
    fixture_end(&fixture);
}

SS_TEST(engine, bad_options_are_told_and_leave_the_registry_open)
{
    struct fixture fixture;
    struct ss_engine *engine = NULL;
    fixture_init(&fixture);
    fixture.options.subscriptions_max = 0;
    ss_check(ss_engine_new(&fixture.options, fixture.registry, &engine) == SS_E_INVAL);
    ss_check(engine == NULL);
    ss_check(strstr(ss_registry_error(fixture.registry), "subscriptions_max 0") != NULL);
    ss_check(ss_register_event(fixture.registry, "Late", NOTE) == 0);
    fixture.options.subscriptions_max = 1;
    make(&fixture);
    ss_check(ss_register_event(fixture.registry, "Later", NOTE) == SS_E_FROZEN);
    fixture_end(&fixture);
}

SS_TEST(engine, a_registry_serves_one_engine)
{
    struct fixture fixture;
    struct ss_engine *second = NULL;
    fixture_init(&fixture);
    make(&fixture);
    ss_check(ss_engine_new(&fixture.options, fixture.registry, &second) == SS_E_FROZEN);
    ss_check(second == NULL);
    fixture_end(&fixture);
}

SS_TEST(engine, a_registry_that_cannot_work_is_refused)
{
    /* FileDescriptorSet { x.proto: package sessionstream.v1, message ServerFrame } */
    static const uint8_t thief[] = "\x0A\x32\x0A\x07x.proto\x12\x10sessionstream.v1"
                                   "\x22\x0D\x0A\x0BServerFrame\x62\x06proto3";
    struct fixture fixture;
    struct ss_engine *engine = NULL;
    fixture_init(&fixture);
    ss_check(ss_register_entity(fixture.registry, "Note", NOTE, "missing") == 0);
    ss_check(ss_engine_new(&fixture.options, fixture.registry, &engine) == SS_E_INVAL);
    ss_check(strstr(ss_registry_error(fixture.registry), "missing") != NULL);
    ss_registry_free(fixture.registry);
    fixture.registry = new_registry();
    int err = ss_registry_load_descriptors(fixture.registry, thief, sizeof thief - 1);
    ss_check_msg(err == 0, "%s", ss_registry_error(fixture.registry));
    ss_check(ss_engine_new(&fixture.options, fixture.registry, &engine) == SS_E_SCHEMA);
    ss_check(strstr(ss_registry_error(fixture.registry), "sessionstream.v1") != NULL);
    ss_check(engine == NULL);
    fixture_end(&fixture);
}

static int new_listener(uint16_t *ret_port)
{
    struct sockaddr_in address = { .sin_family = AF_INET };
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ss_check(fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0);
    ss_check(listen(fd, 1) == 0);
    ss_check(getsockname(fd, (struct sockaddr *)&address, &len) == 0);
    *ret_port = ntohs(address.sin_port);
    return fd;
}

static bool connects(uint16_t port)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    ss_check(fd >= 0);
    bool connected = connect(fd, (struct sockaddr *)&address, sizeof address) == 0;
    (void)close(fd);
    return connected;
}

SS_TEST(engine, a_taken_address_fails_the_start_which_may_be_tried_again)
{
    struct fixture fixture;
    uint16_t port;
    int listener = new_listener(&port);
    fixture_init(&fixture);
    fixture.options.listen_host = "127.0.0.1";
    fixture.options.listen_port = port;
    fixture.options.gateway_count = 2;
    make(&fixture);
    for (int i = 0; i < 2; i++) {
        ss_check(ss_engine_start(fixture.engine) == SS_E_ADDRESS);
        ss_check(ss_engine_error(fixture.engine)[0] != '\0');
        ss_check(submit_to(&fixture, ss_str("s")) == SS_E_STOPPING);
    }
    ss_check(close(listener) == 0);
    start(&fixture);
    ss_check(ss_engine_port(fixture.engine) == port && ss_engine_error(fixture.engine)[0] == '\0');
    ss_check(connects(port));
    ss_engine_stop(fixture.engine);
    ss_check(!connects(port));
    fixture_end(&fixture);
}

static void put(struct fixture *fixture, const char *session_id)
{
    struct answer answer;
    answer_init(&answer);
    ss_check(ss_engine_submit(fixture->engine, ss_str(session_id), "Put", note(), on_done,
                              &answer) == 0);
    wait_for(&answer);
    ss_check(answer.err == 0);
}

/* The engine of a later process on the same directory. */
static void restart(struct fixture *fixture, uint32_t shards)
{
    ss_engine_stop(fixture->engine);
    ss_engine_free(fixture->engine);
    ss_registry_free(fixture->registry);
    fixture->registry = new_registry();
    fixture->options.shard_count = shards;
    make(fixture);
}

SS_TEST(engine, a_directory_has_one_engine_at_a_time_and_the_next_finds_its_sessions)
{
    struct fixture fixture;
    fixture_init(&fixture);
    make(&fixture);
    start(&fixture);
    put(&fixture, "a");
    put(&fixture, "b");
    put(&fixture, "c");
    struct fixture second = fixture;
    second.registry = new_registry();
    make(&second);
    for (int i = 0; i < 2; i++) {
        ss_check(ss_engine_start(second.engine) == SS_E_LOCKED);
        ss_check(strstr(ss_engine_error(second.engine), "process") != NULL);
    }
    ss_engine_stop(fixture.engine);
    ss_engine_free(fixture.engine);
    ss_registry_free(fixture.registry);
    start(&second);
    ss_check(ss_engine_sessions_found(second.engine) == 3);
    fixture_end(&second);
}

SS_TEST(engine, the_number_of_shards_is_that_of_the_directory)
{
    struct fixture fixture;
    fixture_init(&fixture);
    fixture.options.shard_count = 3;
    make(&fixture);
    start(&fixture);
    restart(&fixture, 2);
    ss_check(ss_engine_start(fixture.engine) == SS_E_SHARDS);
    ss_check(ss_engine_error(fixture.engine)[0] != '\0');
    restart(&fixture, 0);
    start(&fixture);
    ss_check(ss_engine_shard_count(fixture.engine) == 3);
    fixture_end(&fixture);
}

SS_TEST(engine, a_shard_that_cannot_be_opened_fails_the_start_and_is_found_when_repaired)
{
    struct fixture fixture;
    char shard[96];
    char aside[96];
    fixture_init(&fixture);
    make(&fixture);
    start(&fixture);
    for (char id[2] = "a"; id[0] <= 'h'; id[0]++) {
        put(&fixture, id);
    }
    restart(&fixture, 2);
    (void)snprintf(shard, sizeof shard, "%s/shard-0001", fixture.dir);
    (void)snprintf(aside, sizeof aside, "%s/aside", fixture.dir);
    ss_check(rename(shard, aside) == 0);
    FILE *file = fopen(shard, "w");
    ss_check(file != NULL && fclose(file) == 0);
    int err = ss_engine_start(fixture.engine);
    ss_check_msg(err == SS_E_STOREIO || err == SS_E_CORRUPT, "%s", ss_error_name(err));
    ss_check(ss_engine_error(fixture.engine)[0] != '\0');
    ss_check(remove(shard) == 0 && rename(aside, shard) == 0);
    start(&fixture);
    ss_check_msg(ss_engine_sessions_found(fixture.engine) == 8, "%llu sessions",
                 (unsigned long long)ss_engine_sessions_found(fixture.engine));
    fixture_end(&fixture);
}

/* ---- misuse ---- */

static void start_twice(void *context)
{
    struct fixture *fixture = context;
    make(fixture);
    start(fixture);
    (void)ss_engine_start(fixture->engine);
}

static void start_again(void *context)
{
    struct fixture *fixture = context;
    make(fixture);
    start(fixture);
    ss_engine_stop(fixture->engine);
    (void)ss_engine_start(fixture->engine);
}

static void free_running(void *context)
{
    struct fixture *fixture = context;
    make(fixture);
    start(fixture);
    ss_engine_free(fixture->engine);
}

SS_TEST(engine, steps_of_its_life_in_a_wrong_order_are_the_callers_mistake)
{
    static void (*const mistakes[])(void *) = { start_twice, start_again, free_running };
    for (int i = 0; i < 3; i++) {
        struct fixture fixture;
        struct child_stderr child;
        fixture_init(&fixture);
        child_stderr_run(mistakes[i], &fixture, &child);
        ss_check(child.signal == SIGABRT);
        ss_check_msg(strstr(child.text, "requirement failed") != NULL, "%s", child.text);
        fixture_end(&fixture);
    }
}

/* ---- threads ---- */

struct submitter {
    pthread_t thread;
    struct ss_engine *engine;
    int accepted;
    atomic_int answered;
    sem_t *warm;
};

static void count_done(const struct ss_result *result, void *ctx)
{
    (void)result;
    struct submitter *submitter = ctx;
    atomic_fetch_add(&submitter->answered, 1);
}

static void *submit_until_stopped(void *argument)
{
    struct submitter *submitter = argument;
    int err;
    do {
        err = ss_engine_submit(submitter->engine, ss_str(submitter->accepted % 2 ? "a" : "b"),
                               "Put", note(), count_done, submitter);
        submitter->accepted += err == 0;
        if (submitter->accepted == 200) {
            (void)sem_post(submitter->warm);
        }
        if (err == SS_E_BUSY) {
            sched_yield();
        }
    } while (err == 0 || err == SS_E_BUSY);
    ss_check(err == SS_E_STOPPING);
    return NULL;
}

SS_TEST(engine, a_stop_amid_submitting_threads_answers_everything_accepted)
{
    struct fixture fixture;
    struct submitter submitters[THREADS];
    sem_t warm;
    fixture_init(&fixture);
    fixture.options.durability = SS_DURABILITY_NONE;
    make(&fixture);
    start(&fixture);
    ss_check(sem_init(&warm, 0, 0) == 0);
    for (int i = 0; i < THREADS; i++) {
        submitters[i] = (struct submitter){ .engine = fixture.engine, .warm = &warm };
        ss_check(pthread_create(&submitters[i].thread, NULL, submit_until_stopped,
                                &submitters[i]) == 0);
    }
    for (int i = 0; i < THREADS; i++) {
        while (sem_wait(&warm) != 0) {
        }
    }
    ss_engine_stop(fixture.engine);
    for (int i = 0; i < THREADS; i++) {
        ss_check(pthread_join(submitters[i].thread, NULL) == 0);
        ss_check_msg(atomic_load(&submitters[i].answered) == submitters[i].accepted,
                     "%d of %d answered", atomic_load(&submitters[i].answered),
                     submitters[i].accepted);
    }
    fixture_end(&fixture);
}

/* ---- one session, many threads ---- */

#define EVENTS_EACH 50
#define EVENTS_ALL (THREADS * EVENTS_EACH)

struct tally {
    uint64_t seen;       /* of the shard's thread */
    atomic_uint wrong;
    atomic_uint ordinals[EVENTS_ALL + 1];
};

/* The note "n" counts the events: each must see what the one before it left. */
static int count_up(struct ss_timeline *timeline, const struct ss_event *event,
                    const struct ss_view *view, void *ctx)
{
    struct tally *tally = ctx;
    Sessionstream__Test__Notes__Note next = SESSIONSTREAM__TEST__NOTES__NOTE__INIT;
    const struct ss_entity *entity = ss_view_get(view, "Note", ss_str("n"));
    unsigned before = 0;
    if (entity != NULL) {
        const Sessionstream__Test__Notes__Note *old =
            (const void *)ss_entity_payload(view, entity);
        before = (unsigned)strtoul(old->text, NULL, 10);
    }
    atomic_fetch_add(&tally->wrong, before != event->ordinal - 1);
    char text[16];
    (void)snprintf(text, sizeof text, "%u", before + 1);
    next.text = text;
    tally->seen = before + 1;
    return ss_put_entity(timeline, "Note", ss_str("n"), &next.base);
}

struct publisher {
    struct ss_engine *engine;
    struct tally *tally;
    pthread_t thread;
};

static void note_ordinal(const struct ss_result *result, void *ctx)
{
    struct tally *tally = ctx;
    ss_check(result->err == 0 && result->ordinal > 0 && result->ordinal <= EVENTS_ALL);
    atomic_fetch_add(&tally->ordinals[result->ordinal], 1);
}

static void *publish_many(void *argument)
{
    struct publisher *publisher = argument;
    for (int i = 0; i < EVENTS_EACH; i++) {
        ss_check(ss_engine_publish(publisher->engine, ss_str("s"), "Put", note(), note_ordinal,
                                   publisher->tally) == 0);
    }
    return NULL;
}

/* W-01 */
SS_TEST(engine, no_update_of_many_publishing_threads_is_lost)
{
    struct fixture fixture;
    struct publisher publishers[THREADS];
    static struct tally tally;
    struct answer end;
    fixture_init(&fixture);
    ss_check(ss_register_timeline_projection(fixture.registry, "count", 1, count_up, &tally) ==
             0);
    ss_check(ss_register_entity(fixture.registry, "Note", NOTE, "count") == 0);
    make(&fixture);
    start(&fixture);
    for (int i = 0; i < THREADS; i++) {
        publishers[i] = (struct publisher){ .engine = fixture.engine, .tally = &tally };
        ss_check(pthread_create(&publishers[i].thread, NULL, publish_many, &publishers[i]) == 0);
    }
    for (int i = 0; i < THREADS; i++) {
        ss_check(pthread_join(publishers[i].thread, NULL) == 0);
    }
    answer_init(&end);
    ss_check(ss_engine_barrier(fixture.engine, ss_str("s"), on_done, &end) == 0);
    wait_for(&end);
    ss_check(atomic_load(&tally.wrong) == 0 && tally.seen == EVENTS_ALL);
    for (int i = 1; i <= EVENTS_ALL; i++) {
        ss_check(atomic_load(&tally.ordinals[i]) == 1);
    }
    fixture_end(&fixture);
}

static struct answer submit_keyed(struct fixture *fixture, const char *command, const char *key)
{
    struct answer answer;
    answer_init(&answer);
    ss_check(ss_engine_submit_keyed(fixture->engine, ss_str("s"), command, note(), ss_str(key),
                                    on_done, &answer) == 0);
    wait_for(&answer);
    return answer;
}

SS_TEST(engine, a_command_with_a_key_runs_once_over_a_restart)
{
    struct fixture fixture;
    fixture_init(&fixture);
    make(&fixture);
    start(&fixture);
    struct answer first = submit_keyed(&fixture, "Put", "k");
    ss_check(first.err == 0 && first.ordinal == 1 && !first.replayed);
    ss_check(submit_keyed(&fixture, "Put", "k").replayed);
    ss_check(submit_keyed(&fixture, "Broken", "k").err == SS_E_CONFLICT);
    ss_engine_stop(fixture.engine);
    ss_engine_free(fixture.engine);
    ss_registry_free(fixture.registry);
    fixture.registry = new_registry();
    make(&fixture);
    start(&fixture);
    struct answer again = submit_keyed(&fixture, "Put", "k");
    ss_check(again.err == 0 && again.ordinal == 1 && again.replayed);
    fixture_end(&fixture);
}

SS_TEST(engine, keys_are_checked)
{
    static char longest[SS_IDEMPOTENCY_KEY_BYTES_MAX + 1];
    struct fixture fixture;
    const struct ss_str keys[] = { ss_str(""), ss_str("\xC3"), ss_str_of("a\0b", 3),
                                   ss_str_of(longest, sizeof longest) };
    fixture_init(&fixture);
    make(&fixture);
    start(&fixture);
    memset(longest, 'x', sizeof longest);
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        ss_check(ss_engine_submit_keyed(fixture.engine, ss_str("s"), "Put", note(), keys[i],
                                        not_done, NULL) == SS_E_INVAL);
    }
    fixture_end(&fixture);
}
