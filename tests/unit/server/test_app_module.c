#include "ss_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/app_module.h"
#include "server/apps.h"

/* SS_MODULE_DIR: where the modules of modules/module.c are. */

static void expect_failure(const char *file, const char *what, const char *remedy)
{
    char path[512];
    struct ss_failure failure = { 0 };
    const struct ss_app *app = NULL;
    snprintf(path, sizeof path, "%s/%s", SS_MODULE_DIR, file);
    ss_check_msg(ss__app_module_load(path, &app, &failure) == SS_E_CONFIG, "%s", file);
    ss_check(app == NULL);
    ss_check_msg(strstr(failure.text, file) != NULL, "%s", failure.text);
    ss_check_msg(strstr(failure.text, what) != NULL, "%s", failure.text);
    ss_check_msg(strstr(failure.text, remedy) != NULL, "%s", failure.text);
}

SS_TEST(app_module, a_slash_or_the_ending_makes_a_path)
{
    ss_check(ss__app_module_is_path("./shopping.so"));
    ss_check(ss__app_module_is_path("shopping.so"));
    ss_check(ss__app_module_is_path("build/shopping"));
    ss_check(ss__app_module_is_path("/"));
    ss_check(!ss__app_module_is_path("chat"));
    ss_check(!ss__app_module_is_path("so"));
    ss_check(!ss__app_module_is_path("chat.so.1"));
    ss_check(!ss__app_module_is_path(""));
}

SS_TEST(app_module, a_module_is_found_by_its_path)
{
    const struct ss_app *app = NULL;
    struct ss_failure failure = { 0 };
    int err = ss__app_find(SS_MODULE_DIR "/module_good.so", &app, &failure);
    ss_check_msg(err == 0, "%s", failure.text);
    ss_check(strcmp(app->name, "sample") == 0 && app->init != NULL);
}

SS_TEST(app_module, a_path_without_a_slash_is_a_file_of_the_working_directory)
{
    const struct ss_app *app = NULL;
    struct ss_failure failure = { 0 };
    ss_check(chdir(SS_MODULE_DIR) == 0);
    ss_check(ss__app_module_load("module_good.so", &app, &failure) == 0);
    ss_check(strcmp(app->name, "sample") == 0);
    /* The loader would find this one in the directories of the system. */
    ss_check(ss__app_module_load("libc.so", &app, &failure) == SS_E_CONFIG);
    ss_check_msg(strstr(failure.text, "there is no file \"libc.so\"") != NULL, "%s", failure.text);
}

SS_TEST(app_module, what_is_no_module_is_named)
{
    char path[] = "/tmp/ss-module-XXXXXX";
    const struct ss_app *app = NULL;
    struct ss_failure failure = { 0 };
    expect_failure("nothing.so", "there is no file", "give --app the path");
    expect_failure(".", "is not a file", "give --app the path of a module");

    int fd = mkstemp(path);
    ss_check(fd >= 0 && write(fd, "int x;\n", 7) == 7 && close(fd) == 0);
    ss_check(ss__app_module_load(path, &app, &failure) == SS_E_CONFIG);
    ss_check_msg(strstr(failure.text, "cannot be loaded") != NULL, "%s", failure.text);
    ss_check_msg(strstr(failure.text, "sessionstream_add_app") != NULL, "%s", failure.text);
    ss_check(unlink(path) == 0);
}

SS_TEST(app_module, a_path_that_goes_through_a_file_says_why)
{
    const struct ss_app *app = NULL;
    struct ss_failure failure = { 0 };
    ss_check(ss__app_module_load(SS_MODULE_DIR "/module_good.so/x.so", &app, &failure) ==
             SS_E_CONFIG);
    ss_check_msg(strstr(failure.text, "cannot be read: Not a directory") != NULL, "%s",
                 failure.text);
}

SS_TEST(app_module, each_defect_of_a_module_says_what_to_do)
{
    expect_failure("module_symbol.so", "no symbol ss_app_v1", "define const struct ss_app");
    expect_failure("module_abi.so", "ABI 99", "build it again");
    expect_failure("module_unnamed.so", "no usable name", "set ss_app_v1.name");
    expect_failure("module_misnamed.so", "no usable name", "set ss_app_v1.name");
    expect_failure("module_init.so", "registers nothing", "set ss_app_v1.init");
    expect_failure("module_undefined.so", "undefined symbol: ss_nobody_has_this",
                   "sessionstream_add_app");
}

SS_TEST(app_module, a_long_path_leaves_room_for_the_reason)
{
    char path[1024];
    struct ss_failure failure = { 0 };
    const struct ss_app *app = NULL;
    memset(path, 'x', sizeof path);
    for (size_t i = 0; i + 100 < sizeof path; i += 100) {
        path[i] = '/';
    }
    /* The shown part would begin inside of the first of these. */
    memcpy(path + sizeof path - 1 - 81, "\xc3\xa4", 2);
    memcpy(path + sizeof path - 9, "/last.so", 9);
    ss_check(ss__app_module_load(path, &app, &failure) == SS_E_CONFIG);
    ss_check_msg(strstr(failure.text, "\"...xxx") != NULL, "%s", failure.text);
    ss_check_msg(strstr(failure.text, "/last.so\"; give --app") != NULL, "%s", failure.text);
}

SS_TEST(app_module, help_lists_the_options_of_the_module)
{
    const struct ss_app *app = NULL;
    struct ss_bytes out;
    ss__bytes_init(&out, 0);
    ss_check(ss__app_module_load(SS_MODULE_DIR "/module_good.so", &app, NULL) == 0);
    ss__apps_print_help(app, &out);
    ss__bytes_byte(&out, 0);
    ss_check(out.err == 0);
    const char *text = strstr((const char *)out.data, "The module of --app");
    ss_check(text != NULL);
    ss_check(strstr(text, "  sample ") != NULL);
    ss_check(strstr(text, "    size=4                      how large\n") != NULL);
    ss_check(strstr(text, "    bare=") != NULL && strstr(text, "(null)") == NULL);
    ss__bytes_deinit(&out);
}
