#include "ss_test.h"

#include <string.h>

#include <sessionstream/error.h>

#include "server/apps.h"

SS_TEST(apps, every_application_is_found_by_its_name)
{
    for (size_t i = 0; ss__apps[i] != NULL; i++) {
        const struct ss_app *app = NULL;
        ss_check(ss__app_find(ss__apps[i]->name, &app, NULL) == 0);
        ss_check(app == ss__apps[i]);
        ss_check(app->abi == SS_APP_ABI && app->init != NULL && app->summary != NULL);
    }
}

SS_TEST(apps, an_unknown_name_is_refused_with_the_known_ones)
{
    const struct ss_app *app = NULL;
    struct ss_failure failure = { 0 };
    ss_check(ss__app_find("chess", &app, &failure) == SS_E_CONFIG);
    ss_check(app == NULL);
    ss_check(strstr(failure.text, "\"chess\"") != NULL);
    ss_check(strstr(failure.text, ss__apps[0] == NULL ? "none" : ss__apps[0]->name) != NULL);
}

SS_TEST(apps, help_names_every_application_and_option)
{
    struct ss_bytes out;
    ss__bytes_init(&out, 0);
    ss__apps_print_help(NULL, &out);
    ss__bytes_byte(&out, 0);
    ss_check(out.err == 0);
    for (size_t i = 0; ss__apps[i] != NULL; i++) {
        const struct ss_app_option *option = ss__apps[i]->options;
        ss_check(strstr((const char *)out.data, ss__apps[i]->summary) != NULL);
        for (; option != NULL && option->name != NULL; option++) {
            ss_check(strstr((const char *)out.data, option->help) != NULL);
        }
    }
    ss__bytes_deinit(&out);
}
