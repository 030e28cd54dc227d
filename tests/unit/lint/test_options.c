#include "ss_test.h"

#include <string.h>

#include "lint/options.h"

#define ARGS(...) ((char *[]){ (char *)(uintptr_t)"ss-lint", __VA_ARGS__, NULL })
#define TEXT(text) ((char *)(uintptr_t)(text))

static bool refused(char *const *argv, const char *part)
{
    struct ss_lint_options options;
    struct ss_failure failure = { 0 };
    bool as_expected = ss__lint_options_parse(argv, &options, &failure) == SS_E_CONFIG &&
                       strstr(failure.text, part) != NULL;
    ss__lint_options_deinit(&options);
    return as_expected;
}

SS_TEST(lint_options, everything_can_be_given_in_both_spellings)
{
    struct ss_lint_options options;
    struct ss_failure failure = { 0 };
    char *const *argv =
        ARGS(TEXT("--app"), TEXT("chat"), TEXT("a.binpb"), TEXT("--previous=old"),
             TEXT("--app-option=a=b"), TEXT("--app-option"), TEXT("c=d"), TEXT("--json"),
             TEXT("--quiet"), TEXT("--with-clients"), TEXT("--save"), TEXT("new"),
             TEXT("--rule=field-kind=off"), TEXT("--ignore"), TEXT("google/"),
             TEXT("--source-root"), TEXT("proto"), TEXT("--"), TEXT("--odd"));
    ss_check_msg(ss__lint_options_parse(argv, &options, &failure) == 0, "%s", failure.text);
    ss_check(options.action == SS_LINT_RUN && strcmp(options.app, "chat") == 0);
    ss_check(strcmp(options.previous, "old") == 0 && strcmp(options.save, "new") == 0);
    ss_check(options.app_option_count == 2 && strcmp(options.app_options[0], "a=b") == 0);
    ss_check(options.json && options.quiet && options.with_clients);
    ss_check(options.set_count == 2 && strcmp(options.sets[1], "--odd") == 0);
    ss_check(options.ignored_count == 1 && strcmp(options.source_root, "proto") == 0);
    ss_check(options.rules.levels[SS_LINT_FIELD_KIND] == SS_LINT_OFF);
    ss__lint_options_deinit(&options);
}

SS_TEST(lint_options, questions_need_nothing_to_look_at)
{
    static const char *const words[] = { "--help", "-h", "--rules", "--version" };
    static const enum ss_lint_action actions[] = { SS_LINT_HELP, SS_LINT_HELP,
                                                   SS_LINT_LIST_RULES, SS_LINT_VERSION };
    for (size_t i = 0; i < 4; i++) {
        struct ss_lint_options options;
        ss_check(ss__lint_options_parse(ARGS(TEXT(words[i])), &options, NULL) == 0);
        ss_check(options.action == actions[i]);
        ss__lint_options_deinit(&options);
    }
}

SS_TEST(lint_options, mistakes_are_named)
{
    ss_check(refused((char *[]){ TEXT("ss-lint"), NULL }, "nothing to look at"));
    ss_check(refused(ARGS(TEXT("--nonsense")), "--nonsense: unknown"));
    ss_check(refused(ARGS(TEXT("-x")), "-x: unknown"));
    ss_check(refused(ARGS(TEXT("--app")), "--app: needs a value"));
    ss_check(refused(ARGS(TEXT("--json=1"), TEXT("a")), "takes no value"));
    ss_check(refused(ARGS(TEXT("--rule=a=off"), TEXT("a")), "no rule \"a\""));
    ss_check(refused(ARGS(TEXT("--ap"), TEXT("a")), "--ap: unknown"));
}
