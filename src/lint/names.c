#include "lint/check.h"

#include <string.h>

struct ss_str ss__lint_symbol(struct ss_lint_findings *findings, struct ss_str scope,
                              struct ss_str name)
{
    char *symbol = ss__arena_alloc(&findings->arena, scope.len + 1 + name.len);
    if (symbol == NULL) {
        findings->err = SS_E_NOMEM;
        return scope;
    }
    memcpy(symbol, scope.data, scope.len);
    symbol[scope.len] = '.';
    memcpy(symbol + scope.len + 1, name.data, name.len);
    return ss_str_of(symbol, scope.len + 1 + name.len);
}

struct ss_str ss__lint_short_name(struct ss_str full)
{
    size_t from = full.len;
    while (from > 0 && full.data[from - 1] != '.') {
        from--;
    }
    return ss_str_of(full.data + from, full.len - from);
}

static bool is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

static bool is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

bool ss__lint_is_upper_camel(struct ss_str name)
{
    bool fits = name.len > 0 && is_upper(name.data[0]);
    for (size_t i = 1; fits && i < name.len; i++) {
        fits = is_upper(name.data[i]) || is_lower(name.data[i]) || is_digit(name.data[i]);
    }
    return fits;
}

/* Words of @is_letter and digits with one '_' between them. */
static bool is_snake(struct ss_str name, bool (*is_letter)(char c))
{
    bool fits = name.len > 0 && is_letter(name.data[0]) && name.data[name.len - 1] != '_';
    for (size_t i = 1; fits && i < name.len; i++) {
        char c = name.data[i];
        fits = is_letter(c) || is_digit(c) || (c == '_' && name.data[i - 1] != '_');
    }
    return fits;
}

bool ss__lint_is_lower_snake(struct ss_str name)
{
    return is_snake(name, is_lower);
}

bool ss__lint_is_upper_snake(struct ss_str name)
{
    return is_snake(name, is_upper);
}
