#include "lint_fixture.h"

static void is(const struct ss_lint_registrations *all, size_t at, const char *symbol,
               const char *type, int err)
{
    ss_check(at < all->count);
    ss_check_msg(ss_str_equal(all->items[at].symbol, ss_str(symbol)), "%zu is %s, not %s", at,
                 all->items[at].symbol.data, symbol);
    ss_check(ss_str_equal(all->items[at].type, ss_str(type)) && all->items[at].err == err);
}

static void add(struct ss_lint_registrations *all, enum ss_name_space space, const char *name,
                const char *type, int refused)
{
    ss_check(ss__lint_registrations_add(all, space, ss_str(name), ss_str(type), refused) == 0);
}

SS_TEST(lint_registrations, names_are_found_unless_they_were_refused)
{
    struct ss_lint_registrations all;
    ss__lint_registrations_init(&all);
    add(&all, SS_SPACE_EVENT, "Lost", "style.Lost", SS_E_UNKNOWN_TYPE);
    add(&all, SS_SPACE_UI, "Good", "style.GoodUpdate", 0);
    add(&all, SS_SPACE_EVENT, "Good", "style.GoodEvent", 0);
    ss_check(ss__lint_registrations_find(&all, SS_SPACE_EVENT, ss_str("Good")) == &all.items[2]);
    ss_check(ss__lint_registrations_find(&all, SS_SPACE_EVENT, ss_str("Lost")) == NULL);
    ss__lint_registrations_deinit(&all);
}

SS_TEST(lint_registrations, names_are_made_fit_for_a_report)
{
    struct ss_lint_registrations all;
    char name[400];
    memset(name, 'a', sizeof name);
    ss__lint_registrations_init(&all);
    ss_check(ss__lint_registrations_add(&all, SS_SPACE_EVENT, ss_str_of("\xC3\xA4\xC3\0z", 5),
                                        ss_str(NULL), 0) == 0);
    is(&all, 0, "event/\xC3\xA4??z", "", 0);
    ss_check(ss__lint_registrations_add(&all, SS_SPACE_EVENT, ss_str_of(name, sizeof name),
                                        ss_str("t"), 0) == 0);
    ss_check(all.items[1].name.len == 256);
    ss__lint_registrations_deinit(&all);
}

SS_TEST(lint_registrations, accepted_names_survive_in_a_set_that_stays_one)
{
    struct ss_lint_registrations all;
    struct ss_lint_registrations again;
    struct ss_lint_set set;
    struct ss_bytes bytes;
    ss__lint_registrations_init(&all);
    ss__lint_registrations_init(&again);
    ss__lint_set_init(&set);
    ss__bytes_init(&bytes, 0);
    add(&all, SS_SPACE_COMMAND, "Good", "style.GoodCommand", 0);
    add(&all, SS_SPACE_EVENT, "Lost", "style.LostEvent", SS_E_UNKNOWN_TYPE);
    add(&all, SS_SPACE_EVENT, "Good", "style.GoodEvent", 0);
    add(&all, SS_SPACE_ENTITY, "Good", "style.GoodEntity", 0);
    ss__bytes_append(&bytes, style_set, style_set_len);
    ss__lint_registrations_write(&all, &bytes);
    ss_check(bytes.err == 0);
    ss_check(ss__lint_set_add(&set, ss__bytes_view(&bytes), NULL) == 0);
    ss_check(ss__lint_registrations_read(&again, ss__bytes_view(&bytes)) == 0);
    ss_check(again.count == 3);
    is(&again, 0, "command/Good", "style.GoodCommand", 0);
    is(&again, 1, "event/Good", "style.GoodEvent", 0);
    is(&again, 2, "entity/Good", "style.GoodEntity", 0);
    ss__bytes_deinit(&bytes);
    ss__lint_set_deinit(&set);
    ss__lint_registrations_deinit(&again);
    ss__lint_registrations_deinit(&all);
}

SS_TEST(lint_registrations, saved_names_that_make_no_sense_are_left_out)
{
    static const uint8_t set[] = {
        0xF2, 0xAF, 0x19, 0x05, 0x08, 0x09, 0x12, 0x01, 'a',    /* space 9 */
        0xF2, 0xAF, 0x19, 0x02, 0x08, 0x01,                     /* no name */
        0xF2, 0xAF, 0x19, 0x01, 0xFF,                           /* malformed */
        0xF2, 0xAF, 0x19, 0x08, 0x08, 0x01, 0x12, 0x01, 'a', 0x1A, 0x01, 'b',
    };
    struct ss_lint_registrations all;
    ss__lint_registrations_init(&all);
    ss_check(ss__lint_registrations_read(&all, ss_str_of(set, sizeof set)) == 0);
    ss_check(all.count == 1);
    is(&all, 0, "event/a", "b", 0);
    ss__lint_registrations_deinit(&all);
}

SS_TEST(lint_registrations, more_saved_names_than_can_be_compared_are_refused)
{
    static const uint8_t one[] = { 0xF2, 0xAF, 0x19, 0x08, 0x08, 0x01,
                                   0x12, 0x01, 'a',  0x1A, 0x01, 'b' };
    struct ss_lint_registrations all;
    struct ss_bytes bytes;
    ss__lint_registrations_init(&all);
    ss__bytes_init(&bytes, 0);
    for (int i = 0; i <= 10000; i++) {
        ss__bytes_append(&bytes, one, sizeof one);
    }
    ss_check(ss__lint_registrations_read(&all, ss__bytes_view(&bytes)) == SS_E_TOOBIG);
    ss__bytes_deinit(&bytes);
    ss__lint_registrations_deinit(&all);
}
