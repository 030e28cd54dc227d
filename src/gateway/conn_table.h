/* conn_table.h - from a slot and generation to a connection. Gateway thread. */
#ifndef SS_GATEWAY_CONN_TABLE_H
#define SS_GATEWAY_CONN_TABLE_H

#include <stdint.h>

struct ss_conn;

struct ss_conn_slot {
    struct ss_conn *conn;       /* NULL: free */
    uint32_t generation;
    uint32_t next_free;
};

struct ss_conn_table {
    struct ss_conn_slot *slots;
    uint32_t slots_count;       /* used at least once */
    uint32_t slots_cap;
    uint32_t free_slot;         /* UINT32_MAX: none */
    uint32_t count;             /* connections */
};

void ss__conn_table_init(struct ss_conn_table *table);
void ss__conn_table_deinit(struct ss_conn_table *table);

/* Errors: SS_E_NOMEM. */
int ss__conn_table_add(struct ss_conn_table *table, struct ss_conn *conn, uint32_t *ret_slot,
                       uint32_t *ret_generation);

/* From now on the old generation of @slot names nothing. */
void ss__conn_table_remove(struct ss_conn_table *table, uint32_t slot);

/* The connection, or NULL if it is gone. */
static inline struct ss_conn *ss__conn_table_get(const struct ss_conn_table *table, uint32_t slot,
                                                 uint32_t generation)
{
    if (slot >= table->slots_count || table->slots[slot].generation != generation) {
        return (struct ss_conn *)0;
    }
    return table->slots[slot].conn;
}

#endif
