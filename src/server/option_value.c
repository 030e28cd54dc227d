#include "server/option_value.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <sessionstream/error.h>

#define SHOWN_BYTES_MAX 60

/* What of a bad value is repeated in a message. */
static int shown(struct ss_str text)
{
    return ss__shown(text, SHOWN_BYTES_MAX);
}

/* Leading decimal digits of @text: their count, 0 if there are none or they overflow. */
static size_t read_digits(struct ss_str text, uint64_t *ret_value)
{
    uint64_t value = 0;
    size_t len = 0;
    while (len < text.len && text.data[len] >= '0' && text.data[len] <= '9') {
        uint64_t digit = (uint64_t)(text.data[len] - '0');
        if (value > (UINT64_MAX - digit) / 10) {
            return 0;
        }
        value = value * 10 + digit;
        len++;
    }
    *ret_value = value;
    return len;
}

static struct ss_str rest_of(struct ss_str text, size_t from)
{
    return ss_str_of(text.data + from, text.len - from);
}

int ss__option_parse_number(struct ss_str text, uint64_t min, uint64_t max, uint64_t *ret_value,
                            struct ss_failure *failure)
{
    uint64_t value;
    size_t len = read_digits(text, &value);
    if (len == 0 || len != text.len || value < min || value > max) {
        return ss__fail(failure, SS_E_CONFIG,
                        "\"%.*s\" is not a whole number from %" PRIu64 " to %" PRIu64,
                        shown(text), text.data, min, max);
    }
    *ret_value = value;
    return 0;
}

struct unit {
    const char *name;
    uint64_t factor;
};

/* Largest first, so that formatting takes the largest that divides. */
static const struct unit size_units[] = {
    { "TiB", 1ull << 40 }, { "GiB", 1ull << 30 }, { "MiB", 1ull << 20 }, { "KiB", 1ull << 10 },
    { "", 1 }, { NULL, 0 },
};

static const struct unit time_units[] = { { "h", 3600000 }, { "s", 1000 }, { "ms", 1 },
                                          { NULL, 0 } };
/* Read only: what is shown stays in hours. */
static const struct unit time_units_read[] = { { "d", 86400000 }, { "h", 3600000 }, { "s", 1000 },
                                               { "ms", 1 },       { NULL, 0 } };

static int read_with_unit(struct ss_str text, const struct unit *units, uint64_t *ret_value)
{
    uint64_t value;
    size_t len = read_digits(text, &value);
    if (len == 0) {
        return -1;
    }
    for (; units->name != NULL; units++) {
        if (ss_str_equal(rest_of(text, len), ss_str(units->name))) {
            if (value > UINT64_MAX / units->factor) {
                return -1;
            }
            *ret_value = value * units->factor;
            return 0;
        }
    }
    return -1;
}

static void write_with_unit(uint64_t value, const struct unit *units, char *out)
{
    while (units[1].name != NULL && (value == 0 || value % units->factor != 0)) {
        units++;
    }
    (void)snprintf(out, SS_OPTION_VALUE_BYTES, "%" PRIu64 "%s", value / units->factor,
                   units->name);
}

void ss__option_format_bytes(uint64_t bytes, char *out)
{
    write_with_unit(bytes, size_units, out);
}

void ss__option_format_duration(uint64_t ms, char *out)
{
    write_with_unit(ms, time_units, out);
}

int ss__option_parse_bytes(struct ss_str text, uint64_t min, uint64_t max, uint64_t *ret_bytes,
                           struct ss_failure *failure)
{
    uint64_t bytes;
    if (read_with_unit(text, size_units, &bytes) != 0 || bytes < min || bytes > max) {
        char low[SS_OPTION_VALUE_BYTES];
        char high[SS_OPTION_VALUE_BYTES];
        ss__option_format_bytes(min, low);
        ss__option_format_bytes(max, high);
        return ss__fail(failure, SS_E_CONFIG,
                        "\"%.*s\" is not a size from %s to %s (bytes, or KiB, MiB, GiB, TiB)",
                        shown(text), text.data, low, high);
    }
    *ret_bytes = bytes;
    return 0;
}

int ss__option_parse_duration(struct ss_str text, uint64_t min_ms, uint64_t max_ms,
                              uint64_t *ret_ms, struct ss_failure *failure)
{
    uint64_t ms;
    if (read_with_unit(text, time_units_read, &ms) != 0 || ms < min_ms || ms > max_ms) {
        char low[SS_OPTION_VALUE_BYTES];
        char high[SS_OPTION_VALUE_BYTES];
        ss__option_format_duration(min_ms, low);
        ss__option_format_duration(max_ms, high);
        return ss__fail(failure, SS_E_CONFIG,
                        "\"%.*s\" is not a time from %s to %s, such as 250ms, 10s, 1h or 30d",
                        shown(text), text.data, low, high);
    }
    *ret_ms = ms;
    return 0;
}

/* Splits "host:port" or "[host]:port"; false if it is neither. */
static bool split_address(struct ss_str text, struct ss_str *ret_host, struct ss_str *ret_port)
{
    size_t colon = text.len;
    while (colon > 0 && text.data[colon - 1] != ':') {
        colon--;
    }
    if (colon < 2) {
        return false;
    }
    struct ss_str host = ss_str_of(text.data, colon - 1);
    bool bracketed = host.len > 2 && host.data[0] == '[' && host.data[host.len - 1] == ']';
    if (bracketed) {
        host = ss_str_of(host.data + 1, host.len - 2);
    }
    for (size_t i = 0; i < host.len; i++) {
        char byte = host.data[i];
        if (byte <= ' ' || byte == '[' || byte == ']' || byte == 0x7F ||
            (byte == ':' && !bracketed)) {
            return false;
        }
    }
    *ret_host = host;
    *ret_port = rest_of(text, colon);
    return host.len <= SS_OPTION_HOST_BYTES_MAX;
}

int ss__option_parse_address(struct ss_str text, struct ss_str *ret_host, uint16_t *ret_port,
                             struct ss_failure *failure)
{
    struct ss_str host = { 0 };
    struct ss_str port_text = { 0 };
    uint64_t port = 0;
    if (!split_address(text, &host, &port_text)) {
        return ss__fail(failure, SS_E_CONFIG,
                        "\"%.*s\" is not HOST:PORT, such as 127.0.0.1:8080 or [::1]:8080",
                        shown(text), text.data);
    }
    if (ss__option_parse_number(port_text, 0, 65535, &port, NULL) != 0) {
        return ss__fail(failure, SS_E_CONFIG, "\"%.*s\" is not a port from 0 to 65535",
                        shown(port_text), port_text.data);
    }
    *ret_host = host;
    *ret_port = (uint16_t)port;
    return 0;
}

void ss__option_format_address(const char *host, uint16_t port, char *out)
{
    bool bracketed = strchr(host, ':') != NULL;
    (void)snprintf(out, SS_OPTION_ADDRESS_BYTES, bracketed ? "[%s]:%u" : "%s:%u", host, port);
}

int ss__option_parse_durability(struct ss_str text, enum ss_durability *ret_durability,
                                uint32_t *ret_interval_ms, struct ss_failure *failure)
{
    static const char interval[] = "interval:";
    const size_t prefix_len = sizeof interval - 1;
    if (ss_str_equal(text, ss_str("fsync"))) {
        *ret_durability = SS_DURABILITY_FSYNC;
        return 0;
    }
    if (ss_str_equal(text, ss_str("none"))) {
        *ret_durability = SS_DURABILITY_NONE;
        return 0;
    }
    if (text.len > prefix_len && memcmp(text.data, interval, prefix_len) == 0) {
        uint64_t ms = 0;
        struct ss_str time = rest_of(text, prefix_len);
        if (ss__option_parse_number(time, 1, 60000, &ms, NULL) != 0 &&
            ss__option_parse_duration(time, 1, 60000, &ms, failure) != 0) {
            return SS_E_CONFIG;
        }
        *ret_durability = SS_DURABILITY_INTERVAL;
        *ret_interval_ms = (uint32_t)ms;
        return 0;
    }
    return ss__fail(failure, SS_E_CONFIG,
                    "\"%.*s\" is not fsync, none or interval:TIME (1ms to 60s)", shown(text),
                    text.data);
}

void ss__option_format_durability(enum ss_durability durability, uint32_t interval_ms, char *out)
{
    static const char *const names[] = { [SS_DURABILITY_FSYNC] = "fsync",
                                         [SS_DURABILITY_INTERVAL] = "interval:",
                                         [SS_DURABILITY_NONE] = "none" };
    char time[SS_OPTION_VALUE_BYTES / 2] = "";
    if (durability == SS_DURABILITY_INTERVAL) {
        bool seconds = interval_ms % 1000 == 0;
        (void)snprintf(time, sizeof time, "%u%s", seconds ? interval_ms / 1000 : interval_ms,
                       seconds ? "s" : "ms");
    }
    (void)snprintf(out, SS_OPTION_VALUE_BYTES, "%s%s", names[durability], time);
}

/* Where @text stands in @names, or @count. */
static size_t find_name(const char *const *names, size_t count, struct ss_str text)
{
    size_t at = 0;
    while (at < count && !ss_str_equal(text, ss_str(names[at]))) {
        at++;
    }
    return at;
}

static const char *const policy_names[] = { [SS_POLICY_FAIL] = "fail",
                                            [SS_POLICY_ADVANCE] = "advance",
                                            [SS_POLICY_HALT] = "halt" };

int ss__option_parse_policy(struct ss_str text, enum ss_projection_policy max,
                            enum ss_projection_policy *ret_policy, struct ss_failure *failure)
{
    size_t at = find_name(policy_names, (size_t)max + 1, text);
    if (at > (size_t)max) {
        return ss__fail(failure, SS_E_CONFIG, "\"%.*s\" is not %s", shown(text), text.data,
                        max == SS_POLICY_HALT ? "fail, advance or halt" : "fail or advance");
    }
    *ret_policy = (enum ss_projection_policy)at;
    return 0;
}

const char *ss__option_policy_name(enum ss_projection_policy policy)
{
    return policy_names[policy];
}

static const char *const verify_names[] = { [SS_VERIFY_NONE] = "none",
                                            [SS_VERIFY_STRUCTURE] = "structure",
                                            [SS_VERIFY_RECORDS] = "records" };

int ss__option_parse_verify(struct ss_str text, enum ss_verify *ret_verify,
                            struct ss_failure *failure)
{
    size_t count = sizeof verify_names / sizeof verify_names[0];
    size_t at = find_name(verify_names, count, text);
    if (at == count) {
        return ss__fail(failure, SS_E_CONFIG, "\"%.*s\" is not none, structure or records",
                        shown(text), text.data);
    }
    *ret_verify = (enum ss_verify)at;
    return 0;
}

const char *ss__option_verify_name(enum ss_verify verify)
{
    return verify_names[verify];
}

static const char *const level_names[] = { [SS_LOG_ERROR] = "error", [SS_LOG_WARN] = "warn",
                                           [SS_LOG_INFO] = "info", [SS_LOG_DEBUG] = "debug" };

int ss__option_parse_log_level(struct ss_str text, enum ss_log_level *ret_level,
                               struct ss_failure *failure)
{
    size_t count = sizeof level_names / sizeof level_names[0];
    size_t at = find_name(level_names, count, text);
    if (at == count) {
        return ss__fail(failure, SS_E_CONFIG, "\"%.*s\" is not error, warn, info or debug",
                        shown(text), text.data);
    }
    *ret_level = (enum ss_log_level)at;
    return 0;
}

const char *ss__option_log_level_name(enum ss_log_level level)
{
    return level_names[level];
}
