#include "store/timelines.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <sessionstream/error.h>

#include "store/bytes_order.h"

/* The oldest are named before any is only counted. */
static int take_failed(const uint8_t *in, uint32_t named, uint64_t shown,
                       struct ss_failed_set *ret_failed)
{
    struct ss_failed_set set = { 0 };
    uint64_t before = 0;
    for (uint32_t i = 0; i < named; i++) {
        uint64_t ordinal = ss__get_le64(in + 8 + 8 * (size_t)i);
        if (ordinal <= before || ordinal > shown) {
            return SS_E_CORRUPT;
        }
        ss__failed_add(&set, ordinal);
        before = ordinal;
    }
    uint64_t total = ss__get_le64(in);
    if (total < set.total || (total > set.total && named < SS_FAILED_ORDINALS_MAX)) {
        return SS_E_CORRUPT;
    }
    set.total = total;
    *ret_failed = set;
    return 0;
}

int ss__timelines_next(struct ss_str entries, size_t *at, struct ss_timeline_row *ret_row,
                       struct ss_failed_set *ret_failed)
{
    const uint8_t *in = (const uint8_t *)entries.data + *at;
    size_t left = entries.len - *at;
    if (left == 0) {
        return 0;
    }
    if (left < SS_TIMELINE_FIXED_BYTES || in[16] > 1 || in[17] > SS_FAILED_ORDINALS_MAX) {
        return SS_E_CORRUPT;
    }
    struct ss_timeline_row row = { .projection = ss__get_le32(in), .version = ss__get_le32(in + 4),
                                   .ordinal = ss__get_le64(in + 8), .halted = in[16] == 1 };
    uint32_t named = in[17];
    size_t len = SS_TIMELINE_FIXED_BYTES + (named == 0 ? 0 : 8 + 8 * (size_t)named);
    if (left < len || row.projection == 0 || row.ordinal == UINT64_MAX) {
        return SS_E_CORRUPT;
    }
    if (named > 0) {
        int err = take_failed(in + SS_TIMELINE_FIXED_BYTES, named, row.ordinal, ret_failed);
        if (err != 0) {
            return err;
        }
        row.failed = ret_failed;
    }
    *ret_row = row;
    *at += len;
    return 1;
}

int ss__timelines_check(struct ss_str entries)
{
    size_t at = 0;
    uint32_t before = 0;
    struct ss_timeline_row row = { 0 };
    struct ss_failed_set failed;
    int found = 0;
    for (uint32_t count = 0; (found = ss__timelines_next(entries, &at, &row, &failed)) == 1;) {
        if (row.projection <= before || ++count > SS_STORE_PROJECTIONS_MAX) {
            return SS_E_CORRUPT;
        }
        before = row.projection;
    }
    return found;
}

int ss__timelines_pick(struct ss_str entries, uint32_t projection,
                       struct ss_timeline_row *ret_row, struct ss_failed_set *ret_failed)
{
    size_t at = 0;
    struct ss_timeline_row row = { 0 };
    while (ss__timelines_next(entries, &at, &row, ret_failed) == 1) {
        if (row.projection == projection) {
            *ret_row = row;
            return 0;
        }
    }
    return SS_E_NOTFOUND;
}

uint64_t ss__timelines_newest(struct ss_str entries)
{
    size_t at = 0;
    uint64_t newest = 0;
    struct ss_timeline_row row = { 0 };
    struct ss_failed_set failed;
    while (ss__timelines_next(entries, &at, &row, &failed) == 1) {
        newest = row.ordinal > newest ? row.ordinal : newest;
    }
    return newest;
}

static uint32_t named_of(const struct ss_timeline_row *row)
{
    return row->failed == NULL ? 0 : row->failed->named;
}

size_t ss__timelines_encode(uint8_t *out, const struct ss_timeline_list *list)
{
    uint8_t *at = out;
    for (uint32_t i = 0; list != NULL && i < list->count; i++) {
        const struct ss_timeline_row *row = &list->rows[i];
        uint32_t named = named_of(row);
        ss__put_le32(at, row->projection);
        ss__put_le32(at + 4, row->version);
        ss__put_le64(at + 8, row->ordinal);
        at[16] = row->halted ? 1 : 0;
        at[17] = (uint8_t)named;
        at += SS_TIMELINE_FIXED_BYTES;
        if (named > 0) {
            ss__put_le64(at, row->failed->total);
            at += 8;
        }
        for (uint32_t k = 0; k < named; k++, at += 8) {
            ss__put_le64(at, row->failed->ordinals[k]);
        }
    }
    return (size_t)(at - out);
}

/* Takes copies of the failed sets along. */
static int make_list(const struct ss_timeline_row *rows, uint32_t count,
                     struct ss_timeline_list **ret_list)
{
    size_t sets = 0;
    for (uint32_t i = 0; i < count; i++) {
        sets += named_of(&rows[i]) > 0;
    }
    struct ss_timeline_list *list =
        malloc(sizeof *list + count * sizeof *rows + sets * sizeof(struct ss_failed_set));
    if (list == NULL) {
        return SS_E_NOMEM;
    }
    struct ss_failed_set *set = (struct ss_failed_set *)(void *)(list->rows + count);
    list->count = count;
    for (uint32_t i = 0; i < count; i++) {
        list->rows[i] = rows[i];
        list->rows[i].failed = NULL;
        if (named_of(&rows[i]) > 0) {
            *set = *rows[i].failed;
            list->rows[i].failed = set++;
        }
    }
    *ret_list = list;
    return 0;
}

int ss__timelines_decode(struct ss_str entries, struct ss_timeline_list **ret_list)
{
    struct ss_timeline_row rows[SS_STORE_PROJECTIONS_MAX];
    struct ss_failed_set sets[SS_STORE_PROJECTIONS_MAX];
    uint32_t count = 0;
    size_t at = 0;
    *ret_list = NULL;
    while (count < SS_STORE_PROJECTIONS_MAX &&
           ss__timelines_next(entries, &at, &rows[count], &sets[count]) == 1) {
        count++;
    }
    return count == 0 ? 0 : make_list(rows, count, ret_list);
}

int ss__timelines_index(const struct ss_timeline_list *list, uint32_t projection)
{
    for (uint32_t i = 0; list != NULL && i < list->count; i++) {
        if (list->rows[i].projection == projection) {
            return (int)i;
        }
    }
    return -1;
}

static void insert(struct ss_timeline_row *rows, uint32_t *count, const struct ss_timeline_row *row)
{
    uint32_t at = *count;
    for (; at > 0 && rows[at - 1].projection > row->projection; at--) {
        rows[at] = rows[at - 1];
    }
    rows[at] = *row;
    (*count)++;
}

int ss__timelines_merge(const struct ss_timeline_list *list,
                        const struct ss_timeline_checkpoint *newer, uint32_t count,
                        struct ss_timeline_list **ret_list)
{
    struct ss_timeline_row rows[SS_STORE_PROJECTIONS_MAX];
    uint32_t merged = 0;
    for (uint32_t i = 0; i < count; i++) {
        insert(rows, &merged, &newer[i].row);
    }
    for (uint32_t i = 0; list != NULL && i < list->count; i++) {
        bool replaced = false;
        for (uint32_t k = 0; k < count; k++) {
            replaced |= newer[k].row.projection == list->rows[i].projection;
        }
        if (!replaced && merged == SS_STORE_PROJECTIONS_MAX) {
            return SS_E_LIMIT;
        }
        if (!replaced) {
            insert(rows, &merged, &list->rows[i]);
        }
    }
    return make_list(rows, merged, ret_list);
}
