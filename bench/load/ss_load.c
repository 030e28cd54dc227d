/* ss-load: puts a running server under load and checks every frame. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "load/report.h"

enum { EXIT_BROKEN = 1, EXIT_USAGE = 2 };

static int write_json(const struct ss_load_options *options, const struct ss_load_result *result)
{
    bool to_stdout = strcmp(options->json, "-") == 0;
    FILE *out = to_stdout ? stdout : fopen(options->json, "we");
    if (out == NULL) {
        fprintf(stderr, "ss-load: \"%s\" cannot be written\n", options->json);
        return EXIT_USAGE;
    }
    ss__load_report_json(options, result, out);
    bool good = !ferror(out) && (to_stdout ? fflush(out) : fclose(out)) == 0;
    if (!good) {
        fprintf(stderr, "ss-load: \"%s\" cannot be written\n", options->json);
    }
    return good ? 0 : EXIT_USAGE;
}

int main(int argc, char **argv)
{
    static struct ss_load_options options;
    struct ss_failure failure = { 0 };
    bool help;
    if (ss__load_options_read(argc, argv, &options, &help, &failure) != 0) {
        fprintf(stderr, "ss-load: %s\n", failure.text);
        return EXIT_USAGE;
    }
    if (help) {
        fputs(ss__load_help, stdout);
        return 0;
    }
    (void)signal(SIGPIPE, SIG_IGN);    /* a lost connection is told by its write */
    struct ss_load_result *result = calloc(1, sizeof *result);
    if (result == NULL || ss__load_run(&options, result, &failure) != 0) {
        fprintf(stderr, "ss-load: %s\n", result == NULL ? "out of memory" : failure.text);
        free(result);
        return EXIT_USAGE;
    }
    bool json_only = options.json != NULL && strcmp(options.json, "-") == 0;
    ss__load_report_text(&options, result, json_only ? stderr : stdout);
    int status = options.json == NULL ? 0 : write_json(&options, result);
    status = ss__load_good(&options, result) ? status : EXIT_BROKEN;
    free(result);
    return status;
}
