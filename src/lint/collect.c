#include "lint/collect.h"

#include "engine/app_settings.h"

static void on_loaded(void *ctx, struct ss_str descriptor_set)
{
    struct ss_lint_registrations *all = ctx;
    ss__bytes_str(&all->sets, descriptor_set);
}

static void on_named(void *ctx, enum ss_name_space space, const char *name, const char *type,
                     int refused)
{
    struct ss_lint_registrations *all = ctx;
    if (all->err == 0) {
        all->err =
            ss__lint_registrations_add(all, space, ss_str(name), ss_str(type), refused);
    }
}

int ss__lint_collect(struct ss_lint_registrations *all, const struct ss_app *app,
                     char *const *given, size_t given_count, struct ss_failure *failure)
{
    const struct ss_registry_watch watch = { all, on_loaded, on_named };
    struct ss_app_settings *settings = NULL;
    void *state = NULL;
    int err = ss__app_settings_new(app, given, given_count, &settings, failure);
    if (err != 0) {
        return err;
    }
    struct ss_registry *registry = ss_registry_new();
    if (registry == NULL) {
        ss__app_settings_free(settings);
        return ss__fail(failure, SS_E_NOMEM, "out of memory");
    }
    registry->watch = &watch;
    err = app->init(registry, settings, &state);
    if (err != 0) {
        const char *reason = ss_registry_error(registry);
        (void)ss__fail(failure, err, "application \"%.40s\" cannot register: %.180s", app->name,
                       reason[0] != '\0' ? reason : ss_error_text(err));
    } else {
        if (app->deinit != NULL) {
            app->deinit(state);
        }
        err = all->err != 0 ? all->err : all->sets.err;
        if (err != 0) {
            (void)ss__fail(failure, err, "out of memory");
        }
    }
    ss_registry_free(registry);
    ss__app_settings_free(settings);
    return err;
}
