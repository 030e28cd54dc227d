/* map.h - hash map from byte strings or integers to objects that carry their own key.
 *
 * Open addressing, linear probing, deletion by shifting back; the table holds (hash, pointer) and
 * asks @matches for the key. One owner thread. Iteration order is the table's; the map must not
 * be changed during iteration. */
#ifndef SS_CORE_MAP_H
#define SS_CORE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sessionstream/types.h>

typedef bool ss_map_matches_fn(const void *value, struct ss_str key);

struct ss_map_slot {
    uint64_t hash;
    void *value;    /* NULL: free */
};

struct ss_map {
    struct ss_map_slot *slots;
    size_t mask;    /* slots - 1, or 0 while empty */
    size_t count;
    ss_map_matches_fn *matches;
};

/* Allocates nothing yet. */
void ss__map_init(struct ss_map *map, ss_map_matches_fn *matches);

/* Frees the table, not the values. */
void ss__map_deinit(struct ss_map *map);

/* Hash of @key under the process key: pass it to the calls below. */
uint64_t ss__map_hash(struct ss_str key);

/* The value whose key is @key, or NULL. */
void *ss__map_get(const struct ss_map *map, uint64_t hash, struct ss_str key);

/* Adds @value; its key must not be present. Errors: SS_E_NOMEM. */
int ss__map_put(struct ss_map *map, uint64_t hash, void *value);

/* Puts @value in the place of @former, which is there and has the same key. */
void ss__map_replace(struct ss_map *map, uint64_t hash, const void *former, void *value);

/* Removes exactly @value (by address) and returns true, or false if it is not there. */
bool ss__map_remove(struct ss_map *map, uint64_t hash, const void *value);

/* Iteration: start with *@at = 0; returns NULL at the end. */
void *ss__map_next(const struct ss_map *map, size_t *at);

#endif
