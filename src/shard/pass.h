/* pass.h - one event on its way through the pipeline: what the projections made of it, and what
 * failed where, for error records and observers. In the batch arena. Shard thread. */
#ifndef SS_SHARD_PASS_H
#define SS_SHARD_PASS_H

#include <sessionstream/observer.h>

#include "core/failure.h"
#include "shard/session.h"
#include "shard/verdict.h"

/* What the projections of one event emitted, in order, in the batch arena. */
struct emitted {
    struct emitted *next;
    const struct ss_name *name;
    struct ss_str id;          /* entities */
    struct ss_str payload;
    bool has_payload;          /* entities: false is a tombstone */
    struct ss_entity_change change;
};

/* A projection that failed. */
struct failed_one {
    struct failed_one *next;
    enum ss_error_kind kind;
    uint32_t index;            /* in the registry */
    int err;
    struct ss_failure failure;
};

/* What all projections made of one event. */
struct made {
    struct emitted *frames;               /* of those that did not fail, one after the other */
    struct emitted *changes;
    struct ss_run_result result;
    struct failed_one *failed;            /* in order; those there was no memory for are missing */
    struct failed_one **failed_end;
    struct ss_failure ui_failure;         /* of the first that failed; else not set */
    struct ss_failure timeline_failure;
};

struct pass {
    struct ss_event event;
    struct made made;
    struct ss_verdict verdict;
    enum ss_pipeline_mode mode;
    bool projected;              /* projections have run */
    bool appended;
    bool fanned_out;             /* its frames were staged for followers */
    uint64_t view_ordinal;
    int session_err;
    int append_err;
    int view_err;
    int apply_err;
    int cursor_err;
    int fanout_err;
};

/* Sets everything but the sentences of failures. @name NULL: the event cannot be read. */
void ss__pass_begin(struct pass *pass, const struct ss_channel *channel,
                    const struct ss_name *name, struct ss_event_private *inside,
                    enum ss_pipeline_mode mode);

/* A replay has applied what projection @index made. */
void ss__pass_add(struct pass *pass, struct emitted *changes, uint32_t index);

/* Remembers a projection that failed. */
void ss__pass_failed(struct ss_shard *shard, struct made *made, enum ss_error_kind kind,
                     uint32_t index, int err, const struct ss_failure *failure);

/* Makes error records of those that failed. */
void ss__pass_note(struct ss_shard *shard, const struct pass *pass);

/* Tells observers. Only if shard->observed. */
void ss__pass_tell(struct ss_shard *shard, struct ss_channel *channel, const struct pass *pass);

#endif
