/* Error records of all shards through the public call, over a restart. */
#include "engine_fixture.h"

#include <sessionstream/error_records.h>

struct records {
    sem_t given;
    int err;
    size_t count;
    uint32_t shards;    /* bits: that records came from */
    bool ordered;
    char session[16];   /* of the last */
};

static void on_errors(const struct ss_error_list *list, void *ctx)
{
    struct records *records = ctx;
    records->err = list->err;
    records->count = list->count;
    records->ordered = true;
    for (size_t i = 0; i < list->count; i++) {
        const struct ss_error_record *record = &list->records[i];
        records->shards |= 1u << record->shard;
        records->ordered &= i == 0 || record->time_us >= list->records[i - 1].time_us;
        (void)snprintf(records->session, sizeof records->session, "%.*s",
                       (int)record->session_id.len, record->session_id.data);
    }
    (void)sem_post(&records->given);
}

static struct records ask(struct fixture *fixture, const char *session, uint32_t limit)
{
    struct ss_error_query query = { .session_id = ss_str(session), .limit = limit };
    struct records records = { 0 };
    ss_check(sem_init(&records.given, 0, 0) == 0);
    ss_check(ss_engine_errors(fixture->engine, &query, on_errors, &records) == 0);
    while (sem_wait(&records.given) != 0) {
    }
    return records;
}

static int fail_always(struct ss_ui *ui, const struct ss_event *event, const struct ss_view *view,
                       void *ctx)
{
    (void)ui;
    (void)event;
    (void)view;
    (void)ctx;
    return SS_E_HANDLER;
}

static void publish(struct fixture *fixture, const char *session)
{
    struct answer answer;
    answer_init(&answer);
    ss_check(ss_engine_publish(fixture->engine, ss_str(session), "Put", note(), on_done,
                               &answer) == 0);
    wait_for(&answer);
    ss_check(answer.err == SS_E_PROJECTION);
}

SS_TEST(errors, records_of_all_shards_come_in_the_order_of_time_and_outlive_a_restart)
{
    struct fixture fixture;
    char name[8];
    fixture_init(&fixture);
    ss_check(ss_register_ui_projection(fixture.registry, "ui", fail_always, NULL) == 0);
    make(&fixture);
    start(&fixture);
    for (int i = 0; i < 20; i++) {
        (void)snprintf(name, sizeof name, "s%d", i);
        publish(&fixture, name);
    }
    struct records records = ask(&fixture, "", 0);
    ss_check(records.err == 0 && records.count == 20 && records.ordered);
    ss_check(records.shards == 3 && strcmp(records.session, "s19") == 0);
    records = ask(&fixture, "", 5);
    ss_check(records.count == 5 && strcmp(records.session, "s19") == 0);
    records = ask(&fixture, "s3", 0);
    ss_check(records.count == 1 && strcmp(records.session, "s3") == 0);
    ss_engine_stop(fixture.engine);
    ss_engine_free(fixture.engine);
    ss_registry_free(fixture.registry);
    fixture.registry = new_registry();
    make(&fixture);
    start(&fixture);
    records = ask(&fixture, "", 0);
    ss_check(records.count == 20 && records.ordered && records.shards == 3);
    fixture_end(&fixture);
}

SS_TEST(errors, a_query_that_makes_no_sense_is_refused)
{
    struct fixture fixture;
    char text[SS_SESSION_ID_BYTES_MAX + 1] = { 0 };
    struct ss_error_query query = { .kinds = 1u << SS_ERROR_KINDS };
    fixture_init(&fixture);
    make(&fixture);
    ss_check(ss_engine_errors(fixture.engine, &query, on_errors, NULL) == SS_E_STOPPING);
    start(&fixture);
    ss_check(ss_engine_errors(fixture.engine, &query, on_errors, NULL) == SS_E_INVAL);
    query = (struct ss_error_query){ .session_id = ss_str_of(text, sizeof text) };
    ss_check(ss_engine_errors(fixture.engine, &query, on_errors, NULL) == SS_E_SESSION_ID);
    fixture_end(&fixture);
}
