#include "shard/errors.h"

#include <stdio.h>

#include "core/log.h"
#include "core/utf8.h"
#include "message/error_listing.h"
#include "shard/observe.h"
#include "shard/shard_state.h"
#include "store/error_ring.h"

#define ONCE_WITHIN_US UINT64_C(60000000)
#define WAIT_NS UINT64_C(1000000000)

/* Observers are told what was kept and not told yet: the store notes some by itself. */
void ss__errors_show(struct ss_shard *shard)
{
    uint64_t next = ss__store_errors_next(shard->store);
    for (; shard->errors_shown < next; shard->errors_shown++) {
        struct ss_error_record record;
        if (ss__store_error_at(shard->store, shard->errors_shown, &record)) {
            ss__observe_error(shard, &record);
        }
    }
}

static void keep_failed(struct ss_shard *shard, const struct ss_error_record *record, int err)
{
    ss__count(&ss__stats(shard)->error_records_lost, 1);
    ss__log(SS_LOG_ERROR, "an error record could not be kept",
            "shard=%u error=%s originalKind=%s", shard->options.index, ss_error_name(err),
            ss_error_kind_word(record->kind));
    char text[96];
    (void)snprintf(text, sizeof text, "record sessionstream error: %s", ss_error_text(err));
    struct ss_error_record lost = {
        .shard = shard->options.index,
        .time_us = shard->now_us,
        .kind = SS_ERROR_KIND_STORE,
        .code = err,
        .session_id = record->session_id,
        .ordinal = record->ordinal,
        .text = ss_str(text),
        .metadata_count = 1,
        .metadata = { { ss_str("originalKind"), ss_str(ss_error_kind_word(record->kind)) } },
    };
    struct ss_error_record told = *record;
    told.shard = shard->options.index;
    told.time_us = shard->now_us;
    ss__observe_error(shard, &lost);
    ss__observe_error(shard, &told);
}

/* @within_us 0: in any case. */
static void note(struct ss_shard *shard, const struct ss_error_record *record, uint64_t within_us)
{
    if (shard->store == NULL) {
        return;    /* a desk (shard/desk.h): who asked for the replay is told */
    }
    struct ss_error_record checked = *record;
    if (!ss__utf8_valid(checked.text.data, checked.text.len)) {
        checked.text = ss_str(ss_error_text(checked.code));
    }
    bool waits = ss__store_errors_wait(shard->store);
    int noted = within_us == 0
                    ? ss__store_note_error(shard->store, &checked)
                    : ss__store_note_error_once(shard->store, &checked, within_us);
    if (noted < 0) {
        keep_failed(shard, &checked, noted);
    } else if (noted == 1 || within_us == 0) {
        ss__count(&ss__stats(shard)->error_records, 1);
        shard->errors_since_ns = waits ? shard->errors_since_ns : shard->now_ns;
        ss__errors_show(shard);
    }
}

void ss__errors_note(struct ss_shard *shard, const struct ss_error_record *record)
{
    note(shard, record, 0);
}

void ss__errors_projection(struct ss_shard *shard, enum ss_error_kind kind,
                           const char *projection, const struct ss_event *event, int err,
                           const struct ss_failure *failure, bool replay)
{
    struct ss_error_record record = {
        .kind = kind,
        .code = err,
        .session_id = event->session_id,
        .ordinal = event->ordinal,
        .event = event->name,
        .projection = ss_str(projection),
        .text = ss_str(failure->code != 0 ? failure->text : ss_error_text(err)),
    };
    note(shard, &record, replay ? ONCE_WITHIN_US : 0);
}

void ss__errors_unreadable(struct ss_shard *shard, const struct ss_channel *channel,
                           uint64_t ordinal, struct ss_str event)
{
    struct ss_error_record record = {
        .kind = SS_ERROR_KIND_DECODE,
        .code = SS_E_TYPE,
        .session_id = channel->id,
        .ordinal = ordinal,
        .event = event,
        .text = ss_str("a stored event cannot be read by this application"),
    };
    note(shard, &record, ONCE_WITHIN_US);
}

void ss__errors_store(struct ss_shard *shard, const struct ss_channel *channel, int err,
                      const char *text)
{
    struct ss_error_record record = {
        .kind = SS_ERROR_KIND_STORE,
        .code = err,
        .session_id = channel == NULL ? ss_str(NULL) : channel->id,
        .text = ss_str(text),
    };
    note(shard, &record, ONCE_WITHIN_US);
}

void ss__errors_fanout(struct ss_shard *shard, const struct ss_channel *channel,
                       uint16_t gateway)
{
    char number[8];
    (void)snprintf(number, sizeof number, "%u", (unsigned)gateway);
    struct ss_error_record record = {
        .kind = SS_ERROR_KIND_FANOUT,
        .code = SS_E_BUSY,
        .session_id = channel->id,
        .text = ss_str("frames were dropped, its followers get a snapshot instead"),
        .metadata_count = 1,
        .metadata = { { ss_str("gateway"), ss_str(number) } },
    };
    note(shard, &record, ONCE_WITHIN_US);
}

bool ss__errors_due(const struct ss_shard *shard)
{
    return ss__store_errors_wait(shard->store) && shard->now_ns - shard->errors_since_ns >= WAIT_NS;
}

/* ---- asked for ---- */

static bool is_wanted(const struct ss_error_query *query, const struct ss_error_record *record)
{
    return (query->session_id.len == 0 || ss_str_equal(query->session_id, record->session_id)) &&
           (query->kinds == 0 || (query->kinds >> record->kind & 1) != 0);
}

/* The record again, in memory that lasts. */
static int keep(struct ss_arena *arena, struct ss_error_record *record)
{
    struct ss_str *const texts[] = { &record->session_id, &record->event, &record->projection,
                                     &record->text, &record->raw };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        *texts[i] = ss__arena_str(arena, *texts[i]);
        if (texts[i]->data == NULL) {
            return SS_E_NOMEM;
        }
    }
    for (uint32_t i = 0; i < record->metadata_count; i++) {
        record->metadata[i].name = ss__arena_str(arena, record->metadata[i].name);
        record->metadata[i].value = ss__arena_str(arena, record->metadata[i].value);
        if (record->metadata[i].name.data == NULL || record->metadata[i].value.data == NULL) {
            return SS_E_NOMEM;
        }
    }
    return 0;
}

static int fill(const struct ss_store *store, const struct ss_error_query *query,
                struct ss_error_part *part)
{
    uint64_t first = ss__store_errors_first(store);
    uint64_t number = ss__store_errors_next(store);
    uint32_t limit = query->limit == 0 ? SS_ERROR_RECORDS_MAX : query->limit;
    struct ss_error_record *records =
        ss__arena_alloc(&part->arena, (number - first + 1) * sizeof *records);
    if (records == NULL) {
        return SS_E_NOMEM;
    }
    /* From the newest back, so that they end up in order at the end of the array. */
    struct ss_error_record *at = records + (number - first);
    part->records = at;
    while (number-- > first && part->count < limit) {
        if (!ss__store_error_at(store, number, at - 1) || !is_wanted(query, at - 1)) {
            continue;
        }
        int err = keep(&part->arena, --at);
        if (err != 0) {
            return err;
        }
        part->records = at;
        part->count++;
    }
    return 0;
}

void ss__errors_answer(struct ss_shard *shard, struct ss_request *request)
{
    struct ss_error_listing *listing = request->errors;
    struct ss_error_part *part =
        &listing->parts[listing->parts_count == 1 ? 0 : shard->options.index];
    part->err = fill(shard->store, &listing->query, part);
    if (part->err != 0) {
        ss__request_fail(request, part->err, NULL);
    }
    ss__effect_answer(shard, request);
}
