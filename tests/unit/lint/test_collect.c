#include "lint_fixture.h"

#include "lint/collect.h"

static int handle(struct ss_context *context, const struct ss_command *command, void *ctx)
{
    (void)context;
    (void)command;
    (void)ctx;
    return 0;
}

static const struct ss_app_option options[] = {
    { "name", "Good", "the event's name" },
    { NULL, NULL, NULL },
};

static int states;

static int init(struct ss_registry *registry, const struct ss_app_settings *settings,
                void **ret_state)
{
    const char *name = ss_app_setting(settings, "name");
    ss_check(ss_registry_load_descriptors(registry, style_set, style_set_len) == 0);
    ss_check(ss_register_command(registry, "Good", "style.GoodCommand", handle, NULL) == 0);
    ss_check(ss_register_command(registry, "Good", "style.GoodCommand", handle, NULL) == 0);
    ss_check(ss_register_event(registry, name, "style.GoodEvent") == 0);
    ss_check(ss_register_event(registry, "Lost", "style.Lost") == 0);
    ss_check(ss_register_event(registry, "a\xFF", "style.GoodEvent") == 0);
    ss_check(ss_register_event(registry, NULL, NULL) == 0);
    ss_check(ss_register_ui_event(registry, "Open", "google.protobuf.Struct") == 0);
    ss_check(ss_register_entity(registry, "Good", "style.GoodEntity", "t") == 0);
    *ret_state = &states;
    states++;
    return 0;
}

static void deinit(void *state)
{
    ss_check(state == &states);
    states--;
}

static int fail(struct ss_registry *registry, const struct ss_app_settings *settings,
                void **ret_state)
{
    (void)settings;
    (void)ret_state;
    return ss_registry_fail(registry, SS_E_INVAL, "no luck today");
}

static const struct ss_app app = { SS_APP_ABI, "good", "", options, init, deinit };
static const struct ss_app failing = { SS_APP_ABI, "failing", "", NULL, fail, NULL };

static void is(const struct ss_lint_registrations *all, size_t at, const char *symbol,
               const char *type, int err)
{
    ss_check(at < all->count);
    ss_check_msg(ss_str_equal(all->items[at].symbol, ss_str(symbol)), "%zu is %s, not %s", at,
                 all->items[at].symbol.data, symbol);
    ss_check(ss_str_equal(all->items[at].type, ss_str(type)) && all->items[at].err == err);
}

SS_TEST(lint_collect, refused_names_are_noted_and_the_application_goes_on)
{
    struct ss_lint_registrations all;
    struct ss_failure failure = { 0 };
    ss__lint_registrations_init(&all);
    ss_check_msg(ss__lint_collect(&all, &app, NULL, 0, &failure) == 0, "%s",
                 failure.text);
    ss_check(all.count == 8 && all.sets.len == style_set_len && states == 0);
    is(&all, 0, "command/Good", "style.GoodCommand", 0);
    is(&all, 1, "command/Good", "style.GoodCommand", SS_E_EXISTS);
    is(&all, 2, "event/Good", "style.GoodEvent", 0);
    is(&all, 3, "event/Lost", "style.Lost", SS_E_UNKNOWN_TYPE);
    is(&all, 4, "event/a?", "style.GoodEvent", SS_E_INVAL);
    is(&all, 5, "event/", "", SS_E_INVAL);
    is(&all, 6, "ui-event/Open", "google.protobuf.Struct", SS_E_INVAL);
    is(&all, 7, "entity/Good", "style.GoodEntity", 0);
    ss_check(ss__lint_registrations_find(&all, SS_SPACE_EVENT, ss_str("Good")) == &all.items[2]);
    ss_check(ss__lint_registrations_find(&all, SS_SPACE_EVENT, ss_str("Lost")) == NULL);
    ss__lint_registrations_deinit(&all);
}

SS_TEST(lint_collect, options_reach_the_application_and_wrong_ones_are_refused)
{
    struct ss_lint_registrations all;
    struct ss_failure failure = { 0 };
    char given[] = "name=Other";
    char wrong[] = "size=3";
    ss__lint_registrations_init(&all);
    ss_check(ss__lint_collect(&all, &app, (char *[]){ given }, 1, &failure) == 0);
    is(&all, 2, "event/Other", "style.GoodEvent", 0);
    ss_check(ss__lint_collect(&all, &app, (char *[]){ wrong }, 1, &failure) ==
             SS_E_CONFIG);
    ss__lint_registrations_deinit(&all);
}

SS_TEST(lint_collect, an_application_that_cannot_start_says_why)
{
    struct ss_lint_registrations all;
    struct ss_failure failure = { 0 };
    ss__lint_registrations_init(&all);
    ss_check(ss__lint_collect(&all, &failing, NULL, 0, &failure) == SS_E_INVAL);
    ss_check(strstr(failure.text, "\"failing\" cannot register: no luck today") != NULL);
    ss__lint_registrations_deinit(&all);
}
