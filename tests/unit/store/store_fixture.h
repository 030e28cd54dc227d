/* store_fixture.h - a data directory with one shard in a temporary place, and what tests of the
 * store do to it: publish known events, read them back, end like a crash, check, plant damage. */
#ifndef SS_TESTS_STORE_FIXTURE_H
#define SS_TESTS_STORE_FIXTURE_H

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sessionstream/error.h>

#include "core/fault.h"
#include "ss_test.h"
#include "store/bytes_order.h"
#include "store/check.h"
#include "store/directory.h"
#include "store/env.h"
#include "store/layout.h"
#include "store/log_walk.h"
#include "store/record.h"
#include "store/store.h"

#define FIXTURE_PAYLOAD_MAX (64u << 10)
#define FIXTURE_PROJECTION 1u    /* the only one, unless a test says otherwise */

struct test_clock {
    struct ss_clock clock;
    uint64_t now_ns;
};

struct fixture {
    char root[256];
    char shard_dir[300];
    struct ss_directory *directory;
    struct ss_store *store;
    struct ss_store_options options;
    struct ss_store_report report;
    struct test_clock clock;
    uint32_t event_type;
    uint32_t entity_type;
    char finding[4096];    /* of the last check, a line each */
};

static inline uint64_t test_clock_ns(struct ss_clock *clock)
{
    return ((struct test_clock *)(void *)clock)->now_ns;
}

static inline uint64_t test_clock_us(struct ss_clock *clock)
{
    return test_clock_ns(clock) / 1000;
}

static inline int fixture_remove_one(const char *path, const struct stat *info, int type,
                                     struct FTW *where)
{
    (void)info;
    (void)type;
    (void)where;
    return remove(path);
}

static inline void fixture_make_root(char *out, size_t cap)
{
    const char *base = getenv("TMPDIR");
    (void)snprintf(out, cap, "%s/ss-store-XXXXXX", base != NULL ? base : "/tmp");
    ss_check(mkdtemp(out) != NULL);
}

static inline void fixture_reopen(struct fixture *f)
{
    struct ss_failure failure = { 0 };
    int err = ss__directory_open(f->root, 1, true, &f->directory, &failure);
    ss_check_msg(err == 0, "%s", failure.text);
    ss_check(ss__directory_shard_path(f->directory, 0, f->shard_dir, sizeof f->shard_dir) == 0);
    f->options.dir = f->shard_dir;
    f->options.directory_id = f->directory->directory_id;
    err = ss__store_open(&f->options, &f->store, &f->report, &failure);
    ss_check_msg(err == 0, "%s", failure.text);
    struct ss_type_entry types[2] = {
        { .space = SS_TYPE_EVENT, .name = ss_str("Said"), .full_name = ss_str("t.Said"),
          .fingerprint = 1 },
        { .space = SS_TYPE_ENTITY, .name = ss_str("note"), .full_name = ss_str("t.Note"),
          .fingerprint = 2 },
    };
    ss_check(ss__store_intern_types(f->store, types, 2) == 0);
    f->event_type = types[0].ret_type_id;
    f->entity_type = types[1].ret_type_id;
    ss__store_set_timelines(f->store, &(struct ss_timeline_code){ FIXTURE_PROJECTION, 1 }, 1);
}

static inline void fixture_init(struct fixture *f)
{
    *f = (struct fixture){ .clock = { { test_clock_ns, test_clock_us }, 1000000000 } };
    ss__fault_reset();
    fixture_make_root(f->root, sizeof f->root);
    ss__store_options_init(&f->options);
    f->options.must_exist = true;
    f->options.map_bytes = 64u << 20;
    f->options.min_free_bytes = 1u << 20;
    f->options.log_file_bytes = 1u << 20;
    f->options.clock = &f->clock.clock;
}

static inline void fixture_open(struct fixture *f)
{
    fixture_init(f);
    fixture_reopen(f);
}

static inline void fixture_close(struct fixture *f)
{
    ss__store_close(f->store);
    ss__directory_close(f->directory);
    f->store = NULL;
    f->directory = NULL;
}

static inline void fixture_end(struct fixture *f)
{
    if (f->store != NULL) {
        fixture_close(f);
    }
    (void)nftw(f->root, fixture_remove_one, 16, FTW_DEPTH | FTW_PHYS);
    ss__fault_reset();
}

/* Closes without the clean mark, as if the process had been killed between two commits. */
static inline void fixture_crash(struct fixture *f)
{
    ss__fault_reset();
    ss__fault_arm("store.close", 1, 1, SS_E_STOREIO);
    fixture_close(f);
    ss__fault_reset();
}

/* ---- events: payloads follow from session and ordinal ---- */

static inline struct ss_str fixture_payload(struct ss_str id, uint64_t ordinal, size_t len)
{
    static char text[FIXTURE_PAYLOAD_MAX];
    char head[300];
    ss_check(len <= sizeof text);
    int head_len = snprintf(head, sizeof head, "%.*s:%llu:", (int)id.len, id.data,
                            (unsigned long long)ordinal);
    for (size_t i = 0; i < len; i++) {
        text[i] = head[i % (size_t)head_len];
    }
    return ss_str_of(text, len);
}

static inline struct ss_store_session *fixture_session(struct fixture *f, const char *id)
{
    struct ss_store_session *session = NULL;
    int err = ss__store_get_session(f->store, ss_str(id), &session);
    if (err == SS_E_NOTFOUND) {
        err = ss__store_stage_session(f->store, ss_str(id), 100, &session);
    }
    ss_check(err == 0);
    return session;
}

static inline int fixture_stage_flags(struct fixture *f, struct ss_store_session *session,
                                      size_t len, uint32_t flags)
{
    uint64_t ordinal = ss__store_row(session)->ordinal + 1;
    struct ss_record record = {
        .ordinal = ordinal,
        .time_us = 1000 + ordinal,
        .type_id = f->event_type,
        .flags = flags,
        .payload = fixture_payload(ss__store_session_id(session), ordinal, len),
    };
    return ss__store_stage_event(f->store, session, &record);
}

static inline void fixture_stage(struct fixture *f, struct ss_store_session *session,
                                 unsigned count, size_t len)
{
    for (unsigned i = 0; i < count; i++) {
        ss_check(fixture_stage_flags(f, session, len, 0) == 0);
    }
}

/* @count events of @len bytes for session @id, @each of them in one commit. */
static inline void fixture_publish(struct fixture *f, const char *id, unsigned count, size_t len,
                                   unsigned each)
{
    struct ss_store_session *session = fixture_session(f, id);
    while (count > 0) {
        unsigned now = count < each ? count : each;
        fixture_stage(f, session, now, len);
        ss_check(ss__store_commit(f->store) == 0);
        count -= now;
    }
    ss__store_put_session(f->store, session);
}

/* Reads @session whole and compares ordinals after the timeline up to @newest, and payloads. */
static inline void fixture_verify_request(struct fixture *f, const struct ss_image_request *request,
                                          const char *id, uint64_t newest, size_t len)
{
    struct ss_image image;
    int err = ss__store_read_image(f->store, request, &image);
    ss_check_msg(err == 0, "%s", ss_error_name(err));
    uint64_t ordinal = image.timelines[0].ordinal;
    for (size_t i = 0; i < image.records_count; i++) {
        const struct ss_record *record = &image.records[i];
        ordinal++;
        ss_check(record->ordinal == ordinal && record->time_us == 1000 + ordinal);
        ss_check(record->type_id == f->event_type);
        ss_check(ss_str_equal(record->payload, fixture_payload(ss_str(id), ordinal, len)));
    }
    ss_check_msg(ordinal == newest, "%llu events, not %llu", (unsigned long long)ordinal,
                 (unsigned long long)newest);
    ss__image_deinit(&image);
}

static inline void fixture_verify(struct fixture *f, const char *id, uint64_t newest, size_t len)
{
    struct ss_store_session *session;
    struct ss_image_request *request;
    ss_check(ss__store_get_session(f->store, ss_str(id), &session) == 0);
    ss_check(ss__store_row(session)->ordinal == newest);
    ss_check(ss__store_image_request(f->store, session, false, &request) == 0);
    fixture_verify_request(f, request, id, newest, len);
    ss__store_image_request_free(request);
    ss__store_put_session(f->store, session);
}

static inline struct ss_store_stats fixture_stats(struct fixture *f)
{
    struct ss_store_stats stats;
    ss__store_stats(f->store, &stats);
    return stats;
}

static inline void fixture_flush_all(struct fixture *f)
{
    int flushed;
    while ((flushed = ss__store_flush(f->store, 16)) > 0) {
    }
    ss_check(flushed == 0);
}

/* Moves what has to go: checkpoints, new sessions, full tails, stragglers. */
static inline void fixture_flush_due(struct fixture *f)
{
    int flushed = ss__store_flush(f->store, 0);
    ss_check_msg(flushed >= 0, "%s", ss_error_name(flushed));
}

/* Of the one projection; the last 64 of them are remembered for the flush. */
static inline int stage_checkpoint_failed(struct ss_store *store, struct ss_store_session *session,
                                          const struct ss_entity_row *rows, size_t count,
                                          uint64_t ordinal, uint32_t version,
                                          const struct ss_failed_set *failed)
{
    static struct ss_timeline_checkpoint staged[64];
    static unsigned next;
    struct ss_timeline_checkpoint *timeline = &staged[next++ % 64];
    *timeline = (struct ss_timeline_checkpoint){
        .row = { .projection = FIXTURE_PROJECTION, .version = version, .ordinal = ordinal,
                 .failed = failed },
        .entities = rows,
        .entities_count = count,
    };
    return ss__store_stage_checkpoint(store, session, timeline, 1);
}

static inline int stage_checkpoint(struct ss_store *store, struct ss_store_session *session,
                                   const struct ss_entity_row *rows, size_t count,
                                   uint64_t ordinal, uint32_t version)
{
    return stage_checkpoint_failed(store, session, rows, count, ordinal, version, NULL);
}

static inline uint64_t timeline_of(const struct ss_store_session *session)
{
    return ss__store_timeline_ordinal(session, FIXTURE_PROJECTION);
}

static inline int read_entity(struct ss_store *store, const struct ss_store_session *session,
                              struct ss_str kind, struct ss_str id,
                              struct ss_entity_row *ret_entity)
{
    return ss__store_read_entity(store, session, FIXTURE_PROJECTION, kind, id, ret_entity);
}

/* The projection is of this version from now on. */
static inline void use_timeline(struct ss_store *store, struct ss_store_session *session,
                                uint32_t version)
{
    ss__store_set_timelines(store, &(struct ss_timeline_code){ FIXTURE_PROJECTION, version }, 1);
    ss__store_use_timelines(store, session);
}

static inline void fixture_checkpoint(struct fixture *f, const char *id,
                                      const struct ss_entity_row *rows, size_t count,
                                      uint64_t ordinal)
{
    struct ss_store_session *session = fixture_session(f, id);
    ss_check(stage_checkpoint(f->store, session, rows, count, ordinal, 1) == 0);
    fixture_flush_due(f);
    ss__store_put_session(f->store, session);
}

/* ---- check and damage, on a closed store ---- */

static inline void fixture_on_finding(uint32_t shard, const char *place, const char *text,
                                      void *ctx)
{
    struct fixture *f = ctx;
    ss_check(shard == 0);
    size_t len = strlen(f->finding);
    (void)snprintf(f->finding + len, sizeof f->finding - len, "%s: %s\n", place, text);
}

static inline struct ss_check_summary fixture_check(struct fixture *f)
{
    struct ss_check_summary summary;
    struct ss_failure failure = { 0 };
    f->finding[0] = '\0';
    int err = ss__store_check(f->root, fixture_on_finding, f, &summary, &failure);
    ss_check_msg(err == 0, "%s", failure.text);
    return summary;
}

static inline void fixture_check_clean(struct fixture *f)
{
    struct ss_check_summary summary = fixture_check(f);
    ss_check_msg(summary.findings == 0, "%s", f->finding);
}

/* Writes behind the store's back: @value.data NULL deletes the key. */
static inline void fixture_plant(struct fixture *f, enum ss_db db, struct ss_str key_bytes,
                                 struct ss_str value_bytes)
{
    struct ss_env env;
    MDB_txn *txn;
    struct ss_failure failure = { 0 };
    ss_check(ss__env_open(f->shard_dir, 64u << 20, false, &env, &failure) == 0);
    ss_check(mdb_txn_begin(env.env, NULL, 0, &txn) == 0);
    MDB_val key = ss__val_of(key_bytes.data, key_bytes.len);
    MDB_val value = ss__val_of(value_bytes.data, value_bytes.len);
    ss_check((value_bytes.data == NULL ? mdb_del(txn, env.dbi[db], &key, NULL)
                                       : mdb_put(txn, env.dbi[db], &key, &value, 0)) == 0);
    ss_check(mdb_txn_commit(txn) == 0);
    ss__env_close(&env);
}

/* Copies the @index-th row of @db from its start; returns the length of the value. */
static inline size_t fixture_row(struct fixture *f, enum ss_db db, unsigned index,
                                 uint8_t *key_out, size_t *ret_key_len, uint8_t *value_out)
{
    struct ss_env env;
    MDB_txn *txn;
    MDB_cursor *cursor;
    MDB_val key;
    MDB_val value;
    struct ss_failure failure = { 0 };
    ss_check(ss__env_open(f->shard_dir, 64u << 20, true, &env, &failure) == 0);
    ss_check(mdb_txn_begin(env.env, NULL, MDB_RDONLY, &txn) == 0);
    ss_check(mdb_cursor_open(txn, env.dbi[db], &cursor) == 0);
    for (unsigned i = 0; i <= index; i++) {
        ss_check(mdb_cursor_get(cursor, &key, &value, MDB_NEXT) == 0);
    }
    ss_check(key.mv_size <= SS_KEY_BYTES_MAX && value.mv_size <= FIXTURE_PAYLOAD_MAX);
    memcpy(key_out, key.mv_data, key.mv_size);
    memcpy(value_out, value.mv_data, value.mv_size);
    size_t len = value.mv_size;
    *ret_key_len = key.mv_size;
    mdb_cursor_close(cursor);
    mdb_txn_abort(txn);
    ss__env_close(&env);
    return len;
}

/* Flips one bit @back bytes before the end of the @index-th value of @db. */
static inline void fixture_flip(struct fixture *f, enum ss_db db, unsigned index, size_t back)
{
    static uint8_t value[FIXTURE_PAYLOAD_MAX];
    uint8_t key[SS_KEY_BYTES_MAX];
    size_t key_len;
    size_t len = fixture_row(f, db, index, key, &key_len, value);
    ss_check(back >= 1 && back <= len);
    value[len - back] ^= 0x10;
    fixture_plant(f, db, ss_str_of(key, key_len), ss_str_of(value, len));
}

/* ---- the log, on a closed store ---- */

#define FIXTURE_RECORDS_MAX 4096u

/* Where its records are, those of new sessions included. */
struct fixture_log {
    uint64_t positions[FIXTURE_RECORDS_MAX];
    unsigned count;
    unsigned damaged;
    unsigned gaps;
    unsigned torn;
};

static inline int fixture_on_record(void *ctx, struct ss_log_file *file, uint64_t position,
                                    const struct ss_log_record *record, bool damaged)
{
    struct fixture_log *log = ctx;
    (void)file;
    (void)record;
    ss_check(log->count < FIXTURE_RECORDS_MAX);
    log->positions[log->count++] = position;
    log->damaged += damaged ? 1 : 0;
    return 0;
}

static inline int fixture_on_gap(void *ctx, struct ss_log_file *file, uint64_t position,
                                 uint64_t bytes, const char *what)
{
    (void)file;
    (void)position;
    (void)bytes;
    (void)what;
    ((struct fixture_log *)ctx)->gaps++;
    return 0;
}

static inline void fixture_on_torn(void *ctx, struct ss_log_file *file, uint64_t position,
                                   uint64_t bytes)
{
    (void)file;
    (void)position;
    (void)bytes;
    ((struct fixture_log *)ctx)->torn++;
}

static inline void fixture_read_log(struct fixture *f, struct fixture_log *ret_log)
{
    static const struct ss_log_visitor visitor = { fixture_on_record, fixture_on_gap,
                                                   fixture_on_torn };
    const struct ss_log_known known = { .synced = true };
    struct ss_log log;
    ss_check(ss__log_open(&log, f->shard_dir, 0, f->options.directory_id, 0, true, NULL) == 0);
    *ret_log = (struct fixture_log){ 0 };
    ss_check(ss__log_walk(&log, &known, &visitor, ret_log) == 0);
    ss__log_close(&log);
}

/* Of the @index-th record; 0 is the first. */
static inline uint64_t fixture_position(struct fixture *f, unsigned index)
{
    static struct fixture_log log;
    fixture_read_log(f, &log);
    ss_check_msg(index < log.count, "%u of %u records", index, log.count);
    return log.positions[index];
}

static inline void fixture_log_path(const struct fixture *f, uint64_t serial, char out[400])
{
    char name[SS_LOG_NAME_BYTES];
    ss__log_file_name(name, serial);
    (void)snprintf(out, 400, "%s/%s", f->shard_dir, name);
}

static inline void fixture_write_log(struct fixture *f, uint64_t position, const void *bytes,
                                     size_t len)
{
    char path[400];
    fixture_log_path(f, position >> 32, path);
    int fd = open(path, O_WRONLY);
    ss_check(fd >= 0 && pwrite(fd, bytes, len, (off_t)(position & UINT32_MAX)) == (ssize_t)len);
    (void)close(fd);
}

static inline void fixture_flip_log(struct fixture *f, uint64_t position)
{
    char path[400];
    uint8_t byte;
    fixture_log_path(f, position >> 32, path);
    int fd = open(path, O_RDONLY);
    ss_check(fd >= 0 && pread(fd, &byte, 1, (off_t)(position & UINT32_MAX)) == 1);
    (void)close(fd);
    byte ^= 0x10;
    fixture_write_log(f, position, &byte, 1);
}

/* Flips a bit @at bytes behind the beginning of the @index-th record. */
static inline void fixture_flip_record(struct fixture *f, unsigned index, uint64_t at)
{
    fixture_flip_log(f, fixture_position(f, index) + at);
}

static inline void fixture_truncate_log(struct fixture *f, uint64_t serial, uint64_t bytes)
{
    char path[400];
    fixture_log_path(f, serial, path);
    ss_check(truncate(path, (off_t)bytes) == 0);
}

static inline void fixture_delete_log(struct fixture *f, uint64_t serial)
{
    char path[400];
    fixture_log_path(f, serial, path);
    ss_check(unlink(path) == 0);
}

/* Files of the shard whose name begins with @prefix: "log-", "spare-". */
static inline unsigned fixture_count_files(struct fixture *f, const char *prefix)
{
    unsigned count = 0;
    DIR *dir = opendir(f->shard_dir);
    ss_check(dir != NULL);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        count += strncmp(entry->d_name, prefix, strlen(prefix)) == 0 ? 1 : 0;
    }
    (void)closedir(dir);
    return count;
}

static inline struct ss_session_row fixture_row_of(struct fixture *f, const char *id)
{
    struct ss_store_session *session;
    ss_check(ss__store_get_session(f->store, ss_str(id), &session) == 0);
    struct ss_session_row row = *ss__store_row(session);
    ss__store_put_session(f->store, session);
    return row;
}

#endif
