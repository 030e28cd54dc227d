#include "load/options.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "load/dialect.h"

const char ss__load_help[] =
    "usage: ss-load --url ws://HOST:PORT [OPTION...]\n"
    "Puts sessionstreamd --app bench under load over websockets and checks every frame.\n"
    "\n"
    "  --url URL           the server; several: connections are spread over them\n"
    "  --sessions N        sessions (1)\n"
    "  --followers M       followers of each session (1)\n"
    "  --publishers P      connections that publish; sessions are spread over them (by sessions,\n"
    "                      at most 16); 0: none\n"
    "  --rate R            messages a second in all, at even intended times; latency counts from\n"
    "                      these, however late the generator is\n"
    "  --window W          instead of a rate: W messages in flight in all; the next one is sent\n"
    "                      when all followers have one, or without followers when it is\n"
    "                      durable (1)\n"
    "  --payload BYTES     of a message (100)\n"
    "  --entities N        entities of a session that are replaced in turn (1); the server must\n"
    "                      run with at least as many (--app-option entities=N)\n"
    "  --duration S        seconds that are measured (10)\n"
    "  --warmup S          seconds before that (1)\n"
    "  --ramp S            followers join at random moments of the first S seconds, while\n"
    "                      messages are published at a rate (0: all join first)\n"
    "  --churn R           followers a second that leave and come back (0)\n"
    "  --encoding E        json or protobuf (json)\n"
    "  --protocol P        sessionstream, or that of another server to compare with: nchan (on\n"
    "                      nginx), mqtt, nats, redis (XADD; with --followers 0); what these lose\n"
    "                      is counted, and no broken promise (sessionstream)\n"
    "  --threads T         of the generator (half of the processors)\n"
    "  --fold              at the end compare the entities that each follower worked out from its\n"
    "                      snapshot and frames with a new snapshot\n"
    "  --drain S           how long the last frames may take (10)\n"
    "  --prefix NAME       sessions are called NAME-0, NAME-1, ... (load)\n"
    "  --server-pid PID    report processor time and memory of the server, too\n"
    "  --json FILE         write the result, with histograms; - is standard output\n"
    "  --quiet             no progress\n"
    "\n"
    "Exit status: 0, 1 the server broke a promise (gap, repeat, order, lost, wrong snapshot),\n"
    "2 bad options or no server.\n";

#define RATE_MIN 0.001

enum { OPTION_FIRST = 256, OPTION_URL = OPTION_FIRST, OPTION_SESSIONS, OPTION_FOLLOWERS,
       OPTION_PUBLISHERS, OPTION_RATE, OPTION_WINDOW, OPTION_PAYLOAD, OPTION_ENTITIES,
       OPTION_DURATION, OPTION_WARMUP, OPTION_RAMP, OPTION_CHURN, OPTION_ENCODING,
       OPTION_PROTOCOL, OPTION_THREADS, OPTION_FOLD, OPTION_DRAIN, OPTION_PREFIX,
       OPTION_SERVER_PID, OPTION_JSON, OPTION_QUIET, OPTION_HELP };

static const struct option long_options[] = {
    { "url", required_argument, NULL, OPTION_URL },
    { "sessions", required_argument, NULL, OPTION_SESSIONS },
    { "followers", required_argument, NULL, OPTION_FOLLOWERS },
    { "publishers", required_argument, NULL, OPTION_PUBLISHERS },
    { "rate", required_argument, NULL, OPTION_RATE },
    { "window", required_argument, NULL, OPTION_WINDOW },
    { "payload", required_argument, NULL, OPTION_PAYLOAD },
    { "entities", required_argument, NULL, OPTION_ENTITIES },
    { "duration", required_argument, NULL, OPTION_DURATION },
    { "warmup", required_argument, NULL, OPTION_WARMUP },
    { "ramp", required_argument, NULL, OPTION_RAMP },
    { "churn", required_argument, NULL, OPTION_CHURN },
    { "encoding", required_argument, NULL, OPTION_ENCODING },
    { "protocol", required_argument, NULL, OPTION_PROTOCOL },
    { "threads", required_argument, NULL, OPTION_THREADS },
    { "fold", no_argument, NULL, OPTION_FOLD },
    { "drain", required_argument, NULL, OPTION_DRAIN },
    { "prefix", required_argument, NULL, OPTION_PREFIX },
    { "server-pid", required_argument, NULL, OPTION_SERVER_PID },
    { "json", required_argument, NULL, OPTION_JSON },
    { "quiet", no_argument, NULL, OPTION_QUIET },
    { "help", no_argument, NULL, OPTION_HELP },
    { NULL, 0, NULL, 0 },
};

struct reading {
    struct ss_load_options *options;
    struct ss_failure *failure;
    bool publishers_given;
    bool encoding_given;
    const struct ss_load_dialect *peer;    /* of --protocol; NULL: sessionstream */
};

static const char *name_of(int option)
{
    return long_options[option - OPTION_FIRST].name;
}

static int read_number(struct reading *reading, int option, uint32_t min, uint32_t max,
                       uint32_t *ret_value)
{
    char *end;
    errno = 0;
    unsigned long value = strtoul(optarg, &end, 10);
    if (errno != 0 || *end != '\0' || optarg[0] < '0' || optarg[0] > '9' || value < min ||
        value > max) {
        return ss__fail(reading->failure, SS_E_CONFIG,
                        "--%s is \"%.40s\"; give a whole number from %u to %u", name_of(option),
                        optarg, min, max);
    }
    *ret_value = (uint32_t)value;
    return 0;
}

static int read_real(struct reading *reading, int option, double max, double *ret_value)
{
    char *end;
    double value = strtod(optarg, &end);
    if (end == optarg || *end != '\0' || !isfinite(value) || value < 0 || value > max) {
        return ss__fail(reading->failure, SS_E_CONFIG,
                        "--%s is \"%.40s\"; give a number from 0 to %.0f", name_of(option), optarg,
                        max);
    }
    *ret_value = value;
    return 0;
}

static int read_url(struct reading *reading)
{
    struct ss_load_options *options = reading->options;
    if (options->url_count == SS_LOAD_URLS_MAX) {
        return ss__fail(reading->failure, SS_E_CONFIG, "more than %d --url", SS_LOAD_URLS_MAX);
    }
    return ss__url_parse(optarg, &options->urls[options->url_count++], reading->failure);
}

static int read_encoding(struct reading *reading)
{
    const struct ss_load_dialect *found = ss__load_dialect_find(optarg);
    if (found == NULL || !found->numbered) {
        return ss__fail(reading->failure, SS_E_CONFIG,
                        "--encoding is \"%.40s\"; give json or protobuf", optarg);
    }
    reading->options->dialect = found;
    reading->encoding_given = true;
    return 0;
}

static int read_protocol(struct reading *reading)
{
    reading->peer = NULL;
    if (strcmp(optarg, "sessionstream") == 0) {
        return 0;
    }
    const struct ss_load_dialect *found = ss__load_dialect_find(optarg);
    if (found == NULL || found->numbered) {
        return ss__fail(reading->failure, SS_E_CONFIG, "--protocol is \"%.40s\"; give "
                        "sessionstream, nchan, mqtt, nats or redis", optarg);
    }
    reading->peer = found;
    return 0;
}

static int read_traffic(struct reading *reading, int option)
{
    struct ss_load_options *options = reading->options;
    switch (option) {
    case OPTION_SESSIONS:
        return read_number(reading, option, 1, SS_LOAD_SESSIONS_MAX, &options->sessions);
    case OPTION_FOLLOWERS:
        return read_number(reading, option, 0, 1000000, &options->followers);
    case OPTION_PUBLISHERS:
        reading->publishers_given = true;
        return read_number(reading, option, 0, 100000, &options->publishers);
    case OPTION_RATE:
        return read_real(reading, option, 1e8, &options->rate);
    case OPTION_WINDOW:
        return read_number(reading, option, 1, SS_LOAD_WINDOW_MAX, &options->window);
    case OPTION_PAYLOAD:
        return read_number(reading, option, 0, SS_LOAD_PAYLOAD_MAX, &options->payload);
    case OPTION_ENTITIES:
        return read_number(reading, option, 1, SS_LOAD_ENTITIES_MAX, &options->entities);
    case OPTION_DURATION:
        return read_real(reading, option, 1e6, &options->duration);
    case OPTION_WARMUP:
        return read_real(reading, option, 1e6, &options->warmup);
    case OPTION_RAMP:
        return read_real(reading, option, 1e6, &options->ramp);
    default:
        return read_real(reading, option, 1e6, &options->churn);
    }
}

static int read_option(struct reading *reading, int option)
{
    struct ss_load_options *options = reading->options;
    uint32_t pid = 0;
    int err = 0;
    switch (option) {
    case OPTION_URL:
        return read_url(reading);
    case OPTION_ENCODING:
        return read_encoding(reading);
    case OPTION_PROTOCOL:
        return read_protocol(reading);
    case OPTION_THREADS:
        return read_number(reading, option, 1, SS_LOAD_THREADS_MAX, &options->threads);
    case OPTION_DRAIN:
        return read_real(reading, option, 1e6, &options->drain);
    case OPTION_SERVER_PID:
        err = read_number(reading, option, 1, INT32_MAX, &pid);
        options->server_pid = (int32_t)pid;
        return err;
    case OPTION_FOLD:
        options->fold = true;
        return 0;
    case OPTION_PREFIX:
        options->prefix = optarg;
        return 0;
    case OPTION_JSON:
        options->json = optarg;
        return 0;
    case OPTION_QUIET:
        options->quiet = true;
        return 0;
    default:
        return read_traffic(reading, option);
    }
}

/* JSON takes the names as they are. */
static bool plain(const char *text)
{
    size_t len = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:");
    return len > 0 && len <= 100 && text[len] == '\0';
}

static int settle_peer(struct reading *reading)
{
    struct ss_load_options *options = reading->options;
    const char *name = reading->peer->name;
    if (reading->encoding_given) {
        return ss__fail(reading->failure, SS_E_CONFIG, "--encoding is of sessionstream; leave it "
                        "out with --protocol %s", name);
    }
    if (options->fold) {
        return ss__fail(reading->failure, SS_E_CONFIG, "--fold needs snapshots, which %s does not "
                        "have", name);
    }
    if (!reading->peer->follows && options->followers > 0) {
        return ss__fail(reading->failure, SS_E_CONFIG, "--protocol %s only publishes; give "
                        "--followers 0", name);
    }
    if (reading->peer->acks == SS_LOAD_ACKS_NONE && options->followers == 0 &&
        options->window > 0) {
        return ss__fail(reading->failure, SS_E_CONFIG, "%s answers to no publish: without "
                        "followers give a --rate", name);
    }
    options->dialect = reading->peer;
    return 0;
}

static int settle(struct reading *reading)
{
    struct ss_load_options *options = reading->options;
    if (options->url_count == 0) {
        return ss__fail(reading->failure, SS_E_CONFIG, "give the server with --url ws://HOST:PORT");
    }
    if (!plain(options->prefix)) {
        return ss__fail(reading->failure, SS_E_CONFIG, "--prefix takes 1 to 100 letters, digits "
                        "and - _ . :");
    }
    if (options->rate > 0 && options->rate < RATE_MIN) {
        return ss__fail(reading->failure, SS_E_CONFIG, "--rate is %g; give at least %g",
                        options->rate, RATE_MIN);
    }
    if (options->rate > 0 && options->window > 0) {
        return ss__fail(reading->failure, SS_E_CONFIG, "give --rate or --window, not both");
    }
    if (options->rate == 0 && (options->churn > 0 || options->ramp > 0)) {
        return ss__fail(reading->failure, SS_E_CONFIG, "--window counts all followers of a "
                        "message; with --ramp or --churn give a --rate");
    }
    if (!reading->publishers_given) {
        options->publishers = options->sessions < 16 ? options->sessions : 16;
    }
    if (options->publishers > options->sessions) {
        return ss__fail(reading->failure, SS_E_CONFIG, "%u publishers for %u sessions: a session "
                        "has one", options->publishers, options->sessions);
    }
    if (options->rate == 0 && options->window == 0) {
        options->window = 1;
    }
    if (options->window > 0 && options->publishers > options->window) {
        options->publishers = options->window;    /* each has a part of it */
    }
    return reading->peer == NULL ? 0 : settle_peer(reading);
}

int ss__load_options_read(int argc, char **argv, struct ss_load_options *ret_options,
                          bool *ret_help, struct ss_failure *failure)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    struct reading reading = { .options = ret_options, .failure = failure };
    *ret_help = false;
    *ret_options = (struct ss_load_options){
        .dialect = ss__load_dialect_find("json"), .prefix = "load", .sessions = 1, .followers = 1,
        .payload = 100, .entities = 1, .duration = 10, .warmup = 1, .drain = 10,
        .threads = processors >= 4 ? (uint32_t)(processors / 2) : 1,
    };
    if (ret_options->threads > SS_LOAD_THREADS_MAX) {
        ret_options->threads = SS_LOAD_THREADS_MAX;
    }
    int err = 0;
    opterr = 0;
    for (int option; err == 0 &&
                     (option = getopt_long(argc, argv, "", long_options, NULL)) != -1;) {
        if (option == OPTION_HELP) {
            *ret_help = true;
            return 0;
        }
        err = option < OPTION_FIRST ? ss__fail(failure, SS_E_CONFIG, "unknown option or missing "
                                               "value: \"%.60s\"; see --help", argv[optind - 1])
                                    : read_option(&reading, option);
    }
    if (err == 0 && optind < argc) {
        err = ss__fail(failure, SS_E_CONFIG, "\"%.60s\" belongs to no option", argv[optind]);
    }
    return err != 0 ? err : settle(&reading);
}
