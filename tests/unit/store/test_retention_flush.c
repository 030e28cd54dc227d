/* Cuts on disk: what goes, what is kept for it, and what a crash or an error leaves. */
#include "store/retention_flush.h"

#include <string.h>

#include "core/fault.h"
#include "retention_fixture.h"
#include "store/delete.h"

SS_TEST(retention_flush, a_cut_wants_entities_as_of_its_event)
{
    struct fixture f;
    open_with_events(&f, 200);
    ss_check(state_of_cut(&f, "a", 64) == SS_CUT_BEHIND);
    entity_at(&f, "a", 64);
    ss_check(state_of_cut(&f, "a", 64) == SS_CUT_READY);
    ss_check(state_of_cut(&f, "a", 128) == SS_CUT_BEHIND);
    entity_at(&f, "a", 150);
    ss_check(state_of_cut(&f, "a", 64) == SS_CUT_FOLD);
    ss_check(state_of_cut(&f, "a", 195) == SS_CUT_STALE);    /* within the newest segment */
    ss_check(state_of_cut(&f, "a", 201) == SS_CUT_STALE);
    ss_check(state_of_cut(&f, "a", 200) == SS_CUT_BEHIND);
    entity_at(&f, "a", 200);
    ss_check(state_of_cut(&f, "a", 200) == SS_CUT_READY);
    fixture_publish(&f, "a", 1, 50, 1);
    ss_check(state_of_cut(&f, "a", 200) == SS_CUT_STALE);    /* its segment is about to grow */
    ss__store_set_timelines(f.store, &(struct ss_timeline_code){ FIXTURE_PROJECTION, 2 }, 1);
    ss_check(state_of_cut(&f, "a", 128) == SS_CUT_BEHIND);
    ss__store_set_timelines(f.store, &(struct ss_timeline_code){ FIXTURE_PROJECTION, 1 }, 1);
    struct ss_store_session *a = fixture_session(&f, "a");
    ss__store_void_timeline(a, FIXTURE_PROJECTION);
    ss_check(ss__store_cut_state(f.store, a, 128) == SS_CUT_STALE);
    ss__store_keep_timeline(a, FIXTURE_PROJECTION);
    ss__store_put_session(f.store, a);
    fixture_end(&f);
}

SS_TEST(retention_flush, entities_on_disk_are_the_base_until_they_change)
{
    struct fixture f;
    open_with_entity(&f, 100);
    cut_at(&f, 100);
    ss_check(first_of(&f, "a") == 101 && fixture_stats(&f).retention_events == 100 &&
             fixture_stats(&f).retention_bytes > 5000);
    ss_check(segments_of(&f) == 0);
    ss_check(first_of(&f, "a") == 101);
    check_gone(&f, "a", 99, 101);
    check_base(&f, "a", 100, 100, "as of 100");
    fixture_publish(&f, "a", 70, 50, 70);
    fixture_flush_all(&f);
    ss_check(segments_of(&f) == 2);
    check_base(&f, "a", 130, 100, "as of 100");
    fixture_verify(&f, "a", 170, 50);
    entity_at(&f, "a", 170);    /* these take their place: they are kept as they were */
    ss_check(segments_of(&f) == 2);
    check_base(&f, "a", 100, 100, "as of 100");
    check_base(&f, "a", 169, 100, "as of 100");
    check_base(&f, "a", 170, 170, "as of 170");
    check_gone(&f, "a", 99, 101);
    fixture_end(&f);
}

SS_TEST(retention_flush, a_base_is_written_with_the_cut_and_replaces_the_one_before)
{
    struct fixture f;
    open_with_entity(&f, 300);
    base_at(&f, 64);
    check_gone(&f, "a", 63, 65);
    check_base(&f, "a", 64, 64, "as of 64");
    check_base(&f, "a", 299, 64, "as of 64");
    base_at(&f, 192);
    check_gone(&f, "a", 191, 193);
    check_base(&f, "a", 299, 192, "as of 192");
    ss_check(segments_of(&f) == 2);
    check_base(&f, "a", 299, 192, "as of 192");
    ss_check(state_of_cut(&f, "a", 192) == SS_CUT_STALE);
    fixture_end(&f);
}

SS_TEST(retention_flush, one_that_does_not_hold_any_more_is_left)
{
    struct fixture f;
    open_with_entity(&f, 128);
    cut_at(&f, 64);        /* wants a base */
    ss_check(first_of(&f, "a") == 1);
    stage_cut(&f, "a", 128);
    fixture_publish(&f, "a", 1, 50, 1);    /* the newest event is another one */
    fixture_flush_due(&f);
    ss_check(first_of(&f, "a") == 1);
    stage_base(&f, "a", 64);
    struct ss_store_session *a = fixture_session(&f, "a");
    ss__store_void_timeline(a, FIXTURE_PROJECTION);
    fixture_flush_due(&f);
    ss_check(first_of(&f, "a") == 1);
    ss__store_keep_timeline(a, FIXTURE_PROJECTION);
    stage_base(&f, "a", 64);
    ss_check(ss__store_stage_delete(f.store, a, 1) == 0 && ss__store_commit(f.store) == 0);
    ss__store_put_session(f.store, a);
    fixture_flush_all(&f);
    ss_check(segments_of(&f) == 0);
    fixture_end(&f);
}

/* The newest segment was seen to end at 60, then it grew to its full size, and another one began. */
SS_TEST(retention_flush, a_cut_within_a_segment_is_forgotten)
{
    struct fixture f;
    fixture_open(&f);
    fixture_publish(&f, "a", 60, 50, 60);
    fixture_flush_all(&f);
    struct proposed proposed = propose(&f, (struct ss_retention_policy){ .age_us = 1 }, 5000);
    ss_check(strcmp(proposed.text, "a:60 ") == 0);
    fixture_publish(&f, "a", 30, 50, 30);
    fixture_flush_all(&f);
    entity_at(&f, "a", 90);
    ss_check(state_of_cut(&f, "a", 60) == SS_CUT_FOLD);
    base_at(&f, 60);
    ss_check(first_of(&f, "a") == 1 && segments_of(&f) == 2);
    check_base(&f, "a", 64, 0, "");
    /* Nor does what is taken for leftovers reach into what is retained. */
    base_at(&f, 64);
    ss_check(first_of(&f, "a") == 65);
    ss_check(ss__store_stage_leftovers(f.store, 1, 70) == 0);
    fixture_flush_all(&f);
    ss_check(segments_of(&f) == 1);
    check_base(&f, "a", 89, 64, "as of 64");
    fixture_end(&f);
}

SS_TEST(retention_flush, a_flush_that_fails_drops_nothing)
{
    static const char *const points[] = { "store.cut", "store.flush.write", "store.trash" };
    struct fixture f;
    open_with_entity(&f, 300);
    for (size_t i = 0; i < sizeof points / sizeof *points; i++) {
        stage_base(&f, "a", 128);
        stage_cut(&f, "a", 300);
        ss__fault_arm(points[i], 1, 1, SS_E_STOREIO);
        ss_check(ss__store_flush(f.store, 0) < 0);
        ss__fault_reset();
        f.clock.now_ns += 1000000000;
        ss_check(first_of(&f, "a") == 1 && fixture_stats(&f).retention_events == 0);
        ss_check(!ss__store_cuts_wait(f.store));
    }
    ss_check(segments_of(&f) == 5);
    check_base(&f, "a", 100, 0, "");
    stage_base(&f, "a", 128);
    ss__fault_arm("store.flush.plan", 1, 1, 1);
    ss_check(ss__store_flush(f.store, 0) == SS_E_NOMEM && ss__store_cuts_wait(f.store));
    ss__fault_reset();
    f.clock.now_ns += 1000000000;
    fixture_flush_all(&f);    /* not planned: still staged */
    ss_check(first_of(&f, "a") == 129);
    fixture_end(&f);
}

/* One cut of more segments than a flush removes, cut off by the end of the process. */
SS_TEST(retention_flush, leftovers_go_a_few_at_a_time_and_are_found_again_after_a_crash)
{
    struct fixture f;
    fixture_open(&f);
    fixture_publish(&f, "a", 64 * 600, 10, 64);
    fixture_publish(&f, "b", 64, 10, 64);
    fixture_flush_all(&f);
    entity_at(&f, "a", 64 * 600);
    stage_cut(&f, "a", 64 * 600);
    ss_check(ss__store_flush(f.store, 0) > 0);    /* the row, and nothing of the segments yet */
    ss_check(ss__store_flush(f.store, 0) > 0 && ss__store_cuts_wait(f.store));
    ss_check(first_of(&f, "a") == 64 * 600 + 1);
    fixture_crash(&f);
    ss_check(fixture_check(&f).segments == 601 - SS_RETENTION_KEYS_MAX);
    ss_check_msg(f.finding[0] == '\0', "%s", f.finding);
    fixture_reopen(&f);
    check_gone(&f, "a", 64 * 600 - 1, 64 * 600 + 1);
    check_base(&f, "a", 64 * 600, 64 * 600, "as of 38400");
    fixture_publish(&f, "a", 64, 10, 64);
    fixture_flush_all(&f);
    check_base(&f, "a", 64 * 601, 64 * 600, "as of 38400");
    struct proposed proposed = propose(&f, (struct ss_retention_policy){ .events = 1000 }, 1);
    ss_check_msg(strcmp(proposed.text, "a:38400! ") == 0, "%s", proposed.text);
    struct ss_store_session *a = fixture_session(&f, "a");
    ss_check(ss__store_stage_leftovers(f.store, ss__store_row(a)->sid, 64 * 600 + 1) == 0);
    ss__store_put_session(f.store, a);
    fixture_flush_all(&f);
    ss_check(segments_of(&f) == 2);
    proposed = propose(&f, (struct ss_retention_policy){ .events = 1000 }, 1);
    ss_check(proposed.text[0] == '\0');
    fixture_end(&f);
}

/* A projection that begins with the base gets its entities with any load. */
SS_TEST(retention_flush, a_load_of_other_code_begins_with_the_base)
{
    struct fixture f;
    open_with_entity(&f, 128);
    for (unsigned copied = 0; copied < 2; copied++) {
        uint64_t base = copied == 0 ? 128 : 64;
        if (copied == 0) {
            stage_cut(&f, "a", 128);
        } else {
            publish_more(&f, "b", 128);
            entity_at(&f, "b", 128);
            stage_base(&f, "b", 64);
        }
        fixture_flush_all(&f);
        struct ss_store_session *session = fixture_session(&f, copied == 0 ? "a" : "b");
        use_timeline(f.store, session, 2);
        for (unsigned whole = 0; whole < 2; whole++) {
            struct ss_image_request *request;
            struct ss_image image;
            ss_check(ss__store_image_request(f.store, session, whole != 0, &request) == 0);
            ss_check(ss__store_read_image(f.store, request, &image) == 0);
            ss_check(image.based == 1 && image.timelines[0].ordinal == base &&
                     image.entities_count == 1 && image.records_count == 128 - base);
            ss_check(image.entities[0].last_ordinal == base);
            ss__image_deinit(&image);
            ss__store_image_request_free(request);
        }
        use_timeline(f.store, session, 1);
        ss__store_put_session(f.store, session);
    }
    struct ss_store_session *b = fixture_session(&f, "b");
    struct ss_image_request *request;
    struct ss_image image;
    ss_check(ss__store_range_request(f.store, b, 60, 70, &request) == 0);
    ss_check(ss__store_read_image(f.store, request, &image) == SS_E_GONE);
    ss__store_image_request_free(request);
    ss__store_put_session(f.store, b);
    fixture_end(&f);
}

SS_TEST(retention_flush, only_so_many_cuts_wait)
{
    struct fixture f;
    open_based(&f);
    fixture_reopen(&f);
    struct ss_store_session *session = fixture_session(&f, "a");
    unsigned staged = 0;
    int err;
    while ((err = ss__store_stage_cut(f.store, session, 128)) == 0) {
        ss_check(++staged <= SS_RETENTION_CUTS_MAX);
    }
    ss_check(err == SS_E_BUSY && staged == SS_RETENTION_CUTS_MAX);
    ss__store_put_session(f.store, session);
    fixture_flush_all(&f);
    ss_check(first_of(&f, "a") == 129 && !ss__store_cuts_wait(f.store));
    fixture_end(&f);
}

/* A base of 3 MiB. */
static void stage_large_base(struct fixture *f, const char *id)
{
    static char text[100000];
    struct ss_history *history;
    struct ss_history_base found;
    struct base ignored;
    struct ss_history_query query = { .at = 64, .base_max = 64, .code = 7, .timelines = 1 };
    struct ss_store_session *session = fixture_session(f, id);
    memset(text, 'x', sizeof text);
    ss_check(ss__history_new(f->store, session, &query, &history) == 0);
    ss__store_put_session(f->store, session);
    ss_check(ss__history_base(history, note_base, &ignored, &found) == 0);
    struct ss_past *base = ss__past_new_base(history);
    for (unsigned i = 0; i < 30; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "n%02u", i);
        struct ss_entity_row row = { .projection = FIXTURE_PROJECTION, .kind = ss_str("note"),
                                     .id = ss_str(name), .created_ordinal = 1, .last_ordinal = 64,
                                     .type_id = f->entity_type,
                                     .payload = ss_str_of(text, sizeof text) };
        ss_check(base != NULL && ss__past_add(base, &row) == 0);
    }
    ss__store_stage_base(f->store, base);
    ss__history_free(f->store, history);
}

SS_TEST(retention_flush, bases_that_are_too_large_together_go_one_flush_after_the_other)
{
    struct fixture f;
    fixture_open(&f);
    fixture_publish(&f, "a", 200, 50, 50);
    fixture_publish(&f, "b", 200, 50, 50);
    fixture_flush_all(&f);
    entity_at(&f, "a", 200);
    entity_at(&f, "b", 200);
    stage_large_base(&f, "a");
    stage_large_base(&f, "b");
    int more = ss__store_flush(f.store, 0);
    ss_check_msg(more > 0, "%s", ss_error_name(more));
    ss_check((first_of(&f, "a") == 65) != (first_of(&f, "b") == 65));
    ss_check(ss__store_cuts_wait(f.store));
    fixture_flush_all(&f);
    ss_check(first_of(&f, "a") == 65 && first_of(&f, "b") == 65);
    fixture_close(&f);
    fixture_check_clean(&f);
    fixture_end(&f);
}

SS_TEST(retention_flush, a_base_that_cannot_be_copied_stops_no_flush)
{
    struct fixture f;
    open_with_events(&f, 128);
    entity_at(&f, "a", 64);
    cut_at(&f, 64);
    ss_check(first_of(&f, "a") == 65);
    check_base(&f, "a", 100, 64, "as of 64");
    ss__fault_arm("store.base.bytes", 1, 1, 20);    /* too few */
    entity_at(&f, "a", 128);
    ss__fault_reset();
    ss_check(fixture_stats(&f).flush_errors == 0);
    check_base(&f, "a", 128, 128, "as of 128");
    check_gone(&f, "a", 100, 65);    /* not shown as if it were of event 64 */
    fixture_crash(&f);
    fixture_reopen(&f);
    check_base(&f, "a", 128, 128, "as of 128");
    check_gone(&f, "a", 100, 65);
    fixture_close(&f);
    ss_check(fixture_check(&f).findings == 1);
    fixture_end(&f);
}

SS_TEST(retention_flush, without_memory_for_its_base_a_flush_fails_and_the_next_one_keeps_it)
{
    struct fixture f;
    struct ss_entity_row row;
    fixture_open(&f);
    fixture_publish(&f, "a", 128, 50, 64);
    fixture_flush_all(&f);
    entity_at(&f, "a", 64);
    stage_cut(&f, "a", 64);
    fixture_flush_all(&f);
    row = (struct ss_entity_row){ .kind = ss_str("note"), .id = ss_str("x"), .created_ordinal = 1,
                                  .last_ordinal = 128, .type_id = f.entity_type,
                                  .payload = ss_str("as of 128") };
    struct ss_store_session *a = fixture_session(&f, "a");
    ss_check(stage_checkpoint(f.store, a, &row, 1, 128, 1) == 0);
    ss__fault_arm("store.past", 1, 1, 1);
    ss_check(ss__store_flush(f.store, 0) == SS_E_NOMEM);
    ss__store_put_session(f.store, a);
    check_base(&f, "a", 100, 64, "as of 64");
    f.clock.now_ns += UINT64_C(1000000000);
    entity_at(&f, "a", 128);
    check_base(&f, "a", 100, 64, "as of 64");
    check_base(&f, "a", 128, 128, "as of 128");
    fixture_close(&f);
    fixture_check_clean(&f);
    fixture_end(&f);
}

/* Entities on disk that newer code would not use are what the removed events came to, all the same. */
SS_TEST(retention_flush, entities_of_older_code_do_for_a_damaged_base)
{
    struct fixture f;
    fixture_open(&f);
    fixture_publish(&f, "a", 128, 50, 64);
    fixture_flush_all(&f);
    entity_at(&f, "a", 128);
    stage_base(&f, "a", 128);
    fixture_flush_all(&f);
    fixture_publish(&f, "a", 64, 50, 64);
    fixture_flush_all(&f);
    fixture_close(&f);
    fixture_flip(&f, SS_DB_CHECKPOINT, 1, 12);
    fixture_reopen(&f);
    struct ss_store_session *a = fixture_session(&f, "a");
    use_timeline(f.store, a, 2);
    check_base(&f, "a", 150, 128, "as of 128");
    ss__store_put_session(f.store, a);
    fixture_end(&f);
}
