/* Which timeline projections read a store, and which of a session's entities count for them. */
#include <stdlib.h>
#include <string.h>

#include "core/contract.h"
#include "core/hash.h"
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

/* One that was not registered while retention removed events begins with what it has left. */
static bool is_made_anew(const struct ss_store_session *session, const struct ss_timeline_row *row,
                         uint32_t version)
{
    return (row->version != version && row->ordinal > 0) ||
           row->ordinal + 1 < session->now.row.first_retained;
}

/* Of entities that take the place of those on disk, by code that may have made the session's
 * entities before, of more events or from another beginning: with the same code in use the epochs
 * of then are there again. Until a checkpoint is written every load makes the same. */
static uint32_t derive(const struct ss_store_session *session)
{
    uint64_t sum = session->epoch_stored;
    for (uint32_t i = 0; session->timelines != NULL && i < session->timelines->count; i++) {
        const struct ss_timeline_row *row = &session->timelines->rows[i];
        if ((session->timelines_void >> i & 1) != 0) {
            uint64_t parts[] = { sum, row->projection, row->version, row->ordinal };
            sum = ss__checksum(parts, sizeof parts);
        }
    }
    return (uint32_t)sum;
}

void ss__store_use_timelines(struct ss_store *store, struct ss_store_session *session)
{
    uint64_t others = session->timelines_void;
    for (uint32_t i = 0; i < store->timelines_count; i++) {
        const struct ss_timeline_code *code = &store->timelines[i];
        int index = ss__timelines_index(session->timelines, code->projection);
        const struct ss_timeline_row *row = index < 0 ? NULL : &session->timelines->rows[index];
        bool anew = row != NULL && is_made_anew(session, row, code->version);
        others |= anew ? UINT64_C(1) << index : 0;
    }
    if (others != session->timelines_void) {
        session->remade++;
        session->timelines_void = others;
        session->epoch_base = derive(session);
        ss__session_set_epoch(store, session, session->epoch_base);
    }
}

void ss__store_void_timeline(struct ss_store_session *session, uint32_t projection)
{
    SS_REQUIRE(session->item == NULL);
    session->remade++;
    session->timelines_void |= bit_of(session, projection);
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

/* Never one that older entities had, also before a crash that took back what was not on disk: a
 * number after the last would come again. */
static uint32_t draw(struct ss_store *store, const struct ss_store_session *session)
{
    uint64_t parts[] = { session->now.row.sid, session->epoch_counter, store->renewals++,
                         ss__clock_wall_us(store->options.clock) };
    uint32_t drawn = (uint32_t)ss__checksum(parts, sizeof parts);
    return drawn == session->epoch_counter ? drawn + 1 : drawn;
}

void ss__store_renew_epoch(struct ss_store *store, struct ss_store_session *session)
{
    ss__session_set_epoch(store, session, draw(store, session));
}

void ss__store_restore_epoch(struct ss_store *store, struct ss_store_session *session)
{
    if (ss__store_checkpointing(session)) {
        ss__store_renew_epoch(store, session);    /* see ss__store_keep_timeline */
        session->epoch_base = session->epoch_counter;
    } else {
        ss__session_set_epoch(store, session, session->epoch_base);
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
