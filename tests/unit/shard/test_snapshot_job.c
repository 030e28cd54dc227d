/* Large snapshots in one frame: made beside the shard, for all who wait, and every way to end. */
#include "shard/snapshot_job.h"

#include "notes_app.h"
#include "resume_notes.h"

#include <sessionstream/limits.h>

#include "runtime/pool.h"
#include "shard/load.h"
#include "shard/retry.h"
#include "shard/snapshot.h"

#define NOTES 40
#define TEXT_BYTES 200

static void put_note(struct fixture *f, const char *session, unsigned i, char letter)
{
    char id[16];
    char text[TEXT_BYTES + 1];
    snprintf(id, sizeof id, "n%u", i);
    memset(text, letter, TEXT_BYTES);
    text[TEXT_BYTES] = '\0';
    post_put(f, session, id, text);
}

static void fill(struct fixture *f, const char *session)
{
    for (unsigned i = 0; i < NOTES; i++) {
        put_note(f, session, i, 'a');
    }
    step_all(f);
    f->dones = 0;
}

/* A large session "s" and a pool that runs a job when it is told to. */
static void open_large(struct fixture *f)
{
    fixture_init(f);
    ss_check(ss__pool_new(0, &f->pool) == 0);
    f->snapshot_inline_bytes = NOTES * TEXT_BYTES;
    fixture_restart(f);
    fill(f, "s");
}

static void end(struct fixture *f)
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

static struct ss_channel *channel_of(struct fixture *f, const char *session)
{
    return ss__channel_get(f->shard, ss_str(session), ss__map_hash(ss_str(session)), false);
}

static void post(struct fixture *f, struct ss_request *request)
{
    ss_check(ss__inbox_post(ss__shard_inbox(f->shard), &request->base.node, SS_POST_INSIDE) == 0);
}

static struct ss_request *new_document(const char *session, uint64_t at)
{
    struct ss_str none = { NULL, 0 };
    struct ss_request *request = ss__request_new(SS_REQUEST_SNAPSHOT, ss_str(session), none, none);
    ss_check(request != NULL);
    request->connection = (struct ss_connection_id){ 0, 1, 1 };
    request->at = at;
    return request;
}

static void post_document(struct fixture *f, const char *session)
{
    post(f, new_document(session, 0));
}

static void post_delete(struct fixture *f, const char *session)
{
    struct ss_str none = { NULL, 0 };
    post(f, ss__request_new(SS_REQUEST_DELETE, ss_str(session), none, none));
}

/* Runs the one job that waits, and what follows. */
static void make(struct fixture *f)
{
    ss_check(ss__pool_run_one(f->pool));
    step_all(f);
}

/* The next answer, whatever frames come before it; NULL: there is none yet. */
static struct ss_request *next_answer(struct fixture *f)
{
    for (struct ss_msg *msg; (msg = next_message(f)) != NULL;) {
        if (msg->kind == SS_MSG_REPLY) {
            return (struct ss_request *)(void *)msg;
        }
        ss__msg_free(msg);
    }
    return NULL;
}

static struct ss_request *take(struct fixture *f, uint64_t ordinal)
{
    struct ss_request *request = next_answer(f);
    ss_check(request != NULL && request->err == 0 && request->snapshot != NULL);
    ss_check_msg(request->ordinal == ordinal, "%llu", (unsigned long long)request->ordinal);
    ss_check(request->pages == NULL && !request->more && !request->missed);
    return request;
}

static void take_error(struct fixture *f, int err)
{
    struct ss_request *request = next_answer(f);
    ss_check(request != NULL && request->snapshot == NULL && request->pages == NULL);
    ss_check_msg(request->err == err, "%s", ss_error_name(request->err));
    ss__msg_free(&request->base);
}

static void free_request(struct ss_request *request)
{
    ss__msg_free(&request->base);
}

static unsigned count_in(struct ss_str body, const char *text)
{
    unsigned count = 0;
    for (const char *at = body.data, *last = at + body.len;
         (at = memmem(at, (size_t)(last - at), text, strlen(text))) != NULL; at++) {
        count++;
    }
    return count;
}

static unsigned notes_in(const struct ss_request *request)
{
    return count_in(ss__ws_payload(request->snapshot), "\"kind\":\"Note\"");
}

static struct ss_str document_of(const struct ss_request *request)
{
    return ss_str_of(request->snapshot->data, request->snapshot->len);
}

static uint64_t made(struct fixture *f)
{
    return atomic_load(&f->stats->snapshots_pooled);
}

SS_TEST(snapshot_job, i5_other_sessions_are_served_while_it_is_made)
{
    struct fixture f;
    open_large(&f);
    post_resume(&f, "s", 7, NULL);
    step_all(&f);
    ss_check(next_answer(&f) == NULL && atomic_load(&f.stats->snapshot_jobs) == 1);
    put_note(&f, "other", 0, 'o');
    put_note(&f, "s", 0, 'b');
    post_resume(&f, "other", 8, NULL);
    step_all(&f);
    ss_check(f.dones == 2 && total_of(f.stats->snapshots) == 1);    /* of "other" */
    struct ss_request *other = take(&f, 1);
    ss_check(notes_in(other) == 1);
    free_request(other);
    make(&f);
    struct ss_request *request = take(&f, NOTES);
    ss_check(notes_in(request) == NOTES && made(&f) == 1);
    free_request(request);
    end(&f);
}

SS_TEST(snapshot_job, i3_the_frames_after_its_place_follow_it_and_none_is_lost_or_doubled)
{
    struct fixture f;
    open_large(&f);
    for (uint8_t encoding = 0; encoding < SS_ENCODING_COUNT; encoding++) {
        uint64_t before = NOTES + 3u * encoding;
        post_resume_as(&f, "s", 7, encoding, NULL);
        step_all(&f);
        put_note(&f, "s", 0, 'b');
        put_note(&f, "s", 1, 'b');
        step_all(&f);
        make(&f);
        struct ss_request *request = take(&f, before);
        ss_check(request->frames_count == 2 && request->place.ordinal == before + 2);
        free_request(request);
        put_note(&f, "s", 2, 'b');
        step_all(&f);
        ss_check(take_frame(&f) == before + 3);
        f.now_ns += SS_SNAPSHOT_REUSE_NS;
    }
    end(&f);
}

SS_TEST(snapshot_job, frames_name_the_events_after_it)
{
    struct fixture f;
    open_large(&f);
    post_resume(&f, "s", 7, NULL);
    put_note(&f, "s", 0, 'b');    /* of the same batch: it is in there */
    step_all(&f);
    put_note(&f, "s", 0, 'c');
    step_all(&f);
    make(&f);
    struct ss_request *request = take(&f, NOTES + 1);
    struct ss_str body = ss__ws_payload(request->snapshot);
    ss_check(count_in(body, "bbb") > 0 && count_in(body, "ccc") == 0);
    ss_check(request->frames_count == 1);
    ss_check(number_in(request->frames[0], "eventOrdinal") == NOTES + 2);
    free_request(request);
    end(&f);
}

SS_TEST(snapshot_job, i10_one_is_made_for_all_who_ask_meanwhile)
{
    struct fixture f;
    open_large(&f);
    post_resume(&f, "s", 7, NULL);
    post_resume(&f, "s", 7, NULL);
    step_all(&f);
    put_note(&f, "s", 0, 'b');
    step_all(&f);
    post_resume(&f, "s", 7, NULL);
    step_all(&f);
    make(&f);
    struct ss_request *all[3];
    for (unsigned i = 0; i < 3; i++) {
        all[i] = take(&f, NOTES);
        ss_check(all[i]->snapshot == all[0]->snapshot && all[i]->snapshot_shared == (i > 0));
        ss_check_msg(all[i]->frames_count == 1, "%u: %u", i, all[i]->frames_count);
    }
    ss_check(made(&f) == 1 && total_of(f.stats->snapshots) == 1);
    ss_check(atomic_load(&f.stats->snapshot_hits) == 2);
    for (unsigned i = 0; i < 3; i++) {
        free_request(all[i]);
    }
    end(&f);
}

SS_TEST(snapshot_job, i10_the_result_is_kept_with_its_place)
{
    struct fixture f;
    open_large(&f);
    post_resume(&f, "s", 7, NULL);
    step_all(&f);
    put_note(&f, "s", 0, 'b');
    step_all(&f);
    make(&f);
    free_request(take(&f, NOTES));
    post_resume(&f, "s", 7, NULL);
    step_all(&f);
    struct ss_request *request = take(&f, NOTES);
    ss_check(request->frames_count == 1 && made(&f) == 1);
    free_request(request);
    f.now_ns += SS_SNAPSHOT_REUSE_NS;    /* too old, with an event after it */
    post_resume(&f, "s", 7, NULL);
    step_all(&f);
    make(&f);
    free_request(take(&f, NOTES + 1));
    end(&f);
}

SS_TEST(snapshot_job, a_document_shows_what_was_there_when_it_was_asked_for)
{
    struct fixture f;
    open_large(&f);
    post_document(&f, "s");
    step_all(&f);
    post_document(&f, "s");    /* of the same place: it joins */
    step_all(&f);
    put_note(&f, "s", 0, 'b');
    step_all(&f);
    post_document(&f, "s");
    step_all(&f);
    ss_check(f.shard->snapshot_jobs_count == 2 && f.shard->snapshot_jobs_running == 1);
    make(&f);
    struct ss_request *first = take(&f, NOTES);
    struct ss_request *second = take(&f, NOTES);
    ss_check(first->snapshot == second->snapshot && next_answer(&f) == NULL);
    ss_check(count_in(document_of(first), "bbb") == 0);
    make(&f);
    struct ss_request *third = take(&f, NOTES + 1);
    ss_check(count_in(document_of(third), "bbb") > 0 && made(&f) == 2);
    post_document(&f, "s");    /* from the cache */
    step_all(&f);
    struct ss_request *fourth = take(&f, NOTES + 1);
    ss_check(fourth->snapshot == third->snapshot);
    free_request(first);
    free_request(second);
    free_request(third);
    free_request(fourth);
    end(&f);
}

SS_TEST(snapshot_job, a_small_one_is_made_at_once)
{
    struct fixture f;
    open_large(&f);
    put_note(&f, "small", 0, 'a');
    post_resume(&f, "small", 7, NULL);
    step_all(&f);
    free_request(take(&f, 1));
    post_document(&f, "small");
    step_all(&f);
    free_request(take(&f, 1));
    ss_check(!ss__pool_run_one(f.pool) && made(&f) == 0);
    end(&f);
}

/* "t" is in the pool, so that what is asked of "s" waits. */
static void keep_busy(struct fixture *f)
{
    fill(f, "t");
    post_document(f, "t");
    step_all(f);
}

SS_TEST(snapshot_job, one_after_the_other_and_kept_in_memory_meanwhile)
{
    struct fixture f;
    open_large(&f);
    keep_busy(&f);
    f.shard->options.session_cache_bytes = 1;
    post_document(&f, "s");
    step_all(&f);
    ss_check(f.shard->snapshot_jobs_count == 2 && f.shard->snapshot_jobs_running == 1);
    ss_check(channel_of(&f, "s")->state != NULL && f.shard->snapshot_jobs_bytes > 0);
    make(&f);
    ss_check(f.shard->snapshot_jobs_count == 1 && f.shard->snapshot_jobs_running == 1);
    make(&f);
    free_request(take(&f, NOTES));
    free_request(take(&f, NOTES));
    end(&f);
}

SS_TEST(snapshot_job, waits_no_longer_when_its_state_has_left)
{
    struct fixture f;
    open_large(&f);
    keep_busy(&f);
    post_resume(&f, "s", 7, NULL);
    step_all(&f);
    ss__state_free(f.shard, channel_of(&f, "s")->state);
    make(&f);
    free_request(take(&f, NOTES));
    while (ss__pool_run_one(f.pool)) {    /* loads it again, and makes it */
        step_all(&f);
    }
    struct ss_request *request = take(&f, NOTES);
    ss_check(notes_in(request) == NOTES);
    free_request(request);
    end(&f);
}

SS_TEST(snapshot_job, goes_on_when_the_session_leaves_memory)
{
    struct fixture f;
    open_large(&f);
    post_resume(&f, "s", 7, NULL);
    step_all(&f);
    ss__state_free(f.shard, channel_of(&f, "s")->state);
    make(&f);
    struct ss_request *request = take(&f, NOTES);
    ss_check(notes_in(request) == NOTES && request->place.ordinal == NOTES);
    free_request(request);
    ss_check(channel_of(&f, "s")->state == NULL);    /* nothing to keep it in */
    end(&f);
}

SS_TEST(snapshot_job, of_a_session_that_was_deleted_is_of_nobody)
{
    struct fixture f;
    open_large(&f);
    post_resume(&f, "s", 7, NULL);
    post_document(&f, "s");
    step_all(&f);
    post_delete(&f, "s");
    step_all(&f);
    put_note(&f, "s", 0, 'n');
    step_all(&f);
    make(&f);
    struct ss_request *request = take(&f, 1);
    ss_check(notes_in(request) == 1 && request->request == SS_REQUEST_SUBSCRIBE);
    free_request(request);
    while (ss__pool_run_one(f.pool)) {
        step_all(&f);
    }
    request = take(&f, 1);
    ss_check_msg(count_in(document_of(request), "\"kind\":") == 1, "%.300s",
                 document_of(request).data);
    free_request(request);
    end(&f);
}

/* As after a rebuild or a retry. */
SS_TEST(snapshot_job, is_made_again_when_its_followers_were_told_to_begin_anew)
{
    struct fixture f;
    open_large(&f);
    post_resume(&f, "s", 7, NULL);
    step_all(&f);
    ss__retry_resync(f.shard, channel_of(&f, "s"));
    put_note(&f, "s", 0, 'b');
    step_all(&f);
    make(&f);
    struct ss_request *request = take(&f, NOTES + 1);
    ss_check(request->frames_count == 0);
    free_request(request);
    end(&f);
}

#define MANY 1000
_Static_assert(5 * MANY > SS_RING_PAGED_FRAMES_MAX, "the ring loses some");

static int publish_many(struct ss_context *context, struct fixture *f)
{
    (void)f;
    Sessionstream__Test__Notes__Note note = make_note("n0", "x");
    for (unsigned i = 0; i < MANY; i++) {
        int err = ss_publish(context, "Put", &note.base);
        if (err != 0) {
            return err;
        }
    }
    return 0;
}

SS_TEST(snapshot_job, who_asked_is_shown_the_present_when_the_ring_cannot_reach_back)
{
    struct fixture f;
    open_large(&f);
    post_resume(&f, "s", 7, NULL);
    step_all(&f);
    for (unsigned i = 0; i < 3; i++) {
        call_in(&f, "s", publish_many);
    }
    post_resume(&f, "s", 7, NULL);    /* the ring keeps more meanwhile: it still joins */
    step_all(&f);
    ss_check(f.shard->snapshot_jobs_count == 1);
    for (unsigned i = 0; i < 2; i++) {
        call_in(&f, "s", publish_many);
    }
    make(&f);
    for (unsigned i = 0; i < 2; i++) {
        struct ss_request *request = take(&f, NOTES + 5 * MANY);
        ss_check(request->frames_count == 0);
        free_request(request);
    }
    end(&f);
}

SS_TEST(snapshot_job, a_batch_that_fails_changes_nothing_of_it)
{
    struct fixture f;
    open_large(&f);
    post_resume(&f, "s", 7, NULL);
    post_document(&f, "s");
    step_all(&f);
    ss_check(ss__pool_run_one(f.pool));
    put_note(&f, "s", 0, 'b');
    f.shard->spoiled = SS_E_NOMEM;    /* of the batch with the answer */
    step_all(&f);
    while (ss__pool_run_one(f.pool)) {
        step_all(&f);
    }
    struct ss_request *one = take(&f, NOTES);
    struct ss_request *two = take(&f, NOTES);
    ss_check(one->request == SS_REQUEST_SUBSCRIBE && two->request == SS_REQUEST_SNAPSHOT);
    free_request(one);
    free_request(two);
    end(&f);
}

SS_TEST(snapshot_job, who_has_left_is_told_nothing_and_is_no_follower)
{
    struct fixture f;
    open_large(&f);
    keep_busy(&f);
    post_resume(&f, "s", 7, NULL);
    step_all(&f);
    post_uninterested(&f, "s", 7);
    step_all(&f);
    make(&f);    /* "t"; then there is nobody who wants "s" */
    free_request(take(&f, NOTES));
    take_error(&f, SS_E_CANCELED);
    ss_check(f.shard->snapshot_jobs_count == 0 && channel_of(&f, "s")->interests_count == 0);
    post_resume(&f, "s", 7, NULL);
    step_all(&f);
    post_uninterested(&f, "s", 7);
    step_all(&f);
    make(&f);
    take_error(&f, SS_E_CANCELED);
    ss_check(channel_of(&f, "s")->interests_count == 0);
    end(&f);
}

SS_TEST(snapshot_job, i6_too_many_are_refused)
{
    struct fixture f;
    open_large(&f);
    atomic_fetch_add(&f.stats->frozen_bytes, SS_FROZEN_BYTES_MAX);
    post_document(&f, "s");
    step_all(&f);
    take_error(&f, SS_E_BUSY);
    atomic_fetch_sub(&f.stats->frozen_bytes, SS_FROZEN_BYTES_MAX);
    post_document(&f, "s");
    for (unsigned i = 0; i < SS_LOAD_WAITING_MAX; i++) {
        post_document(&f, "s");
        (void)ss__shard_step(f.shard);
    }
    step_all(&f);
    take_error(&f, SS_E_BUSY);
    make(&f);
    for (unsigned i = 0; i < SS_LOAD_WAITING_MAX; i++) {
        free_request(take(&f, NOTES));
    }
    ss_check(made(&f) == 1);
    end(&f);
}

SS_TEST(snapshot_job, one_that_is_too_large_for_a_frame_is_refused_with_what_to_do)
{
    struct fixture f;
    open_large(&f);
    f.shard->options.snapshot_frame_bytes = NOTES * TEXT_BYTES + 1000;    /* more with the names */
    post_resume(&f, "s", 7, NULL);
    step_all(&f);
    make(&f);
    take_error(&f, SS_E_SNAPSHOT_SIZE);
    f.shard->options.snapshot_frame_bytes = NOTES * TEXT_BYTES;
    post_resume(&f, "s", 7, NULL);
    step_all(&f);
    take_error(&f, SS_E_SNAPSHOT_SIZE);    /* its payloads alone are */
    end(&f);
}

#ifdef SS_FAULTS
SS_TEST(snapshot_job, without_memory_all_who_wait_are_told)
{
    struct fixture f;
    open_large(&f);
    post_resume(&f, "s", 7, NULL);
    post_resume(&f, "s", 7, NULL);
    step_all(&f);
    ss__fault_arm("shard.snapshot_job", 1, 1, SS_E_NOMEM);
    make(&f);
    take_error(&f, SS_E_NOMEM);
    take_error(&f, SS_E_NOMEM);
    post_resume(&f, "s", 7, NULL);
    step_all(&f);
    make(&f);
    free_request(take(&f, NOTES));
    end(&f);
}
#endif

SS_TEST(snapshot_job, a_large_delta_is_made_beside_the_shard_too)
{
    struct fixture f;
    open_large(&f);
    struct ss_cursor cursor;
    unsigned changed = SS_RING_FRAMES_MAX + 1;
    post_resume(&f, "s", 7, NULL);
    step_all(&f);
    make(&f);
    struct ss_request *first = take(&f, NOTES);
    cursor = first->place;
    free_request(first);
    leave(&f, "s", 7);
    for (unsigned i = 0; i < changed; i++) {
        put_note(&f, "s", i, 'b');
    }
    step_all(&f);
    char text[SS_CURSOR_BYTES_MAX + 1];
    text[ss__cursor_write(&cursor, text)] = '\0';
    struct ss_request *request = make_resume("s", 7, SS_ENCODING_V2_JSON, text);
    request->delta = true;
    post(&f, request);
    step_all(&f);
    ss_check(next_answer(&f) == NULL);
    put_note(&f, "s", 0, 'c');
    step_all(&f);
    make(&f);
    request = take(&f, NOTES + changed);
    ss_check(notes_in(request) == changed && request->frames_count == 1);
    ss_check(count_in(ss__ws_payload(request->snapshot), "\"delta\":true") == 1);
    free_request(request);
    end(&f);
}

SS_TEST(snapshot_job, of_the_present_that_is_past_when_its_turn_comes_is_of_the_past)
{
    struct fixture f;
    open_large(&f);
    keep_busy(&f);
    post(&f, new_document("s", NOTES));
    step_all(&f);
    put_note(&f, "s", 0, 'b');
    step_all(&f);
    while (ss__pool_run_one(f.pool)) {
        step_all(&f);
    }
    free_request(take(&f, NOTES));    /* "t" */
    struct ss_request *request = take(&f, NOTES);
    ss_check(count_in(document_of(request), "bbb") == 0);
    free_request(request);
    end(&f);
}

SS_TEST(snapshot_job, a_session_with_one_under_way_is_in_use)
{
    struct fixture f;
    struct ss_str none = { NULL, 0 };
    open_large(&f);
    post_document(&f, "s");
    step_all(&f);
    struct ss_request *close = ss__request_new(SS_REQUEST_CLOSE, ss_str("s"), none, none);
    close->connection = (struct ss_connection_id){ 0, 1, 1 };
    post(&f, close);
    step_all(&f);
    take_error(&f, SS_E_IN_USE);
    make(&f);
    free_request(take(&f, NOTES));
    end(&f);
}

SS_TEST(snapshot_job, a_shard_that_stops_answers_those_who_wait)
{
    struct fixture f;
    open_large(&f);
    keep_busy(&f);
    post_resume(&f, "s", 7, NULL);
    step_all(&f);
    ss__shard_stop(f.shard);
    step_all(&f);
    ss_check(f.shard->jobs == 1 && ss__inbox_depth(ss__shard_inbox(f.shard)) > 0);
    make(&f);
    make(&f);
    free_request(take(&f, NOTES));
    free_request(take(&f, NOTES));
    end(&f);
}

SS_TEST(snapshot_job, a_shard_that_is_closed_waits_for_the_pool_and_frees_the_rest)
{
    struct fixture f;
    open_large(&f);
    keep_busy(&f);
    post_resume(&f, "s", 7, NULL);
    post_resume(&f, "t", 8, NULL);
    step_all(&f);
    ss_check(f.shard->snapshot_jobs_count == 3 && ss__pool_run_one(f.pool));
    struct ss_pool *pool = f.pool;
    fixture_deinit(&f);
    ss__pool_free(pool);
}
