/* Pipeline and error records as observers get them. */
#include "notes_app.h"

#include <errno.h>

#include <sessionstream/observer.h>

#include "shard/batch.h"
#include "store/error_ring.h"

/* The strings of a record are gone after the call: those that matter are copied. */
struct seen {
    struct fixture *fixture;
    unsigned pipelines;
    unsigned errors;
    unsigned kept_first;    /* error records that the store had when they were told */
    struct ss_pipeline_record last;
    char event[32];
    char ui_name[32];
    char entity_id[32];
    char projections[64];
    bool tombstone;
    bool answered;          /* the publisher, before the record */
    uint64_t ordinals[64];
    struct ss_error_record error[4];
    char error_texts[4][80];
    char metadata[4][40];
};

static void on_pipeline(const struct ss_pipeline_record *record, void *ctx)
{
    struct seen *seen = ctx;
    seen->ordinals[seen->pipelines++ % 64] = record->ordinal;
    seen->last = *record;
    seen->answered = seen->fixture->dones > 0;
    snprintf(seen->event, sizeof seen->event, "%.*s %.*s", (int)record->session_id.len,
             record->session_id.data, (int)record->event.len, record->event.data);
    if (record->ui_events_count > 0) {
        snprintf(seen->ui_name, sizeof seen->ui_name, "%.*s",
                 (int)record->ui_events[0].name.len, record->ui_events[0].name.data);
    }
    if (record->entities_count > 0) {
        const struct ss_observed_entity *entity = &record->entities[0];
        snprintf(seen->entity_id, sizeof seen->entity_id, "%.*s %.*s", (int)entity->kind.len,
                 entity->kind.data, (int)entity->id.len, entity->id.data);
        seen->tombstone = entity->tombstone;
    }
    snprintf(seen->projections, sizeof seen->projections, "%.*s %.*s",
             (int)record->ui_projection.len, record->ui_projection.data,
             (int)record->timeline_projection.len, record->timeline_projection.data);
}

static void on_error(const struct ss_error_record *record, void *ctx)
{
    struct seen *seen = ctx;
    unsigned at = seen->errors++ % 4;
    seen->error[at] = *record;
    snprintf(seen->error_texts[at], sizeof seen->error_texts[at], "%.*s", (int)record->text.len,
             record->text.data);
    if (record->metadata_count > 0) {
        snprintf(seen->metadata[at], sizeof seen->metadata[at], "%.*s=%.*s",
                 (int)record->metadata[0].name.len, record->metadata[0].name.data,
                 (int)record->metadata[0].value.len, record->metadata[0].value.data);
    }
    seen->kept_first += record->number != 0 &&
                        ss__store_errors_next(seen->fixture->shard->store) > record->number;
}

static void open_observed(struct fixture *f, struct seen *seen, enum ss_projection_policy ui,
                          enum ss_projection_policy timeline)
{
    fixture_init(f);
    *seen = (struct seen){ .fixture = f };
    ss__shard_close(f->shard);
    ss__shard_free(f->shard);
    f->ui_policy = ui;
    f->timeline_policy = timeline;
    f->registry->observers[0] = (struct ss_observer){ .pipeline = on_pipeline, .error = on_error,
                                                      .ctx = seen, .sample = 1 };
    f->registry->observers_count = 1;
    f->registry->observes_pipeline = true;
    fixture_open(f);
}

SS_TEST(observe, a_record_of_success_has_every_step)
{
    struct fixture f;
    struct seen seen;
    char text[4096];
    open_observed(&f, &seen, SS_POLICY_FAIL, SS_POLICY_FAIL);
    post_subscribe(&f, "s", 7, 1);
    step_all(&f);
    ss__msg_free(&take_snapshot(&f, text, sizeof text)->base);
    post_put(&f, "s", "a", "1");
    step_all(&f);
    const struct ss_pipeline_record *last = &seen.last;
    ss_check(seen.pipelines == 1 && last->mode == SS_PIPELINE_LIVE && last->ordinal == 1);
    ss_check(strcmp(seen.event, "s Put") == 0 && last->packed.len > 0 && last->time_us > 0);
    ss_check(last->appended && last->append_err == 0 && last->session_err == 0);
    ss_check(last->view_ordinal == 0 && last->view_err == 0);
    ss_check(last->ui_events_count == 1 && strcmp(seen.ui_name, "Shown") == 0);
    ss_check(last->entities_count == 1 && strcmp(seen.entity_id, "Note a") == 0);
    ss_check(last->applied_count == 1 && last->apply_err == 0 && !seen.tombstone);
    ss_check(last->cursor_advanced && last->cursor_err == 0);
    ss_check(last->fanout_count == 1 && last->fanout_err == 0);
    ss_check(strcmp(seen.projections, "ui timeline") == 0);
    ss_check(!seen.answered);    /* told first */
    post_put(&f, "s", "a", "delete");
    step_all(&f);
    ss_check(seen.pipelines == 2 && last->view_ordinal == 1 && seen.tombstone);
    fixture_deinit(&f);
}

/* What a record says of each case of docs/projections.md. */
struct policy_case {
    enum ss_projection_policy ui;
    enum ss_projection_policy timeline;
    bool ui_fails;
    bool timeline_fails;
    bool cursor;
    unsigned errors;
};

static void check_case(const struct policy_case *want)
{
    struct fixture f;
    struct seen seen;
    open_observed(&f, &seen, want->ui, want->timeline);
    post_fail(&f, "s", want->ui_fails, want->timeline_fails);
    step_all(&f);
    const struct ss_pipeline_record *last = &seen.last;
    ss_check(seen.pipelines == 1 && last->appended && last->ordinal == 1);
    ss_check(last->ui_err == (want->ui_fails ? SS_E_HANDLER : 0));
    ss_check(last->timeline_err == (want->timeline_fails ? SS_E_HANDLER : 0));
    ss_check(last->cursor_advanced == want->cursor && last->applied_count == 0);
    ss_check_msg(seen.errors == want->errors && seen.kept_first == want->errors, "%u errors",
                 seen.errors);
    fixture_deinit(&f);
}

SS_TEST(observe, a_failure_is_one_record_under_each_policy)
{
    static const struct policy_case cases[] = {
        { SS_POLICY_FAIL, SS_POLICY_FAIL, true, false, false, 1 },
        { SS_POLICY_ADVANCE, SS_POLICY_FAIL, true, false, true, 1 },
        { SS_POLICY_FAIL, SS_POLICY_FAIL, false, true, false, 1 },
        { SS_POLICY_FAIL, SS_POLICY_ADVANCE, false, true, false, 1 },
        { SS_POLICY_FAIL, SS_POLICY_HALT, false, true, false, 1 },
        { SS_POLICY_FAIL, SS_POLICY_FAIL, true, true, false, 1 },
        { SS_POLICY_ADVANCE, SS_POLICY_FAIL, true, true, false, 2 },
        { SS_POLICY_ADVANCE, SS_POLICY_ADVANCE, true, true, false, 2 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        check_case(&cases[i]);
    }
}

SS_TEST(observe, an_event_whose_commit_failed_says_so_once)
{
    struct fixture f;
    struct seen seen;
    open_observed(&f, &seen, SS_POLICY_FAIL, SS_POLICY_FAIL);
    ss__fault_arm("log.write", 1, 2, EIO);
    post_put(&f, "s", "a", "lost");
    step_all(&f);
    ss_check(seen.pipelines == 1 && !seen.last.appended && seen.last.append_err == SS_E_COMMIT);
    ss_check(seen.last.ordinal == 1 && seen.last.applied_count == 0 && !seen.last.cursor_advanced);
    ss_check(seen.errors == 1 && seen.error[0].kind == SS_ERROR_KIND_STORE);
    fixture_deinit(&f);
}

SS_TEST(observe, an_event_that_is_refused_has_no_ordinal)
{
    struct fixture f;
    struct seen seen;
    open_observed(&f, &seen, SS_POLICY_FAIL, SS_POLICY_FAIL);
    post_put(&f, "s", "a", "1");
    step_all(&f);
    ss__fault_arm("log.sync", 1, 1, EIO);
    post_put(&f, "s", "a", "2");
    step_all(&f);
    post_put(&f, "s", "a", "3");
    step_all(&f);
    /* Between the two the session was loaded again. */
    ss_check(seen.pipelines == 4 && seen.ordinals[3] == 0 && !seen.last.appended);
    ss_check(seen.last.append_err == SS_E_STOREIO && seen.last.ui_events_count == 0);
    fixture_deinit(&f);
}

SS_TEST(observe, a_replay_is_a_record_for_each_event)
{
    struct fixture f;
    struct seen seen;
    open_observed(&f, &seen, SS_POLICY_FAIL, SS_POLICY_FAIL);
    for (int i = 0; i < 3; i++) {
        post_put(&f, "s", "a", "1");
    }
    step_all(&f);
    ss_check(seen.pipelines == 3);
    fixture_restart(&f);
    post_put(&f, "s", "a", "2");
    step_all(&f);
    ss_check(seen.pipelines == 7 && seen.last.mode == SS_PIPELINE_LIVE);
    for (unsigned i = 0; i < 3; i++) {
        ss_check(seen.ordinals[3 + i] == i + 1);
    }
    ss_check(seen.ordinals[6] == 4);
    fixture_restart(&f);
    struct ss_request *request =
        ss__request_new(SS_REQUEST_BARRIER, ss_str("s"), ss_str(NULL), ss_str(NULL));
    ss_check(ss__inbox_post(ss__shard_inbox(f.shard), &request->base.node, SS_POST_OUTSIDE) == 0);
    step_all(&f);
    ss_check(seen.pipelines == 11 && seen.last.mode == SS_PIPELINE_REBUILD);
    ss_check(seen.last.appended && seen.last.applied_count == 1 && seen.last.cursor_advanced);
    ss_check(seen.last.ui_events_count == 0 && seen.last.fanout_count == 0);
    fixture_deinit(&f);
}

SS_TEST(observe, a_sample_is_the_first_and_every_so_manieth)
{
    struct fixture f;
    struct seen seen;
    open_observed(&f, &seen, SS_POLICY_FAIL, SS_POLICY_FAIL);
    f.registry->observers[0].sample = 3;
    for (int i = 0; i < 7; i++) {
        post_put(&f, "s", "a", "1");
    }
    post_fail(&f, "s", true, false);
    post_fail(&f, "s", true, false);
    step_all(&f);
    ss_check(seen.pipelines == 3 && seen.errors == 2);    /* errors come all */
    ss_check(seen.ordinals[0] == 1 && seen.ordinals[1] == 4 && seen.ordinals[2] == 7);
    fixture_deinit(&f);
}

SS_TEST(observe, an_error_that_cannot_be_kept_is_told_behind_one_that_says_so)
{
    struct fixture f;
    struct seen seen;
    open_observed(&f, &seen, SS_POLICY_FAIL, SS_POLICY_FAIL);
    ss__fault_arm("store.error", 1, 1, SS_E_NOMEM);
    post_fail(&f, "s", true, false);
    step_all(&f);
    ss_check(seen.errors == 2 && atomic_load(&f.stats->error_records_lost) == 1);
    ss_check(seen.error[0].kind == SS_ERROR_KIND_STORE && seen.error[0].number == 0);
    ss_check(strcmp(seen.error_texts[0], "record sessionstream error: out of memory") == 0);
    ss_check(strcmp(seen.metadata[0], "originalKind=ui-projection") == 0);
    ss_check(seen.error[1].kind == SS_ERROR_KIND_UI_PROJECTION && seen.error[1].number == 0);
    fixture_deinit(&f);
}

SS_TEST(observe, several_observers_each_get_what_they_ask_for)
{
    struct fixture f;
    struct seen seen;
    struct seen other = { .fixture = &f };
    open_observed(&f, &seen, SS_POLICY_FAIL, SS_POLICY_FAIL);
    f.registry->observers[1] = (struct ss_observer){ .error = on_error, .ctx = &other,
                                                     .sample = 1 };
    f.registry->observers_count = 2;
    post_fail(&f, "s", true, false);
    step_all(&f);
    ss_check(seen.pipelines == 1 && seen.errors == 1);
    ss_check(other.pipelines == 0 && other.errors == 1);
    fixture_deinit(&f);
}
