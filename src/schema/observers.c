#include <sessionstream/observer.h>

#include "schema/registry.h"

const char *ss_transport_stage_word(enum ss_transport_stage stage)
{
    static const char *const words[SS_TRANSPORT_STAGES] = {
#define SS_TRANSPORT_STAGE_WORD(name, word) word,
        SS_TRANSPORT_STAGE_MAP(SS_TRANSPORT_STAGE_WORD)
#undef SS_TRANSPORT_STAGE_WORD
    };
    return (unsigned)stage < SS_TRANSPORT_STAGES ? words[stage] : "";
}

const char *ss_transport_direction_word(enum ss_transport_direction direction)
{
    return direction == SS_TRANSPORT_CLIENT_TO_SERVER   ? "client_to_server"
           : direction == SS_TRANSPORT_SERVER_TO_CLIENT ? "server_to_client"
                                                        : "";
}

int ss_register_observer(struct ss_registry *registry, const struct ss_observer *observer)
{
    if (registry->frozen) {
        return ss_registry_fail(registry, SS_E_FROZEN, "the registry is in use by an engine and "
                                "cannot change any more");
    }
    if (observer->pipeline == NULL && observer->transport == NULL && observer->error == NULL) {
        return ss_registry_fail(registry, SS_E_INVAL, "an observer that observes nothing");
    }
    if (registry->observers_count == SS_OBSERVERS_MAX) {
        return ss_registry_fail(registry, SS_E_LIMIT, "there can be %d observers",
                                SS_OBSERVERS_MAX);
    }
    struct ss_observer *added = &registry->observers[registry->observers_count++];
    *added = *observer;
    added->sample = observer->sample == 0 ? 1 : observer->sample;
    registry->observes_pipeline |= observer->pipeline != NULL;
    registry->observes_transport |= observer->transport != NULL;
    return 0;
}
