#include "message/stats.h"

#include <stdlib.h>
#include <string.h>

#include <sessionstream/error.h>

#include "core/bytes.h"
#include "message/message.h"
#include "runtime/inbox.h"
#include "ss_test.h"

static struct ss_shard_stats shards[2];
static struct ss_gateway_stats gateways[1];

static void clear(void)
{
    memset(shards, 0, sizeof shards);
    memset(gateways, 0, sizeof gateways);
}

static void check_has(struct ss_bytes *text, const char *line)
{
    ss__bytes_byte(text, '\0');
    ss_check_msg(strstr((const char *)text->data, line) != NULL, "no %s", line);
    text->len--;
}

static void write_table(struct ss_bytes *text)
{
    struct ss_stats_table table = { .shards_count = 2, .gateways_count = 1, .shards = shards,
                                    .gateways = gateways };
    ss__bytes_init(text, 0);
    ss__stats_text(&table, text);
    ss_check(text->err == 0);
}

SS_TEST(stats, writes_counters_and_gauges_per_thread)
{
    clear();
    ss__count(&shards[1].events, 42);
    ss__gauge_set(&gateways[0].connections, 7);
    struct ss_bytes text;
    write_table(&text);
    check_has(&text, "# HELP sessionstream_events_total Events committed\n"
                     "# TYPE sessionstream_events_total counter\n"
                     "sessionstream_events_total{shard=\"0\"} 0\n"
                     "sessionstream_events_total{shard=\"1\"} 42\n");
    check_has(&text, "# TYPE sessionstream_connections gauge\n"
                     "sessionstream_connections{gateway=\"0\"} 7\n");
    ss__bytes_deinit(&text);
}

SS_TEST(stats, writes_what_was_encoded_by_encoding)
{
    clear();
    ss__count(&shards[0].frames_encoded[1], 5);
    ss__count(&shards[1].snapshots[SS_STATS_DOCUMENT], 2);
    struct ss_bytes text;
    write_table(&text);
    check_has(&text, "# TYPE sessionstream_frames_encoded_total counter\n"
                     "sessionstream_frames_encoded_total{shard=\"0\",encoding=\"v1_json\"} 0\n"
                     "sessionstream_frames_encoded_total{shard=\"0\",encoding=\"v2_json\"} 5\n"
                     "sessionstream_frames_encoded_total{shard=\"0\",encoding=\"v2_protobuf\"} 0\n"
                     "sessionstream_frames_encoded_total{shard=\"0\",encoding=\"http_json\"} 0\n");
    check_has(&text, "sessionstream_snapshots_total{shard=\"1\",encoding=\"http_json\"} 2\n");
    ss__bytes_deinit(&text);
}

SS_TEST(stats, writes_backups_once_if_there_can_be_any)
{
    clear();
    struct ss_backup_stats backups = { .running = 1, .success_s = 1795212000, .bytes = 77 };
    struct ss_stats_table table = { .backups = &backups };
    struct ss_bytes text;
    ss__bytes_init(&text, 0);
    ss__stats_text(&table, &text);
    check_has(&text, "# TYPE sessionstream_backup_running gauge\nsessionstream_backup_running 1\n");
    check_has(&text, "\nsessionstream_backup_success_timestamp_seconds 1795212000\n");
    check_has(&text, "\nsessionstream_backup_bytes_total 77\n");
    check_has(&text, "\nsessionstream_backups_failed_total 0\n");
    ss__bytes_deinit(&text);
    write_table(&text);
    ss__bytes_byte(&text, '\0');
    ss_check(strstr((const char *)text.data, "\nsessionstream_backup_running ") == NULL);
    ss__bytes_deinit(&text);
}

SS_TEST(stats, writes_cumulative_histograms)
{
    clear();
    ss__count(&shards[0].batch[ss__bucket(ss__batch_bounds, SS_BATCH_BUCKETS - 1, 1)], 1);
    ss__count(&shards[0].batch[ss__bucket(ss__batch_bounds, SS_BATCH_BUCKETS - 1, 3)], 1);
    ss__count(&shards[0].batch[ss__bucket(ss__batch_bounds, SS_BATCH_BUCKETS - 1, 9999)], 1);
    ss__count(&shards[0].batch_sum, 10003);
    ss__count(&shards[0].commit[ss__bucket(ss__commit_bounds_us, SS_COMMIT_BUCKETS - 1, 2500)], 1);
    ss__count(&shards[0].commit_sum_us, 2500);
    struct ss_bytes text;
    write_table(&text);
    check_has(&text, "sessionstream_batch_messages_bucket{shard=\"0\",le=\"2\"} 1\n"
                     "sessionstream_batch_messages_bucket{shard=\"0\",le=\"4\"} 2\n");
    check_has(&text, "sessionstream_batch_messages_bucket{shard=\"0\",le=\"1024\"} 2\n"
                     "sessionstream_batch_messages_bucket{shard=\"0\",le=\"+Inf\"} 3\n"
                     "sessionstream_batch_messages_sum{shard=\"0\"} 10003\n"
                     "sessionstream_batch_messages_count{shard=\"0\"} 3\n");
    check_has(&text, "sessionstream_commit_seconds_bucket{shard=\"0\",le=\"0.00005\"} 0\n");
    check_has(&text, "sessionstream_commit_seconds_bucket{shard=\"0\",le=\"0.001\"} 0\n"
                     "sessionstream_commit_seconds_bucket{shard=\"0\",le=\"0.0025\"} 1\n");
    check_has(&text, "sessionstream_commit_seconds_bucket{shard=\"0\",le=\"1\"} 1\n");
    check_has(&text, "sessionstream_commit_seconds_sum{shard=\"0\"} 0.0025\n");
    ss__bytes_deinit(&text);
}

SS_TEST(stats, counts_errors_by_code_and_strangers_as_internal)
{
    clear();
    ss__count_error(gateways[0].errors, SS_E_BADFRAME);
    ss__count_error(gateways[0].errors, SS_E_BADFRAME);
    ss__count_error(shards[0].errors, -5);
    struct ss_bytes text;
    write_table(&text);
    check_has(&text, "sessionstream_errors_total{shard=\"0\",code=\"internal\"} 1\n"
                     "sessionstream_errors_total{gateway=\"0\",code=\"bad_client_frame\"} 2\n");
    ss__bytes_deinit(&text);
}

SS_TEST(stats, buckets_have_inclusive_upper_bounds)
{
    static const uint32_t bounds[] = { 1, 10 };
    ss_check(ss__bucket(bounds, 2, 0) == 0 && ss__bucket(bounds, 2, 1) == 0);
    ss_check(ss__bucket(bounds, 2, 2) == 1 && ss__bucket(bounds, 2, 10) == 1);
    ss_check(ss__bucket(bounds, 2, 11) == 2 && ss__bucket(bounds, 2, UINT64_MAX) == 2);
}

SS_TEST(stats, shows_what_waits_in_inboxes)
{
    clear();
    struct ss_inbox *inbox;
    ss_check(ss__inbox_new(10, 1000, &inbox) == 0);
    struct ss_msg *msg = ss__msg_new(SS_MSG_STOP, sizeof(struct ss_msg_stop));
    msg->node.bytes = 100;
    ss_check(ss__inbox_post(inbox, &msg->node, SS_POST_INSIDE) == 0);
    const struct ss_inbox *list[] = { inbox };
    struct ss_stats_table table = { .shards_count = 1, .shards = shards, .shard_inboxes = list };
    struct ss_bytes text;
    ss__bytes_init(&text, 0);
    ss__stats_text(&table, &text);
    check_has(&text, "sessionstream_inbox_messages{shard=\"0\"} 1\n");
    check_has(&text, "sessionstream_inbox_bytes{shard=\"0\"} 100\n");
    ss__bytes_deinit(&text);
    ss_check(ss__inbox_take(inbox) == &msg->node);
    ss__msg_free(msg);
    ss__inbox_unref(inbox);
}
