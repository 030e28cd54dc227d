#include "shard/fold_past.h"

#include "shard/shard_state.h"

int ss__fold_past(struct ss_fold *fold, struct ss_past *past)
{
    const struct ss_shard *desk = fold->desk;
    const struct ss_state *state = ss__fold_state(fold);
    int err = 0;
    size_t at = 0;
    for (const struct ss_entity_slot *slot;
         err == 0 && (slot = ss__map_next(&state->entities, &at)) != NULL;) {
        if (slot->payload == NULL) {
            continue;
        }
        if (slot->unreadable) {
            return SS_E_TYPE;
        }
        struct ss_entity_row row = {
            .projection = desk->timeline_ids[slot->kind->timeline],
            .kind = slot->kind->name,
            .id = slot->id,
            .created_ordinal = slot->created_ordinal,
            .last_ordinal = slot->last_ordinal,
            .time_us = slot->time_us,
            .type_id = desk->entity_type_ids[slot->kind->index],
            .payload = ss_str_of(slot->payload->data, slot->payload->len),
        };
        err = ss__past_add(past, &row);
    }
    return err;
}
