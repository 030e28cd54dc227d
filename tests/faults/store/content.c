#include "content_read.h"

#include <lmdb.h>

#include "../interpose.h"
#include "../runs.h"
#include "backup_fixture.h"
#include "reshard_fixture.h"
#include "store/command.h"
#include "store/cut.h"
#include "store/delete.h"
#include "store/error_ring.h"
#include "store/listing.h"
#include "store/log.h"
#include "store/retention.h"

#define SHARDS 2u
#define SMALL 300u
#define LARGE 60000u
#define FIRST_EVENTS 130u

bool judge(const char *what, int err, const struct ss_failure *failure)
{
    if (err == 0) {
        return true;
    }
    fprintf(stderr, "%s: %s%s%s\n", what, ss_error_name(err), failure == NULL ? "" : ": ",
            failure == NULL ? "" : failure->text);
    if (faults_failures() == 0) {
        broken("%s gives %s before anything failed", what, ss_error_name(err));
    }
    if (err != SS_E_NOMEM && err != SS_E_STOREIO && err != SS_E_IO && err != SS_E_STOREFULL &&
        err != SS_E_CLOSED && err != SS_E_BUSY && err != SS_E_CORRUPT) {
        broken("%s gives %s", what, ss_error_name(err));
    }
    if (failure != NULL && failure->text[0] == '\0') {
        broken("%s says %s and no sentence", what, ss_error_name(err));
    }
    return false;
}

/* ---- opening ---- */

/* @late: with a type that is new to the store. */
static bool intern_types(struct many *m, uint32_t shard, bool late)
{
    struct ss_type_entry types[] = {
        { .space = SS_TYPE_EVENT, .name = ss_str("Said"), .full_name = ss_str("t.Said") },
        { .space = SS_TYPE_ENTITY, .name = ss_str("note"), .full_name = ss_str("t.Note") },
        { .space = SS_TYPE_PROJECTION, .name = ss_str("notes"),
          .full_name = ss_str(SS_PROJECTION_TIMELINE) },
        { .space = SS_TYPE_PROJECTION, .name = ss_str("totals"),
          .full_name = ss_str(SS_PROJECTION_TIMELINE) },
        { .space = SS_TYPE_EVENT, .name = ss_str("Late"), .full_name = ss_str("t.Late") },
    };
    if (!judge("intern types", ss__store_intern_types(m->stores[shard], types, late ? 5 : 4),
               NULL)) {
        return false;
    }
    m->events[shard] = types[0].ret_type_id;
    m->entities[shard] = types[1].ret_type_id;
    struct ss_timeline_code codes[2];
    for (unsigned i = 0; i < 2; i++) {
        m->projections[shard][i] = types[2 + i].ret_type_id;
        codes[i] = (struct ss_timeline_code){ types[2 + i].ret_type_id, 1 };
    }
    ss__store_set_timelines(m->stores[shard], codes, 2);
    return true;
}

static bool open_store(struct many *m, uint32_t shard, bool late)
{
    char dir[400];
    struct ss_store_options options;
    struct ss_store_report report;
    struct ss_failure failure = { 0 };
    ss_check(ss__directory_shard_path(m->directory, shard, dir, sizeof dir) == 0);
    ss__store_options_init(&options);
    options.dir = dir;
    options.must_exist = true;
    options.shard_index = shard;
    options.shard_count = m->directory->shard_count;
    options.directory_id = m->directory->directory_id;
    options.map_bytes = UINT64_C(64) << 20;
    options.min_free_bytes = 0;
    options.log_file_bytes = 1u << 20;
    options.verify = SS_VERIFY_STRUCTURE;
    options.clock = &m->clock.clock;
    int err = ss__store_open(&options, &m->stores[shard], &report, &failure);
    if (!judge("open a store", err, &failure)) {
        m->stores[shard] = NULL;
        return false;
    }
    return intern_types(m, shard, late);
}

static void close_stores(struct many *m)
{
    for (uint32_t i = 0; i < sizeof m->stores / sizeof m->stores[0]; i++) {
        ss__store_close(m->stores[i]);
        m->stores[i] = NULL;
    }
    ss__directory_close(m->directory);
    m->directory = NULL;
}

static bool open_stores(struct many *m, const char *dir, bool late)
{
    struct ss_failure failure = { 0 };
    *m = (struct many){ .clock = { { test_clock_ns, test_clock_us }, 1000000000 } };
    int err = ss__directory_open(dir, SHARDS, false, &m->directory, &failure);
    bool open = judge("open the directory", err, &failure);
    for (uint32_t i = 0; open && i < m->directory->shard_count; i++) {
        open = open_store(m, i, late);
    }
    if (!open) {
        close_stores(m);
    }
    return open;
}

/* ---- one session ---- */

static bool stage(struct many *m, uint32_t shard, struct ss_store_session *session, size_t len,
                  bool running)
{
    uint64_t ordinal = ss__store_row(session)->ordinal + 1;
    struct ss_outcome_item outcome = { .len = 0 };
    struct ss_bytes header;
    ss__bytes_init(&header, 0);
    struct ss_record record = {
        .ordinal = ordinal, .time_us = 1000 + ordinal, .type_id = m->events[shard],
        .flags = running ? SS_RECORD_RUNNING : 0,
        .payload = fixture_payload(ss__store_session_id(session), ordinal, len),
    };
    if (ordinal == 5) {
        ss__outcome_add(&outcome, m->projections[shard][1], SS_OUTCOME_ADVANCED);
        ss__bytes_str(&header, ss__outcome_header(&outcome));
        record.header = ss__bytes_view(&header);
        record.flags |= SS_RECORD_TIMELINE_FAILED | SS_RECORD_ADVANCED;
    }
    int err = ss__store_stage_event(m->stores[shard], session, &record);
    ss__bytes_deinit(&header);
    return judge("stage an event", err, NULL);
}

/* @count events and the result of a command as one batch. */
static bool publish_some(struct many *m, uint32_t shard, struct ss_store_session *session,
                         unsigned number, unsigned count, size_t len, struct content *content)
{
    struct ss_store *store = m->stores[shard];
    struct ss_command_value value = { .time_us = 1000000 + shard, .ordinal = 3,
                                      .sid = ss__store_row(session)->sid,
                                      .session_id = ss__store_session_id(session),
                                      .key = ss_str(count % 2 == 0 ? "even" : "odd") };
    bool staged = true;
    for (unsigned i = 0; staged && i < count; i++) {
        staged = stage(m, shard, session, len, number == 3);
    }
    staged = staged && judge("stage a result", ss__store_stage_command(store, &value), NULL);
    if (!staged) {
        ss__store_abort(store);
        return false;
    }
    content->tried[number] = ss__store_row(session)->ordinal;
    if (!judge("commit", ss__store_commit(store), NULL)) {
        return false;
    }
    content->acked[number] = content->tried[number];
    return true;
}

static void checkpoint_now(struct many *m, uint32_t shard, struct ss_store_session *session)
{
    static char texts[2][32];
    static struct ss_entity_row rows[2];
    static struct ss_timeline_checkpoint timelines[2];
    static struct ss_failed_set failed;
    uint64_t ordinal = ss__store_row(session)->ordinal;
    failed = (struct ss_failed_set){ .total = 1, .named = 1, .ordinals = { 5 } };
    for (unsigned i = 0; i < 2; i++) {
        rows[i] = content_entity(m, shard, i, ordinal, texts[i]);
        timelines[i] = (struct ss_timeline_checkpoint){
            { .projection = m->projections[shard][i], .version = 1, .ordinal = ordinal,
              .failed = i == 1 ? &failed : NULL },
            &rows[i], 1
        };
    }
    if (judge("stage a checkpoint",
              ss__store_stage_checkpoint(m->stores[shard], session, timelines, 2), NULL)) {
        int flushed = ss__store_flush(m->stores[shard], 0);
        (void)judge("flush a checkpoint", flushed < 0 ? flushed : 0, NULL);
    }
}

static struct ss_store_session *session_of(struct many *m, unsigned number, uint32_t *ret_shard)
{
    char id[16];
    struct ss_store_session *session;
    name_of(id, number);
    *ret_shard = shard_of(m, id);
    int err = ss__store_get_session(m->stores[*ret_shard], ss_str(id), &session);
    if (err == SS_E_NOTFOUND) {
        err = ss__store_stage_session(m->stores[*ret_shard], ss_str(id), 100, &session);
    }
    return judge("a session", err, NULL) ? session : NULL;
}

static void note_error(struct many *m, uint32_t shard, unsigned number)
{
    char id[16];
    name_of(id, number);
    struct ss_error_record record = { .session_id = ss_str(id), .text = ss_str("it did not"),
                                      .ordinal = number };
    (void)judge("note an error", ss__store_note_error(m->stores[shard], &record), NULL);
}

static void spare(struct ss_store *store)
{
    struct ss_log_fill fill;
    if (ss__store_wants_spare(store, &fill)) {
        ss__store_spare_filled(store, &fill, ss__log_fill(&fill));
    }
}

static void work_on_session(struct many *m, unsigned number, struct content *content)
{
    uint32_t shard;
    struct ss_store_session *session = session_of(m, number, &shard);
    if (session == NULL) {
        ss__store_abort(m->stores[shard]);
        return;
    }
    ss__store_use_timelines(m->stores[shard], session);
    if (ss__store_row(session)->ordinal > 0) {
        struct ss_entity_row entity;
        content_read_image(m, shard, session, 0, number % 2 == 0);
        content_read_image(m, shard, session, ss__store_row(session)->first_retained, false);
        content_read_history(m, shard, session, number % 3 == 0);
        int err = ss__store_read_entity(m->stores[shard], session, m->projections[shard][0],
                                        ss_str("note"), ss_str("a"), &entity);
        (void)judge("read an entity", err == SS_E_NOTFOUND ? 0 : err, NULL);
    }
    note_error(m, shard, number);
    (void)publish_some(m, shard, session, number, number == 0 ? 24 : 5,
                       number == 0 ? LARGE : SMALL, content);
    if (ss__store_row(session)->ordinal > 0 && number % 2 == 0) {
        checkpoint_now(m, shard, session);
    }
    ss__store_put_session(m->stores[shard], session);
    spare(m->stores[shard]);
}

/* That stays in the log for now, or is refused. */
static void make_session(struct many *m, unsigned number, struct content *content)
{
    uint32_t shard;
    struct ss_store_session *session = session_of(m, number, &shard);
    if (session == NULL) {
        ss__store_abort(m->stores[shard]);
        return;
    }
    (void)publish_some(m, shard, session, number, 3, SMALL, content);
    ss__store_put_session(m->stores[shard], session);
}

/* Of a command without events: the smallest batch there is, and the first. */
static void keep_result(struct ss_store *store)
{
    struct ss_command_value value = { .time_us = 1000000, .session_id = ss_str("x"),
                                      .key = ss_str("k") };
    if (judge("stage the first result", ss__store_stage_command(store, &value), NULL)) {
        (void)judge("commit the first result", ss__store_commit(store), NULL);
    } else {
        ss__store_abort(store);
    }
}

/* ---- all of a shard ---- */

static void flush_all(struct ss_store *store)
{
    for (int i = 0, more = 1; i < 1000 && more > 0; i++) {
        more = ss__store_flush(store, 16);
        (void)judge("flush", more < 0 ? more : 0, NULL);
    }
}

static void stage_base_at(struct many *m, uint32_t shard, struct ss_store_session *session,
                          uint64_t through)
{
    struct ss_history_base base = { 0 };
    struct ss_history *history = content_history(m, shard, session, through, &base);
    if (history == NULL) {
        return;
    }
    struct ss_past *past = content_past(m, shard, history, through, true);
    if (past != NULL) {
        ss__store_stage_base(m->stores[shard], past);
    }
    ss__history_free(m->stores[shard], history);
}

static void cut_session(struct many *m, uint32_t shard, struct ss_str id, uint64_t through,
                        bool leftovers)
{
    struct ss_store *store = m->stores[shard];
    struct ss_store_session *session;
    int err = ss__store_get_session(store, id, &session);
    if (err == SS_E_NOTFOUND || !judge("the session of a cut", err, NULL)) {
        return;    /* or it has been deleted since it was last flushed */
    }
    enum ss_cut_state state = ss__store_cut_state(store, session, through);
    if (leftovers) {
        (void)judge("stage leftovers",
                    ss__store_stage_leftovers(store, ss__store_row(session)->sid, through), NULL);
    } else if (state == SS_CUT_READY) {
        (void)judge("stage a cut", ss__store_stage_cut(store, session, through), NULL);
    } else if (state == SS_CUT_FOLD) {
        stage_base_at(m, shard, session, through);
    }
    ss__store_put_session(store, session);
}

static void retain(struct many *m, uint32_t shard, uint64_t events)
{
    struct ss_retention_scan scan = { .policy = { .events = events, .total_bytes = 1 },
                                      .measure = true };
    int err = 0;
    ss__arena_init(&scan.arena, 1024);
    while (err == 0 && !scan.end) {
        err = ss__retention_scan(m->stores[shard], &scan);
        for (uint32_t i = 0; err == 0 && i < scan.cuts_count; i++) {
            cut_session(m, shard, scan.cuts[i].session_id, scan.cuts[i].through,
                        scan.cuts[i].leftovers);
        }
    }
    (void)judge("scan for retention", err, NULL);
    ss__arena_deinit(&scan.arena);
    flush_all(m->stores[shard]);
}

static void list(struct ss_store *store)
{
    struct ss_session_query query = { .limit = 5 };
    struct ss_list_page page = { .query = &query };
    ss__arena_init(&page.arena, 1024);
    int err = ss__store_list_begin(store, &page);
    err = err != 0 ? err : ss__store_list_read(store, &page);
    if (judge("list", err, NULL)) {
        ss__store_list_settle(store, &page);
    }
    ss__arena_deinit(&page.arena);
}

static void on_running(struct ss_str session_id, void *ctx)
{
    (void)session_id;
    ++*(unsigned *)ctx;
}

static void delete_session(struct many *m, struct content *content)
{
    uint32_t shard;
    struct ss_store_session *session = session_of(m, CONTENT_DELETED, &shard);
    content->deleted = true;
    if (session != NULL) {
        if (judge("stage a deletion", ss__store_stage_delete(m->stores[shard], session, 200),
                  NULL)) {
            (void)judge("commit a deletion", ss__store_commit(m->stores[shard]), NULL);
        }
        ss__store_put_session(m->stores[shard], session);
    }
    ss__store_abort(m->stores[shard]);
}

static bool back_up(struct many *m, const char *parent)
{
    static struct ss_backup backup;
    struct ss_copier copier = { 0 };
    struct ss_failure failure = { 0 };
    int err = ss__backup_begin(&backup, parent, "one", m->directory, &copier, &failure);
    if (!judge("begin a backup", err, &failure)) {
        return false;
    }
    for (uint32_t i = 0; i < m->directory->shard_count && err == 0; i++) {
        struct ss_cut *cut;
        err = ss__store_cut(m->stores[i], &cut);
        if (judge("a cut", err, NULL)) {
            err = ss__backup_shard(&backup, i, cut, &failure);
            (void)judge("back up a shard", err, &failure);
            ss__store_uncut(m->stores[i]);
        }
    }
    if (err == 0) {
        err = ss__backup_finish(&backup, &failure);
        (void)judge("finish a backup", err, &failure);
    }
    ss__backup_end(&backup);
    return err == 0;
}

bool content_work(const char *dir, const char *backups, struct content *content)
{
    struct many m;
    unsigned running = 0;
    if (!open_stores(&m, dir, true)) {
        return false;
    }
    for (uint32_t i = 0; i < m.directory->shard_count; i++) {
        (void)judge("those that were running",
                    ss__store_each_was_running(m.stores[i], on_running, &running), NULL);
        spare(m.stores[i]);
        keep_result(m.stores[i]);
    }
    for (unsigned i = 0; i < CONTENT_NEW; i++) {
        work_on_session(&m, i, content);
    }
    if (!content->keep) {
        delete_session(&m, content);
    }
    make_session(&m, CONTENT_NEW, content);
    for (uint32_t i = 0; i < m.directory->shard_count; i++) {
        list(m.stores[i]);
        retain(&m, i, 64);
        spare(m.stores[i]);
        (void)judge("sync", ss__store_sync(m.stores[i]), NULL);
    }
    bool backed_up = back_up(&m, backups);
    close_stores(&m);
    return backed_up;
}

/* ---- before and after ---- */

void content_make(const char *dir, struct content *ret_content)
{
    struct many m;
    *ret_content = (struct content){ .deleted = false };
    if (!open_stores(&m, dir, false)) {
        return;
    }
    for (unsigned i = 0; i < CONTENT_BORN; i++) {
        uint32_t shard;
        struct ss_store_session *session = session_of(&m, i, &shard);
        note_error(&m, shard, i);
        for (unsigned events = 0; events < FIRST_EVENTS; events += 13) {
            (void)publish_some(&m, shard, session, i, 13, SMALL, ret_content);
        }
        if (i % 4 != 0) {
            flush_all(m.stores[shard]);
            checkpoint_now(&m, shard, session);
        }
        if (i % 4 == 1) {
            cut_session(&m, shard, ss__store_session_id(session), 64, false);
        }
        if (i % 4 == 2) {
            flush_all(m.stores[shard]);
            (void)publish_some(&m, shard, session, i, 9, SMALL, ret_content);
            content_read_history(&m, shard, session, true);
        }
        flush_all(m.stores[shard]);
        (void)publish_some(&m, shard, session, i, 4, SMALL, ret_content);
        ss__store_put_session(m.stores[shard], session);
    }
    make_session(&m, CONTENT_BORN, ret_content);
    /* As kill -9 leaves it, so that the next start has to recover. */
    ss__fault_arm("store.close", 1, SHARDS, SS_E_STOREIO);
    close_stores(&m);
    ss__fault_reset();
}

static void on_found(uint32_t shard, const char *place, const char *text, void *ctx)
{
    (void)ctx;
    broken("store check: shard %u %s: %s", shard, place, text);
}

static void verify_session(struct many *m, unsigned number, const struct content *content)
{
    uint32_t shard;
    char id[16];
    struct ss_store_session *session;
    name_of(id, number);
    shard = shard_of(m, id);
    int err = ss__store_get_session(m->stores[shard], ss_str(id), &session);
    bool may_lack = content->acked[number] == 0 ||
                    (content->deleted && number == CONTENT_DELETED);
    if (may_lack && err == SS_E_NOTFOUND) {
        return;
    }
    if (err != 0) {
        broken("%s is lost: %s", id, ss_error_name(err));
        return;
    }
    ss__store_use_timelines(m->stores[shard], session);
    uint64_t ordinal = ss__store_row(session)->ordinal;
    if (ordinal < content->acked[number] || ordinal > content->tried[number]) {
        broken("%s has %llu events, %llu were acknowledged and %llu tried", id,
               (unsigned long long)ordinal, (unsigned long long)content->acked[number],
               (unsigned long long)content->tried[number]);
    }
    content_read_image(m, shard, session, 0, false);
    content_read_history(m, shard, session, false);
    ss__store_put_session(m->stores[shard], session);
}

void content_verify(const char *dir, const struct content *content)
{
    struct many m;
    struct ss_check_summary summary;
    struct ss_failure failure = { 0 };
    struct fault_plan calm = { .first = 0 };
    faults_arm(&calm);
    if (!judge("check", ss__store_check(dir, on_found, NULL, &summary, &failure), &failure) ||
        !open_stores(&m, dir, false)) {
        return;
    }
    for (unsigned i = 0; i < CONTENT_SESSIONS; i++) {
        verify_session(&m, i, content);
    }
    close_stores(&m);
}
