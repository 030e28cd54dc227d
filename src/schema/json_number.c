#include "schema/json_number.h"

#include <locale.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "schema/json_reader.h"

#define U64_DIGITS_MAX 20u
#define DOUBLE_DIGITS_MAX 17
#define FLOAT_DIGITS_MAX 9

/* A number taken apart: 0.DIGITS * 10^point with neither leading nor trailing zeros. */
struct decimal {
    bool negative;
    bool too_long;                   /* more than U64_DIGITS_MAX digits */
    unsigned digits_len;
    int64_t point;
    char digits[U64_DIGITS_MAX];
};

static int64_t read_exponent(const char *at, const char *end)
{
    bool negative = *at == '-';
    at += *at == '-' || *at == '+';
    int64_t value = 0;
    for (; at < end; at++) {
        value = value < 1000000000 ? value * 10 + (*at - '0') : value;
    }
    return negative ? -value : value;
}

static bool read_decimal(struct ss_str text, struct decimal *ret_decimal)
{
    if (text.len == 0 || ss__json_number_len(text) != text.len) {
        return false;
    }
    struct decimal decimal = { .negative = text.data[0] == '-' };
    const char *end = text.data + text.len;
    const char *at = text.data + decimal.negative;
    bool fraction = false;
    int64_t zeros = 0;               /* seen since the last other digit */
    for (; at < end && *at != 'e' && *at != 'E'; at++) {
        if (*at == '.') {
            fraction = true;
            continue;
        }
        decimal.point += !fraction;
        if (*at == '0') {
            zeros++;
            continue;
        }
        if (decimal.digits_len == 0) {
            decimal.point -= zeros;
            zeros = 0;
        }
        for (; zeros > 0 && decimal.digits_len < U64_DIGITS_MAX; zeros--) {
            decimal.digits[decimal.digits_len++] = '0';
        }
        if (decimal.digits_len == U64_DIGITS_MAX) {
            decimal.too_long = true;
        } else {
            decimal.digits[decimal.digits_len++] = *at;
        }
    }
    if (at < end) {
        decimal.point += read_exponent(at + 1, end);
    }
    *ret_decimal = decimal;
    return true;
}

/* The absolute value, if it is an integer below 2^64. */
static bool decimal_to_u64(const struct decimal *decimal, uint64_t *ret_value)
{
    if (decimal->digits_len == 0) {
        *ret_value = 0;
        return true;
    }
    if (decimal->too_long || decimal->point < (int64_t)decimal->digits_len ||
        decimal->point > (int64_t)U64_DIGITS_MAX) {
        return false;
    }
    uint64_t value = 0;
    for (int64_t i = 0; i < decimal->point; i++) {
        char digit = i < (int64_t)decimal->digits_len ? decimal->digits[i] : '0';
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, (uint64_t)(digit - '0'), &value)) {
            return false;
        }
    }
    *ret_value = value;
    return true;
}

bool ss__json_read_i64(struct ss_str text, int64_t min, int64_t max, int64_t *ret_value)
{
    struct decimal decimal;
    uint64_t size;
    if (!read_decimal(text, &decimal) || !decimal_to_u64(&decimal, &size)) {
        return false;
    }
    if (size > (uint64_t)INT64_MAX + decimal.negative) {
        return false;
    }
    int64_t value = (int64_t)(decimal.negative ? 0 - size : size);
    if (value < min || value > max) {
        return false;
    }
    *ret_value = value;
    return true;
}

bool ss__json_read_u64(struct ss_str text, uint64_t max, uint64_t *ret_value)
{
    struct decimal decimal;
    uint64_t value;
    if (!read_decimal(text, &decimal) || !decimal_to_u64(&decimal, &value)) {
        return false;
    }
    if (value > max || (decimal.negative && value != 0)) {
        return false;
    }
    *ret_value = value;
    return true;
}

static locale_t c_locale;

static void make_c_locale(void)
{
    c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
}

/* The locale of number texts whatever the program set; (locale_t)0 when out of memory. */
static locale_t number_locale(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, make_c_locale);    /* cannot fail with a valid control */
    return c_locale;
}

/* strto* need a terminator behind the text. Longer texts differ from their first bytes by less
 * than any rounding can see, except for their exponent: see shorten(). */
#define NUMBER_BYTES_MAX 1100

/* Writes @text, terminated, to @buffer. A text that is too long keeps the digits that matter: a
 * double halfway between two others has at most 767 digits, so 800 and a sticky 1 decide it. */
static void shorten(struct ss_str text, char buffer[NUMBER_BYTES_MAX])
{
    if (text.len < NUMBER_BYTES_MAX) {
        memcpy(buffer, text.data, text.len);
        buffer[text.len] = '\0';
        return;
    }
    const char *end = text.data + text.len;
    const char *at = text.data;
    char *to = buffer;
    if (*at == '-') {
        *to++ = *at++;
    }
    *to++ = '0';
    *to++ = '.';
    bool fraction = false;
    bool leading = true;
    bool rest = false;
    int64_t point = 0;
    int digits = 0;
    for (; at < end && *at != 'e' && *at != 'E'; at++) {
        if (*at == '.') {
            fraction = true;
            continue;
        }
        leading = leading && *at == '0';
        point += leading ? -(int64_t)fraction : !fraction;
        if (!leading && digits < 800) {
            *to++ = *at;
            digits++;
        } else {
            rest = rest || *at != '0';
        }
    }
    if (at < end) {
        point += read_exponent(at + 1, end);
    }
    int64_t exponent = point < -99999 ? -99999 : point > 99999 ? 99999 : point;
    (void)snprintf(to, 32, "%de%d", rest, (int)exponent);    /* fits: 7 bytes and a sign */
}

bool ss__json_read_double(struct ss_str text, double *ret_value)
{
    char buffer[NUMBER_BYTES_MAX];
    if (text.len == 0 || ss__json_number_len(text) != text.len || number_locale() == 0) {
        return false;
    }
    shorten(text, buffer);
    double value = strtod_l(buffer, NULL, number_locale());
    if (isinf(value)) {
        return false;
    }
    *ret_value = value;
    return true;
}

bool ss__json_read_float(struct ss_str text, float *ret_value)
{
    char buffer[NUMBER_BYTES_MAX];
    if (text.len == 0 || ss__json_number_len(text) != text.len || number_locale() == 0) {
        return false;
    }
    shorten(text, buffer);
    float value = strtof_l(buffer, NULL, number_locale());
    if (isinf(value)) {
        return false;
    }
    *ret_value = value;
    return true;
}

struct digits {
    char text[DOUBLE_DIGITS_MAX];
    int len;         /* without trailing zeros, at least 1 */
    int exponent;    /* of the first digit */
};

/* @value > 0 rounded to @precision digits. printf's decimal point depends on the locale, so the
 * digits are picked by position: one, the point (any bytes), the rest. */
static void round_digits(double value, int precision, struct digits *ret_digits)
{
    char buffer[64];
    int len = snprintf(buffer, sizeof buffer, "%.*e", precision - 1, value);
    char *e = memchr(buffer, 'e', (size_t)len);
    struct digits digits = { .exponent = (int)strtol(e + 1, NULL, 10) };
    digits.text[0] = buffer[0];
    memcpy(digits.text + 1, e - (precision - 1), (size_t)precision - 1);
    digits.len = precision;
    while (digits.len > 1 && digits.text[digits.len - 1] == '0') {
        digits.len--;
    }
    *ret_digits = digits;
}

static double read_digits(const struct digits *digits, bool single)
{
    char buffer[64];
    (void)snprintf(buffer, sizeof buffer, "%.*se%d", digits->len, digits->text,
                   digits->exponent - digits->len + 1);    /* fits: 17 digits and an exponent */
    return single ? (double)strtof_l(buffer, NULL, number_locale())
                  : strtod_l(buffer, NULL, number_locale());
}

/* The fewest digits that read back to @value. Every decimal of @exact digits or less survives the
 * way through the type, so for normal values the search may begin there. */
static void shortest_digits(double value, bool single, struct digits *ret_digits)
{
    int exact = single ? 6 : 15;
    int longest = single ? FLOAT_DIGITS_MAX : DOUBLE_DIGITS_MAX;
    bool subnormal = value < (single ? 1.17549435082228750797e-38 : 2.2250738585072014e-308);
    int precision = subnormal ? 1 : exact;
    round_digits(value, precision, ret_digits);
    while (precision < longest && read_digits(ret_digits, single) != value) {
        round_digits(value, ++precision, ret_digits);
    }
}

static void write_digits(struct ss_bytes *out, const struct digits *digits)
{
    int exponent = digits->exponent;
    size_t len = (size_t)digits->len;
    if (exponent < -6 || exponent >= 21) {
        ss__bytes_byte(out, (uint8_t)digits->text[0]);
        if (len > 1) {
            ss__bytes_byte(out, '.');
            ss__bytes_append(out, digits->text + 1, len - 1);
        }
        ss__bytes_text(out, exponent < 0 ? "e-" : "e+");
        ss__bytes_u64(out, (uint64_t)abs(exponent));
        return;
    }
    if (exponent < 0) {
        ss__bytes_append(out, "0.000000", (size_t)(1 - exponent));
        ss__bytes_append(out, digits->text, len);
        return;
    }
    size_t whole = (size_t)exponent + 1;
    ss__bytes_append(out, digits->text, whole < len ? whole : len);
    for (size_t i = len; i < whole; i++) {
        ss__bytes_byte(out, '0');
    }
    if (whole < len) {
        ss__bytes_byte(out, '.');
        ss__bytes_append(out, digits->text + whole, len - whole);
    }
}

static void write_number(struct ss_bytes *out, double value, bool single)
{
    if (isnan(value)) {
        ss__bytes_text(out, "\"NaN\"");
        return;
    }
    if (isinf(value)) {
        ss__bytes_text(out, value < 0 ? "\"-Infinity\"" : "\"Infinity\"");
        return;
    }
    if (signbit(value)) {
        ss__bytes_byte(out, '-');
        value = -value;
    }
    if (value < 9007199254740992.0 && value == floor(value) && (!single || value < 16777216.0)) {
        ss__bytes_u64(out, (uint64_t)value);
        return;
    }
    struct digits digits;
    shortest_digits(value, single, &digits);
    write_digits(out, &digits);
}

void ss__json_write_double(struct ss_bytes *out, double value)
{
    write_number(out, value, false);
}

void ss__json_write_float(struct ss_bytes *out, float value)
{
    write_number(out, (double)value, true);
}
