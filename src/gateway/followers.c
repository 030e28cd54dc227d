#include "gateway/followers.h"

#include <stdlib.h>
#include <string.h>

#include <sessionstream/error.h>

#include "core/contract.h"

#define NO_SLOT UINT32_MAX

static bool matches_id(const void *value, struct ss_str key)
{
    const struct ss_followed *session = value;
    return ss_str_equal(ss__followed_id(session), key);
}

void ss__followers_init(struct ss_followers *table, uint16_t gateway)
{
    *table = (struct ss_followers){ .gateway = gateway, .free_slot = NO_SLOT };
    ss__map_init(&table->by_id, matches_id);
}

static void free_followers(struct ss_followed *session)
{
    if (session->cap > 1) {
        free(session->followers.many);
    }
}

static void free_session(struct ss_followed *session)
{
    free_followers(session);
    free(session);
}

void ss__followers_deinit(struct ss_followers *table)
{
    for (uint32_t i = 0; i < table->slots_count; i++) {
        if (table->slots[i].session != NULL) {
            free_session(table->slots[i].session);
        }
    }
    free(table->slots);
    ss__map_deinit(&table->by_id);
}

struct ss_followed *ss__followers_find(const struct ss_followers *table, struct ss_str id,
                                       uint64_t hash)
{
    return ss__map_get(&table->by_id, hash, id);
}

static uint32_t take_slot(struct ss_followers *table)
{
    if (table->free_slot != NO_SLOT) {
        uint32_t slot = table->free_slot;
        table->free_slot = table->slots[slot].next_free;
        return slot;
    }
    if (table->slots_count == table->slots_cap) {
        uint32_t cap = table->slots_cap == 0 ? 64 : table->slots_cap * 2;
        struct ss_followed_slot *slots = realloc(table->slots, cap * sizeof *slots);
        if (slots == NULL) {
            return NO_SLOT;
        }
        table->slots = slots;
        table->slots_cap = cap;
    }
    table->slots[table->slots_count] = (struct ss_followed_slot){ .generation = 1 };
    return table->slots_count++;
}

static void return_slot(struct ss_followers *table, uint32_t slot)
{
    table->slots[slot].session = NULL;
    table->slots[slot].generation++;
    table->slots[slot].next_free = table->free_slot;
    table->free_slot = slot;
}

struct ss_followed *ss__followers_enter(struct ss_followers *table, struct ss_str id,
                                        uint64_t hash)
{
    struct ss_followed *session = ss__followers_find(table, id, hash);
    if (session != NULL) {
        return session;
    }
    uint32_t slot = take_slot(table);
    if (slot == NO_SLOT) {
        return NULL;
    }
    struct ss_session_handle handle = { slot, table->slots[slot].generation };
    session = (struct ss_followed *)(void *)ss__uninterested_new(sizeof *session, table->gateway,
                                                                 handle, id);
    if (session == NULL || ss__map_put(&table->by_id, hash, session) != 0) {
        free(session);
        return_slot(table, slot);
        return NULL;
    }
    session->cap = 1;
    table->slots[slot].session = session;
    return session;
}

struct ss_followed *ss__followers_get(const struct ss_followers *table,
                                      struct ss_session_handle handle)
{
    if (handle.slot >= table->slots_count ||
        table->slots[handle.slot].generation != handle.generation) {
        return NULL;
    }
    return table->slots[handle.slot].session;
}

static struct ss_follower *list_of(struct ss_followed *session)
{
    return session->cap == 1 ? &session->followers.one : session->followers.many;
}

static int grow(struct ss_followed *session)
{
    uint32_t cap = session->cap * 2;
    struct ss_follower *many = malloc(cap * sizeof *many);
    if (many == NULL) {
        return SS_E_NOMEM;
    }
    memcpy(many, list_of(session), session->count * sizeof *many);
    free_followers(session);
    session->followers.many = many;
    session->cap = cap;
    return 0;
}

int ss__followers_add(struct ss_followers *table, struct ss_followed *session,
                      struct ss_follower follower, uint32_t *ret_place)
{
    if (session->count == session->cap && grow(session) != 0) {
        return SS_E_NOMEM;
    }
    *ret_place = session->count;
    list_of(session)[session->count++] = follower;
    table->total++;
    return 0;
}

bool ss__followers_remove(struct ss_followers *table, struct ss_followed *session, uint32_t place,
                          struct ss_follower *ret_moved)
{
    SS_REQUIRE(place < session->count);
    session->count--;
    table->total--;
    if (place == session->count) {
        return false;
    }
    struct ss_follower *followers = list_of(session);
    followers[place] = followers[session->count];
    *ret_moved = followers[place];
    return true;
}

struct ss_msg_uninterested *ss__followers_settle(struct ss_followers *table,
                                                 struct ss_followed *session)
{
    if (session->count > 0 || session->asking > 0) {
        return NULL;
    }
    SS_INSIST(ss__map_remove(&table->by_id, session->farewell.session_hash, session));
    return_slot(table, session->farewell.handle.slot);
    if (!session->known) {
        free_session(session);
        return NULL;
    }
    free_followers(session);
    return &session->farewell;
}
