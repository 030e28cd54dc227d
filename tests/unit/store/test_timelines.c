/* What a session's row says of its timeline projections. */
#include "store/timelines.h"
#include "store_fixture.h"

static struct ss_failed_set set_of(uint64_t first, uint64_t total)
{
    struct ss_failed_set set = { 0 };
    for (uint64_t i = 0; i < total; i++) {
        ss__failed_add(&set, first + i);
    }
    return set;
}

static bool same(const struct ss_failed_set *a, const struct ss_failed_set *b)
{
    bool none = a == NULL && b == NULL;
    return none || (a != NULL && b != NULL && a->total == b->total && a->named == b->named &&
                    memcmp(a->ordinals, b->ordinals, a->named * sizeof a->ordinals[0]) == 0);
}

static struct ss_timeline_checkpoint entry(uint32_t projection, uint64_t ordinal,
                                           const struct ss_failed_set *failed)
{
    return (struct ss_timeline_checkpoint){ .row = { .projection = projection,
                                                     .version = projection * 10,
                                                     .ordinal = ordinal,
                                                     .halted = projection % 2 == 1,
                                                     .failed = failed } };
}

static struct ss_timeline_list *merge(const struct ss_timeline_list *list,
                                      const struct ss_timeline_checkpoint *newer, uint32_t count)
{
    struct ss_timeline_list *merged = NULL;
    ss_check(ss__timelines_merge(list, newer, count, &merged) == 0);
    return merged;
}

static void check_row(const struct ss_timeline_row *row, uint32_t projection, uint64_t ordinal,
                      const struct ss_failed_set *failed)
{
    ss_check(row->projection == projection && row->version == projection * 10 &&
             row->ordinal == ordinal && row->halted == (projection % 2 == 1));
    ss_check(same(row->failed, failed));
}

SS_TEST(timelines, the_oldest_failures_are_named_and_more_are_counted)
{
    struct ss_failed_set set = set_of(5, SS_FAILED_ORDINALS_MAX + 3);
    ss_check(set.named == SS_FAILED_ORDINALS_MAX && set.total == SS_FAILED_ORDINALS_MAX + 3);
    ss_check(set.ordinals[0] == 5 && set.ordinals[15] == 20);
}

SS_TEST(timelines, a_merge_replaces_its_own_and_keeps_the_others_in_order)
{
    struct ss_failed_set failed = set_of(3, 2);
    struct ss_failed_set more = set_of(1, SS_FAILED_ORDINALS_MAX + 4);
    struct ss_timeline_checkpoint first[] = { entry(7, 60, &failed), entry(2, 50, NULL) };
    struct ss_timeline_list *one = merge(NULL, first, 2);
    ss_check(one->count == 2 && ss__timelines_index(one, 7) == 1);
    check_row(&one->rows[0], 2, 50, NULL);
    check_row(&one->rows[1], 7, 60, &failed);
    ss_check(one->rows[1].failed != &failed);
    struct ss_timeline_checkpoint second[] = { entry(5, 70, &more), entry(2, 65, NULL) };
    struct ss_timeline_list *two = merge(one, second, 2);
    ss_check(two->count == 3 && ss__timelines_index(two, 3) == -1);
    check_row(&two->rows[0], 2, 65, NULL);
    check_row(&two->rows[1], 5, 70, &more);
    check_row(&two->rows[2], 7, 60, &failed);
    free(one);
    free(two);
    ss_check(ss__timelines_index(NULL, 2) == -1);
}

SS_TEST(timelines, a_full_list_takes_no_other_projection)
{
    struct ss_timeline_list *list = NULL;
    for (uint32_t id = 1; id <= SS_STORE_PROJECTIONS_MAX; id++) {
        struct ss_timeline_checkpoint one = entry(id, 1, NULL);
        struct ss_timeline_list *longer = merge(list, &one, 1);
        free(list);
        list = longer;
    }
    struct ss_timeline_list *never = NULL;
    struct ss_timeline_checkpoint more = entry(SS_STORE_PROJECTIONS_MAX + 1, 1, NULL);
    ss_check(ss__timelines_merge(list, &more, 1, &never) == SS_E_LIMIT && never == NULL);
    struct ss_timeline_checkpoint same_one = entry(3, 2, NULL);
    never = merge(list, &same_one, 1);
    ss_check(never->count == SS_STORE_PROJECTIONS_MAX);
    free(never);
    free(list);
}

/* A row with projections 2 and 7, the second with failed events. */
static size_t encode_row(uint8_t *out, const struct ss_failed_set *failed)
{
    static uint8_t entries[SS_TIMELINES_BYTES_MAX];
    struct ss_timeline_checkpoint both[] = { entry(2, 70, NULL), entry(7, 60, failed) };
    struct ss_timeline_list *list = merge(NULL, both, 2);
    struct ss_row_value row = { .ordinal = 70, .first_retained = 1, .tip = { 65, 6, 600 },
                                .running = true, .id = ss_str("one") };
    row.timelines = ss_str_of(entries, ss__timelines_encode(entries, list));
    free(list);
    return ss__row_encode(out, 7, &row);
}

SS_TEST(timelines, a_row_tells_them_again_and_every_bit_counts)
{
    static const uint64_t counts[] = { 0, 1, SS_FAILED_ORDINALS_MAX, SS_FAILED_ORDINALS_MAX + 9 };
    static uint8_t bytes[SS_ROW_BYTES_MAX];
    struct ss_row_value got;
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        struct ss_failed_set failed = set_of(3, counts[i]);
        struct ss_timeline_list *list = NULL;
        size_t len = encode_row(bytes, &failed);
        ss_check(ss__row_decode(7, ss_str_of(bytes, len), &got) == 0 && got.running);
        ss_check(ss__timelines_decode(got.timelines, &list) == 0 && list->count == 2);
        check_row(&list->rows[0], 2, 70, NULL);
        check_row(&list->rows[1], 7, 60, counts[i] == 0 ? NULL : &failed);
        free(list);
        struct ss_timeline_row picked;
        struct ss_failed_set set;
        ss_check(ss__timelines_pick(got.timelines, 7, &picked, &set) == 0 && picked.ordinal == 60);
        ss_check(ss__timelines_pick(got.timelines, 3, &picked, &set) == SS_E_NOTFOUND);
        ss_check(ss__timelines_newest(got.timelines) == 70);
        for (size_t cut = 0; cut < len; cut++) {
            ss_check(ss__row_decode(7, ss_str_of(bytes, cut), &got) == SS_E_CORRUPT);
        }
        for (size_t bit = 0; bit < len * 8; bit++) {
            bytes[bit / 8] ^= (uint8_t)(1u << (bit % 8));
            ss_check(ss__row_decode(7, ss_str_of(bytes, len), &got) == SS_E_CORRUPT);
            bytes[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        }
    }
    struct ss_timeline_list *none;
    ss_check(ss__timelines_decode(ss_str(""), &none) == 0 && none == NULL);
}

/* One entry as bytes, which a test then spoils. */
static size_t entry_bytes(uint8_t *out, uint32_t projection, uint64_t ordinal, uint64_t failed)
{
    struct ss_failed_set set = set_of(3, failed);
    struct ss_timeline_checkpoint one = entry(projection, ordinal, &set);
    struct ss_timeline_list *list = merge(NULL, &one, 1);
    size_t len = ss__timelines_encode(out, list);
    free(list);
    return len;
}

static bool refused(const uint8_t *bytes, size_t len)
{
    return ss__timelines_check(ss_str_of(bytes, len)) == SS_E_CORRUPT;
}

SS_TEST(timelines, what_cannot_be_is_damage)
{
    uint8_t bytes[2 * SS_TIMELINE_BYTES_MAX];
    size_t len = entry_bytes(bytes, 5, 60, 3);
    ss_check(ss__timelines_check(ss_str_of(bytes, len)) == 0);
    ss__put_le64(bytes + 34, 3);          /* not ascending */
    ss_check(refused(bytes, len));
    len = entry_bytes(bytes, 5, 4, 3);    /* failed behind its end */
    ss_check(refused(bytes, len));
    len = entry_bytes(bytes, 5, 60, 3);
    ss__put_le64(bytes + 26, 0);
    ss_check(refused(bytes, len));
    len = entry_bytes(bytes, 5, 60, 3);
    ss__put_le64(bytes + 18, 4);          /* the fourth would be named */
    ss_check(refused(bytes, len));
    ss__put_le64(bytes + 18, 2);
    ss_check(refused(bytes, len));
    len = entry_bytes(bytes, 5, 60, 0);
    bytes[16] = 2;
    ss_check(refused(bytes, len));
    len = entry_bytes(bytes, 5, 60, 0);
    bytes[17] = SS_FAILED_ORDINALS_MAX + 1;
    ss_check(refused(bytes, len));
    len = entry_bytes(bytes, 0, 60, 0);
    ss_check(refused(bytes, len));
    len = entry_bytes(bytes, 5, 60, 0);
    len += entry_bytes(bytes + len, 5, 60, 0);    /* twice the same */
    ss_check(refused(bytes, len));
    len = entry_bytes(bytes, 5, 60, 0);
    len += entry_bytes(bytes + len, 6, 60, 0);
    ss_check(!refused(bytes, len) && refused(bytes, len - 1));
}
