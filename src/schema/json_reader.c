#include "schema/json_reader.h"

#include "core/utf8.h"

_Static_assert(SS_NESTING_MAX <= 64, "the kinds of open containers are bits of one word");

void ss__json_reader_init(struct ss_json_reader *reader, struct ss_str json)
{
    *reader = (struct ss_json_reader){
        .begin = (const uint8_t *)json.data,
        .at = (const uint8_t *)json.data,
        .end = (const uint8_t *)json.data + json.len,
        .expect = SS_JSON_WANT_VALUE,
    };
}

static enum ss_json_kind fail_at(struct ss_json_reader *reader, const uint8_t *at,
                                 const char *error)
{
    reader->error = error;
    reader->error_at = (size_t)(at - reader->begin);
    return SS_JSON_ERROR;
}

static void skip_space(struct ss_json_reader *reader)
{
    while (reader->at < reader->end && (*reader->at == ' ' || *reader->at == '\n' ||
                                        *reader->at == '\t' || *reader->at == '\r')) {
        reader->at++;
    }
}

static bool is_digit(uint8_t byte)
{
    return byte >= '0' && byte <= '9';
}

static const uint8_t *skip_digits(const uint8_t *at, const uint8_t *end)
{
    while (at < end && is_digit(*at)) {
        at++;
    }
    return at;
}

size_t ss__json_number_len(struct ss_str text)
{
    const uint8_t *begin = (const uint8_t *)text.data;
    const uint8_t *end = begin + text.len;
    const uint8_t *at = begin;
    if (at < end && *at == '-') {
        at++;
    }
    if (at == end || !is_digit(*at)) {
        return 0;
    }
    at = *at == '0' ? at + 1 : skip_digits(at, end);
    if (end - at >= 2 && *at == '.' && is_digit(at[1])) {
        at = skip_digits(at + 1, end);
    }
    if (at < end && (*at == 'e' || *at == 'E')) {
        const uint8_t *digits = at + 1;
        if (digits < end && (*digits == '+' || *digits == '-')) {
            digits++;
        }
        if (digits < end && is_digit(*digits)) {
            at = skip_digits(digits, end);
        }
    }
    return (size_t)(at - begin);
}

static enum ss_json_kind read_number(struct ss_json_reader *reader, struct ss_json_token *token)
{
    size_t len = ss__json_number_len(ss_str_of(reader->at, (size_t)(reader->end - reader->at)));
    if (len == 0) {
        return fail_at(reader, reader->at, "a number needs a digit here");
    }
    const uint8_t *behind = reader->at + len;
    if (behind < reader->end && (is_digit(*behind) || *behind == '.' || *behind == 'e' ||
                                 *behind == 'E' || *behind == '+' || *behind == '-')) {
        return fail_at(reader, reader->at, "malformed number");
    }
    token->text = ss_str_of(reader->at, len);
    reader->at = behind;
    return SS_JSON_NUMBER;
}

static int hex_value(uint8_t byte)
{
    if (is_digit(byte)) {
        return byte - '0';
    }
    uint8_t lower = (uint8_t)(byte | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/* The four hexadecimal digits at @at, or -1. */
static int32_t read_hex4(const uint8_t *at, const uint8_t *end)
{
    if (end - at < 4) {
        return -1;
    }
    int32_t value = 0;
    for (int i = 0; i < 4; i++) {
        int digit = hex_value(at[i]);
        if (digit < 0) {
            return -1;
        }
        value = value * 16 + digit;
    }
    return value;
}

static bool is_high_surrogate(int32_t unit)
{
    return unit >= 0xD800 && unit <= 0xDBFF;
}

static bool is_low_surrogate(int32_t unit)
{
    return unit >= 0xDC00 && unit <= 0xDFFF;
}

/* Bytes of the escape sequence at @at (a backslash), a surrogate pair as one; 0 if malformed. */
static size_t escape_len(struct ss_json_reader *reader, const uint8_t *at)
{
    const uint8_t *end = reader->end;
    if (end - at < 2) {
        fail_at(reader, at, "the text ends inside a string");
        return 0;
    }
    if (at[1] != 'u') {
        if (at[1] == '\0' || strchr("\"\\/bfnrt", at[1]) == NULL) {
            fail_at(reader, at, "unknown escape sequence");
            return 0;
        }
        return 2;
    }
    int32_t unit = read_hex4(at + 2, end);
    if (unit < 0) {
        fail_at(reader, at, "\\u needs four hexadecimal digits");
        return 0;
    }
    if (is_high_surrogate(unit) && end - at >= 12 && at[6] == '\\' && at[7] == 'u' &&
        is_low_surrogate(read_hex4(at + 8, end))) {
        return 12;
    }
    if (is_high_surrogate(unit) || is_low_surrogate(unit)) {
        fail_at(reader, at, "lone surrogate escape");
        return 0;
    }
    return 6;
}

/* The first byte from @at that is not a plain printable ASCII character of a string. */
static const uint8_t *skip_plain(const uint8_t *at, const uint8_t *end)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    while (end - at >= 8) {
        uint64_t word;
        memcpy(&word, at, sizeof word);
        uint64_t quote = word ^ (ones * '"');
        uint64_t slash = word ^ (ones * '\\');
        uint64_t hit = (word - ones * 0x20) | word | (quote - ones) | (slash - ones);
        if ((hit & (ones * 0x80)) != 0) {
            break;
        }
        at += 8;
    }
    while (at < end && *at >= 0x20 && *at < 0x80 && *at != '"' && *at != '\\') {
        at++;
    }
    return at;
}

static enum ss_json_kind read_string(struct ss_json_reader *reader, struct ss_json_token *token,
                                     enum ss_json_kind kind)
{
    const uint8_t *at = reader->at + 1;
    token->escaped = false;
    for (;;) {
        at = skip_plain(at, reader->end);
        if (at == reader->end) {
            return fail_at(reader, at, "the text ends inside a string");
        }
        if (*at == '"') {
            break;
        }
        size_t len;
        if (*at == '\\') {
            token->escaped = true;
            len = escape_len(reader, at);
        } else if (*at < 0x20) {
            return fail_at(reader, at, "control character in a string, write it as \\uXXXX");
        } else {
            len = ss__utf8_char_len(at, (size_t)(reader->end - at));
            if (len == 0) {
                return fail_at(reader, at, "invalid UTF-8");
            }
        }
        if (len == 0) {
            return SS_JSON_ERROR;
        }
        at += len;
    }
    token->text = ss_str_of(reader->at + 1, (size_t)(at - reader->at - 1));
    reader->at = at + 1;
    return kind;
}

static enum ss_json_kind read_word(struct ss_json_reader *reader, const char *word,
                                   enum ss_json_kind kind)
{
    size_t len = strlen(word);
    if ((size_t)(reader->end - reader->at) < len || memcmp(reader->at, word, len) != 0) {
        return fail_at(reader, reader->at, "a value must begin here");
    }
    reader->at += len;
    return kind;
}

static enum ss_json_kind open_container(struct ss_json_reader *reader, bool object)
{
    if (reader->depth == SS_NESTING_MAX) {
        return fail_at(reader, reader->at, "nested too deeply");
    }
    uint64_t bit = UINT64_C(1) << reader->depth;
    reader->objects = object ? reader->objects | bit : reader->objects & ~bit;
    reader->depth++;
    reader->at++;
    reader->expect = object ? SS_JSON_WANT_FIRST_KEY : SS_JSON_WANT_FIRST_ELEMENT;
    return object ? SS_JSON_OBJECT : SS_JSON_ARRAY;
}

static bool in_object(const struct ss_json_reader *reader)
{
    return reader->depth > 0 && (reader->objects >> (reader->depth - 1) & 1) != 0;
}

static void end_value(struct ss_json_reader *reader)
{
    reader->expect = reader->depth == 0 ? SS_JSON_WANT_END : SS_JSON_WANT_COMMA;
}

static enum ss_json_kind close_container(struct ss_json_reader *reader)
{
    enum ss_json_kind kind = in_object(reader) ? SS_JSON_OBJECT_END : SS_JSON_ARRAY_END;
    reader->depth--;
    reader->at++;
    end_value(reader);
    return kind;
}

static enum ss_json_kind read_value(struct ss_json_reader *reader, struct ss_json_token *token)
{
    enum ss_json_kind kind;
    switch (*reader->at) {
    case '{':
        return open_container(reader, true);
    case '[':
        return open_container(reader, false);
    case '"':
        kind = read_string(reader, token, SS_JSON_STRING);
        break;
    case 't':
        kind = read_word(reader, "true", SS_JSON_TRUE);
        break;
    case 'f':
        kind = read_word(reader, "false", SS_JSON_FALSE);
        break;
    case 'n':
        kind = read_word(reader, "null", SS_JSON_NULL);
        break;
    default:
        if (*reader->at != '-' && !is_digit(*reader->at)) {
            return fail_at(reader, reader->at, "a value must begin here");
        }
        kind = read_number(reader, token);
    }
    if (kind != SS_JSON_ERROR) {
        end_value(reader);
    }
    return kind;
}

/* The key and the colon behind it. */
static enum ss_json_kind read_key(struct ss_json_reader *reader, struct ss_json_token *token)
{
    if (*reader->at != '"') {
        return fail_at(reader, reader->at, "a key in double quotes must begin here");
    }
    if (read_string(reader, token, SS_JSON_KEY) == SS_JSON_ERROR) {
        return SS_JSON_ERROR;
    }
    skip_space(reader);
    if (reader->at == reader->end || *reader->at != ':') {
        return fail_at(reader, reader->at, "':' must follow a key");
    }
    reader->at++;
    reader->expect = SS_JSON_WANT_VALUE;
    return SS_JSON_KEY;
}

static bool at_close(const struct ss_json_reader *reader)
{
    return *reader->at == (in_object(reader) ? '}' : ']');
}

static enum ss_json_kind read_token(struct ss_json_reader *reader, struct ss_json_token *token)
{
    if (reader->expect == SS_JSON_WANT_COMMA && !at_close(reader)) {
        if (*reader->at != ',') {
            return fail_at(reader, reader->at, in_object(reader) ? "',' or '}' must follow"
                                                                 : "',' or ']' must follow");
        }
        reader->at++;
        reader->expect = in_object(reader) ? SS_JSON_WANT_KEY : SS_JSON_WANT_VALUE;
        skip_space(reader);
        if (reader->at == reader->end) {
            return fail_at(reader, reader->at, "the text ends too early");
        }
        token->at = (size_t)(reader->at - reader->begin);
    }
    switch (reader->expect) {
    case SS_JSON_WANT_FIRST_KEY:
        return at_close(reader) ? close_container(reader) : read_key(reader, token);
    case SS_JSON_WANT_KEY:
        return read_key(reader, token);
    case SS_JSON_WANT_FIRST_ELEMENT:
        return at_close(reader) ? close_container(reader) : read_value(reader, token);
    case SS_JSON_WANT_COMMA:
        return close_container(reader);
    case SS_JSON_WANT_END:
        return fail_at(reader, reader->at, "nothing may follow the value");
    case SS_JSON_WANT_VALUE:
        break;
    }
    return read_value(reader, token);
}

enum ss_json_kind ss__json_next(struct ss_json_reader *reader, struct ss_json_token *ret_token)
{
    if (reader->error != NULL) {
        ret_token->kind = SS_JSON_ERROR;
        return SS_JSON_ERROR;
    }
    skip_space(reader);
    ret_token->at = (size_t)(reader->at - reader->begin);
    ret_token->escaped = false;
    ret_token->text = (struct ss_str){ 0 };
    if (reader->at < reader->end) {
        ret_token->kind = read_token(reader, ret_token);
    } else if (reader->expect == SS_JSON_WANT_END) {
        ret_token->kind = SS_JSON_END;
    } else {
        ret_token->kind = fail_at(reader, reader->at, "the text ends too early");
    }
    return ret_token->kind;
}

bool ss__json_skip(struct ss_json_reader *reader, const struct ss_json_token *token)
{
    if (token->kind != SS_JSON_OBJECT && token->kind != SS_JSON_ARRAY) {
        return token->kind != SS_JSON_ERROR;
    }
    unsigned outside = reader->depth - 1;
    struct ss_json_token inner;
    while (reader->depth > outside) {
        if (ss__json_next(reader, &inner) == SS_JSON_ERROR) {
            return false;
        }
    }
    return true;
}

static void append_code_point(struct ss_bytes *out, uint32_t code_point)
{
    uint8_t utf8[4];
    ss__bytes_append(out, utf8, ss__utf8_encode(code_point, utf8));
}

/* Appends what the checked escape at @at stands for; returns what follows it. */
static const uint8_t *unescape_one(struct ss_bytes *out, const uint8_t *at, const uint8_t *end)
{
    static const char plain[] = "\"\\/bfnrt";
    static const char meaning[] = "\"\\/\b\f\n\r\t";
    if (at[1] != 'u') {
        ss__bytes_byte(out, (uint8_t)meaning[strchr(plain, at[1]) - plain]);
        return at + 2;
    }
    uint32_t unit = (uint32_t)read_hex4(at + 2, end);
    if (!is_high_surrogate((int32_t)unit)) {
        append_code_point(out, unit);
        return at + 6;
    }
    uint32_t low = (uint32_t)read_hex4(at + 8, end);
    append_code_point(out, 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00));
    return at + 12;
}

void ss__json_unescape(struct ss_bytes *out, const struct ss_json_token *token)
{
    if (!token->escaped) {
        ss__bytes_str(out, token->text);
        return;
    }
    const uint8_t *at = (const uint8_t *)token->text.data;
    const uint8_t *end = at + token->text.len;
    while (at < end) {
        const uint8_t *slash = memchr(at, '\\', (size_t)(end - at));
        const uint8_t *run_end = slash == NULL ? end : slash;
        ss__bytes_append(out, at, (size_t)(run_end - at));
        at = slash == NULL ? end : unescape_one(out, slash, end);
    }
}

struct ss_json_position ss__json_position(const struct ss_json_reader *reader, size_t at)
{
    struct ss_json_position position = { 1, 1 };
    for (const uint8_t *byte = reader->begin; byte < reader->begin + at; byte++) {
        if (*byte == '\n') {
            position.line++;
            position.column = 1;
        } else if ((*byte & 0xC0) != 0x80) {
            position.column++;
        }
    }
    return position;
}
