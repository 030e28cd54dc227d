#include "server/app_module.h"

#include <ctype.h>
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define SYMBOL "ss_app_v1"
#define APP_NAME_BYTES_MAX 64

/* What of a path a message shows: its end says more than its beginning. */
#define SHOWN_BYTES_MAX 80

struct shown {
    const char *dots;
    const char *text;
};

static struct shown show_path(const char *path)
{
    size_t len = strlen(path);
    if (len <= SHOWN_BYTES_MAX) {
        return (struct shown){ "", path };
    }
    const char *text = path + len - SHOWN_BYTES_MAX;
    while (((unsigned char)*text & 0xC0) == 0x80) {    /* begin with a whole character */
        text++;
    }
    return (struct shown){ "...", text };
}

bool ss__app_module_is_path(const char *name)
{
    size_t len = strlen(name);
    return strchr(name, '/') != NULL || (len >= 3 && strcmp(name + len - 3, ".so") == 0);
}

/* The loader's own words for these are about libraries and search paths. */
static int check_file(const char *path, struct shown shown, struct ss_failure *failure)
{
    struct stat found;
    if (stat(path, &found) != 0) {
        return errno == ENOENT
                   ? ss__fail(failure, SS_E_CONFIG,
                              "there is no file \"%s%s\"; give --app the path of the module that "
                              "was built, or the name of a built-in application",
                              shown.dots, shown.text)
                   : ss__fail(failure, SS_E_CONFIG, "the module \"%s%s\" cannot be read: %s",
                              shown.dots, shown.text, strerrordesc_np(errno));
    }
    if (!S_ISREG(found.st_mode)) {
        return ss__fail(failure, SS_E_CONFIG,
                        "\"%s%s\" is not a file; give --app the path of a module (.so)",
                        shown.dots, shown.text);
    }
    return 0;
}

static int open_module(const char *path, struct shown shown, void **ret_handle,
                       struct ss_failure *failure)
{
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (handle != NULL) {
        *ret_handle = handle;
        return 0;
    }
    const char *reason = dlerror();
    size_t path_len = strlen(path);
    if (reason == NULL) {
        reason = "the loader gives no reason";
    } else if (strncmp(reason, path, path_len) == 0 && strncmp(reason + path_len, ": ", 2) == 0) {
        reason += path_len + 2;
    }
    return ss__fail(failure, SS_E_CONFIG,
                    "\"%s%s\" cannot be loaded: %.90s; build it for sessionstream " SS_VERSION
                    " on this machine with sessionstream_add_app",
                    shown.dots, shown.text, reason);
}

/* Names stand in logs and messages without quotes. */
static bool name_is_word(const char *name)
{
    size_t len = strnlen(name, APP_NAME_BYTES_MAX + 1);
    for (size_t i = 0; i < len; i++) {
        if (!isalnum((unsigned char)name[i]) && strchr("._-", name[i]) == NULL) {
            return false;
        }
    }
    return len > 0 && len <= APP_NAME_BYTES_MAX;
}

/* Nothing but the abi may be read before it is known to be ours. */
static int check_app(const struct ss_app *app, struct shown shown, struct ss_failure *failure)
{
    if (app->abi != SS_APP_ABI) {
        return ss__fail(failure, SS_E_CONFIG,
                        "\"%s%s\" was built for application ABI %u, this is sessionstreamd "
                        SS_VERSION " with ABI %d; build it again with the headers of this version",
                        shown.dots, shown.text, app->abi, SS_APP_ABI);
    }
    if (app->name == NULL || !name_is_word(app->name)) {
        return ss__fail(failure, SS_E_CONFIG,
                        "\"%s%s\" has no usable name; set ss_app_v1.name to 1 to %d letters, "
                        "digits, '.', '_' or '-'",
                        shown.dots, shown.text, APP_NAME_BYTES_MAX);
    }
    if (app->init == NULL) {
        return ss__fail(failure, SS_E_CONFIG,
                        "\"%s%s\" registers nothing; set ss_app_v1.init to the function that does",
                        shown.dots, shown.text);
    }
    return 0;
}

int ss__app_module_load(const char *path, const struct ss_app **ret_app,
                        struct ss_failure *failure)
{
    char local[PATH_MAX];
    struct shown shown = show_path(path);
    void *handle = NULL;
    if (strchr(path, '/') == NULL) {    /* dlopen would search the library directories */
        (void)snprintf(local, sizeof local, "./%s", path);
        path = local;
    }
    int err = check_file(path, shown, failure);
    if (err == 0) {
        err = open_module(path, shown, &handle, failure);
    }
    if (err != 0) {
        return err;
    }
    const struct ss_app *app = dlsym(handle, SYMBOL);
    if (app == NULL) {
        return ss__fail(failure, SS_E_CONFIG,
                        "\"%s%s\" is no application: it has no symbol " SYMBOL
                        "; define const struct ss_app " SYMBOL " (sessionstream/app.h)",
                        shown.dots, shown.text);
    }
    err = check_app(app, shown, failure);
    if (err == 0) {
        *ret_app = app;
    }
    return err;
}
