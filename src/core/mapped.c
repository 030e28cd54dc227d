#include "core/mapped.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

struct slot {
    atomic_bool taken;
    atomic_uintptr_t begin;    /* 0: not in use */
    atomic_uintptr_t end;
    char label[SS_MAPPED_LABEL_BYTES];
};

static struct slot slots[SS_MAPPED_MAX];

void ss__mapped_move(int slot, const void *begin, size_t len)
{
    if (slot >= 0) {
        atomic_store(&slots[slot].begin, 0);
        atomic_store(&slots[slot].end, (uintptr_t)begin + len);
        atomic_store(&slots[slot].begin, (uintptr_t)begin);
    }
}

int ss__mapped_add(const void *begin, size_t len, const char *label)
{
    for (int i = 0; i < SS_MAPPED_MAX; i++) {
        if (atomic_exchange(&slots[i].taken, true)) {
            continue;
        }
        size_t bytes = strlen(label);
        size_t from = bytes < SS_MAPPED_LABEL_BYTES ? 0 : bytes - (SS_MAPPED_LABEL_BYTES - 1);
        memcpy(slots[i].label, label + from, bytes - from + 1);
        ss__mapped_move(i, begin, len);
        return i;
    }
    return -1;
}

void ss__mapped_remove(int slot)
{
    if (slot >= 0) {
        atomic_store(&slots[slot].begin, 0);
        atomic_store(&slots[slot].taken, false);
    }
}

const char *ss__mapped_find(const void *address, uint64_t *ret_offset)
{
    for (int i = 0; i < SS_MAPPED_MAX; i++) {
        uintptr_t begin = atomic_load(&slots[i].begin);
        if (begin != 0 && (uintptr_t)address >= begin &&
            (uintptr_t)address < atomic_load(&slots[i].end)) {
            *ret_offset = (uintptr_t)address - begin;
            return slots[i].label;
        }
    }
    return NULL;
}
