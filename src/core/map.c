#include "core/map.h"

#include <stdlib.h>

#include <sessionstream/error.h>

#include "core/contract.h"
#include "core/fault.h"
#include "core/hash.h"

#define SLOTS_MIN ((size_t)16)

void ss__map_init(struct ss_map *map, ss_map_matches_fn *matches)
{
    *map = (struct ss_map){ .matches = matches };
}

void ss__map_deinit(struct ss_map *map)
{
    free(map->slots);
    ss__map_init(map, map->matches);
}

uint64_t ss__map_hash(struct ss_str key)
{
    return ss__hash(ss__process_hash_key(), key);
}

void *ss__map_get(const struct ss_map *map, uint64_t hash, struct ss_str key)
{
    if (map->slots == NULL) {
        return NULL;
    }
    for (size_t at = hash & map->mask; map->slots[at].value != NULL; at = (at + 1) & map->mask) {
        if (map->slots[at].hash == hash && map->matches(map->slots[at].value, key)) {
            return map->slots[at].value;
        }
    }
    return NULL;
}

static void insert(struct ss_map_slot *slots, size_t mask, uint64_t hash, void *value)
{
    size_t at = hash & mask;
    while (slots[at].value != NULL) {
        at = (at + 1) & mask;
    }
    slots[at] = (struct ss_map_slot){ hash, value };
}

static int grow(struct ss_map *map)
{
    size_t count = map->slots == NULL ? SLOTS_MIN : (map->mask + 1) * 2;
    struct ss_map_slot *slots = calloc(count, sizeof *slots);
    if (slots == NULL) {
        return SS_E_NOMEM;
    }
    for (size_t at = 0; map->slots != NULL && at <= map->mask; at++) {
        if (map->slots[at].value != NULL) {
            insert(slots, count - 1, map->slots[at].hash, map->slots[at].value);
        }
    }
    free(map->slots);
    map->slots = slots;
    map->mask = count - 1;
    return 0;
}

int ss__map_put(struct ss_map *map, uint64_t hash, void *value)
{
    if (SS_FAULT_MEMORY()) {
        return SS_E_NOMEM;
    }
    SS_REQUIRE(value != NULL);
    if (map->slots == NULL || (map->count + 1) * 4 > (map->mask + 1) * 3) {
        int err = grow(map);
        if (err != 0) {
            return err;
        }
    }
    insert(map->slots, map->mask, hash, value);
    map->count++;
    return 0;
}

void ss__map_replace(struct ss_map *map, uint64_t hash, const void *former, void *value)
{
    SS_REQUIRE(map->slots != NULL && value != NULL);
    size_t at = hash & map->mask;
    while (map->slots[at].value != former) {
        SS_REQUIRE(map->slots[at].value != NULL);
        at = (at + 1) & map->mask;
    }
    map->slots[at].value = value;
}

/* Moves later members of the probe run into the hole, so that lookups need no tombstones. */
static void close_hole(struct ss_map *map, size_t hole)
{
    size_t at = hole;
    for (;;) {
        at = (at + 1) & map->mask;
        if (map->slots[at].value == NULL) {
            break;
        }
        size_t home = map->slots[at].hash & map->mask;
        if (((at - home) & map->mask) >= ((at - hole) & map->mask)) {
            map->slots[hole] = map->slots[at];
            hole = at;
        }
    }
    map->slots[hole] = (struct ss_map_slot){ 0, NULL };
}

bool ss__map_remove(struct ss_map *map, uint64_t hash, const void *value)
{
    if (map->slots == NULL) {
        return false;
    }
    for (size_t at = hash & map->mask; map->slots[at].value != NULL; at = (at + 1) & map->mask) {
        if (map->slots[at].value == value) {
            close_hole(map, at);
            map->count--;
            return true;
        }
    }
    return false;
}

void *ss__map_next(const struct ss_map *map, size_t *at)
{
    while (map->slots != NULL && *at <= map->mask) {
        void *value = map->slots[(*at)++].value;
        if (value != NULL) {
            return value;
        }
    }
    return NULL;
}
