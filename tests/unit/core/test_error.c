#include <sessionstream/error.h>

#include <ctype.h>
#include <string.h>

#include "ss_test.h"

struct entry {
    int number;
    const char *name;
    const char *wire;
    const char *text;
};

static const struct entry entries[] = {
#define ENTRY(name, number, wire, text) { number, #name, wire, text },
    SS_ERROR_MAP(ENTRY)
#undef ENTRY
};

enum { COUNT = sizeof entries / sizeof entries[0] };

SS_TEST(error, every_code_has_its_own_number_name_and_words)
{
    for (int i = 0; i < COUNT; i++) {
        for (int j = 0; j < i; j++) {
            ss_check_msg(entries[i].number != entries[j].number &&
                             strcmp(entries[i].wire, entries[j].wire) != 0 &&
                             strcmp(entries[i].text, entries[j].text) != 0,
                         "%s and %s", entries[i].name, entries[j].name);
        }
    }
}

SS_TEST(error, numbers_are_dense_and_outside_the_ranges_of_errno_libuv_and_lmdb)
{
    for (int i = 0; i < COUNT; i++) {
        /* errno ends at 4095, libuv at -4095, LMDB at -30799 … -30780. */
        ss_check_msg(entries[i].number == -10001 - i, "%s: numbers are only appended",
                     entries[i].name);
    }
}

SS_TEST(error, every_code_is_found_by_its_number)
{
    for (int i = 0; i < COUNT; i++) {
        int number = entries[i].number;
        ss_check(strncmp(ss_error_name(number), "SS_E_", 5) == 0);
        ss_check(strcmp(ss_error_name(number) + 5, entries[i].name) == 0);
        ss_check(strcmp(ss_error_text(number), entries[i].text) == 0);
        ss_check(strcmp(ss_error_wire_name(number), entries[i].wire) == 0);
    }
}

SS_TEST(error, wire_names_are_snake_case)
{
    for (int i = 0; i < COUNT; i++) {
        const char *wire = entries[i].wire;
        ss_check_msg(islower((unsigned char)wire[0]), "%s", wire);
        for (size_t at = 0; wire[at] != '\0'; at++) {
            ss_check_msg(islower((unsigned char)wire[at]) || isdigit((unsigned char)wire[at]) ||
                             (wire[at] == '_' && islower((unsigned char)wire[at + 1])),
                         "%s", wire);
        }
    }
}

SS_TEST(error, what_clients_have_seen_stays)
{
    ss_check(SS_OK == 0 && SS_E_NOMEM == -10001 && SS_E_BUSY == -10003);
    ss_check(strcmp(ss_error_wire_name(SS_E_BUSY), "overloaded") == 0);
    ss_check(strcmp(ss_error_wire_name(SS_E_SESSION_ID), "invalid_session_id") == 0);
    ss_check(strcmp(ss_error_wire_name(SS_E_SLOW), "slow_client") == 0);
    ss_check(strcmp(ss_error_wire_name(SS_E_SUBSCRIPTIONS), "too_many_subscriptions") == 0);
}

SS_TEST(error, zero_is_success_and_foreign_numbers_are_unknown)
{
    ss_check(strcmp(ss_error_name(0), "SS_OK") == 0);
    ss_check(strcmp(ss_error_text(0), "success") == 0);
    static const int foreign[] = { 1, -1, -12, -4095, -10000, -10001 - COUNT, 10003, -30796 };
    for (size_t i = 0; i < sizeof foreign / sizeof foreign[0]; i++) {
        ss_check(strcmp(ss_error_name(foreign[i]), "SS_E_?") == 0);
        ss_check(strcmp(ss_error_text(foreign[i]), "unknown error") == 0);
        ss_check(strcmp(ss_error_wire_name(foreign[i]), "internal") == 0);
    }
}
