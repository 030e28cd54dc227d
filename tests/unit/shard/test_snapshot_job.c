/* Large snapshots in one frame: made beside the shard, for all who wait. */
#include "notes_app.h"
#include "snapshot_notes.h"

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
