#include "store_fixture.h"

SS_TEST(commit, events_are_there_after_close_and_reopen)
{
    struct fixture f;
    fixture_open(&f);
    fixture_publish(&f, "a", 10, 300, 3);
    fixture_publish(&f, "b", 1, 0, 1);
    fixture_verify(&f, "a", 10, 300);
    fixture_close(&f);
    fixture_check_clean(&f);
    fixture_reopen(&f);
    ss_check(f.report.sessions == 2 && f.report.recovered_records == 11 && f.report.clean);
    fixture_verify(&f, "a", 10, 300);
    fixture_verify(&f, "b", 1, 0);
    fixture_publish(&f, "a", 1, 300, 1);
    fixture_verify(&f, "a", 11, 300);
    fixture_end(&f);
}

SS_TEST(commit, row_shows_staged_values_and_abort_takes_them_back)
{
    struct fixture f;
    fixture_open(&f);
    fixture_publish(&f, "a", 2, 10, 2);
    struct ss_store_session *a = fixture_session(&f, "a");
    ss_check(ss__store_staged_bytes(f.store) == 0);
    ss_check(fixture_stage_flags(&f, a, 10, SS_RECORD_RUNNING) == 0);
    const struct ss_session_row *row = ss__store_row(a);
    ss_check(row->ordinal == 3 && row->running && row->updated_us == 1003);
    ss_check(ss__store_staged_bytes(f.store) > 0);
    ss__store_abort(f.store);
    ss_check(row->ordinal == 2 && !row->running && row->updated_us == 1002);
    ss_check(ss__store_staged_bytes(f.store) == 0);
    fixture_stage(&f, a, 1, 10);
    ss_check(ss__store_commit(f.store) == 0);
    ss__store_put_session(f.store, a);
    fixture_verify(&f, "a", 3, 10);
    fixture_end(&f);
}

/* One batch that touches everything: a full tail, a new session, a checkpoint. */
struct batch {
    struct ss_store_session *old;
    struct ss_store_session *created;
    struct ss_entity_row entity;
};

static struct batch stage_batch(struct fixture *f)
{
    struct batch batch = { .old = fixture_session(f, "old") };
    ss_check(ss__store_stage_session(f->store, ss_str("new"), 5, &batch.created) == 0);
    fixture_stage(f, batch.old, 60, 50);
    fixture_stage(f, batch.created, 2, 50);
    return batch;
}

static void fails_and_leaves_no_trace(const char *point, unsigned times, int code)
{
    struct fixture f;
    fixture_open(&f);
    fixture_publish(&f, "old", 10, 50, 10);
    uint64_t records = fixture_stats(&f).log_records;
    struct batch batch = stage_batch(&f);
    struct ss_entity_row rows[1] = { { .kind = ss_str("note"), .id = ss_str("1"),
                                       .created_ordinal = 3, .last_ordinal = 9,
                                       .type_id = f.entity_type, .payload = ss_str("x") } };
    ss_check(ss__store_stage_checkpoint(f.store, batch.old, rows, 1, 20, 7) == 0);
    ss__fault_arm(point, 1, times, code);
    ss_check_msg(ss__store_commit(f.store) == code, "%s", point);
    ss__fault_reset();

    const struct ss_session_row *row = ss__store_row(batch.old);
    ss_check(row->ordinal == 10 && row->timeline_ordinal == 0 && row->timeline_version == 0);
    ss_check(ss__store_staged_bytes(f.store) == 0);
    ss_check(fixture_stats(&f).log_records == records && fixture_stats(&f).commit_errors == 1);
    ss_check(fixture_stage_flags(&f, batch.created, 1, 0) == SS_E_CLOSED);
    struct ss_store_session *none;
    ss_check(ss__store_get_session(f.store, ss_str("new"), &none) == SS_E_NOTFOUND);
    struct ss_entity_row entity;
    ss_check(ss__store_read_entity(f.store, batch.old, rows[0].kind, rows[0].id, &entity) ==
             SS_E_NOTFOUND);
    ss__store_put_session(f.store, batch.created);

    ss__store_put_session(f.store, batch.old);
    batch = stage_batch(&f);
    ss_check(ss__store_commit(f.store) == 0);
    ss__store_put_session(f.store, batch.old);
    ss__store_put_session(f.store, batch.created);
    fixture_verify(&f, "old", 70, 50);
    fixture_verify(&f, "new", 2, 50);
    fixture_close(&f);
    fixture_check_clean(&f);
    fixture_reopen(&f);
    fixture_verify(&f, "old", 70, 50);
    fixture_verify(&f, "new", 2, 50);
    fixture_end(&f);
}

SS_TEST(commit, failed_write_is_undone_in_memory)
{
    fails_and_leaves_no_trace("store.commit.write", 2, SS_E_STOREIO);
}

SS_TEST(commit, failed_flush_is_undone_in_memory)
{
    fails_and_leaves_no_trace("store.flush", 2, SS_E_STOREIO);
}

SS_TEST(commit, failed_trim_is_undone_in_memory)
{
    fails_and_leaves_no_trace("store.trim", 2, SS_E_STOREIO);
}

SS_TEST(commit, full_map_is_undone_in_memory)
{
    fails_and_leaves_no_trace("store.mapfull", 2, SS_E_STOREFULL);
}

static void one_failure_is_retried(const char *point, int code, bool flushed)
{
    struct fixture f;
    fixture_open(&f);
    struct ss_store_session *a = fixture_session(&f, "a");
    fixture_stage(&f, a, 64, 50);
    ss__fault_arm(point, 1, 1, code);
    ss_check_msg(ss__store_commit(f.store) == 0, "%s", point);
    ss_check((fixture_stats(&f).segments_written == 1) == flushed);
    ss_check(fixture_stats(&f).log_records + fixture_stats(&f).records_trimmed == 64);
    ss__store_put_session(f.store, a);
    fixture_verify(&f, "a", 64, 50);
    fixture_close(&f);
    fixture_check_clean(&f);
    fixture_end(&f);
}

SS_TEST(commit, write_error_gets_a_second_chance)
{
    one_failure_is_retried("store.commit.before", SS_E_STOREIO, true);
    one_failure_is_retried("store.commit.write", SS_E_STOREIO, true);
    one_failure_is_retried("store.trim", SS_E_STOREIO, true);
}

SS_TEST(commit, without_space_the_events_are_tried_without_flush)
{
    one_failure_is_retried("store.mapfull", SS_E_STOREFULL, false);
    one_failure_is_retried("store.flush", SS_E_STOREFULL, false);
}

SS_TEST(commit, full_store_refuses_publishes_and_heals)
{
    struct fixture f;
    fixture_open(&f);
    struct ss_store_session *a = fixture_session(&f, "a");
    fixture_stage(&f, a, 1, 50);
    ss__fault_arm("store.mapfull", 1, 2, SS_E_STOREFULL);
    ss_check(ss__store_commit(f.store) == SS_E_STOREFULL);
    ss_check(ss__store_writable(f.store) == SS_E_STOREFULL);
    f.clock.now_ns += 10000000000u;
    ss_check(ss__store_writable(f.store) == 0);
    ss__store_put_session(f.store, a);
    fixture_publish(&f, "a", 1, 50, 1);
    fixture_verify(&f, "a", 1, 50);
    fixture_end(&f);
}

SS_TEST(commit, little_free_disk_refuses_publishes_but_not_reads)
{
    struct fixture f;
    fixture_init(&f);
    f.options.min_free_bytes = UINT64_MAX;
    fixture_reopen(&f);
    f.clock.now_ns += 10000000000u;
    fixture_publish(&f, "a", 1, 50, 1);
    ss_check(ss__store_writable(f.store) == SS_E_STOREFULL);
    fixture_verify(&f, "a", 1, 50);
    fixture_end(&f);
}

SS_TEST(commit, after_a_failed_sync_only_reads_go_on_until_reopened)
{
    struct fixture f;
    fixture_open(&f);
    fixture_publish(&f, "a", 3, 50, 3);
    struct ss_store_session *a = fixture_session(&f, "a");
    fixture_stage(&f, a, 1, 50);
    ss__fault_arm("store.commit.sync", 1, 1, SS_E_STOREIO);
    ss_check(ss__store_commit(f.store) == SS_E_STOREIO);
    fixture_stage(&f, a, 1, 50);
    ss_check(ss__store_commit(f.store) == SS_E_STOREIO);
    ss_check(ss__store_writable(f.store) == SS_E_STOREIO);
    ss_check(ss__store_row(a)->ordinal == 3);
    ss__store_put_session(f.store, a);
    fixture_verify(&f, "a", 3, 50);
    fixture_close(&f);
    fixture_reopen(&f);
    ss_check(!f.report.clean);
    fixture_publish(&f, "a", 1, 50, 1);
    fixture_verify(&f, "a", 4, 50);
    fixture_end(&f);
}

SS_TEST(commit, lost_answer_of_a_commit_means_unknown_until_reopened)
{
    struct fixture f;
    fixture_open(&f);
    struct ss_store_session *a = fixture_session(&f, "a");
    fixture_stage(&f, a, 2, 50);
    ss__fault_arm("store.commit.after", 1, 1, SS_E_STOREIO);
    ss_check(ss__store_commit(f.store) == SS_E_STOREIO);
    ss__store_put_session(f.store, a);
    ss_check(ss__store_writable(f.store) == SS_E_STOREIO);
    fixture_close(&f);
    fixture_reopen(&f);
    fixture_verify(&f, "a", 2, 50);
    fixture_end(&f);
}

SS_TEST(commit, checkpoint_writes_changes_and_removes_entities)
{
    struct fixture f;
    fixture_open(&f);
    fixture_publish(&f, "a", 9, 50, 9);
    struct ss_store_session *a = fixture_session(&f, "a");
    struct ss_entity_row rows[2] = {
        { .kind = ss_str("note"), .id = ss_str("1"), .created_ordinal = 1, .last_ordinal = 4,
          .time_us = 77, .type_id = f.entity_type, .payload = ss_str("first") },
        { .kind = ss_str("note"), .id = ss_str("2"), .created_ordinal = 2, .last_ordinal = 2,
          .type_id = f.entity_type, .payload = ss_str("second") },
    };
    ss_check(ss__store_stage_checkpoint(f.store, a, rows, 2, 5, 3) == 0);
    ss_check(ss__store_replay_count(a) == 4);
    ss_check(ss__store_commit(f.store) == 0);
    struct ss_entity_row got;
    ss_check(ss__store_read_entity(f.store, a, ss_str("note"), ss_str("1"), &got) == 0);
    ss_check(got.created_ordinal == 1 && got.last_ordinal == 4 && got.time_us == 77);
    ss_check(got.type_id == f.entity_type && ss_str_equal(got.payload, ss_str("first")));
    rows[0].tombstone = true;
    rows[1].payload = ss_str("");
    rows[1].last_ordinal = 9;
    ss_check(ss__store_stage_checkpoint(f.store, a, rows, 2, 9, 3) == 0);
    ss_check(ss__store_commit(f.store) == 0);
    ss_check(ss__store_read_entity(f.store, a, ss_str("note"), ss_str("1"), &got) ==
             SS_E_NOTFOUND);
    ss_check(ss__store_read_entity(f.store, a, ss_str("note"), ss_str("2"), &got) == 0);
    ss_check(got.payload.len == 0 && got.last_ordinal == 9);
    ss__store_put_session(f.store, a);
    fixture_close(&f);
    fixture_check_clean(&f);
    fixture_reopen(&f);
    a = fixture_session(&f, "a");
    ss_check(ss__store_row(a)->timeline_ordinal == 9 && ss__store_row(a)->timeline_version == 3);
    ss_check(ss__store_replay_count(a) == 0);
    ss__store_put_session(f.store, a);
    fixture_end(&f);
}

static bool has_note(struct fixture *f, struct ss_store_session *session, const char *id)
{
    struct ss_entity_row got;
    int err = ss__store_read_entity(f->store, session, ss_str("note"), ss_str(id), &got);
    ss_check(err == 0 || err == SS_E_NOTFOUND);
    return err == 0;
}

SS_TEST(commit, entities_of_another_timeline_version_count_no_longer)
{
    struct fixture f;
    fixture_open(&f);
    fixture_publish(&f, "a", 9, 50, 9);
    fixture_publish(&f, "b", 9, 50, 9);
    struct ss_entity_row rows[2] = {
        { .kind = ss_str("note"), .id = ss_str("1"), .created_ordinal = 1, .last_ordinal = 4,
          .type_id = f.entity_type, .payload = ss_str("first") },
        { .kind = ss_str("note"), .id = ss_str("2"), .created_ordinal = 2, .last_ordinal = 2,
          .type_id = f.entity_type, .payload = ss_str("second") },
    };
    struct ss_store_session *a = fixture_session(&f, "a");
    struct ss_store_session *b = fixture_session(&f, "b");
    ss_check(ss__store_stage_checkpoint(f.store, a, rows, 2, 5, 3) == 0);
    ss_check(ss__store_stage_checkpoint(f.store, b, rows, 2, 5, 3) == 0);
    ss_check(ss__store_commit(f.store) == 0);
    ss_check(ss__store_use_timeline(f.store, a, 3) == 0);
    ss_check(ss__store_replay_count(a) == 4 && has_note(&f, a, "1"));
    for (int again = 0; again < 2; again++) {
        ss_check(ss__store_use_timeline(f.store, a, 4) == 0);
        ss_check(ss__store_row(a)->timeline_ordinal == 0 && ss__store_replay_count(a) == 9);
        ss_check(!has_note(&f, a, "1"));
    }
    struct ss_image_request *request;
    struct ss_image image;
    ss_check(ss__store_image_request(a, true, &request) == 0);
    fixture_verify_request(&f, request, "a", 9, 50);
    ss_check(ss__store_read_image(f.store, request, &image) == 0);
    ss_check(image.entities_count == 0 && image.records_count == 9);
    ss__image_deinit(&image);
    ss__store_image_request_free(request);

    ss_check(ss__store_stage_checkpoint(f.store, a, rows, 1, 9, 4) == 0);
    ss__store_abort(f.store);
    ss_check(ss__store_row(a)->timeline_ordinal == 0 && !has_note(&f, a, "2"));
    fixture_flush_all(&f);    /* writes the row while the old entities are there */
    ss__store_put_session(f.store, b);
    ss__store_put_session(f.store, a);
    fixture_close(&f);
    fixture_check_clean(&f);
    fixture_reopen(&f);
    a = fixture_session(&f, "a");
    ss_check(ss__store_row(a)->timeline_ordinal == 5 && ss__store_row(a)->timeline_version == 3);
    ss_check(ss__store_use_timeline(f.store, a, 4) == 0);
    ss_check(ss__store_stage_checkpoint(f.store, a, rows, 1, 9, 4) == 0);
    ss_check(ss__store_commit(f.store) == 0);
    ss_check(has_note(&f, a, "1") && !has_note(&f, a, "2") && ss__store_replay_count(a) == 0);
    b = fixture_session(&f, "b");
    ss_check(has_note(&f, b, "1") && has_note(&f, b, "2"));
    ss__store_put_session(f.store, b);
    ss__store_put_session(f.store, a);
    fixture_close(&f);
    fixture_check_clean(&f);
    fixture_end(&f);
}

SS_TEST(commit, timeline_that_cannot_be_made_again_is_refused)
{
    struct fixture f;
    uint8_t key[8];
    uint8_t value[SS_ROW_BYTES_MAX];
    struct ss_row_value row = { .ordinal = 9, .first_retained = 5, .timeline_ordinal = 9,
                                .timeline_version = 3, .tip = { 5, 5, 500 }, .id = ss_str("a") };
    fixture_open(&f);
    fixture_publish(&f, "a", 9, 50, 9);
    fixture_flush_all(&f);
    fixture_close(&f);
    ss__put_be64(key, 1);
    fixture_plant(&f, SS_DB_SESSION, ss_str_of(key, 8),
                  ss_str_of(value, ss__row_encode(value, 1, &row)));
    fixture_reopen(&f);
    struct ss_store_session *a = fixture_session(&f, "a");
    ss_check(ss__store_use_timeline(f.store, a, 4) == SS_E_VERSION);
    ss_check(ss__store_use_timeline(f.store, a, 3) == 0);
    ss_check(ss__store_row(a)->timeline_ordinal == 9);
    ss__store_put_session(f.store, a);
    fixture_end(&f);
}
