/* ss-bench: the in-process benchmarks. Prints one JSON line per case and a table at the end. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "core/heap.h"

#define EXIT_USAGE 2

struct suite {
    const char *name;
    const char *summary;
    void (*run)(const struct ss_bench_options *options);
};

static const struct suite suites[] = {
    { "ceiling", "what the machine gives without the server: raw writes, syncs, bare commits",
      ss__bench_ceiling },
    { "inbox", "hand-off of messages between threads", ss__bench_inbox },
    { "store", "append with fsync, by events per commit", ss__bench_store },
    { "encode", "frames and snapshots as JSON and protobuf", ss__bench_encode },
    { "publish", "ordinal, log, both projections, frame and fsync in one shard",
      ss__bench_publish },
    { "ordinal", "submit to ordinal and to durable answer, at fixed rates", ss__bench_ordinal },
    { "recover", "opening a store by what it holds", ss__bench_recover },
};

#define SUITES (sizeof suites / sizeof *suites)

static void print_usage(FILE *out)
{
    fputs("usage: ss-bench [OPTION...] [SUITE...]\n"
          "  --dir DIR     where stores are made and removed (./bench-data)\n"
          "  --only TEXT   cases whose name holds TEXT\n"
          "  --quick       a tenth of the work\n"
          "  --big         also what needs a million sessions on disk\n"
          "  --list        print the names of the cases\n"
          "  --help\n"
          "Suites, all of them by default:\n", out);
    for (size_t i = 0; i < SUITES; i++) {
        fprintf(out, "  %-13s %s\n", suites[i].name, suites[i].summary);
    }
}

static const struct suite *find(const char *name)
{
    for (size_t i = 0; i < SUITES; i++) {
        if (strcmp(suites[i].name, name) == 0) {
            return &suites[i];
        }
    }
    return NULL;
}

enum { OPTION_DIR = 1, OPTION_ONLY, OPTION_QUICK, OPTION_BIG, OPTION_LIST, OPTION_HELP };

static const struct option long_options[] = {
    { "dir", required_argument, NULL, OPTION_DIR },
    { "only", required_argument, NULL, OPTION_ONLY },
    { "quick", no_argument, NULL, OPTION_QUICK },
    { "big", no_argument, NULL, OPTION_BIG },
    { "list", no_argument, NULL, OPTION_LIST },
    { "help", no_argument, NULL, OPTION_HELP },
    { NULL, 0, NULL, 0 },
};

static struct ss_bench_options read_options(int argc, char **argv)
{
    struct ss_bench_options options = { .dir = "bench-data", .scale = 10 };
    for (int option; (option = getopt_long(argc, argv, "", long_options, NULL)) != -1;) {
        switch (option) {
        case OPTION_DIR:
            options.dir = optarg;
            break;
        case OPTION_ONLY:
            options.only = optarg;
            break;
        case OPTION_QUICK:
            options.scale = 1;
            break;
        case OPTION_BIG:
            options.big = true;
            break;
        case OPTION_LIST:
            options.list = true;
            break;
        case OPTION_HELP:
            print_usage(stdout);
            exit(0);
        default:
            print_usage(stderr);
            exit(EXIT_USAGE);
        }
    }
    for (int i = optind; i < argc; i++) {
        if (find(argv[i]) == NULL) {
            fprintf(stderr, "ss-bench: there is no suite \"%s\"\n", argv[i]);
            print_usage(stderr);
            exit(EXIT_USAGE);
        }
    }
    return options;
}

int main(int argc, char **argv)
{
    ss__heap_keep();
    struct ss_bench_options options = read_options(argc, argv);
#if !defined(NDEBUG) || defined(SS_SANITIZED) || defined(SS_FAULTS)
    if (!options.list) {
        ss__bench_fail("this is a debug or sanitizer build, its figures mean nothing; use the "
                       "release preset");
    }
#endif
    if (!options.list) {
        ss__bench_print_machine(&options);
    }
    for (int i = optind; i < argc; i++) {
        find(argv[i])->run(&options);
    }
    for (size_t i = 0; i < SUITES && optind == argc; i++) {
        suites[i].run(&options);
    }
    if (!options.list) {
        ss__bench_table();
    }
    return 0;
}
