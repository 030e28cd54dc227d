#include "content_read.h"

#include "../runs.h"

#define CODE 7u

struct ss_entity_row content_entity(const struct many *m, uint32_t shard, unsigned projection,
                                    uint64_t ordinal, char text[32])
{
    (void)snprintf(text, 32, "%u as of %llu", projection, (unsigned long long)ordinal);
    return (struct ss_entity_row){
        .projection = m->projections[shard][projection], .kind = ss_str("note"),
        .id = ss_str(projection == 0 ? "a" : "b"), .created_ordinal = 1, .last_ordinal = ordinal,
        .time_us = 5, .type_id = m->entities[shard], .payload = ss_str(text),
    };
}

static int pass_entity(const struct ss_entity_row *row, void *ctx)
{
    (void)row;
    (void)ctx;
    return 0;
}

struct ss_history *content_history(struct many *m, uint32_t shard,
                                   struct ss_store_session *session, uint64_t at,
                                   struct ss_history_base *ret_base)
{
    struct ss_history *history;
    struct ss_history_query query = { .at = at, .base_max = at, .code = CODE, .timelines = 3 };
    if (!judge("a history", ss__history_new(m->stores[shard], session, &query, &history), NULL)) {
        return NULL;
    }
    int err = ss__history_base(history, pass_entity, NULL, ret_base);
    if (err != SS_E_GONE && judge("the base of a history", err, NULL)) {
        return history;
    }
    ss__history_free(m->stores[shard], history);
    return NULL;
}

struct ss_past *content_past(struct many *m, uint32_t shard, struct ss_history *history,
                             uint64_t at, bool base)
{
    char text[32];
    struct ss_past *past = base ? ss__past_new_base(history) : ss__past_new(history);
    for (unsigned i = 0; past != NULL && i < 2; i++) {
        struct ss_entity_row row = content_entity(m, shard, i, at, text);
        if (!judge("add to a past", ss__past_add(past, &row), NULL)) {
            ss__past_free(past);
            past = NULL;
        }
    }
    return past;
}

void content_read_history(struct many *m, uint32_t shard, struct ss_store_session *session,
                          bool keep)
{
    uint64_t at = ss__store_row(session)->ordinal;
    struct ss_history_base base = { 0 };
    struct ss_history *history = content_history(m, shard, session, at, &base);
    const struct ss_record *records;
    size_t count = 1;
    uint64_t ordinal = base.ordinal;
    int err = 0;
    if (history == NULL) {
        return;
    }
    while (err == 0 && count > 0) {
        err = ss__history_read(history, &records, &count);
        for (size_t i = 0; err == 0 && i < count; i++) {
            ordinal++;
            if (records[i].ordinal != ordinal) {
                broken("a history goes on with %llu instead of %llu",
                       (unsigned long long)records[i].ordinal, (unsigned long long)ordinal);
            }
        }
    }
    if (judge("read a history", err, NULL) && ordinal != at) {
        broken("a history ends with %llu instead of %llu", (unsigned long long)ordinal,
               (unsigned long long)at);
    }
    struct ss_past *past = keep ? content_past(m, shard, history, at, false) : NULL;
    if (past != NULL) {
        ss__store_stage_past(m->stores[shard], past);
    }
    ss__history_free(m->stores[shard], history);
}

static void verify_records(const struct many *m, uint32_t shard, struct ss_str id,
                           const struct ss_image *image, uint64_t before)
{
    for (size_t i = 0; i < image->records_count; i++) {
        const struct ss_record *record = &image->records[i];
        if (record->ordinal != ++before || record->time_us != 1000 + before ||
            record->type_id != m->events[shard] ||
            !ss_str_equal(record->payload, fixture_payload(id, before, record->payload.len))) {
            broken("event %llu of %.*s is not what was published", (unsigned long long)before,
                   (int)id.len, id.data);
        }
    }
}

void content_read_image(struct many *m, uint32_t shard, struct ss_store_session *session,
                        uint64_t first, bool here)
{
    struct ss_image_request *request;
    struct ss_image image;
    struct ss_store *store = m->stores[shard];
    uint64_t newest = ss__store_row(session)->ordinal;
    int err = first == 0 ? ss__store_image_request(store, session, true, &request)
                         : ss__store_range_request(store, session, first, newest, &request);
    if (!judge("ask for an image", err, NULL)) {
        return;
    }
    err = here ? ss__store_read_image_here(store, request, &image)
               : ss__store_read_image(store, request, &image);
    if (judge("read an image", err, NULL)) {
        uint64_t shown = first != 0 ? first - 1 : UINT64_MAX;
        for (uint32_t i = 0; first == 0 && i < image.timelines_count; i++) {
            uint64_t ordinal = image.timelines[i].ordinal;
            shown = ordinal < shown ? ordinal : shown;
        }
        verify_records(m, shard, ss__store_session_id(session), &image, shown);
        if (shown + image.records_count != newest) {
            broken("an image ends with %llu instead of %llu",
                   (unsigned long long)(shown + image.records_count),
                   (unsigned long long)newest);
        }
        ss__image_deinit(&image);
    }
    ss__store_image_request_free(request);
}
