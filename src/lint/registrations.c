#include "lint/registrations.h"

#include <stdlib.h>
#include <string.h>

#include <sessionstream/limits.h>

#include "core/utf8.h"
#include "schema/pb.h"

#define ARENA_CHUNK_BYTES ((size_t)4 << 10)

/* No number of FileDescriptorSet: file is 1, its extensions begin at 536000000. */
#define SET_REGISTRATION 51966
#define REGISTRATION_SPACE 1
#define REGISTRATION_NAME 2
#define REGISTRATION_TYPE 3

/* Names are compared with each other. */
#define READ_COUNT_MAX 10000

/* What a broken application may register is shown cut. */
#define SHOWN_BYTES_MAX 256

static const struct {
    const char *text;
    const char *symbol;
} spaces[SS_SPACE_COUNT] = {
    { "command", "command/" },
    { "event", "event/" },
    { "UI event", "ui-event/" },
    { "entity kind", "entity/" },
};

const char *ss__lint_space_text(enum ss_name_space space)
{
    return spaces[space].text;
}

void ss__lint_registrations_init(struct ss_lint_registrations *all)
{
    *all = (struct ss_lint_registrations){ 0 };
    ss__arena_init(&all->arena, ARENA_CHUNK_BYTES);
    ss__bytes_init(&all->sets, 0);
}

void ss__lint_registrations_deinit(struct ss_lint_registrations *all)
{
    free(all->items);
    ss__bytes_deinit(&all->sets);
    ss__arena_deinit(&all->arena);
}

/* @prefix and @text in the arena; bytes that are no UTF-8 and NUL become '?'. */
static struct ss_str copy_clean(struct ss_arena *arena, const char *prefix, struct ss_str text)
{
    size_t before = strlen(prefix);
    size_t len = text.len < SHOWN_BYTES_MAX ? text.len : SHOWN_BYTES_MAX;
    char *copy = ss__arena_alloc(arena, before + len + 1);
    if (copy == NULL) {
        return (struct ss_str){ NULL, 0 };
    }
    memcpy(copy, prefix, before);
    for (size_t i = 0; i < len;) {
        size_t step = ss__utf8_char_len((const uint8_t *)text.data + i, len - i);
        if (step == 0 || text.data[i] == '\0') {
            copy[before + i++] = '?';
            continue;
        }
        memcpy(copy + before + i, text.data + i, step);
        i += step;
    }
    copy[before + len] = '\0';
    return ss_str_of(copy, before + len);
}

int ss__lint_registrations_add(struct ss_lint_registrations *all, enum ss_name_space space,
                               struct ss_str name, struct ss_str type, int refused)
{
    if (all->count == all->cap) {
        size_t cap = all->cap == 0 ? 32 : all->cap * 2;
        struct ss_lint_registration *items = realloc(all->items, cap * sizeof *items);
        if (items == NULL) {
            return SS_E_NOMEM;
        }
        all->items = items;
        all->cap = cap;
    }
    struct ss_lint_registration *item = &all->items[all->count];
    item->space = space;
    item->name = copy_clean(&all->arena, "", name);
    item->type = copy_clean(&all->arena, "", type);
    item->symbol = copy_clean(&all->arena, spaces[space].symbol, name);
    item->err = refused;
    if (item->name.data == NULL || item->type.data == NULL || item->symbol.data == NULL) {
        return SS_E_NOMEM;
    }
    all->count++;
    return 0;
}

void ss__lint_registrations_write(const struct ss_lint_registrations *all, struct ss_bytes *out)
{
    struct ss_bytes entry;
    ss__bytes_init(&entry, 0);
    for (size_t i = 0; i < all->count; i++) {
        const struct ss_lint_registration *item = &all->items[i];
        if (item->err == 0) {
            ss__bytes_clear(&entry);
            ss__pb_u64(&entry, REGISTRATION_SPACE, item->space);
            ss__pb_bytes(&entry, REGISTRATION_NAME, item->name);
            ss__pb_bytes(&entry, REGISTRATION_TYPE, item->type);
            ss__pb_bytes(out, SET_REGISTRATION, ss__bytes_view(&entry));
        }
        if (entry.err != 0 && out->err == 0) {
            out->err = entry.err;
        }
    }
    ss__bytes_deinit(&entry);
}

static int read_one(struct ss_lint_registrations *all, struct ss_str packed)
{
    struct ss_pb_reader reader = ss__pb_reader(packed);
    struct ss_pb_field field;
    uint64_t space = SS_SPACE_COUNT;
    struct ss_str name = { NULL, 0 };
    struct ss_str type = { NULL, 0 };
    while (ss__pb_next(&reader, &field)) {
        if (field.wire == SS_PB_VARINT && field.number == REGISTRATION_SPACE) {
            space = field.value;
        } else if (field.wire == SS_PB_LEN && field.number == REGISTRATION_NAME) {
            name = field.bytes;
        } else if (field.wire == SS_PB_LEN && field.number == REGISTRATION_TYPE) {
            type = field.bytes;
        }
    }
    if (reader.failed || space >= SS_SPACE_COUNT || name.len == 0 || type.len == 0) {
        return 0;
    }
    return ss__lint_registrations_add(all, (enum ss_name_space)space, name, type, 0);
}

int ss__lint_registrations_read(struct ss_lint_registrations *all, struct ss_str set)
{
    struct ss_pb_reader reader = ss__pb_reader(set);
    struct ss_pb_field field;
    int err = 0;
    while (err == 0 && ss__pb_next(&reader, &field)) {
        if (field.wire == SS_PB_LEN && field.number == SET_REGISTRATION) {
            err = all->count < READ_COUNT_MAX ? read_one(all, field.bytes) : SS_E_TOOBIG;
        }
    }
    return err;
}

const struct ss_lint_registration *
ss__lint_registrations_find(const struct ss_lint_registrations *all, enum ss_name_space space,
                            struct ss_str name)
{
    for (size_t i = 0; i < all->count; i++) {
        const struct ss_lint_registration *item = &all->items[i];
        if (item->err == 0 && item->space == space && ss_str_equal(item->name, name)) {
            return item;
        }
    }
    return NULL;
}
