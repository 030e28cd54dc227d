#include "lint/places.h"

#include "core/contract.h"
#include "schema/pb.h"

#define INFO_LOCATION 1
#define LOCATION_PATH 1
#define LOCATION_SPAN 2

struct location {
    struct ss_str path;
    uint32_t line;
    uint32_t column;
};

static bool location_matches(const void *value, struct ss_str key)
{
    return ss_str_equal(((const struct location *)value)->path, key);
}

static void push_varint(struct ss_lint_path *path, uint32_t value)
{
    while (value >= 0x80) {
        path->bytes[path->len++] = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    path->bytes[path->len++] = (uint8_t)value;
}

void ss__lint_path_push(struct ss_lint_path *path, uint32_t number, uint32_t index)
{
    SS_INSIST(path->len + 10 <= sizeof path->bytes);
    push_varint(path, number);
    push_varint(path, index);
}

/* One varint of a packed list; false when cut off or beyond 32 bits. */
static bool read_number(struct ss_str *list, uint32_t *ret_number)
{
    uint64_t value = 0;
    for (unsigned shift = 0; list->len > 0 && shift < 35; shift += 7) {
        uint8_t byte = (uint8_t)*list->data;
        *list = ss_str_of(list->data + 1, list->len - 1);
        value |= (uint64_t)(byte & 0x7F) << shift;
        if (byte < 0x80) {
            *ret_number = (uint32_t)value;
            return value < UINT32_MAX;
        }
    }
    return false;
}

static int read_location(struct ss_lint_places *places, struct ss_arena *arena,
                         struct ss_str packed)
{
    struct ss_pb_reader reader = ss__pb_reader(packed);
    struct ss_pb_field field;
    struct ss_str path = { NULL, 0 };
    struct ss_str span = { NULL, 0 };
    while (ss__pb_next(&reader, &field)) {
        if (field.wire == SS_PB_LEN && field.number == LOCATION_PATH) {
            path = field.bytes;
        } else if (field.wire == SS_PB_LEN && field.number == LOCATION_SPAN) {
            span = field.bytes;
        }
    }
    uint32_t line;
    uint32_t column;
    uint64_t hash = ss__map_hash(path);
    if (!read_number(&span, &line) || !read_number(&span, &column) || path.len == 0 ||
        ss__map_get(&places->map, hash, path) != NULL) {
        return 0;
    }
    struct location *location = ss__arena_alloc(arena, sizeof *location);
    if (location == NULL) {
        return SS_E_NOMEM;
    }
    *location = (struct location){ path, line + 1, column + 1 };
    return ss__map_put(&places->map, hash, location);
}

int ss__lint_places_init(struct ss_lint_places *places, struct ss_arena *arena,
                         struct ss_str file, struct ss_str info)
{
    struct ss_pb_reader reader = ss__pb_reader(info);
    struct ss_pb_field field;
    int err = 0;
    ss__map_init(&places->map, location_matches);
    places->file = file;
    while (err == 0 && ss__pb_next(&reader, &field)) {
        if (field.wire == SS_PB_LEN && field.number == INFO_LOCATION) {
            err = read_location(places, arena, field.bytes);
        }
    }
    if (err != 0) {
        ss__map_deinit(&places->map);
    }
    return err;
}

void ss__lint_places_deinit(struct ss_lint_places *places)
{
    ss__map_deinit(&places->map);
}

struct ss_lint_place ss__lint_places_find(const struct ss_lint_places *places,
                                          const struct ss_lint_path *path)
{
    struct ss_str key = ss_str_of(path->bytes, path->len);
    const struct location *location = ss__map_get(&places->map, ss__map_hash(key), key);
    return location == NULL ? (struct ss_lint_place){ .file = places->file }
                            : (struct ss_lint_place){ places->file, location->line,
                                                      location->column };
}
