/* engine.h - an engine of the fault tests: calls into it may fail, and say how. */
#ifndef SS_FAULTS_ENGINE_H
#define SS_FAULTS_ENGINE_H

#include <stdbool.h>
#include <stdint.h>

#include <sessionstream/engine.h>

#include "interpose.h"
#include "scenario.h"

struct run {
    struct ss_engine_options options;
    struct ss_registry *registry;
    struct ss_engine *engine;
    uint16_t port;
    unsigned marks;
    bool calm;             /* nothing fails: nothing may be refused */
    bool latches;          /* the faults may make a shard stop acknowledging */
    bool latched;          /* one has, in this life */
    unsigned latched_session;
    bool once;             /* one call fails and no other */
    struct outcome *outcome;
};

void run_init(struct run *run, const char *dir, const struct fault_plan *plan,
              struct outcome *outcome);

/* Starts until it works; each refusal has to have a reason. */
void run_start(struct run *run);
void run_stop(struct run *run);

/* Judges the code of a request that was refused. */
void run_refused(struct run *run, const char *what, int err);
void run_refused_name(struct run *run, const char *what, const char *name);

/* Publishes an event with a new mark and waits. Returns its code. */
int run_publish(struct run *run, unsigned session, const char *id, unsigned padding);

enum run_call { RUN_RETRY, RUN_REBUILD, RUN_CLOSE, RUN_DELETE, RUN_BARRIER };

/* Waits for the answer. @may: a code that is an answer too. */
int run_call(struct run *run, enum run_call call, unsigned session, int may);

/* A new mark, with @padding bytes behind it. The caller frees it. */
char *run_mark(struct run *run, unsigned padding);

#endif
