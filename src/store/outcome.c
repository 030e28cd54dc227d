#include "store/outcome.h"

#include "core/contract.h"
#include "store/bytes_order.h"
#include "store/record.h"

#define ENTRY_BYTES 5u

void ss__outcome_add(struct ss_outcome_item *item, uint32_t projection, enum ss_outcome outcome)
{
    if (item->len == 0) {
        item->bytes[0] = SS_HEADER_OUTCOME;
        item->bytes[1] = 0;
        item->len = 2;
    }
    SS_REQUIRE(item->len + ENTRY_BYTES <= sizeof item->bytes);
    ss__put_le32(item->bytes + item->len, projection);
    item->bytes[item->len + 4] = (uint8_t)outcome;
    item->len = (uint8_t)(item->len + ENTRY_BYTES);
    item->bytes[1] = (uint8_t)(item->bytes[1] + ENTRY_BYTES);    /* a varint of one byte */
}

enum ss_outcome ss__outcome_of(const struct ss_record *record, uint32_t projection)
{
    struct ss_str entries;
    if ((record->flags & (SS_RECORD_TIMELINE_FAILED | SS_RECORD_HALTED)) == 0) {
        return SS_OUTCOME_NONE;
    }
    if (ss__header_find(record->header, SS_HEADER_OUTCOME, &entries) != 0) {
        /* Said of nobody, so of all. */
        return (record->flags & SS_RECORD_HALTED) != 0     ? SS_OUTCOME_HALTED
               : (record->flags & SS_RECORD_ADVANCED) != 0 ? SS_OUTCOME_ADVANCED
                                                           : SS_OUTCOME_FAILED;
    }
    for (size_t at = 0; at + ENTRY_BYTES <= entries.len; at += ENTRY_BYTES) {
        const uint8_t *in = (const uint8_t *)entries.data + at;
        if (ss__get_le32(in) == projection) {
            return in[4] == SS_OUTCOME_HALTED || in[4] == SS_OUTCOME_ADVANCED
                       ? (enum ss_outcome)in[4]
                       : SS_OUTCOME_FAILED;
        }
    }
    return SS_OUTCOME_NONE;
}
