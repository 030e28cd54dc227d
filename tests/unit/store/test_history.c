/* Reading a session's events in slices, from a base on. */
#include "damage.h"
#include "retention_fixture.h"

#include "store/delete.h"
#include "store/history.h"
#include "store/timelines.h"

struct seen {
    unsigned count;
    char ids[512];
    uint64_t base;    /* the event that the entities are of */
};

static int note_entity(const struct ss_entity_row *row, void *ctx)
{
    struct seen *seen = ctx;
    seen->count++;
    size_t len = strlen(seen->ids);
    (void)snprintf(seen->ids + len, sizeof seen->ids - len, "%.*s ", (int)row->id.len,
                   row->id.data);
    return 0;
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

/* One that has told what its base has. */
static struct ss_history *begin(struct fixture *f, const char *id, uint64_t at,
                                struct seen *ret_seen)
{
    struct ss_history_base base;
    struct ss_history *history = history_of(f, id, at);
    *ret_seen = (struct seen){ .count = 0 };
    ss_check(ss__history_base(history, note_entity, ret_seen, &base) == 0);
    ret_seen->base = base.ordinal;
    return history;
}

/* What the reads end with: 0 behind the last event. */
static int read_on(struct ss_history *history)
{
    const struct ss_record *records;
    size_t count = 1;
    int err = 0;
    while (err == 0 && count > 0) {
        err = ss__history_read(history, &records, &count);
    }
    return err;
}

/* Reads to the end; returns how many reads it took. */
static unsigned read_all(struct ss_history *history, const char *id, uint64_t base, uint64_t at,
                         size_t len)
{
    const struct ss_record *records;
    size_t count = 0;
    unsigned reads = 0;
    uint64_t ordinal = base;
    int err;
    while ((err = ss__history_read(history, &records, &count)) == 0 && count > 0) {
        for (size_t i = 0; i < count; i++) {
            ordinal++;
            ss_check(records[i].ordinal == ordinal);
            ss_check(ss_str_equal(records[i].payload,
                                  fixture_payload(ss_str(id), ordinal, len)));
        }
        reads++;
    }
    ss_check_msg(err == 0 && ordinal == at, "%s after %d", ss_error_name(err), (int)ordinal);
    return reads;
}

static void check_read(struct fixture *f, const char *id, uint64_t at, size_t len)
{
    struct seen seen;
    struct ss_history *history = begin(f, id, at, &seen);
    ss_check(seen.base == 0);
    (void)read_all(history, id, 0, at, len);
    ss__history_free(f->store, history);
}

SS_TEST(history, segments_and_log_join_without_gap_wherever_it_ends)
{
    struct fixture f;
    fixture_open(&f);
    fixture_publish(&f, "before", 70, 50, 70);
    fixture_publish(&f, "a", 150, 50, 64);
    fixture_flush_all(&f);
    fixture_publish(&f, "a", 20, 50, 20);
    for (uint64_t at = 1; at <= 170; at++) {
        check_read(&f, "a", at, 50);
    }
    fixture_end(&f);
}

SS_TEST(history, what_is_flushed_between_two_reads_is_read_once)
{
    struct fixture f;
    struct seen seen;
    const struct ss_record *records;
    size_t count;
    fixture_open(&f);
    fixture_publish(&f, "a", 60, 10000, 10);
    struct ss_history *history = begin(&f, "a", 60, &seen);
    ss_check(ss__history_read(history, &records, &count) == 0 && count > 20 && count < 60);
    uint64_t done = records[count - 1].ordinal;
    fixture_flush_all(&f);
    fixture_publish(&f, "a", 30, 10000, 10);
    ss_check(read_all(history, "a", done, 60, 10000) > 1);
    ss__history_free(f.store, history);
    fixture_end(&f);
}

SS_TEST(history, entities_on_disk_are_the_base_if_they_are_no_newer_than_wanted)
{
    struct fixture f;
    struct seen seen;
    struct ss_entity_row rows[2] = {
        { .kind = ss_str("note"), .id = ss_str("x"), .type_id = 2, .payload = ss_str("p") },
        { .kind = ss_str("note"), .id = ss_str("y"), .type_id = 2, .payload = ss_str("q") },
    };
    fixture_open(&f);
    fixture_publish(&f, "a", 30, 50, 10);
    fixture_checkpoint(&f, "a", rows, 2, 20);
    struct ss_history *history = begin(&f, "a", 20, &seen);
    ss_check(seen.base == 20 && strcmp(seen.ids, "x y ") == 0);
    (void)read_all(history, "a", 20, 20, 50);
    ss__history_free(f.store, history);
    check_read(&f, "a", 19, 50);
    fixture_end(&f);
}

static void plant_row(struct fixture *f, uint64_t first_retained)
{
    uint8_t key[8];
    uint8_t value[SS_ROW_BYTES_MAX];
    uint8_t timelines[SS_TIMELINE_FIXED_BYTES];
    struct ss_timeline_list *list;
    struct ss_timeline_checkpoint one = { .row = { FIXTURE_PROJECTION, 1, 9, false, NULL } };
    ss_check(ss__timelines_merge(NULL, &one, 1, &list) == 0);
    struct ss_row_value row = { .ordinal = 9, .first_retained = first_retained,
                                .timelines = ss_str_of(timelines,
                                                       ss__timelines_encode(timelines, list)),
                                .tip = { first_retained, (uint32_t)(10 - first_retained), 500 },
                                .id = ss_str("a") };
    ss__put_be64(key, 1);
    fixture_plant(f, SS_DB_SESSION, ss_str_of(key, 8),
                  ss_str_of(value, ss__row_encode(value, 1, &row)));
    free(list);
}

SS_TEST(history, events_that_have_been_removed_are_gone_and_the_first_one_is_named)
{
    struct fixture f;
    struct seen seen = { .count = 0 };
    struct ss_history_base base;
    fixture_open(&f);
    fixture_publish(&f, "a", 9, 50, 9);
    fixture_flush_all(&f);
    fixture_close(&f);
    plant_row(&f, 5);
    fixture_reopen(&f);
    struct ss_history *history = history_of(&f, "a", 7);
    ss_check(ss__history_base(history, note_entity, &seen, &base) == SS_E_GONE &&
             base.first_retained == 5);
    ss__history_free(f.store, history);
    /* The entities bridge them. */
    history = begin(&f, "a", 9, &seen);
    ss_check(seen.base == 9);
    ss__history_free(f.store, history);
    fixture_end(&f);
}

/* Events of the segment that begins with @first are there no longer. */
static void check_missing(uint64_t first)
{
    struct fixture f;
    struct seen seen;
    uint8_t key[16];
    fixture_open(&f);
    fixture_publish(&f, "a", 130, 50, 64);
    fixture_flush_all(&f);
    fixture_close(&f);
    ss__segment_key(key, 1, first);
    fixture_plant(&f, SS_DB_SEGMENT, ss_str_of(key, 16), (struct ss_str){ NULL, 0 });
    fixture_reopen(&f);
    struct ss_history *history = begin(&f, "a", 130, &seen);
    ss_check(read_on(history) == SS_E_CORRUPT);
    ss__history_free(f.store, history);
    fixture_end(&f);
}

SS_TEST(history, missing_events_are_damage)
{
    check_missing(65);
    check_missing(129);    /* the newest */
}

SS_TEST(history, event_damaged_in_the_log_fails_what_begins_after_it_only)
{
    struct fixture f;
    struct seen seen = { .count = 0 };
    struct ss_history_base base;
    fixture_open(&f);
    fixture_publish(&f, "a", 3, 50, 3);
    struct ss_history *before = history_of(&f, "a", 3);
    fixture_flip_record(&f, 2, 60);    /* the second event, under the open store */
    struct ss_history *after = history_of(&f, "a", 3);
    ss_check(ss__history_base(before, note_entity, &seen, &base) == 0);
    (void)read_all(before, "a", 0, 3, 50);
    int err = ss__history_base(after, note_entity, &seen, &base);
    ss_check((err != 0 ? err : read_on(after)) == SS_E_CORRUPT);
    ss__history_free(f.store, before);
    ss__history_free(f.store, after);
    fixture_end(&f);
}

SS_TEST(history, deleted_session_and_one_set_aside_have_none)
{
    struct fixture f;
    struct ss_history *history;
    struct ss_history_query query = { .at = 3, .base_max = 3, .code = 7, .timelines = 1 };
    fixture_open(&f);
    fixture_publish(&f, "a", 3, 50, 3);
    fixture_publish(&f, "b", 3, 50, 3);
    struct ss_store_session *b = fixture_session(&f, "b");
    ss_check(ss__store_stage_delete(f.store, b, 5) == 0);
    ss_check(ss__history_new(f.store, b, &query, &history) == SS_E_CLOSED);
    ss_check(ss__store_commit(f.store) == 0);
    ss__store_put_session(f.store, b);
    fixture_crash(&f);
    fixture_flip_record(&f, 2, 60);
    fixture_reopen(&f);
    struct ss_store_session *a = fixture_session(&f, "a");
    ss_check(ss__store_row(a)->quarantined);
    ss_check(ss__history_new(f.store, a, &query, &history) == SS_E_CORRUPT);
    ss__store_put_session(f.store, a);
    fixture_end(&f);
}

/* Where an event of the session was, the log has that of another one, and it is sound. */
SS_TEST(history, event_of_another_session_in_the_log_is_damage)
{
    struct fixture f;
    struct seen seen;
    const struct ss_record *records;
    size_t count;
    fixture_open(&f);
    fixture_publish(&f, "a", 3, 50, 3);
    fixture_forge(&f, 2, 77, 2, true);    /* under the open store */
    struct ss_history *history = begin(&f, "a", 3, &seen);
    int err = ss__history_read(history, &records, &count);
    ss_check_msg(err == SS_E_CORRUPT, "%s", ss_error_name(err));
    ss__history_free(f.store, history);
    fixture_end(&f);
}

SS_TEST(history, events_that_are_removed_between_two_reads_are_gone)
{
    struct fixture f;
    struct seen seen;
    const struct ss_record *records;
    size_t count;
    fixture_open(&f);
    fixture_publish(&f, "a", 200, 50, 64);
    fixture_flush_all(&f);
    struct ss_history *history = begin(&f, "a", 200, &seen);
    ss_check(seen.base == 0);
    entity_at(&f, "a", 64);
    stage_cut(&f, "a", 64);
    fixture_flush_all(&f);
    ss_check(first_of(&f, "a") == 65);
    ss_check(ss__history_read(history, &records, &count) == SS_E_GONE);
    ss_check(ss__history_first(history) == 65);
    ss__history_free(f.store, history);
    fixture_end(&f);
}
