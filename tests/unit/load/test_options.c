#include "load/options.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include <sessionstream/error.h>

#include "load/dialect.h"
#include "ss_test.h"

#define ITEMS(array) (sizeof(array) / sizeof *(array))
#define WORDS_MAX 160

static struct ss_load_options options;
static struct ss_failure failure;
static bool help;

/* Words are separated by spaces. */
static int read_words(const char *words)
{
    static char text[8192];
    char *argv[WORDS_MAX + 1];
    int argc = 0;
    char *rest = NULL;
    char program[] = "ss-load";
    argv[argc++] = program;
    ss_check(strlen(words) < sizeof text);
    strcpy(text, words);
    for (char *word = strtok_r(text, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest)) {
        ss_check(argc < WORDS_MAX);
        argv[argc++] = word;
    }
    argv[argc] = NULL;
    optind = 0;    /* begin anew */
    failure = (struct ss_failure){ 0 };
    return ss__load_options_read(argc, argv, &options, &help, &failure);
}

SS_TEST(options, only_the_url_must_be_given)
{
    ss_check(read_words("--url ws://127.0.0.1:8080") == 0);
    ss_check(!help && options.url_count == 1);
    ss_check(strcmp(options.urls[0].host, "127.0.0.1") == 0);
    ss_check(strcmp(options.urls[0].port, "8080") == 0);
    ss_check(options.dialect == &ss__load_json && strcmp(options.prefix, "load") == 0);
    ss_check(options.sessions == 1 && options.followers == 1 && options.publishers == 1);
    ss_check(options.rate == 0 && options.window == 1);
    ss_check(options.payload == 100 && options.entities == 1);
    ss_check(options.duration == 10 && options.warmup == 1 && options.drain == 10);
    ss_check(options.ramp == 0 && options.churn == 0 && options.server_pid == 0);
    ss_check(options.threads >= 1 && options.threads <= SS_LOAD_THREADS_MAX);
    ss_check(!options.fold && !options.quiet && options.json == NULL);
}

SS_TEST(options, each_one_is_read)
{
    ss_check(read_words("--url ws://a:1 --url http://b --sessions 20 --followers 3 --publishers 4 "
                        "--rate 1.5 --payload 0 --entities 7 --duration 0.25 --warmup 0 --ramp 2 "
                        "--churn 3.5 --encoding protobuf --threads 5 --fold --drain 6 --prefix "
                        "a-b_c.D:9 --server-pid 42 --json - --quiet") == 0);
    ss_check(options.url_count == 2 && strcmp(options.urls[1].port, "80") == 0);
    ss_check(options.sessions == 20 && options.followers == 3 && options.publishers == 4);
    ss_check(options.rate == 1.5 && options.window == 0);
    ss_check(options.payload == 0 && options.entities == 7);
    ss_check(options.duration == 0.25 && options.warmup == 0 && options.ramp == 2);
    ss_check(options.churn == 3.5 && options.drain == 6 && options.threads == 5);
    ss_check(options.dialect == &ss__load_protobuf && options.fold && options.quiet);
    ss_check(strcmp(options.prefix, "a-b_c.D:9") == 0 && options.server_pid == 42);
    ss_check(strcmp(options.json, "-") == 0);
}

SS_TEST(options, a_protocol_of_another_server_takes_the_place_of_the_encoding)
{
    ss_check(read_words("--url ws://a --protocol nats") == 0);
    ss_check(options.dialect == &ss__load_nats);
    ss_check(read_words("--url ws://a --protocol redis --followers 0") == 0);
    ss_check(options.dialect == &ss__load_redis);
    ss_check(read_words("--url ws://a --protocol mqtt --followers 0 --rate 5") == 0);
    ss_check(read_words("--url ws://a --protocol nats --protocol sessionstream --encoding "
                        "protobuf") == 0);
    ss_check(options.dialect == &ss__load_protobuf);
}

SS_TEST(options, publishers_are_as_many_as_sessions_up_to_16)
{
    ss_check(read_words("--url ws://a --sessions 5 --rate 1") == 0 && options.publishers == 5);
    ss_check(read_words("--url ws://a --sessions 17 --rate 1") == 0 && options.publishers == 16);
    ss_check(read_words("--url ws://a --sessions 17 --rate 1 --publishers 17") == 0);
    ss_check(options.publishers == 17);
    ss_check(read_words("--url ws://a --publishers 0") == 0 && options.publishers == 0);
}

SS_TEST(options, no_more_publishers_than_the_window_has_messages)
{
    ss_check(read_words("--url ws://a --sessions 9 --window 4") == 0);
    ss_check(options.window == 4 && options.publishers == 4);
}

SS_TEST(options, help_needs_nothing_else)
{
    ss_check(read_words("--help") == 0 && help);
    ss_check(read_words("--sessions 3 --help --nonsense") == 0 && help);
}

SS_TEST(options, what_is_wrong_is_named)
{
    static const struct {
        const char *words;
        const char *text;
    } bad[] = {
        { "", "--url" },
        { "--sessions 2", "--url" },
        { "--url", "--url" },
        { "--url ftp://a", "ftp" },
        { "--url wss://a", "wss" },
        { "--url ws://a --speed 1", "--speed" },
        { "--url ws://a extra", "extra" },
        { "--url ws://a --sessions 0", "--sessions" },
        { "--url ws://a --sessions 10000001", "10000000" },
        { "--url ws://a --sessions -1", "--sessions" },
        { "--url ws://a --sessions 1x", "1x" },
        { "--url ws://a --sessions 99999999999999999999999", "--sessions" },
        { "--url ws://a --followers 1000001", "--followers" },
        { "--url ws://a --publishers 100001", "--publishers" },
        { "--url ws://a --publishers 2", "2 publishers for 1 sessions" },
        { "--url ws://a --rate fast", "--rate" },
        { "--url ws://a --rate -1", "--rate" },
        { "--url ws://a --rate nan", "--rate" },
        { "--url ws://a --rate inf", "--rate" },
        { "--url ws://a --rate 1e9", "--rate" },
        { "--url ws://a --rate 1e-300", "--rate" },
        { "--url ws://a --window 0", "--window" },
        { "--url ws://a --window 1000001", "--window" },
        { "--url ws://a --rate 1 --window 1", "--rate or --window" },
        { "--url ws://a --window 1 --churn 1", "--churn" },
        { "--url ws://a --window 1 --ramp 1", "--ramp" },
        { "--url ws://a --churn 1", "--rate" },
        { "--url ws://a --ramp 1", "--rate" },
        { "--url ws://a --payload 262145", "--payload" },
        { "--url ws://a --entities 0", "--entities" },
        { "--url ws://a --duration 1e7", "--duration" },
        { "--url ws://a --encoding xml", "xml" },
        { "--url ws://a --encoding nats", "nats" },
        { "--url ws://a --protocol json", "json" },
        { "--url ws://a --protocol amqp", "amqp" },
        { "--url ws://a --protocol mqtt --encoding json", "--encoding" },
        { "--url ws://a --protocol mqtt --fold", "--fold" },
        { "--url ws://a --protocol redis", "--followers 0" },
        { "--url ws://a --protocol nats --followers 0", "--rate" },
        { "--url ws://a --threads 65", "--threads" },
        { "--url ws://a --server-pid 0", "--server-pid" },
        { "--url ws://a --prefix a/b", "--prefix" },
    };
    for (size_t i = 0; i < ITEMS(bad); i++) {
        ss_check_msg(read_words(bad[i].words) == SS_E_CONFIG, "%s", bad[i].words);
        ss_check_msg(strstr(failure.text, bad[i].text) != NULL, "%s: %s", bad[i].words,
                     failure.text);
    }
}

SS_TEST(options, there_may_be_64_urls)
{
    char words[SS_LOAD_URLS_MAX * 16 + 32] = "";
    for (unsigned i = 0; i < SS_LOAD_URLS_MAX; i++) {
        strcat(words, "--url ws://a:1 ");
    }
    ss_check(read_words(words) == 0 && options.url_count == SS_LOAD_URLS_MAX);
    strcat(words, "--url ws://a:1");
    ss_check(read_words(words) == SS_E_CONFIG && strstr(failure.text, "--url") != NULL);
}

SS_TEST(options, the_help_names_every_option_that_is_read)
{
    static const char *const names[] = {
        "url", "sessions", "followers", "publishers", "rate", "window", "payload", "entities",
        "duration", "warmup", "ramp", "churn", "encoding", "threads", "fold", "drain", "prefix",
        "server-pid", "json", "quiet",
    };
    for (size_t i = 0; i < ITEMS(names); i++) {
        char text[32] = "  --";
        strcat(text, names[i]);
        ss_check_msg(strstr(ss__load_help, text) != NULL, "%s", names[i]);
    }
}
