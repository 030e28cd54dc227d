#include "lint_fixture.h"

#include "lint/places.h"
#include "schema/pb.h"

static void put_location(struct ss_bytes *out, struct ss_str path, struct ss_str span)
{
    struct ss_bytes location;
    ss__bytes_init(&location, 0);
    ss__pb_bytes(&location, 1, path);
    ss__pb_bytes(&location, 2, span);
    ss__pb_bytes(out, 1, ss__bytes_view(&location));
    ss__bytes_deinit(&location);
}

SS_TEST(lint_places, lines_are_found_by_path_and_count_from_one)
{
    struct ss_arena arena;
    struct ss_bytes info;
    struct ss_lint_places places;
    struct ss_lint_path path = { .len = 0 };
    ss__arena_init(&arena, 4096);
    ss__bytes_init(&info, 0);
    put_location(&info, ss_str_of("\x04\xC8\x01", 3), ss_str_of("\xAC\x02\x07\x09", 4));
    put_location(&info, ss_str_of("\x04\xC8\x01", 3), ss_str_of("\x01\x01\x01", 3));
    ss_check(ss__lint_places_init(&places, &arena, ss_str("a.proto"), ss__bytes_view(&info)) == 0);
    ss__lint_path_push(&path, 4, 200);
    struct ss_lint_place place = ss__lint_places_find(&places, &path);
    ss_check(place.line == 301 && place.column == 8);
    ss_check(ss_str_equal(place.file, ss_str("a.proto")));
    ss__lint_path_push(&path, 2, 0);
    place = ss__lint_places_find(&places, &path);
    ss_check(place.line == 0 && ss_str_equal(place.file, ss_str("a.proto")));
    ss__lint_places_deinit(&places);
    ss__bytes_deinit(&info);
    ss__arena_deinit(&arena);
}

SS_TEST(lint_places, broken_entries_cost_their_line_only)
{
    static const struct {
        const char *path;
        size_t path_len;
        const char *span;
        size_t len;
    } bad[] = {
        { "", 0, "\x01\x01\x01", 3 },
        { "\x04\x00", 2, "\x01", 1 },
        { "\x04\x01", 2, "\x80", 1 },
        { "\x04\x02", 2, "\xFF\xFF\xFF\xFF\x7F\x01", 6 },
        { "\x04\x03", 2, "\xFF\xFF\xFF\xFF\xFF\xFF\x01", 7 },
    };
    struct ss_arena arena;
    struct ss_bytes info;
    struct ss_lint_places places;
    ss__arena_init(&arena, 4096);
    ss__bytes_init(&info, 0);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        put_location(&info, ss_str_of(bad[i].path, bad[i].path_len),
                     ss_str_of(bad[i].span, bad[i].len));
    }
    ss__pb_bytes(&info, 1, ss_str_of("\xFF", 1));
    put_location(&info, ss_str_of("\x04\x04", 2), ss_str_of("\x01\x01\x01", 3));
    ss_check(ss__lint_places_init(&places, &arena, ss_str("a"), ss__bytes_view(&info)) == 0);
    for (uint32_t i = 0; i <= 4; i++) {
        struct ss_lint_path path = { .len = 0 };
        ss__lint_path_push(&path, 4, i);
        ss_check(ss__lint_places_find(&places, &path).line == (i == 4 ? 2 : 0));
    }
    ss__lint_places_deinit(&places);
    ss__bytes_deinit(&info);
    ss__arena_deinit(&arena);
}
