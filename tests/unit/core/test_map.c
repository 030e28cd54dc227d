#include "core/map.h"

#include <stdio.h>
#include <stdlib.h>

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
