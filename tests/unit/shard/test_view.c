/* Entities as a handler or projection sees them. */
#include "notes_app.h"

static int put(struct ss_context *context, const char *id, const char *text)
{
    Sessionstream__Test__Notes__Note note = make_note(id, text);
    return ss_publish(context, "Put", &note.base);
}

static const char *text_of(const struct ss_view *view, const struct ss_entity *entity)
{
    const Sessionstream__Test__Notes__Note *note = (const void *)ss_entity_payload(view, entity);
    ss_check(note != NULL);
    return note->text;
}

static int look(struct ss_context *context, struct fixture *fixture)
{
    (void)fixture;
    const struct ss_view *view = ss_context_view(context);
    ss_check(ss_view_get(view, "Note", ss_str("a")) == NULL);
    ss_check(ss_view_get(view, "Nothing", ss_str("a")) == NULL);
    ss_check(ss_view_get(view, "Note", ss_str("")) == NULL);
    ss_check(put(context, "a", "1") == 0);
    const struct ss_entity *first = ss_view_get(view, "Note", ss_str("a"));
    ss_check(first != NULL && first->created_ordinal == 1 && first->last_ordinal == 1);
    ss_check(put(context, "a", "2") == 0);
    const struct ss_entity *second = ss_view_get(view, "Note", ss_str("a"));
    ss_check(second->created_ordinal == 1 && second->last_ordinal == 2);
    /* What the call was shown does not change under its hands. */
    ss_check(first->last_ordinal == 1 && strcmp(text_of(view, first), "1") == 0);
    ss_check(strcmp(text_of(view, second), "1+2") == 0);
    ss_check(put(context, "a", "delete") == 0);
    ss_check(ss_view_get(view, "Note", ss_str("a")) == NULL);
    ss_check(put(context, "a", "3") == 0);
    const struct ss_entity *again = ss_view_get(view, "Note", ss_str("a"));
    ss_check(again->created_ordinal == 4 && strcmp(text_of(view, again), "3") == 0);
    return 0;
}

SS_TEST(view, shows_every_change_at_once)
{
    struct fixture f;
    fixture_init(&f);
    call_in(&f, "s", look);
    ss_check(f.done_err == 0 && f.done_ordinal == 4);
    fixture_deinit(&f);
}

static int publish_raw(struct ss_context *context, struct fixture *fixture)
{
    (void)fixture;
    Sessionstream__Test__Notes__Note note = make_note("a", "raw");
    return ss_publish(context, "Raw", &note.base);
}

static void check_before(const struct ss_view *view, const struct ss_event *event)
{
    const struct ss_entity *entity = ss_view_get(view, "Note", ss_str("a"));
    ss_check(ss_view_ordinal(view) == event->ordinal - 1);
    ss_check(entity != NULL && entity->last_ordinal == 1);
    ss_check(strcmp(text_of(view, entity), "old") == 0);
}

static int look_in_ui(struct ss_ui *ui, const struct ss_event *event, struct fixture *fixture)
{
    (void)ui;
    check_before(fixture->ui_view, event);
    return 0;
}

static int look_and_put(struct ss_timeline *timeline, const struct ss_event *event,
                        const struct ss_view *view, struct fixture *fixture)
{
    bool *looked = fixture->given;
    check_before(view, event);
    int err = ss_put_entity(timeline, "Note", ss_str("a"), ss_event_payload(event));
    check_before(view, event);    /* not its own change either */
    *looked = true;
    return err;
}

SS_TEST(view, both_projections_see_the_entities_before_the_event)
{
    struct fixture f;
    bool looked = false;
    fixture_init(&f);
    f.given = &looked;
    f.raw_ui = look_in_ui;
    f.raw_timeline = look_and_put;
    post_put(&f, "s", "a", "old");
    step_all(&f);
    call_in(&f, "s", publish_raw);
    ss_check(f.done_err == 0 && f.done_ordinal == 2 && looked);
    fixture_deinit(&f);
}

struct listing {
    char ids[256];
    unsigned left;
};

static bool list(const struct ss_entity *entity, void *ctx)
{
    struct listing *listing = ctx;
    size_t len = strlen(listing->ids);
    snprintf(listing->ids + len, sizeof listing->ids - len, "%.*s ", (int)entity->id.len,
             entity->id.data);
    return --listing->left > 0;
}

static int list_all(struct ss_context *context, struct fixture *fixture)
{
    struct listing *listing = fixture->given;
    return ss_view_each(ss_context_view(context), "Note", list, listing);
}

SS_TEST(view, lists_in_order_what_is_in_memory_and_on_disk_until_told_to_stop)
{
    struct fixture f;
    fixture_init(&f);
    post_put(&f, "s", "c", "1");
    post_put(&f, "s", "a", "1");
    post_put(&f, "s", "gone", "1");
    post_put(&f, "s", "gone", "delete");
    step_all(&f);
    ss__shard_close(f.shard);
    fixture_restart(&f);
    post_put(&f, "s", "b", "1");
    step_all(&f);
    struct listing all = { .left = 100 };
    f.given = &all;
    call_in(&f, "s", list_all);
    ss_check_msg(strcmp(all.ids, "a b c ") == 0, "%s", all.ids);
    struct listing two = { .left = 2 };
    f.given = &two;
    call_in(&f, "s", list_all);
    ss_check(strcmp(two.ids, "a b ") == 0);
    fixture_deinit(&f);
}

static int list_nothing(struct ss_context *context, struct fixture *fixture)
{
    struct listing *listing = fixture->given;
    return ss_view_each(ss_context_view(context), "Nothing", list, listing);
}

SS_TEST(view, lists_nothing_of_an_unknown_kind)
{
    struct fixture f;
    struct listing none = { .left = 100 };
    fixture_init(&f);
    post_put(&f, "s", "a", "1");
    f.given = &none;
    call_in(&f, "s", list_nothing);
    ss_check(f.done_err == 0 && none.ids[0] == '\0');
    fixture_deinit(&f);
}

#ifdef SS_FAULTS
static int read_and_publish(struct ss_context *context, struct fixture *fixture)
{
    (void)fixture;
    ss_check(ss_view_get(ss_context_view(context), "Note", ss_str("a")) == NULL);
    return put(context, "b", "1");
}

/* The handler cannot tell, and must not act on it. */
SS_TEST(view, a_handler_that_could_not_read_cannot_publish)
{
    struct fixture f;
    fixture_init(&f);
    post_put(&f, "s", "a", "1");
    step_all(&f);
    ss__shard_close(f.shard);
    fixture_restart(&f);
    ss__fault_arm("shard.read", 1, 1, SS_E_STOREIO);
    call_in(&f, "s", read_and_publish);
    ss_check(f.done_err == SS_E_STOREIO && f.done_ordinal == 0);
    post_put(&f, "s", "b", "2");
    step_all(&f);
    ss_check(f.done_err == 0 && f.done_ordinal == 2);
    fixture_deinit(&f);
}
#endif
