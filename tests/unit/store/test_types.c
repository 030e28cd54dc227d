#include "store_fixture.h"

static uint32_t intern(struct fixture *f, enum ss_type_space space, const char *name,
                       const char *full_name, uint64_t fingerprint)
{
    struct ss_type_entry entry = { .space = space, .name = ss_str(name),
                                   .full_name = ss_str(full_name), .fingerprint = fingerprint };
    ss_check(ss__store_intern_types(f->store, &entry, 1) == 0);
    return entry.ret_type_id;
}

SS_TEST(types, numbers_are_kept_over_a_restart)
{
    struct fixture f;
    fixture_open(&f);
    uint32_t event = intern(&f, SS_TYPE_EVENT, "Moved", "t.Moved", 5);
    uint32_t entity = intern(&f, SS_TYPE_ENTITY, "Moved", "t.Moved", 5);
    uint32_t other = intern(&f, SS_TYPE_EVENT, "Moved", "t.v2.Moved", 5);
    ss_check(event != entity && event != other && entity != other && event != 0);
    ss_check(intern(&f, SS_TYPE_EVENT, "Moved", "t.Moved", 5) == event);
    fixture_close(&f);
    fixture_check_clean(&f);
    fixture_reopen(&f);
    ss_check(intern(&f, SS_TYPE_ENTITY, "Moved", "t.Moved", 5) == entity);
    ss_check(intern(&f, SS_TYPE_EVENT, "Moved", "t.v2.Moved", 5) == other);
    struct ss_str name;
    struct ss_str full_name;
    ss_check(ss__store_type_name(f.store, other, &name, &full_name) == 0);
    ss_check(ss_str_equal(name, ss_str("Moved")) && ss_str_equal(full_name, ss_str("t.v2.Moved")));
    struct ss_type_entry type;
    ss_check(ss__store_type(f.store, entity, &type) == 0);
    ss_check(type.space == SS_TYPE_ENTITY && type.fingerprint == 5 && type.ret_type_id == entity);
    ss_check(ss_str_equal(type.name, ss_str("Moved")));
    ss_check(ss_str_equal(type.full_name, ss_str("t.Moved")));
    fixture_end(&f);
}

SS_TEST(types, unknown_number_has_no_name)
{
    struct fixture f;
    struct ss_str name;
    struct ss_str full_name;
    fixture_open(&f);
    ss_check(ss__store_type_name(f.store, 0, &name, &full_name) == SS_E_NOTFOUND);
    ss_check(ss__store_type_name(f.store, 999, &name, &full_name) == SS_E_NOTFOUND);
    struct ss_type_entry type;
    ss_check(ss__store_type(f.store, 0, &type) == SS_E_NOTFOUND);
    ss_check(ss__store_type(f.store, 999, &type) == SS_E_NOTFOUND);
    fixture_end(&f);
}

SS_TEST(types, one_call_may_name_a_type_twice)
{
    struct fixture f;
    fixture_open(&f);
    struct ss_type_entry entries[2];
    for (int i = 0; i < 2; i++) {
        entries[i] = (struct ss_type_entry){ .space = SS_TYPE_EVENT, .name = ss_str("Twice"),
                                             .full_name = ss_str("t.Twice"), .fingerprint = 9 };
    }
    ss_check(ss__store_intern_types(f.store, entries, 2) == 0);
    ss_check(entries[0].ret_type_id == entries[1].ret_type_id && entries[0].ret_type_id > 0);
    fixture_end(&f);
}

/* A program that gave no checksum wrote them; once used they have one. */
SS_TEST(types, rows_without_checksum_get_one)
{
    struct fixture f;
    static const uint8_t older[14 + 10] = { SS_VALUE_VERSION, SS_TYPE_EVENT, 1, 0, 0, 0, 0, 0, 0, 0,
                                            4, 0, 6, 0, 'S', 'a', 'i', 'd',
                                            't', '.', 'S', 'a', 'i', 'd' };
    uint8_t key[SS_KEY_BYTES_MAX] = { 0, 0, 0, 1 };
    uint8_t value[FIXTURE_PAYLOAD_MAX];
    size_t key_len;
    fixture_open(&f);
    fixture_publish(&f, "a", 3, 50, 3);
    fixture_close(&f);
    fixture_plant(&f, SS_DB_TYPES, ss_str_of(key, 4), ss_str_of(older, sizeof older));
    fixture_reopen(&f);
    ss_check(f.event_type == 1);
    fixture_verify(&f, "a", 3, 50);
    fixture_close(&f);
    ss_check(fixture_row(&f, SS_DB_TYPES, 0, key, &key_len, value) ==
             sizeof older + SS_CHECKSUM_BYTES);
    ss_check(value[0] == SS_SEALED_VERSION);
    fixture_check_clean(&f);
    fixture_end(&f);
}
