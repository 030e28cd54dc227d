/* Which timeline projections read a store, and which of a session's entities count for them. */
#include <stdlib.h>
#include <string.h>

#include "core/contract.h"
#include "core/hash.h"
#include "core/log.h"
#include "store/flush.h"
#include "store/store_state.h"
#include "store/timelines.h"

void ss__store_set_timelines(struct ss_store *store, const struct ss_timeline_code *codes,
                             uint32_t count)
{
    SS_REQUIRE(count <= SS_PROJECTIONS_MAX);
    store->timelines_code = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t parts[2] = { codes[i].projection, codes[i].version };
        store->timelines[i] = codes[i];
        store->timelines_code ^= ss__checksum(parts, sizeof parts);    /* in whatever order */
    }
    store->timelines_count = count;
    ss__sessions_new_epochs(store);
}

static uint64_t bit_of(const struct ss_store_session *session, uint32_t projection)
{
    int index = ss__timelines_index(session->timelines, projection);
    return index < 0 ? 0 : UINT64_C(1) << index;
}

bool ss__store_timeline_is_void(const struct ss_store_session *session, uint32_t projection)
{
    return session->timelines_void != 0 &&
           (session->timelines_void & bit_of(session, projection)) != 0;
}

uint64_t ss__store_timeline_ordinal(const struct ss_store_session *session, uint32_t projection)
{
    int index = ss__timelines_index(session->timelines, projection);
    bool counts = index >= 0 && (session->timelines_void & (UINT64_C(1) << index)) == 0;
    return counts ? session->timelines->rows[index].ordinal : 0;
}

uint64_t ss__store_replay_count(const struct ss_store *store,
                                const struct ss_store_session *session)
{
    uint64_t newest = session->now.row.ordinal;
    uint64_t oldest = newest;
    for (uint32_t i = 0; i < store->timelines_count; i++) {
        uint64_t at = ss__store_timeline_ordinal(session, store->timelines[i].projection);
        oldest = at < oldest ? at : oldest;
    }
    return newest - oldest;
}

static int report_version(struct ss_store *store, const struct ss_store_session *session,
                          const struct ss_timeline_code *code)
{
    struct ss_str name = { "?", 1 };
    struct ss_str kind;
    char quoted[SS_NAME_BYTES_MAX + 3];
    if (ss__store_may_report(store)) {
        (void)ss__store_type_name(store, code->projection, &name, &kind);    /* or it stays "?" */
        ss__log(SS_LOG_ERROR, "a session was made by another version of a timeline projection "
                "and its first events are gone: run the version that made it",
                "shard=%u sid=%llu projection=%s wanted=%u", store->options.shard_index,
                (unsigned long long)session->now.row.sid,
                ss__log_quote(quoted, sizeof quoted, name), code->version);
    }
    return SS_E_VERSION;
}

int ss__store_use_timelines(struct ss_store *store, struct ss_store_session *session)
{
    uint64_t others = session->timelines_void;
    for (uint32_t i = 0; i < store->timelines_count; i++) {
        const struct ss_timeline_code *code = &store->timelines[i];
        int index = ss__timelines_index(session->timelines, code->projection);
        const struct ss_timeline_row *row = index < 0 ? NULL : &session->timelines->rows[index];
        bool made_anew = row == NULL ? session->now.row.ordinal > 0
                                     : row->version != code->version && row->ordinal > 0;
        if (made_anew && session->now.row.first_retained > 1) {
            return report_version(store, session, code);
        }
        others |= row != NULL && made_anew ? UINT64_C(1) << index : 0;
    }
    session->remade += others != session->timelines_void;
    session->timelines_void = others;
    return 0;
}

int ss__store_void_timeline(struct ss_store_session *session, uint32_t projection)
{
    SS_REQUIRE(session->item == NULL);
    if (session->now.row.first_retained > 1) {
        return SS_E_VERSION;
    }
    session->remade++;
    session->timelines_void |= bit_of(session, projection);
    return 0;
}

static void count_again(struct ss_store_session *session, uint32_t projection)
{
    session->timelines_void &= ~bit_of(session, projection);
}

void ss__store_keep_timeline(struct ss_store_session *session, uint32_t projection)
{
    if (session->item != NULL && session->item->checkpoint) {
        session->void_stays = true;    /* nobody knows yet which of the two is there in the end */
    } else {
        count_again(session, projection);
    }
}

void ss__timelines_replace(struct ss_store_session *session, struct ss_timeline_list *list,
                           const struct ss_timeline_checkpoint *written, uint32_t count)
{
    uint64_t left = 0;
    for (uint32_t i = 0; list != NULL && i < list->count; i++) {
        bool stays = ss__store_timeline_is_void(session, list->rows[i].projection);
        left |= stays ? UINT64_C(1) << i : 0;
    }
    free(session->timelines);
    session->timelines = list;
    session->timelines_void = left;
    for (uint32_t i = 0; i < count && !session->void_stays; i++) {
        count_again(session, written[i].row.projection);
    }
}
