/* Work, commands to other sessions and publishers with real threads, and a stop in the middle. */
#include <ftw.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sessionstream/sessionstream.h>

#include "notes.descriptor.h"
#include "notes.pb-c.h"
#include "ss_test.h"

#define NOTE "sessionstream.test.notes.Note"
#define SESSIONS 16
#define ENOUGH 200

struct fixture {
    char dir[64];
    struct ss_registry *registry;
    struct ss_engine *engine;
    atomic_uint started;      /* works that were accepted */
    atomic_uint runs;
    atomic_uint dones;
    atomic_uint cancels;
    atomic_uint received;     /* commands from other sessions */
    atomic_uint unexpected;   /* errors that no header names */
};

struct work {
    struct fixture *fixture;
    struct ss_publisher *publisher;
};

static Sessionstream__Test__Notes__Note note = SESSIONSTREAM__TEST__NOTES__NOTE__INIT;

static void expect(struct fixture *f, int err)
{
    if (err != 0 && err != SS_E_STOPPING && err != SS_E_BUSY) {
        atomic_fetch_add(&f->unexpected, 1);
    }
}

static void free_work(struct work *work)
{
    ss_publisher_unref(work->publisher);
    free(work);
}

/* A foreign thread that publishes to the session. */
static void run(void *arg)
{
    struct work *work = arg;
    atomic_fetch_add(&work->fixture->runs, 1);
    expect(work->fixture, ss_publisher_publish(work->publisher, "Put", &note.base, NULL, NULL));
}

static int begin(struct ss_context *context, struct fixture *f);

static int done(struct ss_context *context, void *arg)
{
    struct work *work = arg;
    struct fixture *f = work->fixture;
    char other[16];
    atomic_fetch_add(&f->dones, 1);
    free_work(work);
    (void)snprintf(other, sizeof other, "s%u", atomic_load(&f->dones) % SESSIONS);
    expect(f, ss_send(context, ss_str(other), "Receive", &note.base));
    return begin(context, f);
}

static void on_cancel(void *arg, int reason)
{
    struct work *work = arg;
    atomic_fetch_add(&work->fixture->cancels, 1);
    expect(work->fixture, reason);
    free_work(work);
}

static const struct ss_work_ops ops = { run, done, on_cancel };

static int begin(struct ss_context *context, struct fixture *f)
{
    struct work *work = calloc(1, sizeof *work);
    ss_check(work != NULL);
    work->fixture = f;
    work->publisher = ss_publisher_ref(context);
    ss_check(work->publisher != NULL);
    int err = ss_work(context, &ops, work);
    if (err == 0) {
        atomic_fetch_add(&f->started, 1);
    } else {
        free_work(work);
    }
    return err;
}

static int on_begin(struct ss_context *context, const struct ss_command *command, void *ctx)
{
    (void)command;
    return begin(context, ctx);
}

static int on_receive(struct ss_context *context, const struct ss_command *command, void *ctx)
{
    struct fixture *f = ctx;
    atomic_fetch_add(&f->received, 1);
    return ss_publish(context, "Put", command->payload);
}

static void fixture_init(struct fixture *f)
{
    struct ss_engine_options options;
    *f = (struct fixture){ .dir = "/tmp/ss-engine-XXXXXX" };
    ss_check(mkdtemp(f->dir) != NULL);
    ss_engine_options_init(&options);
    options.data_dir = f->dir;
    options.listen_host = NULL;
    options.shard_count = 3;
    options.store_map_bytes = UINT64_C(16) << 20;
    options.min_free_bytes = 0;
    options.durability = SS_DURABILITY_NONE;
    options.stop_timeout_ms = 1000;
    f->registry = ss_registry_new();
    ss_check(ss_registry_load_descriptors(f->registry, notes_descriptor_set,
                                          notes_descriptor_set_len) == 0);
    ss_check(ss_register_command(f->registry, "Begin", NOTE, on_begin, f) == 0);
    ss_check(ss_register_command(f->registry, "Receive", NOTE, on_receive, f) == 0);
    ss_check(ss_register_event(f->registry, "Put", NOTE) == 0);
    ss_check(ss_engine_new(&options, f->registry, &f->engine) == 0);
    ss_check(ss_engine_start(f->engine) == 0);
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *at)
{
    (void)status;
    (void)type;
    (void)at;
    return remove(path);
}

SS_TEST(effects, a_stop_under_load_ends_each_work_once_and_loses_no_thread)
{
    struct fixture f;
    fixture_init(&f);
    for (unsigned i = 0; i < SESSIONS; i++) {
        char id[16];
        (void)snprintf(id, sizeof id, "s%u", i);
        ss_check(ss_engine_submit(f.engine, ss_str(id), "Begin", &note.base, NULL, NULL) == 0);
    }
    while (atomic_load(&f.dones) < ENOUGH || atomic_load(&f.received) < ENOUGH / 2) {
        (void)sched_yield();
    }
    ss_engine_stop(f.engine);
    ss_check(atomic_load(&f.started) == atomic_load(&f.dones) + atomic_load(&f.cancels));
    ss_check(atomic_load(&f.runs) >= atomic_load(&f.dones) && atomic_load(&f.unexpected) == 0);
    ss_engine_free(f.engine);
    ss_registry_free(f.registry);
    ss_check(nftw(f.dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS) == 0);
}
