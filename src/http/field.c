/* Reading the parts of a complete request: fields, lists, percent-encoding, queries. */
#include "http/request.h"

#include <string.h>

#include <sessionstream/error.h>

#include "core/contract.h"

/* Of a number of 64 bits. */
#define QUERY_DIGITS_MAX 20

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

bool ss__http_equal_nocase(struct ss_str a, struct ss_str b)
{
    if (a.len != b.len) {
        return false;
    }
    for (size_t i = 0; i < a.len; i++) {
        if (lower(a.data[i]) != lower(b.data[i])) {
            return false;
        }
    }
    return true;
}

bool ss__http_field_next(const struct ss_http_request *request, const char *name, size_t *at,
                         struct ss_str *ret_value)
{
    while (*at < request->field_count) {
        const struct ss_http_field *field = &request->fields[(*at)++];
        if (ss__http_equal_nocase(field->name, ss_str(name))) {
            *ret_value = field->value;
            return true;
        }
    }
    return false;
}

bool ss__http_field(const struct ss_http_request *request, const char *name,
                    struct ss_str *ret_value)
{
    size_t at = 0;
    return ss__http_field_next(request, name, &at, ret_value);
}

static struct ss_str trim(struct ss_str text)
{
    while (text.len > 0 && (text.data[0] == ' ' || text.data[0] == '\t')) {
        text.data++;
        text.len--;
    }
    while (text.len > 0 &&
           (text.data[text.len - 1] == ' ' || text.data[text.len - 1] == '\t')) {
        text.len--;
    }
    return text;
}

bool ss__http_list_next(struct ss_str *list, struct ss_str *ret_element)
{
    while (list->len > 0) {
        const char *comma = memchr(list->data, ',', list->len);
        size_t len = comma == NULL ? list->len : (size_t)(comma - list->data);
        struct ss_str element = trim(ss_str_of(list->data, len));
        size_t skip = comma == NULL ? len : len + 1;
        *list = ss_str_of(list->data + skip, list->len - skip);
        if (element.len > 0) {
            *ret_element = element;
            return true;
        }
    }
    return false;
}

bool ss__http_field_has_token(const struct ss_http_request *request, const char *name,
                              const char *token)
{
    size_t at = 0;
    struct ss_str list;
    struct ss_str element;
    while (ss__http_field_next(request, name, &at, &list)) {
        while (ss__http_list_next(&list, &element)) {
            if (ss__http_equal_nocase(element, ss_str(token))) {
                return true;
            }
        }
    }
    return false;
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

ptrdiff_t ss__http_percent_decode(struct ss_str text, uint8_t *out)
{
    ptrdiff_t len = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] != '%') {
            out[len++] = (uint8_t)text.data[i];
            continue;
        }
        int high = text.len - i > 2 ? hex_digit(text.data[i + 1]) : -1;
        int low = high < 0 ? -1 : hex_digit(text.data[i + 2]);
        if (low < 0) {
            return -1;
        }
        out[len++] = (uint8_t)(high << 4 | low);
        i += 2;
    }
    return len;
}

/* Splits "a=b" at the first '='. */
static void split_parameter(struct ss_str parameter, struct ss_str *ret_name,
                            struct ss_str *ret_value)
{
    const char *equals = memchr(parameter.data, '=', parameter.len);
    size_t len = equals == NULL ? parameter.len : (size_t)(equals - parameter.data);
    size_t skip = equals == NULL ? len : len + 1;
    *ret_name = ss_str_of(parameter.data, len);
    *ret_value = ss_str_of(parameter.data + skip, parameter.len - skip);
}

int ss__http_query_value(struct ss_str query, const char *name, uint8_t *out, size_t cap,
                         struct ss_str *ret_value)
{
    while (query.len > 0) {
        const char *end = memchr(query.data, '&', query.len);
        size_t len = end == NULL ? query.len : (size_t)(end - query.data);
        struct ss_str key;
        struct ss_str value;
        split_parameter(ss_str_of(query.data, len), &key, &value);
        if (ss_str_equal(key, ss_str(name))) {
            if (value.len > cap) {
                return SS_E_TOOBIG;
            }
            for (size_t i = 0; i < value.len; i++) {
                out[i] = value.data[i] == '+' ? ' ' : (uint8_t)value.data[i];
            }
            ptrdiff_t decoded = ss__http_percent_decode(ss_str_of(out, value.len), out);
            if (decoded < 0) {
                return SS_E_INVAL;
            }
            *ret_value = ss_str_of(out, (size_t)decoded);
            return 0;
        }
        size_t skip = end == NULL ? len : len + 1;
        query = ss_str_of(query.data + skip, query.len - skip);
    }
    return SS_E_NOTFOUND;
}

int ss__http_query_number(struct ss_str query, const char *name, size_t digits_max,
                          uint64_t *ret_number)
{
    uint8_t digits[QUERY_DIGITS_MAX];
    struct ss_str text = { NULL, 0 };
    uint64_t number = 0;
    SS_REQUIRE(digits_max <= sizeof digits);
    int err = ss__http_query_value(query, name, digits, digits_max, &text);
    if (err != 0 || text.len == 0) {
        return err == SS_E_NOTFOUND ? err : SS_E_INVAL;
    }
    for (size_t i = 0; i < text.len; i++) {
        uint64_t digit = (uint64_t)digits[i] - '0';
        if (digit > 9 || number > (UINT64_MAX - digit) / 10) {
            return SS_E_INVAL;
        }
        number = number * 10 + digit;
    }
    *ret_number = number;
    return 0;
}
