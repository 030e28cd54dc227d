#include <sessionstream/observer.h>

#include <string.h>

#include "schema/registry.h"
#include "ss_test.h"

static void on_pipeline(const struct ss_pipeline_record *record, void *ctx)
{
    (void)record;
    (void)ctx;
}

static void on_transport(const struct ss_transport_record *record, void *ctx)
{
    (void)record;
    (void)ctx;
}

SS_TEST(observers, several_are_registered_and_say_what_they_want)
{
    struct ss_registry *registry = ss_registry_new();
    struct ss_observer observer = { .pipeline = on_pipeline };
    ss_check(ss_register_observer(registry, &observer) == 0);
    ss_check(registry->observes_pipeline && !registry->observes_transport);
    ss_check(registry->observers[0].sample == 1);    /* 0: all */
    observer = (struct ss_observer){ .transport = on_transport, .sample = 9 };
    ss_check(ss_register_observer(registry, &observer) == 0);
    ss_check(registry->observes_transport && registry->observers[1].sample == 9);
    ss_registry_free(registry);
}

SS_TEST(observers, those_that_make_no_sense_are_refused)
{
    struct ss_registry *registry = ss_registry_new();
    struct ss_observer observer = { .sample = 1 };
    ss_check(ss_register_observer(registry, &observer) == SS_E_INVAL);
    ss_check(strstr(ss_registry_error(registry), "observes nothing") != NULL);
    observer.pipeline = on_pipeline;
    for (int i = 0; i < SS_OBSERVERS_MAX; i++) {
        ss_check(ss_register_observer(registry, &observer) == 0);
    }
    ss_check(ss_register_observer(registry, &observer) == SS_E_LIMIT);
    registry->frozen = true;
    ss_check(ss_register_observer(registry, &observer) == SS_E_FROZEN);
    ss_registry_free(registry);
}

SS_TEST(observers, the_words_of_the_stages_are_those_of_the_contract)
{
    ss_check(SS_TRANSPORT_STAGES == 29);
    ss_check(strcmp(ss_transport_stage_word(SS_TRANSPORT_UPGRADE_ERROR), "upgrade_error") == 0);
    ss_check(strcmp(ss_transport_stage_word(SS_TRANSPORT_FANOUT_COMPLETED),
                    "fanout_completed") == 0);
    ss_check(ss_transport_stage_word(SS_TRANSPORT_STAGES)[0] == '\0');
    ss_check(strcmp(ss_transport_direction_word(SS_TRANSPORT_CLIENT_TO_SERVER),
                    "client_to_server") == 0);
    ss_check(strcmp(ss_transport_direction_word(SS_TRANSPORT_SERVER_TO_CLIENT),
                    "server_to_client") == 0);
    ss_check(ss_transport_direction_word(SS_TRANSPORT_NONE)[0] == '\0');
}
