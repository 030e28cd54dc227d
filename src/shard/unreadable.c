#include "shard/unreadable.h"

#include <sessionstream/limits.h>

#include "core/log.h"
#include "schema/validate.h"
#include "shard/shard_state.h"

bool ss__readable(const struct ss_name *name, uint32_t now, uint32_t stored,
                  struct ss_str payload)
{
    return name != NULL && (stored == now || ss__validate(name->type, payload, NULL) == 0);
}

void ss__unreadable(struct ss_shard *shard, struct ss_state *state, const char *what,
                    struct ss_str name)
{
    ss__count(&ss__stats(shard)->unreadable_payloads, 1);
    if (state->unreadable) {
        return;
    }
    state->unreadable = true;
    char id[SS_SESSION_ID_BYTES_MAX + 3];
    char quoted[SS_NAME_BYTES_MAX + 3];
    ss__log(SS_LOG_WARN, "stored payloads cannot be read by this application",
            "shard=%u session=%s %s=%s", shard->options.index,
            ss__log_quote(id, sizeof id, state->channel->id), what,
            ss__log_quote(quoted, sizeof quoted, name));
}
