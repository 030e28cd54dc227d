/* Every way in which the making of a large snapshot can end. */
#include "notes_app.h"
#include "snapshot_notes.h"

SS_TEST(snapshot_job_ends, waits_no_longer_when_its_state_has_left)
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

SS_TEST(snapshot_job_ends, goes_on_when_the_session_leaves_memory)
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

SS_TEST(snapshot_job_ends, of_a_session_that_was_deleted_is_of_nobody)
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
SS_TEST(snapshot_job_ends, is_made_again_when_its_followers_were_told_to_begin_anew)
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

SS_TEST(snapshot_job_ends, who_asked_is_shown_the_present_when_the_ring_cannot_reach_back)
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

SS_TEST(snapshot_job_ends, a_batch_that_fails_changes_nothing_of_it)
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

SS_TEST(snapshot_job_ends, who_has_left_is_told_nothing_and_is_no_follower)
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

/* Frames are kept from the place on where somebody begins to follow. */
SS_TEST(snapshot_job_ends, whoever_left_before_it_was_made_leaves_no_place_that_others_resume_from)
{
    struct fixture f;
    char cursor[SS_CURSOR_BYTES_MAX + 1];
    open_large(&f);
    post_resume(&f, "s", 5, NULL);
    step_all(&f);
    make(&f);
    struct ss_request *request = take(&f, NOTES);
    cursor[ss__cursor_write(&request->place, cursor)] = '\0';
    free_request(request);
    post_uninterested(&f, "s", 5);
    step_all(&f);
    f.now_ns += SS_RING_LINGER_NS;
    step_all(&f);
    ss__state_forget_snapshots(f.shard, channel_of(&f, "s")->state);
    post_resume(&f, "s", 6, NULL);
    post_uninterested(&f, "s", 6);    /* in the same batch */
    step_all(&f);
    take_error(&f, SS_E_CANCELED);
    for (unsigned i = 0; i < 3; i++) {
        put_note(&f, "s", i, 'b');    /* nobody follows */
    }
    step_all(&f);
    post_resume(&f, "s", 7, NULL);
    step_all(&f);
    make(&f);
    free_request(take(&f, NOTES + 3));
    post_resume(&f, "s", 8, cursor);
    step_all(&f);
    while (ss__pool_run_one(f.pool)) {
        step_all(&f);
    }
    request = next_answer(&f);
    ss_check(request != NULL && request->err == 0);
    ss_check_msg(!request->recovered && request->snapshot != NULL, "recovered with %u frames",
                 request->frames_count);
    free_request(request);
    end(&f);
}

SS_TEST(snapshot_job_ends, i6_too_many_are_refused)
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

SS_TEST(snapshot_job_ends, one_that_is_too_large_for_a_frame_is_refused_with_what_to_do)
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

SS_TEST(snapshot_job_ends, one_that_is_too_large_is_refused_also_when_the_session_has_left_memory)
{
    struct fixture f;
    open_large(&f);
    f.shard->options.snapshot_frame_bytes = NOTES * TEXT_BYTES + 1000;
    post_resume(&f, "s", 7, NULL);
    step_all(&f);
    ss__state_free(f.shard, channel_of(&f, "s")->state);
    make(&f);
    struct ss_request *request = next_answer(&f);
    ss_check(request != NULL && request->err == SS_E_SNAPSHOT_SIZE && request->text != NULL);
    ss_check(strstr((const char *)request->text->data, "pageBytes") != NULL);
    free_request(request);
    end(&f);
}

#ifdef SS_FAULTS
/* Of which the place of the session does not tell, for want of memory. */
SS_TEST(snapshot_job_ends, what_was_there_before_entities_were_made_anew_is_not_kept)
{
    struct fixture f;
    open_large(&f);
    post_resume(&f, "s", 7, NULL);
    step_all(&f);
    ss__fault_arm("shard.live", 1, 1, SS_E_NOMEM);
    ss__retry_resync(f.shard, channel_of(&f, "s"));
    make(&f);
    struct ss_cursor now = ss__state_cursor(channel_of(&f, "s")->state);
    char epoch[32];
    snprintf(epoch, sizeof epoch, "%llu", (unsigned long long)now.epoch);
    struct ss_request *request = take(&f, NOTES);
    ss_check(count_in(ss__ws_payload(request->snapshot), epoch) > 0);
    free_request(request);
    end(&f);
}

SS_TEST(snapshot_job_ends, without_memory_all_who_wait_are_told)
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

SS_TEST(snapshot_job_ends, of_the_present_that_is_past_when_its_turn_comes_is_of_the_past)
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

SS_TEST(snapshot_job_ends, a_session_with_one_under_way_is_in_use)
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

SS_TEST(snapshot_job_ends, a_shard_that_stops_answers_those_who_wait)
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

SS_TEST(snapshot_job_ends, a_shard_that_is_closed_waits_for_the_pool_and_frees_the_rest)
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
