#include "lint_fixture.h"

SS_TEST(lint_compare_enum, every_value_keeps_name_and_number)
{
    struct lint_fixture lint;
    lint_init(&lint, LINT_SET(new_evolve), LINT_SET(old_evolve));
    ss__lint_compare_enum(&lint.findings,
                          ss__lint_set_enum(&lint.previous, ss_str("evolve.Level")),
                          ss__lint_set_enum(&lint.set, ss_str("evolve.Level")));
    ss_check_msg(lint.findings.count == 9, "%s", lint_text(&lint));
    ss_check(lint_says(lint_the(&lint, SS_LINT_ENUM_VALUE_NUMBER, "evolve.Level.LEVEL_MOVED"),
                       "was 1 and is 7"));
    ss_check(lint_says(lint_the(&lint, SS_LINT_ENUM_VALUE_NAME, "evolve.Level.LEVEL_MID"),
                       "LEVEL_MIDDLE"));
    ss_check(lint_the(&lint, SS_LINT_ENUM_VALUE_REMOVED, "evolve.Level.LEVEL_BARE")->level ==
             SS_LINT_ERROR);
    (void)lint_the(&lint, SS_LINT_ENUM_VALUE_REMOVED, "evolve.Level.LEVEL_HALF");
    ss_check(lint_the(&lint, SS_LINT_ENUM_VALUE_RESERVED, "evolve.Level.LEVEL_BOTH")->level ==
             SS_LINT_WARN);
    (void)lint_the(&lint, SS_LINT_RESERVED_USED, "evolve.Level.LEVEL_NINE");
    (void)lint_the(&lint, SS_LINT_RESERVED_USED, "evolve.Level.LEVEL_BACK");
    ss_check(lint_count(&lint, SS_LINT_RESERVED_REMOVED, "evolve.Level") == 2);
    lint_deinit(&lint);
}

SS_TEST(lint_compare_enum, an_enum_compared_with_itself_gives_nothing)
{
    struct lint_fixture lint;
    lint_init(&lint, LINT_SET(new_evolve), LINT_SET(new_evolve));
    ss__lint_compare_enum(&lint.findings,
                          ss__lint_set_enum(&lint.previous, ss_str("evolve.Level")),
                          ss__lint_set_enum(&lint.set, ss_str("evolve.Level")));
    ss_check(lint.findings.count == 0);
    lint_deinit(&lint);
}
