/* A flush, and pages for which the disk gives an error: a short while it waits for them, then what
 * belongs there stays in the log and the rest goes on. */
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>

#include "guard_fixture.h"
#include "retention_fixture.h"

#include "store/delete.h"
#include "store/store_state.h"

static struct {
    ino_t file;                /* 0: none is watched */
    off_t page;                /* what begins there cannot be read */
    unsigned reads;            /* so often; then it can */
} bad;

/* Called before that of the C library. */
ssize_t pread(int fd, void *data, size_t len, off_t offset)
{
    static __typeof__(pread) *real;
    struct stat info;
    if (real == NULL) {
        real = (__typeof__(pread) *)dlsym(RTLD_NEXT, "pread");
    }
    if (bad.file != 0 && bad.reads > 0 && offset == bad.page && fstat(fd, &info) == 0 &&
        info.st_ino == bad.file) {
        bad.reads--;
        errno = EIO;
        return -1;
    }
    return real(fd, data, len, offset);
}

/* The leaf @index of the database; -1: the last. Returns a session that has its first row there. */
static unsigned make_bad(struct fixture *f, const char *name, int index, unsigned reads)
{
    struct data data;
    struct stat info;
    struct ss_page_node node;
    load(f, &data);
    struct ss_page_tree tree = tree_of(&data, name);
    size_t count = ss__page_count(data_page(&data, tree.root));
    uint8_t *leaf = leaf_of(&data, &tree, index < 0 ? count - 1 : (size_t)index);
    ss__page_node(leaf, true, ss__page_count(leaf) / 2, &node);
    ss_check(stat(data.path, &info) == 0);
    bad.file = info.st_ino;
    bad.page = leaf - data.bytes;
    bad.reads = reads;
    unsigned sid = (unsigned)ss__get_be64((const uint8_t *)node.key.data);
    free(data.bytes);
    return sid - 1;
}

/* As a daemon does: an attempt that failed is followed by another one a tenth of a second later. */
static void flush_for_a_while(struct fixture *f)
{
    for (unsigned i = 0; i < 100; i++) {
        (void)ss__store_flush(f->store, 16);    /* what came of it is looked at below */
        f->clock.now_ns += UINT64_C(100000000);
    }
}

static void begin(struct fixture *f)
{
    fill(f);
    fixture_reopen(f);
}

static void end(struct fixture *f)
{
    bad.file = 0;
    fixture_crash(f);
    fixture_reopen(f);
    fixture_flush_all(f);
    ss_check(fixture_stats(f).flush_errors == 0 && f->store->unflushed_bytes == 0);
}

SS_TEST(guard_disk, page_that_can_be_read_again_soon_costs_nobody_anything)
{
    struct fixture f;
    char id[16];
    begin(&f);
    (void)id_of(make_bad(&f, "segment", 3, 5), id);
    fixture_publish(&f, id, 1, 60, 1);
    fixture_publish(&f, "s000", 1, 60, 1);
    flush_for_a_while(&f);
    ss_check(fixture_stats(&f).flush_errors == 5 && f.store->unflushed_bytes == 0);
    ss_check(!fixture_row_of(&f, id).quarantined);
    end(&f);
    fixture_verify(&f, id, 6, 60);
    fixture_end(&f);
}

SS_TEST(guard_disk, page_that_stays_unreadable_holds_up_only_the_session_that_lies_there)
{
    struct fixture f;
    char id[16];
    begin(&f);
    (void)id_of(make_bad(&f, "segment", 3, UINT_MAX), id);
    fixture_publish(&f, id, 1, 60, 1);
    fixture_publish(&f, "s000", 1, 60, 1);
    fixture_publish(&f, "new", 3, 60, 1);
    flush_for_a_while(&f);
    ss_check(f.store->unflushed_bytes == SS_LOG_EVENT_FIXED_BYTES + 60);
    ss_check(fixture_row_of(&f, id).quarantined && !fixture_row_of(&f, "s000").quarantined);
    uint64_t errors = fixture_stats(&f).flush_errors;
    fixture_publish(&f, "s001", 1, 60, 1);
    flush_for_a_while(&f);
    ss_check(fixture_stats(&f).flush_errors == errors);    /* it is known by now */
    end(&f);
    fixture_verify(&f, id, 6, 60);
    fixture_verify(&f, "new", 3, 60);
    fixture_end(&f);
}

/* Flushes that meet no such page win the attempts back. */
SS_TEST(guard_disk, another_page_later_is_waited_for_again)
{
    struct fixture f;
    char id[16];
    begin(&f);
    fixture_publish(&f, id_of(make_bad(&f, "segment", 3, UINT_MAX), id).data, 1, 60, 1);
    flush_for_a_while(&f);
    ss_check(fixture_row_of(&f, id).quarantined);
    bad.file = 0;
    for (unsigned i = 0; i < 20; i++) {
        fixture_publish(&f, "s000", 1, 60, 1);
        fixture_flush_all(&f);
    }
    uint64_t errors = fixture_stats(&f).flush_errors;
    fixture_publish(&f, id_of(make_bad(&f, "segment", 6, 5), id).data, 1, 60, 1);
    flush_for_a_while(&f);
    ss_check(!fixture_row_of(&f, id).quarantined);
    ss_check(fixture_stats(&f).flush_errors == errors + 5);
    end(&f);
    fixture_verify(&f, id, 6, 60);
    fixture_end(&f);
}

/* Where rows of a new session go, and what is left of one that was deleted. */
SS_TEST(guard_disk, neither_do_the_ends_of_databases_hold_up_sessions_that_lie_elsewhere)
{
    static const char *const names[] = { "session", "segment", "entity", "catalog" };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct fixture f;
        struct ss_entity_row row = { .kind = ss_str("note"), .id = ss_str("n00"),
                                     .created_ordinal = 1, .last_ordinal = 5,
                                     .payload = ss_str("new") };
        begin(&f);
        row.type_id = f.entity_type;
        fixture_publish(&f, "znew", 5, 60, 1);
        (void)make_bad(&f, names[i], -1, UINT_MAX);
        struct ss_store_session *session = fixture_session(&f, "znew");
        for (unsigned k = 0; k < 60; k++) {
            ss_check(session->now.row.quarantined ||
                     stage_checkpoint(f.store, session, &row, 1, 5, 1) == 0);
            (void)ss__store_flush(f.store, 16);
            f.clock.now_ns += UINT64_C(100000000);
        }
        ss__store_put_session(f.store, session);
        fixture_publish(&f, "s000", 1, 60, 1);
        flush_for_a_while(&f);
        ss_check_msg(f.store->unflushed_bytes == 5 * (SS_LOG_EVENT_FIXED_BYTES + 60),
                     "%s: %llu", names[i], (unsigned long long)f.store->unflushed_bytes);
        ss_check(f.store->born_aside_count == 1);
        end(&f);
        fixture_verify(&f, "znew", 5, 60);
        fixture_end(&f);
    }
}

SS_TEST(guard_disk, rows_of_deleted_sessions_there_wait_for_a_restart)
{
    static const char *const names[] = { "session", "segment", "entity" };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct fixture f;
        char id[16];
        begin(&f);
        (void)id_of(make_bad(&f, names[i], 3, UINT_MAX), id);
        bad.file = 0;
        struct stat info;
        char path[400];
        (void)snprintf(path, sizeof path, "%s/data.mdb", f.shard_dir);
        struct ss_store_session *session = fixture_session(&f, id);
        ss_check(stat(path, &info) == 0);
        bad.file = info.st_ino;
        ss_check(ss__store_stage_delete(f.store, session, 77) == 0);
        ss_check(ss__store_commit(f.store) == 0);
        ss__store_put_session(f.store, session);
        fixture_publish(&f, "s000", 1, 60, 1);
        flush_for_a_while(&f);
        ss_check_msg(f.store->unflushed_bytes == 0, "%s", names[i]);
        end(&f);
        ss_check(ss__store_get_session(f.store, ss_str(id), &session) == SS_E_NOTFOUND);
        fixture_crash(&f);
        fixture_check_clean(&f);
        fixture_end(&f);
    }
}

static void delete_session(struct fixture *f, unsigned index)
{
    char id[16];
    struct ss_store_session *session = fixture_session(f, id_of(index, id).data);
    ss_check(ss__store_stage_delete(f->store, session, 77) == 0);
    ss_check(ss__store_commit(f->store) == 0);
    ss__store_put_session(f->store, session);
}

static bool has_segments(struct fixture *f, unsigned index)
{
    uint8_t prefix[8];
    MDB_txn *txn;
    MDB_cursor *cursor;
    ss__put_be64(prefix, index + 1);
    MDB_val key = { sizeof prefix, prefix };
    MDB_val value;
    ss_check(mdb_txn_begin(f->store->env.env, NULL, MDB_RDONLY, &txn) == 0);
    ss_check(mdb_cursor_open(txn, f->store->env.dbi[SS_DB_SEGMENT], &cursor) == 0);
    bool has = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE) == 0 &&
               memcmp(key.mv_data, prefix, sizeof prefix) == 0;
    mdb_cursor_close(cursor);
    mdb_txn_abort(txn);
    return has;
}

SS_TEST(guard_disk, rows_that_cannot_be_removed_do_not_keep_those_of_other_deleted_sessions)
{
    struct fixture f;
    begin(&f);
    unsigned first = make_bad(&f, "segment", 3, UINT_MAX);
    ino_t file = bad.file;
    bad.file = 0;
    delete_session(&f, first);
    delete_session(&f, SESSIONS - 1);
    bad.file = file;
    flush_for_a_while(&f);
    ss_check(has_segments(&f, first));
    ss_check_msg(!has_segments(&f, SESSIONS - 1), "it lies elsewhere");
    end(&f);
    ss_check(!has_segments(&f, first));
    fixture_end(&f);
}

/* A checkpoint would write over what the first events that are kept begin with, so that is copied
 * before. */
SS_TEST(guard_disk, base_that_cannot_be_copied_sets_only_its_session_aside)
{
    struct ss_entity_row row = { .kind = ss_str("note"), .id = ss_str("n00"),
                                 .created_ordinal = 1, .last_ordinal = 6,
                                 .payload = ss_str("something else") };
    struct fixture f;
    char id[16];
    begin(&f);
    (void)id_of(make_bad(&f, "entity", 3, UINT_MAX), id);
    ino_t file = bad.file;
    bad.file = 0;
    stage_cut(&f, id, 5);
    fixture_flush_all(&f);
    ss_check(first_of(&f, id) == 6);
    fixture_publish(&f, id, 1, 60, 1);
    fixture_publish(&f, "s000", 1, 60, 1);
    row.type_id = f.entity_type;
    bad.file = file;
    for (unsigned i = 0; i < 100 && !fixture_row_of(&f, id).quarantined; i++) {
        struct ss_store_session *session = fixture_session(&f, id);
        ss_check(stage_checkpoint(f.store, session, &row, 1, 6, 1) == 0);
        ss__store_put_session(f.store, session);
        (void)ss__store_flush(f.store, 16);    /* what came of it is looked at below */
        f.clock.now_ns += UINT64_C(100000000);
    }
    ss_check(fixture_row_of(&f, id).quarantined);
    flush_for_a_while(&f);
    ss_check(!fixture_row_of(&f, "s000").quarantined);
    ss_check(f.store->unflushed_bytes == SS_LOG_EVENT_FIXED_BYTES + 60);
    end(&f);
    ss_check(!fixture_row_of(&f, id).quarantined);
    fixture_end(&f);
}

/* Its number is lower than those of sessions that came after it, so its rows go between theirs. */
SS_TEST(guard_disk, new_session_that_an_earlier_process_left_has_its_own_place_judged)
{
    struct fixture f;
    struct data data;
    struct ss_page_node node;
    struct ss_entity_row row = { .kind = ss_str("note"), .id = ss_str("n00"),
                                 .created_ordinal = 1, .last_ordinal = 5,
                                 .payload = ss_str("new") };
    begin(&f);
    row.type_id = f.entity_type;
    fixture_publish(&f, "left", 5, 60, 1);
    struct ss_store_session *session = fixture_session(&f, "left");
    uint64_t sid = session->now.row.sid;
    (void)make_bad(&f, "entity", -1, UINT_MAX);
    for (unsigned k = 0; k < 60; k++) {
        ss_check(session->now.row.quarantined ||
                 stage_checkpoint(f.store, session, &row, 1, 5, 1) == 0);
        (void)ss__store_flush(f.store, 16);
        f.clock.now_ns += UINT64_C(100000000);
    }
    ss_check(session->born != 0);
    ss__store_put_session(f.store, session);
    for (unsigned i = 0; i < 60; i++) {
        char id[16];
        (void)snprintf(id, sizeof id, "later%u", i);
        fixture_publish(&f, id, 5, 60, 1);
    }
    flush_for_a_while(&f);
    bad.file = 0;
    fixture_crash(&f);
    load(&f, &data);
    struct ss_page_tree tree = tree_of(&data, "segment");
    size_t count = ss__page_count(data_page(&data, tree.root));
    uint8_t *leaf = NULL;
    for (size_t i = 0; i + 1 < count; i++) {    /* the one where its segment belongs */
        uint8_t *at = leaf_of(&data, &tree, i);
        ss__page_node(at, true, 0, &node);
        leaf = ss__get_be64((const uint8_t *)node.key.data) <= sid ? at : leaf;
    }
    ss__page_node(leaf_of(&data, &tree, count - 1), true, 0, &node);
    ss_check(leaf != NULL && ss__get_be64((const uint8_t *)node.key.data) > sid);
    leaf[0] ^= 0x40;
    save(&data);
    fixture_reopen(&f);
    fixture_publish(&f, "new", 1, 60, 1);
    fixture_flush_all(&f);
    ss_check(fixture_row_of(&f, "left").quarantined && f.store->born_aside_count == 1);
    ss_check(!fixture_row_of(&f, "new").quarantined && fixture_stats(&f).flush_errors == 0);
    fixture_end(&f);
}
