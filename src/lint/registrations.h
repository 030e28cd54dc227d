/* registrations.h - what an application registers, and how a saved set remembers it. One thread.
 *
 * Life: init -> add or read -> read on -> deinit. */
#ifndef SS_LINT_REGISTRATIONS_H
#define SS_LINT_REGISTRATIONS_H

#include "core/arena.h"
#include "core/bytes.h"
#include "lint/set.h"
#include "schema/registry.h"

struct ss_lint_registration {
    enum ss_name_space space;
    struct ss_str name;       /* UTF-8; what is not became '?' */
    struct ss_str type;       /* full name, as above */
    struct ss_str symbol;     /* "event/NAME" */
    int err;                  /* 0, or why the registry refused it: SS_E_INVAL, ... */
};

struct ss_lint_registrations {
    struct ss_arena arena;
    struct ss_lint_registration *items;    /* in the order of registration */
    size_t count;
    size_t cap;
    struct ss_bytes sets;                  /* those loaded, one after the other: one set */
    int err;                               /* SS_E_NOMEM while collecting */
};

void ss__lint_registrations_init(struct ss_lint_registrations *all);
void ss__lint_registrations_deinit(struct ss_lint_registrations *all);

/* Adds one; what is not UTF-8 in @name and @type becomes '?'. @refused: 0, or why the registry does
 * not have it. Errors: SS_E_NOMEM. */
int ss__lint_registrations_add(struct ss_lint_registrations *all, enum ss_name_space space,
                               struct ss_str name, struct ss_str type, int refused);

/* Appends to @out, a serialized FileDescriptorSet, a field that readers of such sets skip and that
 * holds the names that were accepted. Failure is in @out. */
void ss__lint_registrations_write(const struct ss_lint_registrations *all, struct ss_bytes *out);

/* Reads what ss__lint_registrations_write added to @set; none is fine. Entries that make no sense
 * are left out. Errors: SS_E_NOMEM, SS_E_TOOBIG (more than 10,000). */
int ss__lint_registrations_read(struct ss_lint_registrations *all, struct ss_str set);

/* The accepted one with this name, or NULL. */
const struct ss_lint_registration *
ss__lint_registrations_find(const struct ss_lint_registrations *all, enum ss_name_space space,
                            struct ss_str name);

/* "command", "event", "UI event", "entity kind". */
const char *ss__lint_space_text(enum ss_name_space space);

#endif
