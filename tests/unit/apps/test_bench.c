/* The load application over a fake session: no engine is linked. */
#include <stdio.h>
#include <string.h>

#include <sessionstream/registry.h>

#include "apps/bench/bench.h"
#include "apps/bench/names.h"
#include "apps/bench/options.h"
#include "apps/bench/publish.h"
#include "sessionstream/apps/bench/v1/bench.pb-c.h"
#include "ss_test.h"
#include "unit/apps/fake_registry.h"
#include "unit/apps/fake_session.h"

/* ---- settings ---- */

static const char *entities_setting = "1";

const char *ss_app_setting(const struct ss_app_settings *settings, const char *name)
{
    (void)settings;
    return strcmp(name, "entities") == 0 ? entities_setting : NULL;
}

/* ---- driving it ---- */

/* An event has the fields of the command, so its bytes must unpack as an event. */
int ss_publish_packed(struct ss_context *context, const char *event, struct ss_str payload)
{
    ProtobufCMessage *message = protobuf_c_message_unpack(
        &sessionstream__apps__bench__v1__bench_published_event__descriptor, NULL, payload.len,
        (const uint8_t *)payload.data);
    ss_check(message != NULL && message->n_unknown_fields == 0);
    int err = ss_publish(context, event, message);
    protobuf_c_message_free_unpacked(message, NULL);
    return err;
}

static int publish(struct fake *fake, const char *text, int64_t sent_ns, uint32_t entity,
                   uint32_t entities)
{
    struct ss_bench_options options = { entities };
    uint8_t packed[256];
    Sessionstream__Apps__Bench__V1__BenchPublishCommand payload;
    sessionstream__apps__bench__v1__bench_publish_command__init(&payload);
    payload.payload.data = (uint8_t *)(uintptr_t)text;
    payload.payload.len = strlen(text);
    payload.sent_ns = sent_ns;
    payload.entity = entity;
    size_t len = protobuf_c_message_pack(&payload.base, packed);
    struct ss_command command = { .name = ss_str(SS_BENCH_COMMAND), .payload = &payload.base,
                                  .packed = ss_str_of(packed, len) };
    return ss__bench_publish(fake_context(fake), &command, &options);
}

static struct fake *new_session(void)
{
    return fake_new(SS_BENCH_ENTITY, ss__bench_project_ui, ss__bench_project_timeline);
}

static bool holds(const ProtobufCBinaryData *bytes, const char *text)
{
    return bytes->len == strlen(text) && memcmp(bytes->data, text, bytes->len) == 0;
}

SS_TEST(bench_app, a_command_makes_one_event_one_frame_and_one_entity)
{
    struct fake *fake = new_session();
    ss_check(publish(fake, "abc", 1234567890123, 0, 1) == 0);
    ss_check(fake->ordinal == 1 && strcmp(fake->events[0].name, SS_BENCH_EVENT) == 0);
    ss_check(fake->updates_count == 1 && strcmp(fake->updates[0].name, SS_BENCH_UI) == 0);
    const Sessionstream__Apps__Bench__V1__BenchDeliveredUpdate *update =
        (const Sessionstream__Apps__Bench__V1__BenchDeliveredUpdate *)fake->updates[0].payload;
    ss_check(holds(&update->payload, "abc") && update->sent_ns == 1234567890123);
    ss_check(fake->entities_count == 1);
    const Sessionstream__Apps__Bench__V1__BenchEntity *entity =
        (const Sessionstream__Apps__Bench__V1__BenchEntity *)fake_entity(fake, "0")->payload;
    ss_check(holds(&entity->payload, "abc") && entity->sent_ns == 1234567890123);
    fake_free(fake);
}

SS_TEST(bench_app, entities_are_replaced_modulo_the_option)
{
    struct fake *fake = new_session();
    for (uint32_t i = 0; i < 10; i++) {
        ss_check(publish(fake, i == 9 ? "last" : "text", 1, i, 4) == 0);
    }
    ss_check(fake->entities_count == 4);
    const struct fake_entity *entity = fake_entity(fake, "1");
    ss_check(entity->entity.created_ordinal == 2 && entity->entity.last_ordinal == 10);
    ss_check(holds(&((const Sessionstream__Apps__Bench__V1__BenchEntity *)entity->payload)->payload,
                   "last"));
    ss_check(publish(fake, "", 0, UINT32_MAX, 4) == 0);
    ss_check(fake_entity(fake, "3")->entity.last_ordinal == 11);
    fake_free(fake);
}

SS_TEST(bench_app, an_error_of_publish_reaches_the_client)
{
    struct fake *fake = new_session();
    fake->publish_error = SS_E_STOREFULL;
    fake->publish_error_count = 2;
    ss_check(publish(fake, "abc", 1, 0, 1) == SS_E_STOREFULL);
    ss_check(publish(fake, "abc", 1, 1, 1) == SS_E_STOREFULL);
    ss_check(fake->ordinal == 0);
    fake_free(fake);
}

SS_TEST(bench_options, accept_their_range_and_refuse_the_rest)
{
    static const char *const bad[] = { "", "0", "100001", "-1", "x", "5x", " 5", "1.5",
                                       "99999999999999999999", "4294967297" };
    struct ss_bench_options read = { 7 };
    entities_setting = "100000";
    ss_check(ss__bench_options_read(NULL, NULL, &read) == 0 && read.entities == 100000);
    entities_setting = "1";
    ss_check(ss__bench_options_read(NULL, NULL, &read) == 0 && read.entities == 1);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        entities_setting = bad[i];
        fake_registry.error[0] = '\0';
        ss_check(ss__bench_options_read(NULL, NULL, &read) == SS_E_CONFIG && read.entities == 1);
        ss_check(strstr(fake_registry.error, "entities") != NULL && strstr(fake_registry.error, "1 to 100000") != NULL);
        ss_check(strstr(fake_registry.error, bad[i]) != NULL);
    }
    entities_setting = "1";
}

SS_TEST(bench_app, registers_every_name_and_its_page)
{
    static const char *const names[] = {
        "command BenchPublish\n", "event BenchPublished\n", "ui BenchDelivered\n",
        "entity BenchEntity\n", "timeline projection timeline\n", "asset /\n",
        "attach sessionstream.apps.bench.v1.BenchEntity\n"
    };
    void *state = NULL;
    fake_registry.registered[0] = '\0';
    ss_check(ss__app_bench.abi == SS_APP_ABI && strcmp(ss__app_bench.name, "bench") == 0);
    ss_check(ss__app_bench.init(NULL, NULL, &state) == 0);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        ss_check_msg(strstr(fake_registry.registered, names[i]) != NULL, "missing: %s", names[i]);
    }
    ss_check(fake_registry.command == ss__bench_publish && fake_registry.command_ctx == state);
    ss_check(strcmp(fake_registry.entity_projection, SS_BENCH_PROJECTION_TIMELINE) == 0);
    ss_check(fake_registry.project_ui == ss__bench_project_ui);
    ss_check(fake_registry.project_timeline == ss__bench_project_timeline);
    struct ss_str page = fake_registry.asset;
    ss_check(strncmp(fake_registry.asset_type, "text/plain", 10) == 0);
    ss_check(memmem(page.data, page.len, "ss-load --url", 13) != NULL);
    ss_check(page.data[page.len - 1] == '\n');
    ss__app_bench.deinit(state);
}

SS_TEST(bench_app, a_failed_init_leaves_nothing_behind)
{
    int steps = 0;
    for (int err = SS_E_NOMEM; err != 0; steps++) {
        void *state = NULL;
        fake_registry.registered[0] = '\0';
        fake_registry.error_at = steps;
        err = ss__app_bench.init(NULL, NULL, &state);
        ss_check(err == 0 || (err == SS_E_NOMEM && state == NULL));
        ss__app_bench.deinit(state);
    }
    ss_check(steps > 10);
    fake_registry.error_at = -1;
}
