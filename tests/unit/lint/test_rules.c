#include "ss_test.h"

#include <string.h>

#include "lint/rules.h"

static bool refused(const char *text, const char *part)
{
    struct ss_lint_rules rules;
    struct ss_failure failure = { 0 };
    ss__lint_rules_init(&rules);
    bool as_expected = ss__lint_rules_set(&rules, text, &failure) == SS_E_CONFIG &&
                       strstr(failure.text, part) != NULL && rules.exceptions == NULL;
    ss__lint_rules_deinit(&rules);
    return as_expected;
}

SS_TEST(lint_rules, every_rule_has_a_word_of_its_own_and_a_sentence)
{
    for (int i = 0; i < SS_LINT_RULE_COUNT; i++) {
        ss_check(strlen(ss__lint_rule_text((enum ss_lint_rule)i)) > 10);
        for (int other = 0; other < i; other++) {
            ss_check(strcmp(ss__lint_rule_word((enum ss_lint_rule)i),
                            ss__lint_rule_word((enum ss_lint_rule)other)) != 0);
        }
    }
}

SS_TEST(lint_rules, a_level_can_be_set_for_all_and_for_one_symbol)
{
    struct ss_lint_rules rules;
    struct ss_str symbol = ss_str("p.M.a=b");
    ss__lint_rules_init(&rules);
    ss_check(ss__lint_rules_level(&rules, SS_LINT_FIELD_KIND, symbol) == SS_LINT_ERROR);
    ss_check(ss__lint_rules_set(&rules, "field-kind=warn", NULL) == 0);
    ss_check(ss__lint_rules_level(&rules, SS_LINT_FIELD_KIND, symbol) == SS_LINT_WARN);
    ss_check(ss__lint_rules_set(&rules, "field-kind@p.M.a=b=off", NULL) == 0);
    ss_check(ss__lint_rules_level(&rules, SS_LINT_FIELD_KIND, symbol) == SS_LINT_OFF);
    ss_check(ss__lint_rules_level(&rules, SS_LINT_FIELD_KIND, ss_str("p.M")) == SS_LINT_WARN);
    ss_check(ss__lint_rules_level(&rules, SS_LINT_FIELD_NAME, symbol) == SS_LINT_WARN);
    ss_check(ss__lint_rules_set(&rules, "field-kind@p.M.a=b=error", NULL) == 0);
    ss_check(ss__lint_rules_level(&rules, SS_LINT_FIELD_KIND, symbol) == SS_LINT_ERROR);
    ss__lint_rules_deinit(&rules);
}

SS_TEST(lint_rules, what_is_no_rule_or_no_level_is_refused_by_name)
{
    ss_check(refused("field-kind", "RULE="));
    ss_check(refused("field-kind=loud", "\"loud\""));
    ss_check(refused("field-kind=", "off, warn or error"));
    ss_check(refused("nonsense=off", "no rule \"nonsense\""));
    ss_check(refused("=off", "no rule"));
    ss_check(refused("nonsense@a=off", "no rule \"nonsense\""));
}
