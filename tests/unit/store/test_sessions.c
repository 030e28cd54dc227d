#include "store_fixture.h"

SS_TEST(sessions, unknown_session_is_not_found)
{
    struct fixture f;
    struct ss_store_session *session;
    fixture_open(&f);
    ss_check(ss__store_get_session(f.store, ss_str("nobody"), &session) == SS_E_NOTFOUND);
    fixture_end(&f);
}

SS_TEST(sessions, one_handle_serves_all_references)
{
    struct fixture f;
    fixture_open(&f);
    fixture_publish(&f, "a", 2, 10, 2);
    struct ss_store_session *first = fixture_session(&f, "a");
    struct ss_store_session *second = fixture_session(&f, "a");
    ss_check(first == second);
    ss__store_put_session(f.store, first);
    fixture_stage(&f, second, 1, 10);
    ss_check(ss__store_commit(f.store) == 0);
    ss_check(ss__store_row(second)->ordinal == 3);
    ss_check(ss_str_equal(ss__store_session_id(second), ss_str("a")));
    ss__store_put_session(f.store, second);
    fixture_end(&f);
}

SS_TEST(sessions, staged_session_is_found_before_the_commit_and_gone_after_abort)
{
    struct fixture f;
    struct ss_store_session *created;
    struct ss_store_session *found;
    fixture_open(&f);
    ss_check(ss__store_stage_session(f.store, ss_str("a"), 55, &created) == 0);
    ss_check(ss__store_get_session(f.store, ss_str("a"), &found) == 0 && found == created);
    ss_check(ss__store_row(created)->created_us == 55 && ss__store_row(created)->epoch != 0);
    ss__store_put_session(f.store, found);
    ss__store_abort(f.store);
    ss_check(ss__store_get_session(f.store, ss_str("a"), &found) == SS_E_NOTFOUND);
    ss_check(fixture_stage_flags(&f, created, 1, 0) == SS_E_CLOSED);
    ss_check(stage_checkpoint(f.store, created, NULL, 0, 0, 1) == SS_E_CLOSED);
    struct ss_image_request *request;
    struct ss_entity_row entity;
    ss_check(ss__store_image_request(f.store, created, false, &request) == SS_E_CLOSED);
    ss_check(read_entity(f.store, created, ss_str("k"), ss_str("i"), &entity) ==
             SS_E_CLOSED);
    ss__store_put_session(f.store, created);
    fixture_publish(&f, "a", 1, 10, 1);
    fixture_verify(&f, "a", 1, 10);
    fixture_close(&f);
    fixture_check_clean(&f);
    fixture_end(&f);
}

SS_TEST(sessions, numbers_are_never_handed_out_twice)
{
    struct fixture f;
    uint64_t newest = 0;
    char id[16];
    fixture_open(&f);
    for (unsigned round = 0; round < 6; round++) {
        for (unsigned i = 0; i < 3; i++) {
            (void)snprintf(id, sizeof id, "s%u-%u", round, i);
            struct ss_store_session *session = fixture_session(&f, id);
            ss_check(ss__store_row(session)->sid > newest);
            newest = ss__store_row(session)->sid;
            ss_check(ss__store_commit(f.store) == 0);
            ss__store_put_session(f.store, session);
        }
        if (round % 2 == 0) {
            fixture_close(&f);
        } else {
            fixture_crash(&f);
        }
        fixture_check_clean(&f);
        fixture_reopen(&f);
    }
    ss_check(f.report.sessions == 18);
    fixture_end(&f);
}

SS_TEST(sessions, handle_loaded_again_shows_the_same_row)
{
    struct fixture f;
    fixture_open(&f);
    fixture_publish(&f, "a", 64, 20, 64);
    struct ss_store_session *a = fixture_session(&f, "a");
    struct ss_session_row before = *ss__store_row(a);
    ss__store_put_session(f.store, a);
    a = fixture_session(&f, "a");
    const struct ss_session_row *after = ss__store_row(a);
    ss_check(after->sid == before.sid && after->epoch == before.epoch);
    ss_check(after->ordinal == 64 && after->first_retained == 1);
    ss_check(after->created_us == before.created_us && after->updated_us == before.updated_us);
    ss__store_put_session(f.store, a);
    fixture_end(&f);
}

SS_TEST(sessions, catalog_entry_that_names_another_session_is_damage)
{
    struct fixture f;
    uint8_t key_bytes[SS_CATALOG_KEY_BYTES_MAX];
    uint8_t value[SS_CATALOG_VALUE_BYTES];
    struct ss_store_session *session;
    fixture_open(&f);
    fixture_publish(&f, "a", 3, 50, 3);
    fixture_publish(&f, "b", 5, 50, 5);
    fixture_flush_all(&f);
    fixture_close(&f);
    struct ss_str key = ss_str_of(key_bytes, ss__catalog_key(key_bytes, ss_str("a")));
    ss__catalog_encode(value, key, 2);
    fixture_plant(&f, SS_DB_CATALOG, key, ss_str_of(value, sizeof value));
    fixture_reopen(&f);
    ss_check(ss__store_get_session(f.store, ss_str("a"), &session) == SS_E_CORRUPT);
    fixture_publish(&f, "b", 1, 50, 1);
    fixture_verify(&f, "b", 6, 50);
    ss_check(ss__store_get_session(f.store, ss_str("a"), &session) == SS_E_CORRUPT);
    fixture_end(&f);
}

SS_TEST(sessions, damaged_catalog_entry_or_row_fails_that_session_only)
{
    struct fixture f;
    struct ss_store_session *session;
    fixture_open(&f);
    fixture_publish(&f, "a", 3, 50, 3);
    fixture_publish(&f, "b", 3, 50, 3);
    fixture_publish(&f, "c", 3, 50, 3);
    fixture_flush_all(&f);
    fixture_close(&f);
    fixture_flip(&f, SS_DB_CATALOG, 0, 12);
    fixture_flip(&f, SS_DB_SESSION, 1, 40);
    fixture_reopen(&f);
    ss_check(ss__store_get_session(f.store, ss_str("a"), &session) == SS_E_CORRUPT);
    ss_check(ss__store_get_session(f.store, ss_str("b"), &session) == SS_E_CORRUPT);
    fixture_verify(&f, "c", 3, 50);
    fixture_end(&f);
}
