/* check.h - the rules, applied. One thread; pure but for the marks in the sets. */
#ifndef SS_LINT_CHECK_H
#define SS_LINT_CHECK_H

#include "lint/registrations.h"
#include "lint/set.h"

struct ss_lint_input {
    struct ss_lint_set *set;
    /* Empty: every message counts as stored. */
    const struct ss_lint_registrations *registrations;
    struct ss_lint_set *previous;    /* NULL: nothing to compare with */
    const struct ss_lint_registrations *previous_registrations;
    bool with_clients;               /* commands and UI events as stored ones */
    struct ss_lint_findings *findings;
};

/* Marks what is used and what is stored; the first step. */
void ss__lint_mark(const struct ss_lint_input *input);

/* What the registrations say: names, payloads, name spaces. */
void ss__lint_check_registrations(const struct ss_lint_input *input);

/* What the declarations say: conventions, open fields, types nobody uses. */
void ss__lint_check_declarations(const struct ss_lint_input *input);

/* What would make stored data unreadable that @input->previous described. Does nothing without. */
void ss__lint_check_previous(const struct ss_lint_input *input);

/* For ss__lint_check_previous: one message or enum of the previous set against that of the present
 * one. What the message's fields refer to is left to the caller. */
void ss__lint_compare_message(struct ss_lint_findings *findings,
                              const struct ss_lint_message *old_message,
                              const struct ss_lint_message *message);
void ss__lint_compare_enum(struct ss_lint_findings *findings,
                           const struct ss_lint_enum *old_enum,
                           const struct ss_lint_enum *enumeration);

/* True if data of registrations in @space is looked at as stored. */
bool ss__lint_is_stored(const struct ss_lint_input *input, enum ss_name_space space);

/* "pkg.Message.field" in the findings' arena; @scope alone when out of memory. */
struct ss_str ss__lint_symbol(struct ss_lint_findings *findings, struct ss_str scope,
                              struct ss_str name);

/* What follows the last dot. */
struct ss_str ss__lint_short_name(struct ss_str full);

/* Conventions of names: UpperCamelCase, lower_snake_case, UPPER_SNAKE_CASE. */
bool ss__lint_is_upper_camel(struct ss_str name);
bool ss__lint_is_lower_snake(struct ss_str name);
bool ss__lint_is_upper_snake(struct ss_str name);

#endif
