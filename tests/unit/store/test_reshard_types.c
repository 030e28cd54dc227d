#include "store/reshard_state.h"

#include <stdio.h>
#include <stdlib.h>

#include <sessionstream/error.h>

#include "ss_test.h"

static void add_types(struct ss_type_table *table, const struct ss_type_value *types,
                      uint32_t count, uint32_t **ret_map)
{
    struct ss_type_table from = { .types = (struct ss_type_value *)(uintptr_t)types,
                                  .count = count };
    ss_check(ss__type_table_merge(table, &from, ret_map) == 0);
}

SS_TEST(reshard_types, same_types_get_the_same_number_whatever_theirs_was)
{
    const struct ss_type_value first[] = {
        { .space = SS_TYPE_EVENT, .name = ss_str("Said"), .full_name = ss_str("t.Said") },
        { .space = SS_TYPE_ENTITY, .name = ss_str("note"), .full_name = ss_str("t.Note") },
    };
    const struct ss_type_value second[] = {
        { .space = SS_TYPE_EVENT, .name = ss_str("Odd"), .full_name = ss_str("t.Odd") },
        first[1],
        { .space = SS_TYPE_EVENT, .name = ss_str("Said"), .full_name = ss_str("t.Said"),
          .fingerprint = 5 },
        first[0],
    };
    struct ss_type_table table;
    uint32_t *one;
    uint32_t *other;
    ss__type_table_init(&table);
    add_types(&table, first, 2, &one);
    add_types(&table, second, 4, &other);
    ss_check(table.count == 4 && one[0] == 1 && one[1] == 2);
    ss_check(other[0] == 3 && other[1] == 2 && other[2] == 4 && other[3] == 1);
    struct ss_reshard_source source = { .map = other, .types = { .count = 4 } };
    uint32_t number = 77;
    ss_check(ss__reshard_type(&source, 4, &number) == 0 && number == 1);
    number = 77;
    ss_check(ss__reshard_type(&source, 0, &number) == SS_E_CORRUPT);
    ss_check(ss__reshard_type(&source, 5, &number) == SS_E_CORRUPT && number == 77);
    free(one);
    free(other);
    ss__type_table_deinit(&table);
}

SS_TEST(reshard_types, more_projections_than_a_store_may_know_are_refused)
{
    static char names[SS_STORE_PROJECTIONS_MAX + 1][16];
    static struct ss_type_value types[SS_STORE_PROJECTIONS_MAX + 1];
    struct ss_type_table table;
    uint32_t *map = NULL;
    ss__type_table_init(&table);
    for (uint32_t i = 0; i <= SS_STORE_PROJECTIONS_MAX; i++) {
        (void)snprintf(names[i], sizeof names[i], "p%u", i);
        types[i] = (struct ss_type_value){ .space = SS_TYPE_PROJECTION, .name = ss_str(names[i]),
                                           .full_name = ss_str(SS_PROJECTION_TIMELINE) };
    }
    add_types(&table, types, SS_STORE_PROJECTIONS_MAX, &map);
    free(map);
    map = NULL;
    struct ss_type_table from = { .types = types, .count = SS_STORE_PROJECTIONS_MAX + 1 };
    ss_check(ss__type_table_merge(&table, &from, &map) == SS_E_LIMIT && map == NULL);
    ss__type_table_deinit(&table);
}
