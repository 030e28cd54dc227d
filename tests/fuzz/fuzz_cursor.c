/* A cursor as a client sends it back. What is read is a cursor that is written as the same one, no
 * longer than it came; what is refused says so and leaves the place for the result alone. */
#include <stdbool.h>

#include "fuzz.h"

#include "core/cursor.h"

static bool is_same(const struct ss_cursor *a, const struct ss_cursor *b)
{
    return a->epoch == b->epoch && a->ordinal == b->ordinal && a->live == b->live &&
           a->run == b->run;
}

static void check_read(struct ss_str text, const struct ss_cursor *cursor)
{
    char out[SS_CURSOR_BYTES_MAX];
    struct ss_cursor again;
    struct ss_str written = ss_str_of(out, ss__cursor_write(cursor, out));
    ss_check(written.len > 0 && written.len <= text.len && text.len <= sizeof out);
    ss_check(ss__cursor_parse(written, &again, NULL) == 0 && is_same(cursor, &again));
    /* Numbers that are 0 need not be there; nothing else has two texts. */
    ss_check(written.len == text.len ? ss_str_equal(written, text)
                                     : cursor->live == 0 || cursor->run == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct ss_str text = ss_str_of(data, len);
    const struct ss_cursor untouched = { 1, 2, 3, 4 };
    struct ss_cursor cursor = untouched;
    struct ss_failure failure = { 0 };
    int err = ss__cursor_parse(text, &cursor, &failure);
    if (err == 0) {
        check_read(text, &cursor);
        ss_check(failure.code == 0);
        return 0;
    }
    ss_check(err == SS_E_INVAL && failure.code == SS_E_INVAL && is_same(&cursor, &untouched));
    ss_check(memchr(failure.text, '\0', sizeof failure.text) != NULL && failure.text[0] != '\0');
    return 0;
}
