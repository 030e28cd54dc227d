#include "server/apps.h"

#include <stdio.h>
#include <string.h>

#include <sessionstream/error.h>

#include "server/app_module.h"

#ifdef SS_APP_BENCH
#include "apps/bench/bench.h"
#endif
#ifdef SS_APP_CHAT
#include "apps/chat/chat.h"
#endif
#ifdef SS_APP_JOBS
#include "apps/jobs/jobs.h"
#endif

const struct ss_app *const ss__apps[] = {
#ifdef SS_APP_CHAT
    &ss__app_chat,
#endif
#ifdef SS_APP_JOBS
    &ss__app_jobs,
#endif
#ifdef SS_APP_BENCH
    &ss__app_bench,
#endif
    NULL,
};

int ss__app_find(const char *name, const struct ss_app **ret_app, struct ss_failure *failure)
{
    char known[128] = "";
    if (ss__app_module_is_path(name)) {
        return ss__app_module_load(name, ret_app, failure);
    }
    for (size_t i = 0; ss__apps[i] != NULL; i++) {
        if (strcmp(ss__apps[i]->name, name) == 0) {
            *ret_app = ss__apps[i];
            return 0;
        }
        if (strlen(known) + strlen(ss__apps[i]->name) + 3 < sizeof known) {
            (void)strcat(strcat(known, known[0] == '\0' ? "" : ", "), ss__apps[i]->name);
        }
    }
    return ss__fail(failure, SS_E_CONFIG,
                    "no application \"%.40s\"; built in: %s; a module is named by its file, such "
                    "as ./%.40s.so", name, known[0] == '\0' ? "none" : known, name);
}

/* Modules may leave texts out. */
static const char *text_or_empty(const char *text)
{
    return text == NULL ? "" : text;
}

static void print_app(const struct ss_app *app, struct ss_bytes *out)
{
    char line[512];
    (void)snprintf(line, sizeof line, "  %-29s %s\n", app->name, text_or_empty(app->summary));
    ss__bytes_text(out, line);
    const struct ss_app_option *option = app->options;
    for (; option != NULL && option->name != NULL; option++) {
        char setting[64];
        (void)snprintf(setting, sizeof setting, "%s=%s", option->name,
                       text_or_empty(option->default_value));
        (void)snprintf(line, sizeof line, "    %-27s %s\n", setting, text_or_empty(option->help));
        ss__bytes_text(out, line);
    }
}

void ss__apps_print_help(const struct ss_app *module, struct ss_bytes *out)
{
    ss__bytes_text(out, "\nApplications (--app) and their options (--app-option):\n");
    for (size_t i = 0; ss__apps[i] != NULL; i++) {
        print_app(ss__apps[i], out);
    }
    if (module != NULL) {
        ss__bytes_text(out, "\nThe module of --app and its options:\n");
        print_app(module, out);
    }
}
