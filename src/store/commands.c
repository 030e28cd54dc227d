#include "store/commands.h"

#include <stdlib.h>
#include <string.h>

#include "core/contract.h"
#include "core/fault.h"
#include "store/command.h"
#include "store/store_state.h"

/* A name is the length of the session id in a byte, the id, the key. */
#define NAME_BYTES_MAX (1u + SS_SESSION_ID_BYTES_MAX + SS_IDEMPOTENCY_KEY_BYTES_MAX)

static struct ss_str make_name(char *out, struct ss_str session_id, struct ss_str key)
{
    out[0] = (char)session_id.len;
    memcpy(out + 1, session_id.data, session_id.len);
    memcpy(out + 1 + session_id.len, key.data, key.len);
    return ss_str_of(out, 1 + session_id.len + key.len);
}

static bool name_matches(const void *value, struct ss_str name)
{
    const struct ss_kept_command *command = value;
    return ss_str_equal(ss_str_of(command->memory, command->name_len), name);
}

static bool owner_matches(const void *value, struct ss_str id)
{
    const struct ss_command_owner *owner = value;
    return ss_str_equal(ss_str_of(owner->id, owner->id_len), id);
}

void ss__commands_init(struct ss_commands *commands)
{
    *commands = (struct ss_commands){ 0 };
    ss__map_init(&commands->owners, owner_matches);
    ss__map_init(&commands->by_name, name_matches);
    ss__list_init(&commands->staged);
    ss__list_init(&commands->age);
    ss__list_init(&commands->logged);
    ss__list_init(&commands->leaving);
}

static struct ss_kept_command *first_by_age(const struct ss_list *list)
{
    return ss__container_of(list->next, struct ss_kept_command, age);
}

void ss__commands_free(struct ss_commands *commands)
{
    size_t at = 0;
    SS_INSIST(ss__list_empty(&commands->leaving));    /* no flush is under way */
    for (struct ss_kept_command *command;
         (command = ss__map_next(&commands->by_name, &at)) != NULL;) {
        free(command);
    }
    at = 0;
    for (void *owner; (owner = ss__map_next(&commands->owners, &at)) != NULL;) {
        free(owner);
    }
    ss__map_deinit(&commands->by_name);
    ss__map_deinit(&commands->owners);
    free(commands->doomed);
}

/* ---- one result ---- */

static struct ss_command_owner *get_owner(struct ss_commands *commands, struct ss_str id)
{
    uint64_t hash = ss__map_hash(id);
    struct ss_command_owner *owner = ss__map_get(&commands->owners, hash, id);
    if (owner != NULL) {
        return owner;
    }
    owner = calloc(1, sizeof *owner + id.len);
    if (owner == NULL) {
        return NULL;
    }
    owner->hash = hash;
    owner->id_len = (uint32_t)id.len;
    memcpy(owner->id, id.data, id.len);
    ss__list_init(&owner->commands);
    if (ss__map_put(&commands->owners, hash, owner) != 0) {
        free(owner);
        return NULL;
    }
    return owner;
}

static void release_owner(struct ss_commands *commands, struct ss_command_owner *owner)
{
    if (owner->count == 0) {
        (void)ss__map_remove(&commands->owners, owner->hash, owner);
        free(owner);
    }
}

static struct ss_kept_command *make(const struct ss_command_value *value)
{
    size_t name_len = 1 + value->session_id.len + value->key.len;
    size_t bytes = sizeof(struct ss_kept_command) + name_len + value->text.len;
    struct ss_kept_command *command = SS_FAULT("store.command") != 0 ? NULL : malloc(bytes);
    if (command == NULL) {
        return NULL;
    }
    memset(command, 0, sizeof *command);
    ss__list_init(&command->age);
    ss__list_init(&command->own);
    ss__list_init(&command->flush);
    struct ss_str name = make_name(command->memory, value->session_id, value->key);
    if (value->text.len > 0) {
        memcpy(command->memory + name.len, value->text.data, value->text.len);
    }
    command->value = *value;
    command->value.session_id = ss_str_of(command->memory + 1, value->session_id.len);
    command->value.key =
        ss_str_of(command->memory + 1 + value->session_id.len, value->key.len);
    command->value.text = ss_str_of(command->memory + name.len, value->text.len);
    command->name_len = (uint32_t)name.len;
    command->hash = ss__map_hash(name);
    command->bytes = (uint32_t)(bytes + 2 * sizeof(struct ss_map_slot));
    return command;
}

/* Makes it findable and gives it an owner; it hides @older, which may be NULL. NULL when out of
 * memory. */
static struct ss_kept_command *add(struct ss_store *store, const struct ss_command_value *value,
                                   struct ss_kept_command *older)
{
    struct ss_commands *commands = &store->commands;
    struct ss_kept_command *command = make(value);
    struct ss_command_owner *owner =
        command == NULL ? NULL : get_owner(commands, value->session_id);
    if (owner == NULL) {
        free(command);
        return NULL;
    }
    if (older != NULL) {
        ss__map_replace(&commands->by_name, command->hash, older, command);
        command->hides = older;
        older->hidden_by = command;
    } else if (ss__map_put(&commands->by_name, command->hash, command) != 0) {
        release_owner(commands, owner);
        free(command);
        return NULL;
    }
    command->owner = owner;
    ss__list_push_back(&owner->commands, &command->own);
    owner->count++;
    owner->bytes += command->bytes;
    commands->count++;
    commands->bytes += command->bytes;
    return command;
}

/* No longer found; what it hides is. */
static void unname(struct ss_commands *commands, struct ss_kept_command *command)
{
    if (command->hidden_by != NULL) {
        command->hidden_by->hides = NULL;
        command->hidden_by = NULL;
    } else if (command->hides != NULL) {
        ss__map_replace(&commands->by_name, command->hash, command, command->hides);
        command->hides->hidden_by = NULL;
        command->hides = NULL;
    } else {
        (void)ss__map_remove(&commands->by_name, command->hash, command);
    }
}

static void detach(struct ss_store *store, struct ss_kept_command *command)
{
    struct ss_commands *commands = &store->commands;
    struct ss_command_owner *owner = command->owner;
    unname(commands, command);
    ss__list_remove(&command->age);
    ss__list_remove(&command->own);
    owner->count--;
    owner->bytes -= command->bytes;
    commands->count--;
    commands->bytes -= command->bytes;
    command->owner = NULL;
    release_owner(commands, owner);
}

int ss__commands_reserve(struct ss_commands *commands, uint32_t more)
{
    uint64_t needed = commands->count + commands->doomed_count + more;
    if (needed <= commands->doomed_slots) {
        return 0;
    }
    uint64_t slots = needed + needed / 2 + 64;
    uint64_t *doomed = SS_FAULT("store.doomed") != 0
                           ? NULL
                           : realloc(commands->doomed, slots * sizeof *doomed);
    if (doomed == NULL) {
        return SS_E_NOMEM;
    }
    commands->doomed = doomed;
    commands->doomed_slots = (uint32_t)slots;
    return 0;
}

void ss__commands_doom(struct ss_store *store, uint64_t position)
{
    struct ss_commands *commands = &store->commands;
    SS_INSIST(commands->doomed_count < commands->doomed_slots);
    commands->doomed[commands->doomed_count++] = position;
}

void ss__commands_end(struct ss_commands *commands, uint64_t position)
{
    commands->ended = position > commands->ended ? position : commands->ended;
}

/* Takes a committed result out, wherever it is. */
void ss__commands_drop(struct ss_store *store, struct ss_kept_command *command)
{
    detach(store, command);
    switch (command->place) {
    case SS_COMMAND_LOGGED:
        ss__log_file_at(&store->log, command->position)->live--;
        ss__list_remove(&command->flush);
        store->commands.logged_count--;
        ss__commands_end(&store->commands, command->position);
        break;
    case SS_COMMAND_LEAVING:
        command->gone = true;    /* freed when the flush is settled */
        return;
    case SS_COMMAND_STORED:
        ss__commands_doom(store, command->position);
        break;
    case SS_COMMAND_STAGED:
        break;
    }
    free(command);
}

static void become_committed(struct ss_store *store, struct ss_kept_command *command,
                             enum ss_command_place place)
{
    command->place = place;
    ss__list_push_back(&store->commands.age, &command->age);
    if (place == SS_COMMAND_LOGGED) {
        ss__list_push_back(&store->commands.logged, &command->flush);
        store->commands.logged_count++;
    }
}

static struct ss_kept_command *find(const struct ss_store *store, struct ss_str session_id,
                               struct ss_str key)
{
    char bytes[NAME_BYTES_MAX];
    if (store->commands.count == 0 || session_id.len > SS_SESSION_ID_BYTES_MAX ||
        key.len > SS_IDEMPOTENCY_KEY_BYTES_MAX) {
        return NULL;
    }
    struct ss_str name = make_name(bytes, session_id, key);
    return ss__map_get(&store->commands.by_name, ss__map_hash(name), name);
}

/* ---- limits ---- */

bool ss__commands_expired(const struct ss_store *store, const struct ss_command_value *value,
                          uint64_t now_us)
{
    uint64_t ttl_us = (uint64_t)store->options.command_ttl_ms * 1000;
    return now_us > value->time_us && now_us - value->time_us >= ttl_us;
}

static void evict(struct ss_store *store, struct ss_kept_command *command)
{
    store->commands.evicted++;
    ss__commands_drop(store, command);
}

/* Those that are staged have to wait for their commit. */
static void bound_owner(struct ss_store *store, struct ss_command_owner *owner)
{
    while (owner->count > SS_SESSION_KEYS_MAX ||
           (owner->bytes > SS_SESSION_KEYS_BYTES_MAX && owner->count > 1)) {
        struct ss_kept_command *oldest =
            ss__container_of(owner->commands.next, struct ss_kept_command, own);
        if (oldest->place == SS_COMMAND_STAGED) {
            return;
        }
        evict(store, oldest);
    }
}

void ss__commands_bound(struct ss_store *store)
{
    struct ss_commands *commands = &store->commands;
    while ((commands->count > SS_SHARD_KEYS_MAX || commands->bytes > SS_SHARD_KEYS_BYTES_MAX) &&
           !ss__list_empty(&commands->age)) {
        evict(store, first_by_age(&commands->age));
    }
}

/* ---- what is committed ---- */

int ss__commands_add(struct ss_store *store, const struct ss_command_value *value,
                     uint64_t position, enum ss_command_place place)
{
    struct ss_kept_command *older = find(store, value->session_id, value->key);
    if (older != NULL) {
        ss__commands_drop(store, older);
    }
    struct ss_kept_command *command = add(store, value, NULL);
    if (command == NULL) {
        return SS_E_NOMEM;
    }
    command->position = position;
    become_committed(store, command, place);
    bound_owner(store, command->owner);
    return 0;
}

/* ---- the open batch ---- */

void ss__commands_move(struct ss_store *store, uint64_t distance)
{
    struct ss_list *staged = &store->commands.staged;
    for (struct ss_list *link = staged->next; link != staged; link = link->next) {
        ss__container_of(link, struct ss_kept_command, age)->position += distance;
    }
}

void ss__commands_settle(struct ss_store *store)
{
    struct ss_commands *commands = &store->commands;
    if (ss__list_empty(&commands->staged)) {
        return;
    }
    ss__log_current(&store->log)->live -= commands->replaced;
    commands->replaced = 0;
    while (!ss__list_empty(&commands->staged)) {
        struct ss_kept_command *command = first_by_age(&commands->staged);
        ss__list_remove(&command->age);
        if (command->hides != NULL) {
            ss__commands_drop(store, command->hides);
        }
        become_committed(store, command, SS_COMMAND_LOGGED);
        bound_owner(store, command->owner);
    }
    ss__commands_bound(store);
}

void ss__commands_abort(struct ss_store *store)
{
    struct ss_commands *commands = &store->commands;
    commands->replaced = 0;
    while (!ss__list_empty(&commands->staged)) {
        ss__commands_drop(store, first_by_age(&commands->staged));
    }
}

/* ---- for the shard ---- */

const struct ss_command_value *ss__store_find_command(struct ss_store *store,
                                                      struct ss_str session_id, uint64_t sid,
                                                      struct ss_str key, uint64_t now_us)
{
    const struct ss_kept_command *command = find(store, session_id, key);
    if (command == NULL || ss__commands_expired(store, &command->value, now_us)) {
        return NULL;
    }
    bool same_life = command->value.sid == 0 || command->value.sid == sid;
    return same_life ? &command->value : NULL;
}

int ss__store_stage_command(struct ss_store *store, const struct ss_command_value *value)
{
    SS_REQUIRE(value->session_id.len > 0 && value->session_id.len <= SS_SESSION_ID_BYTES_MAX &&
               value->key.len > 0 && value->key.len <= SS_IDEMPOTENCY_KEY_BYTES_MAX &&
               value->text.len <= SS_COMMAND_TEXT_BYTES_MAX);
    struct ss_kept_command *older = find(store, value->session_id, value->key);
    if (older != NULL && older->place == SS_COMMAND_STAGED) {
        /* Of an earlier life that began and ended in this batch, where its record stays. */
        struct ss_kept_command *hidden = older->hides;
        store->commands.replaced++;
        ss__commands_drop(store, older);
        older = hidden;
    }
    struct ss_kept_command *command = add(store, value, older);
    if (command == NULL) {
        return SS_E_NOMEM;
    }
    ss__list_push_back(&store->commands.staged, &command->age);
    int err = ss__stage_result(store, &command->value, &command->position);
    if (err != 0) {
        ss__commands_drop(store, command);
    }
    return err;
}

void ss__store_forget_commands(struct ss_store *store, struct ss_str session_id)
{
    struct ss_command_owner *owner =
        ss__map_get(&store->commands.owners, ss__map_hash(session_id), session_id);
    uint32_t left = owner == NULL ? 0 : owner->count;
    for (struct ss_list *link = left == 0 ? NULL : owner->commands.next; left > 0; left--) {
        struct ss_kept_command *command = ss__container_of(link, struct ss_kept_command, own);
        link = link->next;
        if (command->place != SS_COMMAND_STAGED) {
            ss__commands_drop(store, command);    /* the last takes its owner along */
        }
    }
}

void ss__store_command_stats(const struct ss_store *store, struct ss_command_stats *ret_stats)
{
    const struct ss_commands *commands = &store->commands;
    *ret_stats = (struct ss_command_stats){ commands->count, commands->bytes,
                                            commands->evicted };
}
