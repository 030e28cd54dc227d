#include "lint_fixture.h"

static void check(struct lint_fixture *lint, bool registered)
{
    lint_init(lint, LINT_SET(style), (struct ss_str){ NULL, 0 });
    if (registered) {
        lint_register(&lint->registrations, SS_SPACE_COMMAND, "Good", "style.GoodCommand", 0);
        lint_register(&lint->registrations, SS_SPACE_EVENT, "Good", "style.GoodEvent", 0);
        lint_register(&lint->registrations, SS_SPACE_UI, "Good", "style.GoodUpdate", 0);
        lint_register(&lint->registrations, SS_SPACE_ENTITY, "Good", "style.GoodEntity", 0);
        lint_register(&lint->registrations, SS_SPACE_EVENT, "Open", "style.OpenEvent", 0);
        lint_register(&lint->registrations, SS_SPACE_EVENT, "Bad", "style.bad_message", 0);
    }
    ss__lint_mark(&lint->input);
    ss__lint_check_declarations(&lint->input);
}

SS_TEST(lint_check_declarations, conventions_of_names_have_their_lines)
{
    struct lint_fixture lint;
    check(&lint, true);
    ss_check(lint_the(&lint, SS_LINT_MESSAGE_CASE, "style.bad_message")->place.line == 35);
    ss_check(lint_the(&lint, SS_LINT_FIELD_CASE, "style.bad_message.badField")->place.line == 36);
    ss_check(lint_the(&lint, SS_LINT_FIELD_CASE, "style.bad_message.Bad_Oneof")->place.line == 37);
    ss_check(lint_the(&lint, SS_LINT_MESSAGE_CASE, "style.Bad_Enum")->place.line == 44);
    ss_check(lint_the(&lint, SS_LINT_ENUM_VALUE_CASE, "style.Bad_Enum.first")->place.line == 45);
    ss_check(lint_the(&lint, SS_LINT_ENUM_ZERO, "style.Bad_Enum.first")->place.column == 3);
    ss_check(lint_count(&lint, SS_LINT_ENUM_ZERO, NULL) == 1);
    ss_check(lint_count(&lint, SS_LINT_ENUM_VALUE_CASE, NULL) == 1);
    ss_check_msg(lint_count(&lint, SS_LINT_FIELD_CASE, NULL) == 2, "%s", lint_text(&lint));
    lint_deinit(&lint);
}

SS_TEST(lint_check_declarations, open_fields_are_found_in_stored_types_and_in_maps)
{
    struct lint_fixture lint;
    check(&lint, true);
    ss_check_msg(lint_count(&lint, SS_LINT_OPEN_FIELD, NULL) == 4, "%s", lint_text(&lint));
    (void)lint_the(&lint, SS_LINT_OPEN_FIELD, "style.OpenEvent.extra");
    (void)lint_the(&lint, SS_LINT_OPEN_FIELD, "style.OpenEvent.values");
    (void)lint_the(&lint, SS_LINT_OPEN_FIELD, "style.OpenEvent.any");
    (void)lint_the(&lint, SS_LINT_OPEN_FIELD, "style.OpenEvent.list");
    lint_deinit(&lint);
}

SS_TEST(lint_check_declarations, types_of_clients_count_as_stored_when_asked)
{
    struct lint_fixture lint;
    check(&lint, true);
    ss_check(lint_count(&lint, SS_LINT_OPEN_FIELD, "style.GoodUpdate.payload") == 0);
    lint.input.with_clients = true;
    ss__lint_mark(&lint.input);
    ss__lint_check_declarations(&lint.input);
    (void)lint_the(&lint, SS_LINT_OPEN_FIELD, "style.GoodUpdate.payload");
    lint_deinit(&lint);
}

SS_TEST(lint_check_declarations, unregistered_types_are_named_once_for_a_tree)
{
    struct lint_fixture lint;
    check(&lint, true);
    ss_check(lint_the(&lint, SS_LINT_UNREGISTERED_TYPE, "style.Unused")->place.line == 56);
    (void)lint_the(&lint, SS_LINT_UNREGISTERED_TYPE, "style.bad_message.UnusedWithin");
    (void)lint_the(&lint, SS_LINT_UNREGISTERED_TYPE, "style.two__lines");
    ss_check_msg(lint_count(&lint, SS_LINT_UNREGISTERED_TYPE, NULL) == 3, "%s", lint_text(&lint));
    lint_deinit(&lint);
}

SS_TEST(lint_check_declarations, without_registrations_nothing_is_unregistered)
{
    struct lint_fixture lint;
    check(&lint, false);
    ss_check(lint_count(&lint, SS_LINT_UNREGISTERED_TYPE, NULL) == 0);
    ss_check(lint_count(&lint, SS_LINT_OPEN_FIELD, NULL) == 5);
    lint_deinit(&lint);
}

SS_TEST(lint_check_declarations, required_fields_of_stored_types_are_found)
{
    struct lint_fixture lint;
    lint_init(&lint, LINT_SET(old_legacy), (struct ss_str){ NULL, 0 });
    ss__lint_mark(&lint.input);
    ss__lint_check_declarations(&lint.input);
    ss_check(lint.findings.count == 1);
    ss_check(lint_the(&lint, SS_LINT_REQUIRED_FIELD, "legacy.Record.id")->place.line == 6);
    lint_deinit(&lint);
}

SS_TEST(lint_check_declarations, a_file_with_two_contents_is_reported)
{
    struct lint_fixture lint;
    lint_init(&lint, LINT_SET(new_evolve), (struct ss_str){ NULL, 0 });
    ss_check(ss__lint_set_add(&lint.set, LINT_SET(old_evolve), NULL) == 0);
    ss__lint_check_declarations(&lint.input);
    (void)lint_the(&lint, SS_LINT_STALE_SET, "evolve.proto");
    lint_deinit(&lint);
}
