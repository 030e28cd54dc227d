#include "shard/events.h"

#include <stdlib.h>

#include <sessionstream/history.h>
#include <sessionstream/limits.h>

#include "core/arena.h"
#include "core/contract.h"
#include "core/failure.h"
#include "schema/json.h"
#include "schema/json_text.h"
#include "schema/json_time.h"
#include "shard/effect.h"
#include "shard/job.h"
#include "shard/parked.h"
#include "shard/shard_state.h"
#include "shard/unreadable.h"
#include "store/history.h"

#define ARENA_CHUNK_BYTES 16384

struct reading {
    struct ss_job base;             /* comes back as SS_MSG_EVENTS_READ */
    const struct ss_shard *shard;   /* what does not change while it runs */
    struct ss_request *request;
    struct ss_history *history;
    struct ss_arena arena;
    struct ss_stored_event *events;
    struct ss_event_page page;
    size_t bytes;                   /* of the payloads */
    uint32_t limit;
    bool full;
    int err;
};

/* ---- in the pool ---- */

/* Those of today, or of the application that stored it. */
static int name_event(const struct ss_shard *shard, const struct ss_record *record,
                      struct ss_stored_event *event)
{
    struct ss_type_entry type;
    int err = ss__store_type(shard->store, record->type_id, &type);
    if (err != 0 || type.space != SS_TYPE_EVENT) {
        return SS_E_CORRUPT;
    }
    event->name = type.name;    /* the store keeps them until it closes */
    event->type = type.full_name;
    return 0;
}

static const struct ss_name *find_name(const struct ss_shard *shard, uint32_t type_id)
{
    return type_id < shard->names_by_type_count ? shard->names_by_type[type_id] : NULL;
}

/* Takes one more, unless there is no room for it. */
static int take(struct reading *reading, const struct ss_record *record)
{
    const struct ss_shard *shard = reading->shard;
    size_t count = reading->page.count;
    if (count == reading->limit ||
        (count > 0 && record->payload.len > SS_EVENT_PAGE_BYTES_MAX - reading->bytes)) {
        reading->full = true;
        return 0;
    }
    struct ss_stored_event event = { .ordinal = record->ordinal, .time_us = record->time_us };
    int err = name_event(shard, record, &event);
    if (err != 0) {
        return err;
    }
    const struct ss_name *name = find_name(shard, record->type_id);
    uint32_t now = name == NULL ? 0 : shard->event_type_ids[name->index];
    event.readable = ss__readable(name, now, record->type_id, record->payload);
    event.payload = ss__arena_str(&reading->arena, record->payload);
    if (event.payload.data == NULL) {
        return SS_E_NOMEM;
    }
    reading->events[reading->page.count++] = event;
    reading->bytes += event.payload.len;
    reading->full = reading->bytes >= SS_EVENT_PAGE_BYTES_MAX;
    return 0;
}

static int read_all(struct reading *reading)
{
    int err = 0;
    size_t count = 1;
    while (err == 0 && count > 0 && !reading->full && reading->page.count < reading->limit) {
        const struct ss_record *records = NULL;
        err = ss__history_read(reading->history, &records, &count);
        for (size_t i = 0; err == 0 && i < count && !reading->full; i++) {
            err = take(reading, &records[i]);
        }
    }
    return err == SS_E_NOTFOUND ? SS_E_DELETED : err;
}

/* The payload, or what is there instead; @raw: both. */
static void write_payload(const struct ss_shard *shard, const struct ss_stored_event *event,
                          bool raw, struct ss_bytes *out)
{
    const struct ss_registry *registry = shard->options.registry;
    size_t before = out->len;
    if (event->readable) {
        const struct ss_name *name = ss__registry_find(registry, SS_SPACE_EVENT, event->name);
        ss__bytes_text(out, ",\"payload\":");
        if (ss__json_encode_any(shard->options.transport->schema, name->type, event->payload, out,
                                NULL) != 0 && out->err == 0) {
            out->len = before;    /* it has no JSON */
        } else if (!raw) {
            return;
        }
    }
    ss__bytes_text(out, ",\"type\":");
    ss__json_string(out, event->type);
    ss__bytes_text(out, ",\"raw\":");
    ss__json_base64(out, event->payload);
}

static void write_event(const struct ss_shard *shard, const struct ss_stored_event *event,
                        bool raw, struct ss_bytes *out)
{
    ss__json_long(out, "{\"ordinal\":", event->ordinal);
    size_t before = out->len;
    ss__bytes_text(out, ",\"time\":");
    if (!ss__json_write_timestamp(out, (int64_t)(event->time_us / 1000000),
                                  (int32_t)(event->time_us % 1000000) * 1000)) {
        out->len = before;    /* no clock has said this */
    }
    ss__bytes_text(out, ",\"event\":");
    ss__json_string(out, event->name);
    write_payload(shard, event, raw, out);
    ss__bytes_byte(out, '}');
}

static int write_page(struct reading *reading)
{
    const struct ss_event_page *page = &reading->page;
    struct ss_bytes out;
    ss__bytes_init(&out, 0);
    ss__bytes_text(&out, "{\"sessionId\":");
    ss__json_string(&out, page->session_id);
    ss__json_long(&out, ",\"firstRetained\":", page->first_retained);
    ss__json_long(&out, ",\"ordinal\":", page->ordinal);
    ss__bytes_text(&out, ",\"events\":[");
    for (size_t i = 0; i < page->count && out.err == 0; i++) {
        ss__bytes_text(&out, i == 0 ? "\n" : ",\n");
        write_event(reading->shard, &page->events[i], reading->request->raw, &out);
    }
    ss__bytes_text(&out, page->more ? "],\"more\":true}" : "],\"more\":false}");
    int err = out.err;
    if (err == 0) {
        reading->request->snapshot = ss__buf_copy(out.data, out.len);
        err = reading->request->snapshot == NULL ? SS_E_NOMEM : 0;
    }
    ss__bytes_deinit(&out);
    return err;
}

static void run(struct ss_job *job)
{
    struct reading *reading = ss__container_of(job, struct reading, base);
    struct ss_event_page *page = &reading->page;
    uint64_t after = reading->request->at;
    reading->err = read_all(reading);
    page->more = after < page->ordinal && after + page->count < page->ordinal;
    if (reading->err == 0 && reading->request->connection.gateway != SS_GATEWAY_NONE) {
        reading->err = write_page(reading);
    }
}

/* ---- the shard's thread ---- */

static void free_reading(struct ss_shard *shard, struct reading *reading)
{
    ss__history_free(shard->store, reading->history);
    ss__arena_deinit(&reading->arena);
    free(reading->events);
    free(reading);
}

/* It shows what had been committed before it began: nothing to wait for. Takes the reading. */
static void answer(struct ss_shard *shard, struct reading *reading)
{
    struct ss_request *request = reading->request;
    if (reading->err == SS_E_GONE) {
        ss__request_gone(request, ss__history_first(reading->history));
    } else if (reading->err != 0) {
        ss__request_fail(request, reading->err, ss_error_text(reading->err));
    } else {
        request->ordinal = reading->page.ordinal;
        request->events = &reading->page;
    }
    ss__answer_now(shard, request);
    free_reading(shard, reading);
}

/* Behind the newest event there is nothing to read. */
static int prepare(struct ss_shard *shard, const struct ss_channel *channel,
                   struct ss_request *request, struct reading **ret_reading)
{
    const struct ss_session_row *row = ss__store_row(channel->state->stored);
    uint64_t left = request->at < row->ordinal ? row->ordinal - request->at : 0;
    struct reading *reading = ss__job_new(SS_MSG_EVENTS_READ, sizeof *reading, run);
    if (reading == NULL) {
        return SS_E_NOMEM;
    }
    ss__arena_init(&reading->arena, ARENA_CHUNK_BYTES);
    reading->shard = shard;
    reading->request = request;
    reading->limit = left < request->limit ? (uint32_t)left : request->limit;
    reading->events = calloc(reading->limit + 1, sizeof *reading->events);
    reading->page = (struct ss_event_page){ .session_id = request->session_id,
                                            .first_retained = row->first_retained,
                                            .ordinal = row->ordinal,
                                            .events = reading->events };
    struct ss_history_query query = { .at = request->at + reading->limit,
                                      .after = request->at,
                                      .tail_max = SS_EVENT_PAGE_BYTES_MAX };
    int err = reading->events == NULL ? SS_E_NOMEM : 0;
    if (err == 0 && reading->limit > 0) {
        err = ss__history_new(shard->store, channel->state->stored, &query, &reading->history);
    }
    if (err != 0) {
        free_reading(shard, reading);
        return err;
    }
    *ret_reading = reading;
    return 0;
}

static int start(struct ss_shard *shard, const struct ss_channel *channel,
                 struct ss_request *request)
{
    struct reading *reading = NULL;
    int err = prepare(shard, channel, request, &reading);
    if (err != 0) {
        return err;
    }
    if (reading->limit == 0 || shard->options.pool == NULL) {
        run(&reading->base);
        answer(shard, reading);
        return 0;
    }
    err = ss__job_post(shard, shard->options.pool, &reading->base);
    if (err != 0) {
        free_reading(shard, reading);
    }
    return err;
}

/* Why there is no page; of events that are gone the first one that is there is told. */
static int check(const struct ss_channel *channel, struct ss_request *request)
{
    const struct ss_state *state = channel->state;
    if (state->stored == NULL || state->ordinal == 0) {
        ss__request_fail(request, SS_E_NOTFOUND, "no event of the session is stored");
        return SS_E_NOTFOUND;
    }
    uint64_t first = ss__store_row(state->stored)->first_retained;
    if (request->at < state->ordinal && request->at + 1 < first) {
        ss__request_gone(request, first);
        return SS_E_GONE;
    }
    return 0;
}

void ss__events(struct ss_shard *shard, struct ss_channel *channel, struct ss_request *request)
{
    if (channel->state->touched) {
        /* Part of it is not committed yet; it is not tried again before. */
        channel->batch_messages = SS_BATCH_SESSION_MESSAGES_MAX;
        ss__park_first(shard, channel, request);
        return;
    }
    int err = check(channel, request);
    err = err != 0 ? err : start(shard, channel, request);
    if (err != 0) {
        ss__request_fail(request, err, ss_error_text(err));
        ss__effect_answer(shard, request);
    }
}

void ss__events_done(struct ss_shard *shard, struct ss_msg *msg)
{
    answer(shard, ss__container_of(ss__job_back(shard, msg), struct reading, base));
}

void ss__events_drop(struct ss_shard *shard, struct ss_msg *msg)
{
    struct reading *reading =
        ss__container_of(ss__job_back(shard, msg), struct reading, base);
    reading->err = SS_E_STOPPING;
    answer(shard, reading);
}
