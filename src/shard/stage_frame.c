#include "shard/stage_frame.h"

#include <stdio.h>

#include <sessionstream/limits.h>

#include "core/fault.h"
#include "shard/effect.h"
#include "shard/shard_state.h"

int ss__stage_ui_frame(struct ss_shard *shard, struct ss_channel *channel, uint8_t encodings,
                       const struct ss_ui_frame *frame, struct ss_place before)
{
    struct ss_effect *effect =
        SS_FAULT("shard.effect") != 0 ? NULL : ss__effect_add(shard, SS_EFFECT_FRAME);
    if (effect == NULL) {
        return SS_E_NOMEM;
    }
    effect->channel = channel;
    effect->place = (struct ss_place){ frame->place.ordinal, frame->place.live };
    effect->before = before;
    effect->encodings = encodings;
    for (int encoding = 0; encoding < SS_MESSAGE_ENCODINGS; encoding++) {
        if ((encodings & (1u << encoding)) != 0) {
            effect->bufs[encoding] = SS_FAULT("shard.frame") != 0
                                         ? NULL
                                         : ss__frame_ui_event(shard->options.transport,
                                                              (enum ss_encoding)encoding, frame,
                                                              &shard->scratch, NULL);
            ss__count(&ss__stats(shard)->frames_encoded[encoding], 1);
        }
    }
    return 0;
}

int ss__stage_append(struct ss_shard *shard, struct ss_channel *channel,
                     const struct ss_append_frame *frame, struct ss_place before)
{
    const uint8_t v1 = 1u << SS_ENCODING_V1_JSON;
    uint8_t all = ss__channel_encodings(channel);
    struct ss_effect *effect = all == 0 ? NULL : ss__effect_add(shard, SS_EFFECT_FRAME);
    if (effect == NULL) {
        return all == 0 ? 0 : SS_E_NOMEM;
    }
    effect->channel = channel;
    effect->place = (struct ss_place){ frame->place.ordinal, frame->place.live };
    effect->before = before;
    effect->encodings = all & (uint8_t)~v1;
    effect->skips = v1;
    for (int encoding = 0; encoding < SS_MESSAGE_ENCODINGS; encoding++) {
        if ((effect->encodings & (1u << encoding)) != 0) {
            effect->bufs[encoding] = ss__frame_append(shard->options.transport,
                                                      (enum ss_encoding)encoding, frame,
                                                      &shard->scratch);
            ss__count(&ss__stats(shard)->frames_encoded[encoding], 1);
        }
    }
    return 0;
}

void ss__stage_activity(struct ss_shard *shard, struct ss_channel *channel, bool running)
{
    uint8_t encodings = ss__channel_encodings(channel) & (uint8_t)~(1u << SS_ENCODING_V1_JSON);
    struct ss_effect *effect =
        encodings == 0 ? NULL : ss__effect_add(shard, SS_EFFECT_ACTIVITY);
    if (effect == NULL) {
        return;    /* without memory followers learn it from the next one, or from a snapshot */
    }
    effect->channel = channel;
    effect->encodings = encodings;
    effect->skips = 1u << SS_ENCODING_V1_JSON;
    for (int encoding = 0; encoding < SS_MESSAGE_ENCODINGS; encoding++) {
        if ((encodings & (1u << encoding)) != 0) {
            effect->bufs[encoding] =
                ss__frame_activity(shard->options.transport, (enum ss_encoding)encoding,
                                   channel->id, running, &shard->scratch);
        }
    }
}

void ss__stage_halted(struct ss_shard *shard, struct ss_channel *channel, const char *projection)
{
    uint8_t encodings = ss__channel_encodings(channel);
    struct ss_effect *effect =
        encodings == 0 ? NULL : ss__effect_add(shard, SS_EFFECT_ACTIVITY);
    if (effect == NULL) {
        return;    /* without memory they see it by the cursors of the session only */
    }
    char text[SS_NAME_BYTES_MAX + 96];
    const char *words = ss_error_text(SS_E_TIMELINE_HALTED);
    if (shard->options.registry->timelines_count > 1) {
        (void)snprintf(text, sizeof text, "%s: projection \"%s\"", words, projection);
        words = text;
    }
    const struct ss_error_frame frame = {
        .code = ss_str(ss_error_wire_name(SS_E_TIMELINE_HALTED)),
        .message = ss_str(words),
        .session_id = channel->id,
    };
    effect->channel = channel;
    effect->encodings = encodings;
    for (int encoding = 0; encoding < SS_MESSAGE_ENCODINGS; encoding++) {
        if ((encodings & (1u << encoding)) != 0) {
            effect->bufs[encoding] =
                ss__frame_error(shard->options.transport, (enum ss_encoding)encoding, &frame,
                                &shard->scratch);
        }
    }
}
