#include "store/guard.h"

#include <errno.h>
#include <fcntl.h>

#include "unit/core/child_stderr.h"
#include "core/fault.h"
#include "guard_fixture.h"
#include "retention_fixture.h"

#include "store/delete.h"
#include "store/store_state.h"

static uint8_t *node_of(uint8_t *page, size_t index)
{
    uint16_t at;
    memcpy(&at, page + 16 + 2 * index, sizeof at);
    return page + at;
}

static unsigned has_events(struct fixture *f, struct ss_store_session *session)
{
    struct ss_image_request *request;
    struct ss_image image;
    ss_check(ss__store_range_request(f->store, session, 1, 5, &request) == 0);
    int err = ss__store_read_image(f->store, request, &image);
    ss_check_msg(err == 0 || err == SS_E_CORRUPT, "%s", ss_error_name(err));
    ss__store_image_request_free(request);
    if (err == 0) {
        ss_check(image.records_count == 5);
        ss__image_deinit(&image);
    }
    return err == 0;
}

/* How many sessions read with all their entities and events, how many say that they cannot be read, and none
 * says anything else. */
static unsigned readable(struct fixture *f)
{
    unsigned good = 0;
    fixture_reopen(f);
    for (unsigned i = 0; i < SESSIONS; i++) {
        char id[16];
        struct ss_store_session *session;
        struct ss_image_request *request;
        struct ss_image image;
        int err = ss__store_get_session(f->store, id_of(i, id), &session);
        ss_check_msg(err == 0 || err == SS_E_CORRUPT, "%s %s", id, ss_error_name(err));
        if (err != 0) {
            continue;
        }
        ss_check(ss__store_image_request(f->store, session, true, &request) == 0);
        err = ss__store_read_image(f->store, request, &image);
        ss_check_msg(err == 0 || err == SS_E_CORRUPT, "%s %s", id, ss_error_name(err));
        ss__store_image_request_free(request);
        if (err == 0) {
            ss_check_msg(image.entities_count == ENTITIES, "%s has %zu", id,
                         image.entities_count);
            ss__image_deinit(&image);
            good += has_events(f, session);
        }
        ss__store_put_session(f->store, session);
    }
    fixture_close(f);
    return good;
}

SS_TEST(guard, sound_store_reads_whole)
{
    struct fixture f;
    fill(&f);
    ss_check(readable(&f) == SESSIONS);
    fixture_end(&f);
}

SS_TEST(guard, misplaced_page_hides_nothing)
{
    static const char *const names[] = { "catalog", "session", "segment", "entity" };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct fixture f;
        struct data data;
        fill(&f);
        load(&f, &data);
        struct ss_page_tree tree = tree_of(&data, names[i]);
        memcpy(leaf_of(&data, &tree, 1), leaf_of(&data, &tree, 2), data.meta.page_bytes);
        save(&data);
        unsigned good = readable(&f);
        ss_check_msg(good < SESSIONS && good > SESSIONS / 4, "%s: %u", names[i], good);
        fixture_end(&f);
    }
}

/* A separator that is too high, or too low, sends look-ups to the wrong leaf. */
SS_TEST(guard, wrong_separator_hides_nothing)
{
    static const char *const names[] = { "catalog", "session", "segment", "entity" };
    for (size_t i = 0; i < 2 * sizeof names / sizeof names[0]; i++) {
        struct fixture f;
        struct data data;
        fill(&f);
        load(&f, &data);
        struct ss_page_tree tree = tree_of(&data, names[i / 2]);
        uint8_t *key = node_of(data_page(&data, tree.root), 2) + 8;
        size_t at = i / 2 == 0 ? 6 : 7;    /* the last digit but one, or of the session number */
        key[at] = (uint8_t)(i % 2 == 0 ? key[at] + 1 : key[at] - 1);
        save(&data);
        unsigned good = readable(&f);
        ss_check_msg(good < SESSIONS && good > SESSIONS / 4, "%s: %u", names[i / 2], good);
        fixture_end(&f);
    }
}

/* A key that was moved out of its session is missing there. */
SS_TEST(guard, key_that_became_another_is_noticed)
{
    struct fixture f;
    struct data data;
    fill(&f);
    load(&f, &data);
    struct ss_page_tree tree = tree_of(&data, "entity");
    uint8_t *leaf = leaf_of(&data, &tree, 1);
    node_of(leaf, ss__page_count(leaf) - 1)[8 + 7] ^= 0x40;
    save(&data);
    unsigned good = readable(&f);
    ss_check_msg(good < SESSIONS && good > SESSIONS / 4, "%u", good);
    fixture_end(&f);
}

SS_TEST(guard, file_that_was_cut_off_is_no_signal)
{
    for (unsigned part = 3; part < 8; part++) {
        struct fixture f;
        struct data data;
        struct ss_store *store;
        struct ss_failure failure = { 0 };
        fill(&f);
        load(&f, &data);
        data.len = data.len * part / 8;
        save(&data);
        if (ss__store_open(&f.options, &store, &f.report, &failure) == 0) {
            ss__store_close(store);
            ss_check(readable(&f) < SESSIONS);
        }
        fixture_end(&f);
    }
}

SS_TEST(guard, value_in_overflow_pages)
{
    static const unsigned places[] = { 0, 10, 12 };
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        struct fixture f;
        struct data data;
        struct ss_page_node node;
        struct ss_store_session *session;
        struct ss_entity_row row = { .kind = ss_str("note"), .id = ss_str("big"),
                                     .created_ordinal = 1, .last_ordinal = 1,
                                     .payload = fixture_payload(ss_str("a"), 1, 9000) };
        fixture_open(&f);
        row.type_id = f.entity_type;
        fixture_publish(&f, "a", 1, 60, 1);
        fixture_checkpoint(&f, "a", &row, 1, 1);
        fixture_close(&f);
        load(&f, &data);
        uint8_t *main_page = data_page(&data, data.meta.main.root);
        struct ss_page_tree tree = { 0 };
        for (size_t k = 0; k < ss__page_count(main_page); k++) {
            ss__page_node(main_page, true, k, &node);
            if (ss_str_equal(node.key, ss_str("entity"))) {
                ss__page_tree(node.data, &tree);
            }
        }
        ss__page_node(data_page(&data, tree.root), true, 0, &node);
        ss_check(node.overflow);
        data_page(&data, node.child)[places[i]] ^= 0x40;
        save(&data);
        fixture_reopen(&f);
        session = fixture_session(&f, "a");
        ss_check(read_entity(f.store, session, ss_str("note"), ss_str("big"), &row) ==
                 SS_E_CORRUPT);
        ss__store_put_session(f.store, session);
        fixture_end(&f);
    }
}

/* A page of the catalog that a new session belongs on is damaged: the others are flushed, the log is
 * trimmed of theirs, and what is of that one stays and is named. */
SS_TEST(guard, new_session_on_a_damaged_page_holds_up_nobody)
{
    struct fixture f;
    struct data data;
    struct ss_store_session *session;
    struct ss_record record = { .ordinal = 6, .time_us = 1, .payload = ss_str("x") };
    fill(&f);
    f.options.log_file_bytes = 64u << 10;
    fixture_reopen(&f);
    fixture_publish(&f, "s010x", 5, 60, 5);    /* its page is damaged behind its back */
    load(&f, &data);
    struct ss_page_tree tree = tree_of(&data, "catalog");
    uint64_t size = data.meta.page_bytes;
    uint8_t *leaf = leaf_of(&data, &tree, 0);
    memset(leaf + 10, 0xff, 6);
    int fd = open(data.path, O_WRONLY);
    off_t at = (off_t)(leaf - data.bytes);
    ss_check(fd >= 0 && pwrite(fd, leaf, size, at) == (ssize_t)size && close(fd) == 0);
    free(data.bytes);
    fixture_publish(&f, "z", 5, 1000, 5);
    for (unsigned i = 0; i < 20; i++) {
        fixture_publish(&f, "z", 100, 1000, 10);
        fixture_flush_all(&f);
    }
    ss_check(fixture_stats(&f).flush_errors == 0 && f.store->born_count == 1);
    unsigned files = fixture_count_files(&f, "log-");
    ss_check_msg(files <= 4, "%u files", files);
    fixture_verify(&f, "z", 2005, 1000);
    uint64_t flushes = fixture_stats(&f).flushes;
    ss_check(ss__store_flush(f.store, 16) == 0 && fixture_stats(&f).flushes == flushes);
    ss_check(ss__store_get_session(f.store, ss_str("s010x"), &session) == 0);
    record.type_id = f.event_type;
    ss_check(ss__store_row(session)->quarantined && ss__store_row(session)->ordinal == 5);
    ss_check(ss__store_stage_event(f.store, session, &record) == SS_E_CORRUPT);
    ss__store_put_session(f.store, session);
    fixture_crash(&f);
    ss_check(fixture_check(&f).findings > 0);
    fixture_end(&f);
}

/* Retention passes over what it cannot read, and comes to its end. */
static void check_scan(struct fixture *f, const char *name)
{
    struct ss_retention_scan scan = { .policy = { .age_us = 1 }, .now_us = 1000000 };
    unsigned slices = 0;
    bool last = false;
    fixture_reopen(f);
    ss__arena_init(&scan.arena, 1024);
    while (!scan.end) {
        ss_check(ss__retention_scan(f->store, &scan) == 0 && ++slices < 100);
        for (uint32_t i = 0; i < scan.cuts_count; i++) {
            last = last || ss_str_equal(scan.cuts[i].session_id, ss_str("s299"));
        }
    }
    ss_check_msg(scan.sessions > SESSIONS / 4 && scan.sessions < SESSIONS && last, "%s: %llu",
                 name, (unsigned long long)scan.sessions);
    ss__arena_deinit(&scan.arena);
}

SS_TEST(guard, a_pass_of_retention_goes_over_damaged_pages)
{
    static const char *const names[] = { "session", "segment" };
    for (size_t i = 0; i < 4; i++) {
        struct fixture f;
        struct data data;
        fill(&f);
        load(&f, &data);
        struct ss_page_tree tree = tree_of(&data, names[i / 2]);
        uint8_t *leaf = leaf_of(&data, &tree, 1);
        if (i % 2 == 0) {
            memcpy(leaf, leaf_of(&data, &tree, 2), data.meta.page_bytes);
        } else {
            memset(leaf, 0xdd, data.meta.page_bytes);    /* a branch, for LMDB */
        }
        save(&data);
        check_scan(&f, names[i / 2]);
        fixture_end(&f);
    }
}

/* ---- a disk that gives an error ---- */

static void read_from_a_bad_disk(void *context)
{
    struct fixture *f = context;
    struct ss_store_session *session;
    fixture_reopen(f);
    ss__fault_arm("guard.read", 1, 1, EINTR);
    ss_check(ss__store_get_session(f->store, ss_str("s001"), &session) == 0);
    ss__store_put_session(f->store, session);
    ss__fault_arm("guard.read", 1, 1, EIO);
    ss_check(ss__store_get_session(f->store, ss_str("s000"), &session) == SS_E_STOREIO);
    ss_check(ss__store_get_session(f->store, ss_str("s000"), &session) == 0);
    ss__store_put_session(f->store, session);
    fixture_close(f);
}

SS_TEST(guard, disk_that_gives_an_error_is_not_called_damage)
{
    struct fixture f;
    struct child_stderr child;
    fill(&f);
    child_stderr_run(read_from_a_bad_disk, &f, &child);
    ss_check_msg(strstr(child.text, "the disk gives an error") != NULL &&
                     strstr(child.text, "database=catalog") != NULL, "%s", child.text);
    ss_check_msg(strstr(child.text, "damaged") == NULL, "%s", child.text);
    fixture_end(&f);
}

/* ---- pages that go bad behind the back of an open store ---- */

static void wreck_page(struct data *data, uint8_t *page)
{
    uint64_t size = data->meta.page_bytes;
    memset(page, 0xdd, size);    /* a branch, for LMDB */
    int fd = open(data->path, O_WRONLY);
    ss_check(fd >= 0 && pwrite(fd, page, size, page - data->bytes) == (ssize_t)size);
    ss_check(close(fd) == 0);
}

/* The leaf on which the first or the last row of a database is. */
static void wreck_leaf(struct fixture *f, const char *name, bool last)
{
    struct data data;
    load(f, &data);
    struct ss_page_tree tree = tree_of(&data, name);
    size_t index = last ? ss__page_count(data_page(&data, tree.root)) - 1 : 0;
    wreck_page(&data, leaf_of(&data, &tree, index));
    free(data.bytes);
}

static struct ss_history *history_of(struct fixture *f, const char *id, uint64_t at)
{
    struct ss_history *history;
    struct ss_history_query query = { .at = at, .base_max = at, .code = 7, .timelines = 1 };
    struct ss_store_session *session = fixture_session(f, id);
    ss_check(ss__history_new(f->store, session, &query, &history) == 0);
    ss__store_put_session(f->store, session);
    return history;
}

SS_TEST(guard, history_does_not_read_a_row_that_went_bad)
{
    struct fixture f;
    struct base ignored;
    struct ss_history_base base;
    const struct ss_record *records;
    size_t count;
    fill(&f);
    fixture_reopen(&f);
    struct ss_history *begun = history_of(&f, "s000", 5);    /* reads from event 1 */
    struct ss_history *history = history_of(&f, "s000", 5);
    wreck_leaf(&f, "session", false);
    ss_check(ss__history_base(history, note_base, &ignored, &base) == SS_E_CORRUPT);
    ss_check(ss__history_read(begun, &records, &count) == SS_E_CORRUPT);
    ss__history_free(f.store, begun);
    ss__history_free(f.store, history);
    fixture_end(&f);
}

/* Of the session "s299", the last of each database. */
static void checkpoint_anew(struct fixture *f)
{
    struct ss_entity_row row = { .kind = ss_str("note"), .id = ss_str("n00"),
                                 .created_ordinal = 1, .last_ordinal = 5,
                                 .type_id = f->entity_type, .payload = ss_str("anew") };
    struct ss_store_session *session = fixture_session(f, "s299");
    use_timeline(f->store, session, 2);
    ss_check(stage_checkpoint(f->store, session, &row, 1, 5, 2) == 0);
    fixture_publish(f, "s000", 1, 60, 1);
    fixture_flush_all(f);
    ss__store_put_session(f->store, session);
}

SS_TEST(guard, entities_that_cannot_be_removed_hold_up_nobody)
{
    struct fixture f;
    fill(&f);
    fixture_reopen(&f);
    wreck_leaf(&f, "entity", true);
    checkpoint_anew(&f);
    struct ss_store_stats stats = fixture_stats(&f);
    ss_check(stats.flush_errors == 0 && f.store->unflushed_bytes == 0);
    ss_check(fixture_row_of(&f, "s299").quarantined);
    ss_check(!fixture_row_of(&f, "s000").quarantined);
    fixture_crash(&f);
    ss_check(readable(&f) < SESSIONS);
    fixture_end(&f);
}

SS_TEST(guard, new_session_whose_entities_have_no_sound_place_stays_in_the_log)
{
    struct fixture f;
    struct ss_entity_row row = { .kind = ss_str("note"), .id = ss_str("n00"),
                                 .created_ordinal = 1, .last_ordinal = 5,
                                 .payload = ss_str("new") };
    fill(&f);
    fixture_reopen(&f);
    row.type_id = f.entity_type;
    fixture_publish(&f, "new", 5, 60, 5);
    wreck_leaf(&f, "entity", true);
    struct ss_store_session *session = fixture_session(&f, "new");
    ss_check(stage_checkpoint(f.store, session, &row, 1, 5, 1) == 0);
    fixture_publish(&f, "s000", 1, 60, 1);
    fixture_flush_all(&f);
    ss_check(ss__store_row(session)->quarantined && session->born != 0);
    ss__store_put_session(f.store, session);
    ss_check(fixture_stats(&f).flush_errors == 0 && f.store->born_aside_count == 1);
    fixture_crash(&f);
    fixture_reopen(&f);
    fixture_verify(&f, "new", 5, 60);    /* its events are not damaged */
    fixture_end(&f);
}

/* Of every session, as of event 3. */
static void keep_pasts(struct fixture *f)
{
    static char text[200];
    memset(text, 'p', sizeof text);
    fixture_reopen(f);
    for (unsigned i = 0; i < SESSIONS; i++) {
        char id[16];
        struct ss_entity_row row = { .kind = ss_str("note"), .id = ss_str("n"),
                                     .type_id = f->entity_type,
                                     .payload = ss_str_of(text, sizeof text) };
        struct ss_history *history = history_of(f, id_of(i, id).data, 3);
        struct ss_past *past = ss__past_new(history);
        ss_check(past != NULL && ss__past_add(past, &row) == 0);
        ss__store_stage_past(f->store, past);
        ss__history_free(f->store, history);
        fixture_flush_all(f);
    }
}

SS_TEST(guard, past_that_cannot_be_kept_holds_up_nobody)
{
    struct fixture f;
    fill(&f);
    keep_pasts(&f);
    struct ss_history *history = history_of(&f, "s299", 4);
    struct ss_past *past = ss__past_new(history);
    wreck_leaf(&f, "checkpoint", true);
    ss__store_stage_past(f.store, past);
    ss__history_free(f.store, history);
    fixture_publish(&f, "s000", 1, 60, 1);
    fixture_flush_all(&f);
    ss_check(fixture_stats(&f).flush_errors == 0 && f.store->unflushed_bytes == 0);
    ss_check(!fixture_row_of(&f, "s299").quarantined);    /* it needs none */
    fixture_verify(&f, "s299", 5, 60);
    fixture_end(&f);
}

/* Their page may be sound again when they are asked for. */
SS_TEST(guard, session_whose_pasts_should_go_and_cannot_is_set_aside)
{
    struct fixture f;
    fill(&f);
    keep_pasts(&f);
    wreck_leaf(&f, "checkpoint", true);
    checkpoint_anew(&f);
    ss_check(fixture_stats(&f).flush_errors == 0 && f.store->unflushed_bytes == 0);
    ss_check(fixture_row_of(&f, "s299").quarantined);
    fixture_end(&f);
}

/* Its number is forgotten all the same; the pages are what a check tells of. */
SS_TEST(guard, what_a_deletion_cannot_remove_holds_up_nobody)
{
    static const char *const names[] = { "segment", "entity", "checkpoint" };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct fixture f;
        fill(&f);
        keep_pasts(&f);
        struct ss_store_session *session = fixture_session(&f, "s299");
        wreck_leaf(&f, names[i], true);
        ss_check(ss__store_stage_delete(f.store, session, 77) == 0);
        ss_check(ss__store_commit(f.store) == 0);
        ss__store_put_session(f.store, session);
        fixture_flush_all(&f);
        ss_check(ss__store_get_session(f.store, ss_str("s299"), &session) == SS_E_NOTFOUND);
        ss_check_msg(fixture_stats(&f).flush_errors == 0 && !f.store->trash_left, "%s", names[i]);
        fixture_publish(&f, "s000", 1, 60, 1);
        fixture_flush_all(&f);
        ss_check(f.store->unflushed_bytes == 0);
        fixture_crash(&f);
        ss_check(fixture_check(&f).findings > 0);
        fixture_end(&f);
    }
}

/* What retention would remove lies there. The others are gone through. */
SS_TEST(guard, a_cut_on_a_damaged_page_removes_nothing)
{
    struct fixture f;
    fill(&f);
    fixture_reopen(&f);
    wreck_leaf(&f, "segment", true);
    stage_cut(&f, "s299", 5);
    stage_cut(&f, "s000", 5);
    fixture_flush_all(&f);
    ss_check(fixture_stats(&f).flush_errors == 0);
    ss_check(first_of(&f, "s299") == 1 && first_of(&f, "s000") == 6);
    fixture_end(&f);
}

SS_TEST(guard, leftovers_on_a_damaged_page_hold_up_nobody)
{
    struct fixture f;
    fill(&f);
    fixture_reopen(&f);
    struct ss_store_session *last = fixture_session(&f, "s299");
    uint64_t segments = fixture_stats(&f).retention_bytes;
    wreck_leaf(&f, "segment", true);
    ss_check(ss__store_stage_leftovers(f.store, ss__store_row(last)->sid, 6) == 0);
    ss__store_put_session(f.store, last);
    stage_cut(&f, "s000", 5);
    fixture_flush_all(&f);
    ss_check(fixture_stats(&f).flush_errors == 0 && !ss__store_cuts_wait(f.store));
    ss_check(first_of(&f, "s000") == 6 && fixture_stats(&f).retention_bytes > segments);
    fixture_end(&f);
}

/* Its records stay in the log as long as the file does; the deletion tells what they are. */
SS_TEST(guard, session_set_aside_at_birth_can_be_deleted)
{
    for (unsigned again = 0; again < 2; again++) {
        struct fixture f;
        struct data data;
        struct ss_store_session *session;
        fill(&f);
        fixture_reopen(&f);
        fixture_publish(&f, "s299x", 5, 60, 5);
        load(&f, &data);
        struct ss_page_tree tree = tree_of(&data, "catalog");
        size_t last = ss__page_count(data_page(&data, tree.root)) - 1;
        uint8_t *leaf = leaf_of(&data, &tree, last);
        uint8_t *sound = malloc(data.meta.page_bytes);
        ss_check(sound != NULL);
        memcpy(sound, leaf, data.meta.page_bytes);
        wreck_page(&data, leaf);
        fixture_flush_all(&f);
        session = fixture_session(&f, "s299x");
        ss_check(ss__store_row(session)->quarantined && session->born_aside);
        ss_check(ss__store_stage_delete(f.store, session, 77) == 0);
        ss_check(ss__store_commit(f.store) == 0);
        ss__store_put_session(f.store, session);
        if (again == 1) {
            fixture_flush_all(&f);
            ss_check(fixture_stats(&f).flush_errors == 0 && f.store->born_aside_count == 0 &&
                     f.store->born_count == 0);
        }
        fixture_crash(&f);
        int fd = open(data.path, O_WRONLY);
        ss_check(fd >= 0 && pwrite(fd, sound, data.meta.page_bytes, leaf - data.bytes) ==
                                (ssize_t)data.meta.page_bytes && close(fd) == 0);
        free(sound);
        free(data.bytes);
        fixture_reopen(&f);
        ss_check(f.report.damaged_records == 0);
        ss_check(ss__store_get_session(f.store, ss_str("s299x"), &session) == SS_E_NOTFOUND);
        fixture_publish(&f, "s299x", 2, 60, 1);    /* the next life */
        fixture_flush_all(&f);
        fixture_crash(&f);
        fixture_reopen(&f);
        fixture_verify(&f, "s299x", 2, 60);
        fixture_close(&f);
        fixture_check_clean(&f);
        fixture_end(&f);
    }
}
