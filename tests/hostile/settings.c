#include "settings.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

static const char help[] =
    "usage: hostile --daemon FILE [OPTION...]\n"
    "Clients that mean harm against a sessionstreamd of its own, one scenario after the other.\n"
    "Each measures well-behaved clients before, during and after, watches the memory, the\n"
    "descriptors and the gauges of the daemon, and checks what each offender is answered.\n"
    "\n"
    "  --daemon FILE       the program\n"
    "  --scenario NAME     only this one; also overload, standstill and storm, which are no\n"
    "                      part of the rest\n"
    "  --group NAME        only those of connections, frames, readers, sessions or malformed\n"
    "  --list              print the scenarios\n"
    "  --seconds N         of each measured phase (3)\n"
    "  --scale F           times every count and rate (1)\n"
    "  --ratio F           largest ratio of the latencies (p99) of well-behaved clients, with\n"
    "                      offenders over without; 0: only print it (1.5)\n"
    "  --rounds N          runs of each scenario of which the median of the ratios is judged, an odd\n"
    "                      number; it ends when more than half are on one side (5)\n"
    "  --patience MS       how late an answer may be that is due in some time (3000)\n"
    "  --jobs N            scenarios that run at the same time, for checks without --ratio (1)\n"
    "  --durability MODE   of the daemon (fsync)\n"
    "  --connections N     of the storm (15000)\n"
    "  --in-step           the clients of slow-headers, slow-bodies and slow-imports all send at\n"
    "                      the same moments, not spread over the 100 ms between their bytes;\n"
    "                      those of half-closed all end their side at one\n"
    "  --flag NAME=VALUE   one more option of the daemon, such as log-level=debug\n"
    "  --verbose           show what the daemon logs\n"
    "\n"
    "Exit status: 0, 1 something was not as promised, 2 it could not run.\n";

enum { OPTION_DAEMON = 256, OPTION_SCENARIO, OPTION_GROUP, OPTION_LIST, OPTION_SECONDS, OPTION_SCALE,
       OPTION_RATIO, OPTION_ROUNDS, OPTION_PATIENCE, OPTION_DURABILITY, OPTION_CONNECTIONS, OPTION_JOBS, OPTION_IN_STEP,
       OPTION_FLAG, OPTION_VERBOSE, OPTION_HELP };

static const struct option long_options[] = {
    { "daemon", required_argument, NULL, OPTION_DAEMON },
    { "scenario", required_argument, NULL, OPTION_SCENARIO },
    { "group", required_argument, NULL, OPTION_GROUP },
    { "list", no_argument, NULL, OPTION_LIST },
    { "seconds", required_argument, NULL, OPTION_SECONDS },
    { "scale", required_argument, NULL, OPTION_SCALE },
    { "ratio", required_argument, NULL, OPTION_RATIO },
    { "rounds", required_argument, NULL, OPTION_ROUNDS },
    { "patience", required_argument, NULL, OPTION_PATIENCE },
    { "durability", required_argument, NULL, OPTION_DURABILITY },
    { "connections", required_argument, NULL, OPTION_CONNECTIONS },
    { "jobs", required_argument, NULL, OPTION_JOBS },
    { "in-step", no_argument, NULL, OPTION_IN_STEP },
    { "flag", required_argument, NULL, OPTION_FLAG },
    { "verbose", no_argument, NULL, OPTION_VERBOSE },
    { "help", no_argument, NULL, OPTION_HELP },
    { NULL, 0, NULL, 0 },
};

static double number(const char *name, double max)
{
    char *end;
    double value = strtod(optarg, &end);
    if (end == optarg || *end != '\0' || !(value >= 0) || value > max) {
        (void)fprintf(stderr, "hostile: --%s is \"%s\"; give a number from 0 to %.0f\n", name,
                      optarg, max);
        exit(2);
    }
    return value;
}

/* "name=value" becomes "--name" and "value". */
static void read_flag(struct settings *settings)
{
    static char flag[128];
    static char value[128];
    if (sscanf(optarg, "%100[^=]=%127s", flag + 2, value) != 2) {
        (void)fprintf(stderr, "hostile: --flag is \"%s\"; give NAME=VALUE\n", optarg);
        exit(2);
    }
    flag[0] = flag[1] = '-';
    settings->extra_flag = flag;
    settings->extra_value = value;
}

static void read_option(struct settings *settings, int option)
{
    switch (option) {
    case OPTION_DAEMON:
        settings->daemon = optarg;
        break;
    case OPTION_SCENARIO:
        settings->scenario = optarg;
        break;
    case OPTION_LIST:
        settings->list = true;
        break;
    case OPTION_SECONDS:
        settings->seconds = number("seconds", 1e5);
        break;
    case OPTION_SCALE:
        settings->scale = number("scale", 1000);
        break;
    case OPTION_RATIO:
        settings->ratio_max = number("ratio", 1e6);
        break;
    case OPTION_ROUNDS:
        settings->rounds = (uint32_t)number("rounds", 999) | 1;
        break;
    case OPTION_PATIENCE:
        settings->patience_ms = (uint32_t)number("patience", 1e6);
        break;
    case OPTION_GROUP:
        settings->group = optarg;
        break;
    case OPTION_DURABILITY:
        settings->durability = optarg;
        break;
    case OPTION_CONNECTIONS:
        settings->connections = (uint32_t)number("connections", 1e6);
        break;
    case OPTION_JOBS:
        settings->jobs = (uint32_t)number("jobs", 64);
        break;
    case OPTION_IN_STEP:
        settings->in_step = true;
        break;
    case OPTION_FLAG:
        read_flag(settings);
        break;
    case OPTION_VERBOSE:
        settings->verbose = true;
        break;
    case OPTION_HELP:
        (void)fputs(help, stdout);
        exit(0);
    default:
        (void)fputs("hostile: see --help\n", stderr);
        exit(2);
    }
}

void settings_read(int argc, char **argv, struct settings *ret_settings)
{
    *ret_settings = (struct settings){ .durability = "fsync", .seconds = 3, .scale = 1,
                                       .ratio_max = 1.5, .rounds = 5, .patience_ms = 3000,
                                       .connections = 15000, .jobs = 1 };
    for (int option; (option = getopt_long(argc, argv, "", long_options, NULL)) != -1;) {
        read_option(ret_settings, option);
    }
    if (optind < argc || (ret_settings->daemon == NULL && !ret_settings->list)) {
        (void)fputs("hostile: give --daemon FILE and nothing but options; see --help\n", stderr);
        exit(2);
    }
}

uint32_t settings_count(const struct settings *settings, uint32_t count)
{
    double scaled = count * settings->scale;
    return scaled < 1 ? 1 : (uint32_t)scaled;
}
