/* lint_fixture.h - sets, registrations and findings for the tests of ss-lint. */
#ifndef SS_TESTS_LINT_FIXTURE_H
#define SS_TESTS_LINT_FIXTURE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lint/check.h"
#include "new_evolve.h"
#include "new_legacy.h"
#include "old_evolve.h"
#include "old_legacy.h"
#include "ss_test.h"
#include "style.h"

struct lint_fixture {
    struct ss_lint_rules rules;
    struct ss_lint_findings findings;
    struct ss_lint_set set;
    struct ss_lint_set previous;
    struct ss_lint_registrations registrations;
    struct ss_lint_registrations previous_registrations;
    struct ss_lint_input input;
};

#define LINT_SET(name) ss_str_of(name##_set, name##_set_len)

static inline void lint_load(struct ss_lint_set *set, struct ss_str bytes)
{
    struct ss_failure failure = { 0 };
    ss_check_msg(ss__lint_set_add(set, bytes, &failure) == 0, "%s", failure.text);
    ss_check_msg(ss__lint_set_parse(set, &failure) == 0, "%s", failure.text);
}

/* @previous may be empty: none. */
static inline void lint_init(struct lint_fixture *lint, struct ss_str set, struct ss_str previous)
{
    ss__lint_rules_init(&lint->rules);
    ss__lint_findings_init(&lint->findings, &lint->rules);
    ss__lint_set_init(&lint->set);
    ss__lint_set_init(&lint->previous);
    ss__lint_registrations_init(&lint->registrations);
    ss__lint_registrations_init(&lint->previous_registrations);
    lint_load(&lint->set, set);
    if (previous.len > 0) {
        lint_load(&lint->previous, previous);
    }
    lint->input = (struct ss_lint_input){
        .set = &lint->set,
        .registrations = &lint->registrations,
        .previous = previous.len > 0 ? &lint->previous : NULL,
        .previous_registrations = &lint->previous_registrations,
        .findings = &lint->findings,
    };
}

static inline void lint_deinit(struct lint_fixture *lint)
{
    ss_check(lint->findings.err == 0);
    ss__lint_registrations_deinit(&lint->previous_registrations);
    ss__lint_registrations_deinit(&lint->registrations);
    ss__lint_set_deinit(&lint->previous);
    ss__lint_set_deinit(&lint->set);
    ss__lint_findings_deinit(&lint->findings);
    ss__lint_rules_deinit(&lint->rules);
}

/* Adds a registration as if the registry had answered @err. */
static inline void lint_register(struct ss_lint_registrations *all, enum ss_name_space space,
                                 const char *name, const char *type, int err)
{
    static const char *const symbols[] = { "command", "event", "ui-event", "entity" };
    char symbol[300];
    (void)snprintf(symbol, sizeof symbol, "%s/%s", symbols[space], name);
    struct ss_lint_registration *items = realloc(all->items, (all->count + 1) * sizeof *items);
    ss_check(items != NULL);
    all->items = items;
    all->cap = all->count + 1;
    all->items[all->count++] = (struct ss_lint_registration){
        space, ss_str(name), ss_str(type), ss__arena_str(&all->arena, ss_str(symbol)), err,
    };
}

/* How often @rule was found at @symbol; NULL: anywhere. */
static inline size_t lint_count(const struct lint_fixture *lint, enum ss_lint_rule rule,
                                const char *symbol)
{
    size_t count = 0;
    for (size_t i = 0; i < lint->findings.count; i++) {
        const struct ss_lint_finding *finding = &lint->findings.items[i];
        count += finding->rule == rule &&
                 (symbol == NULL || ss_str_equal(finding->symbol, ss_str(symbol)));
    }
    return count;
}

/* What was found, for messages of tests. Valid until the next call. */
static inline const char *lint_text(const struct lint_fixture *lint)
{
    static char text[8192];
    size_t len = 0;
    text[0] = '\0';
    for (size_t i = 0; i < lint->findings.count && len < sizeof text - 600; i++) {
        const struct ss_lint_finding *finding = &lint->findings.items[i];
        len += (size_t)snprintf(text + len, 600, "%s %.*s:%u %.*s: %.*s\n",
                                ss__lint_rule_word(finding->rule), (int)finding->place.file.len,
                                finding->place.file.len == 0 ? "" : finding->place.file.data,
                                finding->place.line, (int)finding->symbol.len,
                                finding->symbol.data, (int)finding->text.len, finding->text.data);
    }
    return text;
}

/* The one finding of @rule at @symbol; fails the test if there is none or more. */
static inline const struct ss_lint_finding *lint_the(const struct lint_fixture *lint,
                                                     enum ss_lint_rule rule, const char *symbol)
{
    ss_check_msg(lint_count(lint, rule, symbol) == 1, "%zu of %s at %s in\n%s",
                 lint_count(lint, rule, symbol), ss__lint_rule_word(rule), symbol,
                 lint_text(lint));
    size_t i = 0;
    while (lint->findings.items[i].rule != rule ||
           !ss_str_equal(lint->findings.items[i].symbol, ss_str(symbol))) {
        i++;
    }
    return &lint->findings.items[i];
}

/* True if the text of @finding holds @part. */
static inline bool lint_says(const struct ss_lint_finding *finding, const char *part)
{
    return memmem(finding->text.data, finding->text.len, part, strlen(part)) != NULL;
}

#endif
