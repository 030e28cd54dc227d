#include "store/delete.h"

#include "store/store_state.h"

int ss__store_stage_delete(struct ss_store *store, struct ss_store_session *session,
                           uint64_t now_us)
{
    if (session->closed || session->deleted) {
        return SS_E_CLOSED;
    }
    int err = ss__stage_end(store, session, now_us);
    if (err != 0) {
        return err;
    }
    ss__session_change(store, session);
    session->deleted = session->deleting = true;
    return 0;
}

void ss__session_dead(struct ss_store *store, struct ss_store_session *session)
{
    ss__list_push_back(&store->dead, &session->dead_link);
    store->dead_count++;
}
