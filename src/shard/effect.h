/* effect.h - what a batch wants to happen outside, in order, after its commit.
 *
 * Everything a message causes is staged here and nowhere else: frames, answers, timers. A commit
 * that fails releases none of it. Shard thread. */
#ifndef SS_SHARD_EFFECT_H
#define SS_SHARD_EFFECT_H

#include <stdbool.h>
#include <stdint.h>

#include <sessionstream/observer.h>

#include "message/message.h"
#include "shard/ring.h"

struct ss_shard;
struct ss_channel;
struct ss_task;
struct ss_work;

enum ss_effect_kind {
    SS_EFFECT_OBSERVED,     /* a pipeline record is told: see shard/observe.h */
    SS_EFFECT_FRAME,        /* to the ring and all followers */
    SS_EFFECT_ANSWER,       /* a request goes back */
    SS_EFFECT_SUBSCRIBED,   /* the same, with ring frames added at release */
    SS_EFFECT_PAGES,        /* a subscribe begins to be sent pages */
    SS_EFFECT_ACTIVITY,     /* to all followers */
    SS_EFFECT_DELETED,      /* to all followers, who are none any more */
    SS_EFFECT_ARM,          /* a task begins to wait */
    SS_EFFECT_WORK,         /* a work goes to the pool */
    SS_EFFECT_SEND,         /* a request goes to another session */
};

struct ss_effect {
    struct ss_effect *next;
    enum ss_effect_kind kind;
    struct ss_channel *channel;     /* FRAME, SUBSCRIBED, PAGES, ACTIVITY, DELETED */
    struct ss_request *request;     /* ANSWER, SUBSCRIBED, PAGES, SEND */
    struct ss_pipeline_record *observed;    /* OBSERVED; in the batch arena */
    struct ss_task *task;           /* ARM */
    struct ss_work *work;           /* WORK */
    void *data;                     /* DELETED: what the application kept with the session */
    struct ss_place place;          /* FRAME */
    struct ss_place before;         /* FRAME: a ring that begins with it is complete after this */
    uint8_t encodings;              /* wanted; without a buffer: it could not be made */
    uint8_t skips;                  /* FRAME: encodings that have none on purpose */
    struct ss_buf *bufs[SS_MESSAGE_ENCODINGS];
};

struct ss_effects {
    struct ss_effect *first;
    struct ss_effect **last;
    uint64_t events;                /* published in this batch */
    uint64_t send_bytes;            /* of commands to other sessions */
    uint32_t sends;
};

void ss__effects_init(struct ss_effects *effects);

/* Appends an effect from the batch arena; NULL when out of memory. */
struct ss_effect *ss__effect_add(struct ss_shard *shard, enum ss_effect_kind kind);

/* True if the open batch has a frame, the answer of a subscribe or anything else for the followers
 * of the channel: what its ring and snapshots were then must last until it is released. */
bool ss__effects_concern(const struct ss_shard *shard, const struct ss_channel *channel);

/* Sends the answer of a request after the commit. Without memory it goes now, as an error. */
void ss__effect_answer(struct ss_shard *shard, struct ss_request *request);

/* The commit returned: everything leaves, in order. */
void ss__effects_release(struct ss_shard *shard);

/* Tells gateways of frames they missed when there was no memory to tell them. */
void ss__effects_retry_resyncs(struct ss_shard *shard);

/* The commit failed with @err: nothing leaves; subscribes are handled again, callers get an error,
 * tasks are cancelled. */
void ss__effects_fail(struct ss_shard *shard, int err);

/* Hands a request back to whoever asked, at once. */
void ss__answer_now(struct ss_shard *shard, struct ss_request *request);

#endif
