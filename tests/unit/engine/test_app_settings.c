#include "ss_test.h"

#include <string.h>

#include <sessionstream/error.h>

#include "engine/app_settings.h"

static const struct ss_app_option table[] = {
    { "chunk_ms", "20", "Pause." },
    { "model", "slow", "Model." },
    { NULL, NULL, NULL },
};

static const struct ss_app app = { .abi = SS_APP_ABI, .name = "demo", .options = table };

static int new_settings(const struct ss_app *of, const char *first, const char *second,
                        struct ss_app_settings **settings, struct ss_failure *failure)
{
    char buffers[2][64];
    char *given[2] = { buffers[0], buffers[1] };
    size_t count = second != NULL ? 2 : first != NULL ? 1 : 0;
    strcpy(buffers[0], first == NULL ? "" : first);
    strcpy(buffers[1], second == NULL ? "" : second);
    return ss__app_settings_new(of, given, count, settings, failure);
}

SS_TEST(app_settings, defaults_hold_until_a_value_is_given)
{
    struct ss_app_settings *settings = NULL;
    ss_check(new_settings(&app, "model=a=b", NULL, &settings, NULL) == 0);
    ss_check(strcmp(ss_app_setting(settings, "chunk_ms"), "20") == 0);
    ss_check(strcmp(ss_app_setting(settings, "model"), "a=b") == 0);
    ss_check(ss_app_setting(settings, "other") == NULL);
    ss__app_settings_free(settings);
}

SS_TEST(app_settings, the_last_value_of_a_name_counts)
{
    struct ss_app_settings *settings = NULL;
    ss_check(new_settings(&app, "model=a", "model=", &settings, NULL) == 0);
    ss_check(strcmp(ss_app_setting(settings, "model"), "") == 0);
    ss__app_settings_free(settings);
}

SS_TEST(app_settings, unknown_names_are_refused_with_the_known_ones)
{
    struct ss_app_settings *settings = NULL;
    struct ss_failure failure = { 0 };
    ss_check(new_settings(&app, "model=a", "chunk=1", &settings, &failure) == SS_E_CONFIG);
    ss_check(settings == NULL);
    ss_check(strstr(failure.text, "demo has no option \"chunk\"; it knows chunk_ms, model"));
    ss_check(new_settings(&app, "model", NULL, &settings, &failure) == SS_E_CONFIG);
    ss_check(strstr(failure.text, "KEY=VALUE") != NULL);
}

SS_TEST(app_settings, an_application_without_options_takes_none)
{
    static const struct ss_app plain = { .abi = SS_APP_ABI, .name = "plain" };
    struct ss_app_settings *settings = NULL;
    struct ss_failure failure = { 0 };
    ss_check(new_settings(&plain, "a=1", NULL, &settings, &failure) == SS_E_CONFIG);
    ss_check(strstr(failure.text, "knows none") != NULL);
    ss_check(new_settings(&plain, NULL, NULL, &settings, NULL) == 0);
    ss_check(ss_app_setting(settings, "a") == NULL);
    ss__app_settings_free(settings);
    ss__app_settings_free(NULL);
}
