#include <pthread.h>
#include <stdatomic.h>

#include "store_fixture.h"

static struct ss_image_request *request_of(struct fixture *f, const char *id, bool entities)
{
    struct ss_store_session *session;
    struct ss_image_request *request;
    ss_check(ss__store_get_session(f->store, ss_str(id), &session) == 0);
    ss_check(ss__store_image_request(f->store, session, entities, &request) == 0);
    ss__store_put_session(f->store, session);
    return request;
}

SS_TEST(image, request_from_before_flush_and_trim_is_answered_after_them)
{
    struct fixture f;
    fixture_open(&f);
    fixture_publish(&f, "a", 40, 100, 40);
    struct ss_image_request *request = request_of(&f, "a", false);
    fixture_flush_all(&f);
    fixture_verify_request(&f, request, "a", 40, 100);
    /* Its file goes, and comes back with other events in it. */
    for (unsigned i = 0; i < 60; i++) {
        fixture_publish(&f, "other", 1, 60000, 1);
        fixture_flush_all(&f);
    }
    ss_check(fixture_stats(&f).records_trimmed >= 41);
    fixture_verify_request(&f, request, "a", 40, 100);
    ss__store_image_request_free(request);
    fixture_end(&f);
}

SS_TEST(image, segments_and_tail_join_without_gap_wherever_the_timeline_stands)
{
    struct fixture f;
    fixture_open(&f);
    fixture_publish(&f, "before", 70, 50, 70);
    fixture_publish(&f, "a", 150, 50, 64);
    fixture_publish(&f, "a", 20, 50, 20);
    fixture_publish(&f, "behind", 70, 50, 70);
    for (uint64_t timeline = 0; timeline <= 170; timeline++) {
        if (timeline > 0) {
            fixture_checkpoint(&f, "a", NULL, 0, timeline);
        }
        fixture_verify(&f, "a", 170, 50);
    }
    fixture_verify(&f, "before", 70, 50);
    fixture_verify(&f, "behind", 70, 50);
    fixture_end(&f);
}

SS_TEST(image, entities_come_by_kind_and_id_and_from_no_other_session)
{
    struct fixture f;
    fixture_open(&f);
    fixture_publish(&f, "a", 5, 50, 5);
    fixture_publish(&f, "b", 5, 50, 5);
    struct ss_entity_row rows[4];
    const char *names[4][2] = { { "todo", "1" }, { "note", "2" }, { "note", "10" }, { "n", "x" } };
    for (int i = 0; i < 4; i++) {
        rows[i] = (struct ss_entity_row){ .kind = ss_str(names[i][0]), .id = ss_str(names[i][1]),
                                          .created_ordinal = 1, .last_ordinal = 2,
                                          .type_id = f.entity_type, .payload = ss_str("v") };
    }
    fixture_checkpoint(&f, "a", rows, 4, 3);
    fixture_checkpoint(&f, "b", rows, 1, 3);
    struct ss_image_request *request = request_of(&f, "a", true);
    struct ss_image image;
    ss_check(ss__store_read_image(f.store, request, &image) == 0);
    ss_check(image.entities_count == 4 && image.timelines[0].ordinal == 3);
    const int order[4] = { 3, 2, 1, 0 };
    for (int i = 0; i < 4; i++) {
        ss_check(ss_str_equal(image.entities[i].kind, rows[order[i]].kind));
        ss_check(ss_str_equal(image.entities[i].id, rows[order[i]].id));
    }
    ss_check(image.records_count == 2 && image.records[0].ordinal == 4);
    ss__image_deinit(&image);
    ss__store_image_request_free(request);
    fixture_end(&f);
}

SS_TEST(image, staged_events_are_not_seen)
{
    struct fixture f;
    fixture_open(&f);
    fixture_publish(&f, "a", 3, 50, 3);
    struct ss_store_session *a = fixture_session(&f, "a");
    struct ss_store_session *fresh = fixture_session(&f, "fresh");
    fixture_stage(&f, a, 2, 50);
    fixture_stage(&f, fresh, 2, 50);
    struct ss_image_request *request = request_of(&f, "a", true);
    fixture_verify_request(&f, request, "a", 3, 50);
    ss__store_image_request_free(request);
    request = request_of(&f, "fresh", true);
    fixture_verify_request(&f, request, "fresh", 0, 50);
    ss__store_image_request_free(request);
    ss_check(ss__store_commit(f.store) == 0);
    ss__store_put_session(f.store, a);
    ss__store_put_session(f.store, fresh);
    fixture_verify(&f, "a", 5, 50);
    fixture_verify(&f, "fresh", 2, 50);
    fixture_end(&f);
}

/* Replaying events 1 to 4 over entities that already show them would count them twice. */
SS_TEST(image, timeline_belongs_to_the_entities_read_with_it)
{
    struct fixture f;
    fixture_open(&f);
    fixture_publish(&f, "a", 6, 50, 6);
    struct ss_image_request *request = request_of(&f, "a", true);
    struct ss_entity_row row = { .kind = ss_str("note"), .id = ss_str("1"), .created_ordinal = 1,
                                 .last_ordinal = 4, .type_id = f.entity_type };
    fixture_checkpoint(&f, "a", &row, 1, 4);
    struct ss_image image;
    ss_check(ss__store_read_image(f.store, request, &image) == 0);
    ss_check(image.entities_count == 1 && image.timelines[0].ordinal == 4);
    ss_check(image.records_count == 2 && image.records[0].ordinal == 5);
    ss__image_deinit(&image);
    ss__store_image_request_free(request);
    fixture_end(&f);
}

struct reader {
    struct fixture *f;
    _Atomic(struct ss_image_request *) request;
    atomic_bool stop;
    atomic_uint reads;
    atomic_uint wrong;
};

static void *read_on(void *arg)
{
    struct reader *reader = arg;
    while (!atomic_load(&reader->stop)) {
        struct ss_image_request *request = atomic_exchange(&reader->request, NULL);
        if (request == NULL) {
            continue;
        }
        struct ss_image image;
        uint64_t ordinal = 0;
        if (ss__store_read_image(reader->f->store, request, &image) == 0) {
            for (size_t i = 0; i < image.records_count; i++) {
                ordinal = image.records[i].ordinal == ordinal + 1 ? ordinal + 1 : UINT64_MAX / 2;
            }
            atomic_fetch_add(&reader->wrong, ordinal != image.row.ordinal ? 1 : 0);
            ss__image_deinit(&image);
        } else {
            atomic_fetch_add(&reader->wrong, 1);
        }
        ss__store_image_request_free(request);
        atomic_fetch_add(&reader->reads, 1);
    }
    return NULL;
}

SS_TEST(image, another_thread_reads_whole_sessions_while_the_owner_commits)
{
    struct fixture f;
    fixture_open(&f);
    struct reader reader = { .f = &f };
    pthread_t thread;
    fixture_publish(&f, "a", 10, 50, 10);
    ss_check(pthread_create(&thread, NULL, read_on, &reader) == 0);
    for (unsigned i = 0; i < 100 || atomic_load(&reader.reads) < 20; i++) {
        struct ss_image_request *request = request_of(&f, "a", false);
        ss__store_image_request_free(atomic_exchange(&reader.request, request));
        fixture_publish(&f, i % 2 == 0 ? "a" : "b", 9, 50, 9);
        if (i % 10 == 0) {
            ss_check(ss__store_flush(f.store, 2) >= 0);
        }
    }
    atomic_store(&reader.stop, true);
    ss_check(pthread_join(thread, NULL) == 0);
    ss__store_image_request_free(atomic_exchange(&reader.request, NULL));
    ss_check(atomic_load(&reader.wrong) == 0);
    fixture_end(&f);
}

SS_TEST(image, damaged_segment_is_reported_and_not_returned)
{
    struct fixture f;
    fixture_open(&f);
    fixture_publish(&f, "a", 64, 50, 64);
    fixture_flush_due(&f);
    fixture_close(&f);
    fixture_flip(&f, SS_DB_SEGMENT, 0, 200);
    fixture_reopen(&f);
    struct ss_image_request *request = request_of(&f, "a", false);
    struct ss_image image;
    ss_check(ss__store_read_image(f.store, request, &image) == SS_E_CORRUPT);
    ss__store_image_request_free(request);
    fixture_end(&f);
}

SS_TEST(image, damaged_entity_is_reported_and_not_returned)
{
    struct fixture f;
    struct ss_image_request *request;
    struct ss_image image;
    struct ss_entity_row got;
    fixture_open(&f);
    fixture_publish(&f, "a", 3, 50, 3);
    struct ss_store_session *a = fixture_session(&f, "a");
    struct ss_entity_row row = { .kind = ss_str("note"), .id = ss_str("1"), .created_ordinal = 1,
                                 .last_ordinal = 2, .type_id = f.entity_type,
                                 .payload = ss_str("true") };
    ss_check(stage_checkpoint(f.store, a, &row, 1, 3, 1) == 0);
    fixture_flush_due(&f);
    ss_check(read_entity(f.store, a, row.kind, row.id, &got) == 0);
    ss_check(ss_str_equal(got.payload, row.payload));
    ss__store_put_session(f.store, a);
    fixture_close(&f);
    fixture_flip(&f, SS_DB_ENTITY, 0, 10);
    fixture_reopen(&f);
    a = fixture_session(&f, "a");
    ss_check(read_entity(f.store, a, row.kind, row.id, &got) == SS_E_CORRUPT);
    ss_check(ss__store_image_request(f.store, a, true, &request) == 0);
    ss_check(ss__store_read_image(f.store, request, &image) == SS_E_CORRUPT);
    ss__store_image_request_free(request);
    ss__store_put_session(f.store, a);
    fixture_end(&f);
}

SS_TEST(image, event_damaged_in_the_log_after_it_was_written_fails_that_read_only)
{
    struct fixture f;
    struct ss_image image;
    fixture_open(&f);
    fixture_publish(&f, "a", 3, 50, 3);
    fixture_publish(&f, "b", 3, 50, 3);
    struct ss_image_request *before = request_of(&f, "a", false);
    fixture_flip_record(&f, 2, 60);    /* the second event, under the open store */
    struct ss_image_request *after = request_of(&f, "a", false);
    fixture_verify_request(&f, before, "a", 3, 50);
    ss_check(ss__store_read_image(f.store, after, &image) == SS_E_CORRUPT);
    ss__store_image_request_free(before);
    ss__store_image_request_free(after);
    fixture_verify(&f, "b", 3, 50);
    fixture_end(&f);
}

/* LMDB does not know the session: everything comes from the log. */
SS_TEST(image, session_that_is_only_in_the_log_is_read_before_and_after_a_crash)
{
    struct fixture f;
    fixture_open(&f);
    fixture_publish(&f, "a", 5, 50, 2);
    struct ss_image_request *request = request_of(&f, "a", true);
    fixture_verify_request(&f, request, "a", 5, 50);
    ss__store_image_request_free(request);
    fixture_crash(&f);
    fixture_reopen(&f);
    request = request_of(&f, "a", true);
    fixture_verify_request(&f, request, "a", 5, 50);
    ss__store_image_request_free(request);
    fixture_end(&f);
}

/* Events @first to @last as they were published, and nothing else. */
static void verify_range(struct fixture *f, const char *id, uint64_t first, uint64_t last,
                         size_t len)
{
    struct ss_store_session *session = fixture_session(f, id);
    struct ss_image_request *request;
    struct ss_image image;
    ss_check(ss__store_range_request(f->store, session, first, last, &request) == 0);
    int err = ss__store_read_image(f->store, request, &image);
    ss_check_msg(err == 0, "%s", ss_error_name(err));
    ss_check(image.records_count == last - first + 1 && image.entities_count == 0);
    for (size_t i = 0; i < image.records_count; i++) {
        ss_check(image.records[i].ordinal == first + i);
        ss_check(ss_str_equal(image.records[i].payload,
                              fixture_payload(ss_str(id), first + i, len)));
    }
    ss__image_deinit(&image);
    ss__store_image_request_free(request);
    ss__store_put_session(f->store, session);
}

SS_TEST(image, a_range_is_read_from_segments_and_log)
{
    struct fixture f;
    fixture_open(&f);
    fixture_publish(&f, "a", 3, 50, 3);
    fixture_publish(&f, "b", 200, 50, 50);
    fixture_publish(&f, "c", 3, 50, 3);
    for (int flushed = 0; flushed < 3; flushed++) {
        for (uint64_t first = 1; first <= 200; first += 33) {
            for (uint64_t last = first; last <= 200; last += 63) {
                verify_range(&f, "b", first, last, 50);
            }
        }
        verify_range(&f, "b", 1, 200, 50);
        if (flushed == 0) {
            fixture_flush_due(&f);    /* whole segments only */
        } else {
            fixture_flush_all(&f);
        }
    }
    fixture_end(&f);
}

SS_TEST(image, newest_events_that_are_missing_are_damage)
{
    struct fixture f;
    struct ss_image image;
    uint8_t key[16];
    fixture_open(&f);
    fixture_publish(&f, "a", 130, 50, 64);
    fixture_flush_all(&f);
    fixture_close(&f);
    ss__segment_key(key, 1, 129);
    fixture_plant(&f, SS_DB_SEGMENT, ss_str_of(key, 16), (struct ss_str){ NULL, 0 });
    fixture_reopen(&f);
    struct ss_image_request *request = request_of(&f, "a", false);
    ss_check(ss__store_read_image(f.store, request, &image) == SS_E_CORRUPT);
    ss__store_image_request_free(request);
    fixture_end(&f);
}

/* The log of a process says so at most so many times. */
SS_TEST(image, damage_is_an_error_however_often_it_is_met)
{
    struct fixture f;
    fixture_open(&f);
    fixture_publish(&f, "a", 3, 50, 3);
    fixture_publish(&f, "b", 3, 50, 3);
    struct ss_store_session *a = fixture_session(&f, "a");
    struct ss_entity_row row = { .kind = ss_str("note"), .id = ss_str("1"), .created_ordinal = 1,
                                 .last_ordinal = 2, .type_id = f.entity_type,
                                 .payload = ss_str("true") };
    ss_check(stage_checkpoint(f.store, a, &row, 1, 3, 1) == 0);
    fixture_flush_due(&f);
    ss__store_put_session(f.store, a);
    fixture_close(&f);
    fixture_flip(&f, SS_DB_ENTITY, 0, 10);
    fixture_flip(&f, SS_DB_SESSION, 1, 12);
    fixture_reopen(&f);
    a = fixture_session(&f, "a");
    for (unsigned i = 0; i < 150; i++) {
        struct ss_store_session *b;
        struct ss_image_request *request;
        struct ss_image image;
        ss_check(ss__store_image_request(f.store, a, true, &request) == 0);
        ss_check(ss__store_read_image(f.store, request, &image) == SS_E_CORRUPT);
        ss__store_image_request_free(request);
        ss_check(ss__store_get_session(f.store, ss_str("b"), &b) == SS_E_CORRUPT);
    }
    ss__store_put_session(f.store, a);
    fixture_end(&f);
}
