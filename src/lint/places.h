/* places.h - where each declaration of a file stands, from its SourceCodeInfo. One thread. */
#ifndef SS_LINT_PLACES_H
#define SS_LINT_PLACES_H

#include <sessionstream/limits.h>

#include "core/arena.h"
#include "core/map.h"
#include "lint/findings.h"

/* The path of a declaration as descriptor.proto defines it (field number and index of each step),
 * as packed varints. Two steps deeper than messages may nest. */
struct ss_lint_path {
    uint8_t bytes[(SS_NESTING_MAX + 3) * 10];
    size_t len;
};

struct ss_lint_places {
    struct ss_map map;
    struct ss_str file;
};

/* Appends a step. The length before it is the way back: path->len = before. */
void ss__lint_path_push(struct ss_lint_path *path, uint32_t number, uint32_t index);

/* Reads @info (may be empty) of the file of this name into @arena. Malformed entries are left out:
 * they cost a line number, nothing else. Errors: SS_E_NOMEM. */
int ss__lint_places_init(struct ss_lint_places *places, struct ss_arena *arena,
                         struct ss_str file, struct ss_str info);
void ss__lint_places_deinit(struct ss_lint_places *places);

/* With line 0 if the path is not known. */
struct ss_lint_place ss__lint_places_find(const struct ss_lint_places *places,
                                          const struct ss_lint_path *path);

#endif
