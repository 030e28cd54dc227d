#include "lint/lint.h"

#include <errno.h>
#include <string.h>

#include "lint/check.h"
#include "lint/collect.h"
#include "lint/options.h"
#include "lint/report.h"
#include "server/apps.h"
#include "server/file_bytes.h"
#include "server/schema_file.h"

/* All that one run reads. */
struct job {
    const struct ss_lint_options *options;
    struct ss_lint_set set;
    struct ss_lint_registrations registrations;
    struct ss_lint_set previous;
    struct ss_lint_registrations previous_registrations;
    struct ss_lint_findings findings;
    struct ss_failure failure;
};

static void init_job(struct job *job, const struct ss_lint_options *options)
{
    *job = (struct job){ .options = options };
    ss__lint_set_init(&job->set);
    ss__lint_set_init(&job->previous);
    ss__lint_registrations_init(&job->registrations);
    ss__lint_registrations_init(&job->previous_registrations);
    ss__lint_findings_init(&job->findings, &options->rules);
}

static void deinit_job(struct job *job)
{
    ss__lint_findings_deinit(&job->findings);
    ss__lint_registrations_deinit(&job->previous_registrations);
    ss__lint_registrations_deinit(&job->registrations);
    ss__lint_set_deinit(&job->previous);
    ss__lint_set_deinit(&job->set);
}

/* Adds the set in the file at @path; @registrations, unless NULL, gets the names saved in it. */
static int read_set(struct job *job, const char *path, struct ss_lint_set *set,
                    struct ss_lint_registrations *registrations)
{
    struct ss_bytes bytes;
    struct ss_failure reason = { 0 };
    ss__bytes_init(&bytes, SS_SCHEMA_FILE_BYTES_MAX);
    int err = ss__file_bytes_load(path, &bytes, &reason);
    if (err != 0) {
        err = ss__fail(&job->failure, err, "%.100s %.150s", path, reason.text);
    } else if (bytes.len == 0) {
        err = ss__fail(&job->failure, SS_E_SCHEMA, "%.100s is empty", path);
    } else {
        err = ss__lint_set_add(set, ss__bytes_view(&bytes), &reason);
        if (err == 0 && registrations != NULL) {
            err = ss__lint_registrations_read(registrations, ss__bytes_view(&bytes));
            (void)ss__fail(&reason, err, "too many registered names");
        }
        if (err != 0) {
            (void)ss__fail(&job->failure, err, "%.100s: %.150s", path, reason.text);
        }
    }
    ss__bytes_deinit(&bytes);
    return err;
}

static int read_app(struct job *job)
{
    const struct ss_lint_options *options = job->options;
    const struct ss_app *app = NULL;
    int err = ss__app_find(options->app, &app, &job->failure);
    if (err == 0) {
        err = ss__lint_collect(&job->registrations, app, options->app_options,
                               options->app_option_count, &job->failure);
    }
    if (err == 0) {
        err = ss__lint_set_add(&job->set, ss__bytes_view(&job->registrations.sets),
                               &job->failure);
    }
    return err;
}

static void ignore_files(struct job *job, struct ss_lint_set *set)
{
    for (struct ss_lint_file *file = set->files; file != NULL; file = file->next) {
        for (size_t i = 0; i < job->options->ignored_count; i++) {
            const char *prefix = job->options->ignored[i];
            size_t len = strlen(prefix);
            file->foreign = file->foreign || (file->name.len >= len &&
                                              memcmp(file->name.data, prefix, len) == 0);
        }
    }
}

static int read_all(struct job *job)
{
    const struct ss_lint_options *options = job->options;
    int err = options->app != NULL ? read_app(job) : 0;
    for (size_t i = 0; err == 0 && i < options->set_count; i++) {
        err = read_set(job, options->sets[i], &job->set,
                       options->app == NULL ? &job->registrations : NULL);
    }
    if (err == 0 && options->previous != NULL) {
        err = read_set(job, options->previous, &job->previous, &job->previous_registrations);
    }
    if (err == 0) {
        err = ss__lint_set_parse(&job->set, &job->failure);
    }
    if (err == 0) {
        err = ss__lint_set_parse(&job->previous, &job->failure);
    }
    ignore_files(job, &job->set);
    ignore_files(job, &job->previous);
    return err;
}

static void check_all(struct job *job)
{
    const struct ss_lint_input input = {
        .set = &job->set,
        .registrations = &job->registrations,
        .previous = job->options->previous != NULL ? &job->previous : NULL,
        .previous_registrations = &job->previous_registrations,
        .with_clients = job->options->with_clients,
        .findings = &job->findings,
    };
    ss__lint_mark(&input);
    ss__lint_check_registrations(&input);
    ss__lint_check_declarations(&input);
    ss__lint_check_previous(&input);
    ss__lint_findings_sort(&job->findings);
}

static int save(struct job *job)
{
    struct ss_bytes bytes;
    ss__bytes_init(&bytes, 0);
    ss__lint_set_write(&job->set, &bytes);
    ss__lint_registrations_write(&job->registrations, &bytes);
    int err = bytes.err;
    FILE *file = err == 0 ? fopen(job->options->save, "we") : NULL;
    if (err == 0 && file == NULL) {
        err = ss__fail(&job->failure, SS_E_IO, "%.100s cannot be written: %s", job->options->save,
                       strerrordesc_np(errno));
    } else if (err == 0) {
        size_t written = fwrite(bytes.data, 1, bytes.len, file);
        if (fclose(file) != 0 || written != bytes.len) {
            err = ss__fail(&job->failure, SS_E_IO, "%.100s was not written to its end: %s",
                           job->options->save, strerrordesc_np(errno));
        }
    } else {
        (void)ss__fail(&job->failure, err, "out of memory");
    }
    ss__bytes_deinit(&bytes);
    return err;
}

static int report(struct job *job, FILE *out)
{
    const struct ss_lint_options *options = job->options;
    struct ss_bytes text;
    ss__bytes_init(&text, 0);
    if (options->json) {
        ss__lint_report_json(&job->findings, options->source_root, &text);
    } else {
        ss__lint_report_text(&job->findings, options->source_root, options->quiet, &text);
    }
    int err = job->findings.err != 0 ? job->findings.err : text.err;
    if (err != 0) {
        (void)ss__fail(&job->failure, err, "out of memory");
    } else if ((text.len > 0 && fwrite(text.data, 1, text.len, out) != text.len) ||
               fflush(out) != 0) {
        err = ss__fail(&job->failure, SS_E_IO, "the report cannot be written");
    }
    ss__bytes_deinit(&text);
    return err;
}

static int run(const struct ss_lint_options *options, FILE *out, FILE *err_out)
{
    struct job job;
    init_job(&job, options);
    int err = read_all(&job);
    if (err == 0) {
        check_all(&job);
        err = report(&job, out);
    }
    /* A set with errors must not become what the next run compares with. */
    if (err == 0 && options->save != NULL && job.findings.errors == 0) {
        err = save(&job);
    }
    int status = job.findings.errors > 0 ? SS_LINT_FOUND : SS_LINT_CLEAN;
    if (err != 0) {
        fprintf(err_out, "ss-lint: %s: %s\n", ss_error_wire_name(err),
                job.failure.text[0] != '\0' ? job.failure.text : ss_error_text(err));
        status = SS_LINT_UNREADABLE;
    }
    deinit_job(&job);
    return status;
}

static void print_rules(const struct ss_lint_rules *rules, FILE *out)
{
    for (size_t i = 0; i < SS_LINT_RULE_COUNT; i++) {
        fprintf(out, "%-20s %-5s  %s\n", ss__lint_rule_word((enum ss_lint_rule)i),
                ss__lint_level_word(rules->levels[i]), ss__lint_rule_text((enum ss_lint_rule)i));
    }
}

int ss__lint_main(char *const *argv, FILE *out, FILE *err)
{
    struct ss_lint_options options;
    struct ss_failure failure = { 0 };
    int status = SS_LINT_CLEAN;
    if (ss__lint_options_parse(argv, &options, &failure) != 0) {
        fprintf(err, "ss-lint: %s\n", failure.text);
        status = SS_LINT_UNREADABLE;
    } else if (options.action == SS_LINT_HELP) {
        ss__lint_print_help(out);
    } else if (options.action == SS_LINT_LIST_RULES) {
        print_rules(&options.rules, out);
    } else if (options.action == SS_LINT_VERSION) {
        fprintf(out, "ss-lint " SS_VERSION "\n");
    } else {
        status = run(&options, out, err);
    }
    ss__lint_options_deinit(&options);
    return status;
}
