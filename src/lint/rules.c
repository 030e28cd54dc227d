#include "lint/rules.h"

#include <stdlib.h>
#include <string.h>

struct ss_lint_exception {
    enum ss_lint_rule rule;
    enum ss_lint_level level;
    struct ss_str symbol;
    struct ss_lint_exception *next;
};

static const struct {
    const char *word;
    const char *text;
    enum ss_lint_level level;
} table[SS_LINT_RULE_COUNT] = {
#define ROW(name, word, level, text) { (word), (text), SS_LINT_##level },
    SS_LINT_RULE_MAP(ROW)
#undef ROW
};

static const char *const level_words[] = { "off", "warn", "error" };

void ss__lint_rules_init(struct ss_lint_rules *rules)
{
    for (size_t i = 0; i < SS_LINT_RULE_COUNT; i++) {
        rules->levels[i] = table[i].level;
    }
    rules->exceptions = NULL;
}

void ss__lint_rules_deinit(struct ss_lint_rules *rules)
{
    while (rules->exceptions != NULL) {
        struct ss_lint_exception *next = rules->exceptions->next;
        free(rules->exceptions);
        rules->exceptions = next;
    }
}

static int add_exception(struct ss_lint_rules *rules, enum ss_lint_rule rule,
                         struct ss_str symbol, enum ss_lint_level level,
                         struct ss_failure *failure)
{
    struct ss_lint_exception *exception = malloc(sizeof *exception);
    if (exception == NULL) {
        return ss__fail(failure, SS_E_NOMEM, "out of memory");
    }
    *exception = (struct ss_lint_exception){ rule, level, symbol, rules->exceptions };
    rules->exceptions = exception;
    return 0;
}

int ss__lint_rules_set(struct ss_lint_rules *rules, const char *text, struct ss_failure *failure)
{
    const char *equals = strrchr(text, '=');
    if (equals == NULL) {
        return ss__fail(failure, SS_E_CONFIG, "\"%.60s\" is not RULE=off, warn or error", text);
    }
    size_t level = 0;
    while (level < 3 && strcmp(equals + 1, level_words[level]) != 0) {
        level++;
    }
    if (level == 3) {
        return ss__fail(failure, SS_E_CONFIG, "level \"%.40s\" is not off, warn or error",
                        equals + 1);
    }
    const char *at = memchr(text, '@', (size_t)(equals - text));
    struct ss_str word = ss_str_of(text, (size_t)((at != NULL ? at : equals) - text));
    size_t rule = 0;
    while (rule < SS_LINT_RULE_COUNT && !ss_str_equal(ss_str(table[rule].word), word)) {
        rule++;
    }
    if (rule == SS_LINT_RULE_COUNT) {
        return ss__fail(failure, SS_E_CONFIG, "no rule \"%.*s\"; --rules lists them",
                        (int)(word.len < 40 ? word.len : 40), word.data);
    }
    if (at != NULL) {
        return add_exception(rules, (enum ss_lint_rule)rule,
                             ss_str_of(at + 1, (size_t)(equals - at - 1)),
                             (enum ss_lint_level)level, failure);
    }
    rules->levels[rule] = (enum ss_lint_level)level;
    return 0;
}

enum ss_lint_level ss__lint_rules_level(const struct ss_lint_rules *rules, enum ss_lint_rule rule,
                                        struct ss_str symbol)
{
    const struct ss_lint_exception *exception = rules->exceptions;
    for (; exception != NULL; exception = exception->next) {
        if (exception->rule == rule && ss_str_equal(exception->symbol, symbol)) {
            return exception->level;
        }
    }
    return rules->levels[rule];
}

const char *ss__lint_rule_word(enum ss_lint_rule rule)
{
    return table[rule].word;
}

const char *ss__lint_rule_text(enum ss_lint_rule rule)
{
    return table[rule].text;
}

const char *ss__lint_level_word(enum ss_lint_level level)
{
    return level_words[level];
}
