#include "store_fixture.h"

#include "store/delete.h"
#include "store/listing.h"

struct listed {
    struct ss_session_query query;
    struct ss_list_page page;
};

static void begin(struct fixture *f, struct listed *listed, const char *prefix, const char *after,
                  uint32_t limit)
{
    *listed = (struct listed){ .query = { ss_str(prefix), ss_str(after), limit } };
    listed->page.query = &listed->query;
    ss__arena_init(&listed->page.arena, 1024);
    ss_check(ss__store_list_begin(f->store, &listed->page) == 0);
}

/* The ids, a space behind each. */
static void expect(struct fixture *f, struct listed *listed, const char *ids)
{
    char got[512] = "";
    ss_check(ss__store_list_read(f->store, &listed->page) == 0);
    ss__store_list_settle(f->store, &listed->page);
    for (uint32_t i = 0; i < listed->page.count; i++) {
        struct ss_str id = listed->page.items[i].info.id;
        (void)snprintf(got + strlen(got), sizeof got - strlen(got), "%.*s ", (int)id.len, id.data);
    }
    ss_check_msg(strcmp(got, ids) == 0, "got %s, want %s", got, ids);
    ss__arena_deinit(&listed->page.arena);
}

static void list(struct fixture *f, const char *prefix, const char *after, uint32_t limit,
                 const char *ids)
{
    struct listed listed;
    begin(f, &listed, prefix, after, limit);
    expect(f, &listed, ids);
}

static void flush(struct fixture *f)
{
    int moved;
    while ((moved = ss__store_flush(f->store, 100)) > 0) {
    }
    ss_check(moved == 0);
}

SS_TEST(listing, sessions_of_log_and_catalog_are_one_list)
{
    struct fixture f;
    fixture_open(&f);
    list(&f, "", "", 10, "");
    fixture_publish(&f, "b", 1, 10, 1);
    fixture_publish(&f, "ab", 1, 10, 1);
    flush(&f);
    fixture_publish(&f, "c", 1, 10, 1);
    fixture_publish(&f, "a", 1, 10, 1);
    fixture_publish(&f, "abc", 1, 10, 1);
    list(&f, "", "", 10, "a ab abc b c ");
    list(&f, "a", "", 10, "a ab abc ");
    list(&f, "ab", "", 10, "ab abc ");
    list(&f, "x", "", 10, "");
    list(&f, "", "ab", 10, "abc b c ");
    list(&f, "a", "ab", 10, "abc ");
    list(&f, "a", "b", 10, "");
    list(&f, "b", "a", 10, "b ");
    list(&f, "", "c", 10, "");
    list(&f, "", "", 2, "a ab abc ");    /* one more tells that there are more */
    flush(&f);
    list(&f, "", "", 10, "a ab abc b c ");
    list(&f, "a", "ab", 10, "abc ");
    fixture_end(&f);
}

SS_TEST(listing, a_flush_in_between_shows_nothing_twice)
{
    struct fixture f;
    struct listed listed;
    fixture_open(&f);
    fixture_publish(&f, "b", 1, 10, 1);
    fixture_publish(&f, "a", 1, 10, 1);
    begin(&f, &listed, "", "", 10);
    flush(&f);
    expect(&f, &listed, "a b ");
    fixture_end(&f);
}

SS_TEST(listing, shows_what_is_committed_and_not_what_is_staged)
{
    struct fixture f;
    struct listed listed;
    fixture_open(&f);
    fixture_publish(&f, "a", 2, 10, 2);
    flush(&f);
    struct ss_store_session *session = fixture_session(&f, "a");
    fixture_stage(&f, session, 1, 10);
    ss_check(ss__store_commit(f.store) == 0);
    fixture_stage(&f, session, 1, 10);
    struct ss_store_session *staged;
    ss_check(ss__store_stage_session(f.store, ss_str("b"), 5, &staged) == 0);
    begin(&f, &listed, "", "", 10);
    ss_check(ss__store_list_read(f.store, &listed.page) == 0);
    ss__store_list_settle(f.store, &listed.page);
    ss_check(listed.page.count == 1);
    const struct ss_session_info *info = &listed.page.items[0].info;
    ss_check(info->ordinal == 3 && !info->running);
    ss_check(info->created_us == ss__store_row(session)->created_us);
    ss__arena_deinit(&listed.page.arena);
    ss__store_abort(f.store);
    ss__store_put_session(f.store, staged);
    ss__store_put_session(f.store, session);
    fixture_end(&f);
}

SS_TEST(listing, is_the_same_after_a_crash)
{
    struct fixture f;
    fixture_open(&f);
    fixture_publish(&f, "b", 1, 10, 1);
    flush(&f);
    fixture_publish(&f, "a", 1, 10, 1);
    fixture_crash(&f);
    fixture_reopen(&f);
    list(&f, "", "", 10, "a b ");
    fixture_end(&f);
}

SS_TEST(listing, a_session_that_was_begun_again_is_listed_although_the_catalog_has_its_former_life)
{
    struct fixture f;
    fixture_open(&f);
    fixture_publish(&f, "a", 1, 10, 1);
    fixture_publish(&f, "b", 3, 10, 3);
    fixture_publish(&f, "c", 1, 10, 1);
    flush(&f);
    struct ss_store_session *session = fixture_session(&f, "b");
    ss_check(ss__store_stage_delete(f.store, session, 5) == 0);
    ss_check(ss__store_commit(f.store) == 0);
    ss__store_put_session(f.store, session);
    list(&f, "", "", 10, "a c ");
    fixture_publish(&f, "b", 1, 10, 1);
    for (int again = 0; again < 2; again++) {
        struct listed listed;
        begin(&f, &listed, "b", "", 10);
        ss_check(ss__store_list_read(f.store, &listed.page) == 0);
        ss__store_list_settle(f.store, &listed.page);
        ss_check(listed.page.count == 1 && listed.page.items[0].info.ordinal == 1);
        ss__arena_deinit(&listed.page.arena);
        list(&f, "", "", 10, "a b c ");
        list(&f, "", "a", 1, "b c ");
        fixture_crash(&f);
        fixture_reopen(&f);
    }
    flush(&f);
    list(&f, "", "", 10, "a b c ");
    fixture_end(&f);
}

SS_TEST(listing, query_of_zeros_is_for_all)
{
    struct fixture f;
    struct listed listed = { .query = { .limit = 10 } };
    fixture_open(&f);
    fixture_publish(&f, "b", 1, 10, 1);
    flush(&f);
    listed.page.query = &listed.query;
    ss__arena_init(&listed.page.arena, 1024);
    ss_check(ss__store_list_begin(f.store, &listed.page) == 0);
    expect(&f, &listed, "b ");
    fixture_end(&f);
}

SS_TEST(listing, damaged_entry_or_row_is_an_error_and_no_hole_in_the_list)
{
    for (int which = 0; which < 3; which++) {
        struct fixture f;
        struct listed listed;
        uint8_t key[8];
        fixture_open(&f);
        fixture_publish(&f, "a", 1, 10, 1);
        fixture_publish(&f, "b", 1, 10, 1);
        flush(&f);
        fixture_close(&f);
        ss__put_be64(key, 2);
        if (which == 2) {
            fixture_plant(&f, SS_DB_SESSION, ss_str_of(key, sizeof key),
                          (struct ss_str){ NULL, 0 });
        } else {
            fixture_flip(&f, which == 0 ? SS_DB_CATALOG : SS_DB_SESSION, 1, 12);
        }
        fixture_reopen(&f);
        begin(&f, &listed, "", "", 10);
        ss_check(ss__store_list_read(f.store, &listed.page) == SS_E_CORRUPT);
        ss__arena_deinit(&listed.page.arena);
        list(&f, "a", "", 10, "a ");
        fixture_end(&f);
    }
}
