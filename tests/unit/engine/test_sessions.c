#include <sessionstream/sessions.h>

#include <ftw.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sessionstream/limits.h>

#include "notes.descriptor.h"
#include "notes.pb-c.h"
#include "ss_test.h"

#define NOTE "sessionstream.test.notes.Note"

struct fixture {
    char dir[64];
    struct ss_engine_options options;
    struct ss_registry *registry;
    struct ss_engine *engine;
};

static int on_put(struct ss_context *context, const struct ss_command *command, void *ctx)
{
    (void)ctx;
    return ss_publish(context, "Put", command->payload);
}

static struct ss_registry *new_registry(void)
{
    struct ss_registry *registry = ss_registry_new();
    ss_check(registry != NULL);
    ss_check(ss_registry_load_descriptors(registry, notes_descriptor_set,
                                          notes_descriptor_set_len) == 0);
    ss_check(ss_registry_attach(registry, &sessionstream__test__notes__note__descriptor) == 0);
    ss_check(ss_register_command(registry, "Put", NOTE, on_put, NULL) == 0);
    ss_check(ss_register_event(registry, "Put", NOTE) == 0);
    return registry;
}

/* Without gateways, in a directory of its own. */
static void fixture_init(struct fixture *fixture)
{
    *fixture = (struct fixture){ .dir = "/tmp/ss-engine-XXXXXX" };
    ss_check(mkdtemp(fixture->dir) != NULL);
    ss_engine_options_init(&fixture->options);
    fixture->options.data_dir = fixture->dir;
    fixture->options.listen_host = NULL;
    fixture->options.listen_port = 0;
    fixture->options.shard_count = 2;
    fixture->options.store_map_bytes = UINT64_C(16) << 20;
    fixture->options.min_free_bytes = 0;
    fixture->options.stop_timeout_ms = 1000;
    fixture->registry = new_registry();
}

static void make(struct fixture *fixture)
{
    ss_check(ss_engine_new(&fixture->options, fixture->registry, &fixture->engine) == 0);
}

static void start(struct fixture *fixture)
{
    int err = ss_engine_start(fixture->engine);
    ss_check_msg(err == 0, "%s: %s", ss_error_name(err), ss_engine_error(fixture->engine));
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *at)
{
    (void)status;
    (void)type;
    (void)at;
    return remove(path);
}

static void fixture_end(struct fixture *fixture)
{
    if (fixture->engine != NULL) {
        ss_engine_stop(fixture->engine);
    }
    ss_engine_free(fixture->engine);
    ss_registry_free(fixture->registry);
    ss_check(nftw(fixture->dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS) == 0);
}

/* ---- answers ---- */

struct answer {
    sem_t given;
    int calls;
    int err;
    uint64_t ordinal;
    char message[128];
};

static void on_done(const struct ss_result *result, void *ctx)
{
    struct answer *answer = ctx;
    answer->calls++;
    answer->err = result->err;
    answer->ordinal = result->ordinal;
    (void)snprintf(answer->message, sizeof answer->message, "%s", result->message);
    (void)sem_post(&answer->given);
}

static void answer_init(struct answer *answer)
{
    *answer = (struct answer){ 0 };
    ss_check(sem_init(&answer->given, 0, 0) == 0);
}

static void wait_for(struct answer *answer)
{
    while (sem_wait(&answer->given) != 0) {
    }
}

static const ProtobufCMessage *note(void)
{
    static Sessionstream__Test__Notes__Note message = SESSIONSTREAM__TEST__NOTES__NOTE__INIT;
    return &message.base;
}

struct listed {
    sem_t given;
    int err;
    bool more;
    char ids[256];    /* a space behind each */
};

static void on_list(const struct ss_session_list *list, void *ctx)
{
    struct listed *listed = ctx;
    listed->err = list->err;
    listed->more = list->more;
    for (size_t i = 0; i < list->count; i++) {
        const struct ss_session_info *info = &list->sessions[i];
        ss_check(info->ordinal == 1 && info->created_us > 0 && info->updated_us > 0);
        (void)snprintf(listed->ids + strlen(listed->ids), sizeof listed->ids - strlen(listed->ids),
                       "%.*s ", (int)info->id.len, info->id.data);
    }
    (void)sem_post(&listed->given);
}

static void list(struct fixture *fixture, const char *prefix, const char *after, uint32_t limit,
                 bool more, const char *ids)
{
    struct listed listed = { .err = -1 };
    struct ss_session_query query = { ss_str(prefix), ss_str(after), limit };
    ss_check(sem_init(&listed.given, 0, 0) == 0);
    ss_check(ss_engine_list(fixture->engine, &query, on_list, &listed) == 0);
    while (sem_wait(&listed.given) != 0) {
    }
    ss_check(listed.err == 0 && listed.more == more);
    ss_check_msg(strcmp(listed.ids, ids) == 0, "got %s, want %s", listed.ids, ids);
    (void)sem_destroy(&listed.given);
}

static void publish(struct fixture *fixture, const char *session)
{
    struct answer answer;
    answer_init(&answer);
    ss_check(ss_engine_publish(fixture->engine, ss_str(session), "Put", note(), on_done,
                               &answer) == 0);
    wait_for(&answer);
    ss_check(answer.err == 0);
}

SS_TEST(sessions, are_listed_over_all_shards_and_pages_and_after_a_restart)
{
    struct fixture fixture;
    fixture_init(&fixture);
    make(&fixture);
    start(&fixture);
    list(&fixture, "", "", 0, false, "");
    for (const char *const *id = (const char *const[]){ "c", "a", "b", "ba", "bb", "d", NULL };
         *id != NULL; id++) {
        publish(&fixture, *id);
    }
    list(&fixture, "", "", 0, false, "a b ba bb c d ");
    list(&fixture, "", "", 4, true, "a b ba bb ");
    list(&fixture, "", "bb", 4, false, "c d ");
    list(&fixture, "b", "", 2, true, "b ba ");
    list(&fixture, "b", "ba", 2, false, "bb ");
    ss_engine_stop(fixture.engine);
    ss_engine_free(fixture.engine);
    ss_registry_free(fixture.registry);
    fixture.registry = new_registry();
    make(&fixture);
    start(&fixture);
    list(&fixture, "", "", 0, false, "a b ba bb c d ");
    fixture_end(&fixture);
}

SS_TEST(sessions, a_list_is_refused_when_the_query_or_the_engine_is_not_ready)
{
    struct fixture fixture;
    struct ss_session_query query = { .limit = 1001 };
    fixture_init(&fixture);
    make(&fixture);
    ss_check(ss_engine_list(fixture.engine, &query, on_list, NULL) == SS_E_STOPPING);
    start(&fixture);
    ss_check(ss_engine_list(fixture.engine, &query, on_list, NULL) == SS_E_INVAL);
    fixture_end(&fixture);
}
