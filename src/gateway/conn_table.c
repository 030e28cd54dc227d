#include "gateway/conn_table.h"

#include <stdlib.h>

#include <sessionstream/error.h>

#include "core/contract.h"

#define NO_SLOT UINT32_MAX

void ss__conn_table_init(struct ss_conn_table *table)
{
    *table = (struct ss_conn_table){ .free_slot = NO_SLOT };
}

void ss__conn_table_deinit(struct ss_conn_table *table)
{
    SS_REQUIRE(table->count == 0);
    free(table->slots);
}

int ss__conn_table_add(struct ss_conn_table *table, struct ss_conn *conn, uint32_t *ret_slot,
                       uint32_t *ret_generation)
{
    uint32_t slot = table->free_slot;
    if (slot != NO_SLOT) {
        table->free_slot = table->slots[slot].next_free;
    } else {
        if (table->slots_count == table->slots_cap) {
            uint32_t cap = table->slots_cap == 0 ? 64 : table->slots_cap * 2;
            struct ss_conn_slot *slots = realloc(table->slots, cap * sizeof *slots);
            if (slots == NULL) {
                return SS_E_NOMEM;
            }
            table->slots = slots;
            table->slots_cap = cap;
        }
        slot = table->slots_count++;
        table->slots[slot].generation = 1;
    }
    table->slots[slot].conn = conn;
    table->count++;
    *ret_slot = slot;
    *ret_generation = table->slots[slot].generation;
    return 0;
}

void ss__conn_table_remove(struct ss_conn_table *table, uint32_t slot)
{
    SS_REQUIRE(slot < table->slots_count && table->slots[slot].conn != NULL);
    table->slots[slot].conn = NULL;
    table->slots[slot].generation++;
    table->slots[slot].next_free = table->free_slot;
    table->free_slot = slot;
    table->count--;
}
