#include "lint/findings.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/utf8.h"

#define ARENA_CHUNK_BYTES ((size_t)16 << 10)
#define TEXT_BYTES_MAX 512

void ss__lint_findings_init(struct ss_lint_findings *findings, const struct ss_lint_rules *rules)
{
    *findings = (struct ss_lint_findings){ .rules = rules };
    ss__arena_init(&findings->arena, ARENA_CHUNK_BYTES);
}

void ss__lint_findings_deinit(struct ss_lint_findings *findings)
{
    free(findings->items);
    ss__arena_deinit(&findings->arena);
}

static int grow(struct ss_lint_findings *findings)
{
    if (findings->count < findings->cap) {
        return 0;
    }
    size_t cap = findings->cap == 0 ? 64 : findings->cap * 2;
    struct ss_lint_finding *items = realloc(findings->items, cap * sizeof *items);
    if (items == NULL) {
        return SS_E_NOMEM;
    }
    findings->items = items;
    findings->cap = cap;
    return 0;
}

void ss__lint_find(struct ss_lint_findings *findings, enum ss_lint_rule rule,
                   struct ss_lint_place place, struct ss_str symbol, const char *format, ...)
{
    enum ss_lint_level level = ss__lint_rules_level(findings->rules, rule, symbol);
    if (level == SS_LINT_OFF) {
        return;
    }
    char text[TEXT_BYTES_MAX];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    size_t kept = len < 0 ? 0 : (size_t)len;
    if (kept >= sizeof text) {
        kept = ss__utf8_floor(text, sizeof text - 1);
    }
    struct ss_lint_finding finding = {
        .rule = rule,
        .level = level,
        .place = place,
        .symbol = ss__arena_str(&findings->arena, symbol),
        .text = ss__arena_str(&findings->arena, ss_str_of(text, kept)),
    };
    if (finding.symbol.data == NULL || finding.text.data == NULL || grow(findings) != 0) {
        findings->err = SS_E_NOMEM;
        return;
    }
    findings->items[findings->count++] = finding;
    findings->errors += level == SS_LINT_ERROR;
    findings->warnings += level == SS_LINT_WARN;
}

static int compare_text(struct ss_str a, struct ss_str b)
{
    size_t shorter = a.len < b.len ? a.len : b.len;
    int order = shorter == 0 ? 0 : memcmp(a.data, b.data, shorter);
    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

static int compare(const void *left, const void *right)
{
    const struct ss_lint_finding *a = left;
    const struct ss_lint_finding *b = right;
    int order = compare_text(a->place.file, b->place.file);
    if (order == 0) {
        order = (a->place.line > b->place.line) - (a->place.line < b->place.line);
    }
    if (order == 0) {
        order = (a->place.column > b->place.column) - (a->place.column < b->place.column);
    }
    if (order == 0) {
        order = compare_text(a->symbol, b->symbol);
    }
    if (order == 0) {
        order = (a->rule > b->rule) - (a->rule < b->rule);
    }
    return order != 0 ? order : compare_text(a->text, b->text);
}

void ss__lint_findings_sort(struct ss_lint_findings *findings)
{
    if (findings->count > 0) {
        qsort(findings->items, findings->count, sizeof findings->items[0], compare);
    }
}
