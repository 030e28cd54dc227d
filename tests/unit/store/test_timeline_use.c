/* Which entities of a session count for which projection. */
#include "store_fixture.h"

#define OTHER 9u

static struct ss_failed_set set_of(uint64_t ordinal)
{
    struct ss_failed_set set = { 0 };
    ss__failed_add(&set, ordinal);
    return set;
}

static void use_both(struct fixture *f, uint32_t version, uint32_t other_version)
{
    struct ss_timeline_code codes[] = { { FIXTURE_PROJECTION, version }, { OTHER, other_version } };
    ss__store_set_timelines(f->store, codes, 2);
}

/* What an image says of a projection; its failed event, or 0. */
static void check_image(struct fixture *f, unsigned index, uint64_t ordinal, uint64_t failed,
                        size_t entities, size_t records)
{
    struct ss_store_session *session = fixture_session(f, "one");
    struct ss_image_request *request;
    struct ss_image image;
    ss_check(ss__store_image_request(f->store, session, true, &request) == 0);
    ss_check(ss__store_read_image(f->store, request, &image) == 0);
    const struct ss_timeline_row *row = &image.timelines[index];
    ss_check_msg(row->ordinal == ordinal, "at %llu", (unsigned long long)row->ordinal);
    ss_check((row->failed == NULL ? 0 : row->failed->ordinals[0]) == failed);
    ss_check_msg(image.entities_count == entities && image.records_count == records,
                 "%zu entities, %zu records", image.entities_count, image.records_count);
    ss__image_deinit(&image);
    ss__store_image_request_free(request);
    ss__store_put_session(f->store, session);
}

static void checkpoint_both(struct fixture *f, struct ss_store_session *session,
                            struct ss_timeline_row first, struct ss_timeline_row second)
{
    static const char *const ids[] = { "1", "2" };
    struct ss_entity_row rows[2];
    for (int i = 0; i < 2; i++) {
        rows[i] = (struct ss_entity_row){ .kind = ss_str("note"), .id = ss_str(ids[i]),
                                          .created_ordinal = 1, .last_ordinal = 2,
                                          .type_id = f->entity_type, .payload = ss_str("x") };
    }
    struct ss_timeline_checkpoint both[] = { { first, rows, 2 }, { second, rows, 1 } };
    ss_check(ss__store_stage_checkpoint(f->store, session, both, 2) == 0);
    fixture_flush_due(f);
}

SS_TEST(timeline_use, each_projection_has_entities_and_a_checkpoint_of_its_own)
{
    struct fixture f;
    struct ss_failed_set failed = set_of(3);
    struct ss_entity_row got;
    fixture_open(&f);
    use_both(&f, 1, 1);
    fixture_publish(&f, "one", 9, 50, 3);
    struct ss_store_session *session = fixture_session(&f, "one");
    ss__store_use_timelines(f.store, session);
    ss_check(ss__store_replay_count(f.store, session) == 9);
    checkpoint_both(&f, session,
                    (struct ss_timeline_row){ FIXTURE_PROJECTION, 1, 4, false, NULL },
                    (struct ss_timeline_row){ OTHER, 1, 7, false, &failed });
    ss_check(timeline_of(session) == 4 && ss__store_timeline_ordinal(session, OTHER) == 7);
    ss_check(ss__store_replay_count(f.store, session) == 5);
    check_image(&f, 0, 4, 0, 3, 5);
    check_image(&f, 1, 7, 3, 3, 5);
    ss_check(ss__store_read_entity(f.store, session, OTHER, ss_str("note"), ss_str("2"), &got) ==
             SS_E_NOTFOUND);
    ss_check(ss__store_read_entity(f.store, session, FIXTURE_PROJECTION, ss_str("note"),
                                   ss_str("2"), &got) == 0 && got.projection == FIXTURE_PROJECTION);
    ss__store_put_session(f.store, session);
    fixture_crash(&f);

    fixture_reopen(&f);    /* with the first alone; the other keeps what it has */
    check_image(&f, 0, 4, 0, 2, 5);
    fixture_publish(&f, "one", 70, 50, 7);
    fixture_flush_all(&f);
    use_both(&f, 1, 1);
    check_image(&f, 1, 7, 3, 3, 75);
    fixture_close(&f);
    fixture_check_clean(&f);
    fixture_end(&f);
}

SS_TEST(timeline_use, another_version_of_one_leaves_the_other_alone)
{
    struct fixture f;
    struct ss_entity_row got;
    fixture_open(&f);
    fixture_publish(&f, "one", 9, 50, 3);
    struct ss_store_session *session = fixture_session(&f, "one");
    checkpoint_both(&f, session,
                    (struct ss_timeline_row){ FIXTURE_PROJECTION, 1, 9, false, NULL },
                    (struct ss_timeline_row){ OTHER, 1, 9, false, NULL });
    use_both(&f, 2, 1);
    ss__store_use_timelines(f.store, session);
    ss_check(timeline_of(session) == 0 && ss__store_timeline_ordinal(session, OTHER) == 9);
    ss_check(ss__store_timeline_is_void(session, FIXTURE_PROJECTION));
    ss_check(!ss__store_timeline_is_void(session, OTHER));
    check_image(&f, 0, 0, 0, 1, 9);
    ss_check(ss__store_read_entity(f.store, session, FIXTURE_PROJECTION, ss_str("note"),
                                   ss_str("1"), &got) == SS_E_NOTFOUND);
    ss_check(ss__store_read_entity(f.store, session, OTHER, ss_str("note"), ss_str("1"), &got) ==
             0);
    ss_check(stage_checkpoint(f.store, session, NULL, 0, 9, 2) == 0);
    fixture_flush_due(&f);
    ss_check(timeline_of(session) == 9);
    check_image(&f, 0, 9, 0, 1, 0);
    ss__store_put_session(f.store, session);
    fixture_close(&f);
    fixture_check_clean(&f);
    fixture_end(&f);
}

SS_TEST(timeline_use, what_is_void_counts_again_when_it_is_kept)
{
    struct fixture f;
    struct ss_failed_set failed = set_of(2);
    fixture_open(&f);
    fixture_publish(&f, "one", 5, 50, 1);
    struct ss_store_session *session = fixture_session(&f, "one");
    ss_check(stage_checkpoint_failed(f.store, session, NULL, 0, 4, 1, &failed) == 0);
    fixture_flush_all(&f);
    check_image(&f, 0, 4, 2, 0, 1);
    fixture_publish(&f, "one", 70, 50, 1);    /* a flush without a checkpoint writes the row */
    fixture_flush_all(&f);
    check_image(&f, 0, 4, 2, 0, 71);
    ss__store_void_timeline(session, FIXTURE_PROJECTION);
    ss__store_void_timeline(session, OTHER);    /* has nothing */
    ss_check(!ss__store_timeline_is_void(session, OTHER));
    check_image(&f, 0, 0, 0, 0, 75);
    ss__store_keep_timeline(session, FIXTURE_PROJECTION);
    check_image(&f, 0, 4, 2, 0, 71);
    ss__store_void_timeline(session, FIXTURE_PROJECTION);
    ss_check(stage_checkpoint(f.store, session, NULL, 0, 75, 1) == 0);
    fixture_flush_all(&f);
    check_image(&f, 0, 75, 0, 0, 0);
    ss__store_put_session(f.store, session);
    fixture_close(&f);
    fixture_check_clean(&f);
    fixture_end(&f);
}

SS_TEST(timeline_use, a_halted_one_wants_no_events_unless_it_is_to_go_on)
{
    struct fixture f;
    struct ss_image_request *request;
    struct ss_image image;
    fixture_open(&f);
    use_both(&f, 1, 1);
    fixture_publish(&f, "one", 9, 50, 3);
    struct ss_store_session *session = fixture_session(&f, "one");
    checkpoint_both(&f, session,
                    (struct ss_timeline_row){ FIXTURE_PROJECTION, 1, 4, true, NULL },
                    (struct ss_timeline_row){ OTHER, 1, 7, false, NULL });
    check_image(&f, 0, 4, 0, 3, 2);
    ss_check(ss__store_image_request(f.store, session, false, &request) == 0);
    ss__store_image_go_on(request, 1);
    ss_check(ss__store_read_image(f.store, request, &image) == 0);
    ss_check(image.timelines[0].halted && !image.timelines[1].halted);
    ss_check(image.records_count == 5 && image.row.ordinal == 9);
    ss__image_deinit(&image);
    ss__store_image_request_free(request);
    ss__store_set_timelines(f.store, &(struct ss_timeline_code){ FIXTURE_PROJECTION, 1 }, 1);
    check_image(&f, 0, 4, 0, 2, 0);    /* nobody wants any */
    ss__store_put_session(f.store, session);
    fixture_end(&f);
}

static uint64_t epoch_on_disk(struct fixture *f)
{
    fixture_crash(f);
    fixture_reopen(f);
    return fixture_row_of(f, "one").epoch;
}

SS_TEST(timeline_use, a_new_epoch_is_written_with_the_entities_it_is_for)
{
    struct fixture f;
    fixture_open(&f);
    fixture_publish(&f, "one", 5, 50, 1);
    struct ss_store_session *session = fixture_session(&f, "one");
    uint64_t before = ss__store_row(session)->epoch;
    ss__store_renew_epoch(f.store, session);
    uint64_t first = ss__store_row(session)->epoch;
    ss__store_restore_epoch(f.store, session);
    ss_check(first != before && ss__store_row(session)->epoch == before);
    ss__store_renew_epoch(f.store, session);
    ss_check(ss__store_row(session)->epoch != first);    /* at the same time, after the same one */
    fixture_flush_all(&f);    /* the events, not the entities */
    ss__store_put_session(f.store, session);
    ss_check(epoch_on_disk(&f) == before);
    session = fixture_session(&f, "one");
    ss__store_renew_epoch(f.store, session);
    uint64_t renewed = ss__store_row(session)->epoch;
    ss_check(stage_checkpoint(f.store, session, NULL, 0, 5, 1) == 0);
    fixture_flush_all(&f);
    ss__store_restore_epoch(f.store, session);    /* there is nothing older to go back to */
    ss_check(ss__store_row(session)->epoch == renewed);
    ss__store_put_session(f.store, session);
    ss_check(epoch_on_disk(&f) == renewed);
    fixture_close(&f);
    fixture_check_clean(&f);
    fixture_end(&f);
}

/* The epoch by which a follower comes back, as code of this version sees it. */
static uint64_t epoch_with(struct fixture *f, uint32_t version, bool checkpoint)
{
    use_both(f, version, 1);
    struct ss_store_session *session = fixture_session(f, "one");
    ss__store_use_timelines(f->store, session);
    uint64_t epoch = ss__store_row(session)->epoch;
    if (checkpoint) {
        ss_check(stage_checkpoint(f->store, session, NULL, 0, 5, version) == 0);
        fixture_flush_all(f);
        ss_check(ss__store_row(session)->epoch == epoch);
    }
    ss__store_put_session(f->store, session);
    fixture_crash(f);
    fixture_reopen(f);
    return epoch;
}

SS_TEST(timeline_use, code_of_before_does_not_bring_back_the_epoch_of_then)
{
    struct fixture f;
    fixture_open(&f);
    fixture_publish(&f, "one", 5, 50, 1);
    uint64_t first = epoch_with(&f, 1, true);
    ss_check(epoch_with(&f, 1, false) == first);
    uint64_t second = epoch_with(&f, 2, false);
    ss_check(second != first && epoch_with(&f, 2, false) == second);    /* at every load */
    ss_check(epoch_with(&f, 1, false) == first);    /* its entities are still there */
    ss_check(epoch_with(&f, 2, true) == second && epoch_with(&f, 2, false) == second);
    uint64_t third = epoch_with(&f, 1, true);    /* they were made again, of what was left */
    ss_check(third != first && third != second && epoch_with(&f, 1, false) == third);
    fixture_end(&f);
}

SS_TEST(timeline_use, entities_dropped_while_they_are_written_come_back_with_a_third_epoch)
{
    struct fixture f;
    struct ss_flush *flush;
    fixture_open(&f);
    fixture_publish(&f, "one", 5, 50, 1);
    struct ss_store_session *session = fixture_session(&f, "one");
    ss_check(stage_checkpoint(f.store, session, NULL, 0, 4, 1) == 0);
    fixture_flush_all(&f);
    uint64_t before = ss__store_row(session)->epoch;
    ss__store_void_timeline(session, FIXTURE_PROJECTION);
    ss__store_renew_epoch(f.store, session);
    uint64_t renewed = ss__store_row(session)->epoch;
    ss_check(stage_checkpoint(f.store, session, NULL, 0, 5, 1) == 0);
    ss_check(ss__store_flush_plan(f.store, 0, &flush) == 1);
    ss__store_keep_timeline(session, FIXTURE_PROJECTION);
    ss__store_restore_epoch(f.store, session);
    uint64_t third = ss__store_row(session)->epoch;
    ss_check(third != before && third != renewed);
    ss__store_flush_run(flush);
    ss_check(ss__store_flush_settle(f.store, flush) > 0);
    ss_check(ss__store_row(session)->epoch == third);
    ss__store_renew_epoch(f.store, session);
    ss__store_restore_epoch(f.store, session);
    ss_check(ss__store_row(session)->epoch == third);    /* they are made by a replay still */
    ss__store_put_session(f.store, session);
    ss_check(epoch_on_disk(&f) == renewed);
    fixture_end(&f);
}
