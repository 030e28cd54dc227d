#include "lint_fixture.h"

static void start(struct lint_fixture *lint)
{
    lint_init(lint, LINT_SET(new_evolve), LINT_SET(old_evolve));
}

static void now(struct lint_fixture *lint, enum ss_name_space space, const char *name,
                const char *type)
{
    lint_register(&lint->registrations, space, name, type, 0);
}

static void before(struct lint_fixture *lint, enum ss_name_space space, const char *name,
                   const char *type)
{
    lint_register(&lint->previous_registrations, space, name, type, 0);
}

SS_TEST(lint_check_previous, without_a_previous_set_there_is_nothing_to_compare)
{
    struct lint_fixture lint;
    lint_init(&lint, LINT_SET(new_evolve), (struct ss_str){ NULL, 0 });
    ss__lint_check_previous(&lint.input);
    ss_check(lint.findings.count == 0);
    lint_deinit(&lint);
}

SS_TEST(lint_check_previous, a_set_compared_with_itself_gives_nothing)
{
    struct lint_fixture lint;
    lint_init(&lint, LINT_SET(new_evolve), LINT_SET(new_evolve));
    ss__lint_check_previous(&lint.input);
    ss_check_msg(lint.findings.count == 0, "%s", lint_text(&lint));
    lint_deinit(&lint);
}

SS_TEST(lint_check_previous, without_names_every_message_is_compared)
{
    struct lint_fixture lint;
    start(&lint);
    ss__lint_check_previous(&lint.input);
    const struct ss_lint_finding *finding =
        lint_the(&lint, SS_LINT_TYPE_REMOVED, "evolve.Gone");
    ss_check(ss_str_equal(finding->place.file, ss_str("evolve.proto")) &&
             finding->place.line == 0);
    ss_check(lint_count(&lint, SS_LINT_TYPE_REMOVED, NULL) == 1);
    (void)lint_the(&lint, SS_LINT_FIELD_NUMBER, "evolve.Number.moved");
    (void)lint_the(&lint, SS_LINT_FIELD_REMOVED, "evolve.Loose.lost");
    (void)lint_the(&lint, SS_LINT_ENUM_VALUE_REMOVED, "evolve.Level.LEVEL_BARE");
    lint_deinit(&lint);
}

SS_TEST(lint_check_previous, what_a_stored_type_reaches_is_compared_and_nothing_else)
{
    struct lint_fixture lint;
    start(&lint);
    now(&lint, SS_SPACE_EVENT, "Outer", "evolve.Outer");
    now(&lint, SS_SPACE_COMMAND, "Number", "evolve.Number");
    before(&lint, SS_SPACE_EVENT, "Outer", "evolve.Outer");
    before(&lint, SS_SPACE_COMMAND, "Number", "evolve.Number");
    before(&lint, SS_SPACE_COMMAND, "Removed", "evolve.Removed");
    ss__lint_check_previous(&lint.input);
    ss_check_msg(lint.findings.count == 1, "%s", lint_text(&lint));
    (void)lint_the(&lint, SS_LINT_FIELD_REMOVED, "evolve.Deep.lost");
    lint_deinit(&lint);
}

SS_TEST(lint_check_previous, clients_are_looked_at_when_asked)
{
    struct lint_fixture lint;
    start(&lint);
    lint.input.with_clients = true;
    now(&lint, SS_SPACE_COMMAND, "Number", "evolve.Number");
    before(&lint, SS_SPACE_COMMAND, "Number", "evolve.Number");
    before(&lint, SS_SPACE_UI, "Part", "evolve.Part");
    ss__lint_check_previous(&lint.input);
    ss_check_msg(lint.findings.count == 2, "%s", lint_text(&lint));
    (void)lint_the(&lint, SS_LINT_FIELD_NUMBER, "evolve.Number.moved");
    (void)lint_the(&lint, SS_LINT_NAME_REMOVED, "ui-event/Part");
    lint_deinit(&lint);
}

SS_TEST(lint_check_previous, what_nothing_refers_to_any_more_may_change)
{
    struct lint_fixture lint;
    start(&lint);
    now(&lint, SS_SPACE_ENTITY, "LetGo", "evolve.LetGo");
    before(&lint, SS_SPACE_ENTITY, "LetGo", "evolve.LetGo");
    ss__lint_check_previous(&lint.input);
    ss_check_msg(lint.findings.count == 1, "%s", lint_text(&lint));
    (void)lint_the(&lint, SS_LINT_FIELD_RESERVED, "evolve.LetGo.loose");
    lint_deinit(&lint);
}

SS_TEST(lint_check_previous, of_a_field_with_another_type_only_that_is_said)
{
    struct lint_fixture lint;
    start(&lint);
    now(&lint, SS_SPACE_EVENT, "Swaps", "evolve.Swaps");
    before(&lint, SS_SPACE_EVENT, "Swaps", "evolve.Swaps");
    ss__lint_check_previous(&lint.input);
    ss_check_msg(lint.findings.count == 1, "%s", lint_text(&lint));
    (void)lint_the(&lint, SS_LINT_FIELD_KIND, "evolve.Swaps.part");
    lint_deinit(&lint);
}

SS_TEST(lint_check_previous, a_type_of_two_names_is_missed_once)
{
    struct lint_fixture lint;
    start(&lint);
    now(&lint, SS_SPACE_EVENT, "Gone", "evolve.Gone");
    now(&lint, SS_SPACE_ENTITY, "Gone", "evolve.Gone");
    before(&lint, SS_SPACE_EVENT, "Gone", "evolve.Gone");
    before(&lint, SS_SPACE_ENTITY, "Gone", "evolve.Gone");
    ss__lint_check_previous(&lint.input);
    ss_check_msg(lint.findings.count == 1, "%s", lint_text(&lint));
    (void)lint_the(&lint, SS_LINT_TYPE_REMOVED, "evolve.Gone");
    lint_deinit(&lint);
}

SS_TEST(lint_check_previous, names_of_stored_things_stay_and_keep_their_types)
{
    struct lint_fixture lint;
    start(&lint);
    now(&lint, SS_SPACE_EVENT, "Part", "evolve.Other");
    before(&lint, SS_SPACE_EVENT, "Part", "evolve.Part");
    before(&lint, SS_SPACE_ENTITY, "Same", "evolve.Same");
    ss__lint_check_previous(&lint.input);
    ss_check_msg(lint.findings.count == 2, "%s", lint_text(&lint));
    ss_check(lint_says(lint_the(&lint, SS_LINT_NAME_TYPE_CHANGED, "event/Part"),
                       "was evolve.Part and is evolve.Other"));
    ss_check(lint_the(&lint, SS_LINT_NAME_REMOVED, "entity/Same")->place.line == 6);
    lint_deinit(&lint);
}

SS_TEST(lint_check_previous, of_a_plain_previous_set_the_registered_types_are_compared)
{
    struct lint_fixture lint;
    start(&lint);
    now(&lint, SS_SPACE_EVENT, "Outer", "evolve.Outer");
    now(&lint, SS_SPACE_UI, "Number", "evolve.Number");
    ss__lint_check_previous(&lint.input);
    ss_check_msg(lint.findings.count == 2, "%s", lint_text(&lint));
    (void)lint_the(&lint, SS_LINT_FIELD_REMOVED, "evolve.Deep.lost");
    (void)lint_the(&lint, SS_LINT_TYPE_REMOVED, "evolve.Gone");
    lint_deinit(&lint);
}

SS_TEST(lint_check_previous, saved_names_serve_a_set_without_names)
{
    struct lint_fixture lint;
    start(&lint);
    before(&lint, SS_SPACE_EVENT, "Number", "evolve.Number");
    ss__lint_check_previous(&lint.input);
    ss_check_msg(lint.findings.count == 1, "%s", lint_text(&lint));
    (void)lint_the(&lint, SS_LINT_FIELD_NUMBER, "evolve.Number.moved");
    lint_deinit(&lint);
}
