/* Lookups in a complete request: fields, lists, escapes. */
#include "http/request.h"

#include <sessionstream/error.h>

static uint8_t lower(char byte)
{
    return byte >= 'A' && byte <= 'Z' ? (uint8_t)(byte - 'A' + 'a') : (uint8_t)byte;
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

/* What stands before the first @separator, which is taken off @text too. */
static struct ss_str cut(struct ss_str *text, char separator)
{
    struct ss_str part = *text;
    const char *end = text->len == 0 ? NULL : memchr(text->data, separator, text->len);
    if (end == NULL) {
        *text = ss_str_of(text->data, 0);
        return part;
    }
    part.len = (size_t)(end - text->data);
    *text = ss_str_of(end + 1, text->len - part.len - 1);
    return part;
}

bool ss__http_list_next(struct ss_str *list, struct ss_str *ret_element)
{
    while (list->len > 0) {
        struct ss_str element = trim(cut(list, ','));
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
    while (ss__http_field_next(request, name, &at, &list)) {
        struct ss_str element;
        while (ss__http_list_next(&list, &element)) {
            if (ss__http_equal_nocase(element, ss_str(token))) {
                return true;
            }
        }
    }
    return false;
}

static int hex_value(char byte)
{
    uint8_t low = lower(byte);
    if (low >= '0' && low <= '9') {
        return low - '0';
    }
    return low >= 'a' && low <= 'f' ? low - 'a' + 10 : -1;
}

ptrdiff_t ss__http_percent_decode(struct ss_str text, uint8_t *out)
{
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] != '%') {
            out[len++] = (uint8_t)text.data[i];
            continue;
        }
        if (text.len - i < 3 || hex_value(text.data[i + 1]) < 0 ||
            hex_value(text.data[i + 2]) < 0) {
            return -1;
        }
        out[len++] = (uint8_t)(hex_value(text.data[i + 1]) * 16 + hex_value(text.data[i + 2]));
        i += 2;
    }
    return (ptrdiff_t)len;
}

int ss__http_query_value(struct ss_str query, const char *name, uint8_t *out, size_t cap,
                         struct ss_str *ret_value)
{
    while (query.len > 0) {
        struct ss_str value = cut(&query, '&');
        if (!ss_str_equal(cut(&value, '='), ss_str(name))) {
            continue;
        }
        if (value.len > cap) {
            return SS_E_TOOBIG;
        }
        for (size_t i = 0; i < value.len; i++) {
            out[i] = value.data[i] == '+' ? ' ' : (uint8_t)value.data[i];
        }
        ptrdiff_t len = ss__http_percent_decode(ss_str_of(out, value.len), out);
        if (len < 0) {
            return SS_E_INVAL;
        }
        *ret_value = ss_str_of(out, (size_t)len);
        return 0;
    }
    return SS_E_NOTFOUND;
}
