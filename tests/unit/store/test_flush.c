#include <errno.h>

#include "store_fixture.h"
#include "store/store_state.h"

static const struct ss_str one = { "1", 1 };
static const struct ss_str note = { "note", 4 };

/* A checkpoint, a full tail and two that are not, new sessions: what a flush can have to move. */
static struct ss_store_session *fill(struct fixture *f, struct ss_entity_row *ret_row)
{
    fixture_open(f);
    fixture_publish(f, "full", 70, 50, 70);
    fixture_publish(f, "part", 5, 50, 1);
    struct ss_store_session *fresh = fixture_session(f, "fresh");
    ss_check(ss__store_commit(f->store) == 0);
    ss__store_put_session(f->store, fresh);
    *ret_row = (struct ss_entity_row){ .kind = note, .id = one, .created_ordinal = 1,
                                       .last_ordinal = 3, .type_id = f->entity_type,
                                       .payload = ss_str("x") };
    return fixture_session(f, "part");
}

static void all_is_there(struct fixture *f)
{
    fixture_verify(f, "full", 70, 50);
    fixture_verify(f, "part", 5, 50);
    fixture_verify(f, "fresh", 0, 50);
}

static void fails(const char *point, int code, int expected, bool latches)
{
    struct fixture f;
    struct ss_entity_row row;
    struct ss_entity_row got;
    struct ss_store_session *part = fill(&f, &row);
    struct ss_store_stats before = fixture_stats(&f);
    ss_check(stage_checkpoint(f.store, part, &row, 1, 4, 7) == 0);
    ss__fault_arm(point, 1, 1, code);
    int err = ss__store_flush(f.store, 16);
    ss__fault_reset();
    ss_check_msg(err == expected, "%s %d: %s", point, code, ss_error_name(err));

    struct ss_store_stats after = fixture_stats(&f);
    ss_check(after.flush_errors == 1 && after.flushes == before.flushes);
    ss_check(after.log_records == before.log_records && after.records_trimmed == 0);
    ss_check(after.unflushed_bytes == before.unflushed_bytes && after.segments_written == 0);
    ss_check(timeline_of(part) == 0);
    ss_check(read_entity(f.store, part, note, one, &got) == SS_E_NOTFOUND);
    all_is_there(&f);
    ss_check(!ss__store_may_flush(f.store));
    f.clock.now_ns += 1000000000u;
    ss_check(ss__store_may_flush(f.store) == !latches);
    ss_check(ss__store_writable(f.store) == (latches ? SS_E_STOREIO : 0));
    if (!latches) {
        fixture_publish(&f, "part", 1, 50, 1);
        ss_check(stage_checkpoint(f.store, part, &row, 1, 4, 7) == 0);
        fixture_flush_all(&f);
        ss_check(read_entity(f.store, part, note, one, &got) == 0);
        ss_check(fixture_stats(&f).unflushed_bytes == 0);
        fixture_verify(&f, "part", 6, 50);
    }
    ss__store_put_session(f.store, part);
    fixture_close(&f);
    fixture_check_clean(&f);
    fixture_reopen(&f);
    ss_check(f.report.clean == !latches && f.report.sessions == 3);
    fixture_verify(&f, "full", 70, 50);
    fixture_verify(&f, "part", latches ? 5 : 6, 50);
    fixture_flush_all(&f);
    fixture_close(&f);
    fixture_check_clean(&f);
    fixture_end(&f);
}

SS_TEST(flush, failed_one_loses_nothing_and_the_next_one_moves_it_all)
{
    fails("store.flush.write", SS_E_STOREIO, SS_E_STOREIO, false);
    fails("store.flush.write", SS_E_STOREFULL, SS_E_STOREFULL, false);
    fails("store.flush.write", SS_E_NOMEM, SS_E_NOMEM, false);
    fails("store.flush.begin", EPERM, SS_E_STOREIO, false);
    fails("store.flush.begin", MDB_MAP_FULL, SS_E_STOREFULL, false);
    fails("store.flush.begin", ENOMEM, SS_E_NOMEM, false);
    fails("store.flush.disk", ENOSPC, SS_E_STOREFULL, false);
    fails("store.flush.disk", EPERM, SS_E_STOREIO, false);
    fails("store.segment", SS_E_STOREIO, SS_E_STOREIO, false);
}

SS_TEST(flush, disk_that_may_have_failed_a_sync_latches)
{
    fails("store.flush.disk", EIO, SS_E_STOREIO, true);
    fails("store.flush.begin", MDB_PANIC, SS_E_STOREIO, true);
}

SS_TEST(flush, write_error_is_made_up_for_by_the_next_one_that_counts_nothing_twice)
{
    const struct { const char *point; int code; } cases[] = {
        { "store.flush.write", SS_E_STOREIO }, { "store.flush.begin", EPERM },
        { "store.flush.disk", EPERM },         { "store.segment", SS_E_STOREIO },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fixture f;
        struct ss_entity_row row;
        struct ss_entity_row got;
        struct ss_store_session *part = fill(&f, &row);
        ss_check(stage_checkpoint(f.store, part, &row, 1, 4, 7) == 0);
        ss__fault_arm(cases[i].point, 1, 1, cases[i].code);
        ss_check_msg(ss__store_flush(f.store, 16) == SS_E_STOREIO, "%s", cases[i].point);
        ss_check(stage_checkpoint(f.store, part, &row, 1, 4, 7) == 0);
        ss_check(ss__store_flush(f.store, 16) > 0);
        struct ss_store_stats stats = fixture_stats(&f);
        ss_check(stats.flush_errors == 1 && stats.flushes == 1 && stats.unflushed_bytes == 0);
        ss_check(stats.segments_written == 3);
        ss_check(read_entity(f.store, part, note, one, &got) == 0);
        for (size_t n = 0; n < f.store->log.count; n++) {
            ss_check(f.store->log.files[n]->live == 0 && f.store->log.files[n]->leaving == 0);
        }
        all_is_there(&f);
        ss__store_put_session(f.store, part);
        fixture_close(&f);
        fixture_check_clean(&f);
        fixture_end(&f);
    }
}

SS_TEST(flush, log_is_synced_before_anything_is_moved)
{
    struct fixture f;
    fixture_init(&f);
    f.options.durability = SS_DURABILITY_NONE;
    fixture_reopen(&f);
    fixture_publish(&f, "a", 70, 50, 70);
    ss__fault_arm("log.sync", 1, 1, EIO);
    ss_check(ss__store_flush(f.store, 16) == SS_E_STOREIO);
    ss_check(ss__store_writable(f.store) == SS_E_STOREIO);
    fixture_verify(&f, "a", 70, 50);
    fixture_end(&f);
}

SS_TEST(flush, answers_whether_there_is_more_and_does_nothing_when_there_is_not)
{
    struct fixture f;
    fixture_open(&f);
    ss_check(ss__store_flush(f.store, 16) == 0 && fixture_stats(&f).flushes == 0);
    fixture_publish(&f, "a", 3, 50, 3);
    ss_check(!ss__store_flush_due(f.store));
    ss_check(ss__store_flush(f.store, 0) > 0);    /* the new session */
    ss_check(ss__store_flush(f.store, 0) == 0);
    ss_check(fixture_stats(&f).unflushed_bytes == 3 * (SS_LOG_EVENT_FIXED_BYTES + 50));
    ss_check(ss__store_flush(f.store, 1) == 1);
    ss_check(ss__store_flush(f.store, 1) == 0 && fixture_stats(&f).flushes == 2);
    fixture_end(&f);
}

SS_TEST(flush, is_due_when_half_a_mebibyte_of_full_tails_waits)
{
    struct fixture f;
    fixture_open(&f);
    for (unsigned i = 0; i < 9; i++) {
        ss_check(!ss__store_flush_due(f.store));
        fixture_publish(&f, "a", 1, 60000, 1);
    }
    ss_check(ss__store_flush_due(f.store));
    fixture_flush_due(&f);
    ss_check(!ss__store_flush_due(f.store) && fixture_stats(&f).unflushed_bytes == 0);
    fixture_end(&f);
}

SS_TEST(flush, figures_balance_and_files_are_used_again_over_many_rolls)
{
    struct fixture f;
    fixture_open(&f);
    unsigned files = 0;
    for (unsigned round = 0; round < 200; round++) {
        fixture_publish(&f, round % 2 == 0 ? "a" : "b", 2, 60000, 2);
        fixture_flush_due(&f);
        unsigned now = fixture_count_files(&f, "log-") + fixture_count_files(&f, "spare-");
        files = now > files ? now : files;
    }
    fixture_flush_all(&f);
    struct ss_store_stats stats = fixture_stats(&f);
    ss_check(stats.log_records + stats.records_trimmed == 2 + 400);
    ss_check(stats.unflushed_bytes == 0 && stats.log_bytes < 1u << 20);
    ss_check(ss__log_current(&f.store->log)->head.serial > 20);
    ss_check_msg(files <= 1 + SS_LOG_SPARES_MAX, "%u files", files);
    fixture_verify(&f, "a", 200, 60000);
    fixture_close(&f);
    fixture_check_clean(&f);
    fixture_reopen(&f);
    fixture_verify(&f, "b", 200, 60000);
    fixture_end(&f);
}

SS_TEST(flush, new_sessions_are_moved_once_and_found_before_and_after)
{
    struct fixture f;
    char id[16];
    fixture_open(&f);
    for (unsigned i = 0; i < 20; i++) {
        (void)snprintf(id, sizeof id, "s%u", i);
        fixture_publish(&f, id, i % 3, 50, 1);
        struct ss_store_session *session = fixture_session(&f, id);
        ss_check(ss__store_commit(f.store) == 0);
        ss__store_put_session(f.store, session);
    }
    ss_check(f.store->born_count == 20 && fixture_stats(&f).log_records == 20 + 19);
    fixture_flush_due(&f);
    ss_check(f.store->born_count == 0 && ss__list_empty(&f.store->born));
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned i = 0; i < 20; i++) {
            (void)snprintf(id, sizeof id, "s%u", i);
            fixture_verify(&f, id, i % 3, 50);
        }
        fixture_crash(&f);
        fixture_check_clean(&f);
        fixture_reopen(&f);
        ss_check(f.store->born_count == 0 && f.report.sessions == 20);
    }
    fixture_end(&f);
}

SS_TEST(flush, session_whose_row_was_lost_comes_back_from_the_log_and_holds_up_nobody)
{
    struct fixture f;
    uint8_t key[8];
    fixture_open(&f);
    fixture_publish(&f, "a", 3, 50, 3);
    fixture_flush_all(&f);
    fixture_crash(&f);
    ss__put_be64(key, 1);
    fixture_plant(&f, SS_DB_SESSION, ss_str_of(key, sizeof key), (struct ss_str){ 0 });
    fixture_reopen(&f);
    fixture_publish(&f, "b", 3, 50, 3);
    fixture_flush_all(&f);
    fixture_verify(&f, "a", 3, 50);
    fixture_verify(&f, "b", 3, 50);
    fixture_close(&f);
    fixture_check_clean(&f);
    fixture_end(&f);
}

SS_TEST(flush, abort_takes_staged_checkpoints_back)
{
    struct fixture f;
    struct ss_entity_row row;
    struct ss_entity_row got;
    struct ss_store_session *part = fill(&f, &row);
    ss_check(stage_checkpoint(f.store, part, &row, 1, 4, 7) == 0);
    ss__store_abort(f.store);
    ss_check(timeline_of(part) == 0);
    fixture_flush_all(&f);
    ss_check(read_entity(f.store, part, note, one, &got) == SS_E_NOTFOUND);
    ss__store_put_session(f.store, part);
    fixture_close(&f);
    fixture_check_clean(&f);
    fixture_end(&f);
}

SS_TEST(flush, checkpoint_writes_changes_and_removes_entities)
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
    ss_check(stage_checkpoint(f.store, a, rows, 2, 5, 3) == 0);
    fixture_flush_due(&f);
    ss_check(ss__store_replay_count(f.store, a) == 4);
    struct ss_entity_row got;
    ss_check(read_entity(f.store, a, ss_str("note"), ss_str("1"), &got) == 0);
    ss_check(got.created_ordinal == 1 && got.last_ordinal == 4 && got.time_us == 77);
    ss_check(got.type_id == f.entity_type && ss_str_equal(got.payload, ss_str("first")));
    rows[0].tombstone = true;
    rows[1].payload = ss_str("");
    rows[1].last_ordinal = 9;
    ss_check(stage_checkpoint(f.store, a, rows, 2, 9, 3) == 0);
    fixture_flush_due(&f);
    ss_check(read_entity(f.store, a, ss_str("note"), ss_str("1"), &got) ==
             SS_E_NOTFOUND);
    ss_check(read_entity(f.store, a, ss_str("note"), ss_str("2"), &got) == 0);
    ss_check(got.payload.len == 0 && got.last_ordinal == 9);
    ss__store_put_session(f.store, a);
    fixture_close(&f);
    fixture_check_clean(&f);
    fixture_reopen(&f);
    a = fixture_session(&f, "a");
    ss_check(timeline_of(a) == 9);
    ss_check(ss__store_replay_count(f.store, a) == 0);
    ss__store_put_session(f.store, a);
    fixture_end(&f);
}

static bool has_note(struct fixture *f, struct ss_store_session *session, const char *id)
{
    struct ss_entity_row got;
    int err = read_entity(f->store, session, ss_str("note"), ss_str(id), &got);
    ss_check(err == 0 || err == SS_E_NOTFOUND);
    return err == 0;
}

SS_TEST(flush, entities_of_another_timeline_version_count_no_longer)
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
    ss_check(stage_checkpoint(f.store, a, rows, 2, 5, 3) == 0);
    ss_check(stage_checkpoint(f.store, b, rows, 2, 5, 3) == 0);
    fixture_flush_due(&f);
    use_timeline(f.store, a, 3);
    ss_check(ss__store_replay_count(f.store, a) == 4 && has_note(&f, a, "1"));
    for (int again = 0; again < 2; again++) {
        use_timeline(f.store, a, 4);
        ss_check(timeline_of(a) == 0 && ss__store_replay_count(f.store, a) == 9);
        ss_check(!has_note(&f, a, "1"));
    }
    struct ss_image_request *request;
    struct ss_image image;
    ss_check(ss__store_image_request(f.store, a, true, &request) == 0);
    fixture_verify_request(&f, request, "a", 9, 50);
    ss_check(ss__store_read_image(f.store, request, &image) == 0);
    ss_check(image.entities_count == 0 && image.records_count == 9);
    ss__image_deinit(&image);
    ss__store_image_request_free(request);

    ss_check(stage_checkpoint(f.store, a, rows, 1, 9, 4) == 0);
    ss__store_abort(f.store);
    ss_check(timeline_of(a) == 0 && !has_note(&f, a, "2"));
    fixture_flush_all(&f);    /* writes the row while the old entities are there */
    ss__store_put_session(f.store, b);
    ss__store_put_session(f.store, a);
    fixture_close(&f);
    fixture_check_clean(&f);
    fixture_reopen(&f);
    a = fixture_session(&f, "a");
    ss_check(timeline_of(a) == 5);
    use_timeline(f.store, a, 4);
    ss_check(stage_checkpoint(f.store, a, rows, 1, 9, 4) == 0);
    fixture_flush_due(&f);
    ss_check(has_note(&f, a, "1") && !has_note(&f, a, "2"));
    ss_check(ss__store_replay_count(f.store, a) == 0);
    b = fixture_session(&f, "b");
    ss_check(has_note(&f, b, "1") && has_note(&f, b, "2"));
    ss__store_put_session(f.store, b);
    ss__store_put_session(f.store, a);
    fixture_close(&f);
    fixture_check_clean(&f);
    fixture_end(&f);
}
