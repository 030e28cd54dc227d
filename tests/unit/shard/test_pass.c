/* What is told of an event when several projections work on it. */
#include "notes_app.h"

#include <sessionstream/observer.h>

#include "store/error_ring.h"

struct seen {
    unsigned records;
    unsigned ui_events;
    unsigned fanout;
    int ui_err;
    char ui_projection[32];
};

static void on_pipeline(const struct ss_pipeline_record *record, void *ctx)
{
    struct seen *seen = ctx;
    seen->records++;
    seen->ui_events = record->ui_events_count;
    seen->fanout = record->fanout_count;
    seen->ui_err = record->ui_err;
    snprintf(seen->ui_projection, sizeof seen->ui_projection, "%.*s",
             (int)record->ui_projection.len, record->ui_projection.data);
}

static int fail_second(struct ss_ui *ui, const struct ss_event *event, const struct ss_view *view,
                       void *ctx)
{
    (void)view;
    (void)ctx;
    return ss_emit_ui(ui, "Nothing", ss_event_payload(event));
}

static void open_with_two(struct fixture *f, struct seen *seen)
{
    fixture_init(f);
    ss__shard_close(f->shard);
    ss__shard_free(f->shard);
    f->ui_policy = SS_POLICY_ADVANCE;
    f->registry->uis[1] = (struct ss_ui_projection){ "second", fail_second, NULL };
    f->registry->uis_count = 2;
    f->registry->observers[0] = (struct ss_observer){ .pipeline = on_pipeline, .ctx = seen,
                                                      .sample = 1 };
    f->registry->observers_count = 1;
    f->registry->observes_pipeline = true;
    fixture_open(f);
}

SS_TEST(pass, each_projection_that_fails_is_named_and_the_record_has_the_first)
{
    struct fixture f;
    struct seen seen = { 0 };
    struct ss_error_record error;
    open_with_two(&f, &seen);
    post_put(&f, "s", "a", "1");
    step_all(&f);
    ss_check(seen.records == 1 && seen.ui_err == SS_E_UNKNOWN_UI && seen.ui_events == 1);
    ss_check(strcmp(seen.ui_projection, "second") == 0 && seen.fanout == 0);
    ss_check(ss__store_errors_next(f.shard->store) == 2);
    ss_check(ss__store_error_at(f.shard->store, 1, &error));
    ss_check(ss_str_equal(error.projection, ss_str("second")));
    post_fail(&f, "s", true, false);
    step_all(&f);
    ss_check(seen.records == 2 && seen.ui_err == SS_E_HANDLER && seen.ui_events == 0);
    ss_check(strcmp(seen.ui_projection, "ui") == 0);
    ss_check(ss__store_error_at(f.shard->store, 2, &error));
    ss_check(ss_str_equal(error.projection, ss_str("ui")) && error.ordinal == 2);
    ss_check(ss__store_error_at(f.shard->store, 3, &error));
    ss_check(ss_str_equal(error.projection, ss_str("second")) && error.ordinal == 2);
    fixture_deinit(&f);
}
