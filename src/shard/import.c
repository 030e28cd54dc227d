#include "shard/import.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/contract.h"
#include "core/failure.h"
#include "core/hash.h"
#include "message/import.h"
#include "shard/canonical.h"
#include "shard/dispatch.h"
#include "shard/effect.h"
#include "shard/job.h"
#include "shard/parked.h"
#include "shard/pipeline.h"
#include "shard/shard_state.h"

/* Bytes of a session id in a sentence. */
#define SHOWN_BYTES_MAX 64

struct import_read {
    struct ss_job base;          /* comes back as SS_MSG_IMPORT_READ */
    struct ss_store *store;
    struct ss_image_request *range;
    struct ss_channel *channel;  /* pinned by channel->loading */
    struct ss_request *request;
    struct ss_image image;
    int err;
};

static void answer(struct ss_shard *shard, struct ss_request *request, int err, const char *text)
{
    if (err != 0) {
        ss__request_fail(request, err, text == NULL ? ss_error_text(err) : text);
    }
    ss__effect_answer(shard, request);
}

/* ---- comparing ---- */

struct side {
    struct ss_str name;
    struct ss_str packed;
};

static void refuse(struct ss_request *request, uint64_t ordinal, const struct side *stored,
                   const struct side *given)
{
    char text[512];
    struct ss_str id = request->session_id;
    (void)snprintf(text, sizeof text, "session \"%.*s\" has another event %llu: stored is "
                   "\"%.*s\" (%zu bytes, hash %016llx), given is \"%.*s\" (%zu bytes, hash "
                   "%016llx)", ss__shown(id, SHOWN_BYTES_MAX),
                   id.data, (unsigned long long)ordinal, (int)stored->name.len, stored->name.data,
                   stored->packed.len,
                   (unsigned long long)ss__checksum(stored->packed.data, stored->packed.len),
                   (int)given->name.len, given->name.data, given->packed.len,
                   (unsigned long long)ss__checksum(given->packed.data, given->packed.len));
    ss__request_fail(request, SS_E_CONFLICT, text);
}

static int compare_one(struct ss_shard *shard, struct ss_request *request, uint64_t ordinal,
                       const struct ss_record *record, uint32_t index)
{
    const struct ss_name *name = request->import->events[index].name;
    struct side given = { name->name, ss__import_payload(request->import, index) };
    struct side stored = { .packed = record->payload };
    struct ss_str full_name;
    int err = ss__store_type_name(shard->store, record->type_id, &stored.name, &full_name);
    if (err != 0) {
        return SS_E_CORRUPT;
    }
    bool same_name = ss_str_equal(stored.name, given.name);
    if (same_name && ss_str_equal(stored.packed, given.packed)) {
        return 0;
    }
    err = ss__canonical(shard, name->type, given.packed, &given.packed);
    if (err == 0 && same_name) {
        err = ss__canonical(shard, name->type, stored.packed, &stored.packed);
    }
    if (err != 0) {
        return err;
    }
    if (!same_name || !ss_str_equal(stored.packed, given.packed)) {
        refuse(request, ordinal, &stored, &given);
        return SS_E_CONFLICT;
    }
    return 0;
}

/* Against what was read, which begins with the first ordinal that was not compared yet. */
static int compare(struct ss_shard *shard, struct ss_request *request,
                   const struct ss_image *image)
{
    struct ss_import *import = request->import;
    for (size_t i = 0; i < image->records_count; i++) {
        const struct ss_record *record = &image->records[i];
        int err = compare_one(shard, request, record->ordinal, record,
                              (uint32_t)(record->ordinal - import->first));
        if (err != 0) {
            return err;
        }
        import->compared = record->ordinal;
    }
    return 0;
}

/* ---- reading ---- */

static void run(struct ss_job *job)
{
    struct import_read *read = ss__container_of(job, struct import_read, base);
    read->err = ss__store_read_image(read->store, read->range, &read->image);
    ss__store_image_request_free(read->range);
}

/* Takes the range, unless it fails. */
static int post_job(struct ss_shard *shard, struct ss_channel *channel,
                    struct ss_request *request, struct ss_image_request *range)
{
    struct import_read *read = ss__job_new(SS_MSG_IMPORT_READ, sizeof *read, run);
    if (read == NULL) {
        return SS_E_NOMEM;
    }
    read->store = shard->store;
    read->range = range;
    read->channel = channel;
    read->request = request;
    int err = ss__job_post(shard, shard->options.pool, &read->base);
    if (err != 0) {
        free(read);
        return err;
    }
    channel->loading = true;
    return 0;
}

/* Without a pool: here. */
static int read_here(struct ss_shard *shard, struct ss_request *request,
                     const struct ss_image_request *range)
{
    struct ss_image image;
    int err = ss__store_read_image_here(shard->store, range, &image);
    if (err == 0) {
        err = compare(shard, request, &image);
        ss__image_deinit(&image);
    }
    return err;
}

/* Compares the next events that are there already. 1: the pool reads them, and the request comes
 * back. */
static int compare_stored(struct ss_shard *shard, struct ss_channel *channel,
                          struct ss_request *request, uint64_t last)
{
    struct ss_import *import = request->import;
    uint64_t first = import->compared + 1 > import->first ? import->compared + 1 : import->first;
    struct ss_image_request *range;
    int err = ss__store_range_request(shard->store, channel->state->stored, first, last, &range);
    if (err != 0) {
        return err;
    }
    if (shard->options.pool != NULL) {
        err = post_job(shard, channel, request, range);
        if (err == 0) {
            return 1;
        }
    } else {
        err = read_here(shard, request, range);
    }
    ss__store_image_request_free(range);
    return err;
}

void ss__import_done(struct ss_shard *shard, struct ss_msg *msg)
{
    struct import_read *read =
        ss__container_of(ss__job_back(shard, msg), struct import_read, base);
    struct ss_channel *channel = read->channel;
    struct ss_request *request = read->request;
    int err = read->err;
    channel->loading = false;
    (void)ss__has_share(shard, channel);    /* the batch holds the channel from here on */
    if (err == 0) {
        err = compare(shard, request, &read->image);
        ss__image_deinit(&read->image);
    }
    if (err != 0) {
        answer(shard, request, err, NULL);
    } else {
        ss__dispatch_turn(shard, channel, request);
    }
    ss__parked_settle(shard, channel);
    ss__channel_release_later(shard, channel);
    free(read);
}

void ss__import_drop(struct ss_shard *shard, struct ss_msg *msg)
{
    struct import_read *read =
        ss__container_of(ss__job_back(shard, msg), struct import_read, base);
    read->channel->loading = false;
    if (read->err == 0) {
        ss__image_deinit(&read->image);
    }
    ss__request_fail(read->request, SS_E_STOPPING, NULL);
    ss__answer_now(shard, read->request);
    free(read);
}

/* ---- appending ---- */

/* Events that are staged cannot be taken back alone: after an error the whole batch goes. */
static int append(struct ss_shard *shard, struct ss_channel *channel, struct ss_request *request,
                  struct ss_failure *failure)
{
    const struct ss_import *import = request->import;
    int projection_err = 0;
    uint32_t from = (uint32_t)(channel->state->ordinal + 1 - import->first);
    for (uint32_t i = from; i < import->count; i++) {
        const struct ss_import_event *event = &import->events[i];
        struct ss_failure why = { 0 };
        uint64_t ordinal = 0;
        int err = ss__pipeline_append(shard, channel, event->name, ss__import_payload(import, i),
                                      event->time_us == 0 ? shard->now_us : event->time_us,
                                      &ordinal, &why);
        if (err != 0 && projection_err == 0) {
            *failure = why;
        }
        if (err != 0 && ordinal == 0) {
            *failure = why;
            shard->spoiled = i > from ? err : shard->spoiled;
            return err;
        }
        projection_err = projection_err != 0 ? projection_err : err;
    }
    request->ordinal = ss__import_last(import);
    return projection_err;
}

/* The position before the import, or why it cannot be. */
static int check_place(const struct ss_channel *channel, const struct ss_import *import,
                       struct ss_failure *failure)
{
    const struct ss_state *state = channel->state;
    if (import->first > state->ordinal + 1) {
        return ss__fail(failure, SS_E_INVAL, "ordinal %llu leaves a gap: the next of the session "
                        "is %llu%s", (unsigned long long)import->first,
                        (unsigned long long)state->ordinal + 1,
                        state->ordinal > 0 ? "" : ". A session that has lost its first events is "
                                                  "taken along by a backup or by resharding, not "
                                                  "by an import");
    }
    if (import->first <= state->ordinal &&
        import->first < ss__store_row(state->stored)->first_retained) {
        return ss__fail(failure, SS_E_GONE, "event %llu is no longer kept and cannot be compared: "
                        "event %llu is the first that has been retained",
                        (unsigned long long)import->first,
                        (unsigned long long)ss__store_row(state->stored)->first_retained);
    }
    return 0;
}

void ss__import(struct ss_shard *shard, struct ss_channel *channel, struct ss_request *request)
{
    struct ss_import *import = request->import;
    struct ss_failure failure = { 0 };
    int err = check_place(channel, import, &failure);
    while (err == 0) {
        uint64_t newest = channel->state->ordinal;
        uint64_t last = ss__import_last(import) < newest ? ss__import_last(import) : newest;
        if (last < import->first || last <= import->compared) {
            break;
        }
        if (channel->state->touched) {
            ss__park_first(shard, channel, request);    /* readers see what is committed */
            return;
        }
        err = compare_stored(shard, channel, request, last);
        if (err == 1) {
            return;
        }
    }
    if (err == 0 && ss__import_last(import) > channel->state->ordinal) {
        err = append(shard, channel, request, &failure);
    } else if (err == 0) {
        request->ordinal = ss__import_last(import);
    }
    answer(shard, request, err, failure.code == 0 ? NULL : failure.text);
}
