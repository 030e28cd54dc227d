#include "gateway_fixture.h"
#include "http_requests.h"
#include "message/backup.h"

struct fake {
    struct ss_backup_control control;
    char name[200];
    uint64_t rate;
    int answer;
    struct ss_backup_status status;
};

static int fake_start(void *ctx, struct ss_str name, uint64_t rate, struct ss_failure *failure)
{
    struct fake *fake = ctx;
    (void)snprintf(fake->name, sizeof fake->name, "%.*s", (int)name.len, (const char *)name.data);
    fake->rate = rate;
    return fake->answer == 0 ? 0 : ss__fail(failure, fake->answer, "it says no");
}

static void fake_status(void *ctx, struct ss_backup_status *ret_status)
{
    *ret_status = ((struct fake *)ctx)->status;
}

static int fake_cancel(void *ctx)
{
    return ((struct fake *)ctx)->answer;
}

static void open_with(struct fixture *fixture, struct fake *fake, struct ws_test_client *client)
{
    *fake = (struct fake){ .control = { fake_start, fake_status, fake_cancel, fake } };
    fixture_prepare(fixture);
    fixture->options.backups = &fake->control;
    fixture_start(fixture);
    ws_test_connect(client, fixture->port, 0);
}

SS_TEST(backup, without_a_place_for_them_there_is_nothing)
{
    struct fixture fixture;
    struct ws_test_client client;
    open_http(&fixture, &client);
    post(&client, "/v1/backup?name=a", "");
    ws_test_expect_http(&client, 404, "--backup-dir");
    get(&client, "/v1/backup");
    ws_test_expect_http(&client, 404, "not_found");
    fixture_close_with(&fixture, &client);
}

SS_TEST(backup, begins_tells_and_cancels)
{
    struct fixture fixture;
    struct fake fake;
    struct ws_test_client client;
    open_with(&fixture, &fake, &client);
    get(&client, "/v1/backup");
    ws_test_expect_http(&client, 200, "{\"state\":\"none\",\"name\":\"\"");
    fake.status = (struct ss_backup_status){ .state = SS_BACKUP_RUNNING, .name = "a-1",
                                             .shard = 1, .shards = 4, .shard_copied = 5,
                                             .shard_bytes = 6, .copied = 7, .begun_us = 8,
                                             .took_us = 9 };
    post(&client, "/v1/backup?name=a%2D1&rate=1048576", "");
    ws_test_expect_http(&client, 202, "{\"state\":\"running\",\"name\":\"a-1\",\"shard\":1,"
                        "\"shards\":4,\"shardCopied\":\"5\",\"shardBytes\":\"6\",\"copied\":\"7\","
                        "\"begunMicros\":\"8\",\"tookMicros\":\"9\"}");
    ss_check(strcmp(fake.name, "a-1") == 0 && fake.rate == 1048576);
    ask(&client, "DELETE", "/v1/backup");
    ws_test_expect_http(&client, 202, "running");
    fake.status.state = SS_BACKUP_FAILED;
    fake.status.err = SS_E_CANCELED;
    strcpy(fake.status.text, "it \"was\"");
    get(&client, "/v1/backup");
    ws_test_expect_http(&client, 200, ",\"code\":\"canceled\",\"detail\":\"it \\\"was\\\"\"}");
    fixture_close_with(&fixture, &client);
}

SS_TEST(backup, what_cannot_be_is_refused)
{
    struct fixture fixture;
    struct fake fake;
    struct ws_test_client client;
    open_with(&fixture, &fake, &client);
    post(&client, "/v1/backup", "");
    ws_test_expect_http(&client, 400, "name is missing");
    post(&client, "/v1/backup?name=a&rate=x", "");
    ws_test_expect_http(&client, 400, "rate must be a number");
    post(&client, "/v1/backup?name=a&rate=", "");
    ws_test_expect_http(&client, 400, "rate must be a number");
    post(&client, "/v1/backup?name=a&rate=1234567890123456789", "");
    ws_test_expect_http(&client, 400, "rate must be a number");
    ss_check(fake.name[0] == '\0');
    fake.answer = SS_E_BUSY;
    post(&client, "/v1/backup?name=a", "");
    ws_test_expect_http(&client, 503, "it says no");
    fake.answer = SS_E_NOTFOUND;
    ask(&client, "DELETE", "/v1/backup");
    ws_test_expect_http(&client, 404, "no backup is running");
    ask(&client, "PUT", "/v1/backup");
    ws_test_expect_http(&client, 405, "Allow: GET, POST, DELETE\r\n");
    fixture_close_with(&fixture, &client);
}
