/* Error records: what makes one, what it says, and who gets it. */
#include "notes_app.h"

#include <errno.h>

#include <sessionstream/error_records.h>

#include "message/error_listing.h"
#include "shard/batch.h"
#include "shard/errors.h"
#include "store/error_ring.h"

static uint64_t count(const struct fixture *f)
{
    return ss__store_errors_next(f->shard->store) - 1;
}

static struct ss_error_record record_at(const struct fixture *f, uint64_t number)
{
    struct ss_error_record record = { 0 };
    ss_check_msg(ss__store_error_at(f->shard->store, number, &record), "number %llu",
                 (unsigned long long)number);
    return record;
}

static void open_with(struct fixture *f, enum ss_projection_policy ui,
                      enum ss_projection_policy timeline)
{
    fixture_init(f);
    ss__shard_close(f->shard);
    ss__shard_free(f->shard);
    f->ui_policy = ui;
    f->timeline_policy = timeline;
    fixture_open(f);
}

SS_TEST(errors, each_failure_of_a_projection_is_noted_as_its_policy_lets_it_be_seen)
{
    static const struct {
        enum ss_projection_policy ui;
        enum ss_projection_policy timeline;
        bool ui_fails;
        bool timeline_fails;
        unsigned records;
        enum ss_error_kind first;
    } cases[] = {
        { SS_POLICY_FAIL, SS_POLICY_FAIL, false, false, 0, 0 },
        { SS_POLICY_FAIL, SS_POLICY_FAIL, true, false, 1, SS_ERROR_KIND_UI_PROJECTION },
        { SS_POLICY_ADVANCE, SS_POLICY_FAIL, true, false, 1, SS_ERROR_KIND_UI_PROJECTION },
        { SS_POLICY_FAIL, SS_POLICY_FAIL, false, true, 1, SS_ERROR_KIND_TIMELINE_PROJECTION },
        { SS_POLICY_FAIL, SS_POLICY_ADVANCE, false, true, 1, SS_ERROR_KIND_TIMELINE_PROJECTION },
        { SS_POLICY_FAIL, SS_POLICY_HALT, false, true, 1, SS_ERROR_KIND_TIMELINE_PROJECTION },
        { SS_POLICY_FAIL, SS_POLICY_FAIL, true, true, 1, SS_ERROR_KIND_UI_PROJECTION },
        { SS_POLICY_ADVANCE, SS_POLICY_FAIL, true, true, 2, SS_ERROR_KIND_UI_PROJECTION },
        { SS_POLICY_ADVANCE, SS_POLICY_ADVANCE, true, true, 2, SS_ERROR_KIND_UI_PROJECTION },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct fixture f;
        open_with(&f, cases[i].ui, cases[i].timeline);
        post_fail(&f, "s", cases[i].ui_fails, cases[i].timeline_fails);
        step_all(&f);
        ss_check_msg(count(&f) == cases[i].records, "case %zu", i);
        if (cases[i].records > 0) {
            struct ss_error_record record = record_at(&f, 1);
            bool ui = cases[i].first == SS_ERROR_KIND_UI_PROJECTION;
            ss_check(record.kind == cases[i].first && record.ordinal == 1);
            ss_check(record.code == SS_E_HANDLER && record.shard == 0 && record.time_us > 0);
            ss_check(ss_str_equal(record.session_id, ss_str("s")));
            ss_check(ss_str_equal(record.event, ss_str("Fail")));
            ss_check(ss_str_equal(record.projection, ss_str(ui ? "ui" : "timeline")));
            ss_check(ss_str_equal(record.text, ss_str(ss_error_text(SS_E_HANDLER))));
        }
        ss_check(cases[i].records < 2 ||
                 record_at(&f, 2).kind == SS_ERROR_KIND_TIMELINE_PROJECTION);
        ss_check(atomic_load(&f.stats->error_records) == cases[i].records);
        fixture_deinit(&f);
    }
}

static int emit_unknown(struct ss_ui *ui, const struct ss_event *event, struct fixture *fixture)
{
    (void)fixture;
    return ss_emit_ui(ui, "Nothing", ss_event_payload(event));
}

static int publish_raw(struct ss_context *context, struct fixture *fixture)
{
    Sessionstream__Test__Notes__Note note = make_note("a", "raw");
    (void)fixture;
    return ss_publish(context, "Raw", &note.base);
}

SS_TEST(errors, the_sentence_is_that_of_the_call_that_failed)
{
    struct fixture f;
    fixture_init(&f);
    f.raw_ui = emit_unknown;
    call_in(&f, "s", publish_raw);
    struct ss_error_record record = record_at(&f, 1);
    ss_check(record.code == SS_E_UNKNOWN_UI);
    ss_check(ss_str_equal(record.text, ss_str("unknown UI event \"Nothing\"")));
    fixture_deinit(&f);
}

SS_TEST(errors, a_replay_that_fails_again_is_noted_once)
{
    struct fixture f;
    open_with(&f, SS_POLICY_FAIL, SS_POLICY_HALT);
    post_fail(&f, "s", false, true);
    step_all(&f);
    ss_check(count(&f) == 1);
    for (int i = 0; i < 2; i++) {
        struct ss_request *request = ss__request_new(SS_REQUEST_RETRY, ss_str("s"),
                                                     ss_str(NULL), ss_str(NULL));
        request->done = on_done;
        request->ctx = &f;
        ss_check(ss__inbox_post(ss__shard_inbox(f.shard), &request->base.node,
                                SS_POST_OUTSIDE) == 0);
        step_all(&f);
        while (ss__batch_rest(f.shard)) {
        }
        ss_check(f.done_err == SS_E_PROJECTION);
    }
    ss_check(count(&f) == 1);    /* within a minute it is the same */
    fixture_deinit(&f);
}

SS_TEST(errors, they_outlive_a_crash_once_a_rest_has_written_them)
{
    struct fixture f;
    fixture_init(&f);
    post_fail(&f, "s", true, false);
    step_all(&f);
    ss_check(ss__store_errors_wait(f.shard->store));
    while (ss__batch_rest(f.shard)) {
    }
    ss_check(!ss__store_errors_wait(f.shard->store));
    fixture_restart(&f);
    ss_check(count(&f) == 1 && record_at(&f, 1).kind == SS_ERROR_KIND_UI_PROJECTION);
    post_fail(&f, "s", true, false);
    step_all(&f);
    ss_check(count(&f) == 2 && record_at(&f, 2).ordinal == 2);
    fixture_deinit(&f);
}

SS_TEST(errors, a_shard_that_never_rests_writes_them_after_a_second)
{
    struct fixture f;
    fixture_init(&f);
    post_fail(&f, "s", true, false);
    step_all(&f);
    post_put(&f, "s", "a", "1");
    step_all(&f);
    ss_check(ss__store_errors_wait(f.shard->store));
    f.now_ns += 1000000000;
    post_put(&f, "s", "a", "2");
    step_all(&f);
    ss_check(!ss__store_errors_wait(f.shard->store));
    fixture_deinit(&f);
}

SS_TEST(errors, one_that_cannot_be_kept_is_counted_and_that_is_all)
{
    struct fixture f;
    fixture_init(&f);
    ss__fault_arm("store.error", 1, 1, SS_E_NOMEM);
    post_fail(&f, "s", true, false);
    step_all(&f);
    ss_check(count(&f) == 0 && atomic_load(&f.stats->error_records_lost) == 1);
    ss_check(atomic_load(&f.stats->error_records) == 0);
    ss_check(f.done_err == SS_E_PROJECTION);    /* the publisher hears the same */
    fixture_deinit(&f);
}

SS_TEST(errors, a_failed_commit_is_noted_once_a_minute)
{
    struct fixture f;
    fixture_init(&f);
    for (int i = 0; i < 2; i++) {
        ss__fault_arm("log.write", 1, 2, EIO);
        post_put(&f, "s", "a", "lost");
        step_all(&f);
        ss_check(f.done_err == SS_E_COMMIT && count(&f) == 1);
    }
    struct ss_error_record record = record_at(&f, 1);
    ss_check(record.kind == SS_ERROR_KIND_STORE && record.code == SS_E_STOREIO);
    ss_check(record.session_id.len == 0);
    f.now_ns += UINT64_C(61000000000);
    ss__fault_arm("log.write", 1, 2, EIO);
    post_put(&f, "s", "a", "lost");
    step_all(&f);
    ss_check(count(&f) == 2);
    fixture_deinit(&f);
}

SS_TEST(errors, a_flush_that_fails_does_not_note_itself_for_ever)
{
    struct fixture f;
    fixture_init(&f);
    post_put(&f, "s", "a", "1");
    step_all(&f);
    ss__fault_arm("store.flush.write", 1, 3, SS_E_STOREIO);
    for (int i = 0; i < 3; i++) {
        ss_check(!ss__batch_rest(f.shard));
        f.now_ns += 200000000;
    }
    ss_check(count(&f) == 1 && record_at(&f, 1).kind == SS_ERROR_KIND_STORE);
    while (ss__batch_rest(f.shard)) {
    }
    ss_check(!ss__store_errors_wait(f.shard->store));
    fixture_deinit(&f);
}

SS_TEST(errors, a_session_that_cannot_be_loaded_is_named)
{
    struct fixture f;
    fixture_init(&f);
    post_put(&f, "s", "a", "1");
    step_all(&f);
    ss_check(fixture_flush(&f) >= 0);
    while (ss__batch_rest(f.shard)) {
    }
    fixture_restart(&f);
    ss__fault_arm("shard.read", 1, 1, SS_E_CORRUPT);
    post_put(&f, "s", "a", "2");
    step_all(&f);
    ss_check(f.done_err == SS_E_CORRUPT && count(&f) == 1);
    struct ss_error_record record = record_at(&f, 1);
    ss_check(record.kind == SS_ERROR_KIND_STORE && record.code == SS_E_CORRUPT);
    ss_check(ss_str_equal(record.session_id, ss_str("s")));
    fixture_deinit(&f);
}

SS_TEST(errors, frames_dropped_for_a_gateway_are_noted_once_for_their_session)
{
    struct fixture f;
    char text[4096];
    fixture_init(&f);
    post_subscribe(&f, "s", 7, 1);
    step_all(&f);
    ss__msg_free(&take_snapshot(&f, text, sizeof text)->base);
    struct ss_msg *big = ss__msg_new(SS_MSG_RESYNC, sizeof(struct ss_msg_resync));
    big->node.bytes = UINT32_MAX;
    ss__outbox_push(&f.shard->outboxes[0], big);
    post_put(&f, "s", "a", "1");
    post_put(&f, "s", "a", "2");
    step_all(&f);
    ss_check(count(&f) == 1 && atomic_load(&f.stats->overflows) == 2);
    struct ss_error_record record = record_at(&f, 1);
    ss_check(record.kind == SS_ERROR_KIND_FANOUT && record.metadata_count == 1);
    ss_check(ss_str_equal(record.metadata[0].name, ss_str("gateway")));
    ss_check(ss_str_equal(record.metadata[0].value, ss_str("0")));
    fixture_deinit(&f);
}

static void on_errors_done(const struct ss_result *result, void *ctx)
{
    ss_check(result->err == 0);
    ++*(unsigned *)ctx;
}

static struct ss_error_listing *ask(struct fixture *f, const char *session, uint32_t kinds,
                                    uint32_t limit)
{
    struct ss_error_query query = { ss_str(session), kinds, limit };
    struct ss_error_listing *listing;
    unsigned answered = 0;
    ss_check(ss__error_listing_new(&query, 1, &listing) == 0);
    struct ss_request *request = ss__request_new(SS_REQUEST_ERRORS, ss_str(NULL), ss_str(NULL),
                                                 ss_str(NULL));
    request->errors = ss__error_listing_ref(listing);
    request->done = on_errors_done;
    request->ctx = &answered;
    ss_check(ss__inbox_post(ss__shard_inbox(f->shard), &request->base.node, SS_POST_OUTSIDE) ==
             0);
    step_all(f);
    ss_check(answered == 1);
    return listing;
}

SS_TEST(errors, they_are_listed_by_session_and_kind_and_the_newest_if_limited)
{
    struct fixture f;
    open_with(&f, SS_POLICY_ADVANCE, SS_POLICY_ADVANCE);
    post_fail(&f, "a", true, true);
    post_fail(&f, "b", true, false);
    post_fail(&f, "a", true, false);
    step_all(&f);
    struct ss_error_listing *listing = ask(&f, "", 0, 0);
    ss_check(listing->parts[0].count == 4);
    for (uint64_t i = 0; i < 4; i++) {
        ss_check(listing->parts[0].records[i].number == i + 1);
    }
    ss__error_listing_unref(listing);
    listing = ask(&f, "a", 1u << SS_ERROR_KIND_UI_PROJECTION, 0);
    ss_check(listing->parts[0].count == 2 && listing->parts[0].records[0].number == 1);
    ss_check(listing->parts[0].records[1].ordinal == 2);
    ss__error_listing_unref(listing);
    listing = ask(&f, "", 0, 1);
    ss_check(listing->parts[0].count == 1 && listing->parts[0].records[0].number == 4);
    ss__error_listing_unref(listing);
    listing = ask(&f, "nobody", 0, 0);
    ss_check(listing->parts[0].count == 0);
    ss__error_listing_unref(listing);
    fixture_deinit(&f);
}
