/* snapshot_notes.h - a session that is too large for a snapshot between two batches, and the pool
 * that makes one when it is told to. Include notes_app.h in the test itself (tests_shard.cmake). */
#ifndef SS_TESTS_SHARD_SNAPSHOT_NOTES_H
#define SS_TESTS_SHARD_SNAPSHOT_NOTES_H

#include "notes_app.h"
#include "resume_notes.h"

#include <sessionstream/limits.h>

#include "runtime/pool.h"
#include "shard/live.h"
#include "shard/load.h"
#include "shard/retry.h"
#include "shard/snapshot.h"
#include "shard/snapshot_job.h"
#include "shard/state_slots.h"

#define NOTES 40
#define TEXT_BYTES 200

static inline void put_note(struct fixture *f, const char *session, unsigned i, char letter)
{
    char id[16];
    char text[TEXT_BYTES + 1];
    snprintf(id, sizeof id, "n%u", i);
    memset(text, letter, TEXT_BYTES);
    text[TEXT_BYTES] = '\0';
    post_put(f, session, id, text);
}

static inline void fill(struct fixture *f, const char *session)
{
    for (unsigned i = 0; i < NOTES; i++) {
        put_note(f, session, i, 'a');
    }
    step_all(f);
    f->dones = 0;
}

/* A large session "s" and a pool that runs a job when it is told to. */
static inline void open_large(struct fixture *f)
{
    fixture_init(f);
    ss_check(ss__pool_new(0, &f->pool) == 0);
    f->snapshot_inline_bytes = NOTES * TEXT_BYTES;
    fixture_restart(f);
    fill(f, "s");
}

static inline void end(struct fixture *f)
{
    while (ss__pool_run_one(f->pool)) {
        step_all(f);
    }
    ss_check(f->shard->snapshot_jobs_count == 0 && f->shard->snapshot_jobs_bytes == 0);
    ss_check(atomic_load(&f->stats->snapshot_jobs) == 0);
    ss_check(f->shard->jobs == 0 && ss__list_empty(&f->shard->frozen));
    ss_check(atomic_load(&f->stats->frozen_bytes) == 0);
    ss_check(ss__inbox_depth(ss__shard_inbox(f->shard)) == 0);
    drop_messages(f);
    struct ss_pool *pool = f->pool;
    fixture_deinit(f);
    ss__pool_free(pool);
}

static inline struct ss_channel *channel_of(struct fixture *f, const char *session)
{
    return ss__channel_get(f->shard, ss_str(session), ss__map_hash(ss_str(session)), false);
}

static inline void post(struct fixture *f, struct ss_request *request)
{
    ss_check(ss__inbox_post(ss__shard_inbox(f->shard), &request->base.node, SS_POST_INSIDE) == 0);
}

static inline struct ss_request *new_document(const char *session, uint64_t at)
{
    struct ss_str none = { NULL, 0 };
    struct ss_request *request = ss__request_new(SS_REQUEST_SNAPSHOT, ss_str(session), none, none);
    ss_check(request != NULL);
    request->connection = (struct ss_connection_id){ 0, 1, 1 };
    request->at = at;
    return request;
}

static inline void post_document(struct fixture *f, const char *session)
{
    post(f, new_document(session, 0));
}

static inline void post_delete(struct fixture *f, const char *session)
{
    struct ss_str none = { NULL, 0 };
    post(f, ss__request_new(SS_REQUEST_DELETE, ss_str(session), none, none));
}

/* Runs the one job that waits, and what follows. */
static inline void make(struct fixture *f)
{
    ss_check(ss__pool_run_one(f->pool));
    step_all(f);
}

/* The next answer, whatever frames come before it; NULL: there is none yet. */
static inline struct ss_request *next_answer(struct fixture *f)
{
    for (struct ss_msg *msg; (msg = next_message(f)) != NULL;) {
        if (msg->kind == SS_MSG_REPLY) {
            return (struct ss_request *)(void *)msg;
        }
        ss__msg_free(msg);
    }
    return NULL;
}

static inline struct ss_request *take(struct fixture *f, uint64_t ordinal)
{
    struct ss_request *request = next_answer(f);
    ss_check(request != NULL && request->err == 0 && request->snapshot != NULL);
    ss_check_msg(request->ordinal == ordinal, "%llu", (unsigned long long)request->ordinal);
    ss_check(request->pages == NULL && !request->more && !request->missed);
    return request;
}

static inline void take_error(struct fixture *f, int err)
{
    struct ss_request *request = next_answer(f);
    ss_check(request != NULL && request->snapshot == NULL && request->pages == NULL);
    ss_check_msg(request->err == err, "%s", ss_error_name(request->err));
    ss__msg_free(&request->base);
}

static inline void free_request(struct ss_request *request)
{
    ss__msg_free(&request->base);
}

static inline unsigned count_in(struct ss_str body, const char *text)
{
    unsigned count = 0;
    for (const char *at = body.data, *last = at + body.len;
         (at = memmem(at, (size_t)(last - at), text, strlen(text))) != NULL; at++) {
        count++;
    }
    return count;
}

static inline unsigned notes_in(const struct ss_request *request)
{
    return count_in(ss__ws_payload(request->snapshot), "\"kind\":\"Note\"");
}

static inline struct ss_str document_of(const struct ss_request *request)
{
    return ss_str_of(request->snapshot->data, request->snapshot->len);
}

static inline uint64_t made(struct fixture *f)
{
    return atomic_load(&f->stats->snapshots_pooled);
}

/* "t" is in the pool, so that what is asked of "s" waits. */
static inline void keep_busy(struct fixture *f)
{
    fill(f, "t");
    post_document(f, "t");
    step_all(f);
}

#endif
