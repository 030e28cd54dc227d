#include "shard/keyed.h"

#include <stdio.h>
#include <string.h>

#include "core/failure.h"
#include "core/hash.h"
#include "shard/canonical.h"
#include "shard/shard_state.h"
#include "store/bytes_order.h"
#include "store/command.h"

/* Bytes of a key in a sentence. */
#define SHOWN_BYTES_MAX 64

static int make_digest(struct ss_shard *shard, const struct ss_command *command,
                       uint8_t out[SS_COMMAND_DIGEST_BYTES])
{
    struct ss_str packed;
    int err = ss__canonical_message(shard, command->payload, &packed);
    if (err == 0) {
        uint64_t seed = ss__checksum(command->name.data, command->name.len);
        ss__put_le64(out, ss__checksum_seeded(seed, packed.data, packed.len));
        ss__put_le64(out + 8, ss__checksum_seeded(~seed, packed.data, packed.len));
    }
    return err;
}

static uint64_t sid_of(const struct ss_channel *channel)
{
    const struct ss_state *state = channel->state;
    return state->stored == NULL ? 0 : ss__store_row(state->stored)->sid;
}

void ss__keyed_show(struct ss_shard *shard)
{
    struct ss_command_stats kept;
    struct ss_shard_stats *stats = ss__stats(shard);
    ss__store_command_stats(shard->store, &kept);
    ss__gauge_set(&stats->keys, kept.kept);
    ss__gauge_set(&stats->keys_bytes, kept.bytes);
    ss__gauge_set(&stats->keys_evicted, kept.evicted);
}

static void refuse(struct ss_request *request)
{
    char text[160 + SHOWN_BYTES_MAX];
    int shown = ss__shown(request->key, SHOWN_BYTES_MAX);
    (void)snprintf(text, sizeof text, "idempotency key \"%.*s\"%s was used in this session for "
                   "another command or payload", shown, request->key.data,
                   (size_t)shown < request->key.len ? " and more" : "");
    ss__request_fail(request, SS_E_CONFLICT, text);
}

static void replay(struct ss_shard *shard, struct ss_request *request,
                   const struct ss_command_value *value)
{
    char text[SS_COMMAND_TEXT_BYTES_MAX + 1];
    ss__count(&ss__stats(shard)->replays, 1);
    request->replayed = true;
    request->ordinal = value->ordinal;
    if (value->err != 0) {
        memcpy(text, value->text.data, value->text.len);
        text[value->text.len] = '\0';
        ss__request_fail(request, value->err, text);
    }
}

bool ss__keyed_begin(struct ss_shard *shard, struct ss_channel *channel,
                     struct ss_request *request, const struct ss_command *command,
                     struct ss_keyed *ret_keyed)
{
    int err = make_digest(shard, command, ret_keyed->digest);
    if (err != 0) {
        ss__request_fail(request, err, NULL);
        return true;
    }
    const struct ss_command_value *value = ss__store_find_command(
        shard->store, channel->id, sid_of(channel), request->key, shard->now_us);
    if (value != NULL) {
        if (memcmp(value->digest, ret_keyed->digest, sizeof value->digest) != 0) {
            refuse(request);
        } else {
            replay(shard, request, value);
        }
        return true;
    }
    err = ss__store_writable(shard->store);
    if (err != 0) {
        ss__request_fail(request, err, ss_error_text(err));
        return true;
    }
    ret_keyed->effects = shard->effects.last;
    return false;
}

/* Says nothing of the command itself: it may do better later. */
static bool is_passing(int err)
{
    switch (err) {
    case SS_E_NOMEM:
    case SS_E_BUSY:
    case SS_E_STOPPING:
    case SS_E_STOREFULL:
    case SS_E_STOREIO:
    case SS_E_CORRUPT:
    case SS_E_COMMIT:
    case SS_E_CANCELED:
    case SS_E_TIMEOUT:
        return true;
    default:
        return false;
    }
}

void ss__keyed_end(struct ss_shard *shard, struct ss_channel *channel,
                   const struct ss_request *request, const struct ss_keyed *keyed)
{
    bool idle = request->ordinal == 0 && shard->effects.last == keyed->effects;
    if (is_passing(request->err) && idle) {
        return;
    }
    struct ss_command_value value = {
        .sid = sid_of(channel),
        .time_us = shard->now_us,
        .ordinal = request->ordinal,
        .err = request->err,
        .session_id = channel->id,
        .key = request->key,
    };
    memcpy(value.digest, keyed->digest, sizeof value.digest);
    if (request->text != NULL) {
        value.text = ss_str_of(request->text->data, request->text->len - 1);
    }
    if (value.text.len > SS_COMMAND_TEXT_BYTES_MAX) {
        value.text.len = SS_COMMAND_TEXT_BYTES_MAX;
    }
    int err = ss__store_stage_command(shard->store, &value);
    if (err != 0) {
        shard->spoiled = err;
    }
}
