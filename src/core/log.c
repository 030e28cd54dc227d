#include "core/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "core/utf8.h"

#define RECORD_BYTES 2048

static atomic_int level_max = SS_LOG_INFO;

static const char *const level_names[] = { "error", "warn", "info", "debug" };

void ss__log_set_level(enum ss_log_level level)
{
    atomic_store_explicit(&level_max, (int)level, memory_order_relaxed);
}

bool ss__log_enabled(enum ss_log_level level)
{
    return (int)level <= atomic_load_explicit(&level_max, memory_order_relaxed);
}

static size_t write_head(char *out, size_t cap, enum ss_log_level level, const char *message)
{
    struct timespec now;
    struct tm parts;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    (void)gmtime_r(&now.tv_sec, &parts);
    size_t len = strftime(out, cap, "ts=%Y-%m-%dT%H:%M:%S", &parts);
    int more = snprintf(out + len, cap - len, ".%03ldZ level=%s msg=\"%s\"",
                        now.tv_nsec / 1000000, level_names[level], message);
    return more < 0 ? len : len + (size_t)more;
}

void ss__log(enum ss_log_level level, const char *message, const char *format, ...)
{
    if (!ss__log_enabled(level)) {
        return;
    }
    char record[RECORD_BYTES];
    size_t room = sizeof record - 1;    /* one byte for the newline */
    size_t len = write_head(record, room, level, message);
    if (len + 1 < room) {
        va_list args;
        va_start(args, format);
        int more = vsnprintf(record + len + 1, room - len - 1, format, args);
        va_end(args);
        if (more > 0) {
            record[len] = ' ';
            len += 1 + (size_t)more;
        }
    }
    if (len >= room) {
        len = ss__utf8_floor(record, room - 1);
    }
    record[len++] = '\n';
    /* A log that cannot be written must not stop the server. */
    ssize_t written = write(STDERR_FILENO, record, len);
    (void)written;
}

const char *ss__log_quote(char *out, size_t cap, struct ss_str text)
{
    static const char hex[] = "0123456789abcdef";
    size_t len = 0;
    size_t i = 0;
    if (cap < 3) {
        if (cap > 0) {
            out[0] = '\0';
        }
        return out;
    }
    out[len++] = '"';
    for (; i < text.len && len + 6 <= cap; i++) {
        uint8_t byte = (uint8_t)text.data[i];
        if (byte == '"' || byte == '\\') {
            out[len++] = '\\';
            out[len++] = (char)byte;
        } else if (byte < 0x20 || byte == 0x7F) {
            out[len++] = '\\';
            out[len++] = 'x';
            out[len++] = hex[byte >> 4];
            out[len++] = hex[byte & 15];
        } else {
            out[len++] = (char)byte;
        }
    }
    if (i < text.len) {
        len = ss__utf8_floor(out, len);
    }
    out[len++] = '"';
    out[len] = '\0';
    return out;
}
