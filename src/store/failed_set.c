/* Which events are not in the entities on disk, as a session's handle knows it. */
#include "store/failed_set.h"

#include <stdlib.h>

#include "core/contract.h"
#include "store/store_state.h"

int ss__failed_copy(const struct ss_failed_set *set, struct ss_failed_set **ret_copy)
{
    struct ss_failed_set *copy = NULL;
    if (set->total > 0) {
        copy = malloc(sizeof *copy);
        if (copy == NULL) {
            return SS_E_NOMEM;
        }
        *copy = *set;
    }
    *ret_copy = copy;
    return 0;
}

bool ss__store_timeline_is_void(const struct ss_store_session *session)
{
    return session->now.entities_void;
}

static void make_void(struct ss_session_values *values)
{
    values->entities_void = true;
    values->void_ordinal = values->row.timeline_ordinal;
    values->row.timeline_ordinal = 0;
}

int ss__store_void_timeline(struct ss_store_session *session)
{
    SS_REQUIRE(session->item == NULL);
    if (session->now.row.first_retained > 1) {
        return SS_E_VERSION;
    }
    if (!session->now.entities_void) {
        make_void(&session->now);
        if (session->changed) {
            make_void(&session->saved);
        }
    }
    return 0;
}

static void keep(struct ss_session_values *values)
{
    if (values->entities_void) {
        values->entities_void = false;
        values->row.timeline_ordinal = values->void_ordinal;
    }
}

void ss__store_keep_timeline(struct ss_store_session *session)
{
    keep(&session->now);
    if (session->changed) {
        keep(&session->saved);
    }
}
