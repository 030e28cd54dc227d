/* findings.h - what was found so far. One thread.
 *
 * Life: init -> add ... -> sort -> read -> deinit. */
#ifndef SS_LINT_FINDINGS_H
#define SS_LINT_FINDINGS_H

#include <stdint.h>

#include "core/arena.h"
#include "lint/rules.h"

/* Where something is declared. */
struct ss_lint_place {
    struct ss_str file;    /* as the descriptor set calls it; empty: no file at all */
    uint32_t line;         /* from 1; 0: the set says nothing (no --include_source_info) */
    uint32_t column;       /* from 1 */
};

struct ss_lint_finding {
    enum ss_lint_rule rule;
    enum ss_lint_level level;       /* never off */
    struct ss_lint_place place;
    struct ss_str symbol;           /* full name, or "event/NAME" for a registration */
    struct ss_str text;
};

struct ss_lint_findings {
    const struct ss_lint_rules *rules;
    struct ss_arena arena;
    struct ss_lint_finding *items;
    size_t count;
    size_t cap;
    size_t errors;
    size_t warnings;
    int err;                        /* SS_E_NOMEM: something is not in here */
};

/* @rules is borrowed. */
void ss__lint_findings_init(struct ss_lint_findings *findings, const struct ss_lint_rules *rules);
void ss__lint_findings_deinit(struct ss_lint_findings *findings);

/* Adds a finding unless its rule is off for @symbol. What it says is copied, but not the file's
 * name, which must outlive @findings. */
void ss__lint_find(struct ss_lint_findings *findings, enum ss_lint_rule rule,
                   struct ss_lint_place place, struct ss_str symbol, const char *format, ...)
    SS_PRINTF(5, 6);

/* By file, line, column, symbol, rule, text. */
void ss__lint_findings_sort(struct ss_lint_findings *findings);

#endif
