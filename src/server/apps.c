#include "server/apps.h"

#include <stdio.h>
#include <string.h>

#include <sessionstream/error.h>

#ifdef SS_APP_BENCH
#include "apps/bench/bench.h"
#endif
#ifdef SS_APP_CHAT
#include "apps/chat/chat.h"
#endif

const struct ss_app *const ss__apps[] = {
#ifdef SS_APP_CHAT
    &ss__app_chat,
#endif
#ifdef SS_APP_BENCH
    &ss__app_bench,
#endif
    NULL,
};

int ss__app_find(const char *name, const struct ss_app **ret_app, struct ss_failure *failure)
{
    char known[128] = "";
    for (size_t i = 0; ss__apps[i] != NULL; i++) {
        if (strcmp(ss__apps[i]->name, name) == 0) {
            *ret_app = ss__apps[i];
            return 0;
        }
        if (strlen(known) + strlen(ss__apps[i]->name) + 3 < sizeof known) {
            (void)strcat(strcat(known, known[0] == '\0' ? "" : ", "), ss__apps[i]->name);
        }
    }
    return ss__fail(failure, SS_E_CONFIG, "no application \"%.40s\"; built in: %s", name,
                    known[0] == '\0' ? "none" : known);
}

void ss__apps_print_help(struct ss_bytes *out)
{
    char line[512];
    ss__bytes_text(out, "\nApplications (--app) and their options (--app-option):\n");
    for (size_t i = 0; ss__apps[i] != NULL; i++) {
        (void)snprintf(line, sizeof line, "  %-29s %s\n", ss__apps[i]->name,
                       ss__apps[i]->summary);
        ss__bytes_text(out, line);
        const struct ss_app_option *option = ss__apps[i]->options;
        for (; option != NULL && option->name != NULL; option++) {
            char setting[64];
            (void)snprintf(setting, sizeof setting, "%s=%s", option->name,
                           option->default_value);
            (void)snprintf(line, sizeof line, "    %-27s %s\n", setting, option->help);
            ss__bytes_text(out, line);
        }
    }
}
