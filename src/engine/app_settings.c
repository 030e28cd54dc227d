#include "engine/app_settings.h"

#include <stdlib.h>
#include <string.h>

#include <sessionstream/types.h>

struct ss_app_settings {
    const struct ss_app_option *table;    /* may be NULL */
    size_t count;                         /* entries of the table */
    char *values[];                       /* owned; NULL: the default counts */
};

static size_t count_options(const struct ss_app_option *table)
{
    size_t count = 0;
    while (table != NULL && table[count].name != NULL) {
        count++;
    }
    return count;
}

/* Index of the option of this name, or the number of options. */
static size_t find_option(const struct ss_app_settings *settings, struct ss_str name)
{
    size_t i = 0;
    while (i < settings->count && !ss_str_equal(ss_str(settings->table[i].name), name)) {
        i++;
    }
    return i;
}

static int refuse_name(const struct ss_app *app, const struct ss_app_settings *settings,
                       const char *name, size_t name_len, struct ss_failure *failure)
{
    char known[160] = "";
    size_t len = 0;
    for (size_t i = 0; i < settings->count; i++) {
        size_t more = strlen(settings->table[i].name);
        if (len + more + 3 > sizeof known) {
            break;
        }
        memcpy(known + len, ", ", 2);
        memcpy(known + len + (len == 0 ? 0 : 2), settings->table[i].name, more);
        len += more + (len == 0 ? 0 : 2);
        known[len] = '\0';
    }
    return ss__fail(failure, SS_E_CONFIG, "%s has no option \"%.*s\"; it knows %s", app->name,
                    (int)(name_len < 40 ? name_len : 40), name, len == 0 ? "none" : known);
}

static int give_value(const struct ss_app *app, struct ss_app_settings *settings,
                      const char *text, struct ss_failure *failure)
{
    const char *equals = strchr(text, '=');
    if (equals == NULL) {
        return ss__fail(failure, SS_E_CONFIG, "\"%.40s\" is not KEY=VALUE", text);
    }
    size_t name_len = (size_t)(equals - text);
    size_t at = find_option(settings, ss_str_of(text, name_len));
    if (at == settings->count) {
        return refuse_name(app, settings, text, name_len, failure);
    }
    char *value = strdup(equals + 1);
    if (value == NULL) {
        return ss__fail(failure, SS_E_NOMEM, "out of memory");
    }
    free(settings->values[at]);
    settings->values[at] = value;
    return 0;
}

int ss__app_settings_new(const struct ss_app *app, char *const *given, size_t count,
                         struct ss_app_settings **ret_settings, struct ss_failure *failure)
{
    size_t options = count_options(app->options);
    struct ss_app_settings *settings =
        calloc(1, sizeof *settings + options * sizeof settings->values[0]);
    if (settings == NULL) {
        return ss__fail(failure, SS_E_NOMEM, "out of memory");
    }
    settings->table = app->options;
    settings->count = options;
    for (size_t i = 0; i < count; i++) {
        int err = give_value(app, settings, given[i], failure);
        if (err != 0) {
            ss__app_settings_free(settings);
            return err;
        }
    }
    *ret_settings = settings;
    return 0;
}

void ss__app_settings_free(struct ss_app_settings *settings)
{
    if (settings == NULL) {
        return;
    }
    for (size_t i = 0; i < settings->count; i++) {
        free(settings->values[i]);
    }
    free(settings);
}

const char *ss_app_setting(const struct ss_app_settings *settings, const char *name)
{
    size_t at = find_option(settings, ss_str(name));
    if (at == settings->count) {
        return NULL;
    }
    return settings->values[at] != NULL ? settings->values[at]
                                        : settings->table[at].default_value;
}
