#include "lint_fixture.h"

SS_TEST(lint_findings, they_are_sorted_by_place_then_symbol)
{
    struct ss_lint_rules rules;
    struct ss_lint_findings findings;
    struct ss_str a = ss_str("a.proto");
    struct ss_str b = ss_str("b.proto");
    ss__lint_rules_init(&rules);
    ss__lint_findings_init(&findings, &rules);
    ss__lint_find(&findings, SS_LINT_FIELD_KIND, (struct ss_lint_place){ b, 1, 1 }, b, "5");
    ss__lint_find(&findings, SS_LINT_FIELD_KIND, (struct ss_lint_place){ a, 10, 1 }, b, "4");
    ss__lint_find(&findings, SS_LINT_FIELD_NAME, (struct ss_lint_place){ a, 9, 3 }, b, "3");
    ss__lint_find(&findings, SS_LINT_FIELD_KIND, (struct ss_lint_place){ a, 9, 3 }, a, "2");
    ss__lint_find(&findings, SS_LINT_FIELD_KIND, (struct ss_lint_place){ a, 9, 2 }, b, "1");
    ss__lint_find(&findings, SS_LINT_FIELD_KIND, (struct ss_lint_place){ .line = 0 }, b, "0");
    ss__lint_findings_sort(&findings);
    ss_check(findings.count == 6 && findings.errors == 5 && findings.warnings == 1);
    for (size_t i = 0; i < findings.count; i++) {
        ss_check(findings.items[i].text.data[0] == (char)('0' + i));
    }
    ss__lint_findings_deinit(&findings);
    ss__lint_rules_deinit(&rules);
}

SS_TEST(lint_findings, what_is_off_is_not_kept)
{
    struct ss_lint_rules rules;
    struct ss_lint_findings findings;
    struct ss_lint_place nowhere = { .line = 0 };
    ss__lint_rules_init(&rules);
    ss_check(ss__lint_rules_set(&rules, "field-kind@p.M.a=off", NULL) == 0);
    ss__lint_findings_init(&findings, &rules);
    ss__lint_find(&findings, SS_LINT_FIELD_KIND, nowhere, ss_str("p.M.a"), "x");
    ss_check(findings.count == 0 && findings.errors == 0);
    ss__lint_find(&findings, SS_LINT_FIELD_KIND, nowhere, ss_str("p.M.b"), "x");
    ss_check(findings.count == 1 && findings.errors == 1);
    ss__lint_findings_deinit(&findings);
    ss__lint_rules_deinit(&rules);
}

SS_TEST(lint_findings, a_long_text_is_cut_at_a_character)
{
    struct ss_lint_rules rules;
    struct ss_lint_findings findings;
    char text[700];
    for (size_t i = 0; i + 2 < sizeof text; i += 2) {
        memcpy(text + i, "\xC3\xA4", 3);
    }
    ss__lint_rules_init(&rules);
    ss__lint_findings_init(&findings, &rules);
    ss__lint_find(&findings, SS_LINT_FIELD_KIND, (struct ss_lint_place){ .line = 0 },
                  ss_str("x"), "%s", text);
    ss_check(findings.items[0].text.len == 510);
    ss__lint_findings_deinit(&findings);
    ss__lint_rules_deinit(&rules);
}
