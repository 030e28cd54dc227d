#include "core/map.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/hash.h"

#include "ss_test.h"

struct item {
    char key[32];
};

static bool item_matches(const void *value, struct ss_str key)
{
    return ss_str_equal(ss_str(((const struct item *)value)->key), key);
}

SS_TEST(map, finds_what_was_put_and_not_what_was_removed)
{
    enum { COUNT = 2000 };
    static struct item items[COUNT];
    struct ss_map map;
    ss__map_init(&map, item_matches);
    for (int i = 0; i < COUNT; i++) {
        snprintf(items[i].key, sizeof items[i].key, "session-%d", i);
        ss_check(ss__map_put(&map, ss__map_hash(ss_str(items[i].key)), &items[i]) == 0);
    }
    for (int i = 0; i < COUNT; i += 2) {
        ss_check(ss__map_remove(&map, ss__map_hash(ss_str(items[i].key)), &items[i]));
    }
    for (int i = 0; i < COUNT; i++) {
        struct ss_str key = ss_str(items[i].key);
        struct item *found = ss__map_get(&map, ss__map_hash(key), key);
        ss_check(found == (i % 2 == 0 ? NULL : &items[i]));
    }
    size_t at = 0;
    size_t seen = 0;
    while (ss__map_next(&map, &at) != NULL) {
        seen++;
    }
    ss_check(seen == COUNT / 2 && map.count == COUNT / 2);
    ss__map_deinit(&map);
}

SS_TEST(map, colliding_hashes_keep_their_own_values)
{
    struct item items[5] = { { "a" }, { "b" }, { "c" }, { "d" }, { "e" } };
    struct ss_map map;
    ss__map_init(&map, item_matches);
    for (int i = 0; i < 5; i++) {
        ss_check(ss__map_put(&map, 14, &items[i]) == 0);    /* wraps around a table of 16 */
    }
    ss_check(ss__map_remove(&map, 14, &items[1]));
    ss_check(!ss__map_remove(&map, 14, &items[1]));
    for (int i = 0; i < 5; i++) {
        ss_check(ss__map_get(&map, 14, ss_str(items[i].key)) == (i == 1 ? NULL : &items[i]));
    }
    ss__map_deinit(&map);
}

static size_t asked;

static bool counts_matches(const void *value, struct ss_str key)
{
    asked++;
    return item_matches(value, key);
}

/* Whoever knows the key of the hash can make keys of one hash. They are found in a row, so a
 * look-up costs as many steps as there are; keys of other hashes are never compared with them. */
SS_TEST(map, one_of_the_same_key_takes_the_place_of_another)
{
    struct item former = { "k" };
    struct item other = { "l" };
    struct item latter = { "k" };
    struct ss_map map;
    ss__map_init(&map, item_matches);
    ss_check(ss__map_put(&map, 7, &other) == 0 && ss__map_put(&map, 7, &former) == 0);
    ss__map_replace(&map, 7, &former, &latter);
    ss_check(ss__map_get(&map, 7, ss_str("k")) == &latter && map.count == 2);
    ss_check(ss__map_get(&map, 7, ss_str("l")) == &other);
    ss_check(!ss__map_remove(&map, 7, &former) && ss__map_remove(&map, 7, &latter));
    ss__map_deinit(&map);
}

SS_TEST(map, keys_of_one_hash_are_all_found_and_compared_with_no_other)
{
    enum { COUNT = 2000, OTHERS = 500 };
    static struct item items[COUNT + OTHERS];
    struct ss_map map;
    ss__map_init(&map, counts_matches);
    for (int i = 0; i < COUNT + OTHERS; i++) {
        (void)snprintf(items[i].key, sizeof items[i].key, "key-%d", i);
        uint64_t hash = i < COUNT ? UINT64_C(0x1234567800000055) : (uint64_t)i << 32 | 0x55;
        ss_check(ss__map_put(&map, hash, &items[i]) == 0);
    }
    for (int i = 0; i < COUNT + OTHERS; i++) {
        uint64_t hash = i < COUNT ? UINT64_C(0x1234567800000055) : (uint64_t)i << 32 | 0x55;
        asked = 0;
        ss_check(ss__map_get(&map, hash, ss_str(items[i].key)) == &items[i]);
        ss_check_msg(asked <= (i < COUNT ? COUNT : 1), "%zu keys were compared", asked);
    }
    for (int i = 0; i < COUNT; i += 2) {
        ss_check(ss__map_remove(&map, UINT64_C(0x1234567800000055), &items[i]));
    }
    for (int i = 1; i < COUNT; i += 2) {
        ss_check(ss__map_get(&map, UINT64_C(0x1234567800000055), ss_str(items[i].key)) ==
                 &items[i]);
    }
    ss_check(ss__map_get(&map, UINT64_C(0x1234567800000055), ss_str(items[0].key)) == NULL);
    ss_check(map.count == COUNT / 2 + OTHERS);
    ss__map_deinit(&map);
}

/* Names that share their place under a key that can be guessed are spread by the process's own. */
SS_TEST(map, names_chosen_for_another_key_are_spread)
{
    enum { COUNT = 256, PLACES = 1024 };
    static const struct ss_hash_key guessed;
    static unsigned in_place[PLACES];
    char name[32];
    unsigned found = 0;
    unsigned fullest = 0;
    for (unsigned i = 0; found < COUNT; i++) {
        (void)snprintf(name, sizeof name, "c%u", i);
        if (ss__hash(&guessed, ss_str(name)) % PLACES == 0) {
            unsigned place = (unsigned)(ss__map_hash(ss_str(name)) % PLACES);
            in_place[place]++;
            fullest = in_place[place] > fullest ? in_place[place] : fullest;
            found++;
        }
    }
    ss_check_msg(fullest < 16, "%u of %d names share a place", fullest, COUNT);
}
