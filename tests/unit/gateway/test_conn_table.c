#include "gateway/conn_table.h"

#include <stddef.h>

#include "ss_test.h"

/* The table never looks inside. */
static struct ss_conn *fake(size_t number)
{
    static char places[256];
    return (struct ss_conn *)(void *)&places[number];
}

SS_TEST(conn_table, an_old_generation_names_nothing)
{
    struct ss_conn_table table;
    ss__conn_table_init(&table);
    uint32_t slot;
    uint32_t old;
    ss_check(ss__conn_table_add(&table, fake(1), &slot, &old) == 0);
    ss_check(ss__conn_table_get(&table, slot, old) == fake(1));
    ss__conn_table_remove(&table, slot);
    ss_check(ss__conn_table_get(&table, slot, old) == NULL);
    ss_check(ss__conn_table_get(&table, slot, old + 1) == NULL);
    uint32_t again;
    uint32_t generation;
    ss_check(ss__conn_table_add(&table, fake(2), &again, &generation) == 0);
    ss_check(again == slot && generation != old);
    ss_check(ss__conn_table_get(&table, slot, old) == NULL);
    ss_check(ss__conn_table_get(&table, slot, generation) == fake(2));
    ss_check(ss__conn_table_get(&table, 4711, generation) == NULL);
    ss__conn_table_remove(&table, slot);
    ss__conn_table_deinit(&table);
}

SS_TEST(conn_table, grows_and_reuses_slots)
{
    struct ss_conn_table table;
    ss__conn_table_init(&table);
    uint32_t slot;
    uint32_t generation;
    for (size_t i = 0; i < 200; i++) {
        ss_check(ss__conn_table_add(&table, fake(i), &slot, &generation) == 0);
        ss_check(slot == i);
    }
    for (uint32_t i = 0; i < 200; i += 2) {
        ss__conn_table_remove(&table, i);
    }
    for (size_t i = 0; i < 100; i++) {
        ss_check(ss__conn_table_add(&table, fake(i), &slot, &generation) == 0);
        ss_check(slot < 200);
    }
    ss_check(table.count == 200 && table.slots_count == 200);
    for (uint32_t i = 0; i < 200; i++) {
        ss__conn_table_remove(&table, i);
    }
    ss__conn_table_deinit(&table);
}
