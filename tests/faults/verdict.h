/* verdict.h - what clients were told, and whether in the end it is so.
 *
 * Every event has a mark (app.h) that is used once. Acks, frames and snapshots are noted as they
 * come; when the faults are over the stored events and entities are read, and all that was seen has
 * to agree with them; what does not goes to broken(). One thread. */
#ifndef SS_FAULTS_VERDICT_H
#define SS_FAULTS_VERDICT_H

#include <stdbool.h>
#include <stdint.h>

#include <sessionstream/engine.h>

#define VERDICT_SESSIONS 8

/* An event of @session with this mark was accepted with @ordinal (0: it is not known). */
void verdict_acked(unsigned session, const char *mark, uint64_t ordinal);

/* A follower was shown this event. */
void verdict_shown(unsigned session, const char *mark, uint64_t ordinal);

/* A document or frame with a snapshot: its JSON. */
void verdict_snapshot(unsigned session, uint64_t ordinal, const char *json);

/* The session may be gone or begin anew: nothing of it is looked at. */
void verdict_deleted(unsigned session);

/* Reads what the engine has and compares. @full: acks too. */
void verdict_judge(struct ss_engine *engine);

unsigned verdict_acks(void);
unsigned verdict_snapshots(void);
void verdict_free(void);

/* The number in a member of a JSON text, as a string or not; UINT64_MAX: there is none. */
uint64_t json_number(const char *json, const char *member);

/* The string in a member; false: there is none. */
bool json_string(const char *json, const char *member, char *out, size_t cap);

#endif
