/* engine_fixture.h - an engine without gateways in a directory of its own, an application that
 * publishes notes, and answers to wait for. */
#ifndef SS_TESTS_ENGINE_FIXTURE_H
#define SS_TESTS_ENGINE_FIXTURE_H

#include <ftw.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sessionstream/engine.h>
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

static inline int on_put(struct ss_context *context, const struct ss_command *command, void *ctx)
{
    (void)ctx;
    return ss_publish(context, "Put", command->payload);
}

static inline int on_broken(struct ss_context *context, const struct ss_command *command, void *ctx)
{
    (void)context;
    (void)command;
    (void)ctx;
    return SS_E_HANDLER;
}

static inline struct ss_registry *new_registry(void)
{
    struct ss_registry *registry = ss_registry_new();
    ss_check(registry != NULL);
    ss_check(ss_registry_load_descriptors(registry, notes_descriptor_set,
                                          notes_descriptor_set_len) == 0);
    ss_check(ss_registry_attach(registry, &sessionstream__test__notes__note__descriptor) == 0);
    ss_check(ss_register_command(registry, "Put", NOTE, on_put, NULL) == 0);
    ss_check(ss_register_command(registry, "Broken", NOTE, on_broken, NULL) == 0);
    ss_check(ss_register_event(registry, "Put", NOTE) == 0);
    return registry;
}

/* Without gateways, in a directory of its own. */
static inline void fixture_init(struct fixture *fixture)
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

static inline void make(struct fixture *fixture)
{
    ss_check(ss_engine_new(&fixture->options, fixture->registry, &fixture->engine) == 0);
}

static inline void start(struct fixture *fixture)
{
    int err = ss_engine_start(fixture->engine);
    ss_check_msg(err == 0, "%s: %s", ss_error_name(err), ss_engine_error(fixture->engine));
}

static inline int remove_entry(const char *path, const struct stat *status, int type, struct FTW *at)
{
    (void)status;
    (void)type;
    (void)at;
    return remove(path);
}

static inline void fixture_end(struct fixture *fixture)
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
    bool replayed;
    char message[128];
};

static inline void on_done(const struct ss_result *result, void *ctx)
{
    struct answer *answer = ctx;
    answer->calls++;
    answer->err = result->err;
    answer->ordinal = result->ordinal;
    answer->replayed = result->replayed;
    (void)snprintf(answer->message, sizeof answer->message, "%s", result->message);
    (void)sem_post(&answer->given);
}

static inline void answer_init(struct answer *answer)
{
    *answer = (struct answer){ 0 };
    ss_check(sem_init(&answer->given, 0, 0) == 0);
}

static inline void wait_for(struct answer *answer)
{
    while (sem_wait(&answer->given) != 0) {
    }
}

static inline const ProtobufCMessage *note(void)
{
    static Sessionstream__Test__Notes__Note message = SESSIONSTREAM__TEST__NOTES__NOTE__INIT;
    return &message.base;
}

#endif
