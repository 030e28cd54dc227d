#include "ss_test.h"

#include <ctype.h>
#include <string.h>

#include "server/option_table.h"

SS_TEST(option_table, every_entry_is_complete)
{
    for (int i = 0; i < SS_OPTION_COUNT; i++) {
        const struct ss_option *option = &ss__options[i];
        ss_check(option->name != NULL && option->placeholder != NULL && option->help != NULL);
        ss_check(strlen(option->name) + sizeof SS_OPTION_ENVIRONMENT_PREFIX + 1 <=
                 SS_OPTION_NAME_BYTES_MAX);
        ss_check_msg(option->help[strlen(option->help) - 1] == '.', "%s", option->name);
        for (const char *at = option->name; *at != '\0'; at++) {
            ss_check_msg(islower((unsigned char)*at) || *at == '-', "%s", option->name);
        }
        ss_check_msg(option->min <= option->max, "%s", option->name);
    }
}

SS_TEST(option_table, names_are_found_in_all_three_spellings)
{
    for (int i = 0; i < SS_OPTION_COUNT; i++) {
        char name[SS_OPTION_NAME_BYTES_MAX];
        ss_check(ss__option_by_flag(ss_str(ss__options[i].name)) == i);
        ss__option_environment_name(&ss__options[i], name);
        ss_check(ss__option_by_environment(ss_str(name)) == i);
        ss__option_yaml_key(&ss__options[i], name);
        ss_check(ss__option_by_yaml_key(ss_str(name)) == i);
    }
}

SS_TEST(option_table, spellings_are_derived_from_the_name)
{
    char name[SS_OPTION_NAME_BYTES_MAX];
    ss__option_environment_name(&ss__options[SS_OPTION_LOG_LEVEL], name);
    ss_check(strcmp(name, "SESSIONSTREAM_LOG_LEVEL") == 0);
    ss__option_yaml_key(&ss__options[SS_OPTION_LOG_LEVEL], name);
    ss_check(strcmp(name, "log_level") == 0);
    ss__option_yaml_key(&ss__options[SS_OPTION_APP_OPTION], name);
    ss_check(strcmp(name, "app_options") == 0);
}

SS_TEST(option_table, unknown_names_are_not_found)
{
    ss_check(ss__option_by_flag(ss_str("shard")) < 0);
    ss_check(ss__option_by_flag(ss_str("")) < 0);
    ss_check(ss__option_by_environment(ss_str("SESSIONSTREAM_shards")) < 0);
    ss_check(ss__option_by_environment(ss_str("SHARDS")) < 0);
    ss_check(ss__option_by_yaml_key(ss_str("log-level")) < 0);
}

SS_TEST(option_table, the_nearest_name_helps_with_typing_mistakes)
{
    ss_check(strcmp(ss__option_nearest(ss_str("shard")), "shards") == 0);
    ss_check(strcmp(ss__option_nearest(ss_str("log_levl")), "log-level") == 0);
    ss_check(strcmp(ss__option_nearest(ss_str("versoin")), "version") == 0);
    ss_check(ss__option_nearest(ss_str("zzzzzzzzzz")) == NULL);
    ss_check(ss__option_nearest(ss_str("")) == NULL);
    char long_name[200];
    memset(long_name, 'a', sizeof long_name);
    ss_check(ss__option_nearest(ss_str_of(long_name, sizeof long_name)) == NULL);
}
