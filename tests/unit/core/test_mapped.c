#include "core/mapped.h"

#include <string.h>

#include "ss_test.h"

static char memory[4096];

SS_TEST(mapped, address_finds_its_file)
{
    uint64_t offset = 0;
    int first = ss__mapped_add(memory, 1000, "first");
    int second = ss__mapped_add(memory + 1000, 1000, "second");
    ss_check(first >= 0 && second >= 0 && first != second);
    ss_check(strcmp(ss__mapped_find(memory, &offset), "first") == 0 && offset == 0);
    ss_check(strcmp(ss__mapped_find(memory + 999, &offset), "first") == 0 && offset == 999);
    ss_check(strcmp(ss__mapped_find(memory + 1000, &offset), "second") == 0 && offset == 0);
    ss_check(ss__mapped_find(memory + 2000, &offset) == NULL);
    ss__mapped_move(first, memory + 3000, 10);
    ss_check(ss__mapped_find(memory, &offset) == NULL);
    ss_check(strcmp(ss__mapped_find(memory + 3009, &offset), "first") == 0 && offset == 9);
    ss__mapped_remove(first);
    ss__mapped_remove(second);
    ss__mapped_remove(-1);
    ss__mapped_move(-1, memory, 1);
    ss_check(ss__mapped_find(memory + 3009, &offset) == NULL);
}

SS_TEST(mapped, long_label_keeps_its_end_and_slots_end)
{
    char label[400];
    uint64_t offset;
    memset(label, 'x', sizeof label);
    memcpy(label + sizeof label - 5, "/end", 5);
    int slots[SS_MAPPED_MAX];
    for (int i = 0; i < SS_MAPPED_MAX; i++) {
        slots[i] = ss__mapped_add(memory + i, 1, label);
        ss_check(slots[i] >= 0);
    }
    ss_check(ss__mapped_add(memory, 1, label) == -1);
    const char *found = ss__mapped_find(memory, &offset);
    ss_check(strlen(found) == SS_MAPPED_LABEL_BYTES - 1);
    ss_check(strcmp(found + strlen(found) - 4, "/end") == 0);
    for (int i = 0; i < SS_MAPPED_MAX; i++) {
        ss__mapped_remove(slots[i]);
    }
    slots[0] = ss__mapped_add(memory, 1, "");
    ss_check(slots[0] >= 0 && ss__mapped_find(memory, &offset)[0] == '\0');
    ss__mapped_remove(slots[0]);
}
