/* What a handler may do with its session: publishing, failing, data. */
#include "notes_app.h"

#include <sessionstream/limits.h>

static int publish_wrong(struct ss_context *context, struct fixture *fixture)
{
    Sessionstream__Test__Notes__Note note = make_note("a", "1");
    Sessionstream__Test__Notes__Fail fail = SESSIONSTREAM__TEST__NOTES__FAIL__INIT;
    char bad[] = "\xff";
    Sessionstream__Test__Notes__Note broken = make_note("a", bad);
    (void)fixture;
    ss_check(ss_publish(context, "Nothing", &note.base) == SS_E_UNKNOWN_EVENT);
    ss_check(ss_publish(context, NULL, &note.base) == SS_E_UNKNOWN_EVENT);
    ss_check(ss_publish(context, "Put", NULL) == SS_E_PAYLOAD);
    ss_check(ss_publish(context, "Put", &fail.base) == SS_E_TYPE);
    ss_check(ss_publish(context, "Put", &broken.base) == SS_E_PAYLOAD);
    ss_check(ss_publish_packed(context, "Put", ss_str_of("\xff\xff", 2)) == SS_E_PAYLOAD);
    ss_check(ss_context_ordinal(context) == 0);
    return ss_publish(context, "Put", &note.base);
}

SS_TEST(context, i7_what_does_not_match_the_registry_is_not_published)
{
    struct fixture f;
    fixture_init(&f);
    call_in(&f, "s", publish_wrong);
    ss_check(f.done_err == 0 && f.done_ordinal == 1);
    fixture_deinit(&f);
}

static int publish_until_refused(struct ss_context *context, struct fixture *fixture)
{
    unsigned *published = fixture->given;
    Sessionstream__Test__Notes__Note note = make_note("a", "delete");
    int err;
    while ((err = ss_publish(context, "Put", &note.base)) == 0) {
        (*published)++;
    }
    return err;
}

SS_TEST(context, i6_one_call_publishes_a_bounded_number_of_events)
{
    struct fixture f;
    unsigned published = 0;
    fixture_init(&f);
    f.given = &published;
    call_in(&f, "s", publish_until_refused);
    ss_check(published == SS_HANDLER_EVENTS_MAX && f.done_err == SS_E_LIMIT);
    ss_check(f.done_ordinal == SS_HANDLER_EVENTS_MAX);    /* what it published stays */
    fixture_deinit(&f);
}

static int publish_much(struct ss_context *context, struct fixture *fixture)
{
    unsigned *published = fixture->given;
    size_t len = SS_PAYLOAD_BYTES_MAX - 64;
    char *text = malloc(len + 1);
    ss_check(text != NULL);
    memset(text, 'x', len);
    text[len] = '\0';
    Sessionstream__Test__Notes__Note note = make_note("a", text);
    int err;
    while ((err = ss_publish(context, "Raw", &note.base)) == 0) {
        (*published)++;
    }
    char *longer = malloc(SS_PAYLOAD_BYTES_MAX + 1);
    ss_check(longer != NULL);
    memset(longer, 'x', SS_PAYLOAD_BYTES_MAX);
    longer[SS_PAYLOAD_BYTES_MAX] = '\0';
    note.text = longer;
    ss_check(ss_publish(context, "Raw", &note.base) == SS_E_TOOBIG);
    ss_check(ss_publish_packed(context, "Raw", ss_str_of(longer, SS_PAYLOAD_BYTES_MAX + 1)) ==
             SS_E_TOOBIG);
    free(longer);
    free(text);
    return err;
}

SS_TEST(context, i6_one_call_publishes_a_bounded_number_of_bytes)
{
    struct fixture f;
    unsigned published = 0;
    fixture_init(&f);
    f.given = &published;
    call_in(&f, "s", publish_much);
    ss_check(published == SS_HANDLER_BYTES_MAX / SS_PAYLOAD_BYTES_MAX);
    ss_check(f.done_err == SS_E_LIMIT);
    fixture_deinit(&f);
}

static int look_around(struct ss_context *context, struct fixture *fixture)
{
    Sessionstream__Test__Notes__Note note = make_note("a", "1");
    ss_check(ss_str_equal(ss_context_session_id(context), ss_str("s")));
    ss_check(ss_context_time_us(context) == fake_wall(&fixture->clock));
    uint64_t before = ss_context_ordinal(context);
    ss_check(ss_publish(context, "Put", &note.base) == 0);
    ss_check(ss_context_ordinal(context) == before + 1);
    ss_check(ss_view_ordinal(ss_context_view(context)) == before + 1);
    ss_check(ss_context_data(context) == (before == 0 ? NULL : fixture));
    ss_context_set_data(context, fixture);
    return 0;
}

SS_TEST(context, shows_the_session_and_keeps_the_pointer_of_the_application)
{
    struct fixture f;
    fixture_init(&f);
    call_in(&f, "s", look_around);
    call_in(&f, "s", look_around);
    ss_check(f.done_err == 0 && f.done_ordinal == 2);
    fixture_deinit(&f);
}

static int fail_with_itself(struct ss_context *context, struct fixture *fixture)
{
    (void)fixture;
    (void)ss_fail(context, SS_E_HANDLER, "the reason, %d", 7);
    return ss_fail(context, SS_E_HANDLER, "%s", "again");
}

static void keep_message(const struct ss_result *result, void *ctx)
{
    snprintf(ctx, 256, "%d %s", result->err, result->message);
}

SS_TEST(context, the_sentence_of_a_failure_reaches_the_caller)
{
    struct fixture f;
    char text[256] = "";
    char want[256];
    fixture_init(&f);
    f.call = fail_with_itself;
    post_note(&f, SS_REQUEST_SUBMIT, "Call", "s", "", "");
    struct ss_request *request =
        (struct ss_request *)(void *)ss__inbox_take(ss__shard_inbox(f.shard));
    request->done = keep_message;
    request->ctx = text;
    ss_check(ss__inbox_post(ss__shard_inbox(f.shard), &request->base.node, SS_POST_OUTSIDE) == 0);
    step_all(&f);
    snprintf(want, sizeof want, "%d again", SS_E_HANDLER);
    ss_check_msg(strcmp(text, want) == 0, "%s", text);
    fixture_deinit(&f);
}
