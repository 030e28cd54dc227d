#include "store.h"

#include "core/hash.h"
#include "store/delete.h"

#define ENTITY_BYTES_MAX 9000u

static uint64_t draw(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return *seed >> 33;
}

static struct ss_str id_of(unsigned index, char out[16])
{
    (void)snprintf(out, 16, "session-%02u", index);
    return ss_str(out);
}

/* ---- filling ---- */

static void put_entities(struct fixture *f, unsigned index, uint64_t *seed)
{
    static struct ss_entity_row rows[40];
    static char ids[40][32];
    static char payload[ENTITY_BYTES_MAX];
    char id[16];
    struct ss_store_session *session = fixture_session(f, id_of(index, id).data);
    uint64_t ordinal = ss__store_row(session)->ordinal;
    size_t count = 1 + draw(seed) % 40;
    memset(payload, 'a' + (int)(index % 26), sizeof payload);
    for (size_t i = 0; i < count; i++) {
        (void)snprintf(ids[i], sizeof ids[i], "note-%02zu", i);
        size_t len = draw(seed) % 9 == 0 ? draw(seed) % ENTITY_BYTES_MAX : draw(seed) % 200;
        rows[i] = (struct ss_entity_row){ .kind = ss_str("note"), .id = ss_str(ids[i]),
                                          .created_ordinal = 1, .last_ordinal = ordinal,
                                          .time_us = 5, .type_id = f->entity_type,
                                          .payload = ss_str_of(payload, len) };
    }
    ss_check(stage_checkpoint(f->store, session, rows, count, ordinal, 1) == 0);
    fixture_flush_due(f);
    ss__store_put_session(f->store, session);
}

static void delete_one(struct fixture *f, unsigned index)
{
    char id[16];
    struct ss_store_session *session = fixture_session(f, id_of(index, id).data);
    ss_check(ss__store_stage_delete(f->store, session, 100) == 0);
    ss_check(ss__store_commit(f->store) == 0);
    ss__store_put_session(f->store, session);
}

static void publish(struct fixture *f, unsigned index, unsigned count, size_t len, uint32_t flags)
{
    char id[16];
    struct ss_store_session *session = fixture_session(f, id_of(index, id).data);
    for (unsigned i = 0; i < count; i++) {
        ss_check(fixture_stage_flags(f, session, len, flags) == 0);
    }
    ss_check(ss__store_commit(f->store) == 0);
    ss__store_put_session(f->store, session);
}

static enum verdict read_all(struct fixture *f, struct contents *ret_contents, char *text);

void damage_fill(struct fixture *f, struct contents *ret_contents)
{
    uint64_t seed = 4711;
    char text[TEXT_BYTES] = "";
    fixture_open(f);
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < SESSIONS; i++) {
            publish(f, i, 1 + (unsigned)(draw(&seed) % 60), 20 + draw(&seed) % 300, 0);
            if (i % 7 == round) {
                publish(f, i, 1, 9000, 0);
            }
            if (i % 3 != 0) {
                put_entities(f, i, &seed);
            }
        }
        fixture_flush_all(f);
    }
    for (unsigned i = 0; i < GONE; i++) {
        delete_one(f, SESSIONS - 1 - i);
        fixture_flush_due(f);
    }
    for (unsigned i = 0; i < SESSIONS - GONE; i++) {
        publish(f, i, 3, 70, i % 5 == 0 ? SS_RECORD_RUNNING : 0);
        if (i == SESSIONS / 2) {
            fixture_flush_all(f);    /* the rest stays in the log */
        }
    }
    fixture_crash(f);
    fixture_reopen(f);
    ss_check_msg(read_all(f, ret_contents, text) == EQUAL, "%s", text);
    fixture_crash(f);
}

/* ---- reading ---- */

static uint64_t hash_record(const struct ss_record *record)
{
    uint64_t parts[] = { record->ordinal, record->time_us, record->type_id, record->flags,
                         ss__checksum(record->header.data, record->header.len) };
    return ss__checksum_seeded(ss__checksum(parts, sizeof parts), record->payload.data,
                               record->payload.len);
}

static uint64_t hash_entities(const struct ss_image *image)
{
    uint64_t hash = image->entities_count;
    for (size_t i = 0; i < image->entities_count; i++) {
        const struct ss_entity_row *row = &image->entities[i];
        uint64_t parts[] = { hash, row->projection, row->created_ordinal, row->last_ordinal,
                             row->time_us, row->type_id,
                             ss__checksum(row->kind.data, row->kind.len),
                             ss__checksum(row->id.data, row->id.len) };
        hash = ss__checksum_seeded(ss__checksum(parts, sizeof parts), row->payload.data,
                                   row->payload.len);
    }
    return hash;
}

static int read_image(struct fixture *f, struct ss_image_request *request,
                      struct ss_image *ret_image)
{
    int err = ss__store_read_image(f->store, request, ret_image);
    ss__store_image_request_free(request);
    return err;
}

static bool is_told(int err)
{
    return err == SS_E_CORRUPT || err == SS_E_STOREIO;
}

/* Everything of one session. Errors: what the store says. */
static int read_session(struct fixture *f, struct ss_store_session *session, unsigned index,
                        struct contents *contents)
{
    struct ss_image image;
    struct ss_image_request *request;
    const struct ss_session_row *row = ss__store_row(session);
    contents->sessions[index].ordinal = row->ordinal;
    contents->sessions[index].running = row->was_running;
    if (row->quarantined) {
        return SS_E_CORRUPT;
    }
    ss__store_use_timelines(f->store, session);
    int err = ss__store_image_request(f->store, session, true, &request);
    err = err != 0 ? err : read_image(f, request, &image);
    if (err != 0) {
        return err;
    }
    contents->sessions[index].entities = hash_entities(&image);
    ss__image_deinit(&image);
    err = ss__store_range_request(f->store, session, 1, row->ordinal, &request);
    err = err != 0 ? err : read_image(f, request, &image);
    if (err != 0) {
        return err;
    }
    ss_check(image.records_count == row->ordinal);
    for (size_t i = 0; i < image.records_count && i < EVENTS_MAX; i++) {
        contents->sessions[index].events[i] = hash_record(&image.records[i]);
    }
    ss__image_deinit(&image);
    return 0;
}

static void visit_running(struct ss_str id, void *ctx)
{
    uint64_t *sum = ctx;
    *sum += ss__checksum(id.data, id.len);
}

/* EQUAL: all could be read. Those that could not have the ordinal 0. */
static enum verdict read_all(struct fixture *f, struct contents *ret_contents, char *text)
{
    enum verdict verdict = EQUAL;
    struct ss_type_entry type;
    memset(ret_contents, 0, sizeof *ret_contents);
    ret_contents->incarnation = f->report.incarnation;
    if (ss__store_type(f->store, 1, &type) != 0 || !ss_str_equal(type.name, ss_str("Said")) ||
        f->event_type != 1 || f->entity_type != 2) {
        (void)snprintf(text, TEXT_BYTES, "the types are others");
        return WRONG;
    }
    for (unsigned i = 0; i < SESSIONS; i++) {
        char id[16];
        struct ss_store_session *session;
        int err = ss__store_get_session(f->store, id_of(i, id), &session);
        if (err == 0) {
            err = read_session(f, session, i, ret_contents);
            ss__store_put_session(f->store, session);
        }
        if (is_told(err)) {
            ret_contents->sessions[i].ordinal = UINT64_MAX;
            verdict = PARTLY;
        } else if (err == SS_E_NOTFOUND) {
            ret_contents->sessions[i].ordinal = 0;
        } else if (err != 0) {
            (void)snprintf(text, TEXT_BYTES, "%s: %s", id, ss_error_name(err));
            return WRONG;
        }
    }
    return verdict;
}

/* ---- comparing ---- */

static enum verdict compare_one(const struct contents *wanted, const struct contents *got,
                                unsigned i, char *text)
{
    uint64_t there = got->sessions[i].ordinal;
    uint64_t before = wanted->sessions[i].ordinal;
    if (there == UINT64_MAX) {
        return PARTLY;
    }
    bool told = got->incarnation != wanted->incarnation;    /* of damage in the log */
    bool shorter = there < before && there > 0 && told;
    if (before == 0 && told) {
        return SHORTER;    /* the record of its deletion is damaged */
    }
    if (there != before && !shorter) {
        (void)snprintf(text, TEXT_BYTES, "session %u has %llu events, not %llu", i,
                       (unsigned long long)there, (unsigned long long)before);
        return WRONG;
    }
    for (uint64_t event = 0; event < there && event < EVENTS_MAX; event++) {
        if (got->sessions[i].events[event] != wanted->sessions[i].events[event]) {
            (void)snprintf(text, TEXT_BYTES, "event %llu of session %u is another",
                           (unsigned long long)event + 1, i);
            return WRONG;
        }
    }
    if (got->sessions[i].entities != wanted->sessions[i].entities) {
        (void)snprintf(text, TEXT_BYTES, "the entities of session %u are others", i);
        return WRONG;
    }
    if (!shorter && got->sessions[i].running != wanted->sessions[i].running) {
        (void)snprintf(text, TEXT_BYTES, "session %u is %s", i,
                       wanted->sessions[i].running ? "not running" : "running");
        return WRONG;
    }
    return shorter ? SHORTER : EQUAL;
}

static enum verdict compare(struct fixture *f, const struct contents *wanted, char *text)
{
    static struct contents got;
    uint64_t running = 0;
    uint64_t wanted_running = 0;
    enum verdict verdict = read_all(f, &got, text);
    for (unsigned i = 0; i < SESSIONS && verdict != WRONG; i++) {
        enum verdict one = compare_one(wanted, &got, i, text);
        verdict = one > verdict ? one : verdict;
        char id[16];
        wanted_running += wanted->sessions[i].running
                              ? ss__checksum(id_of(i, id).data, id_of(i, id).len)
                              : 0;
    }
    int err = ss__store_each_was_running(f->store, visit_running, &running);
    if (verdict == EQUAL && (err != 0 || running != wanted_running)) {
        (void)snprintf(text, TEXT_BYTES, "other sessions were running (%s)", ss_error_name(err));
        return is_told(err) ? PARTLY : WRONG;
    }
    return verdict;
}

/* As fixture_reopen does; an error is an answer. */
static bool reopen(struct fixture *f, char *text)
{
    struct ss_failure failure = { 0 };
    int err = ss__directory_open(f->root, 1, true, &f->directory, &failure);
    err = err != 0 ? err
                   : ss__directory_shard_path(f->directory, 0, f->shard_dir, sizeof f->shard_dir);
    f->options.dir = f->shard_dir;
    if (err == 0) {
        f->options.directory_id = f->directory->directory_id;
        err = ss__store_open(&f->options, &f->store, &f->report, &failure);
    }
    struct ss_type_entry types[2] = {
        { .space = SS_TYPE_EVENT, .name = ss_str("Said"), .full_name = ss_str("t.Said"),
          .fingerprint = 1 },
        { .space = SS_TYPE_ENTITY, .name = ss_str("note"), .full_name = ss_str("t.Note"),
          .fingerprint = 2 },
    };
    if (err == 0) {
        err = ss__store_intern_types(f->store, types, 2);
        (void)ss__fail(&failure, err, "types: %s", ss_error_name(err));
    }
    if (err != 0) {
        (void)snprintf(text, TEXT_BYTES, "%s: %s", ss_error_name(err), failure.text);
        return false;
    }
    f->event_type = types[0].ret_type_id;
    f->entity_type = types[1].ret_type_id;
    ss__store_set_timelines(f->store, &(struct ss_timeline_code){ FIXTURE_PROJECTION, 1 }, 1);
    return true;
}

enum verdict damage_compare(struct fixture *f, const struct contents *wanted, char *text)
{
    return reopen(f, text) ? compare(f, wanted, text) : FOUND;
}

enum verdict damage_go_on(struct fixture *f, const struct contents *wanted, char *text)
{
    static struct contents longer;
    longer = *wanted;
    for (unsigned i = 0; i < SESSIONS - GONE; i++) {
        char id[16];
        struct ss_store_session *session;
        if (ss__store_get_session(f->store, id_of(i, id), &session) != 0) {
            continue;
        }
        const struct ss_session_row *row = ss__store_row(session);
        if (!row->quarantined && row->ordinal == wanted->sessions[i].ordinal &&
            fixture_stage_flags(f, session, 60, 0) == 0 && ss__store_commit(f->store) == 0) {
            longer.sessions[i].ordinal++;
        }
        ss__store_put_session(f->store, session);
    }
    int flushed;
    while ((flushed = ss__store_flush(f->store, 16)) > 0) {
    }
    static struct contents got;
    enum verdict verdict = read_all(f, &got, text);
    for (unsigned i = 0; i < SESSIONS && verdict != WRONG; i++) {
        uint64_t at = wanted->sessions[i].ordinal;
        longer.sessions[i].events[at] = got.sessions[i].events[at];    /* not compared */
        longer.sessions[i].running = got.sessions[i].running;
        enum verdict one = compare_one(&longer, &got, i, text);
        verdict = one > verdict ? one : verdict;
    }
    return verdict;
}
