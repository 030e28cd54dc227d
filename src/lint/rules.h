/* rules.h - what ss-lint can find, and how much each finding weighs.
 *
 * One thread. docs/schema-policy.md explains every rule; a test compares the two. */
#ifndef SS_LINT_RULES_H
#define SS_LINT_RULES_H

#include <stdbool.h>
#include <stddef.h>

#include <sessionstream/types.h>

#include "core/failure.h"

enum ss_lint_level { SS_LINT_OFF, SS_LINT_WARN, SS_LINT_ERROR };

/* X(name, word on the command line, default level, what is wrong) */
#define SS_LINT_RULE_MAP(X)                                                                      \
    X(STRUCT_PAYLOAD, "struct-payload", ERROR,                                                   \
      "a registered payload is google.protobuf.Struct, Value or ListValue")                      \
    X(ANY_PAYLOAD, "any-payload", ERROR, "a registered payload is google.protobuf.Any")          \
    X(FOREIGN_PAYLOAD, "foreign-payload", WARN,                                                  \
      "a registered payload is another google.protobuf type, which cannot get fields")           \
    X(MISSING_TYPE, "missing-type", ERROR, "a registered type is in no descriptor set")          \
    X(INVALID_NAME, "invalid-name", ERROR, "a registered name is empty, too long or not UTF-8")  \
    X(DUPLICATE_NAME, "duplicate-name", ERROR, "a name is registered twice in one name space")   \
    X(NAME_TWO_TYPES, "name-two-types", WARN,                                                    \
      "a name stands for different types in two name spaces")                                    \
    X(UNREGISTERED_TYPE, "unregistered-type", WARN,                                              \
      "a message is neither registered nor part of a registered type")                           \
    X(COMMAND_CASE, "command-case", WARN, "a command's name is not UpperCamelCase")              \
    X(EVENT_CASE, "event-case", WARN, "an event's name is not UpperCamelCase")                   \
    X(UI_EVENT_CASE, "ui-event-case", WARN, "a UI event's name is not UpperCamelCase")           \
    X(ENTITY_CASE, "entity-case", WARN, "an entity kind is not UpperCamelCase")                  \
    X(TYPE_NAME, "type-name", WARN, "a message is not named after what is registered with it")   \
    X(MESSAGE_CASE, "message-case", WARN, "a message or enum is not UpperCamelCase")             \
    X(FIELD_CASE, "field-case", WARN, "a field or oneof is not lower_snake_case")                \
    X(ENUM_VALUE_CASE, "enum-value-case", WARN, "an enum value is not UPPER_SNAKE_CASE")         \
    X(ENUM_ZERO, "enum-zero", WARN, "the value 0 of an enum does not end with _UNSPECIFIED")     \
    X(OPEN_FIELD, "open-field", WARN, "a stored type holds google.protobuf.Struct or Any")       \
    X(REQUIRED_FIELD, "required-field", WARN, "a stored type has a required field")              \
    X(STALE_SET, "stale-set", WARN, "a descriptor set differs from what the application loads")  \
    X(NAME_REMOVED, "name-removed", ERROR, "a stored event or entity kind is not registered")    \
    X(NAME_TYPE_CHANGED, "name-type-changed", ERROR, "a registered name got another type")       \
    X(TYPE_REMOVED, "type-removed", ERROR, "a stored type is gone")                              \
    X(FIELD_REMOVED, "field-removed", ERROR,                                                     \
      "a field is gone and its number or name is not reserved")                                  \
    X(FIELD_RESERVED, "field-reserved", WARN, "a field is gone, number and name are reserved")   \
    X(FIELD_NUMBER, "field-number", ERROR, "a field got another number")                         \
    X(FIELD_KIND, "field-kind", ERROR, "a field got another type")                               \
    X(FIELD_LABEL, "field-label", ERROR, "a field became repeated, singular or required")        \
    X(FIELD_JSON_NAME, "field-json-name", ERROR, "a field got another name in JSON")             \
    X(FIELD_NAME, "field-name", WARN, "a field got another name, JSON has the old one")          \
    X(FIELD_ONEOF, "field-oneof", ERROR, "a field entered, left or changed its oneof")           \
    X(FIELD_PRESENCE, "field-presence", ERROR,                                                   \
      "a field began or ceased to tell absent from default")                                     \
    X(FIELD_DEFAULT, "field-default", ERROR, "the default of a field changed")                   \
    X(REQUIRED_ADDED, "required-added", ERROR, "a stored type got a required field")             \
    X(RESERVED_USED, "reserved-used", ERROR, "a reserved number or name is in use again")        \
    X(RESERVED_REMOVED, "reserved-removed", WARN, "a reservation is gone")                       \
    X(ENUM_VALUE_REMOVED, "enum-value-removed", ERROR,                                           \
      "an enum value is gone and its number or name is not reserved")                            \
    X(ENUM_VALUE_RESERVED, "enum-value-reserved", WARN,                                          \
      "an enum value is gone, number and name are reserved")                                     \
    X(ENUM_VALUE_NUMBER, "enum-value-number", ERROR, "an enum value got another number")         \
    X(ENUM_VALUE_NAME, "enum-value-name", ERROR, "an enum value got another name")

enum ss_lint_rule {
#define SS_LINT_RULE_ENUM(name, word, level, text) SS_LINT_##name,
    SS_LINT_RULE_MAP(SS_LINT_RULE_ENUM)
#undef SS_LINT_RULE_ENUM
    SS_LINT_RULE_COUNT
};

struct ss_lint_exception;

struct ss_lint_rules {
    enum ss_lint_level levels[SS_LINT_RULE_COUNT];
    struct ss_lint_exception *exceptions;    /* owned; the newest first */
};

/* The defaults. */
void ss__lint_rules_init(struct ss_lint_rules *rules);
void ss__lint_rules_deinit(struct ss_lint_rules *rules);

/* Applies "RULE=LEVEL" or "RULE@SYMBOL=LEVEL"; @text is borrowed for the life of @rules. A later
 * one wins over an earlier one, one with a symbol over one without. Errors: SS_E_CONFIG (names the
 * part that is unknown), SS_E_NOMEM. */
int ss__lint_rules_set(struct ss_lint_rules *rules, const char *text,
                       struct ss_failure *failure);

enum ss_lint_level ss__lint_rules_level(const struct ss_lint_rules *rules, enum ss_lint_rule rule,
                                        struct ss_str symbol);

/* Constant words: "field-kind", "what is wrong", "warn". */
const char *ss__lint_rule_word(enum ss_lint_rule rule);
const char *ss__lint_rule_text(enum ss_lint_rule rule);
const char *ss__lint_level_word(enum ss_lint_level level);

#endif
