#include "schema/json_time.h"

#include <stdio.h>

#define TIMESTAMP_MIN INT64_C(-62135596800)    /* 0001-01-01T00:00:00Z */
#define TIMESTAMP_MAX INT64_C(253402300799)    /* 9999-12-31T23:59:59Z */
#define DURATION_MAX INT64_C(315576000000)
#define NANOS_MAX 999999999
#define DAY INT64_C(86400)

/* Days since 1970-01-01 of a date in the proleptic Gregorian calendar, and back. Both count in
 * years that begin in March, so that the leap day comes last. */
static int64_t days_of(int64_t year, int64_t month, int64_t day)
{
    int64_t shifted = month <= 2 ? year - 1 : year;
    int64_t era = shifted / 400;
    int64_t year_of_era = shifted - era * 400;
    int64_t month_from_march = (month + 9) % 12;
    int64_t day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

static void date_of(int64_t days, int *ret_year, int *ret_month, int *ret_day)
{
    int64_t shifted = days + 719468;
    int64_t era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
    int64_t day_of_era = shifted - era * 146097;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month_from_march = (5 * day_of_year + 2) / 153;
    *ret_day = (int)(day_of_year - (153 * month_from_march + 2) / 5 + 1);
    *ret_month = (int)(month_from_march < 10 ? month_from_march + 3 : month_from_march - 9);
    *ret_year = (int)(year_of_era + era * 400 + (*ret_month <= 2));
}

static void write_fraction(struct ss_bytes *out, int32_t nanos)
{
    char digits[16];
    if (nanos == 0) {
        return;
    }
    if (nanos % 1000000 == 0) {
        snprintf(digits, sizeof digits, ".%03d", nanos / 1000000);
    } else if (nanos % 1000 == 0) {
        snprintf(digits, sizeof digits, ".%06d", nanos / 1000);
    } else {
        snprintf(digits, sizeof digits, ".%09d", nanos);
    }
    ss__bytes_text(out, digits);
}

bool ss__json_write_timestamp(struct ss_bytes *out, int64_t seconds, int32_t nanos)
{
    if (seconds < TIMESTAMP_MIN || seconds > TIMESTAMP_MAX || nanos < 0 || nanos > NANOS_MAX) {
        return false;
    }
    int64_t days = (seconds >= 0 ? seconds : seconds - DAY + 1) / DAY;
    int rest = (int)(seconds - days * DAY);
    int year;
    int month;
    int day;
    char text[64];
    date_of(days, &year, &month, &day);
    snprintf(text, sizeof text, "\"%04d-%02d-%02dT%02d:%02d:%02d", year, month, day, rest / 3600,
             rest / 60 % 60, rest % 60);
    ss__bytes_text(out, text);
    write_fraction(out, nanos);
    ss__bytes_text(out, "Z\"");
    return true;
}

bool ss__json_write_duration(struct ss_bytes *out, int64_t seconds, int32_t nanos)
{
    if (seconds < -DURATION_MAX || seconds > DURATION_MAX || nanos < -NANOS_MAX ||
        nanos > NANOS_MAX || (seconds > 0 && nanos < 0) || (seconds < 0 && nanos > 0)) {
        return false;
    }
    ss__bytes_byte(out, '"');
    if (seconds < 0 || nanos < 0) {
        ss__bytes_byte(out, '-');
    }
    ss__bytes_u64(out, (uint64_t)(seconds < 0 ? -seconds : seconds));
    write_fraction(out, nanos < 0 ? -nanos : nanos);
    ss__bytes_text(out, "s\"");
    return true;
}

/* @count digits at *@at, which moves on; -1 if they are not there. */
static int64_t take_digits(struct ss_str text, size_t *at, size_t count)
{
    int64_t value = 0;
    if (text.len - *at < count) {
        return -1;
    }
    for (size_t i = 0; i < count; i++, (*at)++) {
        char c = text.data[*at];
        if (c < '0' || c > '9') {
            return -1;
        }
        value = value * 10 + (c - '0');
    }
    return value;
}

static bool take_char(struct ss_str text, size_t *at, char wanted)
{
    if (*at >= text.len || text.data[*at] != wanted) {
        return false;
    }
    (*at)++;
    return true;
}

/* ".5" and so on, 1 to 9 digits; no fraction is 0. */
static bool take_fraction(struct ss_str text, size_t *at, int32_t *ret_nanos)
{
    int32_t nanos = 0;
    int32_t scale = 100000000;
    *ret_nanos = 0;
    if (!take_char(text, at, '.')) {
        return true;
    }
    size_t digits = 0;
    while (*at < text.len && text.data[*at] >= '0' && text.data[*at] <= '9') {
        if (++digits > 9) {
            return false;
        }
        nanos += (text.data[*at] - '0') * scale;
        scale /= 10;
        (*at)++;
    }
    *ret_nanos = nanos;
    return digits > 0;
}

static int days_in_month(int64_t year, int64_t month)
{
    static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return month == 2 && leap ? 29 : days[month - 1];
}

/* "Z" or "+hh:mm"; the offset in seconds. */
static bool take_zone(struct ss_str text, size_t *at, int64_t *ret_offset)
{
    *ret_offset = 0;
    if (take_char(text, at, 'Z')) {
        return true;
    }
    bool negative = take_char(text, at, '-');
    if (!negative && !take_char(text, at, '+')) {
        return false;
    }
    int64_t hours = take_digits(text, at, 2);
    bool colon = take_char(text, at, ':');
    int64_t minutes = take_digits(text, at, 2);
    if (!colon || hours < 0 || hours > 23 || minutes < 0 || minutes > 59) {
        return false;
    }
    *ret_offset = (hours * 3600 + minutes * 60) * (negative ? -1 : 1);
    return true;
}

bool ss__json_read_timestamp(struct ss_str text, int64_t *ret_seconds, int32_t *ret_nanos)
{
    size_t at = 0;
    int64_t parts[6];
    static const size_t widths[6] = { 4, 2, 2, 2, 2, 2 };
    static const char separators[6] = { '-', '-', 'T', ':', ':', '\0' };
    for (int i = 0; i < 6; i++) {
        parts[i] = take_digits(text, &at, widths[i]);
        if (parts[i] < 0 || (separators[i] != '\0' && !take_char(text, &at, separators[i]))) {
            return false;
        }
    }
    int64_t offset;
    int32_t nanos;
    if (!take_fraction(text, &at, &nanos) || !take_zone(text, &at, &offset) || at != text.len) {
        return false;
    }
    if (parts[0] < 1 || parts[1] < 1 || parts[1] > 12 || parts[2] < 1 ||
        parts[2] > days_in_month(parts[0], parts[1]) || parts[3] > 23 || parts[4] > 59 ||
        parts[5] > 59) {
        return false;
    }
    int64_t seconds = days_of(parts[0], parts[1], parts[2]) * DAY + parts[3] * 3600 +
                      parts[4] * 60 + parts[5] - offset;
    if (seconds < TIMESTAMP_MIN || seconds > TIMESTAMP_MAX) {
        return false;
    }
    *ret_seconds = seconds;
    *ret_nanos = nanos;
    return true;
}

bool ss__json_read_duration(struct ss_str text, int64_t *ret_seconds, int32_t *ret_nanos)
{
    size_t at = 0;
    bool negative = take_char(text, &at, '-');
    int64_t seconds = 0;
    size_t digits = 0;
    while (at < text.len && text.data[at] >= '0' && text.data[at] <= '9') {
        if (++digits > 12) {
            return false;
        }
        seconds = seconds * 10 + (text.data[at++] - '0');
    }
    int32_t nanos;
    if (digits == 0 || !take_fraction(text, &at, &nanos) || !take_char(text, &at, 's') ||
        at != text.len || seconds > DURATION_MAX || (seconds == DURATION_MAX && nanos > 0)) {
        return false;
    }
    *ret_seconds = negative ? -seconds : seconds;
    *ret_nanos = negative ? -nanos : nanos;
    return true;
}
