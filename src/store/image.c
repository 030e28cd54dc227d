/* Reading a session: one entity on the owner's thread, the whole of it on any. */
#include <stdlib.h>
#include <string.h>

#include "core/log.h"
#include "store/bytes_order.h"
#include "store/guard.h"
#include "store/past.h"
#include "store/record.h"
#include "store/retention.h"
#include "store/segment_seek.h"
#include "store/store_state.h"
#include "store/tail.h"

struct ss_image_request {
    struct ss_session_row row;
    uint64_t first;          /* a range: only these events; 0: all after the timeline */
    uint64_t last;
    bool entities;
    uint32_t anew;           /* bit per timeline: what is on disk does not count */
    uint32_t go_on;          /* bit per timeline: a halt does not count */
    bool born;               /* LMDB did not know it yet */
    uint64_t seed;
    struct ss_bytes tail;    /* its unflushed events, as they are in the log */
};

static void report_entity(struct ss_store *store, uint64_t sid, struct ss_str kind,
                          struct ss_str id)
{
    if (!ss__store_may_report(store)) {
        return;
    }
    char name[SS_NAME_BYTES_MAX + 3];
    char quoted[SS_ENTITY_ID_BYTES_MAX + 3];
    ss__log(SS_LOG_ERROR, "a stored entity is damaged; run `ssctl store check`",
            "shard=%u sid=%llu kind=%s entity=%s", store->options.shard_index,
            (unsigned long long)sid, ss__log_quote(name, sizeof name, kind),
            ss__log_quote(quoted, sizeof quoted, id));
}

int ss__store_read_entity(struct ss_store *store, const struct ss_store_session *session,
                          uint32_t projection, struct ss_str kind, struct ss_str id,
                          struct ss_entity_row *ret_entity)
{
    uint8_t key_bytes[SS_KEY_BYTES_MAX];
    if (ss__store_timeline_is_void(session, projection)) {
        return SS_E_NOTFOUND;
    }
    bool closed = session->closed || session->deleted;
    int len = closed ? SS_E_CLOSED
                     : ss__entity_key(key_bytes, session->now.row.sid, projection, kind, id);
    if (len < 0) {
        return len;
    }
    MDB_txn *txn;
    int err = ss__env_reader(&store->env, &txn);
    if (err != 0) {
        return err;
    }
    MDB_val key = ss__val_of(key_bytes, (size_t)len);
    MDB_val value;
    err = ss__guard_key(&store->env, txn, SS_DB_ENTITY, ss__str_of_val(key));
    err = err != 0 ? err
                   : ss__err_from_lmdb(mdb_get(txn, store->env.dbi[SS_DB_ENTITY], &key, &value));
    struct ss_entity_row row = { .projection = projection, .kind = kind, .id = id };
    err = err != 0 ? err : ss__entity_decode(ss__str_of_val(key), ss__str_of_val(value), &row);
    if (err == 0) {
        *ret_entity = row;
    } else if (err == SS_E_CORRUPT) {
        report_entity(store, session->now.row.sid, kind, id);
    }
    return err;
}

static int new_request(const struct ss_store *store, const struct ss_store_session *session,
                       uint64_t first, uint64_t last, struct ss_image_request **ret_request)
{
    const struct ss_session_values *now = session->changed ? &session->saved : &session->now;
    struct ss_image_request *request = malloc(sizeof *request);
    if (request == NULL) {
        return SS_E_NOMEM;
    }
    *request = (struct ss_image_request){ .row = now->row,
                                          .first = first,
                                          .last = last,
                                          .born = session->born != 0,
                                          .seed = store->log.seed };
    for (uint32_t i = 0; i < store->timelines_count; i++) {
        bool anew = ss__store_timeline_is_void(session, store->timelines[i].projection);
        request->anew |= anew ? 1u << i : 0;
    }
    uint64_t end;
    if (ss__tail_copy(store, session, first != 0 ? first - 1 : 0,
                      last != 0 ? last : now->row.ordinal, 0, &request->tail, &end) != 0) {
        ss__store_image_request_free(request);
        return SS_E_NOMEM;
    }
    *ret_request = request;
    return 0;
}

int ss__store_image_request(const struct ss_store *store, const struct ss_store_session *session,
                            bool entities, struct ss_image_request **ret_request)
{
    if (session->closed || session->deleted) {
        return SS_E_CLOSED;
    }
    int err = new_request(store, session, 0, 0, ret_request);
    if (err == 0) {
        (*ret_request)->entities = entities;
    }
    return err;
}

int ss__store_range_request(const struct ss_store *store, const struct ss_store_session *session,
                            uint64_t first, uint64_t last, struct ss_image_request **ret_request)
{
    return session->closed || session->deleted
               ? SS_E_CLOSED
               : new_request(store, session, first, last, ret_request);
}

void ss__store_image_request_free(struct ss_image_request *request)
{
    if (request != NULL) {
        ss__bytes_deinit(&request->tail);
        free(request);
    }
}

void ss__store_image_go_on(struct ss_image_request *request, uint32_t projections)
{
    request->go_on |= projections;
}

/* What a read collects; strings go to the arena. */
struct reading {
    struct ss_store *store;
    MDB_txn *txn;
    const struct ss_image_request *request;
    struct ss_arena arena;
    struct ss_timeline_row timelines[SS_PROJECTIONS_MAX];    /* of this transaction */
    struct ss_entity_row *entities;
    size_t entities_count;
    size_t entities_slots;
    struct ss_record *records;
    size_t records_count;
    size_t records_slots;
    uint64_t ordinal;           /* of the newest record taken */
    uint32_t based;             /* bit per timeline: begins with what retention has left */
    uint64_t first_retained;
    bool in_entities;           /* that is still where entities are */
};

static int grow(void **list, size_t *slots, size_t count, size_t item_bytes)
{
    if (count < *slots) {
        return 0;
    }
    size_t more = *slots == 0 ? 16 : *slots * 2;
    void *grown = realloc(*list, more * item_bytes);
    if (grown == NULL) {
        return SS_E_NOMEM;
    }
    *list = grown;
    *slots = more;
    return 0;
}

static int keep_entity(struct reading *reading, const struct ss_entity_row *entity)
{
    struct ss_entity_row row = *entity;
    void *list = reading->entities;
    int err = grow(&list, &reading->entities_slots, reading->entities_count, sizeof row);
    reading->entities = list;
    if (err != 0) {
        return err;
    }
    row.kind = ss__arena_str(&reading->arena, entity->kind);
    row.id = ss__arena_str(&reading->arena, entity->id);
    row.payload = ss__arena_str(&reading->arena, entity->payload);
    if (row.kind.data == NULL || row.id.data == NULL || row.payload.data == NULL) {
        return SS_E_NOMEM;
    }
    reading->entities[reading->entities_count++] = row;
    return 0;
}

static int take_entity(struct reading *reading, MDB_val key, MDB_val value)
{
    uint64_t sid;
    struct ss_str kind;
    struct ss_str id;
    struct ss_entity_row row = { 0 };
    int err = ss__entity_key_decode(ss__str_of_val(key), &sid, &row.projection, &kind, &id);
    if (err == 0) {
        err = ss__entity_decode(ss__str_of_val(key), ss__str_of_val(value), &row);
        if (err != 0) {
            report_entity(reading->store, sid, kind, id);
        }
    }
    row.kind = kind;
    row.id = id;
    return err != 0 ? err : keep_entity(reading, &row);
}

/* Of a projection that begins with what retention has left. */
static int take_based(const struct ss_entity_row *row, void *ctx)
{
    struct reading *reading = ctx;
    bool wanted = false;
    for (uint32_t i = 0; i < reading->store->timelines_count; i++) {
        wanted |= (reading->based >> i & 1) != 0 &&
                  reading->store->timelines[i].projection == row->projection;
    }
    return wanted ? keep_entity(reading, row) : 0;
}

static bool has_prefix(MDB_val key, const uint8_t *prefix, size_t len)
{
    return key.mv_size >= len && memcmp(key.mv_data, prefix, len) == 0;
}

/* The row of this transaction; of a session that LMDB does not know yet, without timelines. */
static int read_row(struct reading *reading, struct ss_row_value *ret_row)
{
    uint8_t key_bytes[8];
    uint64_t sid = reading->request->row.sid;
    ss__put_be64(key_bytes, sid);
    MDB_val key = ss__val_of(key_bytes, sizeof key_bytes);
    MDB_val value;
    /* Not guarded: whoever made the session's handle was, and a missing row is damage. */
    int err = ss__err_from_lmdb(
        mdb_get(reading->txn, reading->store->env.dbi[SS_DB_SESSION], &key, &value));
    if (err == SS_E_NOTFOUND) {
        *ret_row = (struct ss_row_value){ 0 };
        return reading->request->born ? 0 : SS_E_CORRUPT;
    }
    return err != 0 ? err : ss__row_decode(sid, ss__str_of_val(value), ret_row);
}

static int keep_failed(struct reading *reading, struct ss_timeline_row *timeline)
{
    if (timeline->failed != NULL) {
        struct ss_failed_set *kept = ss__arena_alloc(&reading->arena, sizeof *kept);
        if (kept == NULL) {
            return SS_E_NOMEM;
        }
        *kept = *timeline->failed;
        timeline->failed = kept;
    }
    return 0;
}

/* A checkpoint may have been committed since the request: the entities below are its. Events are
 * wanted from the oldest checkpoint on; a projection that has halted wants none. */
static int read_timelines(struct reading *reading)
{
    const struct ss_store *store = reading->store;
    const struct ss_image_request *request = reading->request;
    struct ss_row_value row;
    int err = read_row(reading, &row);
    reading->ordinal = UINT64_MAX;
    for (uint32_t i = 0; i < store->timelines_count && err == 0; i++) {
        const struct ss_timeline_code *code = &store->timelines[i];
        struct ss_timeline_row *timeline = &reading->timelines[i];
        struct ss_failed_set failed;
        *timeline = (struct ss_timeline_row){ .projection = code->projection,
                                              .version = code->version };
        if ((request->anew & (1u << i)) == 0 &&
            ss__timelines_pick(row.timelines, code->projection, timeline, &failed) == 0) {
            err = keep_failed(reading, timeline);
        }
        if (row.first_retained > timeline->ordinal + 1) {
            *timeline = (struct ss_timeline_row){ .projection = code->projection,
                                                  .version = code->version,
                                                  .ordinal = row.first_retained - 1 };
            reading->based |= 1u << i;
        }
        bool rests = timeline->halted && (request->go_on & (1u << i)) == 0;
        if (!rests && timeline->ordinal < reading->ordinal) {
            reading->ordinal = timeline->ordinal;
        }
    }
    if (reading->ordinal == UINT64_MAX) {
        reading->ordinal = request->row.ordinal;
    }
    reading->first_retained = row.first_retained;
    reading->in_entities = err == 0 && ss__retained_in_entities(&row);
    return err;
}

static int read_entities_of(struct reading *reading, MDB_cursor *cursor, uint32_t projection)
{
    uint8_t prefix[SS_ENTITY_PREFIX_BYTES];
    ss__entity_prefix(prefix, reading->request->row.sid, projection);
    MDB_val key = ss__val_of(prefix, sizeof prefix);
    MDB_val value;
    int err = ss__guard_walk(&reading->store->env, reading->txn, SS_DB_ENTITY, ss__str_of_val(key),
                             sizeof prefix, UINT64_MAX);
    int code = err != 0 ? 0 : mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
    while (code == 0 && err == 0 && has_prefix(key, prefix, sizeof prefix)) {
        err = take_entity(reading, key, value);
        code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
    }
    return err != 0 ? err : code == 0 || code == MDB_NOTFOUND ? 0 : ss__err_from_lmdb(code);
}

static bool wants_entities(const struct reading *reading, uint32_t index)
{
    bool based = (reading->based >> index & 1) != 0;
    return based ? reading->in_entities
                 : reading->request->entities && (reading->request->anew & (1u << index)) == 0;
}

/* Those that retention has left of the events it removed come whether or not entities are wanted:
 * single ones are not looked for there. */
static int read_base(struct reading *reading)
{
    const struct ss_store *store = reading->store;
    uint64_t sid = reading->request->row.sid;
    uint64_t base = reading->first_retained - 1;
    if (reading->based == 0) {
        return 0;
    }
    uint8_t prefix[8];
    ss__put_be64(prefix, sid);
    /* Else a base that is hidden there would be said to be missing. */
    int err = ss__guard_walk(&store->env, reading->txn, SS_DB_CHECKPOINT,
                             ss_str_of(prefix, sizeof prefix), sizeof prefix, UINT64_MAX);
    err = err != 0 ? err : ss__past_sound(&store->env, reading->txn, sid, base);
    if (err == 0) {
        reading->in_entities = false;
        return ss__past_read(&store->env, reading->txn, sid, base, take_based, reading);
    }
    bool unusable = err == SS_E_NOTFOUND || err == SS_E_CORRUPT;
    return unusable && reading->in_entities ? 0 : unusable ? SS_E_CORRUPT : err;
}

static int read_entities(struct reading *reading)
{
    MDB_cursor *cursor;
    int err = ss__err_from_lmdb(
        mdb_cursor_open(reading->txn, reading->store->env.dbi[SS_DB_ENTITY], &cursor));
    if (err != 0) {
        return err;
    }
    for (uint32_t i = 0; i < reading->store->timelines_count && err == 0; i++) {
        if (wants_entities(reading, i)) {
            err = read_entities_of(reading, cursor, reading->timelines[i].projection);
        }
    }
    mdb_cursor_close(cursor);
    return err;
}

/* The next one wanted. */
static bool is_wanted(const struct reading *reading, uint64_t ordinal)
{
    return ordinal > reading->ordinal &&
           (reading->request->last == 0 || ordinal <= reading->request->last);
}

static int take_record(struct reading *reading, struct ss_record record)
{
    void *list = reading->records;
    int err = grow(&list, &reading->records_slots, reading->records_count, sizeof record);
    reading->records = list;
    if (err != 0) {
        return err;
    }
    record.header = ss__arena_str(&reading->arena, record.header);
    record.payload = ss__arena_str(&reading->arena, record.payload);
    if (record.header.data == NULL || record.payload.data == NULL) {
        return SS_E_NOMEM;
    }
    reading->records[reading->records_count++] = record;
    reading->ordinal = record.ordinal;
    return 0;
}

static int take_segment(struct reading *reading, MDB_val key, MDB_val value)
{
    struct ss_segment segment = { 0 };
    int err = ss__segment_decode(ss__str_of_val(key), ss__str_of_val(value), &segment);
    size_t at = 0;
    for (uint32_t i = 0; i < segment.count && err == 0; i++) {
        struct ss_record record = { 0 };
        err = ss__segment_entry_next(segment.entries, &at, &record);
        record.ordinal = segment.first + i;
        if (err == 0 && is_wanted(reading, record.ordinal)) {
            err = record.ordinal == reading->ordinal + 1 ? take_record(reading, record)
                                                         : SS_E_CORRUPT;
        }
    }
    return err;
}

/* From the segment that holds the next ordinal on, which may begin before it. */
static int read_segments(struct reading *reading)
{
    uint8_t prefix[8];
    uint64_t sid = reading->request->row.sid;
    MDB_cursor *cursor;
    int err = ss__err_from_lmdb(
        mdb_cursor_open(reading->txn, reading->store->env.dbi[SS_DB_SEGMENT], &cursor));
    if (err != 0) {
        return err;
    }
    ss__put_be64(prefix, sid);
    MDB_val key;
    MDB_val value;
    uint64_t rows = reading->request->last == 0 ? UINT64_MAX
                                                : reading->request->last - reading->ordinal;
    int code = 0;
    if (reading->ordinal < reading->request->row.ordinal) {    /* else nothing can be missing */
        err = ss__segment_guard(&reading->store->env, reading->txn, sid, reading->ordinal + 1,
                                rows);
    }
    if (err == 0) {
        code = ss__segment_seek(cursor, sid, reading->ordinal + 1, &key, &value);
    }
    while (code == 0 && err == 0 && has_prefix(key, prefix, sizeof prefix) &&
           is_wanted(reading, reading->ordinal + 1)) {
        err = take_segment(reading, key, value);
        code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
    }
    mdb_cursor_close(cursor);
    return err != 0 ? err : code == 0 || code == MDB_NOTFOUND ? 0 : ss__err_from_lmdb(code);
}

/* What had been in no segment when the request was made. */
static int read_tail(struct reading *reading)
{
    const struct ss_image_request *request = reading->request;
    int err = 0;
    for (size_t at = 0; at < request->tail.len && err == 0;) {
        struct ss_log_record record;
        struct ss_str rest = ss_str_of(request->tail.data + at, request->tail.len - at);
        err = ss__log_record_decode(rest, request->seed, &record);
        at += record.len;
        if (err == 0 && is_wanted(reading, record.event.ordinal)) {
            bool next = record.sid == request->row.sid &&
                        record.event.ordinal == reading->ordinal + 1;
            err = next ? take_record(reading, record.event) : SS_E_CORRUPT;
        }
    }
    return err;
}

struct memory {
    struct ss_arena arena;
    void *entities;
    void *records;
};

static void free_reading(struct reading *reading)
{
    ss__arena_deinit(&reading->arena);
    free(reading->entities);
    free(reading->records);
}

/* They were there when it was asked for them. */
static int check_range(struct reading *reading)
{
    struct ss_row_value row;
    int err = read_row(reading, &row);
    return err == 0 && row.first_retained > reading->request->first ? SS_E_GONE : err;
}

static int read_all(struct reading *reading)
{
    bool range = reading->request->first != 0;
    int err = range ? check_range(reading) : read_timelines(reading);
    reading->ordinal = range ? reading->request->first - 1 : reading->ordinal;
    err = err != 0 ? err : read_base(reading);
    bool entities = reading->request->entities || (reading->based != 0 && reading->in_entities);
    err = err == 0 && entities ? read_entities(reading) : err;
    err = err != 0 ? err : read_segments(reading);
    return err != 0 ? err : read_tail(reading);
}

static int read_image(struct ss_store *store, const struct ss_image_request *request, bool owner,
                      struct ss_image *ret_image)
{
    if (request->row.quarantined) {
        return SS_E_CORRUPT;
    }
    struct reading reading = { .store = store, .request = request };
    struct memory *memory = malloc(sizeof *memory);
    if (memory == NULL) {
        return SS_E_NOMEM;
    }
    ss__arena_init(&reading.arena, 16384);
    int err = owner ? ss__env_reader(&store->env, &reading.txn)
                    : ss__env_read_begin(&store->env, &reading.txn);
    if (err == 0) {
        err = read_all(&reading);
        if (!owner) {
            ss__env_read_end(&store->env, reading.txn);
        }
    }
    uint64_t newest = request->last != 0 ? request->last : request->row.ordinal;
    if (err == 0 && reading.ordinal < newest) {
        err = SS_E_CORRUPT;    /* events that were acknowledged are missing */
    }
    if (err != 0) {
        free_reading(&reading);
        free(memory);
        return err;
    }
    *memory = (struct memory){ reading.arena, reading.entities, reading.records };
    *ret_image = (struct ss_image){ .row = request->row,
                                    .timelines_count = store->timelines_count,
                                    .based = reading.based,
                                    .entities = reading.entities,
                                    .entities_count = reading.entities_count,
                                    .records = reading.records,
                                    .records_count = reading.records_count,
                                    .bytes = reading.arena.total_bytes,
                                    .memory = memory };
    ret_image->row.ordinal = reading.ordinal;
    memcpy(ret_image->timelines, reading.timelines,
           store->timelines_count * sizeof *reading.timelines);
    return 0;
}

int ss__store_read_image(struct ss_store *store, const struct ss_image_request *request,
                         struct ss_image *ret_image)
{
    return read_image(store, request, false, ret_image);
}

int ss__store_read_image_here(struct ss_store *store, const struct ss_image_request *request,
                              struct ss_image *ret_image)
{
    return read_image(store, request, true, ret_image);
}

void ss__image_deinit(struct ss_image *image)
{
    struct memory *memory = image->memory;
    if (memory != NULL) {
        ss__arena_deinit(&memory->arena);
        free(memory->entities);
        free(memory->records);
        free(memory);
    }
    *image = (struct ss_image){ 0 };
}
