/* delete.h - the end of a session. Owner thread.
 *
 * A deletion is a record in the log. With the next flush row and catalog entry go, and what the
 * session has in segments and entities is trash: at most SS_TRASH_KEYS_MAX keys of it leave with
 * every flush. From the staging on the id is free: a new session gets a new number and epoch. */
#ifndef SS_STORE_DELETE_H
#define SS_STORE_DELETE_H

#include "store/store.h"

/* Stages the deletion of a session, which may be quarantined. It is found no longer, and answers
 * SS_E_CLOSED to everything but ss__store_put_session; a failed commit or an abort undoes that.
 * Errors: SS_E_CLOSED (deleted already), SS_E_NOMEM. */
int ss__store_stage_delete(struct ss_store *store, struct ss_store_session *session,
                           uint64_t now_us);

#endif
