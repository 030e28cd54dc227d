#include "lint/options.h"

#include <stdlib.h>
#include <string.h>

enum flag { APP, APP_OPTION, PREVIOUS, SAVE, RULE, IGNORE, SOURCE_ROOT, WITH_CLIENTS, JSON, QUIET,
            RULES, VERSION, HELP, FLAG_COUNT };

static const struct {
    const char *name;
    const char *placeholder;    /* "": takes no value */
    const char *help;
} flags[FLAG_COUNT] = {
    [APP] = { "app", "APP", "a built-in application, or the path of a module (.so)" },
    [APP_OPTION] = { "app-option", "KEY=VALUE", "an option of the application; may be repeated" },
    [PREVIOUS] = { "previous", "FILE", "the set of what is in use, from --save or from protoc" },
    [SAVE] = { "save", "FILE",
               "unless there are errors, write there what the next --previous needs" },
    [RULE] = { "rule", "RULE[@SYMBOL]=LEVEL",
               "off, warn or error, for all or for one symbol; may be repeated" },
    [IGNORE] = { "ignore", "PREFIX", "leave out .proto files that begin so; may be repeated" },
    [SOURCE_ROOT] = { "source-root", "DIR", "goes before the names of .proto files" },
    [WITH_CLIENTS] = { "with-clients", "",
                       "compare commands and UI events as strictly as stored types" },
    [JSON] = { "json", "", "print one JSON object" },
    [QUIET] = { "quiet", "", "print errors only" },
    [RULES] = { "rules", "", "list the rules" },
    [VERSION] = { "version", "", "print the version" },
    [HELP] = { "help", "", "print this" },
};

void ss__lint_print_help(FILE *out)
{
    fprintf(out, "Usage: ss-lint [OPTION]... [SET]...\n\n"
                 "Checks the message types of an application against the schema policy. A SET is\n"
                 "a FileDescriptorSet: protoc --include_imports --include_source_info\n"
                 "--descriptor_set_out=SET. With --app, the application's own sets count and a\n"
                 "SET gives the places of what is found; without, every message counts as\n"
                 "stored.\n\n");
    for (size_t i = 0; i < FLAG_COUNT; i++) {
        char left[48];
        (void)snprintf(left, sizeof left, "--%s %s", flags[i].name, flags[i].placeholder);
        fprintf(out, "  %-28s  %s\n", left, flags[i].help);
    }
    fprintf(out, "\nExit status 0: no errors, 1: errors, 2: bad arguments or unreadable input.\n");
}

static int refuse(struct ss_failure *failure, const char *arg, const char *sentence)
{
    return ss__fail(failure, SS_E_CONFIG, "%.80s: %s", arg, sentence);
}

static int add(char ***list, size_t *count, char *text)
{
    char **longer = realloc(*list, (*count + 1) * sizeof *longer);
    if (longer == NULL) {
        return SS_E_NOMEM;
    }
    longer[(*count)++] = text;
    *list = longer;
    return 0;
}

static int apply(struct ss_lint_options *options, enum flag flag, char *value,
                 struct ss_failure *failure)
{
    switch (flag) {
    case APP:
        options->app = value;
        return 0;
    case APP_OPTION:
        return add(&options->app_options, &options->app_option_count, value);
    case PREVIOUS:
        options->previous = value;
        return 0;
    case SAVE:
        options->save = value;
        return 0;
    case RULE:
        return ss__lint_rules_set(&options->rules, value, failure);
    case IGNORE:
        return add(&options->ignored, &options->ignored_count, value);
    case SOURCE_ROOT:
        options->source_root = value;
        return 0;
    case WITH_CLIENTS:
        options->with_clients = true;
        return 0;
    case JSON:
        options->json = true;
        return 0;
    case QUIET:
        options->quiet = true;
        return 0;
    case RULES:
        options->action = SS_LINT_LIST_RULES;
        return 0;
    case VERSION:
        options->action = SS_LINT_VERSION;
        return 0;
    default:
        options->action = SS_LINT_HELP;
        return 0;
    }
}

/* Applies the flag at argv[*at] and moves behind it and its value. */
static int parse_flag(char *const *argv, size_t *at, struct ss_lint_options *options,
                      struct ss_failure *failure)
{
    char *arg = argv[(*at)++];
    char *equals = strchr(arg, '=');
    size_t len = (equals == NULL ? strlen(arg) : (size_t)(equals - arg)) - 2;
    size_t flag = 0;
    while (flag < FLAG_COUNT && !ss_str_equal(ss_str(flags[flag].name), ss_str_of(arg + 2, len))) {
        flag++;
    }
    if (flag == FLAG_COUNT) {
        return refuse(failure, arg, "unknown option; see --help");
    }
    char *value = NULL;
    if (flags[flag].placeholder[0] == '\0') {
        if (equals != NULL) {
            return refuse(failure, arg, "takes no value");
        }
    } else if (equals != NULL) {
        value = equals + 1;
    } else if (argv[*at] == NULL) {
        return refuse(failure, arg, "needs a value");
    } else {
        value = argv[(*at)++];
    }
    return apply(options, (enum flag)flag, value, failure);
}

int ss__lint_options_parse(char *const *argv, struct ss_lint_options *options,
                           struct ss_failure *failure)
{
    bool only_sets = false;
    int err = 0;
    *options = (struct ss_lint_options){ 0 };
    ss__lint_rules_init(&options->rules);
    for (size_t at = 1; err == 0 && argv[0] != NULL && argv[at] != NULL;) {
        char *arg = argv[at];
        if (!only_sets && strcmp(arg, "--") == 0) {
            only_sets = true;
            at++;
        } else if (!only_sets && strcmp(arg, "-h") == 0) {
            options->action = SS_LINT_HELP;
            at++;
        } else if (!only_sets && strncmp(arg, "--", 2) == 0) {
            err = parse_flag(argv, &at, options, failure);
        } else if (!only_sets && arg[0] == '-') {
            err = refuse(failure, arg, "unknown option; see --help");
        } else {
            err = add(&options->sets, &options->set_count, arg);
            at++;
        }
    }
    if (err == SS_E_NOMEM) {
        return ss__fail(failure, err, "out of memory");
    }
    if (err == 0 && options->action == SS_LINT_RUN && options->app == NULL &&
        options->set_count == 0) {
        return ss__fail(failure, SS_E_CONFIG,
                        "nothing to look at: give --app or a SET; see --help");
    }
    return err;
}

void ss__lint_options_deinit(struct ss_lint_options *options)
{
    free(options->app_options);
    free(options->ignored);
    free(options->sets);
    ss__lint_rules_deinit(&options->rules);
}
