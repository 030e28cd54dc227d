#include "core/failure.h"

#include <stdarg.h>
#include <stdbool.h>
#include <string.h>

#include "core/utf8.h"
#include "ss_test.h"

#define ROOM (SS_FAILURE_TEXT_BYTES - 1)

SS_TEST(failure, the_code_comes_back_with_or_without_a_place_for_the_text)
{
    struct ss_failure failure = { 0 };
    ss_check(ss__fail(NULL, SS_E_TOOBIG, "%s", "unread") == SS_E_TOOBIG);
    ss_check(ss__fail(&failure, SS_E_LIMIT, "%s is %d", "depth", 7) == SS_E_LIMIT);
    ss_check(failure.code == SS_E_LIMIT && strcmp(failure.text, "depth is 7") == 0);
}

SS_TEST(failure, a_new_one_replaces_the_old_one_wholly)
{
    struct ss_failure failure;
    (void)ss__fail(&failure, SS_E_IO, "a long sentence");
    (void)ss__fail(&failure, SS_E_JSON, "%s", "");
    ss_check(failure.code == SS_E_JSON && failure.text[0] == '\0');
}

SS_TEST(failure, its_own_text_may_be_an_argument)
{
    struct ss_failure failure;
    char want[SS_FAILURE_TEXT_BYTES];
    (void)ss__fail(&failure, SS_E_JSON, "no number");
    (void)ss__fail(&failure, SS_E_CONFIG, "line 3: %s", failure.text);
    ss_check(strcmp(failure.text, "line 3: no number") == 0);
    memset(want, 'x', ROOM);
    want[ROOM] = '\0';
    (void)ss__fail(&failure, SS_E_JSON, "%s", want);
    (void)ss__fail(&failure, SS_E_JSON, "ab%s", failure.text);
    ss_check(strlen(failure.text) == ROOM && memcmp(failure.text, "abxx", 4) == 0);
}

SS_TEST(failure, a_long_text_is_cut_at_its_end)
{
    for (size_t len = ROOM - 2; len < ROOM + 600; len++) {
        struct ss_failure failure;
        char text[ROOM + 601];
        memset(text, 'x', len);
        text[len] = '\0';
        (void)ss__fail(&failure, SS_E_IO, "%s", text);
        ss_check_msg(strlen(failure.text) == (len < ROOM ? len : ROOM), "length %zu", len);
    }
}

/* @before letters, then the character, then more than fits. */
static void check_cut(const char *character, size_t before)
{
    struct ss_failure failure;
    char text[2 * SS_FAILURE_TEXT_BYTES];
    size_t character_len = strlen(character);
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    memcpy(text + before, character, character_len);
    (void)ss__fail(&failure, SS_E_IO, "%s", text);
    bool whole = before + character_len <= ROOM;
    size_t want = before >= ROOM || whole ? ROOM : before;
    ss_check_msg(strlen(failure.text) == want, "%zu letters, %zu kept", before,
                 strlen(failure.text));
    ss_check(ss__utf8_valid(failure.text, strlen(failure.text)));
    ss_check(memcmp(failure.text, text, want) == 0);
}

SS_TEST(failure, a_cut_never_splits_a_character)
{
    static const char *const characters[] = { "\xC3\xA4", "\xE2\x82\xAC", "\xF0\x9F\x98\x80" };
    for (int i = 0; i < 3; i++) {
        for (size_t before = ROOM - 6; before <= ROOM + 2; before++) {
            check_cut(characters[i], before);
        }
    }
}

SS_PRINTF(2, 3) static int refuse(struct ss_failure *failure, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int code = ss__vfail(failure, SS_E_SCHEMA, format, args);
    va_end(args);
    return code;
}

SS_TEST(failure, a_caller_may_bring_its_own_list_of_arguments)
{
    struct ss_failure failure;
    ss_check(refuse(&failure, "%u of %s", 3u, "five") == SS_E_SCHEMA);
    ss_check(failure.code == SS_E_SCHEMA && strcmp(failure.text, "3 of five") == 0);
    ss_check(refuse(NULL, "%u", 3u) == SS_E_SCHEMA);
}

SS_TEST(failure, text_is_utf8_whatever_its_arguments_are)
{
    struct ss_failure failure;
    struct ss_str name = ss_str("na\xC3\xAFve");
    ss_check(ss__fail(&failure, SS_E_INVAL, "\"%.*s\" %s", 3, name.data, "\xFF") == SS_E_INVAL);
    ss_check_msg(strcmp(failure.text, "\"na?\" ?") == 0, "%s", failure.text);
    ss_check(ss__shown(name, 2) == 2 && ss__shown(name, 3) == 2 && ss__shown(name, 4) == 4);
    ss_check(ss__shown(name, 100) == 6);
}
