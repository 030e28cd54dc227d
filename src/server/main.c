#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/heap.h"
#include "core/kill_point.h"
#include "server/app_module.h"
#include "server/apps.h"
#include "server/daemon.h"
#include "server/help.h"
#include "server/option_print.h"
#include "server/options.h"
#include "server/reference.h"
#include "server/standard_files.h"

#define EXIT_USAGE 2

/* Prints what one of the ss__option_print functions made. */
static int print_bytes(struct ss_bytes *bytes)
{
    bool written = bytes->err == 0 && fwrite(bytes->data, 1, bytes->len, stdout) == bytes->len &&
                   fflush(stdout) == 0;
    ss__bytes_deinit(bytes);
    if (!written) {
        fprintf(stderr, "sessionstreamd: cannot write to standard output\n");
        return 1;
    }
    return 0;
}

static int fail(const char *place, const struct ss_failure *failure)
{
    fprintf(stderr, "sessionstreamd: %s%s%s (%s)\n", place, place[0] == '\0' ? "" : ": ",
            failure->text, ss_error_name(failure->code));
    return failure->code == SS_E_CONFIG ? EXIT_USAGE : 1;
}

/* With --app FILE the options of that module, too. */
static int print_help(const struct ss_server_options *options)
{
    struct ss_failure failure = { 0 };
    struct ss_bytes out;
    const struct ss_app *module = NULL;
    if (ss__app_module_is_path(options->app) &&
        ss__app_module_load(options->app, &module, &failure) != 0) {
        return fail("--app", &failure);
    }
    ss__bytes_init(&out, 0);
    ss__option_print_help(&out);
    ss__apps_print_help(module, &out);
    return print_bytes(&out);
}

static int act(const struct ss_server_options *options)
{
    struct ss_failure failure = { 0 };
    struct ss_bytes out;
    ss__bytes_init(&out, 0);
    switch (options->action) {
    case SS_ACTION_HELP:
        return print_help(options);
    case SS_ACTION_VERSION:
        ss__bytes_text(&out, "sessionstreamd " SS_VERSION "\n");
        return print_bytes(&out);
    case SS_ACTION_PRINT_REFERENCE:
        ss__reference_print(&out);
        return print_bytes(&out);
    case SS_ACTION_PRINT_CONFIG:
        ss__option_print_config(options, &out);
        return print_bytes(&out);
    case SS_ACTION_CHECK_CONFIG:
        if (ss__daemon_check(options, &failure) != 0) {
            return fail("", &failure);
        }
        ss__bytes_text(&out, "configuration is valid\n");
        return print_bytes(&out);
    case SS_ACTION_RUN:
        break;
    }
    return ss__daemon_run(options, &failure) == 0 ? 0 : fail("", &failure);
}

int main(int argc, char **argv)
{
    struct ss_server_options options;
    struct ss_options_error error = { 0 };
    if (!ss__standard_files_keep()) {
        return 1;    /* there is nobody to tell */
    }
    if (argc > 1 && strcmp(argv[1], "help") == 0) {
        return ss__help_main("sessionstreamd", (const char *const *)argv + 2, stdout, stderr);
    }
#ifdef SS_FAULTS
    if (argc > 1 && strcmp(argv[1], "--print-kill-points") == 0) {
        ss__kill_points_print(stdout);
        return 0;
    }
#endif
    ss__heap_keep();
    if (ss__server_options_init(&options) != 0) {
        fprintf(stderr, "sessionstreamd: out of memory\n");
        return 1;
    }
    int status;
    if (ss__server_options_read(&options, argv, environ, &error) != 0) {
        status = fail(error.place, &error.failure);
    } else {
        status = act(&options);
    }
    ss__server_options_deinit(&options);
    return status;
}
