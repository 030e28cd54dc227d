/* timelines.h - what a session's row says of its timeline projections. Pure but for memory.
 *
 * One entry per projection that ever wrote a checkpoint of the session, registered or not, by
 * ascending id, little-endian:
 *
 *     0  u32  projection          16 u8   1: halted
 *     4  u32  version             17 u8   n: ordinals of failed events
 *     8  u64  ordinal             18      if n > 0: u64 how many failed, n times u64 ordinal
 *
 * Decoders judge bytes from disk: SS_E_CORRUPT, never an abort. */
#ifndef SS_STORE_TIMELINES_H
#define SS_STORE_TIMELINES_H

#include <stddef.h>
#include <stdint.h>

#include <sessionstream/types.h>

#include "store/store.h"

#define SS_TIMELINE_FIXED_BYTES 18u
#define SS_TIMELINE_BYTES_MAX (SS_TIMELINE_FIXED_BYTES + 8u + 8u * SS_FAILED_ORDINALS_MAX)
#define SS_TIMELINES_BYTES_MAX (SS_TIMELINE_BYTES_MAX * SS_STORE_PROJECTIONS_MAX)

/* In one block of memory, failed sets included, which nobody changes; NULL stands for none. */
struct ss_timeline_list {
    uint32_t count;
    struct ss_timeline_row rows[];
};

/* Takes the entry at *@at of @entries and moves on: 1; 0 at the end; or SS_E_CORRUPT. The set is
 * left as it is if no event failed. */
int ss__timelines_next(struct ss_str entries, size_t *at, struct ss_timeline_row *ret_row,
                       struct ss_failed_set *ret_failed);

/* 0 if all of it is well-formed. */
int ss__timelines_check(struct ss_str entries);

/* The entry of one projection: 0, or SS_E_NOTFOUND. Of entries that have been checked. */
int ss__timelines_pick(struct ss_str entries, uint32_t projection,
                       struct ss_timeline_row *ret_row, struct ss_failed_set *ret_failed);

/* The newest event that any entry says it shows. Of entries that have been checked. */
uint64_t ss__timelines_newest(struct ss_str entries);

/* Writes at most SS_TIMELINES_BYTES_MAX bytes; returns how many. */
size_t ss__timelines_encode(uint8_t *out, const struct ss_timeline_list *list);

/* From entries that have been checked. SS_E_NOMEM. */
int ss__timelines_decode(struct ss_str entries, struct ss_timeline_list **ret_list);

/* The index of a projection in the list, or -1. */
int ss__timelines_index(const struct ss_timeline_list *list, uint32_t projection);

/* The list with these in place of what it says of them; the others stay. SS_E_NOMEM, SS_E_LIMIT. */
int ss__timelines_merge(const struct ss_timeline_list *list,
                        const struct ss_timeline_checkpoint *newer, uint32_t count,
                        struct ss_timeline_list **ret_list);

#endif
