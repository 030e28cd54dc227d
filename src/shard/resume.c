#include "shard/resume.h"

#include "shard/effect.h"
#include "shard/live.h"
#include "shard/shard_state.h"

static bool reaches(const struct ss_channel *channel, const struct ss_request *request)
{
    uint32_t count;
    struct ss_place after = { request->resume.ordinal, request->resume.live };
    return channel->ring != NULL && !request->out_of_reach &&
           (ss__channel_encodings(channel) & (1u << request->encoding)) != 0 &&
           ss__ring_reaches(channel->ring, after, request->encoding, &count);
}

static enum ss_resume_reason judge(const struct ss_channel *channel,
                                   const struct ss_request *request,
                                   const struct ss_cursor *now, uint64_t run)
{
    const struct ss_cursor *cursor = &request->resume;
    struct ss_place after = { cursor->ordinal, cursor->live };
    bool from_start = cursor->epoch == 0 && cursor->ordinal == 0;
    if (cursor->epoch != now->epoch && !from_start) {
        return SS_RESUME_STALE_EPOCH;
    }
    if (cursor->ordinal > now->ordinal) {
        return SS_RESUME_AHEAD;
    }
    if ((cursor->live != 0 || cursor->run != 0) && (cursor->run == 0 || cursor->run != run)) {
        return SS_RESUME_LIVE_UNKNOWN;
    }
    if (cursor->ordinal == now->ordinal && cursor->live > now->live) {
        return SS_RESUME_AHEAD;
    }
    bool is_there = cursor->ordinal == now->ordinal && cursor->live == now->live;
    bool newer = channel->ring != NULL && ss__place_is_after(channel->ring->newest, after);
    if ((is_there && !newer) || reaches(channel, request)) {
        return SS_RESUME_NONE;
    }
    return cursor->ordinal == now->ordinal ? SS_RESUME_LIVE_UNKNOWN : SS_RESUME_TOO_OLD;
}

void ss__resume_follow(struct ss_shard *shard, struct ss_channel *channel,
                       struct ss_request *request)
{
    int err = ss__channel_follow(shard, channel, request->connection.gateway, request->handle,
                                 request->encoding);
    struct ss_effect *effect = err == 0 ? ss__effect_add(shard, SS_EFFECT_SUBSCRIBED) : NULL;
    if (effect == NULL) {
        ss__request_fail(request, err == 0 ? SS_E_NOMEM : err, "the subscribe cannot be answered");
        ss__effect_answer(shard, request);
        return;
    }
    effect->channel = channel;
    effect->request = request;
}

bool ss__resume(struct ss_shard *shard, struct ss_channel *channel, struct ss_request *request)
{
    struct ss_cursor now;
    uint64_t run;
    request->recovered = false;
    request->reason = SS_RESUME_NONE;
    if (ss__session_cursor(shard, channel, &now, &run) != 0) {
        return false;
    }
    request->reason = (uint8_t)judge(channel, request, &now, run);
    if (request->reason != SS_RESUME_NONE) {
        return false;
    }
    request->recovered = true;
    request->ordinal = request->resume.ordinal;
    request->live = request->resume.live;
    request->place = now;
    request->running = channel->running;
    ss__resume_follow(shard, channel, request);
    return true;
}
