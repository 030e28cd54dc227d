#include "lint_fixture.h"

SS_TEST(lint_names, conventions)
{
    ss_check(ss__lint_is_upper_camel(ss_str("ChatStarted")));
    ss_check(ss__lint_is_upper_camel(ss_str("A1b")));
    ss_check(!ss__lint_is_upper_camel(ss_str("chatStarted")));
    ss_check(!ss__lint_is_upper_camel(ss_str("Chat_Started")));
    ss_check(!ss__lint_is_upper_camel(ss_str("Chat.Started")));
    ss_check(!ss__lint_is_upper_camel(ss_str("Chat\xC3\xA4")));
    ss_check(!ss__lint_is_upper_camel(ss_str("")));
    ss_check(ss__lint_is_lower_snake(ss_str("text_id_2")));
    ss_check(ss__lint_is_lower_snake(ss_str("a")));
    ss_check(!ss__lint_is_lower_snake(ss_str("textId")));
    ss_check(!ss__lint_is_lower_snake(ss_str("text__id")));
    ss_check(!ss__lint_is_lower_snake(ss_str("_text")));
    ss_check(!ss__lint_is_lower_snake(ss_str("text_")));
    ss_check(!ss__lint_is_lower_snake(ss_str("")));
    ss_check(ss__lint_is_upper_snake(ss_str("LEVEL_2")));
    ss_check(!ss__lint_is_upper_snake(ss_str("Level_2")));
}

SS_TEST(lint_names, parts_of_a_full_name)
{
    ss_check(ss_str_equal(ss__lint_short_name(ss_str("a.b.C")), ss_str("C")));
    ss_check(ss_str_equal(ss__lint_short_name(ss_str("C")), ss_str("C")));
    ss_check(ss__lint_short_name(ss_str("")).len == 0);
    struct ss_lint_rules rules;
    struct ss_lint_findings findings;
    ss__lint_rules_init(&rules);
    ss__lint_findings_init(&findings, &rules);
    ss_check(ss_str_equal(ss__lint_symbol(&findings, ss_str("a.B"), ss_str("c")),
                          ss_str("a.B.c")));
    ss__lint_findings_deinit(&findings);
    ss__lint_rules_deinit(&rules);
}
