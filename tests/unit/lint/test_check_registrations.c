#include "lint_fixture.h"

static void start(struct lint_fixture *lint)
{
    lint_init(lint, LINT_SET(style), (struct ss_str){ NULL, 0 });
}

static void add(struct lint_fixture *lint, enum ss_name_space space, const char *name,
                const char *type, int err)
{
    lint_register(&lint->registrations, space, name, type, err);
}

SS_TEST(lint_check_registrations, good_ones_give_nothing)
{
    struct lint_fixture lint;
    start(&lint);
    add(&lint, SS_SPACE_COMMAND, "Good", "style.GoodCommand", 0);
    add(&lint, SS_SPACE_COMMAND, "MyGood", "style.GoodCommand", 0);
    add(&lint, SS_SPACE_EVENT, "BeGood", "style.GoodEvent", 0);
    add(&lint, SS_SPACE_EVENT, "GoodEvent", "style.GoodEvent", 0);
    add(&lint, SS_SPACE_UI, "Whatever", "style.GoodPart", 0);
    add(&lint, SS_SPACE_ENTITY, "GoodPart", "style.GoodPart", 0);
    ss__lint_check_registrations(&lint.input);
    ss_check_msg(lint.findings.count == 0, "%s", lint_text(&lint));
    lint_deinit(&lint);
}

SS_TEST(lint_check_registrations, payloads_that_nothing_checks_are_errors)
{
    struct lint_fixture lint;
    start(&lint);
    add(&lint, SS_SPACE_EVENT, "A", "google.protobuf.Struct", SS_E_INVAL);
    add(&lint, SS_SPACE_EVENT, "B", "google.protobuf.Value", 0);
    add(&lint, SS_SPACE_COMMAND, "C", "google.protobuf.ListValue", 0);
    add(&lint, SS_SPACE_UI, "D", "google.protobuf.Any", 0);
    add(&lint, SS_SPACE_ENTITY, "E", "google.protobuf.Timestamp", 0);
    ss__lint_check_registrations(&lint.input);
    ss_check_msg(lint.findings.count == 5, "%s", lint_text(&lint));
    const struct ss_lint_finding *finding = lint_the(&lint, SS_LINT_STRUCT_PAYLOAD, "event/A");
    ss_check(finding->level == SS_LINT_ERROR && finding->place.file.len == 0);
    (void)lint_the(&lint, SS_LINT_STRUCT_PAYLOAD, "event/B");
    (void)lint_the(&lint, SS_LINT_STRUCT_PAYLOAD, "command/C");
    ss_check(lint_the(&lint, SS_LINT_ANY_PAYLOAD, "ui-event/D")->level == SS_LINT_ERROR);
    ss_check(lint_the(&lint, SS_LINT_FOREIGN_PAYLOAD, "entity/E")->level == SS_LINT_WARN);
    lint_deinit(&lint);
}

SS_TEST(lint_check_registrations, a_type_that_is_missing_is_an_error)
{
    struct lint_fixture lint;
    start(&lint);
    add(&lint, SS_SPACE_EVENT, "Lost", "style.LostEvent", SS_E_UNKNOWN_TYPE);
    ss__lint_check_registrations(&lint.input);
    ss_check(lint.findings.count == 1);
    ss_check(lint_says(lint_the(&lint, SS_LINT_MISSING_TYPE, "event/Lost"), "style.LostEvent"));
    lint_deinit(&lint);
}

SS_TEST(lint_check_registrations, names_are_checked)
{
    struct lint_fixture lint;
    start(&lint);
    add(&lint, SS_SPACE_EVENT, "", "style.GoodEvent", SS_E_INVAL);
    add(&lint, SS_SPACE_COMMAND, "be_good", "style.GoodPart", 0);
    add(&lint, SS_SPACE_EVENT, "be.good", "style.GoodPart", 0);
    add(&lint, SS_SPACE_UI, "beGood", "style.GoodPart", 0);
    add(&lint, SS_SPACE_ENTITY, "be-good", "style.GoodPart", 0);
    ss__lint_check_registrations(&lint.input);
    (void)lint_the(&lint, SS_LINT_INVALID_NAME, "event/");
    const struct ss_lint_finding *finding = lint_the(&lint, SS_LINT_COMMAND_CASE,
                                                     "command/be_good");
    ss_check(finding->level == SS_LINT_WARN && finding->place.line == 18);
    (void)lint_the(&lint, SS_LINT_EVENT_CASE, "event/be.good");
    (void)lint_the(&lint, SS_LINT_UI_EVENT_CASE, "ui-event/beGood");
    (void)lint_the(&lint, SS_LINT_ENTITY_CASE, "entity/be-good");
    lint_deinit(&lint);
}

SS_TEST(lint_check_registrations, types_are_named_after_what_they_carry)
{
    struct lint_fixture lint;
    start(&lint);
    add(&lint, SS_SPACE_COMMAND, "Bad", "style.GoodCommand", 0);
    add(&lint, SS_SPACE_EVENT, "Good", "style.GoodCommand", 0);
    add(&lint, SS_SPACE_ENTITY, "NoteEntity", "style.GoodEntity", 0);
    ss__lint_check_registrations(&lint.input);
    ss_check_msg(lint_count(&lint, SS_LINT_TYPE_NAME, NULL) == 3, "%s", lint_text(&lint));
    ss_check(lint_says(lint_the(&lint, SS_LINT_TYPE_NAME, "command/Bad"), ": BadCommand"));
    ss_check(lint_says(lint_the(&lint, SS_LINT_TYPE_NAME, "event/Good"), ": GoodEvent"));
    ss_check(lint_says(lint_the(&lint, SS_LINT_TYPE_NAME, "entity/NoteEntity"), ": NoteEntity"));
    lint_deinit(&lint);
}

SS_TEST(lint_check_registrations, a_name_twice_in_one_space_is_an_error)
{
    struct lint_fixture lint;
    start(&lint);
    add(&lint, SS_SPACE_EVENT, "Good", "style.GoodEvent", 0);
    add(&lint, SS_SPACE_EVENT, "Good", "style.GoodEvent", SS_E_EXISTS);
    add(&lint, SS_SPACE_EVENT, "BeGood", "style.GoodEvent", 0);
    add(&lint, SS_SPACE_EVENT, "BeGood", "style.OpenEvent", SS_E_EXISTS);
    ss__lint_check_registrations(&lint.input);
    ss_check_msg(lint.findings.count == 2, "%s", lint_text(&lint));
    ss_check(lint_says(lint_the(&lint, SS_LINT_DUPLICATE_NAME, "event/Good"),
                       "twice, with the type style.GoodEvent"));
    ss_check(lint_says(lint_the(&lint, SS_LINT_DUPLICATE_NAME, "event/BeGood"),
                       "types style.GoodEvent and style.OpenEvent"));
    lint_deinit(&lint);
}

SS_TEST(lint_check_registrations, a_name_in_two_spaces_should_have_one_type)
{
    struct lint_fixture lint;
    start(&lint);
    add(&lint, SS_SPACE_EVENT, "GoodPart", "style.GoodPart", 0);
    add(&lint, SS_SPACE_UI, "GoodPart", "style.GoodPart", 0);
    add(&lint, SS_SPACE_ENTITY, "GoodPart", "style.GoodEntity", 0);
    add(&lint, SS_SPACE_EVENT, "GoodPart", "style.GoodEvent", SS_E_EXISTS);
    ss__lint_check_registrations(&lint.input);
    ss_check(lint_count(&lint, SS_LINT_NAME_TWO_TYPES, NULL) == 1);
    ss_check(lint_the(&lint, SS_LINT_NAME_TWO_TYPES, "entity/GoodPart")->level == SS_LINT_WARN);
    lint_deinit(&lint);
}
