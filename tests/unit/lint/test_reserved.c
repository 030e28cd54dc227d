#include "lint_fixture.h"

#include "lint/reserved.h"
#include "schema/pb.h"

static void put_range(struct ss_bytes *out, uint32_t number, int64_t start, int64_t end)
{
    struct ss_bytes range;
    ss__bytes_init(&range, 0);
    ss__pb_u64(&range, 1, (uint64_t)start);
    ss__pb_u64(&range, 2, (uint64_t)end);
    ss__pb_bytes(out, number, ss__bytes_view(&range));
    ss__bytes_deinit(&range);
}

SS_TEST(lint_reserved, ranges_of_messages_end_before_and_those_of_enums_at_their_end)
{
    struct ss_arena arena;
    struct ss_bytes packed;
    struct ss_lint_reserved reserved;
    ss__arena_init(&arena, 4096);
    ss__bytes_init(&packed, 0);
    put_range(&packed, 9, 5, 7);
    put_range(&packed, 4, -3, -1);
    ss_check(ss__lint_reserved_read(&arena, &ss__lint_message_reserved, ss__bytes_view(&packed),
                                    &reserved) == 0);
    ss_check(reserved.range_count == 1 && ss__lint_reserves_number(&reserved, 6) &&
             !ss__lint_reserves_number(&reserved, 7) && !ss__lint_reserves_number(&reserved, 4));
    ss_check(ss__lint_reserved_read(&arena, &ss__lint_enum_reserved, ss__bytes_view(&packed),
                                    &reserved) == 0);
    ss_check(reserved.range_count == 1 && ss__lint_reserves_number(&reserved, -1) &&
             ss__lint_reserves_number(&reserved, -3) && !ss__lint_reserves_number(&reserved, 0));
    ss__bytes_deinit(&packed);
    ss__arena_deinit(&arena);
}

SS_TEST(lint_reserved, overlapping_ranges_are_joined_and_broken_ones_left_out)
{
    struct ss_arena arena;
    struct ss_bytes packed;
    struct ss_lint_reserved reserved;
    ss__arena_init(&arena, 4096);
    ss__bytes_init(&packed, 0);
    put_range(&packed, 9, 20, 30);
    put_range(&packed, 9, 1, 5);
    put_range(&packed, 9, 4, 8);
    put_range(&packed, 9, 8, 10);
    put_range(&packed, 9, 50, 40);
    ss__pb_bytes(&packed, 9, ss_str_of("\xFF", 1));
    ss__pb_bytes(&packed, 10, ss_str("b"));
    ss__pb_bytes(&packed, 10, ss_str("a"));
    ss__pb_bytes(&packed, 10, ss_str_of("\xFF", 1));
    ss_check(ss__lint_reserved_read(&arena, &ss__lint_message_reserved, ss__bytes_view(&packed),
                                    &reserved) == 0);
    ss_check(reserved.range_count == 2 && reserved.ranges[0].first == 1 &&
             reserved.ranges[0].last == 9 && reserved.ranges[1].last == 29);
    ss_check(ss__lint_reserves_number(&reserved, 9) && !ss__lint_reserves_number(&reserved, 10));
    ss_check(reserved.name_count == 2 && ss__lint_reserves_name(&reserved, ss_str("a")) &&
             !ss__lint_reserves_name(&reserved, ss_str("c")));
    ss__bytes_deinit(&packed);
    ss__arena_deinit(&arena);
}

SS_TEST(lint_reserved, the_first_number_that_is_free_again)
{
    struct ss_lint_range ranges[] = { { 1, 4 }, { 6, 9 } };
    struct ss_lint_reserved reserved = { .ranges = ranges, .range_count = 2 };
    ss_check(ss__lint_reserved_gap(&reserved, (struct ss_lint_range){ 1, 4 }) ==
             SS_LINT_ALL_RESERVED);
    ss_check(ss__lint_reserved_gap(&reserved, (struct ss_lint_range){ 7, 8 }) ==
             SS_LINT_ALL_RESERVED);
    ss_check(ss__lint_reserved_gap(&reserved, (struct ss_lint_range){ 2, 7 }) == 5);
    ss_check(ss__lint_reserved_gap(&reserved, (struct ss_lint_range){ 5, 7 }) == 5);
    ss_check(ss__lint_reserved_gap(&reserved, (struct ss_lint_range){ 0, 2 }) == 0);
    ss_check(ss__lint_reserved_gap(&reserved, (struct ss_lint_range){ 8, 12 }) == 10);
    ss_check(ss__lint_reserved_gap(&reserved, (struct ss_lint_range){ 30, 31 }) == 30);
}
