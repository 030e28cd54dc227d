/* What is kept as of earlier events: written, found, thinned out, damaged. */
#include "store_fixture.h"

#include "store/delete.h"
#include "store/past.h"

struct seen {
    unsigned count;
    uint64_t created;
    size_t bytes;
};

static int note_entity(const struct ss_entity_row *row, void *ctx)
{
    struct seen *seen = ctx;
    seen->count++;
    seen->created += row->created_ordinal;
    seen->bytes += row->payload.len;
    return 0;
}

static struct ss_history *history_of(struct fixture *f, const char *id, uint64_t at, uint64_t code)
{
    struct ss_history *history;
    struct ss_history_query query = { .at = at, .base_max = at, .code = code, .timelines = 1 };
    struct ss_store_session *session = fixture_session(f, id);
    ss_check(ss__history_new(f->store, session, &query, &history) == 0);
    ss__store_put_session(f->store, session);
    return history;
}

static void stage(struct fixture *f, const char *id, uint64_t at, uint64_t code, unsigned entities,
                  size_t len)
{
    struct ss_history *history = history_of(f, id, at, code);
    struct ss_past *past = ss__past_new(history);
    ss_check(past != NULL);
    for (unsigned i = 0; i < entities; i++) {
        char name[16];
        snprintf(name, sizeof name, "n%u", i);
        struct ss_entity_row row = { .kind = ss_str("note"), .id = ss_str(name),
                                     .created_ordinal = at, .last_ordinal = at, .time_us = 5,
                                     .type_id = f->entity_type,
                                     .payload = fixture_payload(ss_str(id), i, len) };
        ss_check(ss__past_add(past, &row) == 0);
    }
    ss__store_stage_past(f->store, past);
    ss__history_free(f->store, history);
}

static void keep(struct fixture *f, const char *id, uint64_t at, unsigned entities, size_t len)
{
    stage(f, id, at, 7, entities, len);
    fixture_flush_all(f);
}

/* The base as of @at, and its entities. */
static uint64_t base_of(struct fixture *f, const char *id, uint64_t at, uint64_t code,
                        struct seen *ret_seen)
{
    struct ss_history_base base;
    *ret_seen = (struct seen){ .count = 0 };
    struct ss_history *history = history_of(f, id, at, code);
    ss_check(ss__history_base(history, note_entity, ret_seen, &base) == 0);
    ss__history_free(f->store, history);
    return base.ordinal;
}

SS_TEST(past, the_nearest_before_is_the_base_of_its_own_session_and_code)
{
    struct fixture f;
    struct seen seen;
    fixture_open(&f);
    fixture_publish(&f, "a", 100, 50, 64);
    fixture_publish(&f, "b", 100, 50, 64);
    keep(&f, "a", 30, 3, 10);
    keep(&f, "a", 60, 500, 300);    /* of several parts */
    keep(&f, "a", 80, 0, 0);
    ss_check(base_of(&f, "a", 29, 7, &seen) == 0 && seen.count == 0);
    ss_check(base_of(&f, "a", 30, 7, &seen) == 30 && seen.count == 3 && seen.bytes == 30);
    ss_check(base_of(&f, "a", 59, 7, &seen) == 30);
    ss_check(base_of(&f, "a", 79, 7, &seen) == 60 && seen.count == 500);
    ss_check(seen.created == 500 * 60 && seen.bytes == 500 * 300);
    ss_check(base_of(&f, "a", 90, 7, &seen) == 80 && seen.count == 0);
    ss_check(base_of(&f, "a", 79, 8, &seen) == 0);
    ss_check(base_of(&f, "b", 79, 7, &seen) == 0);
    fixture_close(&f);
    fixture_check_clean(&f);
    fixture_reopen(&f);
    ss_check(base_of(&f, "a", 79, 7, &seen) == 60 && seen.count == 500);
    fixture_end(&f);
}

SS_TEST(past, written_again_it_replaces_the_one_before)
{
    struct fixture f;
    struct seen seen;
    fixture_open(&f);
    fixture_publish(&f, "a", 100, 50, 64);
    keep(&f, "a", 60, 500, 300);
    keep(&f, "a", 60, 2, 10);
    ss_check(base_of(&f, "a", 60, 7, &seen) == 60 && seen.count == 2);
    fixture_close(&f);
    fixture_check_clean(&f);
    fixture_end(&f);
}

SS_TEST(past, of_too_many_the_one_that_is_missed_least_goes)
{
    struct fixture f;
    struct seen seen;
    fixture_open(&f);
    fixture_publish(&f, "a", 200, 50, 64);
    for (uint64_t at = 10; at <= 10 * SS_PASTS_MAX; at += 10) {
        keep(&f, "a", at, 1, 10);
    }
    keep(&f, "a", 52, 1, 10);
    unsigned kept = 0;
    for (uint64_t at = 1; at <= 200; at++) {
        kept += base_of(&f, "a", at, 7, &seen) == at;
    }
    ss_check(kept == SS_PASTS_MAX);
    ss_check(base_of(&f, "a", 59, 7, &seen) == 52 || base_of(&f, "a", 51, 7, &seen) == 50);
    ss_check(base_of(&f, "a", 200, 7, &seen) == 10 * SS_PASTS_MAX);
    fixture_end(&f);
}

SS_TEST(past, other_code_removes_those_of_before)
{
    struct fixture f;
    struct seen seen;
    fixture_open(&f);
    fixture_publish(&f, "a", 100, 50, 64);
    keep(&f, "a", 30, 3, 10);
    stage(&f, "a", 60, 8, 1, 10);
    fixture_flush_all(&f);
    ss_check(base_of(&f, "a", 50, 7, &seen) == 0);
    ss_check(base_of(&f, "a", 70, 8, &seen) == 60);
    fixture_end(&f);
}

SS_TEST(past, entities_that_are_made_anew_remove_all_and_take_none_of_before)
{
    struct fixture f;
    struct seen seen;
    fixture_open(&f);
    fixture_publish(&f, "a", 100, 50, 64);
    keep(&f, "a", 30, 3, 10);
    fixture_checkpoint(&f, "a", NULL, 0, 20);    /* so that something does not count any more */
    struct ss_history *history = history_of(&f, "a", 40, 7);
    struct ss_past *past = ss__past_new(history);
    struct ss_store_session *a = fixture_session(&f, "a");
    ss__store_void_timeline(a, FIXTURE_PROJECTION);
    ss__store_stage_past(f.store, past);    /* too late */
    ss__history_free(f.store, history);
    fixture_checkpoint(&f, "a", NULL, 0, 100);
    ss__store_put_session(f.store, a);
    ss_check(base_of(&f, "a", 99, 7, &seen) == 0);
    keep(&f, "a", 50, 3, 10);
    ss_check(base_of(&f, "a", 99, 7, &seen) == 50);
    fixture_close(&f);
    fixture_check_clean(&f);
    fixture_end(&f);
}

SS_TEST(past, one_that_is_too_large_is_not_kept)
{
    struct fixture f;
    fixture_open(&f);
    fixture_publish(&f, "a", 100, 50, 64);
    struct ss_history *history = history_of(&f, "a", 40, 7);
    struct ss_past *past = ss__past_new(history);
    struct ss_entity_row row = { .kind = ss_str("note"), .id = ss_str("x"),
                                 .payload = fixture_payload(ss_str("a"), 1, 60000) };
    int err = 0;
    for (unsigned i = 0; i <= SS_PAST_BYTES_MAX / 60000 && err == 0; i++) {
        err = ss__past_add(past, &row);
    }
    ss_check(err == SS_E_TOOBIG);
    ss__past_free(past);
    ss__history_free(f.store, history);
    fixture_end(&f);
}

#ifdef SS_FAULTS
SS_TEST(past, a_flush_that_fails_loses_it_and_nothing_else)
{
    struct fixture f;
    struct seen seen;
    fixture_open(&f);
    fixture_publish(&f, "a", 100, 50, 64);
    stage(&f, "a", 40, 7, 1, 10);
    ss__fault_arm("store.flush.write", 1, 1, SS_E_STOREIO);
    ss_check(ss__store_flush(f.store, 16) == SS_E_STOREIO);
    fixture_flush_all(&f);
    ss_check(base_of(&f, "a", 50, 7, &seen) == 0);
    fixture_verify(&f, "a", 100, 50);
    /* One that waits when the store is closed is forgotten. */
    stage(&f, "a", 40, 7, 1, 10);
    fixture_end(&f);
}
#endif

static void plant(struct fixture *f, uint32_t part, struct ss_str value)
{
    uint8_t key[SS_PAST_KEY_BYTES];
    ss__past_key(key, &(struct ss_past_key){ 1, 60, part });
    fixture_plant(f, SS_DB_CHECKPOINT, ss_str_of(key, sizeof key), value);
}

SS_TEST(past, a_damaged_one_is_found_by_the_check_and_passed_over)
{
    for (uint32_t part = 0; part < 3; part++) {
        for (int missing = 0; missing < 2; missing++) {
            struct fixture f;
            struct seen seen;
            fixture_open(&f);
            fixture_publish(&f, "a", 100, 50, 64);
            keep(&f, "a", 30, 3, 10);
            keep(&f, "a", 60, 500, 300);
            fixture_close(&f);
            plant(&f, part, missing ? (struct ss_str){ NULL, 0 } : ss_str("nothing of the kind"));
            ss_check_msg(fixture_check(&f).findings > 0, "part %d", (int)part);
            fixture_reopen(&f);
            uint64_t base = base_of(&f, "a", 70, 7, &seen);
            ss_check_msg(base == 30 || part == 0, "part %d: %d", (int)part, (int)base);
            ss_check(base == 30 ? seen.count == 3 : base == 0 && seen.count == 0);
            /* The next one that is written removes what cannot be read. */
            keep(&f, "a", 80, 3, 10);
            ss_check(base_of(&f, "a", 90, 7, &seen) == 80);
            fixture_end(&f);
        }
    }
}

SS_TEST(past, no_byte_of_key_or_value_is_trusted)
{
    struct ss_past_key key;
    struct ss_past_head head;
    uint8_t bytes[64] = { 0 };
    struct seen seen = { .count = 0 };
    struct ss_str name = ss_str_of(bytes, SS_PAST_KEY_BYTES);
    for (size_t len = 0; len < sizeof bytes; len++) {
        struct ss_str text = ss_str_of(bytes, len);
        ss_check((ss__past_key_decode(text, &key) == 0) == (len == SS_PAST_KEY_BYTES));
        ss_check(ss__past_head_decode(name, text, &head) == SS_E_CORRUPT);
        ss_check(ss__past_part_decode(name, text, note_entity, &seen) == SS_E_CORRUPT);
    }
    /* A checksum that fits proves no shape. */
    for (size_t len = 10; len < sizeof bytes; len++) {
        memset(bytes + SS_PAST_KEY_BYTES, 0xFF, sizeof bytes - SS_PAST_KEY_BYTES);
        uint8_t value[64];
        memset(value, 0xEE, sizeof value);
        value[0] = SS_VALUE_VERSION;
        ss__value_seal(value, len, ss__key_seed(name));
        ss_check(ss__past_part_decode(name, ss_str_of(value, len), note_entity, &seen) ==
                 SS_E_CORRUPT);
    }
    ss_check(seen.count == 0);
}

/* Whoever asked for it may have been late. */
SS_TEST(past, one_of_a_session_that_has_been_deleted_is_not_kept)
{
    struct fixture f;
    fixture_open(&f);
    fixture_publish(&f, "a", 9, 50, 9);
    fixture_publish(&f, "b", 9, 50, 9);
    fixture_flush_all(&f);
    stage(&f, "a", 5, 7, 2, 20);
    stage(&f, "b", 5, 7, 2, 20);
    struct ss_store_session *a = fixture_session(&f, "a");
    ss_check(ss__store_stage_delete(f.store, a, 200) == 0 && ss__store_commit(f.store) == 0);
    ss__store_put_session(f.store, a);
    fixture_flush_all(&f);
    struct seen seen;
    ss_check(base_of(&f, "b", 9, 7, &seen) == 5 && seen.count == 2);
    fixture_close(&f);
    fixture_check_clean(&f);
    fixture_end(&f);
}
