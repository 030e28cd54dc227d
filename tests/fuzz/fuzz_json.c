/* JSON to bytes and back. The first byte picks the type ('0' is the first), the rest is the text.
 *
 * What is read can be written, and what was written reads and writes the same again (a NullValue
 * given as another number is null the first time); bytes that the decoder makes pass the validator,
 * but for what json.h excepts. */
#include "kinds.h"

#include "schema/json.h"
#include "schema/validate.h"

/* True if a refusal by the validator is one that json.h excepts. */
static bool is_excepted(const struct ss_failure *failure)
{
    return strstr(failure->text, "NUL") != NULL || strstr(failure->text, "far more memory") != NULL;
}

/* Reads @text and writes it to @again. */
static void read_and_write(const struct ss_type *type, const struct ss_bytes *text,
                           struct ss_bytes *again)
{
    struct ss_failure failure = { 0 };
    struct ss_bytes packed;
    ss__bytes_init(&packed, 0);
    ss__bytes_clear(again);
    ss_check_msg(ss__json_decode(schema, type, ss__bytes_view(text), &packed, &failure) == 0,
                 "%s: %.*s\n", failure.text, (int)text->len, (const char *)text->data);
    ss_check(ss__json_encode(schema, type, ss__bytes_view(&packed), again, &failure) == 0);
    ss__bytes_deinit(&packed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    load();
    if (len == 0) {
        return 0;
    }
    const struct ss_type *type =
        ss__schema_find(schema, ss_str(types[data[0] % (sizeof types / sizeof types[0])]));
    struct ss_failure failure = { 0 };
    struct ss_bytes packed;
    struct ss_bytes text;
    struct ss_bytes again;
    ss__bytes_init(&packed, 0);
    ss__bytes_init(&text, 0);
    ss__bytes_init(&again, 0);
    int err = ss__json_decode(schema, type, ss_str_of(data + 1, len - 1), &packed, &failure);
    ss_check(err == failure.code && (err == 0 || (err == SS_E_JSON && packed.len == 0)));
    if (err == 0) {
        ss_check_msg(ss__validate(type, ss__bytes_view(&packed), &failure) == 0 ||
                         is_excepted(&failure), "%s\n", failure.text);
        ss_check_msg(ss__json_encode(schema, type, ss__bytes_view(&packed), &text, &failure) == 0,
                     "%s\n", failure.text);
        read_and_write(type, &text, &again);
        if (text.len > 0 && memmem(text.data, text.len, ":null", 5) != NULL) {
            ss__bytes_clear(&text);
            ss__bytes_str(&text, ss__bytes_view(&again));
            read_and_write(type, &text, &again);
        }
        ss_check_msg(ss_str_equal(ss__bytes_view(&text), ss__bytes_view(&again)),
                     "%.*s\n%.*s\n", (int)text.len, (const char *)text.data, (int)again.len,
                     (const char *)again.data);
    }
    ss__bytes_deinit(&again);
    ss__bytes_deinit(&text);
    ss__bytes_deinit(&packed);
    return 0;
}
