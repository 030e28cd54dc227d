/* list.h - intrusive doubly linked list with a sentinel. One owner thread; no allocation. */
#ifndef SS_CORE_LIST_H
#define SS_CORE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct ss_list {
    struct ss_list *next;
    struct ss_list *prev;
};

static inline void ss__list_init(struct ss_list *list)
{
    list->next = list->prev = list;
}

static inline bool ss__list_empty(const struct ss_list *list)
{
    return list->next == list;
}

static inline void ss__list_push_back(struct ss_list *list, struct ss_list *node)
{
    node->prev = list->prev;
    node->next = list;
    list->prev->next = node;
    list->prev = node;
}

static inline void ss__list_push_front(struct ss_list *list, struct ss_list *node)
{
    ss__list_push_back(list->next, node);
}

/* Takes @node out and leaves it linked to itself, so that removing twice is harmless. */
static inline void ss__list_remove(struct ss_list *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    ss__list_init(node);
}

#endif
