/* fake_session.h - one session without an engine, for tests of applications.
 *
 * Implements the ss_* functions that handlers, tasks, hooks and projections call. Publishing
 * records the event, runs the projections of the application under test and keeps the entities, so
 * a whole flow can be driven and looked at. Nothing is checked against a schema. */
#ifndef SS_TESTS_APPS_FAKE_SESSION_H
#define SS_TESTS_APPS_FAKE_SESSION_H

#include <sessionstream/handler.h>
#include <sessionstream/projection.h>

#define FAKE_RECORDS_MAX 4096
#define FAKE_ENTITIES_MAX 64
#define FAKE_TASKS_MAX 16

struct fake_task {
    const struct ss_task_ops *ops;
    void *arg;
    uint64_t delay_ms;
};

struct fake_entity {
    struct ss_entity entity;
    char id[64];
    ProtobufCMessage *payload;
};

/* Context, view, ui and timeline of one session in one. */
struct fake {
    const char *kind;
    ss_ui_fn *project_ui;
    ss_timeline_fn *project_timeline;
    void *data;
    bool running;
    uint64_t ordinal;
    struct {
        char name[40];
        bool running;
    } events[FAKE_RECORDS_MAX];
    struct {
        char name[40];
        uint64_t ordinal;
        ProtobufCMessage *payload;
    } updates[FAKE_RECORDS_MAX];
    size_t updates_count;
    struct fake_entity entities[FAKE_ENTITIES_MAX];
    size_t entities_count;
    struct fake_task tasks[FAKE_TASKS_MAX];
    size_t tasks_count;
    const struct ss_event *event;    /* being projected */
    int publish_error;               /* for the next publish_error_count events after */
    int publish_error_after;
    int publish_error_count;
    int after_error;
    char failure[256];
};

/* @kind: the only kind of entity of the application. */
struct fake *fake_new(const char *kind, ss_ui_fn *project_ui, ss_timeline_fn *project_timeline);

/* Cancels the tasks that wait (SS_E_STOPPING) and frees everything. */
void fake_free(struct fake *fake);

/* Forgets entities and events, as a failed commit of all of them would. */
void fake_forget(struct fake *fake);

/* Runs the task that waits longest; returns what it returned. */
int fake_run_task(struct fake *fake);

/* Runs tasks until none waits; all must return 0. */
void fake_run_tasks(struct fake *fake);

void fake_cancel_tasks(struct fake *fake, int reason);

/* The entity named @id, which must exist. */
const struct fake_entity *fake_entity(struct fake *fake, const char *id);

static inline struct ss_context *fake_context(struct fake *fake)
{
    return (struct ss_context *)fake;
}

#endif
